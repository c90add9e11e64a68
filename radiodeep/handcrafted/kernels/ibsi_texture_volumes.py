"""In: grey levels and a mask. Out: distances to the border, and pairs, runs, zones and neighbours of grey levels.

Volumes are flattened and have a border of zeros one voxel wide; steps to neighbours are offsets.
"""

import numpy as np

from radiodeep.compiled import compiled

_CHUNK = 4096  # voxels looked at together, so that their scratch arrays stay in the first-level cache
_MOST_GROUPS = 4  # of preceding neighbours of which none touches another group
_LOWEST_BIT = np.array([0, 1, 2, 5, 3, 9, 6, 11, 15, 4, 8, 10, 14, 7, 13, 12], np.uint8)  # of (bit * 2479) >> 12


@compiled
def place_levels(levels, inside, n_levels, gray):
    """Copy grey levels into a padded volume, and count them.

    Parameters
    ----------
    levels : int32 (z, y, x), 0 outside the region
    inside : uint8 (z, y, x), not 0 in the mask
    n_levels : int, the highest level allowed
    gray : uint8 or uint16 (z + 2, y + 2, x + 2), zeros

    Returns
    -------
    counts : int64 (n_levels + 1,), voxels of each level
    highest, n_present, n_voxels : int, highest level, levels that occur, and voxels with a level
    n_wrong : int, voxels below 0 or above n_levels, which are not copied
    n_stray : int, voxels that have a level but are outside the mask
    """
    counts = np.zeros(n_levels + 1, np.int64)
    n_wrong = n_stray = 0
    for z in range(levels.shape[0]):
        for y in range(levels.shape[1]):
            for x in range(levels.shape[2]):
                level = levels[z, y, x]
                if level == 0:
                    continue
                if level < 0 or level > n_levels:
                    n_wrong += 1
                    continue
                gray[z + 1, y + 1, x + 1] = level
                counts[level] += 1
                n_stray += inside[z, y, x] == 0
    highest = n_present = 0
    for level in range(1, n_levels + 1):
        if counts[level] > 0:
            highest = level
            n_present += 1
    return counts, highest, n_present, counts.sum(), n_wrong, n_stray


@compiled
def distances_to_border(inside, within_slices, out):
    """Find the city-block distance of each voxel of a mask to the nearest voxel outside, 1 at the border.

    Along each axis in turn a voxel takes the smaller of its own distance and the neighbour's plus 1, forwards and back.

    Parameters
    ----------
    inside : uint8 (z, y, x), not 0 in the mask
    within_slices : bool, look along y and x only
    out : uint8 or uint16 (z + 2, y + 2, x + 2), zeros
        Gets the distances; its type must hold the largest and 1 more.
    """
    nz, ny, nx = inside.shape
    farthest = 254 if out.itemsize == 1 else 65534
    for z in range(nz):
        for y in range(ny):
            row = out[z + 1, y + 1]
            before = 0
            for x in range(nx):
                before = min(before + 1, farthest) if inside[z, y, x] else 0
                row[x + 1] = before
            after = 0
            for x in range(nx, 0, -1):
                after = min(after + 1, np.int64(row[x]))
                row[x] = after
        for y in range(1, ny + 1):
            _approach(out[z + 1, y], out[z + 1, y - 1])
        for y in range(ny, 0, -1):
            _approach(out[z + 1, y], out[z + 1, y + 1])
    if not within_slices:
        flat = out.reshape((nz + 2, -1))
        for z in range(1, nz + 1):
            _approach(flat[z], flat[z - 1])
        for z in range(nz, 0, -1):
            _approach(flat[z], flat[z + 1])


@compiled
def _approach(distances, neighbours):
    for i in range(distances.size):
        distances[i] = neighbours[i] + 1 if neighbours[i] < distances[i] else distances[i]


