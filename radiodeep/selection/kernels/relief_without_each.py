"""Distances and neighbours of all cases -> those of a fold without one case, and its sums of differences. Compiled.

The idea is in `radiodeep.selection.relieff_without_each`. Cases are sorted by class, so that the cases of a class are
adjacent. `near` are the buffers of `nearest_cases`, p is the number of features and C the number of classes.
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.selection.kernels.relief import (
    LANES,
    PLAIN,
    WITH_MISSING,
    feature_difference,
    measure_tile,
    offer,
    sum_differences,
)


@compiled
def extremes(X):
    """Return low (2, p), lowest (p,), high (2, p) and highest (p,) of X (n, p).

    `low` are the smallest and the second smallest value of each column, equal if the smallest occurs twice, and
    `lowest` the case of the smallest; `high` and `highest` are the same for the largest values.
    """
    n_cases, n_features = X.shape
    low, high = np.full((2, n_features), np.inf), np.full((2, n_features), -np.inf)
    lowest, highest = np.zeros(n_features, np.int64), np.zeros(n_features, np.int64)
    for case in range(n_cases):
        for f in range(n_features):
            value = X[case, f]
            if value < low[0, f]:
                low[1, f], low[0, f], lowest[f] = low[0, f], value, case
            elif value < low[1, f]:
                low[1, f] = value
            if value > high[0, f]:
                high[1, f], high[0, f], highest[f] = high[0, f], value, case
            elif value > high[1, f]:
                high[1, f] = value
    return low, lowest, high, highest


@compiled
def unfold_strip(strip, first, last, distances):
    """Copy a strip of distances (n_lefts, n_blocks, 32, 32) to both halves of a matrix (n, n)."""
    n_cases = len(distances)
    for left in range(first, last):
        for right in range(left, strip.shape[1]):
            tile = strip[left - first, right]
            for i in range(min(LANES, n_cases - left * LANES)):
                for j in range(min(LANES, n_cases - right * LANES)):
                    distances[left * LANES + i, right * LANES + j] = tile[i, j]
                    distances[right * LANES + j, left * LANES + i] = tile[i, j]


@compiled
def find_neighbours(distances, bounds, near):
    """Fill the buffers of all cases from a matrix of distances; class c has the cases bounds[c] to bounds[c + 1]."""
    kept, cases, counts, limits = near
    for row in range(len(distances)):
        for group in range(len(bounds) - 1):
            for case in range(bounds[group], bounds[group + 1]):
                if case != row and distances[row, case] < limits[row, group]:
                    offer(
                        distances[row, case],
                        case,
                        kept[row, group],
                        cases[row, group],
                        counts[row, group : group + 1],
                        limits[row, group : group + 1],
                    )


@compiled
def sums_by_class(table, labels, near, sums, runs, missing_nominal):
    """Add the mean differences of all cases to their neighbours to `sums` (C, C, p), by class of case and neighbour."""
    _, cases, counts, _ = near
    n_features = table.shape[1]
    total = np.empty(n_features)
    for row in range(len(table)):
        for group in range(sums.shape[1]):
            of_pair = sums[labels[row], group]
            _add_mean(table, row, cases[row, group], counts[row, group], 1.0, runs, missing_nominal, total, of_pair)


@compiled
def _add_mean(table, row, neighbours, n_neighbours, sign, runs, missing_nominal, total, sums):
    """Add the mean differences of a row to its neighbours, times `sign`, to sums (p,)."""
    if n_neighbours == 0:
        return
    sum_differences(table, row, neighbours, n_neighbours, total, False, runs, missing_nominal, 0, len(sums), total)
    share = sign / n_neighbours
    for f in range(len(sums)):
        sums[f] += share * total[f]


@compiled
def correct_distances(old, new, stretch, packed, measured):
    """Add to measured (n, n) the change of the distances when the columns old (m, n) become new (m, n).

    Differences of columns with ``stretch >= 0`` grow by this factor, so that the change is a distance of stretched
    columns; others are compared value by value. `packed` is workspace for the stretched columns.
    """
    n_columns, n_cases = old.shape
    n_stretched = 0
    for column in range(n_columns):
        if stretch[column] >= 0:
            for row in range(n_cases):
                packed[row // LANES, n_stretched, row % LANES] = old[column, row] * stretch[column]
            n_stretched += 1
    runs, missing_nominal = np.array([[0, n_stretched, PLAIN]]), np.empty(0)
    tile = np.empty((LANES, LANES))
    n_blocks = packed.shape[0]
    for right in range(n_blocks if n_stretched else 0):
        n_columns_of_tile = min(LANES, n_cases - right * LANES)
        for left in range(right + 1):
            n_rows = n_columns_of_tile if left == right else LANES
            measure_tile(
                packed[left], packed[right], left == right, n_rows, n_columns_of_tile, runs, missing_nominal, tile
            )
            for i in range(n_rows):
                for j in range(n_columns_of_tile):
                    measured[left * LANES + i, right * LANES + j] += tile[i, j]
            if left < right:
                for j in range(n_columns_of_tile):
                    for i in range(n_rows):
                        measured[right * LANES + j, left * LANES + i] += tile[i, j]
    for column in range(n_columns):
        if stretch[column] >= 0:
            continue
        for a in range(n_cases):
            for b in range(a):
                change = feature_difference(new[column, a], new[column, b], WITH_MISSING, 0.0)
                change -= feature_difference(old[column, a], old[column, b], WITH_MISSING, 0.0)
                measured[a, b] += change
                measured[b, a] += change


@compiled
def _n_within(values, limit):
    count = 0
    for j in range(len(values)):
        count += values[j] <= limit
    return count


@compiled
def neighbours_in_fold(left_out, bounds, measured, error, near, fold_cases, fold_counts, changed):
    """Update the lists of neighbours that a fold changes; return whether all lists are certain.

    `fold_cases` and `fold_counts` are those of all cases before the call, and `changed` is False. A list stays the same
    if it does not hold the left-out case and no other case is nearer than its farthest neighbour, within `error`.
    """
    _, cases, counts, _ = near
    size = cases.shape[2]
    kept, count, limit = np.empty(size), np.empty(1, np.int64), np.empty(1)
    for row in range(len(measured)):
        if row == left_out:
            continue
        for group in range(len(bounds) - 1):
            first, last = bounds[group], bounds[group + 1]
            values, n_before = measured[row, first:last], counts[row, group]
            furthest, held = 0.0, False
            for q in range(n_before):
                held |= cases[row, group, q] == left_out
                furthest = max(furthest, measured[row, cases[row, group, q]])
            if not held and _n_within(values, furthest + error) == n_before:
                continue
            count[0], limit[0] = 0, np.inf
            for case in range(last - first):
                if values[case] < limit[0]:
                    offer(values[case], first + case, kept, fold_cases[row, group], count, limit)
            fold_counts[row, group] = count[0]
            changed[row, group] = True
            if error > 0 and count[0] == size and _n_within(values, limit[0] + error) != size:
                return False
    return True


@compiled
def _exchange(row, before, n_before, after, n_after, table, runs, missing_nominal, total, sums):
    """Replace, in sums (p,), the mean differences of a row to some neighbours by those to others."""
    if n_before != n_after:
        _add_mean(table, row, before, n_before, -1.0, runs, missing_nominal, total, sums)
        _add_mean(table, row, after, n_after, 1.0, runs, missing_nominal, total, sums)
        return
    joining = 0
    for q in range(n_before):
        if _holds(after, n_before, before[q]):
            continue
        while _holds(before, n_before, after[joining]):
            joining += 1
        _replace(table, row, before[q], after[joining], 1.0 / n_before, runs, missing_nominal, sums)
        joining += 1


@compiled
def _holds(cases, count, case):
    is_held = False
    for q in range(count):
        is_held |= cases[q] == case
    return is_held


@compiled
def _replace(table, row, leaving, joining, share, runs, missing_nominal, sums):
    """Add to sums (p,) the difference of a row to the joining case minus that to the leaving case."""
    for run in range(runs.shape[0]):
        start, stop, kind = runs[run, 0], runs[run, 1], runs[run, 2]
        a, b, c = table[row, start:stop], table[joining, start:stop], table[leaving, start:stop]
        of_run = sums[start:stop]
        if kind == PLAIN:
            for f in range(len(of_run)):
                of_run[f] += share * (abs(a[f] - b[f]) - abs(a[f] - c[f]))
        else:
            for f in range(len(of_run)):
                of_joining = feature_difference(a[f], b[f], kind, missing_nominal[start + f])
                of_run[f] += share * (of_joining - feature_difference(a[f], c[f], kind, missing_nominal[start + f]))


@compiled
def exchange_lists(left_out, table, labels, near, fold_cases, fold_counts, changed, runs, missing_nominal, sums):
    """Subtract the part of the left-out case from sums (C, C, p), and exchange the neighbours in the changed lists."""
    _, cases, counts, _ = near
    n_cases, n_features = table.shape
    total = np.empty(n_features)
    for group in range(counts.shape[1]):
        of_pair, count = sums[labels[left_out], group], counts[left_out, group]
        _add_mean(table, left_out, cases[left_out, group], count, -1.0, runs, missing_nominal, total, of_pair)
    for row in range(n_cases):
        for group in range(counts.shape[1]):
            if row != left_out and changed[row, group]:
                before, after = cases[row, group], fold_cases[row, group]
                n_before, n_after = counts[row, group], fold_counts[row, group]
                of_pair = sums[labels[row], group]
                _exchange(row, before, n_before, after, n_after, table, runs, missing_nominal, total, of_pair)


@compiled
def sums_of_columns(left_out, new, stretch, labels, fold_cases, fold_counts, sums):
    """Add the mean differences of the columns new (n, m), by the neighbours of a fold, to sums (C, C, m)."""
    n_cases, n_columns = new.shape
    is_plain = True
    for c in range(n_columns):
        is_plain &= stretch[c] >= 0
    for row in range(n_cases):
        for group in range(fold_counts.shape[1]):
            count = fold_counts[row, group]
            if row == left_out or count == 0:
                continue
            a, share, of_pair = new[row], 1.0 / count, sums[labels[row], group]
            for q in range(count):
                b = new[fold_cases[row, group, q]]
                if is_plain:
                    for c in range(n_columns):
                        of_pair[c] += share * abs(a[c] - b[c])
                else:
                    for c in range(n_columns):
                        of_pair[c] += share * feature_difference(a[c], b[c], WITH_MISSING, 0.0)
