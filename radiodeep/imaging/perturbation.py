"""Lesion -> the lesion after a small change of outline, position or noise, which robust features tolerate."""

import numpy as np
from scipy import ndimage
from skimage.restoration import estimate_sigma

from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.checks import is_finite, is_number, require, require_option
from radiodeep.exceptions import EmptyMaskError, PerturbationError
from radiodeep.imaging.crop import bounding_box

OUTLINE_KINDS = ("grow", "shrink", "dilate", "erode")
INTERPOLATED_KINDS = ("translate", "rotate")
KINDS = (*OUTLINE_KINDS, *INTERPOLATED_KINDS, "noise")
_LEAST_SLOPE = 0.8  # lower bound of the slope by which a smoothed distance is divided, which is 0 in thin parts
_TIE_MM = 1e-6  # smaller differences between distances are rounding


def perturb(case, kind, amount, margin_mm=20.0, random_state=0):
    """Change a lesion a little.

    Parameters
    ----------
    case : Lesion or Case
    kind : {"grow", "shrink", "dilate", "erode", "translate", "rotate", "noise"}
        "grow" and "shrink" change the volume of the region, or its area in an image of one slice; "dilate" and
        "erode" move its outline outwards and inwards. "translate" and "rotate" move image and region within the
        slices, or turn them about the centre of the region. "noise" adds Gaussian noise to the image.
    amount : float
        Fraction of the volume for "grow" and "shrink", mm for "dilate" and "erode", fraction of a voxel along both
        axes of the slices for "translate", degrees for "rotate", and multiples of the noise in the image for "noise".
        Only "translate" and "rotate" take negative amounts. 0 changes nothing.
    margin_mm : float, default=20
        Distance from the region up to which the image is moved, or noise added. The image beyond stays unchanged, so
        that features of the whole image still see all of it.
    random_state : int, default=0
        For the noise, and for the choice among voxels at the same distance from the outline. Random numbers also
        depend on the voxels and the region, so that cases differ, but not on the id.

    Returns
    -------
    Lesion or Case
        As given, in memory, with the same shape and type of voxels.

    Raises
    ------
    InputError
        Unknown kind, or an amount out of range.
    EmptyMaskError
        No voxel of the region is left.
    PerturbationError
        No voxel changed although `amount` is not 0, e.g. if an outline moves by much less than a voxel; the image has
        no room for the region to grow; or the region is the whole image, so that its outline is unknown.

    Notes
    -----
    Outlines move with sub-voxel precision, see `outline_distance`. Images are interpolated by cubic B-splines and
    clipped to the range of intensities about the region; integer images are rounded. The moved or turned region is
    where its linearly interpolated mask is at least one half.

    Interpolation smooths. Of the power of white noise along each axis, a translation by a quarter or three quarters of
    a voxel keeps 87 %, a rotation 87.5 % (all fractions occur), and a translation by half a voxel 76 %. So compare
    translations by 0.25 and 0.75 and rotations with each other, not with the original.

    References
    ----------
    Zwanenburg et al., Assessing robustness of radiomic features by image perturbation, Scientific
    Reports 9 (2019) 614. Noise: Donoho, Johnstone, Ideal spatial adaptation by wavelet shrinkage, 1994.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.perturbation import perturb
    >>> case = make_phantom_cohort(1, random_state=0)[0]
    >>> [round(perturb(case, kind, 0.15).roi_size_mm / case.roi_size_mm, 2) for kind in ("grow", "shrink")]
    [1.15, 0.85]
    >>> perturb(case, "dilate", 0.0001)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.PerturbationError: phantom-000: 'dilate' by 0.0001 changes no voxel. ...
    """
    check_perturbation(kind, amount)
    require(is_number(margin_mm) and margin_mm >= 0, "perturb", "margin_mm", "a float >= 0", margin_mm)
    loaded = case.in_memory()
    if amount == 0:
        return loaded
    voxels, roi, spacing_mm = loaded.read()
    if kind in OUTLINE_KINDS and roi.all():
        raise PerturbationError(
            f"{case.id}: the region is the whole image, so its outline is unknown and '{kind}' cannot move it. "
            "Keep more of the image."
        )
    if kind in ("grow", "shrink"):
        roi = _resized(roi, spacing_mm, kind, amount, _generator(loaded, random_state), case.id)
    elif kind in ("dilate", "erode"):
        roi = _moved_outline(roi, spacing_mm, amount if kind == "dilate" else -amount)
    elif kind == "noise":
        voxels = _noisy(voxels, roi, spacing_mm, amount, margin_mm, _generator(loaded, random_state))
    else:
        voxels, roi = _moved(voxels, roi, spacing_mm, kind, amount, margin_mm)
    if not roi.any():
        raise EmptyMaskError(f"{case.id}: nothing of the region is left after '{kind}' by {amount:g}. Perturb by less.")
    if voxels is loaded.voxels and roi is loaded.roi:
        raise PerturbationError(
            f"{case.id}: '{kind}' by {amount:g} changes no voxel. Perturb by more; 'grow' and 'shrink' are given by "
            "volume, whatever the size of the voxels."
        )
    return loaded.replace(image=voxels, mask=roi)


