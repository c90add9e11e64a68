"""In: the grey levels of a region. Out: all texture families, computed without returning to Python in between."""

import numpy as np
from numba import njit

from radiodeep.handcrafted.kernels.glcm import add_directions, count_pairs
from radiodeep.handcrafted.kernels.neighbours import (
    compare_with_neighbours,
    count_runs,
    find_zones,
    link_equal_neighbours,
)
from radiodeep.handcrafted.kernels.size_tables import (
    describe_directions,
    describe_sizes,
    describe_tones,
    tabulate_zones,
)

_APART = 48  # entries between tables: a multiple of 4 kB apart they would disturb each other in the store buffer


@njit(cache=True, nogil=True)
def _longest_run(runs):
    """Return the length of the longest run in tables (n_directions, n_present, length + 1), most of which are short."""
    longest = 0
    for k in range(runs.shape[0]):
        for i in range(runs.shape[1]):
            j = runs.shape[2] - 1
            while j > longest and runs[k, i, j] == 0.0:
                j -= 1
            longest = j if j > longest else longest
    return longest


@njit(cache=True, nogil=True)
def describe_texture(
    volume, gray, positions, levels, counts, offsets, around, representatives, longest, symmetrical, alpha
):
    """Describe GLCM, GLRLM, GLSZM, GLDM and NGTDM of direct neighbours.

    Parameters
    ----------
    volume, gray : uint8 or uint16 (n_places,), of `GrayLevels`, flattened
    positions : int64 (n_voxels,)
    levels, counts : int64 (n_present,)
    offsets, around : int64 (n_directions,), (2 n_directions,), to half of the neighbours and to all
    representatives : uint16 (2 ** n_directions,)
    longest : int, at least 2, longest run that the region has room for
    symmetrical : bool
    alpha : int

    Returns
    -------
    glcm : float64 (24,), sums over the directions, in the order of the catalogue
    runs, zones, dependences : float64 (16,), in the order of `DESCRIPTIONS`
    tones : float64 (5,), in the order of the catalogue
    complete : bool, False if some direction holds no pair, whose effect on the runs is not considered here
    """
    n, n_directions = levels.size, offsets.size
    row_of_gray = np.zeros(levels[n - 1] + 1, np.int64)
    shades, voxels = np.empty(n), np.empty(n)
    for i in range(n):
        row_of_gray[levels[i]], shades[i], voxels[i] = i, levels[i], counts[i]
    sizes = np.empty(max(longest, around.size + 1) + 1)
    for j in range(sizes.size):
        sizes[j] = j

    counted = np.zeros((n_directions, (n + 1) * (n + 1) + _APART), np.uint32)
    count_pairs(volume, positions, offsets, n + 1, counted)
    tables, pairs = np.zeros((n_directions, n + 1, n + 1)), np.empty((n_directions, n), np.int64)
    complete = True
    for k in range(n_directions):
        has_pair = False
        for i in range(n):
            row = (i + 1) * (n + 1)
            pairs[k, i] = counted[k, row + i + 1]
            for j in range(1, n + 1):
                tables[k, i + 1, j] = counted[k, row + j]
                has_pair |= counted[k, row + j] > 0
        complete &= has_pair
    glcm = np.zeros(24)
    add_directions(tables, levels, levels[n - 1], symmetrical, glcm)

    links = np.zeros(volume.size, np.uint16)
    link_equal_neighbours(volume, offsets, links)
    run_counts = np.zeros((n_directions, n, longest + 1))
    count_runs(volume, links, positions, offsets, counts, pairs, run_counts)
    n_sizes = _longest_run(run_counts) + 1
    runs = describe_directions(run_counts[:, :, :n_sizes].copy(), shades, sizes[:n_sizes])

    zone_levels, zone_sizes = find_zones(volume, links, positions, offsets, representatives)
    zone_table, present_sizes = tabulate_zones(zone_levels, zone_sizes, n)
    zones = describe_sizes(zone_table, shades, present_sizes)

    dependence, differences = np.zeros((n, around.size + 1)), np.zeros(n)
    scratch = np.empty((3, min(4096, volume.size)), np.uint16)
    compare_with_neighbours(gray, row_of_gray, around, alpha, scratch, dependence, differences)
    dependences = describe_sizes(dependence, shades, sizes[1 : around.size + 2])
    return glcm, runs, zones, dependences, describe_tones(voxels, differences, shades), complete
