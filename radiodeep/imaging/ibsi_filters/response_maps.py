"""Image and box -> the response maps of the IBSI's convolutional filters inside the box.

Filters of finite reach have the values that they have over the whole image, at the cost of the box and their reach.
Those that are defined by frequencies ("simoncelli" and "riesz_...") reach across the image and transform all of it.
"""

import warnings

import numpy as np

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.imaging.ibsi_filters.gabor import gabor_angles, gabor_reach, gabor_response
from radiodeep.imaging.ibsi_filters.image_types import (
    check_ibsi_filter_settings,
    ibsi_filter_names,
    ibsi_filter_variants,
    is_in_plane,
)
from radiodeep.imaging.ibsi_filters.laplacian_of_gaussian import laplacian_of_gaussian_response, log_reach
from radiodeep.imaging.ibsi_filters.laws import laws_reach, laws_response
from radiodeep.imaging.ibsi_filters.mean import mean_response
from radiodeep.imaging.ibsi_filters.riesz import riesz_laplacian_of_gaussian_response, riesz_simoncelli_response
from radiodeep.imaging.ibsi_filters.separable_wavelets import separable_wavelet_response, wavelet_reach
from radiodeep.imaging.ibsi_filters.simoncelli import simoncelli_response

_MOST_ANISOTROPY = 1.01  # headers round sizes
_LONGEST_REACH = 20_000  # voxels, many times the side of an image


def ibsi_filtered_images(image, box, spacing_mm, image_type, settings, flat_axis=None, roi=None, slice_axis=0):
    """Yield (name, response map inside the box) for each derived image of one image type.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The whole image: filters depend on voxels outside the box, and at its borders on the boundary rule.
    box : tuple of three slices
        (z, y, x); each `start` and `stop` given, inside the image.
    spacing_mm : sequence of three floats
        (z, y, x). Only lengths in mm depend on it.
    image_type : str
        One of `IBSI_IMAGE_TYPES`.
    settings : dict
        Those of the image type; a list of values gives a map of each. Numbers and letters of axes are in the order
        x, y, z. See also `image_types.IBSI_FILTER_SETTINGS`.

        - "mean": "support" in voxels.
        - "laplacian_of_gaussian": "sigma_mm", and "cutoff" in standard deviations (4).
        - "laws": "kernels", as "L5E5E5"; "pooling"; "energy_distance", in voxels, for the mean magnitude of the
          response about each voxel.
        - "gabor": the magnitude of the response to a wave of "wavelength_mm" under an envelope of "sigma_mm" along
          the wave and sigma_mm / "gamma" (1) across, at "theta_degrees" (0) from x to y. With "theta_step_degrees"
          it is pooled over a full turn, with "orthogonal_planes" also over three planes; "pooling" is "average".
        - "separable_wavelet": "wavelet" (a name of pywt), "subbands" (as "LLH"), "level" (1), "pooling".
        - "simoncelli": "level" (1).
        - "riesz_laplacian_of_gaussian" and "riesz_simoncelli": "order", as (1, 0, 0), of the Riesz transform of these
          filters, and their settings.

        "pooling" of "laws" and "separable_wavelet" is over all rotations by right angles: "average", "max", "min", or
        None (the default) for the filter as it is given. "boundary" is "mirror" (the default, with the outermost voxel
        repeated), "nearest", "periodic" (the default of filters by frequencies, which the reference values of the
        IBSI were computed with) or "zero". "in_plane" filters slice by slice, as do two letters instead of three.
    flat_axis : {None, 0, 1, 2}, default=None
        The axis across which features are two-dimensional: filters with "in_plane" then have it by default.
    roi : ignored
        For the signature of `filtered_images`.
    slice_axis : {0, 1, 2}, default=0
        Filters of single slices use the slices across this axis, or across `flat_axis` if that is given.

    Raises
    ------
    InputError
        If a setting is wrong, or a filter reaches farther than 20,000 voxels.
    ImageTooLargeError
        If the image, extended to what a filter reads, needs more memory than is allowed.
    NonFiniteIntensityError
        If a voxel that the filter reads is NaN or infinite.

    Warns
    -----
    RadiodeepWarning
        If the voxels have unequal sides along the axes that are filtered, but for "gabor", whose kernels are in mm: the
        same structure has other responses along each axis.

    References
    ----------
    Whybra P, et al. The Image Biomarker Standardization Initiative: standardized convolutional filters for
    reproducible radiomics and enhanced clinical insights. Radiology 310:e231319, 2024.
    Depeursinge A, et al. Standardised convolutional filtering for radiomics. arXiv:2006.05470.
    """
    names = ibsi_filter_names(image_type, settings, flat_axis)
    sides = tuple(range(side.start, side.stop) for side in box)
    slice_axis = slice_axis if flat_axis is None else flat_axis
    spacing_mm = np.asarray(spacing_mm, float)
    maps = []
    for name, variant in zip(names, ibsi_filter_variants(image_type, settings), strict=True):
        _check_reach(image_type, variant, spacing_mm)
        in_slices = is_in_plane(variant, flat_axis)
        maps.append((name, variant, tuple(axis for axis in (2, 1, 0) if not (in_slices and axis == slice_axis))))
    if any(_has_unequal_sides(image.shape, spacing_mm, axes) for _, _, axes in maps):
        _warn_of_unequal_sides(image_type)
    for name, variant, axes in maps:
        yield name, _FILTERS[image_type](image, sides, axes, spacing_mm, slice_axis, variant)


