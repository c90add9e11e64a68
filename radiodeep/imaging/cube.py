"""Case -> array: the cube about a lesion that a network for volumes is shown."""

import numpy as np
from skimage.transform import resize

from radiodeep.cases.memory import check_image_size
from radiodeep.exceptions import InputError
from radiodeep.imaging.crop import WINDOWS, bounding_box, crop_to_roi
from radiodeep.imaging.intensity import scale_to_range, without_gaps
from radiodeep.imaging.sampling import part_to_show, warn_of_lost_rim


def cube_about(case, size, spacing_mm=1.0):
    """Return a cube of the image about the centre of the region's bounding box.

    Where parts of the region are so far from each other that less than half of it would be seen, the largest part is
    in the centre. Intensities are interpolated linearly along all three axes, without smoothing first, as the networks
    do it whose cubes these are. Beyond the image its outermost voxels are repeated; a region larger than the cube
    loses its rim. NaN outside the region is taken for the region's smallest value.

    Parameters
    ----------
    case : Case
        Of more than one slice.
    size : int
        Voxels along every side.
    spacing_mm : float, default=1.0
        Distance of their centres.

    Returns
    -------
    float32 ndarray of shape (size, size, size), axes (z, y, x)
        In the unit of the image. Its centre, between the middle voxels if `size` is even, is that of the box.

    Raises
    ------
    InputError
        A size or spacing that makes no cube, an image of one slice, or any problem of the image.

    Warns
    -----
    RadiodeepWarning
        The cube shows less than 95 % of the region.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.cube import cube_about
    >>> cube_about(make_phantom_cohort(1, random_state=0)[0], 50).shape
    (50, 50, 50)
    """
    _check_size(size)
    if not (np.isscalar(spacing_mm) and np.isfinite(spacing_mm) and spacing_mm > 0):
        raise InputError(f"The 'spacing_mm' of a cube must be a float > 0. Got {spacing_mm!r} instead.")
    loaded = without_gaps(case.in_memory(), None)
    if loaded.voxels.shape[0] == 1:
        raise InputError(f"{case.id}: an image of one slice has no cube. Take a network for two-dimensional images.")
    spans, share = _spans_to_show(loaded, size * spacing_mm)
    warn_of_lost_rim(case.id, share, "'size'")
    return _sampled(loaded.voxels, loaded.spacing_mm, spans, size, spacing_mm)


def lesion_cube(case, window="exact", size=32, intensity_range=None):
    """Return a cube about a lesion with intensities of 0..1.

    Parameters
    ----------
    case : Case
    window : {"exact", "crop"}, default="exact"
        The region's box warped to the cube, or `cube_about` it with the smaller step of the image in x and y along
        every axis.
    size : int, default=32
        Side of the cube in voxels.
    intensity_range : None, "minmax" or (low, high), default=None
        Intensities mapped to 0 and 1. None: from the 1st to the 99th percentile of the cube, or of the region in it
        if that reaches further. "minmax": its smallest and its largest. NaN outside the region is shown as `low`, or
        as the smallest of the region.

    Returns
    -------
    float32 ndarray of shape (size, size, size)

    Raises
    ------
    InputError
        An unknown window, a size that makes no cube, or any problem of the image.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.cube import lesion_cube
    >>> cube = lesion_cube(make_phantom_cohort(1, random_state=0)[0], "crop", 24)
    >>> cube.shape, float(cube.min()), float(cube.max())
    ((24, 24, 24), 0.0, 1.0)
    """
    if window not in WINDOWS:
        raise InputError(f"The 'window' must be one of {', '.join(WINDOWS)}. Got {window!r} instead.")
    _check_size(size)
    loaded = without_gaps(case.in_memory(), intensity_range)
    if window == "exact":
        box = crop_to_roi(loaded)
        cube, shares = resize_cube(box.voxels, size), resize_cube(box.roi, size)
    else:
        step = min(loaded.spacing_mm[1:])
        cube = cube_about(loaded, size, step)
        shares = _sampled(loaded.roi, loaded.spacing_mm, _spans_to_show(loaded, size * step)[0], size, step)
    return scale_to_range(cube, intensity_range, shares >= 0.5)


def share_in_cube(case, size, spacing_mm=None):
    """Return which share of a region a cube about it shows: `cube_about`, or `lesion_cube` if there is no spacing.

    Parameters
    ----------
    case : Case
    size : int
    spacing_mm : float, optional

    Returns
    -------
    float
    """
    loaded = case.in_memory()
    return _spans_to_show(loaded, size * (min(loaded.spacing_mm[1:]) if spacing_mm is None else spacing_mm))[1]


def resize_cube(image, size):
    """Resize an array of shape (z, y, x) to `size` x `size` x `size`, linearly, as float32."""
    voxels = image.astype(np.float32)
    if voxels.shape == (size,) * 3:
        return voxels
    shrinks = size < max(voxels.shape)
    return resize(voxels, (size,) * 3, order=1, mode="edge", anti_aliasing=shrinks).astype(np.float32)


def _check_size(size):
    if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
        raise InputError(f"The 'size' of a cube must be an int >= 1. Got {size!r} instead.")
    check_image_size((size,) * 3, f"A cube of size={size}", "Use a smaller size.")


def _spans_to_show(case, side_mm):
    """Return the slices (z, y, x) of the box that a cube is centred on, and the share of the region in it."""
    box = bounding_box(case.roi)

    def ends_about(mask):
        middles = [
            (span.start + span.stop) / 2 * step for span, step in zip(bounding_box(mask), case.spacing_mm, strict=True)
        ]
        return [(middle - side_mm / 2, middle + side_mm / 2) for middle in middles]

    part, share = part_to_show(case.roi[box], case.spacing_mm, ends_about)
    shown = zip(bounding_box(part), box, strict=True)
    return [slice(whole.start + span.start, whole.start + span.stop) for span, whole in shown], share


def _sampled(array, spacing_mm, spans, size, step_mm):
    """Return the cube of `size` voxels of `step_mm` about the centre of a box, interpolated linearly, as float32."""
    offsets_mm = (np.arange(size) - (size - 1) / 2) * step_mm
    for axis, (span, step) in enumerate(zip(spans, spacing_mm, strict=True)):
        places = (span.start + span.stop - 1) / 2 + offsets_mm / step
        array = _interpolated(array, axis, np.clip(places, 0, array.shape[axis] - 1))
    return array.astype(np.float32)


def _interpolated(array, axis, places):
    """Return an array's values at `places` (voxels) along one axis, linear between two of them."""
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, array.shape[axis] - 1)
    share = np.expand_dims(places - below, [other for other in range(3) if other != axis])
    return array.take(below, axis) * (1 - share) + array.take(above, axis) * share
