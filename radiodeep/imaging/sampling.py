"""Places in mm -> weights of pixels: slices sampled between their pixels, and the share of a region in a window.

Along an axis with pixels of `step_mm`, pixel i covers i * step_mm to (i + 1) * step_mm.
"""

import warnings

import numpy as np
from scipy.ndimage import gaussian_filter1d, label

from radiodeep.exceptions import RadiodeepWarning
from radiodeep.imaging.crop import bounding_box

_LEAST_SHARE = 0.95  # of the region in a window, below which a warning is given
_PIXEL_SD = 1 / np.sqrt(12)  # standard deviation of a uniform distribution over the width of a pixel
_TRUNCATE = 4.0


def sampling_weights(n_pixels, step_mm, places_mm, pixel_mm):
    """Return the pixels along an axis, and their weights, that give the values at some places.

    Values are linear between the centres of pixels and constant beyond the outermost ones. If `pixel_mm` is larger
    than `step_mm`, they are first smoothed by a Gaussian which, together with the width of a pixel, has the variance
    of a pixel of `pixel_mm`: sd² = (pixel_mm² - step_mm²) / 12. Details finer than such pixels do not alias, and white
    noise decreases as on a scanner that has them.

    The pixels are returned as indices (n_used,), in which those at a border may be repeated, and the weights as float64
    (n_places, n_used): ``weights @ values[index]`` are the values. The sum of every row is 1.
    """
    places = np.clip(places_mm / step_mm - 0.5, 0, n_pixels - 1)
    below = np.floor(places).astype(int)
    centres = np.arange(below.min(), below.max() + 2)
    rows = np.arange(len(places))
    columns = below - centres[0]
    weights = np.zeros((len(places), len(centres)))
    weights[rows, columns] = 1 - (places - below)
    weights[rows, columns + 1] = places - below
    sd = _smoothing(step_mm, pixel_mm)
    reach = int(np.ceil(_TRUNCATE * sd))
    used = np.arange(centres[0] - reach, centres[-1] + reach + 1)
    if reach:
        kernel = np.exp(-0.5 * ((centres[:, np.newaxis] - used) / sd) ** 2)
        weights = weights @ (kernel / kernel.sum(axis=1, keepdims=True))
    return np.clip(used, 0, n_pixels - 1), weights


def sample_planes(stacks, spacing_mm, places_mm, pixel_mm):
    """Sample stacks of slices (n, y, x) on one grid, as a list of float64 ndarray (n, n_places, n_places).

    `spacing_mm`, `places_mm` and `pixel_mm` are pairs for y and x of what `sampling_weights` takes.
    """
    (rows, along_y), (columns, along_x) = (
        sampling_weights(*axis) for axis in zip(stacks[0].shape[1:], spacing_mm, places_mm, pixel_mm, strict=True)
    )
    cuts = (planes.take(rows, axis=1).take(columns, axis=2).astype(np.float64) for planes in stacks)
    return [along_y @ cut @ along_x.T for cut in cuts]


def box_mm(mask, spacing_mm, pixel_mm):
    """Return the bounding box of a region in mm, to a fraction of a pixel: (first, last) along y and x.

    The mask (y, x), which is not empty, is smoothed to the resolution of pixels of `pixel_mm`, as `sampling_weights`
    smooths images. Along each axis the box ends where the largest value of the smoothed mask crosses one half (half of
    its maximum, if that is less than one). So the box depends little on the pixels that the lesion was outlined on. If
    pixels of `pixel_mm` are not larger than those of the mask, it is the bounding box of the mask.
    """
    smoothing = [_smoothing(step, pixel_mm) for step in spacing_mm]
    _, *box = bounding_box(mask[np.newaxis])
    if max(smoothing) == 0:
        return [(span.start * step, span.stop * step) for span, step in zip(box, spacing_mm, strict=True)]
    reach = [int(np.ceil(_TRUNCATE * sd)) + 1 for sd in smoothing]
    share = np.pad(mask[tuple(box)].astype(np.float64), [(n, n) for n in reach])
    for axis, sd in enumerate(smoothing):
        if sd > 0:
            share = gaussian_filter1d(share, sd, axis=axis, mode="constant", truncate=_TRUNCATE)
    half = min(1.0, share.max()) / 2
    ends = []
    for axis, (span, margin, step) in enumerate(zip(box, reach, spacing_mm, strict=True)):
        profile = share.max(axis=1 - axis)
        inside = np.flatnonzero(profile >= half)
        first = inside[0]
        last = inside[-1]
        before = first - (profile[first] - half) / (profile[first] - profile[first - 1])
        behind = last + (profile[last] - half) / (profile[last] - profile[last + 1])
        ends.append(tuple(float((place + 0.5 + span.start - margin) * step) for place in (before, behind)))
    return ends


def share_within(counts, spacing_mm, ends_mm):
    """Return the share of a region that lies between two ends, (first, last) in mm from the edge, along each axis.

    `counts` is the amount of the region in each pixel or voxel.
    """
    held = counts.astype(np.float64)
    total = held.sum()
    for step, (first, last) in zip(reversed(spacing_mm), reversed(ends_mm), strict=True):
        edges = np.arange(held.shape[-1] + 1) * step
        held = held @ ((np.minimum(edges, last)[1:] - np.maximum(edges, first)[:-1]).clip(0) / step)
    return float(held / total)


def centred_region(counts, spacing_mm, ends_about):
    """Return the region, a mask, that a window of fixed size is centred on, and the share of the whole that it shows.

    That is the whole region, unless a window about it shows less than half of it and a window about its largest
    connected part shows more.

    `counts` is the amount of the region in each pixel or voxel; `ends_about` returns the ends of the window about a
    mask, as in `share_within`.
    """
    region = counts > 0
    share = share_within(counts, spacing_mm, ends_about(region))
    if share >= 0.5:
        return region, share
    parts, n_parts = label(region, np.ones((3,) * region.ndim))
    if n_parts == 1:
        return region, share
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel(), counts.ravel())[1:])
    largest_share = share_within(counts, spacing_mm, ends_about(largest))
    return (largest, largest_share) if largest_share > share else (region, share)


def warn_of_cut_region(case_id, share, larger):
    """Warn if a window shows less than 95 % of a region; `larger` names the settings that enlarge it."""
    if share < _LEAST_SHARE:
        warnings.warn(
            f"{case_id}: the window shows {min(share, 0.94):.0%} of the region, so features ignore the rest. "
            f"Use a larger {larger}, or window='exact'.",
            RadiodeepWarning,
            stacklevel=4,
        )


def _smoothing(step_mm, pixel_mm):
    """Return the standard deviation, in pixels, of the Gaussian that turns pixels of `step_mm` into `pixel_mm`."""
    return _PIXEL_SD * np.sqrt(max((pixel_mm / step_mm) ** 2 - 1, 0.0))
