"""Scores and sizes -> the AUC among pairs of cases of equal size."""

from itertools import combinations

import numpy as np

from radiodeep.compiled import compiled

_LARGEST_RATIO = 1.1  # of two sizes that count as equal
_FEWEST_PAIRS = 30


def auc_at_equal_size(positive, scores, sizes):
    """Return the AUC among pairs of a positive and a negative case whose sizes differ by at most 10 %.

    Returned are the mean over the repeats of scores (n_repeats, n_cases), or None for fewer than 30 pairs, and the
    number of pairs. Ties count one half. There is no interval, since a case is in many pairs and a patient may have
    several cases.
    """
    first, last, order = _windows(positive, sizes)
    n_pairs = int((last - first).sum())
    if n_pairs < _FEWEST_PAIRS:
        return None, n_pairs
    wins = sum(_n_wins(score[positive], score[~positive][order], first, last) for score in scores)
    return float(wins / len(scores) / n_pairs), n_pairs


def auc_of_pairs_at_equal_size(positive, pairs, sizes):
    """Return the same from the outcomes of pairs (n_negative, n_positive): 1 won, 0.5 tied, 0 lost."""
    first, last, order = _windows(positive, sizes)
    by_size = pairs[order]
    n_pairs = int((last - first).sum())
    wins = sum(column[start:stop].sum() for column, start, stop in zip(by_size.T, first, last, strict=True))
    return (float(wins / n_pairs) if n_pairs >= _FEWEST_PAIRS else None), n_pairs


def several_classes_at_equal_size(codes, scores, sizes):
    """Return the fraction of pairs of different classes and equal size that are in the right order, and their number.

    `codes` are the classes (n_cases,), scores (n_repeats, n_cases, n_classes). A pair is compared by its scores of the
    one class and by those of the other; each counts one half.
    """
    wins, n_pairs = 0.0, 0
    for pair in combinations(range(scores.shape[2]), 2):
        rows = np.flatnonzero(np.isin(codes, pair))
        for column in pair:
            positive, of_class = codes[rows] == column, scores[:, rows, column]
            first, last, order = _windows(positive, sizes[rows])
            n_pairs += int((last - first).sum())
            wins += sum(_n_wins(score[positive], score[~positive][order], first, last) for score in of_class)
    n_pairs //= 2
    return (float(wins / len(scores) / (2 * n_pairs)) if n_pairs >= _FEWEST_PAIRS else None), n_pairs


def _windows(positive, sizes):
    """Return, for each positive case, the range of negative cases of equal size, and the order that it refers to.

    In order of size, the negative cases of equal size are neighbours: a range [first, last) of `order`. Two binary
    searches per positive case find it, so that no table of all pairs is needed.
    """
    negative_sizes = sizes[~positive]
    order = np.argsort(negative_sizes, kind="stable")
    first = np.searchsorted(negative_sizes[order], sizes[positive] / _LARGEST_RATIO, side="left")
    last = np.searchsorted(negative_sizes[order], sizes[positive] * _LARGEST_RATIO, side="right")
    return first, last, order


@compiled
def _n_wins(positive_scores, negative_scores, first, last):
    """Count the pairs in which the positive case has the higher score; ties count one half."""
    n_above = 0  # counters of whole numbers, which the compiler can vectorize
    n_ties = 0
    for case in range(len(positive_scores)):
        score = positive_scores[case]
        for other in range(first[case], last[case]):
            n_above += score > negative_scores[other]
            n_ties += score == negative_scores[other]
    return n_above + 0.5 * n_ties