def outline_distance(roi, spacing_mm):
    """Return the distance in mm of each voxel centre from the outline of a region: negative inside, positive outside.

    `roi` (z, y, x) has voxels inside and outside. A mask is a staircase, and each voxel centre is at least half a voxel
    away from it. The outline that was drawn passed somewhere between the centres inside and outside; where, is
    estimated from the neighbourhood. The signed distance to the nearest voxel of the other side is smoothed over one
    voxel, divided by its slope (which stairs and anisotropic voxels change), and shifted so that the number of voxels
    inside stays the same. Where this would move a centre to the other side, which contradicts the mask, the outline is
    put just short of that centre. For balls of 6 to 30 mm the root mean square error within 2 mm of the surface is at
    most 0.12 voxels.
    """
    is_flat = [size == 1 for size in roi.shape]
    steps = [step for step, flat in zip(spacing_mm, is_flat, strict=True) if not flat]
    half = min(steps) / 2  # between the last centre inside and the outline
    outwards = ndimage.distance_transform_edt(~roi, sampling=spacing_mm) - half
    inwards = ndimage.distance_transform_edt(roi, sampling=spacing_mm) - half
    distance = np.where(roi, -inwards, outwards)
    distance = ndimage.gaussian_filter(distance, [0 if flat else 1 for flat in is_flat], mode="nearest", truncate=3)
    squares = [np.gradient(distance, step, axis=axis) ** 2 for axis, step in enumerate(spacing_mm) if not is_flat[axis]]
    distance /= np.maximum(np.sqrt(sum(squares)), _LEAST_SLOPE)
    n_inside = np.count_nonzero(roi)
    last_inside, first_outside = np.partition(distance, [n_inside - 1, n_inside], axis=None)[
        n_inside - 1 : n_inside + 1
    ]
    distance -= (last_inside + first_outside) / 2
    nearest = min(steps) / 1000
    return np.where(roi, np.minimum(distance, -nearest), np.maximum(distance, nearest))


def check_perturbation(kind, amount):
    """Raise `InputError` for an unknown kind, or an amount out of its range."""
    require_option(kind, KINDS, "perturb", "kind")
    lowest = -np.inf if kind in INTERPOLATED_KINDS else 0
    highest = 1 if kind == "shrink" else np.inf
    limits = {"shrink": " >= 0 and < 1", "translate": "", "rotate": ""}.get(kind, " >= 0")
    is_within = is_finite(amount) and lowest <= amount < highest
    require(is_within, "perturb", "amount", f"a finite float{limits} for '{kind}'", amount)


def _generator(case, random_state):
    """Return a generator seeded by the content of a case, since cases of the same content share rows in the cache."""
    return np.random.default_rng([random_state, int(case.content_hash(), 16)])


def _box_within(roi, spacing_mm, reach_mm, n_voxels=0):
    """Return the box of the region widened by `reach_mm` and by `n_voxels` more, within the image."""
    reach_mm = np.broadcast_to(reach_mm, 3)
    margins = [int(np.ceil(reach / step)) + n_voxels for reach, step in zip(reach_mm, spacing_mm, strict=True)]
    return bounding_box(roi, margins)


def _pasted(array, box, values):
    """Return a copy of an array with new values in a box; the array itself if the values are the same."""
    if np.array_equal(array[box], values):
        return array
    changed = array.copy()
    changed[box] = values
    return changed


def _moved_outline(roi, spacing_mm, outwards_mm):
    """Return the region whose outline is `outwards_mm` further out, or in if that is negative."""
    box = _box_within(roi, spacing_mm, max(outwards_mm, 0), n_voxels=3)
    return _pasted(roi, box, outline_distance(roi[box], spacing_mm) <= outwards_mm)


