"""Segmenters and a cohort -> masks of cases that a segmenter was not trained with, and how good they are.

Segmenters are fitted in each fold to the cases of that fold alone, and get the others without their masks.
"""

from functools import partial

import numpy as np
from joblib import delayed
from sklearn.base import clone
from sklearn.utils import get_tags

from radiodeep.cases.cohort import as_cases
from radiodeep.cases.naming import message_with_id
from radiodeep.checks import is_option, require_n_jobs
from radiodeep.exceptions import InputError, StudyError
from radiodeep.mask_evidence.comparison import compared_row
from radiodeep.mask_evidence.masked_cases import mask_on_grid, without_mask
from radiodeep.mask_evidence.packed_masks import PackedMask
from radiodeep.mask_evidence.result import check_settings, evidence_of
from radiodeep.processes import results_of
from radiodeep.progress import with_progress
from radiodeep.rows import check_on_error, rows_by_case
from radiodeep.segmenters.segmenter import image_of_masks, on_voxels_of
from radiodeep.study.execution import check_models
from radiodeep.study.folds.origins import sources_of_rows
from radiodeep.study.folds.splits import check_folds, plan_of
from radiodeep.study.inputs import study_input


def cross_validated_dice(
    segmenters,
    cohort,
    cv=5,
    groups=None,
    n_jobs=None,
    *,
    baselines=None,
    centres=None,
    tolerance_mm=1.0,
    random_state=0,
    confidence_level=0.95,
    n_resamples=2000,
    on_error="raise",
):
    """Estimate how well segmenters outline cases that they have not seen.

    Parameters
    ----------
    segmenters : segmenter, or dict from name to segmenter
        `fit` gets cases with their masks, `predict` cases whose region is the whole image. Of cases with several images
        the masks are those of the segmenter's `image`, or of the first of them.
    cohort : Cohort or sequence of Case
    cv : int, "leave-one-out", "leave-one-centre-out" or a splitter of scikit-learn, default=5
        Must test each case once. Folds are shuffled.
    groups : array-like of shape (n_cases,), optional
        Cases of a group are never on both sides of a fold. By default the patients.
    n_jobs : int, optional
        Processes; -1 for as many as cores, where they save time.
    baselines : sequence of str, optional
        Names of the segmenters of which the best is compared with the others. By default those that learn nothing.
    centres : str or array-like of shape (n_cases,), optional
        For leave-one-centre-out, as in `cross_validated_auc`.
    tolerance_mm : float, default=1.0
        Distance up to which surfaces agree; see `compare_masks`.
    random_state : int, default=0
        Of the folds, and of the resampled patients. Segmenters have their own.
    confidence_level : float, default=0.95
    n_resamples : int, default=2000
        Of the patients, for the intervals.
    on_error : {"raise", "record"}, default="raise"
        "record" leaves out cases that cannot be read, and takes an empty mask where a segmenter fails on a case:
        its error is in ``evidence.cases["error"]``.

    Returns
    -------
    MaskEvidence

    Raises
    ------
    LeakageError
        A patient would be on both sides of a fold, or a case occurs twice.
    StudyError
        A split that does not test each case once, or masks that are not those of the images.

    Notes
    -----
    The best of several baselines by the mean of all cases would be chosen on the cases that it is compared on, and
    would look better than it is. Here the baseline of each fold is the best one in the other folds.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_study_cohort("sarcoma", 6).of_image("PET")
    >>> shares = {f"{share:.0%}": rd.ThresholdSegmenter(share) for share in (0.41, 0.5)}
    >>> evidence = rd.cross_validated_dice(shares, cohort, cv=3)
    >>> evidence.table.loc["41%", "statistic"]["dice"], len(evidence.masks["41%"])
    ('mean', 6)
    """
    check_settings(cross_validated_dice, tolerance_mm, random_state, confidence_level, n_resamples)
    check_on_error(on_error)
    require_n_jobs(n_jobs, cross_validated_dice)
    segmenters = segmenters if isinstance(segmenters, dict) else {type(segmenters).__name__: segmenters}
    check_models(segmenters)
    baselines = _checked_baselines(baselines, segmenters)
    study = study_input(as_cases(cohort), groups, centres=centres)
    excluded = _unreadable(study.rows.data, n_jobs) if on_error == "record" else {}
    study = study.take([row for row, name in enumerate(study.ids) if name not in excluded])
    plan = _plan(cv, study, random_state)
    rows, packed = _tested(
        segmenters, study, plan, n_jobs, partial(_fold, tolerance_mm=tolerance_mm, on_error=on_error)
    )
    return evidence_of(
        rows,
        packed,
        cv=plan.name,
        tolerance_mm=tolerance_mm,
        random_state=random_state,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        excluded=excluded,
        baselines=baselines,
    )


