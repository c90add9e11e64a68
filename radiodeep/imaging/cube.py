"""Case -> array: the cube about a lesion that a network for volumes sees."""

import numpy as np
from skimage.transform import resize

from radiodeep.exceptions import InputError
from radiodeep.imaging.crop import bounding_box, crop_to_roi
from radiodeep.imaging.intensity import fill_gaps, scale_to_range
from radiodeep.imaging.sampling import centred_region, warn_of_cut_region


def cube_about(case, size, spacing_mm=1.0):
    """Return a cube of the image about the centre of the region's bounding box, in the unit of the image.

    If the cube would show less than half of a region of several parts, it is centred on the largest part. Intensities
    are interpolated linearly along all three axes and not smoothed first, as they were for the networks that take
    these cubes. Beyond the image its outermost voxels are repeated. NaN outside the region becomes the minimum of the
    region.

    Settings are not checked here: `NetworkView.for_network` checks those of estimators.

    Parameters
    ----------
    case : Case
        With more than one slice.
    size : int
        Voxels along every side.
    spacing_mm : float, default=1.0
        Distance of their centres.

    Returns
    -------
    float32 ndarray of shape (size, size, size), axes (z, y, x)
        The centre of the array is the centre of the box, which lies between two voxels if `size` is even.

    Raises
    ------
    InputError
        If the image has one slice, or for any problem of the image.

    Warns
    -----
    RadiodeepWarning
        If the cube shows less than 95 % of the region.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.cube import cube_about
    >>> cube_about(make_phantom_cohort(1, random_state=0)[0], 50).shape
    (50, 50, 50)
    """
    loaded = fill_gaps(case.in_memory(), None)
    if loaded.voxels.shape[0] == 1:
        raise InputError(f"{case.id}: an image of one slice has no cube. Use a network for two-dimensional images.")
    box, share = _box_to_show(loaded, size * spacing_mm)
    warn_of_cut_region(case.id, share, "'size'")
    return _sampled(loaded.voxels, loaded.spacing_mm, box, size, spacing_mm)


def lesion_cube(case, window="exact", size=32, intensity_range=None):
    """Return a cube about a lesion with intensities of 0..1.

    Parameters
    ----------
    case : Case
    window : {"exact", "crop"}, default="exact"
        "exact" warps the bounding box of the region to the cube. "crop" is `cube_about` the region, with the shorter
        side of the image's pixels along every axis.
    size : int, default=32
        Side of the cube in voxels.
    intensity_range : None, "minmax" or (low, high), default=None
        Intensities mapped to 0 and 1. None: the 1st and the 99th percentile of the cube, or of the region in it if
        that reaches further. "minmax": its minimum and maximum. NaN outside the region becomes `low`, or the minimum
        of the region.

    Returns
    -------
    float32 ndarray of shape (size, size, size)

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.cube import lesion_cube
    >>> cube = lesion_cube(make_phantom_cohort(1, random_state=0)[0], "crop", 24)
    >>> cube.shape, float(cube.min()), float(cube.max())
    ((24, 24, 24), 0.0, 1.0)
    """
    loaded = fill_gaps(case.in_memory(), intensity_range)
    if window == "exact":
        box = crop_to_roi(loaded)
        cube = resize_cube(box.voxels, size)
        region = resize_cube(box.roi, size)
    else:
        step = min(loaded.spacing_mm[1:])
        cube = cube_about(loaded, size, step)
        region = _sampled(loaded.roi, loaded.spacing_mm, _box_to_show(loaded, size * step)[0], size, step)
    return scale_to_range(cube, intensity_range, region >= 0.5)


def share_in_cube(case, size, spacing_mm=None):
    """Return the share of a region that a crop shows: of `cube_about`, or of `lesion_cube` without a spacing."""
    loaded = case.in_memory()
    return _box_to_show(loaded, size * (min(loaded.spacing_mm[1:]) if spacing_mm is None else spacing_mm))[1]


def resize_cube(image, size):
    """Resize an array of shape (z, y, x) to `size` x `size` x `size`, linearly, as float32."""
    voxels = image.astype(np.float32)
    if voxels.shape == (size,) * 3:
        return voxels
    shrinks = size < max(voxels.shape)
    return resize(voxels, (size,) * 3, order=1, mode="edge", anti_aliasing=shrinks).astype(np.float32)


def _box_to_show(case, side_mm):
    """Return the box (z, y, x), as slices, that a cube is centred on, and the share of the region in the cube."""
    box = bounding_box(case.roi)

    def ends_about(mask):
        centres = [
            (span.start + span.stop) / 2 * step for span, step in zip(bounding_box(mask), case.spacing_mm, strict=True)
        ]
        return [(centre - side_mm / 2, centre + side_mm / 2) for centre in centres]

    region, share = centred_region(case.roi[box], case.spacing_mm, ends_about)
    inner = zip(bounding_box(region), box, strict=True)
    return [slice(outer.start + span.start, outer.start + span.stop) for span, outer in inner], share


def _sampled(array, spacing_mm, box, size, step_mm):
    """Return the cube of `size` voxels of `step_mm` about the centre of a box, interpolated linearly, as float32."""
    offsets_mm = (np.arange(size) - (size - 1) / 2) * step_mm
    for axis, (span, step) in enumerate(zip(box, spacing_mm, strict=True)):
        places = (span.start + span.stop - 1) / 2 + offsets_mm / step
        array = _interpolated(array, axis, np.clip(places, 0, array.shape[axis] - 1))
    return array.astype(np.float32)


def _interpolated(array, axis, places):
    """Return the values of an array at `places` (in voxels) along one axis, linear between two voxels."""
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, array.shape[axis] - 1)
    share = np.expand_dims(places - below, [other for other in range(3) if other != axis])
    return array.take(below, axis) * (1 - share) + array.take(above, axis) * share
