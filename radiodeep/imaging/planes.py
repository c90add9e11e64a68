"""Case -> array: the square images of a lesion that a network for two-dimensional images sees."""

from typing import NamedTuple

import numpy as np

from radiodeep.cases.slice_plane import across, slice_axis_of
from radiodeep.exceptions import InputError
from radiodeep.imaging.crop import bounding_box, cut_square, first_pixels, warp_to_square
from radiodeep.imaging.intensity import fill_gaps, scale_intensities
from radiodeep.imaging.sampling import box_mm, centred_region, sample_planes, warn_of_cut_region

SLICES = ("largest", "all", "three-orthogonal", "2.5d")
_SQUARE = 1.01  # pixels are square if their sides differ by less than this factor
_SCALES = (0.6, 1.7)  # smallest and largest side of the further boxes, relative to the first
_SHIFT = 0.08  # of the further boxes, as a share of the sides of the region
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))  # spreads any number of directions evenly


def lesion_planes(
    case,
    slice="largest",
    window="exact",
    size=64,
    intensity_range=None,
    *,
    slice_axis=None,
    pixel_mm=None,
    margin=0.0,
    n_boxes=1,
):
    """Return square images of a lesion with intensities of 0..1.

    Settings are not checked here: `NetworkView.for_network` checks those of estimators.

    Parameters
    ----------
    case : Case
    slice : {"largest", "all", "three-orthogonal", "2.5d"}, default="largest"
        "largest": the slice with the largest area of the region. "all": every slice of the region, under one window.
        "three-orthogonal": the largest slice along each of z, y and x. "2.5d": three planes, the largest slice between
        its two neighbours; at an end of the image the slice itself stands in for a missing neighbour.
    window : {"exact", "crop"}, default="exact"
        "exact" warps the bounding box of the region to the square. "crop" cuts `size` pixels about the centre of the
        box; if that shows less than half of a region of several parts, about the largest part.
    size : int, default=64
        Side of the square in pixels.
    intensity_range : None, "minmax" or (low, high), default=None
        Intensities mapped to 0 and 1. None: the 1st and the 99th percentile of all images of the case, or of the
        region in them if that reaches further. "minmax": the minimum and maximum of all images of the case. NaN
        outside the region becomes `low`, or the minimum of the region.
    slice_axis : {"axial", "coronal", "sagittal"}, optional
        Plane of the slices; by default the plane of acquisition.
    pixel_mm : float, optional
        Side of the square pixels that the window is cut from: "crop" shows `size` of them, "exact" shows the box with
        their resolution. Finer pixels are averaged first to avoid aliasing; coarser ones are interpolated linearly. By
        default the pixels of the image; if these are not square, "crop" and orthogonal slices use the shorter side.
    margin : float, default=0
        Added on every side of the box of the exact window, as a share of that side, within the image.
    n_boxes : int, default=1
        Number of windows per slice. The further ones have 0.6 to 1.7 times the sides of the first, and are shifted by
        8 % of the sides of the region in fixed directions.

    Returns
    -------
    float32 ndarray of shape (n_boxes * n_images, n_planes, size, size)
        All images of the first window, then those of the others. `n_planes` is 3 for "2.5d" and 1 otherwise.

    Raises
    ------
    InputError
        If the image has one slice and orthogonal slices are asked for, or if a pixel is larger than the image.

    Warns
    -----
    RadiodeepWarning
        If the crop window shows less than 95 % of the region.
    """
    lesion = case.lesion()
    lesion = fill_gaps(lesion, intensity_range, _visible_margins(lesion, window, size, pixel_mm, margin))
    stacks, pixel_mm = _stacks(lesion, slice, slice_axis, window, pixel_mm)
    cuts = [_windows_of_stack(stack, window, size, pixel_mm, margin, n_boxes) for stack in stacks]
    if window == "crop":
        warn_of_cut_region(case.id, min(cut.share for cut in cuts), "'size' or 'pixel_mm'")
    planes = np.concatenate([cut.planes for cut in cuts], axis=1)  # (n_boxes, n_slices, size, size)
    regions = np.concatenate([cut.regions for cut in cuts], axis=1)
    scaled = scale_intensities(planes, intensity_range, regions)
    return scaled if slice == "2.5d" else scaled.reshape(-1, 1, size, size)