@compiled
def count_level_pairs(volume, offsets, n, tables):
    """Count the pairs of grey levels in every direction, all directions in one pass.

    Parameters
    ----------
    volume : uint8 or uint16 (n_places,), numbers of the grey levels; 0 outside the region
    offsets : int64 (n_directions,), steps in the flattened volume, all > 0
    n : int, n_present + 1
    tables : uint32 (n_directions, n * n or more), zeros; entry a * n + b counts the pairs of levels a and b, and those
        with b of 0 leave the region
    """
    flat, apart = tables.reshape(-1), tables.shape[1]
    far = offsets.max()
    for place in range(far, volume.size - far):
        if volume[place] == 0:
            continue
        row = np.int64(volume[place]) * n
        for k in range(offsets.size):
            flat[np.uint64(k * apart + row + volume[np.uint64(place + offsets[k])])] += np.uint32(1)


@compiled
def count_level_runs(volume, links, offsets, counts, pairs, runs):
    """Count the runs of each grey level by length, by the method of `count_runs`.

    All runs of three and more voxels are followed at once, from their third voxels to their fourth, and so on, which
    gives the number of runs of each length and more; the number of shorter ones follows from the numbers of voxels and
    of pairs of equal neighbours.

    Parameters
    ----------
    volume, links : as in `link_equal_neighbours`
    offsets : int64 (n_directions,)
    counts : int64 (n_present,), voxels of each level
    pairs : uint32 (n_directions, (n_present + 1)² or more), of `count_level_pairs`
    runs : float64 (n_tables, n_present, longest + 1), zeros
        One table for each direction, or one for all of them; column j gets the runs of j voxels, longest is at least 2.
    """
    ends, directions = _list_third_voxels(links, offsets, counts.sum())
    last, n, length = runs.shape[0] - 1, ends.size, 3
    while n > 0:  # the runs of `length` voxels and more
        n_longer = 0
        for i in range(n):
            place, k = np.int64(ends[i]), np.int64(directions[i])
            runs[min(k, last), np.int64(volume[np.uint64(place)]) - 1, length] += 1.0
            after = place + offsets[k]
            ends[n_longer], directions[n_longer] = after, k  # without a branch: written over unless the run goes on
            n_longer += links[np.uint64(after)] >> k & 1
        n = n_longer
        length += 1
    for table in range(runs.shape[0]):
        for level in range(counts.size):
            row = runs[table, level]
            at_least_three = row[3] if row.size > 3 else 0.0
            longer = 0.0
            for j in range(3, row.size):
                longer += row[j]
                if j + 1 < row.size:
                    row[j] -= row[j + 1]
            row[2], row[1] = -longer - at_least_three, longer
    for k in range(offsets.size):
        for level in range(counts.size):
            equal = np.int64(pairs[k, (level + 1) * (counts.size + 2)])
            runs[min(k, last), level, 2] += equal
            runs[min(k, last), level, 1] += counts[level] - 2 * equal


@compiled
def _list_third_voxels(links, offsets, n_voxels):
    """Return the place and the direction of each third voxel of a run: int32, uint8 (n_runs,).

    They are looked for in one chunk of the volume at a time. Words with bits are listed first: a loop that writes every
    word to the next free place, and moves on only if the word has bits, has no branch to predict.
    """
    places, words = np.empty(n_voxels + 1, np.int32), np.empty(n_voxels + 1, np.uint16)
    thirds = np.empty(_CHUNK, np.uint16)
    n_words = n_bits = 0
    for first in range(0, links.size, _CHUNK):
        stop = min(first + _CHUNK, links.size)
        _mark_third_voxels(links, offsets, first, stop, thirds)
        for i in range(stop - first):
            places[np.uint64(n_words)] = first + i
            words[np.uint64(n_words)] = thirds[i]
            n_words += thirds[i] != 0
    for i in range(n_words):
        bits = np.int64(words[i])
        while bits:
            bits &= bits - 1
            n_bits += 1
    ends, directions = np.empty(n_bits, np.int32), np.empty(n_bits, np.uint8)
    n_bits = 0
    for i in range(n_words):
        bits = np.int64(words[i])
        while bits:
            ends[n_bits], directions[n_bits] = places[i], _index_of_lowest_bit(bits)
            bits &= bits - 1
            n_bits += 1
    return ends, directions


