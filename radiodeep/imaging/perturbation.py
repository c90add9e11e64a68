"""Case -> Case: the small changes of outline, place and noise that a robust feature should not care about."""

import numpy as np
from scipy import ndimage
from skimage.restoration import estimate_sigma

from radiodeep.exceptions import EmptyMaskError, InputError
from radiodeep.imaging.crop import crop_to_roi

KINDS = ("dilate", "erode", "translate", "rotate", "noise")


def perturb(case, kind, amount, margin_mm=20.0, random_state=0):
    """Change a case a little.

    Parameters
    ----------
    case : Case
    kind : {"dilate", "erode", "translate", "rotate", "noise"}
        Outline moved outwards or inwards; image and outline moved, or turned about the region's centre
        within the slices; Gaussian noise added.
    amount : float
        mm for the first two, fractions of a voxel along y and x for "translate", degrees for "rotate",
        and multiples of the noise that the image has already for "noise".
    margin_mm : float, default=20
        Of image kept around the region, for filters.
    random_state : int, default=0
        For the noise; the case's id goes in, so that cases differ.

    Returns
    -------
    Case
        In memory, cropped.

    Raises
    ------
    EmptyMaskError
        Nothing of the region is left.

    Notes
    -----
    Images are interpolated linearly; the region of a moved or turned mask is where it is one half or more.

    References
    ----------
    Zwanenburg et al., Assessing robustness of radiomic features by image perturbation, Scientific
    Reports 9 (2019) 614. Noise: Donoho, Johnstone, Ideal spatial adaptation by wavelet shrinkage, 1994.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.perturbation import perturb
    >>> case = make_phantom_cohort(1, random_state=0)[0]
    >>> larger = perturb(case, "dilate", 1.0)
    >>> bool(larger.roi_size_mm > case.roi_size_mm > perturb(case, "erode", 1.0).roi_size_mm)
    True
    """
    if kind not in KINDS:
        raise InputError(f"The 'kind' of a perturbation must be one of {', '.join(KINDS)}. Got {kind!r} instead.")
    loaded = crop_to_roi(case, margin_mm)
    image, roi = loaded.voxels, loaded.roi
    if kind in ("dilate", "erode"):
        spacing = [1e6 if size == 1 else step for step, size in zip(loaded.spacing_mm, roi.shape, strict=True)]
        grown = kind == "dilate"
        distance = ndimage.distance_transform_edt(~roi if grown else roi, sampling=spacing)
        roi = distance <= amount if grown else distance > amount
    elif kind == "noise":
        middle = image[int(np.argmax(roi.sum(axis=(1, 2))))].astype(float)
        spread = amount * float(estimate_sigma(middle))
        seed = [random_state, *loaded.id.encode()]
        image = image + np.random.default_rng(seed).normal(0.0, spread, image.shape)
    else:
        matrix, offset = np.eye(3), np.array([0.0, amount, amount])
        if kind == "rotate":
            matrix, offset = _turn(roi, loaded.spacing_mm, np.deg2rad(amount))
        image = ndimage.affine_transform(image.astype(float), matrix, offset, order=1, mode="nearest")
        roi = ndimage.affine_transform(roi.astype(float), matrix, offset, order=1) >= 0.5
    if not roi.any():
        raise EmptyMaskError(f"{case.id}: nothing of the region is left after '{kind}' by {amount:g}. Perturb by less.")
    return loaded.replace(image=image, mask=roi)


def _turn(roi, spacing_mm, angle):
    """Return matrix and offset, in voxels, of a turn about the centre of the region within the slices."""
    centre = np.array(ndimage.center_of_mass(roi))
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    scale = np.diag(spacing_mm)
    matrix = np.linalg.inv(scale) @ turn @ scale
    return matrix, centre - matrix @ centre
