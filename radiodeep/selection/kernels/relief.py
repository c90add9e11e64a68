"""Scaled tables -> nearest neighbours per class and sums of differences. Compiled.

All sums are exact float64 without reordering: the distance of a pair is summed over the features from left to right,
as in the definition, since ties between distances decide who is a neighbour. The vector instructions gain their speed
from computing several pairs of rows at once instead.

A table is packed in blocks of 32 rows, (n_blocks, n_features, 32). Adjacent columns of one kind form a run; `runs` is
(n_runs, 3): start, stop, kind. `near` are the buffers of `nearest_cases`.
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.selection.kernels.vectors import LANES, ROWS, STEP, add_shares, add_tile, sum_plain

PLAIN, WITH_MISSING, NOMINAL = 0, 1, 2

_FEATURES_AT_ONCE = 256  # of 16 rows: 32 kB, which stays in the first-level cache


def aligned(shape):
    """Return an uninitialised float64 array that begins on a cache line, so that no vector lies across two."""
    size = int(np.prod(shape))
    room = np.empty(size + 8)
    first = (-room.ctypes.data // 8) % 8
    return room[first : first + size].reshape(shape)


@compiled
def column_ranges(X):
    """Return the smallest and the largest known value of each column of X (n, p), and whether it has NaN."""
    n_rows, n_features = X.shape
    low, high = np.full(n_features, np.inf), np.full(n_features, -np.inf)
    missing = np.zeros(n_features, np.bool_)
    for row in range(n_rows):
        values = X[row]
        for f in range(n_features):
            value = values[f]
            low[f] = value if value < low[f] else low[f]
            high[f] = value if value > high[f] else high[f]
            missing[f] |= value != value
    return low, high, missing


@compiled
def scale(X, low, span, table):
    """Set table to (X - low) / span, or to 0 where the span is 0; NaN stays NaN."""
    n_rows, n_features = X.shape
    for row in range(n_rows):
        for f in range(n_features):
            value = X[row, f]
            scaled = (value - low[f]) / span[f]
            table[row, f] = scaled if span[f] > 0 or value != value else 0.0


@compiled
def fill_blocks(table, packed, first, last):
    """Set blocks `first` to `last` of packed (n_blocks, p, 32) to the rows of table (n, p), padded with zeros."""
    n_features = table.shape[1]
    for block in range(first, last):
        rows = table[block * LANES : (block + 1) * LANES]
        for f in range(n_features):
            lanes = packed[block, f]
            for lane in range(len(rows)):
                lanes[lane] = rows[lane, f]
            for lane in range(len(rows), LANES):
                lanes[lane] = 0.0


def pack(table):
    """Return rows (n, p) as blocks (ceil(n / 32), p, 32); the last block is padded with zeros."""
    n_rows, n_features = table.shape
    packed = aligned((-(-n_rows // LANES), n_features, LANES))
    fill_blocks(table, packed, 0, len(packed))
    return packed


@compiled
def feature_difference(a, b, kind, missing_nominal):
    """Return the difference (0..1) of a feature between two rows; a missing value differs as much as it can."""
    if kind == NOMINAL:
        if np.isnan(a) or np.isnan(b):
            return missing_nominal
        return 0.0 if a == b else 1.0
    if np.isnan(a):
        return 1.0 if np.isnan(b) else max(b, 1.0 - b)
    return max(a, 1.0 - a) if np.isnan(b) else abs(a - b)


@compiled
def _add_run(left, right, upper, n_rows, n_columns, start, stop, kind, missing_nominal, tile):
    """Add the features `start` to `stop` of two flat blocks to a flat tile (32, 32)."""
    if kind == PLAIN:
        for lane in range(0, n_columns, STEP):
            for row in range(0, min(n_rows, lane + STEP) if upper else n_rows, ROWS):
                add_tile(left, start * LANES + row, right, start * LANES + lane, stop - start, tile, row * LANES + lane)
        return
    for f in range(start, stop):
        for i in range(n_rows):
            a = left[f * LANES + i]
            for j in range(n_columns):
                tile[i * LANES + j] += feature_difference(a, right[f * LANES + j], kind, missing_nominal[f])


@compiled
def measure_tile(left, right, upper, n_rows, n_columns, runs, missing_nominal, tile):
    """Set tile (32, 32) to the distances between `n_rows` and `n_columns` rows of two blocks (n_features, 32).

    With `upper`, both are the same block, and only the pairs above the diagonal are needed.
    """
    tile[:] = 0.0
    flat_left, flat_right, flat = left.reshape(-1), right.reshape(-1), tile.reshape(-1)
    for run in range(runs.shape[0]):
        kind = runs[run, 2]
        for start in range(runs[run, 0], runs[run, 1], _FEATURES_AT_ONCE):
            stop = min(start + _FEATURES_AT_ONCE, runs[run, 1])
            _add_run(flat_left, flat_right, upper, n_rows, n_columns, start, stop, kind, missing_nominal, flat)
    if upper:
        for i in range(n_rows):
            for j in range(i):
                tile[i, j] = tile[j, i]


@compiled
def measure_strip(packed, n_cases, first_left, last_left, part, n_parts, runs, missing_nominal, strip):
    """Set strip (n_lefts, n_blocks, 32, 32) to the distances of some blocks to themselves and all later ones.

    Thread `part` of `n_parts` computes every n-th block on the right.
    """
    for right in range(first_left + part, packed.shape[0], n_parts):
        n_columns = min(LANES, n_cases - right * LANES)
        for left in range(first_left, min(last_left, right + 1)):
            n_rows = n_columns if left == right else LANES
            tile = strip[left - first_left, right]
            measure_tile(packed[left], packed[right], left == right, n_rows, n_columns, runs, missing_nominal, tile)


@compiled
def measure_rows(left, packed, runs, missing_nominal, strip):
    """Set strip (n_blocks, 32, 32) to the distances of a block `left` of any rows to all blocks."""
    for right in range(packed.shape[0]):
        measure_tile(left, packed[right], False, LANES, LANES, runs, missing_nominal, strip[right])


@compiled
def offer(distance, case, distances, cases, counts, limits):
    """Offer a case to the buffer (k,) of a row's nearest cases of one class; counts and limits are (1,).

    A full buffer replaces its first slot of the largest distance, and only by a smaller distance. Its limit is the
    largest distance, and infinite until the buffer is full.
    """
    size = len(distances)
    slot = counts[0]
    if slot < size:
        counts[0] = slot + 1
    else:
        slot = 0
        while distances[slot] < limits[0]:
            slot += 1
    distances[slot] = distance
    cases[slot] = case
    if counts[0] == size:
        largest = distances[0]
        for q in range(1, size):
            largest = max(largest, distances[q])
        limits[0] = largest


@compiled
def _offer_all(values, first_case, row_case, labels, row, near):
    """Offer the cases from `first_case` on, at distances `values` (<= 32,), to the buffers of a row."""
    distances, cases, counts, limits = near
    widest = limits[row, 0]
    for group in range(1, limits.shape[1]):
        widest = max(widest, limits[row, group])
    n_near = 0
    for j in range(len(values)):
        n_near += values[j] < widest
    if n_near == 0:
        return
    for j in range(len(values)):
        case = first_case + j
        group = labels[case]
        if values[j] < limits[row, group] and case != row_case:
            offer(
                values[j],
                case,
                distances[row, group],
                cases[row, group],
                counts[row, group : group + 1],
                limits[row, group : group + 1],
            )


@compiled
def search_strip(strip, first_left, last_left, part, n_parts, labels, near):
    """Offer the distances of a strip to both rows of each pair, to each row in the order of the cases.

    Thread `part` of `n_parts` fills the buffers of every n-th block of rows.
    """
    n_cases = len(labels)
    n_blocks = strip.shape[1]
    turned = np.empty((LANES, LANES))
    for block in range(first_left + part, n_blocks, n_parts):
        n_rows = min(LANES, n_cases - block * LANES)
        for other in range(first_left, min(last_left, block)):
            tile = strip[other - first_left, block]
            for i in range(LANES):
                for lane in range(LANES):
                    turned[lane, i] = tile[i, lane]
            for lane in range(n_rows):
                _offer_all(turned[lane], other * LANES, -1, labels, block * LANES + lane, near)
        if block >= last_left:
            continue
        for other in range(block, n_blocks):
            n_others = min(LANES, n_cases - other * LANES)
            for lane in range(n_rows):
                row = block * LANES + lane
                values = strip[block - first_left, other, lane, :n_others]
                _offer_all(values, other * LANES, row, labels, row, near)


@compiled
def search_rows(strip, first_row, row_cases, labels, near):
    """Offer all cases, in their order, to the rows of a measured block of any rows."""
    for other in range(strip.shape[0]):
        n_others = min(LANES, len(labels) - other * LANES)
        for lane in range(min(LANES, len(row_cases) - first_row)):
            row = first_row + lane
            _offer_all(strip[other, lane, :n_others], other * LANES, row_cases[row], labels, row, near)


@compiled
def sum_differences(table, case, neighbours, count, influence, weighted, runs, missing_nominal, first, last, total):
    """Set `total` to the sum of the differences of a case to its neighbours, for the features `first` to `last`.

    With `weighted`, the difference to neighbour q counts influence[q] times.
    """
    flat, n_features = table.reshape(-1), table.shape[1]
    begins = np.empty(count, np.int64)
    for q in range(count):
        begins[q] = neighbours[q] * n_features
    total[: last - first] = 0.0
    for run in range(runs.shape[0]):
        start, stop, kind = max(first, runs[run, 0]), min(last, runs[run, 1]), runs[run, 2]
        if kind == PLAIN and not weighted:
            while start + LANES <= stop:
                sum_plain(flat, case * n_features, begins, count, start, total, start - first)
                start += LANES
        for q in range(count if start < stop else 0):
            a, b, sums = table[case, start:stop], table[neighbours[q], start:stop], total[start - first : stop - first]
            share = influence[q] if weighted else 1.0
            if kind == PLAIN:
                for f in range(len(sums)):
                    sums[f] += share * abs(a[f] - b[f])
            else:
                for f in range(len(sums)):
                    sums[f] += share * feature_difference(a[f], b[f], kind, missing_nominal[start + f])


@compiled
def add_neighbours(
    table, row_cases, labels, near, influence, weighted, class_weight, runs, missing_nominal, first, last, scores
):
    """Add the differences of all rows to their neighbours to `scores`, for the features `first` to `last`.

    influence[rank] weights the neighbours of one class, class_weight[own, other] the classes (-1 for the own class).
    Features do not depend on each other here, so threads can share them. The scores grow neighbour by neighbour, hits
    first, and each difference is divided by the number of neighbours before it is added: that order of rounding is
    Weka's, and decides which of two nearly equal features comes first.
    """
    _, cases, counts, _ = near
    flat, n_features = table.reshape(-1), table.shape[1]
    at_once = max(256, 2**16 // table.shape[0])  # features of all rows that stay in the second-level cache
    begins = np.empty(cases.shape[2], np.int64)
    for start in range(first, last, at_once):
        stop = min(start + at_once, last)
        for row in range(len(row_cases)):
            case = row_cases[row]
            own = labels[case]
            for turn in range(counts.shape[1]):
                group = own if turn == 0 else turn - 1 if turn <= own else turn
                count = counts[row, group]
                all_influence = 0.0
                for q in range(count):
                    all_influence += influence[q]
                    begins[q] = cases[row, group, q] * n_features
                weight = class_weight[own, group]
                for run in range(runs.shape[0]):
                    f, end, kind = max(start, runs[run, 0]), min(stop, runs[run, 1]), runs[run, 2]
                    while kind == PLAIN and not weighted and f + LANES <= end:
                        add_shares(flat, case * n_features, begins, count, float(count), weight, f, scores)
                        f += LANES
                    for q in range(count if f < end else 0):
                        other, share = cases[row, group, q], influence[q]
                        a, b, sums = table[case, f:end], table[other, f:end], scores[f:end]
                        if kind == PLAIN:
                            for i in range(len(sums)):
                                sums[i] += weight * (share * abs(a[i] - b[i]) / all_influence)
                        else:
                            for i in range(len(sums)):
                                difference = feature_difference(a[i], b[i], kind, missing_nominal[f + i])
                                sums[i] += weight * (share * difference / all_influence)


@compiled
def add_numeric_neighbours(
    table, row_cases, target, near, influence, runs, missing_nominal, first, last, of_feature, of_both
):
    """Add the differences between all rows and their neighbours for a numeric target.

    For the features `first` to `last`, `of_feature` grows by the differences and `of_both` by their products with the
    differences of the target. Returned is the sum of the differences of the target.
    """
    _, cases, counts, _ = near
    total, joint, of_target = np.empty(last - first), np.empty(influence.shape[0]), 0.0
    share = np.empty(influence.shape[0])
    for row in range(len(row_cases)):
        case, count = row_cases[row], counts[row, 0]
        all_influence = 0.0
        for q in range(count):
            all_influence += influence[q]
        for q in range(count):
            share[q] = influence[q] / all_influence
            joint[q] = share[q] * abs(target[case] - target[cases[row, 0, q]])
            of_target += joint[q]
        for shares, sums in ((share, of_feature), (joint, of_both)):
            sum_differences(table, case, cases[row, 0], count, shares, True, runs, missing_nominal, first, last, total)
            for f in range(first, last):
                sums[f] += total[f - first]
    return of_target
