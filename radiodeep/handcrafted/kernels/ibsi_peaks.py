"""In: an image and a mask. Out: the highest means of spheres about the voxels of the mask."""

import numpy as np

from radiodeep.compiled import compiled

_ORDINARY, _EXTREME, _NUMBER = 0, 1, 2  # what running sums add up
_FAR_ABOVE = 1e3  # times the largest intensity of the region: extreme, as marks of what was not measured are


@compiled
def _running_sums(image, reach):
    """Return the sums along x of what lies before each place of every row, one row after the other, and two facts.

    A row has nx + 1 + 2 reach places: the first `reach` lie before the image and the last ones after it. The facts are
    the largest size of an intensity, and whether all sums are finite.
    """
    nz, ny, nx = image.shape
    width = nx + 1 + 2 * reach
    sums = np.zeros(nz * ny * width)
    largest = 0.0
    are_finite = True
    for z in range(nz):
        for y in range(ny):
            row, total = image[z, y], 0.0
            out = sums[(z * ny + y) * width + reach + 1 : (z * ny + y + 1) * width]
            for x in range(nx):
                total += row[x]
                largest = max(largest, abs(row[x]))
                out[x] = total
            out[nx:] = total
            are_finite &= abs(total) < np.inf
    return sums, largest, are_finite


@compiled
def _running_part(image, reach, what, limit):
    """Return running sums as above of the ordinary intensities, whose size is up to a limit, or of others that are
    finite, or numbers of finite ones.
    """
    part = np.zeros(image.shape)
    for z in range(image.shape[0]):
        for y in range(image.shape[1]):
            for x in range(image.shape[2]):
                size = abs(image[z, y, x])
                if what == _NUMBER:
                    part[z, y, x] = 1.0 if size < np.inf else 0.0
                elif size < np.inf and (what == _ORDINARY) == (size <= limit):
                    part[z, y, x] = image[z, y, x]
    return _running_sums(part, reach)[0]


@compiled
def _add_rows(table, after, before, n_rows, place, out):
    """Add up differences of running sums at the places `after` and `before` from `place` on, four rows at a time."""
    out[:] = 0.0
    r = 0
    while r + 4 <= n_rows:
        a, b = table[after[r] + place :], table[after[r + 1] + place :]
        c, d = table[after[r + 2] + place :], table[after[r + 3] + place :]
        e, f = table[before[r] + place :], table[before[r + 1] + place :]
        g, h = table[before[r + 2] + place :], table[before[r + 3] + place :]
        for x in range(out.size):
            out[x] += ((a[x] - e[x]) + (b[x] - f[x])) + ((c[x] - g[x]) + (d[x] - h[x]))
        r += 4
    for i in range(r, n_rows):
        a, e = table[after[i] + place :], table[before[i] + place :]
        for x in range(out.size):
            out[x] += a[x] - e[x]


@compiled
def _limit_of_ordinary(image, mask):
    """Return the size above which intensities are extreme, infinite if none is."""
    largest = inside = 0.0
    for z in range(image.shape[0]):
        for y in range(image.shape[1]):
            for x in range(image.shape[2]):
                size = abs(image[z, y, x])
                largest = max(largest, size if size < np.inf else 0.0)
                inside = max(inside, size if mask[z, y, x] else 0.0)
    return _FAR_ABOVE * inside if largest > _FAR_ABOVE * inside else np.inf


@compiled
def _is_within(image, mask, largest):
    """Return whether no intensity up to a size is extreme: one voxel of the mask is enough to tell."""
    for z in range(image.shape[0]):
        for y in range(image.shape[1]):
            for x in range(image.shape[2]):
                if mask[z, y, x] and largest <= _FAR_ABOVE * abs(image[z, y, x]):
                    return True
    return False


@compiled
def _keep_rows_within(rows, z, y, nz, ny, all_after, all_before, after, before):
    """Write the places of the rows that lie within the image to `after` and `before`; return their number."""
    n_rows = 0
    for r in range(rows.shape[0]):
        if 0 <= z + rows[r, 0] < nz and 0 <= y + rows[r, 1] < ny:
            after[n_rows], before[n_rows] = all_after[r], all_before[r]
            n_rows += 1
    return n_rows


@compiled
def sphere_peaks(image, mask, rows):
    """Return the mean about the voxel of the highest intensity, and the highest mean about any voxel of a mask.

    `rows` are the rows of voxels of the sphere, int64 (n, 3): offset in z and y, and voxels to either side in x. Voxels
    outside the image, and those that are not finite, do not count. Sums along rows are differences of running sums.
    Those of extreme intensities are kept apart, as they would cost the others of their row their digits.
    """
    nz, ny, nx = image.shape
    reach = rows[:, 2].max()
    width = nx + 1 + 2 * reach
    sums, largest, are_finite = _running_sums(image, reach)
    extremes = np.empty(0)
    if not (are_finite and _is_within(image, mask, largest)):
        limit = _limit_of_ordinary(image, mask)
        sums = _running_part(image, reach, _ORDINARY, limit)
        extremes = _running_part(image, reach, _EXTREME, limit)
    numbers = np.empty(0)
    middle = (rows[:, 0] * ny + rows[:, 1]) * width + reach
    all_after, all_before = middle + rows[:, 2] + 1, middle - rows[:, 2]
    some_after, some_before = np.empty_like(all_after), np.empty_like(all_before)
    reach_z, reach_y = rows[:, 0].max(), rows[:, 1].max()
    whole = 2.0 * rows[:, 2].sum() + rows.shape[0]
    total, part, number = np.empty(nx), np.empty(nx), np.full(nx, whole)
    highest = at_highest = anywhere = -np.inf
    for z in range(nz):
        for y in range(ny):
            start, stop = nx, 0
            for x in range(nx):
                if mask[z, y, x]:
                    start, stop = min(start, x), x + 1
            if start >= stop:
                continue
            n_rows, after, before = rows.shape[0], all_after, all_before
            if not (reach_z <= z < nz - reach_z and reach_y <= y < ny - reach_y):
                after, before = some_after, some_before
                n_rows = _keep_rows_within(rows, z, y, nz, ny, all_after, all_before, after, before)
            place = (z * ny + y) * width + start
            length = stop - start
            _add_rows(sums, after, before, n_rows, place, total[:length])
            if extremes.size > 0:
                _add_rows(extremes, after, before, n_rows, place, part[:length])
                total[:length] += part[:length]
            is_inside = n_rows == rows.shape[0] and start >= reach and stop + reach <= nx
            if is_inside and are_finite:
                number[:length] = whole
            else:
                if numbers.size == 0:
                    numbers = _running_part(image, reach, _NUMBER, 0.0)
                _add_rows(numbers, after, before, n_rows, place, number[:length])
            for x in range(start, stop):
                if mask[z, y, x]:
                    mean = total[x - start] / number[x - start]
                    anywhere = max(anywhere, mean)
                    if image[z, y, x] >= highest:
                        at_highest = mean if image[z, y, x] > highest else max(at_highest, mean)
                        highest = image[z, y, x]
    return at_highest, anywhere
