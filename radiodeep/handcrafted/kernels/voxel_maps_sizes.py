"""In: grey levels and windows about centres. Out: features of runs, zones, dependences and tone differences."""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.handcrafted.kernels.voxel_maps import add_to_cell, keep_columns, rank_levels, times_log


@compiled
def glrlm_maps(volume, centres, window, walk, begins, weights, gray, logs, columns, out):
    """Fill `out` with features of the runs of equal level in each window.

    Parameters
    ----------
    volume, window, gray : as in `rank_levels`
    centres : int64 (n_voxels,)
    walk : int64 (n_directions, n_window), places in the window, line after line along each direction
    begins : bool (n_directions, n_window), where a line begins
    weights : float64 (n_directions,), with which the directions are added up; empty to average their features
    logs : float64 (n_window + 1,), n log2(n); empty if there are weights
    columns : int64 (n_columns,), in the order of `DESCRIPTIONS` of `size_tables`
    out : float64 (n_voxels, n_columns); NaN where no line of a window holds two voxels
    """
    bits = _bits_of(window.size)
    width = 1 << bits
    ranks, shades = np.empty(window.size, np.int64), np.empty(window.size)
    rank_of = np.full(gray.size, -1)
    cells, used = np.zeros(min(window.size, gray.size) * width), np.empty(window.size * len(walk) + 1, np.int64)
    by_level, by_size = np.zeros(window.size), np.zeros(width)
    of_size = 1.0 / np.maximum(np.arange(width), 1) ** 2
    runs = np.empty(window.size + 1, np.int64)
    row = np.empty(16)
    for v in range(centres.size):
        n_levels = rank_levels(volume, centres[v], window, gray, ranks, rank_of, shades)
        row[:] = 0.0
        n = n_directions = 0
        for k in range(len(walk)):
            n_runs = _runs_along(walk[k], begins[k], ranks, bits, runs)
            for r in range(1, n_runs + 1):
                n = add_to_cell(cells, runs[r], weights[k] if weights.size else 1.0, used, n)
            if n and not (weights.size and k + 1 < len(walk)):
                n_directions += 1
                _add_descriptions(cells, used[:n], bits, shades, n_levels, by_level, by_size, of_size, logs, row)
                n = 0
        keep_columns(row, n_directions, columns, out[v])


@compiled
def _bits_of(number):
    """Return how many bits a number > 0 takes: (rank << bits) + size is a cell of its own for each size up to it."""
    bits = 0
    while number >> bits:
        bits += 1
    return bits


@compiled
def _runs_along(walk, begins, ranks, bits, runs):
    """List the cells of the runs along a direction from `runs[1]` on; return their number, 0 if no line has two voxels.

    The cell of a run is written again with every voxel that it grows by. Sums take the place of branches, which would
    be hard to predict.
    """
    n = length = on_line = 0
    before = -1
    shares_a_line = False
    for w in range(walk.size):
        here = ranks[walk[w]]
        goes_on = here == before and not begins[w]
        is_inside = here >= 0
        length = length * goes_on + 1
        n += is_inside and not goes_on
        runs[n] = (here << bits) + length if is_inside else runs[n]
        on_line = on_line * (not begins[w]) + is_inside
        shares_a_line |= on_line > 1
        before = here
    return n if shares_a_line else 0


