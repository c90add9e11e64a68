"""Case -> array: the square images of a lesion that a network for pictures is shown."""

from typing import NamedTuple

import numpy as np

from radiodeep.cases.slice_plane import across, slice_axis_of
from radiodeep.exceptions import InputError
from radiodeep.imaging.crop import (
    WINDOWS,
    bounding_box,
    check_window_size,
    cut_square,
    first_pixels,
    warp_to_square,
)
from radiodeep.imaging.intensity import scale_to_range, without_gaps
from radiodeep.imaging.sampling import box_mm, part_to_show, sample_planes, warn_of_lost_rim

SLICES = ("largest", "all", "three-orthogonal", "2.5d")
_SQUARE = 1.01  # steps along y and x that differ by less are those of square pixels
_SCALES = (0.6, 1.7)  # of the boxes beside the first
_SHIFT = 0.08  # of the region's sides
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))  # spreads the directions of shifts evenly, whatever their number


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

    Parameters
    ----------
    case : Case
    slice : {"largest", "all", "three-orthogonal", "2.5d"}, default="largest"
        "largest": the slice with most of the region. "all": every slice that holds some of it, under one window.
        "three-orthogonal": the largest slice along each of z, y and x. "2.5d": the largest slice as the second plane
        between its neighbours on both sides, which at an end of the image are the slice itself.
    window : {"exact", "crop"}, default="exact"
        The region's box warped to the square, or `size` pixels about the centre of the box; about that of the largest
        part, where parts are so far from each other that less than half of the region would be seen.
    size : int, default=64
        Side of the square in pixels.
    intensity_range : None, "minmax" or (low, high), default=None
        Intensities mapped to 0 and 1. None: from the 1st to the 99th percentile of all images of the case, or of the
        region in them if that reaches further. "minmax": the smallest and the largest of all images of the case. NaN
        outside the region is shown as `low`, or as the smallest of the region.
    slice_axis : {"axial", "coronal", "sagittal"}, optional
        Of the slices; by default the plane of acquisition.
    pixel_mm : float, optional
        Side of the square pixels that the window is cut from: "crop" shows `size` of them, "exact" shows the box as
        an image of such pixels would. Finer images are averaged first, so that they do not alias; coarser ones are
        interpolated linearly. By default the image's own pixels; where these are not square, "crop" and orthogonal
        slices take the smaller step.
    margin : float, default=0
        Added on every side of the box of the exact window, as a share of that side, as far as the image goes.
    n_boxes : int, default=1
        Windows per slice: the first, and others of 0.6 to 1.7 times its sides, moved by 8 % of the region's sides in
        directions that are always the same.

    Returns
    -------
    float32 ndarray of shape (n_boxes * n_images, n_planes, size, size)
        All images of the first window, then those of the others. `n_planes` is 3 for "2.5d" and 1 otherwise.

    Raises
    ------
    InputError
        An unknown choice, orthogonal slices of an image that has one slice, or any problem of the image.

    Warns
    -----
    RadiodeepWarning
        The crop window shows less than 95 % of the region.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.planes import SLICES, lesion_planes
    >>> case = make_phantom_cohort(1, random_state=0)[0]
    >>> [lesion_planes(case, slice, size=32).shape for slice in SLICES]
    [(1, 1, 32, 32), (14, 1, 32, 32), (3, 1, 32, 32), (1, 3, 32, 32)]
    >>> lesion_planes(case, window="crop", size=32, pixel_mm=1.5, n_boxes=5).shape
    (5, 1, 32, 32)
    """
    _check_settings(slice, window, size, pixel_mm, margin, n_boxes)
    loaded = case.in_memory()
    loaded = without_gaps(loaded, intensity_range, _margins(loaded, window, size, pixel_mm, margin))
    stacks, pixel_mm = _stacks(loaded, slice, slice_axis, window, pixel_mm)
    shown = [_shown(stack, window, size, pixel_mm, margin, n_boxes) for stack in stacks]
    if window == "crop":
        warn_of_lost_rim(case.id, min(one.share for one in shown), "'size' or 'pixel_mm'")
    planes, regions = (np.concatenate([one[part] for one in shown], axis=1) for part in range(2))
    scaled = scale_to_range(planes, intensity_range, regions)  # (n_boxes, slices, size, size)
    return scaled if slice == "2.5d" else scaled.reshape(-1, 1, size, size)


def share_shown(case, slice="largest", size=64, *, slice_axis=None, pixel_mm=None):
    """Return which share of the region the crop window of `lesion_planes` shows in the slices that are shown.

    Parameters
    ----------
    case : Case
    slice, size, slice_axis, pixel_mm
        As for `lesion_planes`.

    Returns
    -------
    float
        Of three orthogonal slices the smallest share.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.planes import share_shown
    >>> case = make_phantom_cohort(1, random_state=0)[0]
    >>> share_shown(case, size=64), round(share_shown(case, size=12), 2)
    (1.0, 0.44)
    """
    _check_settings(slice, "crop", size, pixel_mm, 0.0, 1)
    stacks, pixel_mm = _stacks(case.in_memory(), slice, slice_axis, "crop", pixel_mm)
    return min(_part_shown(stack, size, _square_pixel(stack.spacing_mm, pixel_mm))[1] for stack in stacks)


def _margins(case, window, size, pixel_mm, margin):
    """Return how many voxels beside the region's box are shown along each axis."""
    sides = [span.stop - span.start for span in bounding_box(case.roi)]
    if window == "exact":
        return [int(np.ceil(margin * side)) for side in sides]
    steps = case.spacing_mm
    shown = [size * (pixel_mm or step) / step for step in steps]
    return [max(0, int(np.ceil((extent - side) / 2))) for extent, side in zip(shown, sides, strict=True)]


