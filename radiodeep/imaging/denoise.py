"""Image -> image with noise, as low doses cause it; noisy image -> denoised image; the same of a lesion's image.

The functions of arrays take one slice (y, x) or a volume (z, y, x) of float32 or float64 and keep its type. The
`sigma` of noise is its standard deviation, in the unit of the image.
"""

from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage
from skimage.restoration import denoise_tv_chambolle, estimate_sigma

from radiodeep.cases.slice_plane import slice_axis_of
from radiodeep.checks import is_count, is_finite, is_non_negative, is_positive, require
from radiodeep.exceptions import InputError

TV_WEIGHT = 1.0  # times sigma, chosen on synthetic pictures
WIENER_SIZE = 5
_GRADIENT_SHARE = 0.15  # of the deviation of an image: a length of gradients that ADMM keeps


def with_normal_noise(image, sigma, random_state=0):
    """Add normal noise N(0, sigma) to an image, as float64.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.denoise import with_normal_noise
    >>> round(with_normal_noise(np.zeros((99, 99)), sigma=10).std())
    10
    """
    require(is_non_negative(sigma), "with_normal_noise", "sigma", "a float >= 0", sigma)
    image = np.asarray(image, dtype=np.float64)
    return image + np.random.default_rng(random_state).normal(0.0, sigma, image.shape)


def with_photon_noise(image, counts, random_state=0, intensity_range=(0.0, 1.0)):
    """Return an image whose intensities were counted as photons, as float64: Poisson noise, on average 0.

    `counts` is the mean number at the upper end of the `intensity_range`; at the lower end, and below, there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.denoise import with_photon_noise
    >>> counted = with_photon_noise(np.full((99, 99), 0.5), counts=50)
    >>> [round(float(value), 2) for value in (counted.mean(), counted.std())]  # 25 and its root, of 50
    [0.5, 0.1]
    """
    require(is_positive(counts), "with_photon_noise", "counts", "a float > 0", counts)
    low, high = intensity_range
    share = np.clip((np.asarray(image, dtype=np.float64) - low) / (high - low), 0.0, None)
    return np.random.default_rng(random_state).poisson(counts * share) / counts * (high - low) + low


def wiener(image, sigma, size=WIENER_SIZE):
    """Draw each pixel towards the mean of its neighbourhood, the more the less its variance exceeds that of the noise.

    The local Wiener filter of Lee (Lee, IEEE Trans. Pattern Analysis 2 (1980) 165), with windows of `size` pixels that
    mirror the image at its borders.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.denoise import wiener, with_normal_noise
    >>> bool(wiener(with_normal_noise(np.zeros((64, 64)), 10), sigma=10).std() < 4)
    True
    """
    require(is_count(size, 2), "wiener", "size", "an int >= 2", size)
    centre = image.mean()  # so that squares lose no digits
    image = image - centre
    mean = ndimage.uniform_filter(image, size, mode="reflect")
    variance = np.maximum(ndimage.uniform_filter(image * image, size, mode="reflect") - mean * mean, 0.0)
    signal = np.maximum(variance - sigma**2, 0.0)
    share = np.divide(signal, variance, out=np.zeros_like(variance), where=variance > 0)
    return mean + share * (image - mean) + centre


def total_variation(image, weight, tolerance=2e-4, n_iterations=200):
    """Minimise 0.5 ||x - image||² + weight TV(x) by Chambolle's algorithm, as scikit-image implements it.

    TV is the sum of the lengths of the gradients, by forward differences. Iterations end when the objective changes by
    less than `tolerance` of its first value (Chambolle, J. Math. Imaging and Vision 20 (2004) 89).
    """
    if weight == 0:
        return image
    return denoise_tv_chambolle(image, weight, eps=tolerance, max_num_iter=n_iterations)


class AdmmSolution(NamedTuple):
    """The image, the number of iterations, and whether the last change was below the tolerance."""

    image: np.ndarray
    n_iterations: int
    is_converged: bool