def _check_reach(image_type, variant, spacing_mm):
    """Raise an InputError for a finite filter that reaches so far that its settings must be a mistake."""
    reach_of = _REACHES.get(image_type.removeprefix("riesz_"))
    reach = 0 if reach_of is None else reach_of(variant, float(min(spacing_mm)))
    if reach > _LONGEST_REACH:
        sizes = " x ".join(f"{size:g}" for size in spacing_mm)
        raise InputError(
            f"The image type {image_type} reaches {reach} voxels with {variant}, as voxels are {sizes} mm (z, y, x). "
            f"Expected at most {_LONGEST_REACH}; use smaller settings, lengths in mm, or correct the voxel size."
        )


def _has_unequal_sides(shape, spacing_mm, axes):
    """Return whether voxels differ in size along axes of more than one voxel."""
    sizes = [spacing_mm[axis] for axis in axes if shape[axis] > 1]
    return len(sizes) > 1 and max(sizes) > _MOST_ANISOTROPY * min(sizes)


def _warn_of_unequal_sides(image_type):
    """Warn of voxels of unequal sides; the sentence is the same for all images, so that it is shown once."""
    if image_type not in ("Original", "gabor"):
        warnings.warn(
            f"The image type {image_type} counts in voxels, which the IBSI asks to be of equal sides, but an image has "
            "voxels of unequal ones. Resample to one size (resample_mm=1.0), or filter single slices (in_plane=True, "
            "or two letters or numbers instead of three).",
            RadiodeepWarning,
            stacklevel=3,
        )


def ibsi_filter_reach(image_type, settings, spacing_mm):
    """Return how many voxels around a region the filters of one image type depend on, along any axis; None for all.

    An image that is cropped no closer than that has the same response maps in the region, but that the boundary rule
    "periodic" takes voxels from the opposite border, so that it needs the whole image.

    Examples
    --------
    >>> ibsi_filter_reach("laplacian_of_gaussian", {"sigma_mm": [1.5, 3]}, (1.0, 1.0, 1.0))
    12
    >>> ibsi_filter_reach("simoncelli", {}, (1.0, 1.0, 1.0)) is None
    True
    """
    check_ibsi_filter_settings(image_type, settings)
    reaches = []
    for variant in ibsi_filter_variants(image_type, settings):
        if image_type not in _REACHES or variant.get("boundary") == "periodic":
            return None
        reaches.append(_REACHES[image_type](variant, float(min(spacing_mm))))
    return max(reaches)


