"""Values of a feature and classes -> cut points: the loops of Fayyad and Irani's discretisation. Compiled.

A cut is accepted if the information that it gains about the classes exceeds the length of its description (minimum
description length, MDL). n ln(n) of counts is looked up in a table, since logarithms would take most of the time.
"""

import numpy as np

from radiodeep.compiled import compiled


def row_orders(X):
    """Return the rows of X (n, p) in ascending order for each column (p, n), and the number that is not NaN (p,)."""
    return np.argsort(X.T, axis=1), (~np.isnan(X)).sum(axis=0)  # NaN comes last


def plogp_of_counts(largest):
    """Return n ln(n) of the counts 0..largest."""
    counts = np.arange(largest + 1, dtype=np.float64)
    return counts * np.log(np.maximum(counts, 1.0))


@compiled
def _entropy(counts, logs):
    """Return the entropy of counts in bits."""
    total, value = 0, 0.0
    for count in counts:
        value -= logs[count]
        total += count
    return 0.0 if total == 0 else (value + logs[total]) / (total * np.log(2.0))


@compiled
def _conditional_entropy(left, right, logs):
    """Return the entropy of the classes given the side; the order of the sums decides ties."""
    value, total = 0.0, 0
    for counts in (left, right):
        side = 0
        for count in counts:
            value += logs[count]
            side += count
        value -= logs[side]
        total += side
    return -value / (total * np.log(2.0))


@compiled
def _best_cut(values, labels, first, last, n_classes, logs, count_distinct):
    """Return the row after which to cut the rows first..last - 1 by the MDL criterion, or -1 for no cut.

    With n rows, K classes and entropy H before the cut, and K1, H1, K2, H2 on its sides, the entropy must fall by more
    than (log2(n_candidates) + log2(3^K - 2) - (K H - K1 H1 - K2 H2)) / n.
    """
    whole, left, right = np.zeros(n_classes, np.int64), np.zeros(n_classes, np.int64), np.zeros(n_classes, np.int64)
    for row in range(first, last):
        whole[labels[row]] += 1
        right[labels[row]] += 1
    before = _entropy(whole, logs)
    best_entropy, best, n_candidates = before, -1, 0
    best_left, best_right = np.zeros(n_classes, np.int64), np.zeros(n_classes, np.int64)
    for row in range(first, last - 1):
        left[labels[row]] += 1
        right[labels[row]] -= 1
        if values[row] < values[row + 1]:
            n_candidates += 1
            entropy = _conditional_entropy(left, right, logs)
            if entropy < best_entropy:
                best_entropy, best = entropy, row
                for c in range(n_classes):
                    best_left[c], best_right[c] = left[c], right[c]
    if not count_distinct:
        n_candidates = last - first - 1
    gain = before - best_entropy
    if best < 0 or gain <= 0.0:
        return -1
    kinds, kinds_left, kinds_right = 0, 0, 0
    for c in range(n_classes):
        kinds += whole[c] > 0
        kinds_left += best_left[c] > 0
        kinds_right += best_right[c] > 0
    delta = np.log(3.0**kinds - 2) / np.log(2.0) - (
        kinds * before - kinds_right * _entropy(best_right, logs) - kinds_left * _entropy(best_left, logs)
    )
    return best if gain > (np.log(n_candidates) / np.log(2.0) + delta) / (last - first) else -1


@compiled
def mdl_cut_points(values, labels, order, n_known, n_classes, logs, count_distinct):
    """Return the cut points of one feature, ascending.

    values and labels are (n,), NaN for missing and 0-based classes; order (n,) sorts the values, of which the first
    `n_known` are not NaN. The cost of a cut grows with the number of its candidates: the boundaries between distinct
    values with `count_distinct`, or else all those between cases.
    """
    ordered, classes = np.empty(n_known), np.empty(n_known, np.int64)
    for place in range(n_known):
        ordered[place], classes[place] = values[order[place]], labels[order[place]]
    cuts = np.empty(n_known)
    firsts, lasts = np.empty(n_known + 1, np.int64), np.empty(n_known + 1, np.int64)
    firsts[0], lasts[0] = 0, n_known
    n_cuts, n_open = 0, 1
    while n_open:
        n_open -= 1
        first, last = firsts[n_open], lasts[n_open]
        row = -1
        if last - first >= 2:
            row = _best_cut(ordered, classes, first, last, n_classes, logs, count_distinct)
        if row < 0:
            continue
        cuts[n_cuts] = (ordered[row] + ordered[row + 1]) / 2.0
        if np.isinf(cuts[n_cuts]):
            cuts[n_cuts] = ordered[row] / 2.0 + ordered[row + 1] / 2.0
        n_cuts += 1
        firsts[n_open], lasts[n_open] = first, row + 1
        firsts[n_open + 1], lasts[n_open + 1] = row + 1, last
        n_open += 2
    for last in range(1, n_cuts):  # few, and compiled faster than a general sort
        cut, place = cuts[last], last
        while place and cuts[place - 1] > cut:
            cuts[place] = cuts[place - 1]
            place -= 1
        cuts[place] = cut
    return cuts[:n_cuts]


@compiled
def bin_of(value, cuts):
    """Return the number of the bin of a value among ascending cuts; a value equal to a cut is in the bin below."""
    low, high = 0, len(cuts)
    while low < high:
        middle = (low + high) // 2
        if cuts[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low
