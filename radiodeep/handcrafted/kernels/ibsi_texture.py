"""In: the grey levels of a region. Out: the texture features of IBSI, in 3-D and by slice, averaged and merged.

`describe_volume` and `describe_slices` share `count_tables`, which counts everything about one volume, or one slice,
along its directions: 13 in a volume, 4 in a slice. Averaged features are means over the tables of the directions;
merged features come from the sum of these tables. Rows of features are those of `ibsi_texture_tables`.
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.handcrafted.kernels.ibsi_texture_tables import (
    GLDZM,
    GLRLM,
    GLSZM,
    N_FEATURES,
    NGLDM,
    NGTDM,
    describe_dependence,
    describe_pairs,
    describe_tone_differences,
    describe_zones,
    write_sizes,
)
from radiodeep.handcrafted.kernels.ibsi_texture_volumes import (
    compare_neighbours,
    count_level_pairs,
    count_level_runs,
    find_zones_and_distances,
)
from radiodeep.handcrafted.kernels.neighbours import link_equal_neighbours

_REST = np.array([GLSZM, GLDZM, NGTDM, NGLDM, N_FEATURES])  # where the families without directions begin and end
_APART = 48  # entries between tables: a multiple of 4 kB apart they would disturb each other in the store buffer


@compiled
def count_tables(volume, gray, distances, present, counts, offsets, representatives, n_runs, longest, scratch, wanted):
    """Count pairs, runs, zones, dependences and differences of one volume, those that the wanted families need.

    Parameters
    ----------
    volume, gray : uint8 or uint16 (n_places,)
        The number of each voxel's grey level among the `present`, from 1, and the level itself; 0 outside the region.
    distances : uint8 or uint16 (n_places,), of `distances_to_border`
    present, counts : int64 (n_present,), grey levels and their voxels
    offsets : int64 (n_directions,), to half of the neighbours
    representatives : uint16 (2 ** n_directions,), of `group_representatives`
    n_runs : int, tables of runs: n_directions, or 1 to count those of all directions together
    longest : int, at least 2, the longest run that the region has room for
    scratch : unsigned (chunk,), as in `compare_neighbours`
    wanted : bool (6,), by family

    Returns
    -------
    pairs : uint32 (n_directions, (n_present + 1)² or more), as in `count_level_pairs`
    runs : float64 (n_runs, n_present, longest + 1)
    zones : levels, sizes and distances, as in `find_zones_and_distances`
    dependence : float64 (n_present, n_neighbours + 1)
    differences, connected : float64 (n_present,)
    """
    n = present.size
    pairs = np.zeros((offsets.size if wanted[0] or wanted[1] else 0, (n + 1) * (n + 1) + _APART), np.uint32)
    if pairs.size > 0:
        count_level_pairs(volume, offsets, n + 1, pairs)
    links = np.zeros(volume.size if wanted[1] or wanted[2] or wanted[3] else 0, np.uint16)
    if links.size > 0:
        link_equal_neighbours(volume, offsets, links)
    runs = np.zeros((n_runs if wanted[1] else 0, n, longest + 1))
    if wanted[1]:
        count_level_runs(volume, links, offsets, counts, pairs, runs)
    zones = (np.empty(0, volume.dtype), np.empty(0, np.int32), np.empty(0, distances.dtype))
    if wanted[2] or wanted[3]:
        zones = find_zones_and_distances(volume, links, counts.sum(), offsets, representatives, distances)
    around = np.concatenate((offsets, -offsets))
    dependence, differences, connected = np.zeros((n, around.size + 1)), np.zeros(n), np.zeros(n)
    if wanted[4] or wanted[5]:
        dependence, differences, connected = compare_neighbours(volume, gray, around, n, scratch)
    return pairs, runs, zones, dependence, differences, connected


@compiled
def _add_pairs(counted, rows, total):
    """Add a flat table of pairs to a square one, float64, in which level i has the row and column rows[i] + 1."""
    n = rows.size
    for i in range(n):
        for j in range(n):
            cell = counted[(i + 1) * (n + 1) + j + 1]
            if cell > 0:
                total[rows[i] + 1, rows[j] + 1] += cell


@compiled
def _add_rows(table, rows, total):
    for i in range(rows.size):
        for j in range(table.shape[1]):
            total[rows[i], j] += table[i, j]


@compiled
def _add_features(values, sums, numbers):
    """Add the features of one table to sums, unless they are undefined, and count it."""
    if np.isnan(values[0]):
        return
    for f in range(values.size):
        sums[f] += values[f]
        numbers[f] += 1.0


@compiled
def _describe_tables(tables, shades, lengths, n_levels, n_voxels, wanted, asked, sums, numbers):
    """Add the features of the tables of one volume or slice to the rows of `sums` and `numbers`, (2, N_FEATURES).

    The first row is averaged over directions, the second merged; `asked`, bool (2,), tells which to add. `tables` are
    those of `count_tables`, but `pairs` are float64 (n_directions, n_present + 1, n_present + 1), as `_add_pairs` fills
    them; shades, float64 (n_present,), are the grey levels.
    """
    pairs, runs, zones, dependence, differences, connected = tables
    present, out = shades.astype(np.int64), np.full(N_FEATURES, np.nan)
    for row in range(2):
        if not asked[row]:
            continue
        if row == 1:
            pairs, runs = _sum_directions(pairs), _sum_directions(runs)
        for k in range(pairs.shape[0]):
            if describe_pairs(pairs[k], present, n_levels, out):
                _add_features(out[:GLRLM], sums[row], numbers[row])
        for k in range(runs.shape[0]):
            write_sizes(runs[k], shades, lengths, out[GLRLM:])
            _add_features(out[GLRLM:GLSZM], sums[row, GLRLM:], numbers[row, GLRLM:])
    describe_zones(zones[0], zones[1], zones[2], shades, n_voxels, wanted, out)
    if wanted[4]:
        describe_tone_differences(connected, differences, shades, out)
    if wanted[5]:
        describe_dependence(dependence, shades, np.arange(1.0, dependence.shape[1] + 1.0), out)
    for row in range(2):
        if asked[row]:
            for k in range(_REST.size - 1):
                part = out[_REST[k] : _REST[k + 1]]
                _add_features(part, sums[row, _REST[k] :], numbers[row, _REST[k] :])


@compiled
def _sum_directions(tables):
    """Return the sum over the first axis, with that axis kept; without directions, the tables themselves."""
    total = tables[:1].copy()
    for k in range(1, tables.shape[0]):
        for i in range(tables.shape[1]):
            for j in range(tables.shape[2]):
                total[0, i, j] += tables[k, i, j]
    return total


@compiled
def describe_volume(
    volume,
    gray,
    distances,
    present,
    counts,
    offsets,
    representatives,
    longest,
    scratch,
    n_levels,
    wanted,
    asked,
):
    """Return the features in 3-D, averaged over the directions and merged: float64 (2, N_FEATURES).

    `asked`, bool (2,), tells which of the two to compute; NaN stands for features that are undefined, not wanted or not
    asked for. The other parameters are those of `count_tables`, and the number of grey levels of the discretisation.
    """
    n_tables = offsets.size if asked[0] else 1
    counted, runs, zones, dependence, differences, connected = count_tables(
        volume, gray, distances, present, counts, offsets, representatives, n_tables, longest, scratch, wanted
    )
    pairs = np.zeros((n_tables if wanted[0] else 0, present.size + 1, present.size + 1))
    rows = np.arange(present.size)
    for k in range(offsets.size if wanted[0] else 0):
        _add_pairs(counted[k], rows, pairs[min(k, n_tables - 1)])
    sums, numbers = np.zeros((2, N_FEATURES)), np.zeros((2, N_FEATURES))
    tables = (pairs, runs, zones, dependence, differences, connected)
    shades, lengths = present.astype(np.float64), np.arange(longest + 1.0)
    _describe_tables(tables, shades, lengths, n_levels, counts.sum(), wanted, asked, sums, numbers)
    return sums / numbers


@compiled
def _number_levels(gray, row_of_level, volume, present, counts, rows):
    """Number the levels of a slice from 1; return how many it has.

    gray, volume : uint8 or uint16 (n_places,), levels and, filled here, their numbers
    row_of_level : int64 (highest level + 1,), of the tables of the whole volume
    present, counts, rows : int64, filled as far as needed: the levels that occur, their voxels, and their rows in
        tables of the whole volume
    """
    number = np.zeros(row_of_level.size, np.int64)
    n = 0
    for i in range(gray.size):
        number[gray[i]] += 1
    number[0] = 0
    for level in range(number.size):
        if number[level] > 0:
            present[n], counts[n], rows[n] = level, number[level], row_of_level[level]
            n += 1
            number[level] = n
    for i in range(gray.size):
        volume[i] = number[gray[i]]
    return n


@compiled
def _add_slice(counted, tables, rows, n_zones, totals):
    """Add the tables of a slice to those of all slices, whose rows are given; return the new number of zones."""
    _, runs, zones, dependence, differences, connected = tables
    all_pairs, all_runs, all_zones, all_dependence, all_differences, all_connected = totals
    for k in range(all_pairs.shape[0]):
        _add_pairs(counted[k], rows, all_pairs[k])
    for k in range(all_runs.shape[0]):
        _add_rows(runs[k], rows, all_runs[k])
    _add_rows(dependence, rows, all_dependence)
    for i in range(rows.size):
        all_differences[rows[i]] += differences[i]
        all_connected[rows[i]] += connected[i]
    for z in range(zones[0].size):
        all_zones[0][n_zones + z] = rows[zones[0][z]]
        all_zones[1][n_zones + z] = zones[1][z]
        all_zones[2][n_zones + z] = zones[2][z]
    return n_zones + zones[0].size


@compiled
def _empty_totals(gray, distances, n_levels, n_directions, longest, n_voxels, wanted):
    """Return tables of zeros for all slices, as `_describe_tables` takes them."""
    pairs = np.zeros((n_directions if wanted[0] else 0, n_levels + 1, n_levels + 1))
    runs = np.zeros((n_directions if wanted[1] else 0, n_levels, longest + 1))
    n_zones = n_voxels if wanted[2] or wanted[3] else 0
    zones = (np.empty(n_zones, gray.dtype), np.empty(n_zones, np.int32), np.empty(n_zones, distances.dtype))
    return pairs, runs, zones, np.zeros((n_levels, 2 * n_directions + 1)), np.zeros(n_levels), np.zeros(n_levels)


@compiled
def describe_slices(
    gray, distances, n_voxels, present, offsets, representatives, longest, scratch, n_levels, wanted, asked
):
    """Return the features by slice: float64 (4, N_FEATURES).

    Rows are the aggregations 2-D averaged, 2-D slice-merged, 2.5-D direction-merged and 2.5-D merged; `asked`, bool
    (4,), tells which to compute. NaN stands for features that are undefined, not wanted or not asked for.

    Parameters
    ----------
    gray : uint8 or uint16 (n_slices, n_places), padded slices of grey levels
    distances : uint8 or uint16 (n_slices, n_places), of `distances_to_border` within slices
    n_voxels : int, of all slices
    present, offsets, representatives, longest, scratch, n_levels, wanted
        As in `describe_volume`; offsets are steps within a slice.
    """
    row_of_level = np.zeros(present[-1] + 1, np.int64)
    for i in range(present.size):
        row_of_level[present[i]] = i
    volume = np.empty_like(gray[0])
    levels, counts, rows = np.empty_like(present), np.empty_like(present), np.empty_like(present)
    by_slice, over_slices = asked[0] or asked[1], asked[2] or asked[3]
    totals = _empty_totals(gray, distances, present.size, offsets.size, longest, n_voxels, wanted)
    lengths, n_zones = np.arange(longest + 1.0), np.int64(0)
    sums, numbers = np.zeros((4, N_FEATURES)), np.zeros((4, N_FEATURES))
    for s in range(gray.shape[0]):
        n = _number_levels(gray[s], row_of_level, volume, levels, counts, rows)
        if n == 0:
            continue
        counted, runs, zones, dependence, differences, connected = count_tables(
            volume, gray[s], distances[s], levels[:n], counts[:n], offsets, representatives, offsets.size, longest,
            scratch, wanted,
        )  # fmt: skip
        pairs = np.zeros((offsets.size if wanted[0] and by_slice else 0, n + 1, n + 1))
        tables = (pairs, runs, zones, dependence, differences, connected)
        if by_slice:
            for k in range(pairs.shape[0]):
                _add_pairs(counted[k], np.arange(n), pairs[k])
            shades, n_here = levels[:n].astype(np.float64), counts[:n].sum()
            _describe_tables(tables, shades, lengths, n_levels, n_here, wanted, asked[:2], sums[:2], numbers[:2])
        if over_slices:
            n_zones = _add_slice(counted, tables, rows[:n], n_zones, totals)
    if over_slices:
        pairs, runs, zones, dependence, differences, connected = totals
        zones = (zones[0][:n_zones], zones[1][:n_zones], zones[2][:n_zones])
        tables = (pairs, runs, zones, dependence, differences, connected)
        shades = present.astype(np.float64)
        _describe_tables(tables, shades, lengths, n_levels, n_voxels, wanted, asked[2:], sums[2:], numbers[2:])
    return sums / numbers
