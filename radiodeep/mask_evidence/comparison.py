"""Cases and masks of them -> rows of measures, in parallel, and the evidence of masks that were given."""

from functools import partial

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError
from radiodeep.handcrafted.mask_agreement import compare_masks
from radiodeep.mask_evidence.masked_cases import mask_on_grid, sources_of
from radiodeep.mask_evidence.packed_masks import PackedMask
from radiodeep.mask_evidence.result import GIVEN, check_settings, evidence_of
from radiodeep.rows import rows_by_case


def mask_agreement(
    cohort,
    masks,
    n_jobs=None,
    *,
    tolerance_mm=1.0,
    name="automatic",
    random_state=0,
    confidence_level=0.95,
    n_resamples=2000,
    on_error="raise",
):
    """Measure how well masks of a cohort agree with its own, e.g. those of a network or of a second reader.

    Parameters
    ----------
    cohort : Cohort or sequence of Case
        With the masks of reference.
    masks : Cohort, mapping from case id to bool ndarray or Case, or sequence in the order of the cases
        On the grids of the images. An empty mask is one that found nothing.
    n_jobs : int, optional
        Processes; -1 for as many as cores, where they save time.
    tolerance_mm : float, default=1.0
        Distance up to which surfaces agree; see `compare_masks`.
    name : str, default="automatic"
        Of whoever made the masks, for the tables.
    random_state, n_resamples : int
        Of the resampled patients.
    confidence_level : float, default=0.95
    on_error : {"raise", "record"}, default="raise"
        "record" leaves out cases that cannot be read or compared, and lists them in `excluded`.

    Returns
    -------
    MaskEvidence

    Raises
    ------
    InputError
        A case has no mask, or one on another grid.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(6, random_state=0)
    >>> evidence = rd.mask_agreement(cohort, [np.roll(case.roi, 1, axis=2) for case in cohort], name="moved")
    >>> evidence.table.loc[("moved", "dice"), ["value", "low", "high"]].astype(float).round(2).tolist()
    [0.9, 0.89, 0.91]
    """
    check_settings(mask_agreement, tolerance_mm, random_state, confidence_level, n_resamples)
    cases = as_cases(cohort)
    sources = dict(zip((case.id for case in cases), sources_of(cases, masks), strict=True))
    compare = partial(_compared, sources=sources, tolerance_mm=tolerance_mm)
    rows, errors = rows_by_case(compare, cases, n_jobs=n_jobs, on_error=on_error, description="Comparing masks")
    if not rows:
        raise InputError(f"None of the {len(cases)} cases can be compared. {errors[0]}")
    kept = [(case, *rows[place]) for place, case in enumerate(cases) if place in rows]
    return evidence_of(
        {name: [row | {"id": case.id, "patient": case.patient, "fold": 0} for case, row, _ in kept]},
        {name: {case.id: packed for case, _, packed in kept}},
        cv=GIVEN,
        tolerance_mm=tolerance_mm,
        random_state=random_state,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        excluded={cases[place].id: text for place, text in errors.items()},
    )


def _compared(cases, sources, tolerance_mm):
    """Return the row and the packed mask of each case."""
    compared = []
    for case in cases:
        lesion = case.lesion()
        mask = mask_on_grid(lesion, sources[case.id], may_be_empty=True)
        compared.append((compared_row(lesion, mask, tolerance_mm), PackedMask.of(mask)))
    return compared


def compared_row(lesion, mask, tolerance_mm):
    """Return the size of a lesion's region, its share of the image, and the measures of another mask."""
    measures = compare_masks(lesion.roi, mask, lesion.spacing_mm, tolerance_mm)
    size = {"size_mm": lesion.roi_size_mm, "unit": "mm²" if 1 in lesion.roi.shape else "mm³"}
    return size | {"share_of_image": float(lesion.roi.mean())} | measures