class _Stack(NamedTuple):
    voxels: np.ndarray  # (n_slices, y, x), under one window
    roi: np.ndarray
    spacing_mm: tuple  # along y and x


class _Shown(NamedTuple):
    planes: np.ndarray  # (n_boxes, n_slices, size, size), in the unit of the image
    regions: np.ndarray  # bool, same shape
    share: float


def _stacks(case, slice, slice_axis, window, pixel_mm):
    """Return the slices to show, and the side of the pixels to cut them from."""
    _, roi, spacing_mm = case.read()
    field_mm = max(n * step for n, step in zip(roi.shape, spacing_mm, strict=True))
    if pixel_mm is not None and pixel_mm > field_mm:
        raise InputError(f"{case.id}: pixel_mm={pixel_mm:g} is more than the whole image, which is {field_mm:.4g} mm.")
    if slice != "three-orthogonal":
        return [_stack(case, slice_axis_of(case, slice_axis), _CHOICES[slice])], pixel_mm
    if slice_axis is not None:
        raise InputError(f"slice='three-orthogonal' cuts across every axis. Leave out slice_axis={slice_axis!r}.")
    if 1 in roi.shape:
        raise InputError(f"{case.id}: an image of one slice has no orthogonal slices. Take slice='largest'.")
    if pixel_mm is None and window == "crop":
        pixel_mm = min(spacing_mm[1:])
    return [_stack(case, axis, _largest) for axis in range(3)], pixel_mm


def _stack(case, axis, choose):
    voxels, roi, spacing_mm = across(case, axis).read()
    images, regions = choose(roi.sum(axis=(1, 2)))
    return _Stack(voxels[images], roi[regions], spacing_mm[1:])


def _largest(areas):
    """Return which slices to show and of which the region is taken, of the areas of all; the others do the same."""
    return ([int(np.argmax(areas))],) * 2


def _all(areas):
    return (np.flatnonzero(areas),) * 2


def _largest_between_neighbours(areas):
    z = int(np.argmax(areas))
    return np.clip([z - 1, z, z + 1], 0, len(areas) - 1), [z, z, z]


_CHOICES = {"largest": _largest, "all": _all, "2.5d": _largest_between_neighbours}


