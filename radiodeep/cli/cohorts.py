"""Manifest and options -> a cohort with labels, and the errors of the cases that are left out."""

import numpy as np

import radiodeep as rd
from radiodeep.cli.options import MaskLabels
from radiodeep.exceptions import InputError, SingleClassError, StudyError

_MOST_CLASSES = 10


def read_cases(manifest, labels=MaskLabels.one):
    """Return a cohort with the regions of --labels, and the errors of the cases without any."""
    cohort = rd.read_cohort(manifest)
    if labels is MaskLabels.one:
        return cohort, {}
    if labels is MaskLabels.any:
        return rd.Cohort([case.replace(mask_label="any") for case in cohort]), {}
    parts = []
    errors = {}
    for case in cohort:
        try:
            parts.extend(case.by_label())
        except InputError as error:
            errors[case.id] = f"{type(error).__name__}: {error}"
    if not parts:
        raise InputError(f"None of the {len(cohort)} cases can be used. {next(iter(errors.values()))}")
    return rd.Cohort(parts), errors


def with_labels(cohort):
    """Return the cases with a label, and the errors of the others; raise an error if no case has one."""
    used = [position for position, case in enumerate(cohort) if case.label is not None]
    if not used:
        cohort.labels  # noqa: B018  raises the error that says what to do
    errors = {case.id: f"ManifestError: {case.id}: it has no label" for case in cohort if case.label is None}
    return cohort[used], errors


def check_classes(labels, least):
    """Raise an error unless the labels are a few classes with at least `least` cases each."""
    classes, counts = np.unique(labels, return_counts=True)
    shown = ", ".join(map(str, classes[:5])) + (" ..." if len(classes) > 5 else "")
    if len(classes) == 1:
        raise SingleClassError(f"All {len(labels)} cases have the label {shown}. A model needs two classes.")
    if len(classes) > _MOST_CLASSES or any(map(_is_fraction, classes)):
        raise StudyError(
            f"The labels are {len(classes)} different values ({shown}), which look like measurements. A model needs "
            f"classes, at most {_MOST_CLASSES}: write e.g. 0 and 1 into the column 'label'."
        )
    if counts.min() < least:
        rarest = classes[counts.argmin()]
        raise StudyError(
            f"The label {rarest} has {counts.min()} of {len(labels)} cases. A model needs at least {least} of each; "
            "add cases, or take the label out."
        )


def _is_fraction(label):
    try:
        return not float(label).is_integer()
    except ValueError:
        return False
