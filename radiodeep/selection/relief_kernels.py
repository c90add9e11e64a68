"""Normalised tables go in; nearest neighbours per class and sums of differences come out. Compiled.

Everything is exact float64 without reordering: the distance of a pair is summed over the features from
left to right, as in the definition, since ties between distances decide who is a neighbour. Speed comes
from other pairs: the lanes of a vector instruction are 32 different pairs of rows.

A table is packed in blocks of 32 rows, (n_blocks, n_features, 32). Features are told apart by runs of
columns of one kind, (n_runs, 3): start, stop, kind.
"""

import numpy as np
from numba import njit

LANES = 32
PLAIN, WITH_MISSING, NOMINAL = 0, 1, 2

compiled = njit(cache=True, nogil=True, error_model="numpy")


def pack(table):
    """Return rows (n, p) as blocks (ceil(n / 32), p, 32); the last block is filled up with zeros."""
    n_rows, n_features = table.shape
    n_blocks = -(-n_rows // LANES)
    packed = np.zeros((n_blocks, n_features, LANES))
    for block in range(n_blocks):
        rows = table[block * LANES : (block + 1) * LANES]
        packed[block, :, : len(rows)] = rows.T
    return packed


@compiled
def _difference(a, b, kind, missing_nominal):
    """Return the difference of one feature between two rows."""
    if kind == NOMINAL:
        if np.isnan(a) or np.isnan(b):
            return missing_nominal
        return 0.0 if a == b else 1.0
    if np.isnan(a):
        return 1.0 if np.isnan(b) else max(b, 1.0 - b)
    return max(a, 1.0 - a) if np.isnan(b) else abs(a - b)


@compiled
def _add_eight(left, right, f, tile):
    """Add eight plain features to the distances of a tile, one after the other in each pair."""
    for i in range(LANES):
        a0, a1, a2, a3 = left[f, i], left[f + 1, i], left[f + 2, i], left[f + 3, i]
        a4, a5, a6, a7 = left[f + 4, i], left[f + 5, i], left[f + 6, i], left[f + 7, i]
        for j in range(LANES):
            total = tile[i, j]
            total += abs(a0 - right[f, j])
            total += abs(a1 - right[f + 1, j])
            total += abs(a2 - right[f + 2, j])
            total += abs(a3 - right[f + 3, j])
            total += abs(a4 - right[f + 4, j])
            total += abs(a5 - right[f + 5, j])
            total += abs(a6 - right[f + 6, j])
            total += abs(a7 - right[f + 7, j])
            tile[i, j] = total


@compiled
def _fill_tile(left, right, runs, missing_nominal, tile):
    """Set tile (32, 32) to the distances between the rows of two blocks (n_features, 32)."""
    tile[:] = 0.0
    for run in range(runs.shape[0]):
        f, stop, kind = runs[run, 0], runs[run, 1], runs[run, 2]
        if kind == PLAIN:
            while f + 8 <= stop:
                _add_eight(left, right, f, tile)
                f += 8
        while f < stop:
            for i in range(LANES):
                for j in range(LANES):
                    tile[i, j] += _difference(left[f, i], right[f, j], kind, missing_nominal[f])
            f += 1


@compiled
def _offer(distance, case, distances, cases, counts, worst, group):
    """Offer a case to the buffer of the nearest cases of its class.

    A full buffer gives up its first slot of the largest distance, and only to a smaller distance.
    """
    size = distances.shape[1]
    count = counts[group]
    if count < size:
        slot = count
        counts[group] = count + 1
    elif distance < distances[group, worst[group]]:
        slot = worst[group]
    else:
        return
    distances[group, slot] = distance
    cases[group, slot] = case
    if counts[group] == size:
        largest = 0
        for q in range(1, size):
            if distances[group, q] > distances[group, largest]:
                largest = q
        worst[group] = largest


@compiled
def measure_strip(left, packed, first, last, labels, runs, missing_nominal, strip, mirror, near):
    """Set strip (n_blocks, 32, 32) to the distances of block `left` to the blocks `first` to `last`.

    With mirror >= 0, `left` is block `mirror` of the same table: its rows are offered to the rows of
    all later blocks, so that each pair is measured once.
    """
    distances, cases, counts, worst = near
    n_cases = len(labels)
    for block in range(first, last):
        _fill_tile(left, packed[block], runs, missing_nominal, strip[block])
        if mirror < 0 or block == mirror:
            continue
        for j in range(min(LANES, n_cases - block * LANES)):
            row = block * LANES + j
            for i in range(LANES):
                case = mirror * LANES + i
                _offer(
                    strip[block, i, j],
                    case,
                    distances[row],
                    cases[row],
                    counts[row],
                    worst[row],
                    labels[case],
                )


@compiled
def search_strip(strip, first, first_row, row_cases, labels, near):
    """Offer the cases of the blocks from `first` on, in their order, to the rows of a measured strip."""
    distances, cases, counts, worst = near
    for i in range(min(LANES, len(row_cases) - first_row)):
        row = first_row + i
        for case in range(first * LANES, len(labels)):
            if case != row_cases[row]:
                distance = strip[case // LANES, i, case % LANES]
                _offer(distance, case, distances[row], cases[row], counts[row], worst[row], labels[case])


@compiled
def sort_by_distance(near):
    """Sort each buffer by distance; equal distances keep their order."""
    distances, cases, counts, _ = near
    for row in range(distances.shape[0]):
        for group in range(distances.shape[1]):
            for slot in range(1, counts[row, group]):
                distance, case, q = distances[row, group, slot], cases[row, group, slot], slot
                while q > 0 and distances[row, group, q - 1] > distance:
                    distances[row, group, q] = distances[row, group, q - 1]
                    cases[row, group, q] = cases[row, group, q - 1]
                    q -= 1
                distances[row, group, q] = distance
                cases[row, group, q] = case


@compiled
def _add_differences(a, b, influence, runs, missing_nominal, first, last, total):
    """Add the differences between two rows, times `influence`, for the features `first` to `last`."""
    for run in range(runs.shape[0]):
        start, stop, kind = max(first, runs[run, 0]), min(last, runs[run, 1]), runs[run, 2]
        if kind == PLAIN:
            for f in range(start, stop):
                total[f - first] += influence * abs(a[f] - b[f])
        else:
            for f in range(start, stop):
                total[f - first] += influence * _difference(a[f], b[f], kind, missing_nominal[f])


@compiled
def add_neighbours(table, labels, row_cases, near, influence, class_weight, runs, missing_nominal, first, last, scores):
    """Add to `scores` what the neighbours of all rows say about the features `first` to `last`.

    influence[rank] weighs the neighbours of one class, class_weight[own, other] the classes (-1 for
    the own). Features do not meet each other here, so they may be shared out among threads.
    """
    _, cases, counts, _ = near
    total = np.empty(last - first)
    for row in range(len(row_cases)):
        case = row_cases[row]
        for group in range(counts.shape[1]):
            n_found = counts[row, group]
            if n_found == 0:
                continue
            total[:] = 0.0
            all_influence = 0.0
            for q in range(n_found):
                all_influence += influence[q]
                other = cases[row, group, q]
                _add_differences(table[case], table[other], influence[q], runs, missing_nominal, first, last, total)
            weight = class_weight[labels[case], group]
            for f in range(first, last):
                scores[f] += weight * (total[f - first] / all_influence)