def share_shown(case, slice="largest", size=64, *, slice_axis=None, pixel_mm=None):
    """Return the share of the region in the crop window of `lesion_planes`, in the slices that are shown.

    Of three orthogonal slices it is the smallest share.
    """
    stacks, pixel_mm = _stacks(case.lesion(), slice, slice_axis, "crop", pixel_mm)
    return min(_region_of_crop(stack, size, _square_pixel(stack.spacing_mm, pixel_mm))[1] for stack in stacks)


def _visible_margins(lesion, window, size, pixel_mm, margin):
    """Return how many voxels beyond the box of the region a window shows, along each axis."""
    sides = [span.stop - span.start for span in bounding_box(lesion.roi)]
    if window == "exact":
        return [int(np.ceil(margin * side)) for side in sides]
    extents = [size * (pixel_mm or step) / step for step in lesion.spacing_mm]
    return [max(0, int(np.ceil((extent - side) / 2))) for extent, side in zip(extents, sides, strict=True)]


class _Stack(NamedTuple):
    """Slices that lie under one window.

    "2.5d" shows the neighbours of a slice with the mask of that slice, so that only its region counts.
    """

    voxels: np.ndarray  # (n_slices, y, x)
    roi: np.ndarray  # bool, same shape
    spacing_mm: tuple  # along y and x


class _Cut(NamedTuple):
    """The windows of a stack."""

    planes: np.ndarray  # (n_boxes, n_slices, size, size), in the unit of the image
    regions: np.ndarray  # bool, same shape
    share: float  # of the region in the first window


def _stacks(lesion, slice, slice_axis, window, pixel_mm):
    """Return the stacks of slices to show, and the side of the pixels to cut them from."""
    _, roi, spacing_mm = lesion.read()
    field_mm = max(n * step for n, step in zip(roi.shape, spacing_mm, strict=True))
    if pixel_mm is not None and pixel_mm > field_mm:
        raise InputError(
            f"{lesion.id}: pixel_mm={pixel_mm:g} is more than the whole image, which is {field_mm:.4g} mm."
        )
    if slice != "three-orthogonal":
        return [_stack(lesion, slice_axis_of(lesion, slice_axis), _SELECTIONS[slice])], pixel_mm
    if 1 in roi.shape:
        raise InputError(f"{lesion.id}: an image of one slice has no orthogonal slices. Use slice='largest'.")
    if pixel_mm is None and window == "crop":
        pixel_mm = min(spacing_mm[1:])
    return [_stack(lesion, axis, _largest) for axis in range(3)], pixel_mm


def _stack(lesion, axis, select):
    voxels, roi, spacing_mm = across(lesion, axis).read()
    images, regions = select(roi.sum(axis=(1, 2)))
    return _Stack(voxels[images], roi[regions], spacing_mm[1:])


# Each selection returns the indices of the slices to show, and of those whose masks go with them, from all areas.
def _largest(areas):
    index = [int(np.argmax(areas))]
    return index, index


def _all(areas):
    index = np.flatnonzero(areas)
    return index, index


def _largest_between_neighbours(areas):
    z = int(np.argmax(areas))
    return np.clip([z - 1, z, z + 1], 0, len(areas) - 1), [z, z, z]


_SELECTIONS = {"largest": _largest, "all": _all, "2.5d": _largest_between_neighbours}


