"""The sizes of the regions in, what size alone predicts out: the baseline beside every study."""

import warnings
from dataclasses import replace

import numpy as np

from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.study.auc import auc_with_confidence
from radiodeep.study.comparison import compare_auc
from radiodeep.study.folds import Outcome
from radiodeep.study.inputs import aligned

SIZE_ALONE = "size alone"
_SIZE_COLUMNS = ("original_shape_VoxelVolume", "original_shape_MeshVolume", "original_shape2D_PixelSurface")
_MUCH_LIKE_SIZE = 0.9


def given_sizes(size, study):
    """Return the sizes that the user gave, (n_cases,), or None."""
    if size is None or (isinstance(size, str) and size == "auto"):
        return None
    if isinstance(size, str):
        raise StudyError(f"The 'size' parameter must be 'auto', None or one size per case. Got {size!r}.")
    sizes = np.asarray(aligned(size, study.X, "size"), dtype=float)
    if sizes.shape != (len(study.ids),) or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise StudyError(f"The 'size' parameter must hold a number > 0 for each of the {len(study.ids)} cases.")
    return sizes


def found_sizes(study, kept):
    """Return the sizes of the regions, from the cases or a column of the table, or None if unknown."""
    X = study.X
    if study.has_cases:
        sizes = np.array([getattr(X[row], "roi_size_mm", np.nan) for row in kept], dtype=float)
    else:
        column = next((name for name in _SIZE_COLUMNS if name in getattr(X, "columns", [])), None)
        sizes = np.full(len(kept), np.nan) if column is None else X[column].to_numpy(dtype=float)[kept]
    n_unusable = int((~(np.isfinite(sizes) & (sizes > 0))).sum())
    if not n_unusable or np.isnan(sizes).all():
        return None if n_unusable else sizes
    warnings.warn(
        f"{n_unusable} of {len(sizes)} sizes are missing or not above 0, so no model of size alone stands beside. "
        "Give sizes of all cases as 'size', or size=None.",
        RadiodeepWarning,
        stacklevel=5,
    )
    return None


def size_result(sizes, plan, settle):
    """Return the result of the size itself, which no fold has to learn.

    Whether larger or smaller speaks for the positive class is taken from all cases, which makes it look a
    little better than it is; learned in the folds, a size that says nothing would have an AUC near 0.
    """
    sign = 1.0 if auc_with_confidence(settle.positive, sizes).auc >= 0.5 else -1.0
    is_beyond = sign * (sizes - np.median(sizes)) > 0
    outcomes = [
        Outcome(
            score=sign * sizes[test],
            probability=np.full(len(test), np.nan),
            prediction=settle.classes[is_beyond[test].astype(int)],
        )
        for _, test in plan.folds
    ]
    larger = "larger" if sign > 0 else "smaller"
    return settle.result(SIZE_ALONE, outcomes, plan, {"class": SIZE_ALONE, str(settle.classes[1]): f"{larger} regions"})


def against_size(result, size_alone):
    return replace(result, size_alone=size_alone, against_size=compare_auc(result, size_alone))


def warn_of_size(result):
    like = {name: value for name, value in result.size_correlations.items() if value > _MUCH_LIKE_SIZE}
    if like:
        named = ", ".join(
            f"{name} ({value:.2f})" for name, value in sorted(like.items(), key=lambda item: -item[1])[:3]
        )
        warnings.warn(
            f"{len(like)} of the {len(result.size_correlations)} features that {result.name} selects in most folds go "
            f"up and down with the size of the region (rank correlation above {_MUCH_LIKE_SIZE}): {named}. Read the "
            "AUC beside that of size alone, result.size_alone.",
            RadiodeepWarning,
            stacklevel=5,
        )
