"""The sizes of the regions in; what size alone predicts, and how much of a model's score is size, out."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.compiled import compiled
from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.study.folds.fitting import Outcome
from radiodeep.study.inputs import aligned
from radiodeep.study.statistics.auc import auc_with_confidence
from radiodeep.study.statistics.comparison import compare_auc

SIZE_ALONE = "size alone"
_SIZE_COLUMNS = ("original_shape_VoxelVolume", "original_shape_MeshVolume", "original_shape2D_PixelSurface")
_LARGEST_RATIO = 1.1  # of the sizes of a pair that counts as equal
_FEWEST_PAIRS = 30
_SCORE_MUCH_LIKE_SIZE = 0.7  # measured; see size_warning
_CHANCE = 2.58  # standard deviations, beyond which 1 % lie
_FEATURE_MUCH_LIKE_SIZE = 0.9


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


def score_and_size(positive, scores, sizes, pairs=None):
    """Return how far the scores of a model follow the size, and how it does among pairs of equal size.

    Parameters
    ----------
    positive : bool ndarray of shape (n_cases,)
    scores : ndarray of shape (n_repeats, n_cases)
        Higher for the positive class; of each repeat of the folds. The means over the repeats are returned.
    sizes : ndarray of shape (n_cases,)
        Above 0.
    pairs : ndarray of shape (n_negative, n_positive), optional
        Under leave-pair-out: 1 where the pair was in the right order, 0.5 for a tie. They take the place of the
        scores in the AUC.

    Returns
    -------
    dict
        `score_size_correlation`, `equal_size_auc` and `n_equal_size_pairs`, as in `StudyResult`.
    """
    correlation = np.mean([_rank_correlation(score, sizes) for score in scores])
    auc, n_pairs = auc_at_equal_size(positive, scores, sizes) if pairs is None else _of_pairs(positive, pairs, sizes)
    return {
        "score_size_correlation": None if np.isnan(correlation) else float(correlation),
        "equal_size_auc": auc,
        "n_equal_size_pairs": n_pairs,
    }


def auc_at_equal_size(positive, scores, sizes):
    """Return the AUC among pairs of a positive and a negative case whose sizes differ by at most 10 %.

    Parameters
    ----------
    positive : bool ndarray of shape (n_cases,)
    scores : ndarray of shape (n_repeats, n_cases)
        Ties count one half.
    sizes : ndarray of shape (n_cases,)
        Above 0. Equal are sizes of which the larger is at most 1.1 times the smaller.

    Returns
    -------
    auc : float or None
        The mean over the repeats; None for fewer than 30 pairs.
    n_pairs : int
        The same in every repeat. No interval is given: one case is in many pairs, one patient may be in several.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.study.size import auc_at_equal_size
    >>> rng = np.random.default_rng(0)
    >>> positive, sizes = np.repeat([False, True], 100), np.exp(rng.normal(size=200)) * np.repeat([1, 3], 100)
    >>> auc_of_size, n_pairs = auc_at_equal_size(positive, sizes[np.newaxis], sizes)
    >>> round(auc_of_size, 1), n_pairs
    (0.5, 386)
    """
    first, last, order = _windows(positive, sizes)
    n_pairs = int((last - first).sum())
    if n_pairs < _FEWEST_PAIRS:
        return None, n_pairs
    wins = sum(_wins(score[positive], score[~positive][order], first, last) for score in scores)
    return float(wins / len(scores) / n_pairs), n_pairs


@compiled
def _wins(positive, negative, first, last):
    """Return how many of its negative cases first..last each positive case is scored above, ties counting one half."""
    n_above, n_ties = 0, 0  # of whole numbers, which the processor adds several at a time
    for case in range(len(positive)):
        mine = positive[case]
        for other in range(first[case], last[case]):
            n_above += mine > negative[other]
            n_ties += mine == negative[other]
    return n_above + 0.5 * n_ties


def _windows(positive, sizes):
    """Return, for each positive case, where the negative ones of equal size begin and end in their order by size.

    Sorted by size, the negative cases of equal size are neighbours, so that few pairs are ever looked at. The order
    counts the negative cases only.
    """
    of_negative = sizes[~positive]
    order = np.argsort(of_negative, kind="stable")
    first = np.searchsorted(of_negative[order], sizes[positive] / _LARGEST_RATIO, side="left")
    last = np.searchsorted(of_negative[order], sizes[positive] * _LARGEST_RATIO, side="right")
    return first, last, order


def _of_pairs(positive, pairs, sizes):
    first, last, order = _windows(positive, sizes)
    by_size, n_pairs = pairs[order], int((last - first).sum())
    wins = sum(column[start:stop].sum() for column, start, stop in zip(by_size.T, first, last, strict=True))
    return (float(wins / n_pairs) if n_pairs >= _FEWEST_PAIRS else None), n_pairs


def _rank_correlation(a, b):
    """Return Spearman's correlation, or NaN where one of both is constant."""
    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (a, b))
    spread = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / spread) if spread > 0 else float("nan")


