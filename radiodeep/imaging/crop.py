"""Case -> Case: the region's box, its largest slice, and square windows about it."""

import numpy as np
from skimage.transform import resize

from radiodeep.cases.memory import check_image_size
from radiodeep.exceptions import InputError

WINDOWS = ("exact", "crop")


def crop_to_roi(case, margin_mm=0.0):
    """Crop a case to the box about its region of interest.

    Parameters
    ----------
    case : Case
    margin_mm : float, default=0
        Kept around the box on every side, rounded up to whole voxels and ended at the image's border.

    Returns
    -------
    Case
        In memory.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.crop import crop_to_roi
    >>> crop_to_roi(make_phantom_cohort(1, random_state=0)[0]).voxels.shape
    (14, 23, 22)
    """
    if not margin_mm >= 0:
        raise InputError(f"The 'margin_mm' parameter must be a float >= 0. Got {margin_mm!r} instead.")
    loaded = case.in_memory()
    margins = [int(np.ceil(margin_mm / step)) for step in loaded.spacing_mm]
    box = bounding_box(loaded.roi, margins)
    return loaded.replace(image=loaded.voxels[box], mask=loaded.roi[box])


def largest_slice(case):
    """Return the slice (along z) with the most voxels of the region, as a case of shape (1, y, x).

    Of equal slices the first is taken.
    """
    loaded = case.in_memory()
    z = int(np.argmax(loaded.roi.sum(axis=(1, 2))))
    return loaded.replace(image=loaded.voxels[z : z + 1], mask=loaded.roi[z : z + 1])


def exact_window(case, size):
    """Warp the region's bounding box in every slice to `size` x `size` pixels.

    The extent can still be told afterwards: a small box is enlarged more and looks smoother than a large one.

    Intensities are interpolated linearly (smoothed first where they shrink), the mask takes the nearest
    voxel. A box one pixel wide is as wide as the square afterwards.

    Parameters
    ----------
    case : Case
    size : int
        Side of the square in pixels.

    Returns
    -------
    Case
        Shape (z, size, size), float32; `spacing_mm` is what a new pixel covers.
    """
    check_window_size(size)
    loaded = case.in_memory()
    box = bounding_box(loaded.roi)
    image, mask = warp_to_square(loaded.voxels[box], loaded.roi[box], size)
    step_z, *steps = loaded.spacing_mm
    in_plane = (step * (span.stop - span.start) / size for step, span in zip(steps, box[1:], strict=True))
    return loaded.replace(image=image, mask=mask, spacing_mm=(step_z, *in_plane))


def crop_window(case, size, about=None):
    """Cut `size` x `size` pixels about the centre of the region's box in every slice.

    Beyond the image's border its outermost pixels are repeated. A region larger than the window
    loses its rim.

    Parameters
    ----------
    case : Case
    size : int
        Side of the square in pixels.
    about : bool ndarray of shape (y, x), optional
        The part of the region whose box is in the centre; by default all of it.

    Returns
    -------
    Case
        Shape (z, size, size).
    """
    check_window_size(size)
    loaded = case.in_memory()
    firsts = first_pixels(loaded.roi.any(axis=0) if about is None else about, size)
    image, mask = cut_square(loaded.voxels, loaded.roi, firsts, size)
    return loaded.replace(image=image, mask=mask)


def warp_to_square(image, mask, size):
    """Resize planes (n, y, x) linearly, and their mask to the nearest pixel, to (n, size, size)."""
    nearest = [np.minimum((np.arange(size) + 0.5) * old / size, old - 1).astype(int) for old in mask.shape[1:]]
    return resize_planes(image, size), mask[:, nearest[0]][:, :, nearest[1]]


def cut_square(image, mask, firsts, size):
    """Cut `size` rows and columns from the given first ones out of planes and their mask (n, y, x).

    Beyond the border pixels are repeated, but the region is not.
    """
    for axis, first in enumerate(firsts, start=1):
        index = np.arange(first, first + size)
        inside = (index >= 0) & (index < image.shape[axis])
        index = np.clip(index, 0, image.shape[axis] - 1)
        image = image.take(index, axis=axis)
        mask = mask.take(index, axis=axis) & np.expand_dims(inside, [other for other in range(3) if other != axis])
    return image, mask


def first_pixels(mask, size):
    """Return the row and the column where the window of `size` pixels about the box of a mask (y, x) begins."""
    _, *box = bounding_box(mask[np.newaxis])
    return [(span.start + span.stop) // 2 - size // 2 for span in box]


def resize_planes(image, size):
    """Resize every plane of an array of shape (planes, y, x) to `size` x `size`, linearly, as float32."""
    planes = image.astype(np.float32)
    if planes.shape[1:] == (size, size):
        return planes
    shrinks = size < max(planes.shape[1:])
    return np.stack(
        [resize(plane, (size, size), order=1, mode="edge", anti_aliasing=shrinks) for plane in planes]
    ).astype(np.float32)


def bounding_box(mask, margins=(0, 0, 0)):
    """Return the slices (z, y, x) of the box about a mask, widened by `margins` voxels inside the array."""
    ends = []
    along_z = np.flatnonzero(mask.any(axis=(1, 2)))
    slab = mask[along_z[0] : along_z[-1] + 1].any(axis=0)  # (y, x)
    for hit in (along_z, np.flatnonzero(slab.any(axis=1)), np.flatnonzero(slab.any(axis=0))):
        ends.append((int(hit[0]), int(hit[-1]) + 1))
    return tuple(
        slice(max(first - margin, 0), min(stop + margin, size))
        for (first, stop), margin, size in zip(ends, margins, mask.shape, strict=True)
    )


def check_window_size(size):
    """Raise InputError for a side of a window that is not an int >= 1 or does not fit into memory."""
    if not isinstance(size, int | np.integer) or size < 1:
        raise InputError(f"The 'size' of a window must be an int >= 1. Got {size!r} instead.")
    check_image_size((size, size), f"A window of size={size}", "Use a smaller size.")