@compiled
def _mark_third_voxels(links, offsets, first, stop, thirds):
    """Mark the third voxels of runs, with bits as in `links`, from place `first` to `stop`.

    A voxel is the third of its run if it is linked to its predecessor, the predecessor is linked to the voxel before,
    and that voxel, the first of the run, is linked to none.
    """
    for i in range(stop - first):
        thirds[i] = 0
    for k in range(offsets.size):
        start = max(first, 2 * offsets[k])
        if start >= stop:
            continue
        here, out = links[start:stop], thirds[start - first : stop - first]
        before = links[start - offsets[k] : stop - offsets[k]]
        farther = links[start - 2 * offsets[k] : stop - 2 * offsets[k]]
        bit = np.uint16(1 << k)
        for i in range(here.size):
            out[i] |= here[i] & before[i] & ~farther[i] & bit


@compiled
def _root(parents, zone):
    while parents[zone] != zone:
        parents[zone] = parents[parents[zone]]
        zone = parents[zone]
    return zone


@compiled
def _index_of_lowest_bit(bits):
    return _LOWEST_BIT[np.uint64(((bits & -bits) * 2479) & 0xFFFF) >> np.uint64(12)]


@compiled
def find_zones_and_distances(volume, links, n_voxels, offsets, representatives, distances):
    """Return the levels (0 ... n_present - 1), the sizes and the distances of the zones of equal level.

    The same search as `find_zones`; the distance of a zone is the smallest of its voxels.

    Parameters
    ----------
    volume, links, offsets, representatives : as in `find_zones`
    n_voxels : int, of the region
    distances : uint8 or uint16 (n_places,), of `distances_to_border`

    Returns
    -------
    levels : uint8 or uint16 (n_zones,), of the type of the volume
    sizes : int32 (n_zones,)
    distances : uint8 or uint16 (n_zones,)
    """
    far, ring = offsets.max(), 1
    while ring <= far:
        ring *= 2
    zones, pairs = np.empty(ring, np.int32), np.empty((_MOST_GROUPS * n_voxels + 1, 2), np.int32)
    levels, sizes = np.empty(n_voxels + 1, volume.dtype), np.zeros(n_voxels + 1, np.int32)
    nearest = np.full(n_voxels + 1, distances.max(), distances.dtype)
    n = n_pairs = 0
    for place in range(far, volume.size - far):
        if volume[place] == 0:
            continue
        bits = np.int64(representatives[links[np.uint64(place)]])
        further = bits & (bits - 1)
        before = np.int64(zones[np.uint64((place - offsets[_index_of_lowest_bit(bits)]) & (ring - 1))])
        is_linked = -np.int64(bits != 0)  # all bits or none
        zone = (before & is_linked) | (n & ~is_linked)
        zones[np.uint64(place & (ring - 1))] = zone
        levels[np.uint64(n)] = volume[place] - 1
        n += bits == 0
        sizes[np.uint64(zone)] += np.int32(1)
        nearest[np.uint64(zone)] = min(nearest[np.uint64(zone)], distances[np.uint64(place)])
        pairs[np.uint64(n_pairs), 0] = zone  # zones to be merged; written over unless there are two
        pairs[np.uint64(n_pairs), 1] = zones[np.uint64((place - offsets[_index_of_lowest_bit(further)]) & (ring - 1))]
        n_pairs += further != 0
        further &= further - 1
        while further:
            pairs[n_pairs, 0] = zone
            pairs[n_pairs, 1] = zones[np.uint64((place - offsets[_index_of_lowest_bit(further)]) & (ring - 1))]
            n_pairs += 1
            further &= further - 1
    return _merge_zones(pairs[:n_pairs], levels[:n], sizes, nearest)


