"""Lesion -> lesion and array -> array: boxes about a region, and squares cut from slices or resized to a side."""

import numpy as np
from skimage.transform import resize

from radiodeep.checks import is_non_negative, require

WINDOWS = ("exact", "crop")


def crop_to_roi(case, margin_mm=0.0):
    """Crop a lesion or case to the bounding box of its region, and at least `margin_mm` around it within the image."""
    require(is_non_negative(margin_mm), "crop_to_roi", "margin_mm", "a float >= 0", margin_mm)
    loaded = case.in_memory()
    margins = [int(np.ceil(margin_mm / step)) for step in loaded.spacing_mm]
    box = bounding_box(loaded.roi, margins)
    return loaded.replace(image=loaded.voxels[box], mask=loaded.roi[box])


def warp_to_square(image, mask, size):
    """Resize slices (n, y, x) to (n, size, size): the image linearly, its mask to the nearest pixel."""
    rows, columns = (np.minimum((np.arange(size) + 0.5) * old / size, old - 1).astype(int) for old in mask.shape[1:])
    return resize_planes(image, size), mask[:, rows][:, :, columns]


def cut_square(image, mask, firsts, size):
    """Cut `size` rows and columns, from the given first ones on, out of slices (n, y, x) and their mask.

    Beyond the border of the image, pixels are repeated and the mask is False.
    """
    for axis, first in enumerate(firsts, start=1):
        index = np.arange(first, first + size)
        is_inside = (index >= 0) & (index < image.shape[axis])
        index = np.clip(index, 0, image.shape[axis] - 1)
        image = image.take(index, axis=axis)
        mask = mask.take(index, axis=axis) & np.expand_dims(is_inside, [other for other in range(3) if other != axis])
    return image, mask


def first_pixels(mask, size):
    """Return the first row and column of the window of `size` pixels about the box of a mask (y, x)."""
    _, *box = bounding_box(mask[np.newaxis])
    return [(span.start + span.stop) // 2 - size // 2 for span in box]


def resize_planes(image, size):
    """Resize every plane of an array of shape (n_planes, y, x) to `size` x `size`, linearly, as float32."""
    planes = image.astype(np.float32)
    if planes.shape[1:] == (size, size):
        return planes
    shrinks = size < max(planes.shape[1:])
    resized = [resize(plane, (size, size), order=1, mode="edge", anti_aliasing=shrinks) for plane in planes]
    return np.stack(resized).astype(np.float32)


def bounding_box(mask, margins=(0, 0, 0)):
    """Return the bounding box (z, y, x) of a mask as slices, widened by `margins` voxels within the array."""
    along_z = np.flatnonzero(mask.any(axis=(1, 2)))
    slab = mask[along_z[0] : along_z[-1] + 1].any(axis=0)  # (y, x)
    occupied = (along_z, np.flatnonzero(slab.any(axis=1)), np.flatnonzero(slab.any(axis=0)))
    return tuple(
        slice(max(int(index[0]) - margin, 0), min(int(index[-1]) + 1 + margin, size))
        for index, margin, size in zip(occupied, margins, mask.shape, strict=True)
    )
