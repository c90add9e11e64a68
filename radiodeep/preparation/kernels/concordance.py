"""Columns of cases -> counts of pairs that two orders agree on. Compiled; NaN compares with nothing."""

import numpy as np

from radiodeep.compiled import compiled


@compiled
def count_survival_pairs(columns, events, starts, counts):
    """Set counts (p, 3) to the comparable pairs in which the earlier event has the higher, the lower, an equal value.

    Columns (p, n) are in the order of time. The case at the position ``events[k]`` has an event, and is comparable with
    those from ``starts[k]`` on.
    """
    n_cases = columns.shape[1]
    for column in range(len(columns)):
        values = columns[column]
        n_higher, n_lower, n_equal = 0, 0, 0
        for k in range(len(events)):
            value = values[events[k]]
            for other in range(starts[k], n_cases):
                n_higher += value > values[other]
                n_lower += value < values[other]
                n_equal += value == values[other]
        counts[column, 0], counts[column, 1], counts[column, 2] = n_higher, n_lower, n_equal


@compiled
def rank_correlation(a, b):
    """Return Kendall's tau-b of two rows (n,): over the pairs that differ, 0 if no pair differs in one of them."""
    n_excess, n_a, n_b = 0, 0, 0
    for i in range(len(a)):
        for j in range(i):
            if a[i] != a[i] or b[i] != b[i] or a[j] != a[j] or b[j] != b[j]:
                continue
            in_a = int(a[i] > a[j]) - int(a[i] < a[j])
            in_b = int(b[i] > b[j]) - int(b[i] < b[j])
            n_excess += in_a * in_b
            n_a += in_a * in_a
            n_b += in_b * in_b
    return n_excess / (float(n_a) * float(n_b)) ** 0.5 if n_a > 0 and n_b > 0 else 0.0


@compiled
def first_correlated(rows, limit, most):
    """Return the better row that each of rows (p, n), from best to worst, is correlated with, or -1.

    Kept rows are those with -1; the others have a correlation of at least `limit`, in either direction, with a kept
    one. Rows after the first `most` that are kept are not examined, and have -2.
    """
    found = np.full(len(rows), -2)
    n_kept = 0
    for row in range(len(rows)):
        if n_kept == most:
            break
        found[row] = -1
        for better in range(row):
            if found[better] == -1 and abs(rank_correlation(rows[better], rows[row])) >= limit:
                found[row] = better
                break
        n_kept += found[row] == -1
    return found
