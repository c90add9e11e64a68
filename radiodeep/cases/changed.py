"""In: a case and a function of lesions. Out: the case whose image is changed each time it is read."""

from dataclasses import dataclass
from functools import partial

from radiodeep.cases.case import Case


class ChangedCase(Case):
    """A case whose lesions are those of another one, changed when they are read.

    It keeps no changed voxels, so that a cohort of such cases needs no more memory than that of their origin. In
    memory it is a plain `Case` with changed arrays. A change with the attribute `keeps_acquisition` leaves what was
    imaged, and how, as it was. One with a method ``of_image(name, case)`` is another function of each image: it is
    given the case of all images before the change, and returns a function of lesions, or None to leave the image.
    """

    @classmethod
    def of(cls, case, change):
        """Return a case changed by a function Lesion -> Lesion, which worker processes must be able to import."""
        repeats = {name: cls.of(repeat, change) for name, repeat in case.repeats.items()}
        kind = cls
        if isinstance(case, cls):
            kind, change = type(case), _ChangesInTurn((case._change, change))
        return kind._restored(**{**case._arguments(), "repeats": repeats, "change": change})

    def lesion(self):
        return self._read()

    def as_acquired(self):
        """Return the case as it was before a change that keeps the acquisition; after any other change itself."""
        if type(self) is not ChangedCase or not getattr(self._change, "keeps_acquisition", False):
            return self
        return Case._restored(**{name: value for name, value in self._arguments().items() if name != "change"})

    def of_image(self, name):
        part = super().of_image(name)
        if hasattr(self._change, "of_image"):
            before = self._restored(**self._arguments() | {"change": _UNCHANGED})
            part.__dict__["_change"] = _change_of_image(self._change, name, before)
        return part

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


@dataclass(frozen=True)
class _ChangesInTurn:
    """A function of lesions that makes several changes, one after the other."""

    changes: tuple

    def __call__(self, lesion):
        for change in self.changes:
            lesion = change(lesion)
        return lesion

    @property
    def keeps_acquisition(self):
        return all(getattr(change, "keeps_acquisition", False) for change in self.changes)

    def of_image(self, name, case):
        """Return the changes of one image; each is given the case as the changes before it have left it."""
        of_image = []
        for change in self.changes:
            of_image.append(_change_of_image(change, name, case))
            case = ChangedCase.of(case, change)
        return _ChangesInTurn(tuple(of_image))


def _change_of_image(change, name, case):
    if not hasattr(change, "of_image"):
        return change
    return change.of_image(name, case) or _UNCHANGED


def _as_plain(case):
    """Return a case whose arrays have been changed as a `Case`, which is not changed once more."""
    plain = object.__new__(Case)
    plain.__dict__.update({name: value for name, value in case.__dict__.items() if name != "_change"})
    return plain


def _unchanged(lesion):
    return lesion


_UNCHANGED = partial(_unchanged)
_UNCHANGED.keeps_acquisition = True
