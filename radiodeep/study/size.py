"""Sizes of the regions -> what size alone predicts, and how much of the score of a model may be size."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.study.folds.fitting import FoldOutcome
from radiodeep.study.result import require_results
from radiodeep.study.statistics.comparison import compare_auc
from radiodeep.study.statistics.pairing import has_test

SIZE_BASELINE = "size alone"
_SCORE_LIKE_SIZE = 0.7  # measured; see size_warning
_CHANCE = 2.58  # standard deviations; chance exceeds them in 1 % of studies
_FEATURE_LIKE_SIZE = 0.9


def known_sizes(studies, kept, stacklevel=4):
    """Return the sizes of the cases at the positions `kept`, from the first StudyInput that has them all, or None."""
    for study in studies:
        try:
            sizes = study.rows.take(kept).region_sizes()
        except InputError as error:  # of an image that no model needs
            text = f"The sizes of the regions are unknown, so the models are not compared with size alone. {error}"
            warnings.warn(text, RadiodeepWarning, stacklevel=stacklevel)
            continue
        n_unusable = int((~(np.isfinite(sizes) & (sizes > 0))).sum())
        if not n_unusable:
            return sizes
        if not np.isnan(sizes).all():
            warnings.warn(
                f"{n_unusable} of {len(sizes)} sizes are missing or not above 0, so the models are not compared with "
                "size alone. Give sizes of all cases as 'size', or size=None.",
                RadiodeepWarning,
                stacklevel=stacklevel,
            )
    return None


def size_baseline(plan, evidence):
    """Return the result of the size itself as the score, which no fold has to learn.

    Whether larger or smaller regions score higher is taken from all cases, which makes it look slightly better than it
    is; learned in the folds, a size without information would have an AUC near 0.
    """
    endpoint = evidence.endpoint
    marker, words = endpoint.marker(evidence.study.sizes, "regions")
    outcomes = [FoldOutcome(type(marker)(*(values[test] for values in marker[:3]))) for _, test in plan.folds]
    return evidence.result(SIZE_BASELINE, outcomes, plan, {"class": SIZE_BASELINE, **words})


def with_size_baseline(result, baseline):
    """Return a result with the size baseline of the same folds, compared with it if these give a valid test."""
    against_size = compare_auc(result, baseline) if has_test(result) else None
    return replace(result, size_baseline=baseline, against_size=against_size)


def score_and_size(endpoint, scores, sizes, pairs=None, folds=None):
    """Return `score_size_correlation`, `equal_size_auc` and `n_equal_size_pairs` of a StudyResult as a dict.

    Scores are (n_repeats, n_cases), or with a third axis of outputs, which have no correlation; sizes (n_cases,) and
    > 0; `pairs` are those of the result under leave-pair-out, `folds` (n_repeats, n_cases) those that tested the cases.
    """
    correlation = np.mean([_rank_correlation(score, sizes) for score in scores]) if scores.ndim == 2 else np.nan
    in_folds = {"folds": folds} if endpoint.compares_in_folds else {}
    value, n_pairs = endpoint.at_equal_size(scores, sizes, pairs, **in_folds)
    return {
        "score_size_correlation": None if np.isnan(correlation) else float(correlation),
        "equal_size_auc": value,
        "n_equal_size_pairs": n_pairs,
    }


def _rank_correlation(a, b):
    """Return Spearman's correlation, or NaN if either is constant."""
    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (a, b))
    spread = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / spread) if spread > 0 else float("nan")