def _shown(stack, window, size, pixel_mm, margin, n_boxes):
    """Cut the windows of slices. The image's own pixels are not interpolated where that can be avoided."""
    voxels, roi, spacing_mm = stack
    region, share = roi.any(axis=0), 1.0
    if window == "crop":
        pixel_mm = _square_pixel(spacing_mm, pixel_mm)
        region, share = _part_shown(stack, size, pixel_mm)
        if pixel_mm is None and n_boxes == 1:
            planes, regions = cut_square(voxels, roi, first_pixels(region, size), size)
            return _Shown(planes[np.newaxis], regions[np.newaxis], share)
    elif n_boxes == 1 and margin == 0:  # what lies beside the box is not interpolated into it
        _, rows, columns = bounding_box(roi)
        voxels, roi, region = voxels[:, rows, columns], roi[:, rows, columns], region[rows, columns]
        if pixel_mm is None:
            planes, regions = warp_to_square(voxels, roi, size)
            return _Shown(planes[np.newaxis], regions[np.newaxis], share)
    ends = box_mm(region, spacing_mm, pixel_mm or 0.0)
    if window == "crop":
        steps = [pixel_mm or min(spacing_mm)] * 2
        fields_mm = [np.inf] * 2
    else:
        steps = [(last - first) * (1 + 2 * margin) / size for first, last in ends]
        fields_mm = [n * step for n, step in zip(region.shape, spacing_mm, strict=True)]
    planes, shares = [], []
    for scale, *shifts in _boxes(n_boxes):
        places, pixels = [], []
        for (first, last), step, shift, field_mm in zip(ends, steps, shifts, fields_mm, strict=True):
            centre = (first + last) / 2 + shift * (last - first)
            looked_at, pixel = _places(centre, step * scale * size, size, field_mm)
            places.append(looked_at)
            pixels.append(max(pixel_mm or 0.0, pixel))
        sampled = sample_planes((voxels, roi), spacing_mm, places, pixels)
        planes.append(sampled[0])
        shares.append(sampled[1])
    return _Shown(np.stack(planes), np.stack(shares) >= min(1.0, np.max(shares)) / 2, share)


def _places(centre, extent, size, field_mm):
    """Return where to look along one axis, and the step, in mm; a window ends where the image does, at `field_mm`."""
    first = centre - extent / 2
    last = min(first + extent, field_mm)
    first = max(first, 0.0) if np.isfinite(field_mm) else first
    step = (last - first) / size
    return first + (np.arange(size) + 0.5) * step, step


def _square_pixel(spacing_mm, pixel_mm):
    """Return the side of the pixels that a slice is brought to before it is cut, None if it keeps its own."""
    if pixel_mm is None and max(spacing_mm) > _SQUARE * min(spacing_mm):
        return min(spacing_mm)
    return pixel_mm


def _part_shown(stack, size, pixel_mm):
    """Return the region (y, x) that a crop window is centred on, and the share of the slices' region in it."""
    spacing_mm = stack.spacing_mm

    def ends_about(mask):
        if pixel_mm is None:
            firsts = first_pixels(mask, size)
            return [(first * step, (first + size) * step) for first, step in zip(firsts, spacing_mm, strict=True)]
        centres = [sum(ends) / 2 for ends in box_mm(mask, spacing_mm, pixel_mm)]
        return [(centre - size * pixel_mm / 2, centre + size * pixel_mm / 2) for centre in centres]

    return part_to_show(stack.roi.sum(axis=0), spacing_mm, ends_about)


def _boxes(n_boxes):
    """Return how windows differ from the first: (scale, shift along y, shift along x) of each."""
    boxes = [(1.0, 0.0, 0.0)]
    for number, scale in enumerate(np.geomspace(*_SCALES, n_boxes - 1) if n_boxes > 1 else ()):
        angle = number * _GOLDEN_ANGLE
        boxes.append((float(scale), _SHIFT * np.sin(angle), _SHIFT * np.cos(angle)))
    return boxes


def window_rules(pixel_mm, margin, n_boxes):
    """Return for each of these settings of `lesion_planes` whether it can be used, and what can."""
    return {
        "pixel_mm": (pixel_mm is None or (_is_number(pixel_mm) and pixel_mm > 0), "None or a float > 0"),
        "margin": (_is_number(margin) and margin >= 0, "a float >= 0"),
        "n_boxes": (_is_number(n_boxes) and isinstance(n_boxes, int | np.integer) and n_boxes >= 1, "an int >= 1"),
    }


def _check_settings(slice, window, size, pixel_mm, margin, n_boxes):
    if slice not in SLICES:
        raise InputError(f"The 'slice' must be one of {', '.join(SLICES)}. Got {slice!r} instead.")
    if window not in WINDOWS:
        raise InputError(f"The 'window' must be one of {', '.join(WINDOWS)}. Got {window!r} instead.")
    check_window_size(size)
    values = {"pixel_mm": pixel_mm, "margin": margin, "n_boxes": n_boxes}
    for name, (is_usable, usable) in window_rules(**values).items():
        if not is_usable:
            raise InputError(f"The '{name}' must be {usable}. Got {values[name]!r} instead.")


def _is_number(value):
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))