@compiled
def glszm_maps(volume, centres, window, pairs, gray, logs, columns, out):
    """Fill `out` with features of the connected zones of equal level in each window.

    `pairs`, int64 (n_pairs, 2), are places in the window of direct neighbours; all else is as in `glrlm_maps`.
    """
    bits = _bits_of(window.size)
    width = 1 << bits
    ranks, shades = np.empty(window.size, np.int64), np.empty(window.size)
    rank_of = np.full(gray.size, -1)
    cells, used = np.zeros(min(window.size, gray.size) * width), np.empty(window.size + 1, np.int64)
    by_level, by_size = np.zeros(window.size), np.zeros(width)
    of_size = 1.0 / np.maximum(np.arange(width), 1) ** 2
    zone, sizes = np.empty(window.size, np.int64), np.empty(window.size, np.int64)
    row = np.empty(16)
    for v in range(centres.size):
        n_levels = rank_levels(volume, centres[v], window, gray, ranks, rank_of, shades)
        row[:] = 0.0
        for w in range(window.size):
            zone[w], sizes[w] = w, 1
        for p in range(len(pairs)):
            a, b = pairs[p, 0], pairs[p, 1]
            if ranks[a] == ranks[b] and ranks[a] >= 0:
                while zone[a] != a:
                    a = zone[a]
                while zone[b] != b:
                    b = zone[b]
                if a != b:
                    zone[max(a, b)] = min(a, b)
                    sizes[min(a, b)] += sizes[max(a, b)]
        n = 0
        for w in range(window.size):
            if ranks[w] >= 0 and zone[w] == w:
                n = add_to_cell(cells, (ranks[w] << bits) + sizes[w], 1.0, used, n)
        _add_descriptions(cells, used[:n], bits, shades, n_levels, by_level, by_size, of_size, logs, row)
        keep_columns(row, 1, columns, out[v])


@compiled
def gldm_maps(volume, centres, window, pairs, gray, alpha, logs, columns, out):
    """Fill `out` with features of the dependences in each window.

    `pairs` are those at the distances of the neighbours, and `alpha` the largest difference of dependent levels; all
    else is as in `glszm_maps`.
    """
    bits = _bits_of(window.size)
    width = 1 << bits
    ranks, shades = np.empty(window.size, np.int64), np.empty(window.size)
    rank_of = np.full(gray.size, -1)
    cells, used = np.zeros(min(window.size, gray.size) * width), np.empty(window.size + 1, np.int64)
    by_level, by_size = np.zeros(window.size), np.zeros(width)
    of_size = 1.0 / np.maximum(np.arange(width), 1) ** 2
    dependence = np.empty(window.size, np.int64)
    row = np.empty(16)
    for v in range(centres.size):
        n_levels = rank_levels(volume, centres[v], window, gray, ranks, rank_of, shades)
        row[:] = 0.0
        dependence[:] = 1
        for p in range(len(pairs)):
            i, j = ranks[pairs[p, 0]], ranks[pairs[p, 1]]
            is_dependent = (i >= 0) & (j >= 0) & (abs(shades[i] - shades[j]) <= alpha)
            dependence[pairs[p, 0]] += is_dependent
            dependence[pairs[p, 1]] += is_dependent
        n = 0
        for w in range(window.size):
            if ranks[w] >= 0:
                n = add_to_cell(cells, (ranks[w] << bits) + dependence[w], 1.0, used, n)
        _add_descriptions(cells, used[:n], bits, shades, n_levels, by_level, by_size, of_size, logs, row)
        keep_columns(row, 1, columns, out[v])