def _windows_of_stack(stack, window, size, pixel_mm, margin, n_boxes):
    """Cut the windows of a stack, without interpolation if the pixels of the image can be shown as they are.

    The window lies about `region`, a mask (y, x): that of all slices together, or its largest part.
    """
    voxels, roi, spacing_mm = stack
    region = roi.any(axis=0)
    share = 1.0
    if window == "crop":
        pixel_mm = _square_pixel(spacing_mm, pixel_mm)
        region, share = _region_of_crop(stack, size, pixel_mm)
        if pixel_mm is None and n_boxes == 1:
            planes, regions = cut_square(voxels, roi, first_pixels(region, size), size)
            return _Cut(planes[np.newaxis], regions[np.newaxis], share)
    elif n_boxes == 1 and margin == 0:  # cropped first, so that nothing outside the box is interpolated into it
        _, rows, columns = bounding_box(roi)
        stack = _Stack(voxels[:, rows, columns], roi[:, rows, columns], spacing_mm)
        region = region[rows, columns]
        if pixel_mm is None:
            planes, regions = warp_to_square(stack.voxels, stack.roi, size)
            return _Cut(planes[np.newaxis], regions[np.newaxis], share)
    planes, regions = _sampled_windows(stack, region, window, size, pixel_mm, margin, n_boxes)
    return _Cut(planes, regions, share)


def _sampled_windows(stack, region, window, size, pixel_mm, margin, n_boxes):
    """Sample the windows of a stack between its pixels.

    A window is `size` places per axis, `step` apart, about the centre of the box of the region. For "crop" the step is
    the side of a pixel; for "exact" it is such that the places span the box and its margins. Further windows scale the
    step and shift the centre. The mask is averaged as the image is, and its share of a pixel, at least one half,
    decides what belongs to the region; half of the largest share, if the region is smaller than a pixel.
    """
    voxels, roi, spacing_mm = stack
    ends = box_mm(region, spacing_mm, pixel_mm or 0.0)
    if window == "crop":
        steps = [pixel_mm or min(spacing_mm)] * 2
        fields_mm = [np.inf] * 2
    else:
        steps = [(last - first) * (1 + 2 * margin) / size for first, last in ends]
        fields_mm = [n * step for n, step in zip(region.shape, spacing_mm, strict=True)]
    planes = []
    shares = []
    for scale, *shifts in _boxes(n_boxes):
        places = []
        pixels = []
        for (first, last), step, shift, field_mm in zip(ends, steps, shifts, fields_mm, strict=True):
            centre = (first + last) / 2 + shift * (last - first)
            places_of_axis, pixel = _places(centre, step * scale * size, size, field_mm)
            places.append(places_of_axis)
            pixels.append(max(pixel_mm or 0.0, pixel))
        plane, share = sample_planes((voxels, roi), spacing_mm, places, pixels)
        planes.append(plane)
        shares.append(share)
    return np.stack(planes), np.stack(shares) >= min(1.0, np.max(shares)) / 2


def _places(centre, extent, size, field_mm):
    """Return the places to sample along one axis and their distance, in mm; windows end at the image's `field_mm`."""
    first = centre - extent / 2
    last = min(first + extent, field_mm)
    first = max(first, 0.0) if np.isfinite(field_mm) else first
    step = (last - first) / size
    return first + (np.arange(size) + 0.5) * step, step


def _square_pixel(spacing_mm, pixel_mm):
    """Return the side of the pixels that a slice is resampled to before it is cut; None if it keeps its own."""
    if pixel_mm is None and max(spacing_mm) > _SQUARE * min(spacing_mm):
        return min(spacing_mm)
    return pixel_mm


def _region_of_crop(stack, size, pixel_mm):
    """Return the region (y, x) at the centre of a crop window, and the share of the stack's region in the window."""
    spacing_mm = stack.spacing_mm

    def ends_about(mask):
        if pixel_mm is None:
            firsts = first_pixels(mask, size)
            return [(first * step, (first + size) * step) for first, step in zip(firsts, spacing_mm, strict=True)]
        centres = [sum(ends) / 2 for ends in box_mm(mask, spacing_mm, pixel_mm)]
        return [(centre - size * pixel_mm / 2, centre + size * pixel_mm / 2) for centre in centres]

    return centred_region(stack.roi.sum(axis=0), spacing_mm, ends_about)


def _boxes(n_boxes):
    """Return (scale, shift along y, shift along x) of each window relative to the first."""
    boxes = [(1.0, 0.0, 0.0)]
    for number, scale in enumerate(np.geomspace(*_SCALES, n_boxes - 1) if n_boxes > 1 else ()):
        angle = number * _GOLDEN_ANGLE
        boxes.append((float(scale), _SHIFT * np.sin(angle), _SHIFT * np.cos(angle)))
    return boxes