@compiled
def _merge_zones(pairs, levels, sizes, nearest):
    """Merge the zones of each pair, and return levels, sizes and distances of those that remain."""
    parents = np.arange(levels.size).astype(np.int32)
    for i in range(pairs.shape[0]):
        zone, other = _root(parents, pairs[i, 0]), _root(parents, pairs[i, 1])
        if other != zone:
            zone, other = min(zone, other), max(zone, other)
            parents[other] = zone
            sizes[zone] += sizes[other]
            nearest[zone] = min(nearest[zone], nearest[other])
    n = 0
    for zone in range(levels.size):
        if parents[zone] == zone:
            levels[n], sizes[n], nearest[n] = levels[zone], sizes[zone], nearest[zone]
            n += 1
    return levels[:n], sizes[:n], nearest[:n]


@compiled
def compare_neighbours(volume, gray, around, n_present, scratch):
    """Count the neighbours of each voxel that have its grey level, and compare it with the mean of its neighbours.

    The sums over voxels are kept in whole numbers: with w neighbours of the sum t, a level g differs from their mean by
    |g w - t| / w, and the numerators are summed for each w. Four sets of sums take turns, so that the processor need
    not wait for one addition to end before the next to the same number.

    Parameters
    ----------
    volume, gray : uint8 or uint16 (n_places,)
        Numbers of the grey levels, 1 to n_present, and the levels themselves; 0 outside the region.
    around : int64 (n_neighbours,), offsets to all neighbours
    n_present : int
    scratch : unsigned (chunk,), of a type that holds n_neighbours times the highest level

    Returns
    -------
    dependence : float64 (n_present, n_neighbours + 1), voxels of each level by the number of neighbours of that level
    differences : float64 (n_present,), sums of the differences
    connected : float64 (n_present,), voxels of each level that have a neighbour
    """
    n, apart = around.size + 1, 4 * (n_present + 1)
    by_alike, by_inside = np.zeros(n * apart, np.uint32), np.zeros(n * apart, np.int64)
    connected, few = np.zeros(n_present), np.empty((2, scratch.size), np.uint8)
    far = around.max()
    for start in range(far, gray.size - far, scratch.size):
        stop = min(start + scratch.size, gray.size - far)
        while start < stop and gray[start] == 0:
            start += 1
        while start < stop and gray[stop - 1] == 0:
            stop -= 1
        here, numbers = gray[start:stop], volume[start:stop]
        alike, inside, total = few[0, : here.size], few[1, : here.size], scratch[: here.size]
        for i in range(here.size):
            alike[i] = inside[i] = total[i] = 0
        for offset in around:
            there = gray[start + offset : stop + offset]
            for i in range(here.size):
                inside[i] += np.uint8(there[i] > 0)
                alike[i] += np.uint8(here[i] == there[i])
            for i in range(here.size):
                total[i] += there[i]
        for i in range(here.size):
            if here[i] == 0:
                continue
            number, turn = np.int64(numbers[i]), (i & 3) * (n_present + 1)
            by_alike[np.uint64(np.int64(alike[i]) * apart + turn + number)] += np.uint32(1)
            difference = np.int64(here[i]) * np.int64(inside[i]) - np.int64(total[i])
            by_inside[np.uint64(np.int64(inside[i]) * apart + turn + number)] += abs(difference)
            if inside[i] == 0:
                connected[number - 1] -= 1.0
    dependence, differences = np.zeros((n_present, n)), np.zeros(n_present)
    for j in range(n):
        for turn in range(4):
            first = j * apart + turn * (n_present + 1) + 1
            for row in range(n_present):
                dependence[row, j] += by_alike[first + row]
                connected[row] += by_alike[first + row]
                differences[row] += by_inside[first + row] / max(j, 1)
    return dependence, differences, connected
