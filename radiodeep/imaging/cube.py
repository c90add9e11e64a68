"""Case -> array: the cube about a lesion that a network for volumes sees."""

import numpy as np
from skimage.transform import resize

from radiodeep.exceptions import InputError
from radiodeep.imaging.crop import bounding_box
from radiodeep.imaging.intensity import fill_gaps, scale_intensities
from radiodeep.imaging.sampling import centred_region, warn_of_cut_region


def cube_about(case, size, spacing_mm=1.0):
    """Return the cube of `size` voxels of `spacing_mm` about the centre of the region's bounding box, as float32.

    If it would show less than half of a region of several parts, it is centred on the largest part. For an even `size`
    the centre lies between two voxels. Intensities keep their unit and have to be finite (see `fill_gaps`). They are
    interpolated linearly along all three axes and not smoothed first, as they were for the networks that take these
    cubes. Beyond the image its outermost voxels are repeated. Raise `InputError` for an image of one slice; warn if
    the cube shows less than 95 % of the region.
    """
    lesion = case.lesion()
    return _sampled(lesion.voxels, lesion.spacing_mm, _box_of_cube(lesion, size, spacing_mm), size, spacing_mm)


def lesion_cube(case, window="exact", size=32, intensity_range=None, margin=0.0):
    """Return a cube about a lesion with intensities of 0..1, float32 of shape (size, size, size).

    The window "exact" warps the bounding box of the region to the cube, widened on every side by `margin`, a share of
    that side that is rounded up to whole voxels, within the image. "crop" is `cube_about` the region, with the
    shorter side of the image's pixels along every axis. The `intensity_range` is that of `lesion_planes`, of the cube
    instead of the images.
    """
    lesion = case.lesion()
    margins = [int(np.ceil(margin * (span.stop - span.start))) for span in bounding_box(lesion.roi)]
    lesion = fill_gaps(lesion, intensity_range, margins)
    if window == "exact":
        box = bounding_box(lesion.roi, margins)
        cube, region = (resize_cube(array[box], size) for array in (lesion.voxels, lesion.roi))
    else:
        step = min(lesion.spacing_mm[1:])
        box = _box_of_cube(lesion, size, step)
        cube, region = (_sampled(array, lesion.spacing_mm, box, size, step) for array in (lesion.voxels, lesion.roi))
    return scale_intensities(cube, intensity_range, region >= 0.5)


def share_in_cube(case, size, spacing_mm=None):
    """Return the share of a region in `cube_about` it, or without a spacing in the "crop" window of `lesion_cube`."""
    lesion = case.lesion()
    return _box_and_share(lesion, size * (spacing_mm or min(lesion.spacing_mm[1:])))[1]


def resize_cube(image, size):
    """Resize an array of shape (z, y, x) to `size` x `size` x `size`, linearly, as float32."""
    voxels = image.astype(np.float32)
    if voxels.shape == (size,) * 3:
        return voxels
    shrinks = size < max(voxels.shape)
    return resize(voxels, (size,) * 3, order=1, mode="edge", anti_aliasing=shrinks).astype(np.float32)


def _box_of_cube(lesion, size, spacing_mm):
    """Return the box (z, y, x), as slices, that a cube is centred on; warn if the cube cuts the region."""
    if lesion.voxels.shape[0] == 1:
        raise InputError(f"{lesion.id}: an image of one slice has no cube. Use a network for two-dimensional images.")
    box, share = _box_and_share(lesion, size * spacing_mm)
    warn_of_cut_region(lesion.id, share, "'size'")
    return box


def _box_and_share(lesion, side_mm):
    """Return the box that a cube is centred on, and the share of the region in the cube."""
    box = bounding_box(lesion.roi)

    def ends_about(mask):
        centres = [
            (span.start + span.stop) / 2 * step
            for span, step in zip(bounding_box(mask), lesion.spacing_mm, strict=True)
        ]
        return [(centre - side_mm / 2, centre + side_mm / 2) for centre in centres]

    region, share = centred_region(lesion.roi[box], lesion.spacing_mm, ends_about)
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