def _resized(roi, spacing_mm, kind, fraction, rng, case_id):
    """Add the voxels outside that are nearest to the outline, or remove those inside, by a fraction of the volume.

    Only a box about the region is examined. By the Brunn-Minkowski inequality, a body grows to a given volume by a rim
    at most as wide as that of the ball of its volume; as voxels are coarse, the box is doubled until enough voxels are
    found.
    """
    n_inside = np.count_nonzero(roi)
    n_changed = round(fraction * n_inside)
    grows = kind == "grow"
    if n_changed > (roi.size - n_inside if grows else n_inside - 1):
        raise PerturbationError(
            f"{case_id}: '{kind}' by {fraction:g} changes {n_changed} voxels. The region has {n_inside} of "
            f"{roi.size} voxels of the image. Change it by less, or keep more of the image."
        )
    if n_changed == 0:
        return roi
    ball_mm = (3 / (4 * np.pi) * n_inside * np.prod(spacing_mm)) ** (1 / 3)
    reach_mm = ball_mm * ((1 + fraction) ** (1 / 3) - 1) + max(spacing_mm)
    while True:
        box = _box_within(roi, spacing_mm, reach_mm if grows else 0, n_voxels=3)
        changed = roi[box].copy()
        distance = np.abs(outline_distance(changed, spacing_mm))
        limit_mm = reach_mm if grows and changed.shape != roi.shape else np.inf
        chosen = _nearest(distance, (changed != grows) & (distance <= limit_mm), n_changed, rng)
        if len(chosen) == n_changed:
            changed.flat[chosen] = grows
            return _pasted(roi, box, changed)
        reach_mm *= 2


def _nearest(distance, candidates, n_chosen, rng):
    """Return the flat indices of the candidates with the smallest distances, chosen at random among equal ones."""
    indices = np.flatnonzero(candidates)
    if len(indices) < n_chosen:
        return indices
    keys = np.round(distance.flat[indices] / _TIE_MM)
    last = np.partition(keys, n_chosen - 1)[n_chosen - 1]
    nearer, equal = indices[keys < last], indices[keys == last]
    return np.append(nearer, rng.permutation(equal)[: n_chosen - len(nearer)])


def _noisy(voxels, roi, spacing_mm, amount, margin_mm, rng):
    """Add noise about the region, relative to the noise estimated in the slice with most of the region."""
    box = _box_within(roi, spacing_mm, margin_mm)
    image = _finite(voxels, roi, box)
    axis = acquisition_axis(roi.shape, spacing_mm)
    in_plane = tuple(other for other in range(3) if other != axis)
    largest = image.take(int(np.argmax(roi[box].sum(axis=in_plane))), axis)
    if largest.min() == largest.max():  # so that there is no noise to estimate
        return voxels
    noise = rng.normal(0.0, amount * float(estimate_sigma(largest)), image.shape)
    return _pasted(voxels, box, _of_type(image + noise, voxels.dtype))


def _moved(voxels, roi, spacing_mm, kind, amount, margin_mm):
    """Translate or rotate image and region within `margin_mm` of the region."""
    axis = acquisition_axis(roi.shape, spacing_mm)
    in_plane = [other for other in range(3) if other != axis]
    steps = np.array([spacing_mm[other] for other in in_plane])
    angle = np.deg2rad(amount) if kind == "rotate" else 0.0
    sizes = [(side.stop - side.start) * step for side, step in zip(bounding_box(roi), spacing_mm, strict=True)]
    farthest = np.hypot(*(sizes[other] for other in in_plane)) + margin_mm  # from the centre of rotation
    reach_mm = np.full(3, float(margin_mm))
    reach_mm[in_plane] += 2 * abs(np.sin(angle / 2)) * farthest if kind == "rotate" else abs(amount) * steps
    box = _box_within(roi, spacing_mm, reach_mm, n_voxels=1)
    image, region = np.moveaxis(_finite(voxels, roi, box), axis, 0), np.moveaxis(roi[box], axis, 0)
    matrix, offset = np.eye(2), np.full(2, float(amount))
    if kind == "rotate":
        centre = np.array(ndimage.center_of_mass(region)[1:])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn * steps / steps[:, np.newaxis]
        offset = centre - matrix @ centre
    low, high = image.min(), image.max()
    image = [ndimage.affine_transform(plane, matrix, offset, order=3, mode="nearest") for plane in image]
    region = [
        ndimage.affine_transform(plane.astype(float), matrix, offset, order=1) >= 0.5 if plane.any() else plane
        for plane in region
    ]
    image, region = np.moveaxis(np.clip(image, low, high), 0, axis), np.moveaxis(np.array(region), 0, axis)
    return _pasted(voxels, box, _of_type(image, voxels.dtype)), _pasted(roi, box, region)


def _finite(voxels, roi, box):
    """Return the image in a box as float64, non-finite voxels replaced by the lowest intensity of the region."""
    image = voxels[box].astype(np.float64)
    gaps = ~np.isfinite(image)
    if gaps.any():
        image[gaps] = voxels[roi].min()
    return image


def _of_type(image, dtype):
    """Return an image in double precision as another type; for integers rounded, and clipped to their range."""
    if dtype.kind not in "iu":
        return image.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(image), limits.min, limits.max).astype(dtype)
