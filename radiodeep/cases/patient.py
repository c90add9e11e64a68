"""In: the lesions of a patient. Out: a `Patient`, an item of a study with a row per patient."""

from types import MappingProxyType

from radiodeep.exceptions import InputError


class Patient:
    """A patient with all lesions; `Cohort.by_patient` makes them. Frozen.

    Parameters
    ----------
    lesions : sequence of Case
        At least one; all of one patient, with one label and one follow-up.

    Attributes
    ----------
    id, patient : str
        Name of the patient.
    lesions : tuple of Case
    label, time, event
        As in `Case`.
    clinical : mapping
        What is known of the patient: the values that are the same for all lesions. Blank cells contradict none.
    roi_size_mm : float
        Total volume of the lesions in mm³, or their area in mm² in images of one slice. Reads the images.

    Raises
    ------
    InputError
        There is no lesion, two have the same id, or the lesions differ in patient, label, time or event.

    Examples
    --------
    >>> from radiodeep import Patient, make_phantom_cohort
    >>> cases = [case.replace(patient="P-1", label=1) for case in make_phantom_cohort(2, random_state=0)]
    >>> Patient(cases)
    Patient(id='P-1', lesions=2, label=1)
    """

    def __init__(self, lesions):
        lesions = tuple(lesions)
        if not lesions:
            raise InputError("A Patient needs one lesion at least. Got none.")
        if len({lesion.id for lesion in lesions}) < len(lesions):
            raise InputError(f"The lesions of patient '{lesions[0].patient}' must have different ids.")
        for name, known in (("patient", "patient"), ("label", "label"), ("time", "follow-up"), ("event", "follow-up")):
            first, *others = [getattr(lesion, name) for lesion in lesions]
            wrong = [value for value in others if value != first]
            if wrong:
                raise InputError(
                    f"The lesions of patient '{lesions[0].patient}' must have the same {known}. Got {name} {first!r} "
                    f"of '{lesions[0].id}' and {wrong[0]!r} of another lesion. If the {known} belongs to the lesion, "
                    "study the lesions, whose patients stay together in cross-validation."
                )
        first = lesions[0]
        self.__dict__.update(id=str(first.patient), patient=first.patient, lesions=lesions, label=first.label)
        self.__dict__.update(time=first.time, event=first.event, clinical=MappingProxyType(_shared(lesions)))

    def __setattr__(self, name, value):
        raise AttributeError("A Patient is frozen; make another one of changed lesions.")

    def __reduce__(self):
        return (Patient, (self.lesions,))

    def __repr__(self):
        return f"Patient(id={self.id!r}, lesions={len(self.lesions)}, label={self.label!r})"

    @property
    def roi_size_mm(self):
        return sum(lesion.roi_size_mm for lesion in self.lesions)

    def in_memory(self, images=None):
        """Return the patient with all lesions as checked arrays; of several images those named that a lesion has."""
        lesions = []
        for lesion in self.lesions:
            there = [name for name in lesion.single_images() if images is None or not name or name in images]
            lesions.append(lesion.in_memory(there) if there else lesion)
        return Patient(lesions)


def _shared(lesions):
    """Return the clinical values of lesions without those that differ; a value beats None."""
    values = {}
    for lesion in lesions:
        for name, value in lesion.clinical.items():
            known = values.setdefault(name, [])
            known += [value] if value is not None and value not in known else []
    return {name: (known or [None])[0] for name, known in values.items() if len(known) < 2}
