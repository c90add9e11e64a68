"""MR image -> the image on a scale of its own tissue: z-score, reference tissue, white stripe, standard histogram.

Scanners choose the scale of MR images, so that the same tissue has another intensity in every exam. Each function takes
the image as any array and the intensities of one part of it, `values` of shape (n_voxels,), by which it is scaled;
`part_values` returns those of a lesion. Results are float64. N4 is in `bias_field`.
"""

import warnings

import numpy as np
from scipy import ndimage

from radiodeep.exceptions import GeometryMismatchError, InputError, RadiodeepWarning, RoiTooSmallError
from radiodeep.imaging.intensity import are_limits, background_limit

PARTS = ("body", "image", "outside", "region")
PEAKS = ("last", "first", "largest")
NYUL_PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
_N_BINS = 1000  # of the histogram whose peaks are found
_BANDWIDTH = 1 / 80  # of its range: the deviation of the normal curve that smooths it
_LARGE_PEAK = 1 / 5  # of the highest one
_WIDEST_BANDWIDTH = 1 / 10  # of images of few grey levels, whose smoothed histogram has no peak for each level
_BRIGHTEST_AIR = 1 / 4  # of the body: the mean of what is brighter is that of tissue
_END = 1 / 20  # of its range: a peak so near to an end is that of background or of clipped voxels


def is_part(value):
    """Return whether a value names a part of any image: one of `PARTS`, or two percentiles of the body."""
    if isinstance(value, str):
        return value in PARTS
    return are_limits(value) and value[0] >= 0 and value[1] <= 100


def part_values(lesion, over="body", mask=None):
    """Return the intensities of a part of a lesion's image.

    Parameters
    ----------
    lesion : Lesion
    over : {"body", "image", "outside", "region"} or (low, high), default="body"
        "image": all voxels. "body": those brighter than the background, see `background_limit`. "outside": the body
        without the region. "region": the region. Two percentiles, 0 to 100: the voxels of the body between their
        intensities.
    mask : bool ndarray of shape (z, y, x), optional
        The part itself, e.g. of a brain or of a reference tissue; `over` has no effect then.

    Warns
    -----
    RadiodeepWarning
        The background that "body" and "outside" leave out is too bright for air, as in crops.

    Returns
    -------
    float64 ndarray of shape (n_voxels,)
        Without NaN and infinite voxels.

    Raises
    ------
    RoiTooSmallError
        The part has fewer than two voxels.
    GeometryMismatchError
        The mask has another shape than the image.
    """
    image = lesion.voxels
    if mask is not None:
        if mask.shape != image.shape:
            raise GeometryMismatchError(
                f"the mask of the part that sets the scale has shape {mask.shape}, the image {image.shape} (z, y, x). "
                "Expected a mask on the grid of the image."
            )
        values = image[mask & np.isfinite(image)]
    elif isinstance(over, str) and over == "region":
        values = image[lesion.roi]
    else:
        chosen = np.isfinite(image)
        if not (isinstance(over, str) and over == "image"):
            is_body = image > background_limit(image[chosen].astype(np.float64))
            if isinstance(over, str):
                _warn_of_tissue(lesion.id, over, image[chosen & ~is_body], image[chosen & is_body])
            chosen &= is_body
        if isinstance(over, str) and over == "outside":
            chosen &= ~lesion.roi
        values = image[chosen]
        if not isinstance(over, str) and values.size:
            low, high = np.percentile(values, over)
            values = values[(values >= low) & (values <= high)]
    if values.size < 2:
        raise RoiTooSmallError(
            f"the part of the image that sets its scale, over={over!r}, has {values.size} voxels. Expected at least 2. "
            "Choose another part, e.g. over='image' for an image without air around the body."
        )
    return values.astype(np.float64)


def _warn_of_tissue(case_id, over, background, body):
    """Warn if the background of an image as stored is not as dark as air."""
    if not (background.size and body.size) or background.min() < 0:
        return
    share = background.mean(dtype=np.float64) / body.mean(dtype=np.float64)
    if share > _BRIGHTEST_AIR:
        warnings.warn(
            f"{case_id}: the dark voxels that over={over!r} leaves out as background are {share:.0%} as bright as the "
            "others, so they are tissue and not air. Choose over='image' for images without air, or give the mask of "
            "the body.",
            RadiodeepWarning,
            stacklevel=3,
        )


