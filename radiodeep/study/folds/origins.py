"""Rows of a study -> the patients behind each, so that generated cases do not carry test patients into training."""

import re

from radiodeep.exceptions import LeakageError
from radiodeep.rows import origins_of, remembered_origins, remembered_patients, sources_of

_GENERATED = re.compile(r"generated-[0-9a-f]{8}-\d+")  # the ids of LesionGenerator


def sources_of_rows(*studies):
    """Return digests of the patients behind each row of StudyInputs, one after the other; None if all rows are real.

    Behind a generated row are the patients that its generator was fitted to. If these are unknown, as those of a table
    that was read from a file, LeakageError is raised.
    """
    patients = []
    origins = []
    for study in studies:
        patients += study.patients or remembered_patients(study.ids) or study.ids
        of_rows = origins_of(study.rows.data) if study.rows.are_cases else remembered_origins(study.ids)
        for name, origin in zip(study.ids, of_rows, strict=True):
            if origin is None and _GENERATED.fullmatch(str(name)):
                raise LeakageError(
                    f"Row {name!r} is named like a generated case, and it is unknown which patients it was learned "
                    "from. Pass the cases, extract their table in this process, or leave generated rows out."
                )
        origins += of_rows
    return sources_of(patients, origins)


def check_sources(train, test, place):
    """Raise LeakageError if cases were generated from patients of the other side; both are parts of the sources."""
    if set().union(*train) & set().union(*test):
        raise LeakageError(
            f"Generated cases and the patients that they were learned from are on both sides of {place}. Leave "
            "generated cases out, and put the LesionGenerator in front of the model, "
            "imblearn.pipeline.make_pipeline(LesionGenerator(), ...), so that it is fitted to training cases alone."
        )