def admm(image, prior, penalty=1.0, growth=1.0, tolerance=1e-4, n_iterations=200):
    """Minimise 0.5 ||x - image||² + g(x) by the alternating direction method of multipliers.

    Parameters
    ----------
    image : float ndarray
    prior : callable
        ``prior(v, share)`` returns argmin over x of 0.5 ||x - v||² + share g(x). A network in its place that removes
        noise of deviation sigma sqrt(share) makes this plug-and-play ADMM: what it knows of images takes the place of
        g, and nothing is minimised then.
    penalty : float, default=1
        The share is 1 / penalty. The minimum does not depend on it; with 1 a proximal prior finds it at once, and
        plug-and-play ADMM does nothing but to apply its network once.
    growth : float, default=1
        The penalty is multiplied by this after each iteration. With more than 1 the iterations converge for any prior
        that changes v by no more than a multiple of sqrt(share), though not to the minimum of g.
    tolerance : float, default=1e-4
        Iterations end when both residuals (of the two copies of x, and of the last step) are below this share of the
        standard deviation of the image.
    n_iterations : int, default=200
        The most that are done.

    Returns
    -------
    AdmmSolution

    References
    ----------
    Boyd et al., Foundations and Trends in Machine Learning 3 (2011) 1. Chan, Wang, Elgendy, Plug-and-play ADMM for
    image restoration: fixed-point convergence and applications, IEEE Trans. Computational Imaging 3 (2017) 84.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.denoise import admm
    >>> image = np.array([[0.0, 4.0]])
    >>> admm(image, lambda v, share: v / (1 + share)).image.round(2)  # g = 0.5 ||x||²: half the image
    array([[0., 2.]])
    """
    require(is_positive(penalty), admm, "penalty", "a float > 0", penalty)
    _check(admm, growth=growth, tolerance=tolerance, n_iterations=n_iterations)
    limit = tolerance * image.std()
    split, scaled_dual = image, np.zeros_like(image)
    for iteration in range(1, n_iterations + 1):
        solution = (image + penalty * (split - scaled_dual)) / (1 + penalty)
        before, split = split, prior(solution + scaled_dual, 1 / penalty)
        gap = solution - split
        scaled_dual = (scaled_dual + gap) / growth
        if max(_rms(gap), _rms(split - before)) <= limit:
            return AdmmSolution(split, iteration, True)
        penalty *= growth
    return AdmmSolution(split, n_iterations, False)


def admm_total_variation(image, weight, tolerance=1e-3, n_iterations=300):
    """Minimise 0.5 ||x - image||² + weight TV(x) by ADMM on the gradient, without an inner iteration.

    The gradient of x has a copy d, whose vectors are shortened by weight / penalty; x then solves a Poisson equation,
    exactly by a cosine transform (Goldstein, Osher, SIAM J. Imaging Sciences 2 (2009) 323).

    Returns
    -------
    AdmmSolution
        The same image as that of `total_variation` with a small tolerance.
    """
    _check(admm_total_variation, tolerance=tolerance, n_iterations=n_iterations)
    deviation = image.std()
    if weight == 0 or deviation == 0:
        return AdmmSolution(image, 0, True)
    shortest, limit = float(_GRADIENT_SHARE * deviation), tolerance * deviation
    penalty = weight / shortest
    angles = [(2 - 2 * np.cos(np.pi * np.arange(size) / size)).astype(image.dtype) for size in image.shape]
    denominator = 1 + penalty * sum(np.meshgrid(*angles, indexing="ij", sparse=True))
    solution, gradient = image, _gradient(image)
    scaled_dual = np.zeros_like(gradient)
    for iteration in range(1, n_iterations + 1):
        shifted = gradient + scaled_dual
        length = np.sqrt((shifted * shifted).sum(axis=0))
        shortened = shifted * (1 - shortest / np.maximum(length, shortest))
        scaled_dual = shifted - shortened
        right = image + penalty * _gradient_adjoint(shortened - scaled_dual)
        before, solution = solution, fft.idctn(fft.dctn(right, norm="ortho") / denominator, norm="ortho")
        gradient = _gradient(solution)
        if max(_rms(gradient - shortened), _rms(solution - before)) <= limit:
            return AdmmSolution(solution, iteration, True)
    return AdmmSolution(solution, n_iterations, False)


