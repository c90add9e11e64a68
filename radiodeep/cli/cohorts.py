"""Manifest and options -> a cohort, its outcomes, and the errors of the cases that are left out."""

import numpy as np

import radiodeep as rd
from radiodeep.cli.options import MaskLabels
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError, SingleClassError, StudyError


def read_cases(manifest, labels=MaskLabels.one, lesions=None, reading=None):
    """Return a cohort with the regions of --labels, and the errors of the cases without any; with --lesions by patient.

    `reading` is a dict of the options in reading files. A patient of a case without any region is left out whole.
    """
    cohort, errors = _read_regions(manifest, labels, reading or {})
    if lesions is None:
        return cohort, {case.id: text for case, text in errors.items()}
    failed = {str(case.patient): text for case, text in errors.items()}
    return rd.Cohort([case for case in cohort if str(case.patient) not in failed]).by_patient(), failed


def _read_regions(manifest, labels, reading):
    cohort = rd.read_cohort(manifest, **reading)
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
            errors[case] = f"{type(error).__name__}: {error}"
    if not parts:
        raise InputError(f"None of the {len(cohort)} cases can be used. {next(iter(errors.values()))}")
    return rd.Cohort(parts), errors


def with_outcomes(cohort, options):
    """Return the cases whose outcome is known, the outcomes, and the errors of the other cases.

    `options` are the OutcomeOptions. An error is raised if no case has an outcome.
    """
    has_label = np.array([case.label is not None for case in cohort])
    has_follow_up = np.array([case.time is not None for case in cohort])
    is_survival = options.is_survival(has_label.any(), has_follow_up.any())
    options.say_what_is_studied("manifest", is_survival)
    is_known = has_follow_up if is_survival else has_label
    used = cohort[is_known] if is_known.any() else cohort  # without any, the next line says what to do
    y = used.survival if is_survival else used.labels
    lacking = "no follow-up" if is_survival else "no label"
    errors = {
        case.id: f"ManifestError: {case.id}: it has {lacking}"
        for case, known in zip(cohort, is_known, strict=True)
        if not known
    }
    return used, y, errors


def check_clinical(cohort, columns):
    """Raise an error for clinical columns that cannot be used, and say in which the lesions of patients differ."""
    rd.ClinicalColumns(columns).fit(cohort)
    for name in columns:
        known = {item.id: {lesion.clinical.get(name) for lesion in getattr(item, "lesions", ())} for item in cohort}
        unlike = [patient for patient, values in known.items() if len(values - {None}) > 1]
        if unlike:
            say(
                f"The lesions of {len(unlike)} of {len(cohort)} patients differ in '{name}', e.g. those of {unlike[0]}"
                ": it is taken as unknown."
            )


def lacks_images(cohort):
    """Return whether a case lacks one of its images, and say what follows."""
    cases = [case for item in cohort for case in getattr(item, "lesions", [item])]
    lacking = [case.id for case in cases if case.image_names and None in case.image.values()]
    if lacking:
        say(
            f"Cases that lack an image: {len(lacking)} of {len(cases)}, e.g. {lacking[0]}. The medians of the training "
            "cases take the place of its features."
        )
    return bool(lacking)


def check_classes(labels, least):
    """Raise an error unless the labels are two classes or more, with at least `least` cases each; 0 for no classes."""
    if least == 0:
        return
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) == 1:
        raise SingleClassError(f"All {len(labels)} cases have the label {classes[0]}. A model needs two classes.")
    if counts.min() < least:
        rarest = classes[counts.argmin()]
        raise StudyError(
            f"The label {rarest} has {counts.min()} of {len(labels)} cases. A model needs at least {least} of each; "
            "add cases, or take the label out."
        )
