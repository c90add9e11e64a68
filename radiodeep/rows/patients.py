"""The patients of the cases whose features were computed in this process.

pandas drops the attributes of a table in most joins, and with them the patients. A study of a table without patients
looks up its row names here, so that cases of one patient stay in one fold.

A generated case carries digests of the patients that its generator was fitted to, in the clinical fact `ORIGIN_FACT`,
which files keep as any other fact.
"""

import hashlib

ORIGIN_FACT = "generated_from"

_patient_of = {}  # by case id, from the last extraction of a case with that id
_origin_of = {}  # by case id, None for those that were not generated


def remember_patients(cases):
    """Note the patient of each case whose features are computed."""
    _patient_of.update((case.id, case.patient) for case in cases)
    _origin_of.update(zip((case.id for case in cases), origins_of(cases), strict=True))


def origin_of_cases(cases):
    """Return the origin of cases that are generated from some cases, as text: a digest of each patient behind these."""
    digests = {_digest(case.patient) for case in cases}
    return " ".join(sorted(digests.union(*(origin.split() for origin in origins_of(cases) if origin))))


def origins_of(cases):
    """Return what `origin_of_cases` returned for each generated case, None for others."""
    facts = [getattr(case, "clinical", {}).get(ORIGIN_FACT) for case in cases]
    return [fact if isinstance(fact, str) else None for fact in facts]


def remembered_origins(ids):
    """Return the origins of case ids, None for those that were not generated or are unknown."""
    try:
        return [_origin_of.get(name) for name in ids]
    except TypeError:  # row names that cannot be looked up
        return [None] * len(ids)


def sources_of(patients, origins):
    """Return the digests of the patients behind each row, a set for each; None if no row was generated."""
    if not any(origins):
        return None
    return [
        {_digest(patient)} if origin is None else set(origin.split())
        for patient, origin in zip(patients, origins, strict=True)
    ]


def _digest(patient):
    return "p" + hashlib.sha256(str(patient).encode()).hexdigest()[:12]


def remembered_patients(ids):
    """Return the patients of case ids, or None unless all of them are known."""
    try:
        patients = [_patient_of.get(name) for name in ids]
    except TypeError:  # row names that cannot be looked up
        return None
    return None if any(patient is None for patient in patients) else patients
