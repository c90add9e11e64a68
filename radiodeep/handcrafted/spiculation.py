"""In: a region. Out: how much its outline departs from a convex and from a round one: spicules, lobes, concavities."""

import math

import numpy as np
from scipy.ndimage import binary_fill_holes, label, maximum
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

from radiodeep.handcrafted.kernels.shape import row_ends, surface
from radiodeep.handcrafted.marching_cubes import AREA_VECTOR, CROSSES, TRIPLE
from radiodeep.handcrafted.outline import outline_faces

_LEAST = 0.05  # depth of a concavity and height of a protrusion that are counted, in radii
_N_BINS = 20  # of the radial distance, for its entropy
_SMOOTH_DEGREE = 4  # of the polynomials in direction that are no roughness: axes, lobes
_N_HARMONICS = 32
_LARGEST_TABLE = 4_000_000
_TOLERANCE = 1e-7  # of positions on the hull, relative to the size of the region


def spiculation_features(region, levels=None):
    """Spicules and concavities of a region in space: float64 (13,), in the order of the catalogue.

    All but the two of IBSI look at the outer outline of the largest part (voxels that share a corner are connected),
    with holes filled. Its radius is that of a ball of equal volume. The convex hull is that of the centres of the
    voxels, so a digitised convex body has no deficit and no concavity at any size. Distances of the outline are those
    of the faces between a voxel inside and its neighbour outside from the centre of mass; means, deviations and
    histograms over them weight each face that looks away from the centre by the solid angle in which the centre sees
    it, so neither voxel size nor the orientation of the image shifts them; counts and roughness see the steps of thick
    slices. `levels` is ignored.

    ConvexityDeficit is the share of the hull's voxels that are not in the region. A concavity is a connected part of
    these; its depth is that of the deepest voxel of the region in its wall, under the hull. MeanConcavityDepth is the
    mean over the outline, 0 where it is convex; NumberOfConcavities counts those deeper than 5 % of the radius (the
    valleys between slender spicules are one). With d the radial distance, RadialVariation is SD(d) / mean(d),
    RadialEntropy that of d / max(d) in 20 bins, RadialAreaRatio the mean of d - mean(d) where that is positive, over
    mean(d). RadialRoughness is what remains of RadialVariation beside the best polynomial of degree 4 in the direction,
    to which axes and lobes belong. NumberOfProtrusions counts the connected parts of the outline above mean(d) that
    reach 5 % higher, in the plane half the zero crossings; RelativeProtrusionHeight is max(d) / mean(d) - 1.

    LargestConcavityDepth is in mm, RadialEntropy in bits; the others have no unit.

    References
    ----------
    Kilday J, Palmieri F, Fox MD. Classifying mammographic lesions using computerized image analysis. IEEE Trans Med
    Imaging 12(4):664-669, 1993 (radial distance). IBSI R3ER and 7T7F (HullVolumeDensity, HullAreaDensity).
    """
    mask = region.mask.view(np.uint8)
    inside, outside = outline_faces(region.mask)
    hull = ConvexHull((inside + outside) / 2 * region.spacing_mm)  # of the vertices of the mesh
    area, volume = surface(mask, *row_ends(mask), region.margin, region.spacing_mm, CROSSES, TRIPLE, AREA_VECTOR)
    return np.array(
        [
            area / hull.area,  # HullAreaDensity
            volume / hull.volume,  # HullVolumeDensity
            *_outline_features(_outer_part(region.mask), region.spacing_mm),
        ]
    )


def spiculation_2d_features(region, levels=None, *, slice_axis=0):
    """Spicules and concavities of the largest slice across an axis: float64 (12,), in the order of the catalogue.

    The first is FourierFactor, 0 for a circle and towards 1 for a rough outline: 1 - sum(|Z(k)| / |k|) / sum(|Z(k)|)
    over the Fourier descriptors Z of the outline, |k| from 1 to 32. The others are those of `spiculation_features` in
    the plane, with angles in place of solid angles and a disc in place of the ball. Of slices of equal area the first
    counts. `levels` is ignored.

    References
    ----------
    Shen L, Rangayyan RM, Desautels JEL. Application of shape analysis to mammographic calcifications. IEEE Trans Med
    Imaging 13(2):263-274, 1994 (Fourier factor). Kuhl FP, Giardina CR. Elliptic Fourier features of a closed contour.
    Computer Graphics and Image Processing 18(3):236-258, 1982 (descriptors of polygons).
    """
    planes = np.moveaxis(region.mask, slice_axis, 0)
    plane = _outer_part(planes[planes.sum(axis=(1, 2)).argmax()])
    spacing = np.delete(region.spacing_mm, slice_axis)
    return np.array([_fourier_factor(plane, spacing), *_outline_features(plane, spacing)])


