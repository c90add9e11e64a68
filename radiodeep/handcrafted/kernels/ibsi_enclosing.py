"""In: a convex hull in mm. Out: its smallest box and its smallest ellipsoid.

The hull comes as `convex_hull` describes it, with `points` and unit `normals` in mm.

The smallest box. A box that stands on a facet is searched in its plane: seen along the facet's normal the hull is a
polygon, and the rectangle of least area about a polygon lies on one of its sides. The polygon is the rim between the
facets that are seen and those that are not, so no other hull is needed, and rotating calipers go around it once. A
smallest box need not stand on a facet (that of a regular tetrahedron does not; O'Rourke), but no turn about one of its
three axes makes it smaller. So the best boxes found are turned about each axis in turn until they shrink no more.
"""

import numpy as np
from numba import njit

from radiodeep.compiled import compiled

# Sums and extremes that may be reordered, and so be vectorised.
_reordered = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz", "nnan"})
_LARGER = 1.05  # than the best box: boxes that are turned no more


@compiled
def _edges(facet, across):
    """Return the edges of a hull, whose sides come facet by facet: sides i and k of facets f and g, int64 (4, n)."""
    n = facet.size
    out = np.empty((4, n // 2), np.int64)
    first = np.zeros(facet.max() + 1, np.int64)
    for i in range(n - 1, -1, -1):
        first[facet[i]] = i
    place = 0
    for i in range(n):
        if facet[i] < across[i]:
            k = first[across[i]]
            while across[k] != facet[i]:
                k += 1
            out[0, place], out[1, place], out[2, place], out[3, place] = i, k, facet[i], across[i]
            place += 1
    return out


@compiled
def _rim(normals, start, end, edges, nz, ny, nx, seen, after):
    """Link the corners of the outline seen along a direction: `after[corner]` is the next one. Return a corner."""
    z, y, x = normals[0], normals[1], normals[2]
    for f in range(z.size):
        seen[f] = z[f] * nz + y[f] * ny + x[f] * nx > 0.0
    sides, mates, left, right = edges[0], edges[1], edges[2], edges[3]
    last = -1
    for e in range(sides.size):
        if seen[left[e]] != seen[right[e]]:
            side = sides[e] if seen[left[e]] else mates[e]
            after[start[side]] = end[side]
            last = max(last, side)
    return start[last]


@_reordered
def _extent(points, dz, dy, dx):
    z, y, x = points[0], points[1], points[2]
    lowest = highest = z[0] * dz + y[0] * dy + x[0] * dx
    for i in range(z.size):
        value = z[i] * dz + y[i] * dy + x[i] * dx
        lowest, highest = min(lowest, value), max(highest, value)
    return highest - lowest


@_reordered
def _shade(normals, areas, nz, ny, nx):
    """Return twice the area of the outline of a hull seen along a unit direction."""
    z, y, x = normals[0], normals[1], normals[2]
    total = 0.0
    for f in range(areas.size):
        total += areas[f] * abs(z[f] * nz + y[f] * ny + x[f] * nx)
    return total


@compiled
def _calipers(u, v, k):
    """Return area, direction (u, v) and both lengths of the smallest rectangle about a convex polygon of k corners."""
    best, best_u, best_v, best_long, best_wide = np.inf, 1.0, 0.0, 0.0, 0.0
    right = top = left = -1
    for i in range(k):
        j = i + 1 if i + 1 < k else 0
        du, dv = u[j] - u[i], v[j] - v[i]
        if right < 0:
            right = top = left = j
        for _ in range(k):  # farthest along the side
            m = right + 1 if right + 1 < k else 0
            if (u[m] - u[right]) * du + (v[m] - v[right]) * dv <= 0.0:
                break
            right = m
        if i == 0:
            top = right
        for _ in range(k):  # farthest from the side
            m = top + 1 if top + 1 < k else 0
            if (v[m] - v[top]) * du - (u[m] - u[top]) * dv <= 0.0:
                break
            top = m
        if i == 0:
            left = top
        for _ in range(k):  # farthest back along the side
            m = left + 1 if left + 1 < k else 0
            if (u[m] - u[left]) * du + (v[m] - v[left]) * dv >= 0.0:
                break
            left = m
        along = (u[right] - u[left]) * du + (v[right] - v[left]) * dv
        wide = (v[top] - v[i]) * du - (u[top] - u[i]) * dv
        area = along * wide / (du * du + dv * dv)
        if area < best:
            best, best_u, best_v, best_long, best_wide = area, du, dv, along, wide
    length = np.sqrt(best_u * best_u + best_v * best_v)
    return best, best_u / length, best_v / length, best_long / length, best_wide / length


@compiled
def _box_along(points, normals, start, end, edges, nz, ny, nx, box, seen, after, u, v):
    """Return the volume of the smallest box with a side across a unit direction; its axes and lengths go to `box`."""
    # Two directions across the first.
    if abs(nz) <= abs(ny) and abs(nz) <= abs(nx):
        az, ay, ax = 0.0, -nx, ny
    elif abs(ny) <= abs(nx):
        az, ay, ax = nx, 0.0, -nz
    else:
        az, ay, ax = -ny, nz, 0.0
    size = np.sqrt(az * az + ay * ay + ax * ax)
    az, ay, ax = az / size, ay / size, ax / size
    bz, by, bx = ny * ax - nx * ay, nx * az - nz * ax, nz * ay - ny * az
    first = _rim(normals, start, end, edges, nz, ny, nx, seen, after)
    depth = _extent(points, nz, ny, nx)
    nearest = 1e-9 * (depth + np.sqrt(points.shape[1]))
    k, corner = 0, first
    while True:
        z, y, x = points[0, corner], points[1, corner], points[2, corner]
        cu, cv = z * az + y * ay + x * ax, z * bz + y * by + x * bx
        # Sides along the direction are seen as a point.
        if k == 0 or abs(cu - u[k - 1]) + abs(cv - v[k - 1]) > nearest:
            u[k], v[k] = cu, cv
            k += 1
        corner = after[corner]
        if corner == first:
            break
    if abs(u[0] - u[k - 1]) + abs(v[0] - v[k - 1]) <= nearest:
        k -= 1
    area, du, dv, along, wide = _calipers(u, v, k)
    box[0, 0], box[0, 1], box[0, 2], box[0, 3] = nz, ny, nx, depth
    box[1, 0], box[1, 1], box[1, 2], box[1, 3] = du * az + dv * bz, du * ay + dv * by, du * ax + dv * bx, along
    box[2, 0], box[2, 1], box[2, 2], box[2, 3] = du * bz - dv * az, du * by - dv * ay, du * bx - dv * ax, wide
    return area * depth


@compiled
def smallest_box(points, normals, areas, start, end, facet, across, directions, n_kept):
    """Return the three lengths in mm of the smallest box found about a hull, float64 (3,).

    Boxes are tried across all unit `directions` (n, 3); the best `n_kept` are then turned. Directions whose box must be
    larger, because its rectangle covers at least the polygon, come last and are left out. `areas` are those of the
    facets, whose sides come facet by facet.
    """
    edges = _edges(facet, across)
    n_facets = normals.shape[0]
    normals = normals.T.copy()
    seen, after = np.empty(n_facets, np.bool_), np.empty(points.shape[1], np.int64)
    u, v = np.empty(points.shape[1]), np.empty(points.shape[1])
    box, trial = np.empty((3, 4)), np.empty((3, 4))
    kept = np.empty((n_kept, 3, 4))
    volumes = np.full(n_kept, np.inf)
    least = np.empty(directions.shape[0])
    for f in range(directions.shape[0]):
        nz, ny, nx = directions[f, 0], directions[f, 1], directions[f, 2]
        least[f] = 0.5 * _shade(normals, areas, nz, ny, nx) * _extent(points, nz, ny, nx)
    for f in np.argsort(least):
        if least[f] >= volumes[n_kept - 1]:
            break
        nz, ny, nx = directions[f, 0], directions[f, 1], directions[f, 2]
        volume = _box_along(points, normals, start, end, edges, nz, ny, nx, box, seen, after, u, v)
        j = n_kept - 1
        if volume >= volumes[j]:
            continue
        while j > 0 and volumes[j - 1] > volume:
            volumes[j] = volumes[j - 1]
            kept[j] = kept[j - 1]
            j -= 1
        volumes[j] = volume
        kept[j] = box
    best = np.inf
    lengths = np.empty(3)
    first_volumes = volumes.copy()
    for j in range(n_kept):
        if volumes[j] > _LARGER * best or volumes[j] == np.inf:
            break
        if j > 0 and volumes[j] <= first_volumes[j - 1] * (1.0 + 1e-9):
            continue  # the same box, or its mirror image in a symmetric hull
        idle, axis = 0, 1  # across the first axis it is the smallest already
        while idle < 2:
            nz, ny, nx = kept[j, axis, 0], kept[j, axis, 1], kept[j, axis, 2]
            volume = _box_along(points, normals, start, end, edges, nz, ny, nx, trial, seen, after, u, v)
            idle += 1
            if volume < volumes[j] * (1.0 - 1e-12):
                volumes[j] = volume
                kept[j] = trial
                axis = idle = 0
            axis = axis % 2 + 1
        if volumes[j] < best:
            best = volumes[j]
            for k in range(3):
                lengths[k] = kept[j, k, 3]
    return lengths


@compiled
def _distances(points, weights, inverse, centre, out):
    """Write (p - c)' M (p - c) of every point, with M the inverse scatter about the weighted centre c."""
    for a in range(3):
        centre[a] = 0.0
        for i in range(points.shape[1]):
            centre[a] += weights[i] * points[a, i]
    zz = yy = xx = zy = zx = yx = 0.0
    for i in range(points.shape[1]):
        z, y, x = points[0, i] - centre[0], points[1, i] - centre[1], points[2, i] - centre[2]
        zz += weights[i] * z * z
        yy += weights[i] * y * y
        xx += weights[i] * x * x
        zy += weights[i] * z * y
        zx += weights[i] * z * x
        yx += weights[i] * y * x
    det = zz * (yy * xx - yx * yx) - zy * (zy * xx - yx * zx) + zx * (zy * yx - yy * zx)
    inverse[0, 0], inverse[1, 1], inverse[2, 2] = (yy * xx - yx * yx) / det, (zz * xx - zx * zx) / det, 0.0
    inverse[2, 2] = (zz * yy - zy * zy) / det
    inverse[0, 1] = inverse[1, 0] = (zx * yx - zy * xx) / det
    inverse[0, 2] = inverse[2, 0] = (zy * yx - zx * yy) / det
    inverse[1, 2] = inverse[2, 1] = (zy * zx - zz * yx) / det
    for i in range(points.shape[1]):
        z, y, x = points[0, i] - centre[0], points[1, i] - centre[1], points[2, i] - centre[2]
        out[i] = (
            inverse[0, 0] * z * z
            + inverse[1, 1] * y * y
            + inverse[2, 2] * x * x
            + 2.0 * (inverse[0, 1] * z * y + inverse[0, 2] * z * x + inverse[1, 2] * y * x)
        )


@compiled
def _first_weights(points):
    """Return equal weights on the points farthest along the axes, which span space on a mesh of voxels."""
    weights = np.zeros(points.shape[1])
    for a in range(3):
        low = high = 0
        for i in range(points.shape[1]):
            low = i if points[a, i] < points[a, low] else low
            high = i if points[a, i] > points[a, high] else high
        weights[low] += 1.0 / 6.0
        weights[high] += 1.0 / 6.0
    return weights


@compiled
def _lifted(inverse, centre, out):
    """Write the inverse of the second moments of the points (p, 1) to `out`, float64 (4, 4)."""
    out[3, 3] = 1.0
    for a in range(3):
        out[a, 3] = 0.0
        for b in range(3):
            out[a, b] = inverse[a, b]
            out[a, 3] -= inverse[a, b] * centre[b]
        out[3, a] = out[a, 3]
        out[3, 3] -= out[a, 3] * centre[a]


@compiled
def _move_weight(points, weights, distance, matrix, chosen, change):
    """Move the share `change` of all weights to a point, and update the distances and the matrix of `_lifted`."""
    g = np.empty(4)
    for a in range(4):
        g[a] = matrix[a, 3]
        for b in range(3):
            g[a] += matrix[a, b] * points[b, chosen]
    z, y, x = points[0], points[1], points[2]
    g0, g1, g2, g3 = g[0], g[1], g[2], g[3]
    rest = 1.0 - change
    factor = change / (rest + change * (distance[chosen] + 1.0))
    for i in range(distance.size):
        product = g0 * z[i] + g1 * y[i] + g2 * x[i] + g3
        distance[i] = (distance[i] + 1.0 - factor * product * product) / rest - 1.0
        weights[i] *= rest
    for a in range(4):
        for b in range(4):
            matrix[a, b] = (matrix[a, b] - factor * g[a] * g[b]) / rest
    weights[chosen] += change


@compiled
def smallest_ellipsoid(points, tolerance, most_steps):
    """Return the matrix M of the smallest ellipsoid (p - c)' M (p - c) <= 1 about points, float64 (3, 3).

    Khachiyan's method with the away steps of Todd and Yildirim: weight moves to the farthest point, or away from the
    nearest of those that have any, until no point is farther than 3 (1 + `tolerance`) and none of the latter nearer
    than 3 (1 - `tolerance`). The volume is then at most 1.5 `tolerance` above the smallest, as the ellipsoid is scaled
    to touch the farthest point.
    """
    n = points.shape[1]
    weights, distance = _first_weights(points), np.empty(n)
    inverse, centre, matrix = np.empty((3, 3)), np.empty(3), np.empty((4, 4))
    step = 0
    while True:
        _distances(points, weights, inverse, centre, distance)  # anew now and then, against rounding
        _lifted(inverse, centre, matrix)
        stop = step + 100
        while True:
            far, near = 0, -1
            for i in range(n):
                if distance[i] > distance[far]:
                    far = i
                if weights[i] > 0.0 and (near < 0 or distance[i] < distance[near]):
                    near = i
            above, below = distance[far] / 3.0 - 1.0, 1.0 - distance[near] / 3.0
            if max(above, below) <= tolerance or step >= min(stop, most_steps):
                break
            chosen = far if above >= below else near
            d = distance[chosen] + 1.0  # in the four dimensions of (p, 1)
            change = (d - 4.0) / (4.0 * (d - 1.0))
            drops = change < -weights[chosen] / (1.0 - weights[chosen])
            if drops:
                change = -weights[chosen] / (1.0 - weights[chosen])
            _move_weight(points, weights, distance, matrix, chosen, change)
            if drops:
                weights[chosen] = 0.0
            step += 1
        if max(above, below) <= tolerance or step >= most_steps:
            break
    _distances(points, weights, inverse, centre, distance)
    farthest = 0.0
    for i in range(n):
        farthest = max(farthest, distance[i])
    for a in range(3):
        for b in range(3):
            inverse[a, b] /= farthest
    return inverse
