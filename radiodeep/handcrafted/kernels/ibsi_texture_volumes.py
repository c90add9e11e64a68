"""In: grey levels and a mask. Out: padded volumes, distances to the border, zones, and voxels that have neighbours.

Volumes are flattened and have a border of zeros one voxel wide; steps to neighbours are offsets.
"""

import numpy as np

from radiodeep.compiled import compiled


@compiled
def place_levels(levels, inside, n_levels, gray, places):
    """Copy grey levels into a padded volume, and list their places.

    Parameters
    ----------
    levels : int32 (z, y, x), 0 outside the region
    inside : uint8 (z, y, x), not 0 in the mask
    n_levels : int, the highest level allowed
    gray : uint8 or uint16 (z + 2, y + 2, x + 2), zeros
    places : int64 (n_voxels or more,), gets the places of the levels in the flattened volume

    Returns
    -------
    counts : int64 (n_levels + 1,), voxels of each level
    n_wrong : int, voxels below 0 or above n_levels, which are not copied
    n_stray : int, voxels that have a level but are outside the mask
    """
    counts = np.zeros(n_levels + 1, np.int64)
    n = n_wrong = n_stray = 0
    _, ny, nx = gray.shape
    for z in range(levels.shape[0]):
        for y in range(levels.shape[1]):
            start = ((z + 1) * ny + y + 1) * nx + 1
            for x in range(levels.shape[2]):
                level = levels[z, y, x]
                if level == 0:
                    continue
                if level < 0 or level > n_levels:
                    n_wrong += 1
                    continue
                gray[z + 1, y + 1, x + 1] = level
                places[n] = start + x
                n += 1
                counts[level] += 1
                n_stray += inside[z, y, x] == 0
    return counts, n_wrong, n_stray


@compiled
def distances_to_border(inside, within_slices):
    """Return the city-block distance of each voxel of a mask to the nearest voxel outside, 1 at the border.

    Along each axis in turn a voxel takes the smaller of its own distance and the neighbour's plus 1, forwards and back.

    Parameters
    ----------
    inside : uint8 (z, y, x), not 0 in the mask
    within_slices : bool, look along y and x only

    Returns
    -------
    uint16 (z + 2, y + 2, x + 2), 0 outside the mask
    """
    nz, ny, nx = inside.shape
    out = np.zeros((nz + 2, ny + 2, nx + 2), np.uint16)
    for z in range(nz):
        for y in range(ny):
            row = out[z + 1, y + 1]
            before = 0
            for x in range(nx):
                before = before + 1 if inside[z, y, x] else 0
                row[x + 1] = before
            after = 0
            for x in range(nx, 0, -1):
                after = min(after + 1, row[x])
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
    return out


@compiled
def _approach(distances, neighbours):
    for i in range(distances.size):
        distances[i] = min(distances[i], np.uint16(neighbours[i] + 1))


@compiled
def _root(parents, zone):
    while parents[zone] != zone:
        parents[zone] = parents[parents[zone]]
        zone = parents[zone]
    return zone


@compiled
def _index_of_lowest_bit(bits):
    k = 0
    while not bits & 1:
        bits >>= 1
        k += 1
    return k


@compiled
def find_zones_and_distances(volume, links, positions, offsets, representatives, distances):
    """Return the levels (0 ... n_present - 1), the sizes and the distances of the zones of equal level.

    The same search as `find_zones`; the distance of a zone is the smallest of its voxels.

    Parameters
    ----------
    volume, links, positions, offsets, representatives : as in `find_zones`
    distances : uint16 (n_places,), of `distances_to_border`

    Returns
    -------
    levels, sizes, distances : int64 (n_zones,)
    """
    zones = np.empty(volume.size, np.int32)
    parents = np.empty(positions.size, np.int32)
    zone_sizes = np.empty(positions.size, np.int64)
    zone_levels = np.empty(positions.size, np.int64)
    nearest = np.empty(positions.size, np.int64)
    n = 0
    for i in range(positions.size):
        place = np.uint64(positions[i])
        bits = np.int64(representatives[links[place]])
        distance = np.int64(distances[place])
        if bits == 0:
            zones[place] = parents[n] = n
            zone_sizes[n] = 1
            zone_levels[n] = volume[place] - 1
            nearest[n] = distance
            n += 1
            continue
        zone = _root(parents, zones[np.uint64(positions[i] - offsets[_index_of_lowest_bit(bits)])])
        bits &= bits - 1
        while bits:
            other = _root(parents, zones[np.uint64(positions[i] - offsets[_index_of_lowest_bit(bits)])])
            bits &= bits - 1
            if other != zone:
                zone, other = min(zone, other), max(zone, other)
                parents[other] = zone
                zone_sizes[zone] += zone_sizes[other]
                nearest[zone] = min(nearest[zone], nearest[other])
        zones[place] = zone
        zone_sizes[zone] += 1
        nearest[zone] = min(nearest[zone], distance)
    n_zones = 0
    for zone in range(n):
        if parents[zone] == zone:
            zone_sizes[n_zones], zone_levels[n_zones] = zone_sizes[zone], zone_levels[zone]
            nearest[n_zones] = nearest[zone]
            n_zones += 1
    return zone_levels[:n_zones], zone_sizes[:n_zones], nearest[:n_zones]


@compiled
def count_connected(volume, positions, around, connected):
    """Count the voxels of each level that have a neighbour in the region.

    volume : (n_places,), numbers of the levels from 1;  positions : int64 (n_voxels,);  around : int64 (n_neighbours,);
    connected : float64 (n_present,), zeros
    """
    for place in positions:
        for offset in around:
            if volume[np.uint64(place + offset)] > 0:
                connected[volume[np.uint64(place)] - 1] += 1.0
                break