def response_map(image, spacing_mm, image_type, settings, slice_axis=0):
    """Return the response map of one filter of the IBSI over a whole image.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    spacing_mm : sequence of three floats
        (z, y, x).
    image_type, settings, slice_axis
        As in `ibsi_filtered_images`, but for one derived image.

    Returns
    -------
    response : ndarray of shape (z, y, x)
        float64; float32 of "gabor", and of filters by frequencies of a float32 image.

    Raises
    ------
    InputError
        If a setting is wrong, or the settings are those of several images.

    Examples
    --------
    >>> impulse = np.zeros((3, 3, 3))
    >>> impulse[1, 1, 1] = 27
    >>> response_map(impulse, (1, 1, 1), "mean", {"support": 3, "boundary": "zero"})[0]
    array([[1., 1., 1.],
           [1., 1., 1.],
           [1., 1., 1.]])
    """
    check_ibsi_filter_settings(image_type, settings)
    n_maps = len(ibsi_filter_variants(image_type, settings))
    if n_maps != 1:
        raise InputError(
            f"response_map returns one map, but these settings of {image_type} are those of {n_maps}. "
            "Give one value of each setting, or use ibsi_filtered_images."
        )
    box = tuple(slice(0, n) for n in image.shape)
    ((_, response),) = ibsi_filtered_images(image, box, spacing_mm, image_type, settings, slice_axis=slice_axis)
    return response


# Each of the functions below returns the response inside the sides of a box, filtered along axes (x first).
def _original(image, sides, axes, spacing_mm, slice_axis, variant):
    return image[tuple(slice(side.start, side.stop) for side in sides)]


def _mean(image, sides, axes, spacing_mm, slice_axis, variant):
    return mean_response(image, sides, axes, variant["support"], variant["boundary"])


def _laplacian(image, sides, axes, spacing_mm, slice_axis, variant):
    sigmas = variant["sigma_mm"] / spacing_mm
    return laplacian_of_gaussian_response(image, sides, axes, sigmas, variant["cutoff"], variant["boundary"])


def _laws(image, sides, axes, spacing_mm, slice_axis, variant):
    return laws_response(
        image, sides, axes, variant["kernels"], variant["pooling"], variant["energy_distance"], variant["boundary"]
    )


def _gabor(image, sides, axes, spacing_mm, slice_axis, variant):
    across = (0, 1, 2) if variant["orthogonal_planes"] else (slice_axis,)
    planes = [tuple(axis for axis in range(3) if axis != each) for each in across]
    kernel = (float(variant["sigma_mm"]), float(variant["wavelength_mm"]), float(variant["gamma"]))
    angles = gabor_angles(variant["theta_degrees"], variant["theta_step_degrees"])
    return gabor_response(image, sides, planes, spacing_mm, kernel, angles, variant["pooling"], variant["boundary"])


def _separable_wavelet(image, sides, axes, spacing_mm, slice_axis, variant):
    return separable_wavelet_response(
        image,
        sides,
        axes,
        variant["wavelet"],
        variant["subbands"],
        variant["level"],
        variant["pooling"],
        variant["boundary"],
    )


def _simoncelli(image, sides, axes, spacing_mm, slice_axis, variant):
    return simoncelli_response(image, sides, axes, variant["level"], variant["boundary"])


def _riesz_laplacian(image, sides, axes, spacing_mm, slice_axis, variant):
    sigmas = variant["sigma_mm"] / spacing_mm
    return riesz_laplacian_of_gaussian_response(
        image, sides, axes, tuple(variant["order"]), sigmas, variant["cutoff"], variant["boundary"]
    )


def _riesz_simoncelli(image, sides, axes, spacing_mm, slice_axis, variant):
    return riesz_simoncelli_response(image, sides, axes, tuple(variant["order"]), variant["level"], variant["boundary"])


_REACHES = {
    "Original": lambda variant, spacing_mm: 0,
    "mean": lambda variant, spacing_mm: variant["support"] // 2,
    "laplacian_of_gaussian": lambda variant, spacing_mm: log_reach(variant["sigma_mm"] / spacing_mm, variant["cutoff"]),
    "laws": lambda variant, spacing_mm: laws_reach(variant["kernels"], variant["energy_distance"]),
    "gabor": lambda variant, spacing_mm: gabor_reach(variant["sigma_mm"], variant["gamma"], spacing_mm),
    "separable_wavelet": lambda variant, spacing_mm: wavelet_reach(variant["wavelet"], variant["level"]),
}
_FILTERS = {
    "Original": _original,
    "mean": _mean,
    "laplacian_of_gaussian": _laplacian,
    "laws": _laws,
    "gabor": _gabor,
    "separable_wavelet": _separable_wavelet,
    "simoncelli": _simoncelli,
    "riesz_laplacian_of_gaussian": _riesz_laplacian,
    "riesz_simoncelli": _riesz_simoncelli,
}