def noise_level(voxels, axis=0):
    """Return the deviation of the noise in a volume (z, y, x): the median over its slices, estimated by wavelets.

    0 for slices without noise, and pixels equal to all their neighbours, such as a background of 0, do not count.
    Noise is taken to be white in the slice; that of smooth reconstructions is underestimated (Donoho, Johnstone 1994).

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.denoise import noise_level, with_normal_noise
    >>> round(noise_level(with_normal_noise(np.zeros((3, 64, 64)), 10)))
    10
    """
    levels = [estimate_sigma(filled) for filled in map(_filled, np.moveaxis(voxels, axis, 0)) if np.ptp(filled) > 0]
    levels = [level for level in levels if np.isfinite(level)]
    return float(np.median(levels)) if levels else 0.0


def denoised(case, denoise, sigma=None, dimensions=2, slice_axis=None):
    """Denoise the whole image of a case or lesion, as it is stored; one slice more than the result is in memory.

    Parameters
    ----------
    case : Case or Lesion
    denoise : callable
        ``denoise(image, sigma)`` returns the image, (y, x) or, with ``dimensions=3``, (z, y, x), without noise.
    sigma : float, optional
        By default that of `noise_level`; an image without noise stays as it is.
    dimensions : {2, 3}, default=2
        Whether slices or the volume are denoised. The size of voxels has no effect.
    slice_axis : {"axial", "coronal", "sagittal"}, optional
        Plane of the slices; by default the plane of acquisition.

    Returns
    -------
    Lesion
        Of float32, or of float64 if the image is. Voxels that are NaN or infinite stay so; the others see the median
        of the slice there.

    Raises
    ------
    InputError
        The settings are out of range, or the function returns another shape.
    """
    require(sigma is None or is_non_negative(sigma), "denoised", "sigma", "None or a float >= 0", sigma)
    require(is_count(dimensions, 2, 3), "denoised", "dimensions", "2 or 3", dimensions)
    lesion = case.lesion()
    axis = slice_axis_of(lesion, slice_axis)
    sigma = noise_level(lesion.voxels, axis) if sigma is None else float(sigma)
    if sigma == 0:
        return lesion
    kind = np.float64 if lesion.voxels.dtype == np.float64 else np.float32
    result = lesion.voxels.astype(kind)
    is_volume = dimensions == 3 and 1 not in result.shape
    for part in [result] if is_volume else np.moveaxis(result, axis, 0):
        gaps = ~np.isfinite(part)
        values = denoise(_filled(part), sigma)
        if values.shape != part.shape:
            raise InputError(f"{lesion.id}: the denoised image has shape {values.shape}. Expected {part.shape}.")
        part[~gaps] = values[~gaps]
    return lesion.replace(image=result)


def _filled(image):
    is_finite_there = np.isfinite(image)
    if is_finite_there.all():
        return np.ascontiguousarray(image)
    return np.where(is_finite_there, image, np.median(image[is_finite_there]) if is_finite_there.any() else 0)


def _rms(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _gradient(image):
    """Return forward differences along each axis, shape (n_axes, ...); 0 at the far border."""
    return np.stack([np.diff(image, axis=axis, append=image.take([-1], axis)) for axis in range(image.ndim)])


def _gradient_adjoint(field):
    """Return the adjoint of `_gradient`, minus the divergence, of a field that is 0 at the far borders."""
    return -sum(np.diff(part, axis=axis, prepend=0) for axis, part in enumerate(field))


def _check(owner, tolerance, n_iterations, growth=1.0):
    require(is_positive(tolerance), owner, "tolerance", "a float > 0", tolerance)
    require(is_count(n_iterations, 1), owner, "n_iterations", "an int >= 1", n_iterations)
    require(is_finite(growth) and growth >= 1, owner, "growth", "a float >= 1", growth)
