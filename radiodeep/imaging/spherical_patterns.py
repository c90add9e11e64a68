"""Image and region -> local binary patterns on spheres about the voxels of the region."""

import numpy as np
from scipy import ndimage
from scipy.special import lpmv, poch

_SPLINE_REACH = 24  # voxels beyond which a cubic B-spline coefficient is below 1e-13
_AT_ONCE = 20_000  # voxels whose spheres are in memory at once


def spherical_patterns(image, box, roi, n_levels=2, radius=1.0, subdivision=1):
    """Compare each voxel with a sphere about it, and describe the pattern by numbers that do not change by rotation.

    The pattern is 1 where the interpolated intensity on the sphere is not below that of the voxel, else 0. Its
    projections on the spherical harmonics of one degree have a norm that is the same for the turned pattern.

    The images are 0 outside the region. Voxels that are not finite are replaced by the nearest finite one, so that
    interpolation cannot carry NaN from outside into the region.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    box : tuple of three slices
    roi : bool ndarray of the box's shape
    n_levels : int, default=2
        Spherical harmonics of the degrees 0 ... n_levels - 1.
    radius : float, default=1
        Of the sphere, in voxels.
    subdivision : int, default=1
        How often the triangles of the icosahedron are divided: 12, 42, 162, ... points on the sphere.

    Returns
    -------
    list of n_levels + 1 float64 ndarray of the box's shape
        The norm for each degree, and the excess kurtosis of the intensities on the sphere (0 if all are equal).

    References
    ----------
    Banerjee J et al. Rotation invariant local binary pattern for 3D texture. Pattern Recognition
    Letters 34:1438-1444, 2013. pyradiomics `imageoperations.getLBP3DImage`, which exchanges the two angles of the
    harmonics; so does this, to have the same values.
    """
    reach = _SPLINE_REACH + int(np.ceil(radius))
    near = tuple(slice(max(side.start - reach, 0), side.stop + reach) for side in box)
    data = _finite(image[near])
    begin = np.array([side.start - around.start for side, around in zip(box, near, strict=True)])
    places = np.argwhere(roi) + begin  # (n_voxels, zyx)
    sphere = icosphere(subdivision, radius)
    harmonics = _harmonics(sphere / radius, n_levels)
    smoothed = ndimage.spline_filter(data, order=3, output=np.float64)
    values = np.empty((len(places), n_levels + 1))
    for start in range(0, len(places), _AT_ONCE):
        centres = places[start : start + _AT_ONCE]
        coordinates = (centres[:, None, :] + sphere).reshape(-1, 3).T
        samples = ndimage.map_coordinates(smoothed, coordinates, output=np.float64, order=3, prefilter=False)
        samples = samples.reshape(len(centres), len(sphere))
        pattern = samples >= data[tuple(centres.T)][:, None]
        part = values[start : start + _AT_ONCE]
        for degree, harmonic in enumerate(harmonics):  # (2 * degree + 1, n_places), complex
            weights = pattern @ harmonic.T
            part[:, degree] = np.sqrt(np.einsum("im,mn,in->i", weights, harmonic @ harmonic.T, weights)).real
        part[:, -1] = _excess_kurtosis(samples)
    out = []
    for column in values.T:
        derived = np.zeros(roi.shape)
        derived[roi] = column
        out.append(derived)
    return out


def _finite(data):
    """Replace voxels that are not finite by the nearest finite one."""
    gaps = ~np.isfinite(data)
    if not gaps.any():
        return data
    nearest = ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True)
    return data[tuple(nearest)]


def _excess_kurtosis(samples):
    """Return the excess kurtosis of each row, without bias correction."""
    deviations = samples - samples.mean(axis=1, keepdims=True)
    squares = deviations**2
    second, fourth = squares.mean(axis=1), (squares**2).mean(axis=1)
    return np.divide(fourth, second**2, out=np.full(len(samples), 3.0), where=second > 0) - 3


def icosphere(subdivision, radius=1.0):
    """Return the corners of an icosahedron with divided triangles on a sphere about 0: float64 (n_points, 3)."""
    golden = (1 + np.sqrt(5)) / 2
    corners = np.array([(0, a, b * golden) for a in (-1, 1) for b in (-1, 1)])
    points = np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
    points /= np.linalg.norm(points[0])
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    touching = (apart < 1.1) & (apart > 0)  # the edges of an icosahedron are 1.05 long
    corner = range(12)
    faces = [
        (i, j, k)
        for i in corner
        for j in corner[i + 1 :]
        for k in corner[j + 1 :]
        if touching[i, j] and touching[j, k] and touching[i, k]
    ]
    for _ in range(subdivision):
        edges = sorted({edge for a, b, c in faces for edge in ((a, b), (b, c), (a, c))})
        middle = {edge: len(points) + number for number, edge in enumerate(edges)}
        divided = [
            tuple(sorted(part))
            for a, b, c in faces
            for ab, bc, ac in [(middle[a, b], middle[b, c], middle[a, c])]
            for part in ((a, ab, ac), (b, ab, bc), (c, ac, bc), (ab, bc, ac))
        ]
        points = np.concatenate([points, points[np.array(edges)].mean(axis=1)])
        points = _at_distance(points, radius)
        faces = divided
    return points if subdivision else _at_distance(points, radius)


def _at_distance(points, radius):
    """Return points moved to a distance from 0."""
    # Rounding decides whether a point on the border of the image is inside, so this is computed as in pyradiomics.
    length = np.sqrt(np.dot(points**2, [1, 1, 1]))[:, None]
    return points + points / length * (radius - length)


def _harmonics(directions, n_levels):
    """Return the spherical harmonics of each degree: list of complex (2 * degree + 1, n_points)."""
    azimuth = np.arccos(np.clip(directions[:, 2], -1, 1))  # exchanged, see the reference of `spherical_patterns`
    polar = np.arctan2(directions[:, 1], directions[:, 0])
    out = []
    for degree in range(n_levels):
        rows = []
        for order in range(-degree, degree + 1):
            m = abs(order)
            legendre = lpmv(m, degree, np.cos(polar))
            if order < 0:
                legendre = (-1) ** m * poch(degree + m + 1, -2 * m) * legendre
            norm = np.sqrt((2 * degree + 1) / (4 * np.pi) * poch(degree + order + 1, -2 * order))
            rows.append(norm * legendre * np.exp(1j * order * azimuth))
        out.append(np.array(rows))
    return out