class _NoOutcome:
    """What folds ask of an outcome: there are no strata, and any training part can be learned from."""

    strata = None

    def __init__(self, n_cases):
        self.y = np.zeros(n_cases)

    def check_training(self, train, fold):
        """Accept it."""


def _checked_baselines(baselines, segmenters):
    """Return the names of the baselines, by default of the segmenters that learn nothing."""
    if baselines is None:
        return [name for name, segmenter in segmenters.items() if not get_tags(segmenter).requires_fit]
    unknown = [name for name in baselines if name not in segmenters]
    if unknown:
        raise StudyError(f"The baselines must be among the segmenters {', '.join(segmenters)}. Got {unknown[0]!r}.")
    return list(baselines)


def _unreadable(cases, n_jobs):
    """Return the errors of the cases that cannot be read, by id."""
    _, errors = rows_by_case(_read, cases, n_jobs=n_jobs, on_error="record", description="Reading")
    if len(errors) == len(cases):
        raise StudyError(f"None of the {len(cases)} cases can be read. {errors[0]}")
    return {cases[place].id: text for place, text in errors.items()}


def _read(cases):
    return [[part.lesion().roi_size_mm for part in case.single_images().values()] for case in cases]


def _plan(cv, study, random_state):
    """Return the folds, which test each case once and keep groups together."""
    if is_option(cv, ("leave-pair-out",)):
        raise StudyError("Leave-pair-out compares outcomes, and masks have none. Use a number of folds, e.g. cv=5.")
    outcome = _NoOutcome(len(study))
    plan = plan_of(cv, outcome, study.groups, 1, random_state, study.centres)
    if max(plan.repeats) > 0:
        raise StudyError(f"Each case must be tested once, since one mask of it is kept. {cv!r} tests it several times.")
    check_folds(plan, outcome, study.ids, study.groups, study.patients, sources_of_rows(study))
    return plan


def _tested(segmenters, study, plan, n_jobs, fold):
    """Return the rows and packed masks of all segmenters, by name, in the order of the cases."""
    cases = study.rows.data
    tasks = [(name, number) for name in segmenters for number in range(len(plan.folds))]
    calls = (
        delayed(fold)(segmenters[name], *([cases[row] for row in rows] for rows in plan.folds[number]))
        for name, number in tasks
    )
    rows, packed = {name: {} for name in segmenters}, {name: {} for name in segmenters}
    finished = with_progress(results_of(calls, n_jobs, len(tasks)), "Segmentation", len(tasks), "folds")
    for (name, number), of_fold in zip(tasks, finished, strict=True):
        for case_id, row, mask in of_fold:
            rows[name][case_id] = row | {"id": case_id, "fold": number}
            packed[name][case_id] = mask
    patients = dict(zip(study.ids, study.clusters if study.clusters is not None else study.ids, strict=True))
    ordered = {
        name: [of_name[case_id] | {"patient": patients[case_id]} for case_id in study.ids]
        for name, of_name in rows.items()
    }
    return ordered, {name: {case_id: of_name[case_id] for case_id in study.ids} for name, of_name in packed.items()}


def _fold(segmenter, train, test, tolerance_mm, on_error):
    """Return (id, row, packed mask) of each test case, by a segmenter fitted to the training cases."""
    fitted = clone(segmenter).fit(train)
    predicted = _predicted(fitted, [without_mask(case) for case in test], on_error)
    image = image_of_masks(segmenter)
    return [
        _measured(on_voxels_of(case, image), mask, tolerance_mm) for case, mask in zip(test, predicted, strict=True)
    ]


def _predicted(fitted, cases, on_error):
    """Return the mask of each case; with "record" the text of its error, if the segmenter fails on it."""
    try:
        masks = list(fitted.predict(cases))
    except Exception as error:
        if on_error == "raise":
            raise
        if len(cases) == 1:
            return [f"{type(error).__name__}: {message_with_id(error, cases[0].id)}"]
        return [mask for case in cases for mask in _predicted(fitted, [case], on_error)]
    if len(masks) != len(cases):
        raise StudyError(f"{type(fitted).__name__} returned {len(masks)} masks of {len(cases)} cases.")
    return masks


def _measured(case, mask, tolerance_mm):
    """Return (id, row, packed mask) of a case, whose mask may be the text of an error."""
    lesion = case.lesion()
    error = {}
    if isinstance(mask, str):
        mask, error = np.zeros_like(lesion.roi), {"error": mask}
    elif not isinstance(mask, np.ndarray) or mask.dtype != bool:
        raise InputError(f"{case.id}: a segmenter must return arrays of bools. Got {type(mask).__name__}.")
    packed = PackedMask.of(mask)
    return case.id, compared_row(lesion, mask_on_grid(lesion, packed), tolerance_mm) | error, packed