@compiled
def _add_descriptions(cells, used, bits, shades, n_levels, by_level, by_size, of_size, logs, row):
    """Add the numbers of `DESCRIPTIONS` of a table, whose cells in use are (rank << bits) + size, and empty it.

    `of_size`, float64 (1 << bits,), is 1 / size²: divisions take most of the time.
    """
    n = voxels = sum_gray = inside = 0.0
    small = large = low = high = small_low = small_high = large_low = large_high = 0.0
    by_level[:n_levels] = 0.0
    last = (1 << bits) - 1
    for c in range(used.size):
        level = used[c] >> bits
        column = used[c] & last
        size = float(column)
        count = cells[used[c]]
        by_level[level] += count
        by_size[column] += count
        n += count
        voxels += count * size
        sum_gray += count * shades[level]
        inside += times_log(count, logs)
        square, of_area = shades[level] * shades[level], of_size[column]
        count_by_square = count / square
        area = size * size
        small += count * of_area
        large += count * area
        low += count_by_square
        high += count * square
        small_low += count_by_square * of_area
        small_high += count * square * of_area
        large_low += count_by_square * area
        large_high += count * area * square
    of_levels = of_sizes = 0.0
    for level in range(n_levels):
        of_levels += by_level[level] * by_level[level]
    for c in range(used.size):
        size = used[c] & last
        of_sizes += by_size[size] * by_size[size]
        by_size[size] = 0.0
        cells[used[c]] = 0.0
    row[0] += small / n
    row[1] += large / n
    row[2] += of_levels / n
    row[3] += of_levels / (n * n)
    row[4] += of_sizes / n
    row[5] += of_sizes / (n * n)
    row[6] += n / voxels
    row[7] += (n * high - sum_gray * sum_gray) / (n * n)
    row[8] += (n * large - voxels * voxels) / (n * n)
    row[9] += (times_log(n, logs) - inside) / n
    row[10] += low / n
    row[11] += high / n
    row[12] += small_low / n
    row[13] += small_high / n
    row[14] += large_low / n
    row[15] += large_high / n


@compiled
def ngtdm_maps(volume, centres, window, pairs, gray, columns, out):
    """Fill `out` with features of the differences between voxels and the mean of their neighbours in each window.

    `columns` are in the order of the catalogue; all else is as in `gldm_maps`.
    """
    ranks, shades = np.empty(window.size, np.int64), np.empty(window.size)
    rank_of = np.full(gray.size, -1)
    around, n_around = np.empty(window.size), np.empty(window.size)
    here, inside = np.empty(window.size), np.empty(window.size)
    p, differences = np.empty(window.size), np.empty(window.size)
    row = np.empty(5)
    for v in range(centres.size):
        n_levels = rank_levels(volume, centres[v], window, gray, ranks, rank_of, shades)
        around[:] = 0.0
        n_around[:] = 0.0
        for w in range(window.size):
            inside[w] = ranks[w] >= 0
            here[w] = shades[ranks[w]] if ranks[w] >= 0 else 0.0
        for k in range(len(pairs)):
            a, b = pairs[k, 0], pairs[k, 1]
            around[a] += here[b]
            around[b] += here[a]
            n_around[a] += inside[b]
            n_around[b] += inside[a]
        p[:n_levels] = 0.0
        differences[:n_levels] = 0.0
        n = 0.0
        for w in range(window.size):
            if ranks[w] >= 0:
                n += 1.0
                p[ranks[w]] += 1.0
                if n_around[w] > 0.0:
                    differences[ranks[w]] += abs(shades[ranks[w]] - around[w] / n_around[w])
        for i in range(n_levels):
            p[i] /= n
        _describe_tones(p[:n_levels], differences, shades, n, row)
        keep_columns(row, 1, columns, out[v])


@compiled
def _describe_tones(p, differences, shades, n, row):
    weighted = total = spread = between = complexity = strength = 0.0
    for i in range(p.size):
        weighted += p[i] * differences[i]
        total += differences[i]
        for j in range(i):
            distance = abs(shades[i] - shades[j])
            both = p[i] + p[j]
            spread += 2.0 * p[i] * p[j] * distance * distance
            between += 2.0 * abs(shades[i] * p[i] - shades[j] * p[j])
            complexity += 2.0 * distance * (p[i] * differences[i] + p[j] * differences[j]) / both
            strength += 2.0 * both * distance * distance
    row[0] = weighted / between if between > 0.0 else 0.0  # Busyness
    row[1] = 1.0 / weighted if weighted > 0.0 else 1e6  # Coarseness
    row[2] = complexity / n  # Complexity
    row[3] = spread * total / n / (p.size * (p.size - 1)) if p.size > 1 else 0.0  # Contrast
    row[4] = strength / total if total > 0.0 else 0.0  # Strength
