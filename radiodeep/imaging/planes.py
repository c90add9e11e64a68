"""Case -> array: the square images of a lesion that a network for pictures is shown."""

import numpy as np
from skimage.transform import resize

from radiodeep.cases.memory import check_image_size
from radiodeep.exceptions import InputError
from radiodeep.imaging.crop import WINDOWS, crop_window, exact_window, largest_slice
from radiodeep.imaging.intensity import scale_to_range, without_gaps

SLICES = ("largest", "all", "three-orthogonal", "2.5d")


def lesion_planes(case, slice="largest", window="exact", size=64, intensity_range=None):
    """Return square images of a lesion with intensities of 0..1.

    Parameters
    ----------
    case : Case
    slice : {"largest", "all", "three-orthogonal", "2.5d"}, default="largest"
        "largest": the slice (along z) with most of the region. "all": every slice that holds some of it, under
        one window. "three-orthogonal": the largest slice along each of z, y and x; for "crop" first brought to
        square pixels of the smaller step in x and y. "2.5d": the largest slice as the second plane between its
        neighbours below and above, which at an end of the image are the slice itself.
    window : {"exact", "crop"}, default="exact"
        The region's box warped to the square, or `size` pixels about the centre of the box.
    size : int, default=64
        Side of the square in pixels.
    intensity_range : (low, high), optional
        Intensities mapped to 0 and 1; by default the smallest and the largest of all images of the case. NaN
        outside the region is shown as the lower of the two, or as the smallest of the region.

    Returns
    -------
    float32 ndarray of shape (n_images, n_planes, size, size)
        `n_planes` is 3 for "2.5d" and 1 otherwise.

    Raises
    ------
    InputError
        An unknown choice, orthogonal slices of an image that has one slice, or any problem of the image.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.planes import SLICES, lesion_planes
    >>> case = make_phantom_cohort(1, random_state=0)[0]
    >>> [lesion_planes(case, slice, size=32).shape for slice in SLICES]
    [(1, 1, 32, 32), (14, 1, 32, 32), (3, 1, 32, 32), (1, 3, 32, 32)]
    """
    if slice not in SLICES:
        raise InputError(f"The 'slice' must be one of {', '.join(SLICES)}. Got {slice!r} instead.")
    if window not in WINDOWS:
        raise InputError(f"The 'window' must be one of {', '.join(WINDOWS)}. Got {window!r} instead.")
    loaded = without_gaps(case.in_memory(), intensity_range)
    cut = exact_window if window == "exact" else crop_window
    if slice == "three-orthogonal":
        planes = np.concatenate([cut(one, size).voxels for one in _orthogonal_slices(loaded, window == "crop")])
    else:
        planes = cut(_CHOICES[slice](loaded), size).voxels
    scaled = scale_to_range(planes, intensity_range)
    return scaled[np.newaxis] if slice == "2.5d" else scaled[:, np.newaxis]


def _slices_of_region(case):
    held = case.roi.any(axis=(1, 2))
    return case.replace(image=case.voxels[held], mask=case.roi[held])


def _slice_between_neighbours(case):
    z = int(np.argmax(case.roi.sum(axis=(1, 2))))
    around = np.clip([z - 1, z, z + 1], 0, len(case.roi) - 1)
    return case.replace(image=case.voxels[around], mask=case.roi[[z, z, z]])


_CHOICES = {"largest": largest_slice, "all": _slices_of_region, "2.5d": _slice_between_neighbours}


def _orthogonal_slices(case, square_pixels):
    """Return the largest slice along z, y and x, each as a case of one slice."""
    if case.roi.shape[0] == 1:
        raise InputError(f"{case.id}: an image of one slice has no orthogonal slices. Take slice='largest'.")
    step = min(case.spacing_mm[1:])
    slices = []
    for order in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        spacing_mm = tuple(case.spacing_mm[axis] for axis in order)
        turned = case.replace(image=case.voxels.transpose(order), mask=case.roi.transpose(order), spacing_mm=spacing_mm)
        slices.append(largest_slice(turned))
    return [_with_square_pixels(one, step) for one in slices] if square_pixels else slices


def _with_square_pixels(case, step_mm):
    """Bring a case of one slice to pixels of `step_mm` by `step_mm`, linearly."""
    if case.spacing_mm[1:] == (step_mm, step_mm):
        return case
    shape = [max(1, round(n * old / step_mm)) for n, old in zip(case.roi.shape[1:], case.spacing_mm[1:], strict=True)]
    check_image_size(
        shape,
        f"{case.id}: a slice brought to pixels of {step_mm:.4g} mm",
        "Use window='exact', or resample the image first.",
    )
    image = resize(case.voxels[0].astype(np.float64), shape, order=1, mode="edge", anti_aliasing=True)
    share = resize(case.roi[0].astype(np.float64), shape, order=1, mode="edge", anti_aliasing=True)
    mask = share >= min(0.5, share.max())  # a thin region stays
    return case.replace(
        image=image[np.newaxis], mask=mask[np.newaxis], spacing_mm=(case.spacing_mm[0], step_mm, step_mm)
    )
