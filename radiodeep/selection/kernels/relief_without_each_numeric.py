"""Neighbours of a fold without one case -> its sums of differences for a numeric target. Compiled.

The idea is in `radiodeep.selection.relieff_without_each`. `near` are the buffers of `nearest_cases` with a single
class, p is the number of features. Sums are (2, p): of the mean differences between cases and their neighbours, and of
the mean products of these differences with those of the target (n,).
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.selection.kernels.relief import PLAIN, WITH_MISSING, feature_difference, sum_differences


@compiled
def numeric_sums(table, target, near, sums, runs, missing_nominal):
    """Add the mean differences of all cases to their neighbours to `sums`."""
    _, cases, counts, _ = near
    total = np.empty(table.shape[1])
    for row in range(len(table)):
        _add_mean(table, target, row, cases[row, 0], counts[row, 0], 1.0, runs, missing_nominal, total, sums)


@compiled
def _add_mean(table, target, row, neighbours, count, sign, runs, missing_nominal, total, sums):
    """Add the mean differences of a row to its neighbours, times `sign`, to `sums`."""
    share, joint = np.empty(count), np.empty(count)
    for q in range(count):
        share[q] = sign / count
        joint[q] = share[q] * abs(target[row] - target[neighbours[q]])
    last = len(total)
    for kind, shares in enumerate((share, joint)):
        sum_differences(table, row, neighbours, count, shares, True, runs, missing_nominal, 0, last, total)
        for f in range(last):
            sums[kind, f] += total[f]


@compiled
def exchange_numeric_lists(
    left_out, table, target, near, fold_cases, fold_counts, changed, runs, missing_nominal, sums
):
    """Subtract the part of the left-out case from `sums`, and exchange the neighbours in the changed lists."""
    _, cases, counts, _ = near
    total = np.empty(table.shape[1])
    for row in range(len(table)):
        if row == left_out:
            _add_mean(table, target, row, cases[row, 0], counts[row, 0], -1.0, runs, missing_nominal, total, sums)
        elif changed[row, 0]:
            before, after, n_before, n_after = cases[row, 0], fold_cases[row, 0], counts[row, 0], fold_counts[row, 0]
            if n_before == n_after:
                _exchange(table, target, row, before, after, n_before, runs, missing_nominal, sums)
            else:
                _add_mean(table, target, row, before, n_before, -1.0, runs, missing_nominal, total, sums)
                _add_mean(table, target, row, after, n_after, 1.0, runs, missing_nominal, total, sums)


@compiled
def _exchange(table, target, row, before, after, count, runs, missing_nominal, sums):
    """Replace, in `sums`, the neighbours of a row that are only before by those that are only after."""
    for cases, others, sign in ((before, after, -1.0), (after, before, 1.0)):
        for q in range(count):
            case, is_shared = cases[q], False
            for other in range(count):
                is_shared |= others[other] == case
            if is_shared:
                continue
            share = sign / count
            joint = share * abs(target[row] - target[case])
            for run in range(runs.shape[0]):
                start, stop, kind = runs[run, 0], runs[run, 1], runs[run, 2]
                a, b = table[row, start:stop], table[case, start:stop]
                single, both = sums[0, start:stop], sums[1, start:stop]
                for f in range(len(single)):
                    if kind == PLAIN:
                        difference = abs(a[f] - b[f])
                    else:
                        difference = feature_difference(a[f], b[f], kind, missing_nominal[start + f])
                    single[f] += share * difference
                    both[f] += joint * difference


@compiled
def numeric_sums_of_columns(left_out, new, target, fold_cases, fold_counts, sums):
    """Add the mean differences of the columns new (n, m), by the neighbours of a fold, to `sums` (2, m)."""
    for row in range(len(new)):
        count = fold_counts[row, 0]
        if row == left_out:
            continue
        for q in range(count):
            case = fold_cases[row, 0, q]
            share = 1.0 / count
            joint = share * abs(target[row] - target[case])
            for c in range(new.shape[1]):
                difference = feature_difference(new[row, c], new[case, c], WITH_MISSING, 0.0)
                sums[0, c] += share * difference
                sums[1, c] += joint * difference


@compiled
def sum_of_target(left_out, target, fold_cases, fold_counts):
    """Return the sum of the mean differences of the target between cases and their neighbours in a fold."""
    total = 0.0
    for row in range(len(target)):
        for q in range(fold_counts[row, 0] if row != left_out else 0):
            total += abs(target[row] - target[fold_cases[row, 0, q]]) / fold_counts[row, 0]
    return total
