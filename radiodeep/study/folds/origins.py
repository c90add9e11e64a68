"""Rows of a study -> the patients behind each, so that generated cases do not carry test patients into training."""

from radiodeep.exceptions import LeakageError
from radiodeep.rows import origins_of, remembered_origins, remembered_patients, sources_of


def sources_of_rows(*studies):
    """Return digests of the patients behind each row of StudyInputs, one after the other; None if all rows are real.

    Behind a generated row are the patients that its generator was fitted to.
    """
    patients = []
    origins = []
    for study in studies:
        patients += study.patients or remembered_patients(study.ids) or study.ids
        origins += origins_of(study.rows.data) if study.rows.are_cases else remembered_origins(study.ids)
    return sources_of(patients, origins)


def check_sources(train, test, place):
    """Raise LeakageError if cases were generated from patients of the other side; both are parts of the sources."""
    if set().union(*train) & set().union(*test):
        raise LeakageError(
            f"Generated cases and the patients that they were learned from are on both sides of {place}. Leave "
            "generated cases out, and put the LesionGenerator in front of the model, "
            "imblearn.pipeline.make_pipeline(LesionGenerator(), ...), so that it is fitted to training cases alone."
        )