def size_table(results):
    """Return how much of each model may be size, and size alone in the last row.

    Parameters
    ----------
    results : dict from name to StudyResult

    Returns
    -------
    DataFrame
        Index = model; `cv`, `auc`, `equal_size_auc`, `n_equal_size_pairs`, `score_size_correlation`. Where repeated
        folds stand beside leave-one-out, it is about those. NaN where the sizes are unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(60) % 2
    >>> X, sizes = rng.normal(size=(60, 3)) + y[:, None], np.exp(rng.normal(size=60))
    >>> results = rd.cross_validate_models({"texture": GaussianNB()}, X, y, cv=5, size=sizes)
    >>> rd.size_table(results)[["auc", "equal_size_auc"]].round(2).loc["texture"].tolist()
    [0.83, 0.89]
    """
    tested = {name: result.compared_with_size for name, result in results.items()}
    alone = next((result.size_alone for result in tested.values() if result.size_alone is not None), None)
    if alone is not None:
        tested = {**tested, SIZE_ALONE: alone}
    columns = ["cv", "auc", "equal_size_auc", "n_equal_size_pairs", "score_size_correlation"]
    rows = [[getattr(result, column) for column in columns] for result in tested.values()]
    table = pd.DataFrame(rows, columns=columns, index=pd.Index(list(tested), name="model"))
    return table.astype({**dict.fromkeys(columns[1:], float), "n_equal_size_pairs": "Int64"})


def size_warning(result):
    """Say that a score, or features selected in most folds, go up and down with the size; None if they do not.

    The limit for the score, a rank correlation of 0.7, lies between what was measured with and without size in the
    features: 0.78 to 0.92 for deep and texture features of lung nodules, whose classes differ in size (AUC of the
    area 0.88); at most 0.68 for those of sarcomas in PET and MR, without features that count voxels, and 0.35 for those
    of phantoms. A perfect prediction of nodules that measures no size has 0.61, since the classes differ in size. Fewer
    than 14 cases need a higher correlation, which chance gives in 1 % of the studies.
    """
    tested = result.compared_with_size
    like = {name: value for name, value in result.size_correlations.items() if value > _FEATURE_MUCH_LIKE_SIZE}
    correlation = tested.score_size_correlation
    sentences = []
    # Spearman's correlation of n cases has a standard deviation of 1 / sqrt(n - 1) by chance.
    limit = max(_SCORE_MUCH_LIKE_SIZE, _CHANCE / np.sqrt(max(len(result.predictions) - 1, 1)))
    if correlation is not None and abs(correlation) > limit:
        sentences.append(
            f"The score of {result.name} goes {'up' if correlation > 0 else 'down'} with the size of the region (rank "
            f"correlation {correlation:.2f}, {tested.cv}). {_at_equal_size(tested)}"
        )
    if like:
        named = ", ".join(
            f"{name} ({value:.2f})" for name, value in sorted(like.items(), key=lambda item: -item[1])[:3]
        )
        sentences.append(
            f"{len(like)} of the {len(result.size_correlations)} features that {result.name} selects in most folds go "
            f"up and down with the size of the region (rank correlation above {_FEATURE_MUCH_LIKE_SIZE}): {named}. "
            "Read the AUC beside that of size alone, result.size_alone."
        )
    return " ".join(sentences) or None


def _at_equal_size(tested):
    if tested.equal_size_auc is None:
        return (
            "There are too few pairs of a positive and a negative case of equal size (within 10 %) for an AUC among "
            f"them, {tested.n_equal_size_pairs}, so it is not known whether the model knows more than the size."
        )
    return (
        f"Among the {tested.n_equal_size_pairs:,} pairs of a positive and a negative case of equal size (within 10 %) "
        f"its AUC is {tested.equal_size_auc:.2f}, that of size alone {tested.size_alone.equal_size_auc:.2f}. What the "
        f"model knows besides the size shows there, not in its AUC of {tested.auc:.2f}."
    )


def warn_of_size(result, stacklevel=5):
    text = size_warning(result)
    if text is not None:
        warnings.warn(text, RadiodeepWarning, stacklevel=stacklevel)
