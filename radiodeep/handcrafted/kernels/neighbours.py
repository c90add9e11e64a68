"""In: a volume of grey levels. Out: what each voxel has in common with its neighbours, runs and zones.

Volumes are flattened and have a border of zeros as wide as the longest step. A step to a neighbour is therefore an
offset, and a loop without branches processes many voxels at once (SIMD).

Runs and zones both start from the links between direct neighbours of one grey level, which are found once: 16 bits per
voxel, bit k for the preceding neighbour in direction k. Following links is much faster than comparing voxels again, as
most voxels of a textured region have few links.
"""

import numpy as np
from numba import njit

_CHUNK = 4096  # voxels processed together, so that their scratch arrays stay in the first-level cache
_MOST_GROUPS = 4  # of preceding neighbours of which none touches another group
_LOWEST_BIT = np.array([0, 1, 2, 5, 3, 9, 6, 11, 15, 4, 8, 10, 14, 7, 13, 12], np.uint8)  # of (bit * 2479) >> 12


@njit(cache=True, nogil=True)
def link_equal_neighbours(volume, offsets, links):
    """Mark the preceding neighbours that have the same grey level as each voxel.

    Parameters
    ----------
    volume : uint8 or uint16 (n_places,), 0 outside the region
    offsets : int64 (n_directions,), at most 16, all > 0
    links : uint16 (n_places,), zeros; bit k of i is set if i and i - offsets[k] have one level
    """
    far = 0
    for offset in offsets:
        far = max(far, offset)
    for start in range(far, volume.size - far, _CHUNK):
        stop = min(start + _CHUNK, volume.size - far)
        here, out = volume[start:stop], links[start:stop]
        for k in range(offsets.size):
            before = volume[start - offsets[k] : stop - offsets[k]]
            bit = np.uint16(1 << k)
            for i in range(here.size):
                out[i] |= bit if here[i] == before[i] else np.uint16(0)
        for i in range(here.size):
            out[i] = out[i] if here[i] > 0 else np.uint16(0)


@njit(cache=True, nogil=True)
def _lowest_bit(bits):
    return _LOWEST_BIT[(((bits & -bits) * 2479) & 0xFFFF) >> 12]


@njit(cache=True, nogil=True)
def _mark_third_voxels(links, offsets, thirds):
    """Mark the third voxel of every run of three and more: uint16 (n_places,), bits as in `links`.

    A voxel is the third of its run if it is linked to its predecessor, the predecessor is linked to the voxel before,
    and that voxel, the first of the run, is linked to none. This is a bitwise formula of three entries of `links`.
    """
    for first in range(0, links.size, _CHUNK):
        stop = min(first + _CHUNK, links.size)
        for k in range(offsets.size):
            start = max(first, 2 * offsets[k])
            if start >= stop:
                continue
            here, out = links[start:stop], thirds[start:stop]
            before = links[start - offsets[k] : stop - offsets[k]]
            farther = links[start - 2 * offsets[k] : stop - 2 * offsets[k]]
            bit = np.uint16(1 << k)
            for i in range(here.size):
                out[i] |= here[i] & before[i] & ~farther[i] & bit


@njit(cache=True, nogil=True)
def _list_set_bits(words, positions, most):
    """Return the place and the number of each bit that is set in the words at some positions: int32, uint8 (n_bits,).

    There are no more than `most`.

    Words with bits are listed first. A loop that writes every word to the next free place, and moves on only if the
    word has bits, does without a branch that the processor could predict wrongly.
    """
    places = np.empty(positions.size + 1, np.int32)
    n_words = n_bits = 0
    for i in range(positions.size):
        places[np.uint64(n_words)] = positions[i]
        n_words += words[np.uint64(positions[i])] != 0
    out, numbers = np.empty(most, np.int32), np.empty(most, np.uint8)
    for i in range(n_words):
        bits = np.int64(words[np.uint64(places[i])])
        while bits:
            out[np.uint64(n_bits)], numbers[np.uint64(n_bits)] = places[i], _lowest_bit(bits)
            bits &= bits - 1
            n_bits += 1
    return out[:n_bits], numbers[:n_bits]