def z_scores(image, values, scale=1.0):
    """Shift and scale an image so that a part of it has mean 0 and standard deviation `scale` (of a sample).

    Raises
    ------
    InputError
        The part is constant, so that it sets no scale.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.mr_intensity import z_scores
    >>> z_scores(np.array([2, 4, 6]), np.array([2, 4, 6])).tolist()
    [-1.0, 0.0, 1.0]
    """
    if not values.max() > values.min():  # the deviation may be a rounding error
        raise InputError(
            f"all {values.size} voxels that set the scale of the image have the intensity {values[0]:.4g}. Expected "
            "different ones; choose another part of the image by 'over', of a white stripe a larger 'width'."
        )
    return (np.asarray(image, np.float64) - values.mean()) * (scale / values.std(ddof=1))


def over_reference(image, values, scale=1.0):
    """Multiply an image so that the mean of a reference tissue becomes `scale`.

    Raises
    ------
    InputError
        The mean is not positive, so that a factor has no meaning.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.mr_intensity import over_reference
    >>> over_reference(np.array([100, 300]), np.array([190, 210]), scale=1000).tolist()
    [500.0, 1500.0]
    """
    mean = values.mean()
    if not mean > 0:
        raise InputError(
            f"the mean of the reference tissue is {mean:.4g}. Expected one > 0, as in MR images as scanners store "
            "them; put this step before any that shifts intensities."
        )
    return np.asarray(image, np.float64) * (scale / mean)


def white_stripe(image, values, peak="last", width=0.05, scale=1.0, id="image"):
    """Shift and scale an image so that its white stripe has mean 0 and standard deviation `scale`.

    The stripe are the values around a peak of their histogram, from `histogram_peak`, within `width` of the share of
    values below it: normal-appearing white matter in a brain, fat elsewhere on T1. Shinohara et al., NeuroImage:
    Clinical 6 (2014) 9. A RadiodeepWarning, which begins with `id`, says that the peak lies at an end of the histogram.

    Raises
    ------
    InputError
        The stripe is constant.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.mr_intensity import white_stripe
    >>> rng = np.random.default_rng(0)
    >>> grey, white = rng.normal(300, 30, 4000), rng.normal(500, 20, 6000)
    >>> values = np.concatenate([grey, white])
    >>> bool(abs(white_stripe(500.0, values)) < 1)  # the stripe is where white matter is
    True
    """
    mode = histogram_peak(values, peak)
    lowest, highest = _range(values)
    place = (mode - lowest) / (highest - lowest) if highest > lowest else 0.5
    if min(place, 1 - place) < _END:
        warnings.warn(
            f"{id}: the {peak} peak of the histogram lies at {mode:.4g}, at the {'lower' if place < 0.5 else 'upper'} "
            f"end of the intensities ({lowest:.4g} to {highest:.4g}), so its stripe is background or clipped voxels "
            "and no white matter. Choose another part of the image by 'over', e.g. the mask of a brain, or another "
            "'peak'.",
            RadiodeepWarning,
            stacklevel=2,
        )
    half_bin = (highest - lowest) / _N_BINS / 2
    share = (np.mean(values < mode - half_bin) + np.mean(values <= mode + half_bin)) / 2  # a grey level is not left out
    low, high = np.quantile(values, [max(share - width, 0.0), min(share + width, 1.0)])
    return z_scores(image, values[(values >= low) & (values <= high)], scale)