def _outer_part(mask):
    """Return the largest part of a mask, or all of equal size, with holes filled; corners connect voxels."""
    parts, _ = label(mask, np.ones((3,) * mask.ndim))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return binary_fill_holes((sizes == sizes.max())[parts])


def _outline_features(mask, spacing_mm):
    """Return the features of a solid part in the plane or in space that do not need its mesh."""
    inside, outside = outline_faces(mask)
    voxel = spacing_mm.prod()
    n_voxels = np.count_nonzero(mask)
    if mask.ndim == 3:
        radius = (3 * n_voxels * voxel / (4 * math.pi)) ** (1 / 3)
    else:
        radius = math.sqrt(n_voxels * voxel / math.pi)
    depths, n_hull = _hull_depths(mask, inside, outside, spacing_mm)
    areas = voxel / np.abs((outside - inside) @ spacing_mm)
    is_deep = np.zeros(mask.shape, bool)
    is_deep[tuple(inside[depths > _LEAST * radius].T)] = True
    return [
        1 - n_voxels / n_hull,  # ConvexityDeficit
        depths.max(),  # LargestConcavityDepth
        (areas @ depths) / areas.sum() / radius,  # MeanConcavityDepth
        label(is_deep, np.ones((3,) * mask.ndim))[1],  # NumberOfConcavities
        depths.max() / radius,  # RelativeConcavityDepth
        *_radial_features(mask, inside, outside, spacing_mm),
    ]


def _hull_depths(mask, inside, outside, spacing_mm):
    """Return how deep the voxel inside each face lies under the hull, in mm, and the number of voxels of the hull.

    The hull is that of voxel centres. The depth is 0 where the voxel outside is not in it either.
    """
    positions = np.unique(inside, axis=0) * spacing_mm
    walls, flats = _hull(positions)
    tolerance = _TOLERANCE * np.ptp(positions, axis=0).max()
    is_hull = _filled(np.concatenate([walls, flats, -flats]), mask.shape, spacing_mm, tolerance) | mask
    depths = np.zeros(len(inside))
    for faces in _chunks(np.flatnonzero(is_hull[tuple(outside.T)]), len(walls)):
        heights = inside[faces] * spacing_mm @ walls[:, :-1].T + walls[:, -1]  # (faces, walls), <= 0
        depths[faces] = np.maximum(-heights.max(axis=1), 0)
    return depths, np.count_nonzero(is_hull)


