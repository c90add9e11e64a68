"""MR image and mask -> its bias field, the smooth shading of coils, by N4; the image without it."""

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.imaging.intensity import background_limit

N4_ITERATIONS = (50, 50, 50, 50)
_FEWEST_VOXELS = 8  # along an axis of a shrunken image; fewer slices are not shrunken


def n4_mask(image):
    """Return where a volume (z, y, x) is brighter than its background, by Otsu's two classes, and positive."""
    is_finite = np.isfinite(image)
    return is_finite & (image > max(background_limit(image[is_finite].astype(np.float64)), 0.0))


def n4_log_field(image, mask, spacing_mm, shrink_factor=4, n_iterations=N4_ITERATIONS, convergence_threshold=0.001):
    """Return the logarithm of the bias field of a volume, estimated by SimpleITK's N4 from a shrunken image.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    mask : bool ndarray of shape (z, y, x)
        Voxels by which the field is estimated; their intensities are positive.
    spacing_mm : tuple of three floats
        In (z, y, x) order.
    shrink_factor : int, default=4
        Every so many-th voxel is used along each axis, fewer along an axis that would have less than 8.
    n_iterations : sequence of int, default=(50, 50, 50, 50)
        At most, at each level of resolution.
    convergence_threshold : float, default=0.001
        A level ends when the field changes by less: its coefficient of variation.

    Returns
    -------
    float32 ndarray of shape (z, y, x)

    Raises
    ------
    InputError
        The mask has no voxel, none in the shrunken image, voxels that are not positive, or one intensity only.

    References
    ----------
    Tustison et al., N4ITK: improved N3 bias correction, IEEE Transactions on Medical Imaging 29 (2010) 1310.
    """
    import SimpleITK as sitk  # late: it takes 100 MB

    values = image[mask]
    if not (values.size and values.max() > values.min()):
        raise InputError(
            f"{values.size} voxels, from which N4 would estimate the field, have no or one intensity. Expected "
            "different ones > 0, as in MR images as scanners store them; choose another mask by 'over'."
        )
    if not np.all(values > 0):
        raise InputError(
            "N4 takes logarithms, and the mask has intensities that are not positive. Correct the images as the "
            "scanner stores them, before any step that shifts intensities."
        )
    is_slice = image.shape[0] == 1
    arrays = [np.where(mask, image, 0).astype(np.float32), mask.astype(np.uint8)]
    spacing = [float(step) for step in spacing_mm[::-1]]
    whole, where = (_as_image(sitk, array[0] if is_slice else array, spacing) for array in arrays)
    factors = [max(1, min(shrink_factor, size // _FEWEST_VOXELS)) for size in whole.GetSize()]
    small, small_mask = sitk.Shrink(whole, factors), sitk.Shrink(where, factors)
    if not sitk.GetArrayViewFromImage(small_mask).any():
        raise InputError(f"the mask of N4 has no voxel left in an image shrunken by {shrink_factor}. Shrink it less.")
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([int(count) for count in n_iterations])
    corrector.SetConvergenceThreshold(float(convergence_threshold))
    corrector.SetNumberOfThreads(1)  # the last digits depend on the number
    corrector.Execute(small, small_mask)
    field = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(whole))
    return field.reshape(image.shape)


def without_field(image, log_field):
    """Return an image divided by its bias field, float32, or float64 if the image is."""
    kind = np.float64 if image.dtype == np.float64 else np.float32
    return image.astype(kind) / np.exp(log_field.astype(kind))


def _as_image(sitk, array, spacing):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing[: image.GetDimension()])
    return image
