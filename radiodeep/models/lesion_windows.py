"""Cases -> windows of one size with facts about them, and generated windows -> cases in the units of the originals.

A window is the largest slice about the region, sampled to a square, as two planes in -1..1: intensities and mask. Its
facts, side in mm, lowest intensity and range of intensities, are what sampling and scaling take out of the image; they
are generated with it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_fill_holes, label

from radiodeep.cases.case import Case
from radiodeep.cases.slice_plane import across, slice_axis_of
from radiodeep.imaging.crop import bounding_box
from radiodeep.imaging.intensity import fill_gaps
from radiodeep.imaging.sampling import sample_planes

N_FACTS = 3
_PERCENTILES = (1, 99)  # of the window, mapped to -1..1
_REACH = 1.2  # intensities beyond them are kept up to this
_SMALLEST = 3  # side of the smallest generated region in pixels
_MOST = 512  # pixels along a side of a generated image


@dataclass(frozen=True)
class Windows:
    """What a generator learns from, and what it needs to make cases.

    Attributes
    ----------
    images : float32 ndarray of shape (n, 2, size, size)
    facts : float64 ndarray of shape (n, 3)
    spacings_mm : float64 ndarray of shape (n, 3)
        Distance of slices and pixel sides (y, x) of each case.
    limits : ndarray of shape (2,)
        Smallest and largest intensity in the slices.
    are_integers : bool
        Whether intensities are whole numbers.
    """

    images: np.ndarray
    facts: np.ndarray
    spacings_mm: np.ndarray
    limits: np.ndarray
    are_integers: bool


def windows_of(cases, size, margin):
    """Return the `Windows` of cases; `margin` is added on each side of the region, as a share of its longer side.

    There is no margin if every region is its whole image, as that of pictures without an outline.
    """
    slices = [_largest_slice(case) for case in cases]
    if all(roi.all() for _, roi, _ in slices):
        margin = 0.0
    images = []
    facts = []
    for image, roi, spacing_mm in slices:
        planes, side_mm = _window(image, roi, spacing_mm[1:], size, margin)
        low, high = np.percentile(planes[0], _PERCENTILES)
        span = high - low if high > low else 1.0
        scaled = np.clip(2 * (planes[0] - low) / span - 1, -_REACH, _REACH) / _REACH
        images.append(np.stack([scaled, 2 * planes[1] - 1]))
        facts.append([np.log(side_mm), low, np.log(span)])
    extremes = [(image.min(), image.max()) for image, *_ in slices]
    return Windows(
        np.float32(images),
        np.array(facts),
        np.array([spacing_mm for *_, spacing_mm in slices]),
        np.array([np.min(extremes), np.max(extremes)], dtype=np.float64),
        all(image.dtype.kind in "iu" for image, *_ in slices),
    )


def _largest_slice(case):
    """Return image and region (y, x) of the slice with most of the region, and the spacing (z, y, x)."""
    lesion = fill_gaps(case.lesion(), None)
    voxels, roi, spacing_mm = across(lesion, slice_axis_of(lesion)).read()
    number = int(np.argmax(roi.sum(axis=(1, 2))))
    return voxels[number].copy(), roi[number].copy(), spacing_mm  # a view would keep the volume in memory


def _window(image, roi, pixels_mm, size, margin):
    """Return image and share of the region (2, size, size) in a square about the region, and its side in mm."""
    _, *box = bounding_box(roi[np.newaxis])
    ends = [(span.start * step, span.stop * step) for span, step in zip(box, pixels_mm, strict=True)]
    side_mm = max(last - first for first, last in ends) * (1 + 2 * margin)
    places = [(first + last - side_mm) / 2 + (np.arange(size) + 0.5) * side_mm / size for first, last in ends]
    stacks = image[np.newaxis], roi[np.newaxis]
    window, share = (planes[0] for planes in sample_planes(stacks, pixels_mm, places, [side_mm / size] * 2))
    fields_mm = [n * step for n, step in zip(roi.shape, pixels_mm, strict=True)]
    inside = [(place > 0) & (place < field) for place, field in zip(places, fields_mm, strict=True)]
    return np.stack([window, share * np.outer(*inside)]), side_mm


def case_of_window(image, facts, spacing_mm, limits, are_integers, **named):
    """Return the case of a generated window (2, size, size), or None if its mask outlines no usable region.

    `facts` (3,) are those of `Windows`, and `named` further arguments of the case. The image is sampled to the pixels
    of `spacing_mm`; the region is the largest connected part of the mask, without holes.
    """
    side_mm = float(np.exp(facts[0]))
    size = image.shape[-1]
    counts = [int(np.clip(np.ceil(side_mm / step), _SMALLEST, _MOST)) for step in spacing_mm[1:]]
    places = [(np.arange(n) + 0.5) * side_mm / n for n in counts]
    pixels = [max(side_mm / n, side_mm / size) for n in counts]
    planes = sample_planes((image[:1], image[1:]), [side_mm / size] * 2, places, pixels)
    parts, n_parts = label(planes[1][0] > 0)
    if not n_parts:
        return None
    roi = binary_fill_holes(parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1)
    if min(roi.any(axis=0).sum(), roi.any(axis=1).sum()) < _SMALLEST:
        return None
    intensities = facts[1] + (planes[0][0] * _REACH + 1) / 2 * np.exp(facts[2])
    extremes = intensities.min(), intensities.max()
    intensities = np.interp(intensities, extremes, np.clip(extremes, *limits))  # clipped values would be plateaus
    if are_integers:
        intensities = np.rint(intensities)
    if np.ptp(intensities[roi]) == 0:
        return None
    return Case(np.float32(intensities)[np.newaxis], roi[np.newaxis], spacing_mm=tuple(spacing_mm), **named)