@njit(cache=True, nogil=True)
def count_runs(volume, links, positions, offsets, counts, pairs, runs):
    """Count the runs of each grey level by length, in every direction.

    Most runs have one or two voxels, so only runs of three and more are followed, all of them at once: from their third
    voxels to their fourth, of which there are fewer, and so on. The number of shorter runs follows from the number of
    voxels n and of pairs of equal neighbours m, which are known: if no run were longer than two, there would be m runs
    of two and n - 2 m of one. A run of j voxels holds j - 1 pairs and j voxels, so each run that is followed takes
    j - 1 from the runs of two, and changes the runs of one by 2 (j - 1) - j. Summed over all, j - 2 is the number of
    runs of three and more, of four and more, and so on.

    Parameters
    ----------
    volume, links : as in `link_equal_neighbours`
    positions : int64 (n_voxels,), places of the region
    offsets : int64 (n_directions,)
    counts : int64 (n_present,), voxels of each level
    pairs : int64 (n_directions, n_present), pairs of neighbours that both have that level
    runs : float64 (n_directions, n_present, longest + 1), zeros; column j gets the runs of j voxels;
        longest is 2 at least
    """
    thirds = np.zeros(links.size, np.uint16)
    _mark_third_voxels(links, offsets, thirds)
    ends, directions = _list_set_bits(thirds, positions, pairs.sum() // 2)  # a run of three holds two pairs
    n, length = ends.size, 3
    while n > 0:  # the runs of `length` voxels and more
        n_longer = 0
        for i in range(n):
            place, k = np.int64(ends[i]), np.uint64(directions[i])
            runs[k, np.uint64(volume[np.uint64(place)] - 1), np.uint64(length)] += 1
            after = place + offsets[k]
            longer = np.uint64(n_longer)
            ends[longer], directions[longer] = after, k  # without a branch: written over unless the run goes on
            n_longer += np.int64(links[np.uint64(after)] >> k & 1)
        n = n_longer
        length += 1
    for k in range(offsets.size):
        for level in range(counts.size):
            row = runs[k, level]
            at_least_three = row[3] if row.size > 3 else 0.0
            beyond_two = 0.0  # the sum of j - 2
            for j in range(3, row.size):
                beyond_two += row[j]
                if j + 1 < row.size:
                    row[j] -= row[j + 1]
            row[2] = pairs[k, level] - beyond_two - at_least_three
            row[1] = counts[level] - 2 * pairs[k, level] + beyond_two


@njit(cache=True, nogil=True)
def _root(parents, zone):
    while parents[zone] != zone:
        parents[zone] = parents[parents[zone]]
        zone = parents[zone]
    return zone


@njit(cache=True, nogil=True)
def find_zones(volume, links, positions, offsets, representatives):
    """Return the levels (0 ... n_present - 1) and the sizes of the connected zones of equal level: int32 (n_zones,).

    A union-find in two passes. In the first, a voxel joins the zone of a linked preceding neighbour, or begins one; if
    it links further zones, each pair is listed, to be merged in the second. Linked neighbours that touch one another
    are in one zone already, so only one representative of each such group is looked up. Most voxels look up two at
    most, without a branch that the processor could predict wrongly. The zones of the last plane or so are kept in a
    ring, which stays in the cache.

    Parameters
    ----------
    volume, links : as in `link_equal_neighbours`
    positions : int64 (n_voxels,), increasing
    offsets : int64 (n_directions,)
    representatives : uint16 (2 ** n_directions,), from `group_representatives`
    """
    ring = 1
    for offset in offsets:
        while ring <= offset:
            ring *= 2
    zones = np.empty(ring, np.int32)
    pairs = np.empty((_MOST_GROUPS * positions.size + 1, 2), np.int32)
    levels, sizes = np.empty(positions.size + 1, np.int32), np.zeros(positions.size + 1, np.int32)
    n = n_pairs = 0
    for i in range(positions.size):
        place = positions[i]
        bits = np.int64(representatives[links[np.uint64(place)]])
        further = bits & (bits - 1)
        before = np.int64(zones[np.uint64((place - offsets[_lowest_bit(bits)]) & (ring - 1))])
        is_linked = -np.int64(bits != 0)  # all bits or none
        zone = (before & is_linked) | (n & ~is_linked)
        zones[np.uint64(place & (ring - 1))] = zone
        levels[np.uint64(n)] = np.int32(volume[np.uint64(place)]) - 1
        n += bits == 0
        sizes[np.uint64(zone)] += np.int32(1)
        pairs[np.uint64(n_pairs), 0] = zone
        pairs[np.uint64(n_pairs), 1] = zones[np.uint64((place - offsets[_lowest_bit(further)]) & (ring - 1))]
        n_pairs += further != 0
        further &= further - 1
        while further:
            pairs[n_pairs, 0] = zone
            pairs[n_pairs, 1] = zones[np.uint64((place - offsets[_lowest_bit(further)]) & (ring - 1))]
            n_pairs += 1
            further &= further - 1
    parents = np.arange(n, dtype=np.int32)
    for i in range(n_pairs):
        zone, other = _root(parents, pairs[i, 0]), _root(parents, pairs[i, 1])
        if other != zone:
            zone, other = min(zone, other), max(zone, other)
            parents[other] = zone
            sizes[zone] += sizes[other]
    n_zones = 0
    for zone in range(n):
        if parents[zone] == zone:
            sizes[n_zones], levels[n_zones] = sizes[zone], levels[zone]
            n_zones += 1
    return levels[:n_zones], sizes[:n_zones]


@njit(cache=True, nogil=True)
def compare_with_neighbours(gray, row_of_gray, offsets, alpha, scratch, dependence, differences):
    """Count dependent neighbours, and sum the differences of voxels from the mean of their neighbours.

    Parameters
    ----------
    gray : uint8 or uint16 (n_places,), grey levels; 0 outside the region
    row_of_gray : int64 (highest grey level + 1,), the row of each grey level in the tables
    offsets : int64 (n_neighbours,), to all neighbours, preceding and following
    alpha : int, largest difference of grey levels that counts as dependent
    scratch : unsigned (3, chunk), of a type that holds n_neighbours times the highest grey level
    dependence : float64 (n_present, n_neighbours + 1), zeros; column j gets the voxels with j dependent neighbours
    differences : float64 (n_present,), zeros; sums of |grey level - mean of the neighbours in the region|
    """
    far = 0
    for offset in offsets:
        far = max(far, abs(offset))
    chunk = scratch.shape[1]
    for start in range(far, gray.size - far, chunk):
        stop = min(start + chunk, gray.size - far)
        here = gray[start:stop]
        alike, inside, total = scratch[0, : stop - start], scratch[1, : stop - start], scratch[2, : stop - start]
        for i in range(here.size):
            alike[i] = inside[i] = total[i] = 0
        for offset in offsets:
            there = gray[start + offset : stop + offset]
            for i in range(here.size):
                inside[i] += there[i] > 0
                total[i] += there[i]
            if alpha == 0:
                for i in range(here.size):
                    alike[i] += here[i] == there[i]
            else:
                for i in range(here.size):
                    alike[i] += (there[i] > 0) & (abs(np.int64(here[i]) - np.int64(there[i])) <= alpha)
        for i in range(here.size):
            if here[i] > 0:
                row = row_of_gray[here[i]]
                dependence[row, alike[i]] += 1
                if inside[i] > 0:
                    differences[row] += abs(here[i] - total[i] / inside[i])
