"""In: a padded mask. Out: its marching-cubes surface, its moments and its diameters.

The diameters need the largest distance between vertices of the mesh, of which there are thousands. It is found among
the corners of convex hulls, in three steps. Only the outermost vertices on each line of voxels can be corners
(`line_ends`). Of the lines of a plane, two monotone chains keep the corners of the plane's hull (`plane_hulls`). A
corner of the hull in space is a corner in each of the three planes through it, and few vertices are (`diameters`).
`_farthest` compares those, and skips a vertex whose distance from the centre shows that no partner can be farther than
the best pair so far.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def row_ends(mask):
    """Return the first and last voxel of every row along x: int32 (z, y) each; nx and -1 if the row is empty."""
    nz, ny, nx = mask.shape
    first, last = np.empty((nz, ny), np.int32), np.empty((nz, ny), np.int32)
    for z in range(nz):
        for y in range(ny):
            row = mask[z, y]
            first[z, y], last[z, y] = nx, -1
            for x in range(nx):
                if row[x]:
                    first[z, y] = x
                    break
            else:
                continue
            for x in range(nx - 1, -1, -1):
                if row[x]:
                    last[z, y] = x
                    break
    return first, last


@njit(cache=True, nogil=True)
def column_ends(mask):
    """Return the first and last voxel of every column along y: int32 (x, z) each; ny and -1 if it is empty."""
    nz, ny, nx = mask.shape
    first, last = np.empty((nx, nz), np.int32), np.empty((nx, nz), np.int32)
    nearest, farthest = np.empty(nx, np.int32), np.empty(nx, np.int32)
    for z in range(nz):
        for x in range(nx):
            nearest[x], farthest[x] = ny, -1
        for y in range(ny):
            row = mask[z, y]
            for x in range(nx):
                nearest[x] = y if row[x] and nearest[x] == ny else nearest[x]
                farthest[x] = y if row[x] else farthest[x]
        for x in range(nx):
            first[x, z], last[x, z] = nearest[x], farthest[x]
    return first, last


@njit(cache=True, nogil=True)
def surface(mask, first, last, margin, spacing_mm, crosses, triple, area_vector):
    """Return area and volume of the marching-cubes mesh.

    Every 2 x 2 x 2 cell of voxels is one of 256 codes. The area is a sum over codes: how often each occurs times the
    areas of its triangles. The volume is a sum of triple products a . (b x c) of the triangles; moving a cell by m adds
    m . (a x b + b x c + c x a), so integers per code suffice and the sum is exact.

    Parameters
    ----------
    mask : uint8 (z, y, x), 0 or 1, with a border of at least one 0
    first, last : int32 (z, y), ends of the rows, from `row_ends`
    margin : int, width of that border; the mesh is measured from the last voxel of it
    spacing_mm : float64 (3,), (z, y, x)
    crosses : int64 (128, 5, 3), cross product of each triangle's edges, in half voxels
    triple : int64 (128,), sum of the triangles' triple products about the cell's corner
    area_vector : int64 (128, 3), sum of the triangles' a x b + b x c + c x a

    Returns
    -------
    area_mm2, volume_mm3 : float64
    """
    nz, ny, _ = mask.shape
    cells = np.zeros(128, np.int64)
    is_solid = _solid_rows(mask, first, last)
    sixfold = 0  # six times the volume, in eighths of a voxel
    for z in range(nz - 1):
        for y in range(ny - 1):
            start = min(first[z, y], first[z, y + 1], first[z + 1, y], first[z + 1, y + 1]) - 1
            stop = max(last[z, y], last[z, y + 1], last[z + 1, y], last[z + 1, y + 1]) + 1
            # Cells between these places lie inside the region, if no row has gaps.
            inner = max(first[z, y], first[z, y + 1], first[z + 1, y], first[z + 1, y + 1])
            outer = min(last[z, y], last[z, y + 1], last[z + 1, y], last[z + 1, y + 1])
            is_full = is_solid[z, y] and is_solid[z, y + 1] and is_solid[z + 1, y] and is_solid[z + 1, y + 1]
            is_full = is_full and outer > inner
            a, b, c, d = mask[z, y], mask[z, y + 1], mask[z + 1, y], mask[z + 1, y + 1]
            for side in range(2 if is_full else 1):
                begin = outer if side else start
                end = inner if is_full and not side else stop
                left = np.int64(153 if side else 0)
                for x in range(begin, end):
                    code = left | np.int64(a[x + 1] << 1 | b[x + 1] << 2 | c[x + 1] << 5 | d[x + 1] << 6)
                    left = np.int64(a[x + 1] | b[x + 1] << 3 | c[x + 1] << 4 | d[x + 1] << 7)
                    if code == 0 or code == 255:
                        continue
                    sign = 1
                    if code >= 128:  # the complement has the same triangles with the opposite orientation
                        code = 255 - code
                        sign = -1
                    cells[code] += 1
                    moved = (
                        (z - margin + 1) * area_vector[code, 0]
                        + (y - margin + 1) * area_vector[code, 1]
                        + (x - margin + 1) * area_vector[code, 2]
                    )
                    sixfold += sign * (triple[code] + 2 * moved)
    return _mesh_area(cells, crosses, spacing_mm), sixfold * spacing_mm[0] * spacing_mm[1] * spacing_mm[2] / 48.0


@njit(cache=True, nogil=True)
def _solid_rows(mask, first, last):
    """Return which rows have no gap between their first and last voxel: bool (z, y)."""
    is_solid = np.empty(first.shape, np.bool_)
    for z in range(first.shape[0]):
        for y in range(first.shape[1]):
            row = mask[z, y]
            n = np.int32(0)
            for x in range(row.size):
                n += np.int32(row[x])
            is_solid[z, y] = n == last[z, y] - first[z, y] + 1
    return is_solid


@njit(cache=True, nogil=True)
def _mesh_area(cells, crosses, spacing_mm):
    """Return the area of the triangles of cells, of which int64 (128,) tells how often each code occurs."""
    sz, sy, sx = spacing_mm
    area = 0.0
    for code in range(128):
        if cells[code] > 0:
            for t in range(5):
                cz = crosses[code, t, 0] * sy * sx
                cy = crosses[code, t, 1] * sx * sz
                cx = crosses[code, t, 2] * sz * sy
                area += cells[code] * np.sqrt(cz * cz + cy * cy + cx * cx)
    return area / 8.0


@njit(cache=True, nogil=True)
def moments(mask):
    """Return the exact sums over the region of 1, z, y, x, zz, yy, xx, zy, zx, yx: int64 (10,)."""
    out = np.zeros(10, np.int64)
    for z in range(mask.shape[0]):
        for y in range(mask.shape[1]):
            n = sx = sxx = 0
            for x in range(mask.shape[2]):
                n += mask[z, y, x]
                sx += x * mask[z, y, x]
                sxx += x * x * mask[z, y, x]
            out[0] += n
            out[1] += n * z
            out[2] += n * y
            out[3] += sx
            out[4] += n * z * z
            out[5] += n * y * y
            out[6] += sxx
            out[7] += n * z * y
            out[8] += sx * z
            out[9] += sx * y
    return out


@njit(cache=True, nogil=True)
def _note_change(first, last, i, j, k, m, low, high):
    """Note the outermost vertices between two neighbouring lines of voxels, if the hull may go through them.

    Between the lines lie vertices wherever one line has a voxel and the other has none. If the lines begin at different
    places, the outermost of these is at the lower first voxel. If they begin at the same place, these vertices lie
    farther in, and the hull goes through the ends of the two lines themselves.
    """
    at_first = first[i, j] != first[k, m]
    at_last = last[i, j] != last[k, m]
    if at_first or at_last:
        outer_first, outer_last = 2 * min(first[i, j], first[k, m]), 2 * max(last[i, j], last[k, m])
        low[i + k, j + m] = outer_first if at_first else outer_last
        high[i + k, j + m] = outer_last if at_last else outer_first


@njit(cache=True, nogil=True)
def line_ends(first, last):
    """Return the outermost mesh vertices on every line, as far as the hull may go through them.

    Vertices lie halfway between a voxel inside and its neighbour outside; in half voxels they have one odd coordinate.
    `first` and `last` are int32 (a, b), the ends of parallel lines of voxels, of which the outermost are empty. Returns
    low and high, int32 (2a - 1, 2b - 1), low > high if a line holds no such vertex.
    """
    na, nb = first.shape
    low = np.ones((2 * na - 1, 2 * nb - 1), np.int32)
    high = np.zeros((2 * na - 1, 2 * nb - 1), np.int32)
    for i in range(na):
        for j in range(nb):
            if last[i, j] >= 0:
                low[2 * i, 2 * j] = 2 * first[i, j] - 1
                high[2 * i, 2 * j] = 2 * last[i, j] + 1
            if j + 1 < nb:
                _note_change(first, last, i, j, i, j + 1, low, high)
            if i + 1 < na:
                _note_change(first, last, i, j, i + 1, j, low, high)
    return low, high


@njit(cache=True, nogil=True)
def symmetric_eigenvalues(matrix):
    """Return the eigenvalues of a small symmetric float64 matrix, increasing, by Jacobi rotations."""
    n = matrix.shape[0]
    a = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            a[i, j] = matrix[i, j]
    for _ in range(30):  # converges quadratically: a handful of sweeps is enough
        left = 0.0
        for i in range(n):
            for j in range(i):
                left += abs(a[i, j])
        if left == 0.0:
            break
        for i in range(n):
            for j in range(i):
                if abs(a[i, j]) <= 1e-18 * np.sqrt(abs(a[i, i] * a[j, j])) or a[i, j] == 0.0:
                    a[i, j] = a[j, i] = 0.0
                    continue
                ratio = (a[j, j] - a[i, i]) / (2.0 * a[i, j])
                t = 1.0 / (abs(ratio) + np.sqrt(ratio * ratio + 1.0))
                t = t if ratio >= 0.0 else -t
                c = 1.0 / np.sqrt(t * t + 1.0)
                s = t * c
                for k in range(n):
                    p, q = a[k, i], a[k, j]
                    a[k, i], a[k, j] = c * p - s * q, s * p + c * q
                for k in range(n):
                    p, q = a[i, k], a[j, k]
                    a[i, k], a[j, k] = c * p - s * q, s * p + c * q
                a[i, j] = a[j, i] = 0.0
    values = np.empty(n)
    for i in range(n):
        j = i
        while j > 0 and values[j - 1] > a[i, i]:
            values[j] = values[j - 1]
            j -= 1
        values[j] = a[i, i]
    return values


@njit(cache=True, nogil=True)
def _half_hull(ends, low, high, sign, chain):
    """Fill `chain` with the lines at which one side of the hull has a corner; return their number.

    Andrew's monotone chain: lines are added in order, and a line is dropped again if the next one makes a turn to the
    wrong side there. `sign` is 1 for the lower side and -1 for the upper one.
    """
    size = 0
    for j in range(ends.size):
        if low[j] > high[j]:
            continue
        while size >= 2:
            i, h = chain[size - 1], chain[size - 2]
            turn = (i - h) * (ends[j] - ends[h]) - (j - h) * (ends[i] - ends[h])
            if sign * turn > 0:
                break
            size -= 1
        chain[size] = j
        size += 1
    return size


# Operations may not be reordered or fused: the last bit of a distance would depend on where this is inlined.
@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _farthest(points, n, radius, best):
    """Return the largest squared distance between points (3, n_max), or `best` if that is larger.

    No partner of a point can be farther than the sum of its distance from the centre and the largest such distance, so
    most points are skipped. `radius` (n_max,) is scratch.
    """
    radius[:n] = 0.0
    for axis in range(3):
        lowest = highest = points[axis, 0]
        for i in range(n):
            lowest = min(lowest, points[axis, i])
            highest = max(highest, points[axis, i])
        for i in range(n):
            radius[i] += (points[axis, i] - 0.5 * (lowest + highest)) ** 2
    widest = 0.0
    for i in range(n):
        radius[i] = np.sqrt(radius[i])
        widest = max(widest, radius[i])
    for i in range(n):
        # The factor covers rounding.
        if (radius[i] + widest) ** 2 * 1.000001 <= best:
            continue
        a, b, c = points[0, i], points[1, i], points[2, i]
        for j in range(i):
            distance = (points[0, j] - a) ** 2 + (points[1, j] - b) ** 2 + (points[2, j] - c) ** 2
            best = max(best, distance)
    return best


@njit(cache=True, nogil=True)
def plane_hulls(low, high, line_mm, along_mm):
    """Return the convex hull of the mesh vertices in every plane, and the largest diameter of any plane in mm.

    `low` and `high` are int32 (n_planes, n_lines), the ends of the lines of each plane in half voxels; `line_mm` and
    `along_mm` the voxel size across the lines and along them. Returns (diameter_mm, low_on_hull, high_on_hull), the
    last two uint8 (n_planes, n_lines), 1 if that end is a corner of the hull.
    """
    n_planes, n_lines = low.shape
    low_on_hull = np.zeros(low.shape, np.uint8)
    high_on_hull = np.zeros(low.shape, np.uint8)
    chain = np.empty(n_lines, np.int64)
    points = np.zeros((3, 2 * n_lines))
    radius = np.empty(2 * n_lines)
    best = 0.0
    for plane in range(n_planes):
        n = 0
        for side in range(2):
            ends = low[plane] if side == 0 else high[plane]
            marks = low_on_hull[plane] if side == 0 else high_on_hull[plane]
            for i in range(_half_hull(ends, low[plane], high[plane], 1 - 2 * side, chain)):
                marks[chain[i]] = 1
                points[0, n] = 0.5 * line_mm * chain[i]
                points[1, n] = 0.5 * along_mm * ends[chain[i]]
                n += 1
        if n > 1:
            best = _farthest(points, n, radius, best)
    return np.sqrt(best), low_on_hull, high_on_hull


@njit(cache=True, nogil=True)
def _is_corner(plane, line, end, low, high, low_on_hull, high_on_hull):
    return (low_on_hull[plane, line] == 1 and low[plane, line] == end) or (
        high_on_hull[plane, line] == 1 and high[plane, line] == end
    )


@njit(cache=True, nogil=True)
def _transposed(table):
    out = np.empty((table.shape[1], table.shape[0]), np.int32)
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            out[j, i] = table[i, j]
    return out


@njit(cache=True, nogil=True)
def diameters(first, last, first_y, last_y, spacing_mm):
    """Return the largest distances in mm between mesh vertices in the planes of constant z, y and x, and in space.

    A corner of the hull in space is a corner in all three planes through it, so only such vertices are compared.
    `first` and `last` are from `row_ends` of a mask with a border of zeros, `first_y` and `last_y` from `column_ends`;
    the spacing is (z, y, x).
    """
    sz, sy, sx = spacing_mm
    low, high = line_ends(first, last)  # of x, on lines (z, y)
    low_t, high_t = _transposed(low), _transposed(high)
    low_x, high_x = line_ends(first_y, last_y)  # of y, on lines (x, z)
    in_z, low_z_hull, high_z_hull = plane_hulls(low, high, sy, sx)
    in_y, low_y_hull, high_y_hull = plane_hulls(low_t, high_t, sz, sx)
    in_x, low_x_hull, high_x_hull = plane_hulls(low_x, high_x, sz, sy)

    points = np.empty((3, 2 * low.size))
    n = 0
    for z in range(low.shape[0]):
        for y in range(low.shape[1]):
            for side in range(2):
                corner_z = low_z_hull[z, y] if side == 0 else high_z_hull[z, y]
                corner_y = low_y_hull[y, z] if side == 0 else high_y_hull[y, z]
                x = low[z, y] if side == 0 else high[z, y]
                if corner_z == 1 and corner_y == 1 and _is_corner(x, z, y, low_x, high_x, low_x_hull, high_x_hull):
                    points[0, n], points[1, n], points[2, n] = 0.5 * sz * z, 0.5 * sy * y, 0.5 * sx * x
                    n += 1
    largest = max(in_z, in_y, in_x)
    in_space = np.sqrt(_farthest(points, n, np.empty(n), largest * largest))
    return np.array([in_z, in_y, in_x, in_space])
