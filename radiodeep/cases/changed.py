"""In: a case and a function of lesions. Out: the case whose image is changed each time it is read."""

from functools import partial

from radiodeep.cases.case import Case


class ChangedCase(Case):
    """A case whose lesions are those of another one, changed when they are read.

    It keeps no changed voxels, so that a cohort of such cases needs no more memory than that of their origin. In
    memory it is a plain `Case` with changed arrays. A change with the attribute `keeps_acquisition` leaves what was
    imaged, and how, as it was.
    """

    @classmethod
    def of(cls, case, change):
        """Return a case changed by a function Lesion -> Lesion, which worker processes must be able to import."""
        repeats = {name: cls.of(repeat, change) for name, repeat in case.repeats.items()}
        kind = cls
        if isinstance(case, cls):
            kind, change = type(case), partial(_changed_in_turn, changes=(case._change, change))
        return kind._restored(**{**case._arguments(), "repeats": repeats, "change": change})

    def lesion(self):
        return self._read()

    def as_acquired(self):
        """Return the case as it was before a change that keeps the acquisition; after any other change itself."""
        if type(self) is not ChangedCase or not getattr(self._change, "keeps_acquisition", False):
            return self
        return Case._restored(**{name: value for name, value in self._arguments().items() if name != "change"})

    def in_memory(self, images=None):
        return _as_plain(super().in_memory(images))

    def _holding(self, lesion):
        return _as_plain(super()._holding(lesion))

    def _read(self):
        lesion = self._change(super()._read())
        self.__dict__["_acquisition"] = lesion.acquisition()  # known after the voxels are gone
        return lesion

    def _set(self, *, change, **arguments):
        super()._set(**arguments)
        self.__dict__["_change"] = change

    def _arguments(self):
        return super()._arguments() | {"change": self._change}

    def __reduce__(self):
        return partial(self._restored, **self._arguments()), ()


def _changed_in_turn(lesion, changes):
    for change in changes:
        lesion = change(lesion)
    return lesion


def _as_plain(case):
    """Return a case whose arrays have been changed as a `Case`, which is not changed once more."""
    plain = object.__new__(Case)
    plain.__dict__.update({name: value for name, value in case.__dict__.items() if name != "_change"})
    return plain
