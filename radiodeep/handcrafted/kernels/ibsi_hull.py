"""In: a padded mask. Out: the convex hull of its marching-cubes mesh, facet by facet.

Vertices of the mesh have whole coordinates in half voxels, so the hull is found without rounding: gift wrapping turns a
plane about an edge of a known facet until it meets the next vertex, and all vertices in that plane make the next facet.
A hull is five arrays: `points` float64 (3, n_vertices), the corners; `normals` float64 (n_facets, 3), pointing
outwards; and for each side of each facet, int64 (n_sides,): `start` and `end`, the corners it joins, counterclockwise
seen from outside, `facet`, and `across`, the facet on its other side.
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.handcrafted.kernels.shape import line_ends, plane_hulls

_BLOCK = 16  # points that are tested at once
_CELLS = 8  # along each axis, of points that are near each other


@compiled
def hull_candidates(first, last, first_y, last_y):
    """Return the vertices of the mesh that may be corners of its hull, in half voxels, float64 (3, n).

    A corner of the hull in space is a corner in the planes of constant z and of constant y through it. `first` and
    `last` are from `row_ends` of a mask with a border of zeros, `first_y` and `last_y` from `column_ends`.
    """
    low, high = line_ends(first, last)  # of x, on lines (z, y)
    nz, ny = low.shape
    _, low_in_z, high_in_z = plane_hulls(low, high, 1.0, 1.0)
    _, low_in_y, high_in_y = plane_hulls(low.T.copy(), high.T.copy(), 1.0, 1.0)
    low_x, high_x = line_ends(first_y, last_y)  # of y, on lines (x, z)
    _, low_in_x, high_in_x = plane_hulls(low_x, high_x, 1.0, 1.0)
    points = np.empty((3, 2 * nz * ny))
    n = 0
    for z in range(nz):
        for y in range(ny):
            single = low[z, y] == high[z, y]  # one vertex, which either chain may go through
            for side in range(1 if single else 2):
                x = low[z, y] if side == 0 else high[z, y]
                in_z = (side == 0 and low_in_z[z, y]) or ((side == 1 or single) and high_in_z[z, y])
                in_y = (side == 0 and low_in_y[y, z]) or ((side == 1 or single) and high_in_y[y, z])
                if low[z, y] > high[z, y] or not (in_z and in_y):
                    continue
                if (low_in_x[x, z] == 1 and low_x[x, z] == y) or (high_in_x[x, z] == 1 and high_x[x, z] == y):
                    points[0, n], points[1, n], points[2, n] = z, y, x
                    n += 1
    return points[:, :n].copy()


@compiled
def _sorted_by_place(points):
    """Return the points cell by cell, so that those of a block are near each other, and the corners of blocks.

    The corners are float64 (n_blocks, 6): the least z, y and x of the points of a block, and the greatest ones.
    """
    n = points.shape[1]
    cells, starts = np.zeros(n, np.int64), np.zeros(_CELLS**3 + 1, np.int64)
    for axis in range(3):
        lowest, highest = points[axis].min(), points[axis].max()
        for i in range(n):
            cell = int((points[axis, i] - lowest) * _CELLS / (highest - lowest + 1.0))
            # The three bits of each axis alternate, so that cells that follow each other are near each other.
            cells[i] |= (cell & 4) << (6 - axis) | (cell & 2) << (4 - axis) | (cell & 1) << (2 - axis)
    for i in range(n):
        starts[cells[i] + 1] += 1
    starts = np.cumsum(starts)
    out = np.empty_like(points)
    corners = np.empty(((n + _BLOCK - 1) // _BLOCK, 6))
    corners[:, :3], corners[:, 3:] = np.inf, -np.inf
    for i in range(n):
        place = starts[cells[i]]
        starts[cells[i]] += 1
        for axis in range(3):
            value = points[axis, i]
            out[axis, place] = value
            b = place // _BLOCK
            corners[b, axis], corners[b, axis + 3] = min(corners[b, axis], value), max(corners[b, axis + 3], value)
    return out, corners


@compiled
def _reach(corners, b, mz, my, mx):
    """Return how far along (mz, my, mx) the points of a block may lie."""
    return (
        mz * (corners[b, 3] if mz > 0.0 else corners[b, 0])
        + my * (corners[b, 4] if my > 0.0 else corners[b, 1])
        + mx * (corners[b, 5] if mx > 0.0 else corners[b, 2])
    )


@compiled
def _wrap(points, blocks, a, edge, below, normal):
    """Turn a supporting plane about the line through point `a` along `edge` until it meets the points.

    `below` is the outward normal of the plane before; the outward normal of the plane after is written to `normal`.
    `blocks` are the corners of `_sorted_by_place`.
    """
    n = points.shape[1]
    z, y, x = points[0], points[1], points[2]
    az, ay, ax = z[a], y[a], x[a]
    ez, ey, ex = edge[0], edge[1], edge[2]
    q = 0
    while below[0] * (z[q] - az) + below[1] * (y[q] - ay) + below[2] * (x[q] - ax) >= 0.0:
        q += 1
    mz, my = ey * (x[q] - ax) - ex * (y[q] - ay), ex * (z[q] - az) - ez * (x[q] - ax)
    mx = ez * (y[q] - ay) - ey * (z[q] - az)
    offset = mz * az + my * ay + mx * ax
    for turn in range(2):  # a few points first, so that hardly any of the others lies beyond the plane
        for b in range(blocks.shape[0]):
            if turn == 1 and _reach(blocks, b, mz, my, mx) <= offset:
                continue
            start = b * _BLOCK
            for i in range(start, min(start + (_BLOCK if turn == 1 else 1), n)):
                if mz * z[i] + my * y[i] + mx * x[i] > offset:
                    mz, my = ey * (x[i] - ax) - ex * (y[i] - ay), ex * (z[i] - az) - ez * (x[i] - ax)
                    mx = ez * (y[i] - ay) - ey * (z[i] - az)
                    offset = mz * az + my * ay + mx * ax
    normal[0], normal[1], normal[2] = mz, my, mx


@compiled
def _polygon(points, blocks, a, normal, members, chain):
    """List the corners of the facet in the plane through point `a`, counterclockwise seen from outside, in `chain`.

    Returns their number; it is 2 if the points in the plane lie on one line. `members` is scratch.
    """
    z, y, x = points[0], points[1], points[2]
    mz, my, mx = normal[0], normal[1], normal[2]
    axis = 0
    for k in range(1, 3):
        if abs(normal[k]) > abs(normal[axis]):
            axis = k
    u, v = points[(axis + 1) % 3], points[(axis + 2) % 3]
    offset = mz * z[a] + my * y[a] + mx * x[a]
    k = 0
    for b in range(blocks.shape[0]):
        if _reach(blocks, b, mz, my, mx) < offset:
            continue
        for i in range(b * _BLOCK, min((b + 1) * _BLOCK, z.size)):
            if mz * z[i] + my * y[i] + mx * x[i] != offset:
                continue
            j = k
            while j > 0 and (u[members[j - 1]] > u[i] or (u[members[j - 1]] == u[i] and v[members[j - 1]] > v[i])):
                members[j] = members[j - 1]
                j -= 1
            members[j] = i
            k += 1
    size = 0
    for turn in range(2):  # the lower chain, then the upper one
        least = size + 1
        for step in range(k):
            i = members[step] if turn == 0 else members[k - 1 - step]
            while size > least:
                b, c = chain[size - 2], chain[size - 1]
                if (u[c] - u[b]) * (v[i] - v[b]) - (v[c] - v[b]) * (u[i] - u[b]) > 0.0:
                    break
                size -= 1
            chain[size] = i
            size += 1
        size -= 1  # its last point is the first of the other chain
    if normal[axis] < 0.0:  # the axis points inwards
        for i in range(size // 2):
            chain[i], chain[size - 1 - i] = chain[size - 1 - i], chain[i]
    return size


@compiled
def _first_facet(points, blocks, normal, members, chain):
    """Find one facet: its normal and its corners in `chain`, whose number is returned."""
    z, y = points[0], points[1]
    a = 0
    for i in range(points.shape[1]):
        if z[i] < z[a] or (z[i] == z[a] and y[i] > y[a]):  # so that no other point lies beyond the line through it
            a = i
    plane, edge = np.array([-1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    _wrap(points, blocks, a, edge, plane, normal)
    size = _polygon(points, blocks, a, normal, members, chain)
    while size < 3:  # the plane met one edge only: turn about that
        for k in range(3):
            plane[k] = normal[k]
            edge[k] = points[k, chain[1]] - points[k, chain[0]]
        _wrap(points, blocks, chain[0], edge, plane, normal)
        size = _polygon(points, blocks, chain[0], normal, members, chain)
    return size


@compiled
def _find(table, keys, key):
    """Return the place of a key in an open hash table, or of the free place where it belongs."""
    place = (key * 0x9E3779B1) & (table.size - 1)
    while table[place] >= 0 and keys[table[place]] != key:
        place = (place + 1) & (table.size - 1)
    return place


@compiled
def convex_hull(points):
    """Return the hull of points with whole coordinates, float64 (3, n), which must not lie in one plane.

    Returns (points, normals, start, end, facet, across), see the module; the corners only, in half voxels.
    """
    n = points.shape[1]
    points, blocks = _sorted_by_place(points)
    most = 6 * n  # twice the edges of a polyhedron, at most
    sides = np.empty((5, most), np.int64)
    start, end, facet, across, keys = sides[0], sides[1], sides[2], sides[3], sides[4]
    size_of_table = 16
    while size_of_table < 2 * most:
        size_of_table *= 2
    table = np.full(size_of_table, -1, np.int64)
    normals = np.empty((2 * n, 3))
    members, chain = np.empty(n, np.int64), np.empty(2 * n + 2, np.int64)
    normal, edge = np.empty(3), np.empty(3)
    corners = _first_facet(points, blocks, normal, members, chain)
    n_sides = n_facets = done = 0
    while True:
        for k in range(3):
            normals[n_facets, k] = normal[k]
        for i in range(corners):
            j = i + 1 if i + 1 < corners else 0
            start[n_sides], end[n_sides], facet[n_sides] = chain[i], chain[j], n_facets
            keys[n_sides] = chain[i] * n + chain[j]
            table[_find(table, keys, keys[n_sides])] = n_sides
            n_sides += 1
        n_facets += 1
        while done < n_sides and table[_find(table, keys, end[done] * n + start[done])] >= 0:
            done += 1
        if done == n_sides:
            break
        for k in range(3):
            edge[k] = points[k, start[done]] - points[k, end[done]]
        _wrap(points, blocks, end[done], edge, normals[facet[done]], normal)
        corners = _polygon(points, blocks, end[done], normal, members, chain)
    for i in range(n_sides):
        across[i] = facet[table[_find(table, keys, end[i] * n + start[i])]]
    place = np.full(n, -1, np.int64)
    corners = 0
    for i in range(n_sides):
        if place[start[i]] < 0:
            place[start[i]] = corners
            members[corners] = start[i]
            corners += 1
    hull = np.empty((3, corners))
    for i in range(corners):
        for k in range(3):
            hull[k, i] = points[k, members[i]]
    for i in range(n_sides):
        start[i], end[i] = place[start[i]], place[end[i]]
    return hull, normals[:n_facets], start[:n_sides], end[:n_sides], facet[:n_sides], across[:n_sides]


@compiled
def hull_size(points, start, end, facet, n_facets, spacing_mm):
    """Return the areas of the facets in mm², the volume in mm³ and the largest diameter in mm of a hull."""
    step = 0.5 * spacing_mm
    vectors = np.zeros((n_facets, 3))
    corner = np.empty(n_facets, np.int64)
    for i in range(start.size):
        a, b = points[:, start[i]], points[:, end[i]]
        vectors[facet[i], 0] += a[1] * b[2] - a[2] * b[1]
        vectors[facet[i], 1] += a[2] * b[0] - a[0] * b[2]
        vectors[facet[i], 2] += a[0] * b[1] - a[1] * b[0]
        corner[facet[i]] = start[i]
    areas = np.empty(n_facets)
    sixfold = 0.0  # the volume is a whole number, six times and in cubes of half voxels
    for f in range(n_facets):
        a, v = points[:, corner[f]], vectors[f]
        sixfold += a[0] * v[0] + a[1] * v[1] + a[2] * v[2]
        areas[f] = 0.5 * np.sqrt(
            (v[0] * step[1] * step[2]) ** 2 + (v[1] * step[2] * step[0]) ** 2 + (v[2] * step[0] * step[1]) ** 2
        )
    largest = 0.0
    for i in range(points.shape[1]):
        for j in range(i):
            largest = max(
                largest,
                ((points[0, i] - points[0, j]) * step[0]) ** 2
                + ((points[1, i] - points[1, j]) * step[1]) ** 2
                + ((points[2, i] - points[2, j]) * step[2]) ** 2,
            )
    return areas, sixfold * step[0] * step[1] * step[2] / 6.0, np.sqrt(largest)