def size_table(results):
    """Return how much of the score of each model may be size, with size alone in the last row.

    Parameters
    ----------
    results : dict from name to StudyResult

    Returns
    -------
    DataFrame
        Index = model; `cv`, `auc`, `equal_size_auc`, `n_equal_size_pairs`, `score_size_correlation`. Of leave-one-out
        those of its companion, the repeated folds. NaN if the sizes are unknown.

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
    require_results(*results.values())
    tested = {name: result.compared_with_size for name, result in results.items()}
    baselines = [result.size_baseline for result in tested.values() if result.size_baseline is not None]
    if baselines:
        tested = {**tested, SIZE_BASELINE: baselines[0]}
    rows = [
        {
            "cv": result.cv,
            "auc": result.auc,
            "equal_size_auc": result.equal_size_auc,
            "n_equal_size_pairs": result.n_equal_size_pairs,
            "score_size_correlation": result.score_size_correlation,
        }
        for result in tested.values()
    ]
    table = pd.DataFrame(rows, index=pd.Index(list(tested), name="model"))
    types = dict.fromkeys(["auc", "equal_size_auc", "score_size_correlation"], float)
    return table.astype({**types, "n_equal_size_pairs": "Int64"})


def size_warning(result):
    """Return a warning that the score, or features selected in most folds, follow the size; None if they do not.

    The limit for the score, a rank correlation of 0.7, lies between what was measured with and without size in the
    features: 0.78 to 0.92 for deep and texture features of lung nodules, whose classes differ in size (AUC of the
    area 0.88); at most 0.68 for those of sarcomas in PET and MR, without features that count voxels, and 0.35 for those
    of phantoms. A perfect prediction of nodules that measures no size has 0.61, since the classes differ in size. Fewer
    than 15 cases need a higher correlation, one that chance exceeds in 1 % of studies.
    """
    sentences = [_warning_of_score(result), _warning_of_features(result)]
    return " ".join(filter(None, sentences)) or None


def _warning_of_score(result):
    tested = result.compared_with_size
    correlation = tested.score_size_correlation
    # By chance, Spearman's correlation of n cases has a standard deviation of 1 / sqrt(n - 1).
    limit = max(_SCORE_LIKE_SIZE, _CHANCE / np.sqrt(max(len(result.predictions) - 1, 1)))
    if correlation is None or abs(correlation) <= limit:
        return ""
    direction = "up" if correlation > 0 else "down"
    return (
        f"The score of {result.name} goes {direction} with the size of the region (rank correlation "
        f"{correlation:.2f}, {tested.cv}). {_at_equal_size(tested)}"
    )


def _at_equal_size(tested):
    endpoint = tested.endpoint
    measure = endpoint.measure
    if tested.n_equal_size_pairs is None:
        return f"Compare its {measure} with that of size alone, result.size_baseline."
    if tested.equal_size_auc is None:
        return (
            f"There are too few {endpoint.pairs_of_cases} of equal size (within 10 %) for the {measure} among them, "
            f"{tested.n_equal_size_pairs}, so it is not known whether the model knows more than the size."
        )
    return (
        f"Among the {tested.n_equal_size_pairs:,} {endpoint.pairs_of_cases} of equal size (within 10 %) its {measure} "
        f"is {tested.equal_size_auc:.2f}, that of size alone {tested.size_baseline.equal_size_auc:.2f}. What the model "
        f"knows besides the size shows there, not in its {measure} of {tested.auc:.2f}."
    )


def _warning_of_features(result):
    following = {name: value for name, value in result.size_correlations.items() if value > _FEATURE_LIKE_SIZE}
    if not following:
        return ""
    strongest = sorted(following.items(), key=lambda item: -item[1])[:3]
    names = ", ".join(f"{name} ({value:.2f})" for name, value in strongest)
    verb = "has" if len(following) == 1 else "have"
    return (
        f"{len(following)} of the {len(result.size_correlations)} features that {result.name} selects in most folds "
        f"{verb} a rank correlation with the size of the region above {_FEATURE_LIKE_SIZE}: {names}. "
        f"Compare its {result.endpoint.measure} with that of size alone, result.size_baseline."
    )


def warn_of_size(result, stacklevel):
    """Warn if the score or the selected features of a result follow the size of the region."""
    text = size_warning(result)
    if text is not None:
        warnings.warn(text, RadiodeepWarning, stacklevel=stacklevel)