def histogram_peak(values, peak="last"):
    """Return the intensity of the last, first or largest peak of a smoothed histogram.

    Peaks lower than a fifth of the largest one do not count, as in the R package WhiteStripe. The histogram of values
    (n,) has 1000 bins between their 0.1th and 99.9th percentile and is smoothed by a normal curve of 1/80 of that
    range, so that the peak of ``a * values + b`` is ``a * peak + b``. Of images of few grey levels the curve is as wide
    as their distance.
    """
    low, high = _range(values)
    if not high > low:
        return low
    counts, edges = np.histogram(values, _N_BINS, (low, high))
    bandwidth = np.clip(1 / np.count_nonzero(counts), _BANDWIDTH, _WIDEST_BANDWIDTH)
    density = ndimage.gaussian_filter1d(counts.astype(np.float64), bandwidth * _N_BINS, mode="constant")
    rises = np.diff(density, prepend=0, append=0)
    is_peak = (rises[:-1] > 0) & (rises[1:] <= 0) & (density >= _LARGE_PEAK * density.max())
    at = np.flatnonzero(is_peak)
    chosen = {"last": at[-1], "first": at[0], "largest": at[np.argmax(density[at])]}[peak]
    return float((edges[chosen] + edges[chosen + 1]) / 2)


def _range(values):
    """Return the ends of the histogram whose peaks are found."""
    return np.percentile(values, [0.1, 99.9]).tolist()


def nyul_landmarks(values, percentiles=NYUL_PERCENTILES):
    """Return the percentiles of values (n,), float64 of shape (n_landmarks,).

    Raises
    ------
    InputError
        The first and the last one are equal: the part is flat.
    """
    landmarks = np.percentile(values, percentiles)
    if not landmarks[-1] > landmarks[0]:
        raise InputError(
            f"{percentiles[0]} to {percentiles[-1]} % of the part of the image that sets its scale are "
            f"{landmarks[0]:.4g}. Expected different intensities; choose another part or other percentiles."
        )
    return landmarks


def nyul_scale(landmarks, output_range=(0.0, 1000.0)):
    """Return the standard scale of images: the mean of their landmarks, each mapped linearly to a range.

    Parameters
    ----------
    landmarks : ndarray of shape (n_images, n_landmarks)
        Of each image, from `nyul_landmarks`.
    output_range : (low, high), default=(0, 1000)
        Where the first and the last landmark come to.

    Returns
    -------
    float64 ndarray of shape (n_landmarks,)

    References
    ----------
    Nyúl, Udupa, Magnetic Resonance in Medicine 42 (1999) 1072. Nyúl, Udupa, Zhang, IEEE Transactions on Medical Imaging
    19 (2000) 143.

    Examples
    --------
    >>> from radiodeep.imaging.mr_intensity import nyul_scale
    >>> nyul_scale([[0, 40, 100], [0, 80, 100]], (0, 1)).round(6).tolist()
    [0.0, 0.6, 1.0]
    """
    landmarks = np.asarray(landmarks, np.float64)
    low, high = output_range
    first, last = landmarks[:, :1], landmarks[:, -1:]
    return (low + (landmarks - first) / (last - first) * (high - low)).mean(axis=0)


def on_nyul_scale(image, landmarks, scale):
    """Map the landmarks of an image to those of a standard scale, piecewise linearly.

    Intensities beyond the first and last landmark follow the line of the segment next to them. Landmarks that are equal
    become one, at the mean of theirs on the scale.

    Parameters
    ----------
    image : array of any shape
    landmarks, scale : ndarrays of shape (n_landmarks,)
        From `nyul_landmarks` of this image, and `nyul_scale`.

    Returns
    -------
    float64 ndarray of the shape of the image

    Examples
    --------
    >>> from radiodeep.imaging.mr_intensity import on_nyul_scale
    >>> on_nyul_scale([-10, 0, 20, 40, 70], [0, 40, 100], [0, 60, 100]).tolist()
    [-15.0, 0.0, 30.0, 60.0, 80.0]
    """
    image = np.asarray(image, np.float64)
    known, number = np.unique(landmarks, return_inverse=True)
    scale = np.bincount(number, weights=scale) / np.bincount(number)
    slopes = np.diff(scale) / np.diff(known)
    inside = np.interp(image, known, scale)
    below = slopes[0] * np.minimum(image - known[0], 0.0)
    above = slopes[-1] * np.maximum(image - known[-1], 0.0)
    return inside + below + above
