"""The patients of the cases whose features were computed in this process.

pandas drops the attributes of a table in most joins, and with them the patients. A study of a table without patients
looks up its row names here, so that cases of one patient stay in one fold.
"""

_patient_of = {}  # by case id, from the last extraction of a case with that id


def remember_patients(cases):
    """Note the patient of each case whose features are computed."""
    _patient_of.update((case.id, case.patient) for case in cases)


def remembered_patients(ids):
    """Return the patients of case ids, or None unless all of them are known."""
    try:
        patients = [_patient_of.get(name) for name in ids]
    except TypeError:  # row names that cannot be looked up
        return None
    return None if any(patient is None for patient in patients) else patients