def _chunks(rows, n_columns):
    """Return rows in parts whose table with so many columns is small."""
    return np.array_split(rows, len(rows) * n_columns // _LARGEST_TABLE + 1) if len(rows) else []


def _hull(points):
    """Return the facets of the convex hull of points (n, n_axes) in the space that they span, and that space.

    Both are rows (normal, offset): normal @ x + offset is <= 0 inside a facet, and 0 for all points of the space.
    """
    center = points.mean(axis=0)
    padded = np.concatenate([points - center, np.zeros((points.shape[1],) * 2)])  # for all axes of few points too
    _, lengths, axes = np.linalg.svd(padded, full_matrices=False)
    rank = np.count_nonzero(lengths > 1e-9 * max(lengths[0], 1e-30))
    spanned = (points - center) @ axes[:rank].T
    if rank == 0:
        facets = np.empty((0, 1))
    elif rank == 1:
        facets = np.array([[1, -spanned.max()], [-1, spanned.min()]])
    else:
        facets = ConvexHull(spanned).equations
    normals = facets[:, :-1] @ axes[:rank]
    walls = np.column_stack([normals, facets[:, -1] - normals @ center])
    flats = np.column_stack([axes[rank:], -axes[rank:] @ center])
    return walls, flats


def _filled(walls, shape, spacing_mm, tolerance):
    """Return the voxels whose centres lie inside all walls: bool of a shape.

    Each wall ends the rows along the last axis: x <= end where its normal points to larger x, and x >= end elsewhere.
    """
    *places, x = np.ix_(*[np.arange(size) * step for size, step in zip(shape, spacing_mm, strict=True)])
    rows = np.stack(np.broadcast_arrays(*[place[..., 0] for place in places]), axis=-1).reshape(-1, len(shape) - 1)
    along = walls[:, -2]
    rising, falling = along > 1e-12, along < -1e-12
    parts = []
    for part in _chunks(rows, len(walls)):
        height = part @ walls[:, :-2].T + walls[:, -1]  # (rows, walls), at x = 0
        last = ((tolerance - height[:, rising]) / along[rising]).min(axis=1, initial=np.inf)
        first = ((tolerance - height[:, falling]) / along[falling]).max(axis=1, initial=-np.inf)
        is_crossed = (height[:, ~(rising | falling)] <= tolerance).all(axis=1)
        parts.append(is_crossed[:, None] & (x.ravel() >= first[:, None]) & (x.ravel() <= last[:, None]))
    return np.concatenate(parts).reshape(shape)


def _radial_features(mask, inside, outside, spacing_mm):
    """Return the features of the distances of the outline from the centre of mass."""
    center = np.argwhere(mask).mean(axis=0) * spacing_mm
    offsets = (inside + outside) / 2 * spacing_mm - center  # (n_faces, n_axes)
    distances = np.linalg.norm(offsets, axis=1)
    steps = (outside - inside) * spacing_mm
    heights = np.maximum((offsets * steps).sum(axis=1), 0) / (steps**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        angles = spacing_mm.prod() * heights / distances**mask.ndim
    half = math.pi * (mask.ndim - 1)  # of the whole angle: no face fills more, and one through the centre that much
    weights = np.fmin(angles, half)
    weights /= weights.sum()
    mean = weights @ distances
    bins = np.minimum(np.floor(np.round(distances / distances.max() * _N_BINS, 9)).astype(int), _N_BINS - 1)
    shares = np.bincount(bins, weights)
    shares = shares[shares > 0]
    return [
        _n_protrusions(mask, inside, center, spacing_mm, mean),  # NumberOfProtrusions
        weights @ np.maximum(distances - mean, 0) / mean,  # RadialAreaRatio
        abs(shares @ np.log2(shares)),  # RadialEntropy
        _roughness(offsets, distances, weights) / mean,  # RadialRoughness
        math.sqrt(weights @ (distances - mean) ** 2) / mean,  # RadialVariation
        distances.max() / mean - 1,  # RelativeProtrusionHeight
    ]


def _n_protrusions(mask, inside, center, spacing_mm, mean):
    """Count the parts of the outline beyond the mean distance that reach 5 % farther, by the centres of voxels.

    Centres of the voxels of a ball lie within its radius, so that voxels make no protrusions.
    """
    distances = np.zeros(mask.shape)
    distances[tuple(inside.T)] = np.linalg.norm(inside * spacing_mm - center, axis=1)
    parts, n_parts = label(distances > mean * (1 + _TOLERANCE), np.ones((3,) * mask.ndim))
    return np.count_nonzero(maximum(distances, parts, np.arange(1, n_parts + 1)) > (1 + _LEAST) * mean)


def _roughness(offsets, distances, weights):
    """Return the SD of the distances around their best polynomial of `_SMOOTH_DEGREE` in the direction.

    On the unit sphere polynomials of the two highest degrees make up all the lower ones.
    """
    directions = offsets / np.maximum(distances, 1e-12)[:, None]
    powers = directions[:, :, None] ** np.arange(_SMOOTH_DEGREE + 1)  # (n_faces, n_axes, degree)
    exponents = np.indices((_SMOOTH_DEGREE + 1,) * offsets.shape[1]).reshape(offsets.shape[1], -1).T
    exponents = exponents[np.isin(exponents.sum(axis=1), [_SMOOTH_DEGREE - 1, _SMOOTH_DEGREE])]
    terms = np.stack([powers[:, np.arange(len(exponent)), exponent].prod(axis=1) for exponent in exponents], axis=1)
    roots = np.sqrt(weights)
    fitted = terms @ np.linalg.lstsq(terms * roots[:, None], distances * roots, rcond=1e-10)[0]
    return math.sqrt(weights @ (distances - fitted) ** 2)


def _fourier_factor(plane, spacing_mm):
    outline = max(find_contours(plane, 0.5, fully_connected="high"), key=len) * spacing_mm
    return float(fourier_factor(outline[:, 1] + 1j * outline[:, 0]))


def fourier_factor(corners):
    """Return the Fourier factor of a closed polygon, complex (n + 1,), the last corner again the first."""
    sides = np.diff(corners)
    lengths = np.abs(sides)
    ends = np.concatenate([[0], np.cumsum(lengths)]) * 2 * math.pi / lengths.sum()
    orders = np.concatenate([-np.arange(1, _N_HARMONICS + 1), np.arange(1, _N_HARMONICS + 1)])
    waves = np.exp(-1j * np.outer(orders, ends))
    sizes = np.abs(np.diff(waves, axis=1) @ (sides / lengths)) / orders**2  # to a factor, which cancels
    return 1 - (sizes / np.abs(orders)).sum() / sizes.sum()
