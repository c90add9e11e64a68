"""In: an image, a region and the voxel size. Out: how sharply the intensities change across the outline."""

import math

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from scipy.special import expit

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.outline import outline_faces

MARGIN_MM = 5.0  # how far on both sides of the outline the image is looked at
_BIN_MM = 0.5  # of the profile across the outline
_TEN_TO_NINETY = 2 * math.log(9)  # widths of a sigmoid between 10 % and 90 % of its height
_SCALES_MM = np.array([0.05, 2 * MARGIN_MM]) / _TEN_TO_NINETY


def margin_features(image, mask, spacing_mm):
    """Contrast, gradient and sharpness across the outline of a region: float64 (12,), in the order of the catalogue.

    `image` and `mask` (z, y, x) hold the region and 5 mm about it. The outline is the set of faces between a voxel
    inside and its neighbour outside; the distance of a voxel is that of its centre from the middle of the nearest face.
    Voxels outside the region whose intensity is NaN or infinite are left out.

    Contrast is the mean C of the shell up to 5 mm inside the outline less that of the shell outside (one voxel at
    least). RelativeContrast is C / 2 over sqrt(C² / 4 + the mean of both variances): 1 for two intensities without
    noise. DeviationShare is the SD inside over the sum of both SDs. Gradients are magnitudes of central differences at
    the voxels of the region that have a face; RelativeGradient is their mean over SigmoidContrast. The sigmoid is
    fitted to the profile of mean intensities in bins of 0.5 mm across the outline: SigmoidContrast is its height
    (inside less outside), SigmoidOffset how far outside the outline its middle lies (at most 2.5 mm), SigmoidWidth the
    distance from 10 % to 90 % of its height (at most 10 mm), and SigmoidExplainedVariance the share of the profile's
    variance that it explains. Of a flat profile these are 0, 0, 10 and 0.

    Units are mm (SigmoidOffset, SigmoidWidth), that of the image (Contrast, SigmoidContrast), that per mm (gradients),
    and 1/mm (RelativeGradient); the others have none.

    Raises
    ------
    InputError
        The image shows no finite intensity outside the region.

    References
    ----------
    Levman JED, Martel AL. A margin sharpness measurement for the diagnosis of breast cancer from magnetic resonance
    imaging examinations. Acad Radiol 18(12):1577-1581, 2011. Xu J et al. Quantifying the margin sharpness of lesions on
    radiological images for content-based image retrieval. Med Phys 39(9):5405-5418, 2012 (sigmoid across the margin;
    here one for the whole outline). doi:10.1118/1.4739507
    """
    image = np.where(np.isfinite(image), image, np.nan).astype(np.float64)
    inside, outside = outline_faces(mask)
    distances = _signed_distances(mask, inside, outside, spacing_mm)
    is_near = np.isfinite(distances) & np.isfinite(image)
    within, beyond = image[is_near & mask], image[is_near & ~mask]
    if not beyond.size:
        raise InputError(
            "The image shows nothing outside the region, so that its margin cannot be measured. "
            "Give a wider image, or leave out the family 'margin'."
        )
    contrast = within.mean() - beyond.mean()
    deviations = np.array([within.std(), beyond.std()])
    rounding = 1e-12 * np.abs(image[is_near]).max()
    gradients = _gradients(image, inside, spacing_mm)
    height, offset, width, explained = _sigmoid(distances[is_near], image[is_near])
    return np.array(
        [
            contrast,  # Contrast
            _ratio(deviations[0], deviations.sum(), 0.5, rounding),  # DeviationShare
            np.percentile(gradients, 10),  # Gradient10Percentile
            np.percentile(gradients, 90),  # Gradient90Percentile
            gradients.mean(),  # GradientMean
            gradients.std(),  # GradientStandardDeviation
            _ratio(
                contrast / 2, math.sqrt(contrast**2 / 4 + (deviations**2).mean()), 0.0, rounding
            ),  # RelativeContrast
            _ratio(gradients.mean(), abs(height)),  # RelativeGradient
            height,  # SigmoidContrast
            explained,  # SigmoidExplainedVariance
            offset,  # SigmoidOffset
            width,  # SigmoidWidth
        ]
    )


def _ratio(value, total, otherwise=0.0, rounding=0.0):
    """Return a ratio, or another value where its denominator is no more than a rounding error."""
    return value / total if total > rounding else otherwise


def _signed_distances(mask, inside, outside, spacing_mm):
    """Return the distances of voxels from the outline in mm, < 0 inside.

    They are infinite beyond `MARGIN_MM`, but for the voxels at the outline, however large.
    """
    places = np.indices(mask.shape).reshape(3, -1).T * spacing_mm
    outline = cKDTree((inside + outside) / 2 * spacing_mm)
    distances, _ = outline.query(places, distance_upper_bound=MARGIN_MM * (1 + 1e-9))
    distances = distances.reshape(mask.shape)
    at_outline = np.full(mask.shape, np.inf)
    for voxels in (inside, outside):
        np.minimum.at(at_outline, tuple(voxels.T), np.abs((outside - inside) @ spacing_mm) / 2)
    return np.where(mask, -1, 1) * np.where(np.isfinite(distances), distances, at_outline)


def _gradients(image, inside, spacing_mm):
    """Return the gradient magnitude at each voxel inside the outline; a missing neighbour is left out."""
    voxels = np.unique(inside, axis=0) + 1
    image = np.pad(image, 1, constant_values=np.nan)
    center = image[tuple(voxels.T)]
    squares = np.zeros(len(voxels))
    for step, step_mm in zip(np.eye(3, dtype=int), spacing_mm, strict=True):
        lower, upper = (image[tuple((voxels + sign * step).T)] for sign in (-1, 1))
        n_steps = np.isfinite(lower).astype(int) + np.isfinite(upper)
        rise = np.where(np.isfinite(upper), upper, center) - np.where(np.isfinite(lower), lower, center)
        squares += (rise / (np.maximum(n_steps, 1) * step_mm)) ** 2
    return np.sqrt(squares)


def _sigmoid(distances, intensities):
    """Fit height / (1 + exp((distance - offset) / scale)) + base to the profile of the intensities.

    Returns height, offset, the width from 10 % to 90 %, and the share of the profile's variance that is explained.
    """
    bins = np.floor(np.round(distances / _BIN_MM, 9)).astype(int)
    bins -= bins.min()
    counts = np.bincount(bins)
    counts, places, profile = (
        np.bincount(bins, weights)[counts > 0] for weights in (np.ones(bins.size), distances, intensities)
    )
    places, profile = places / counts, profile / counts
    level = profile.mean()
    total = ((profile - level) ** 2).sum()
    if total <= (1e-9 * abs(level)) ** 2 * profile.size:
        return 0.0, 0.0, 2 * MARGIN_MM, 0.0

    def shares_left(offsets, scales):
        """Return the shares of variance left over, for columns of offsets and scales."""
        curves = _curves(places, offsets, scales)
        curves -= curves.mean(axis=1, keepdims=True)
        norms = np.maximum((curves**2).sum(axis=1), 1e-30)
        return 1 - (curves @ (profile - level)) ** 2 / norms / total

    def objective(parameters):
        offset, scale = parameters[0], np.exp(parameters[1])
        return shares_left(offset, scale)[0] + 1e-6 * (abs(offset) + scale)  # the sharpest of equals

    scales = np.geomspace(*_SCALES_MM, 12)
    starts = np.array([(offset, math.log(scale)) for offset in np.arange(-5, 6) / 2 for scale in scales])
    start = min(starts, key=objective)
    bounds = [(-MARGIN_MM / 2, MARGIN_MM / 2), np.log(_SCALES_MM)]
    offset, log_scale = minimize(objective, start, bounds=bounds, method="L-BFGS-B").x
    curve = _curves(places, offset, math.exp(log_scale))[0]
    height = np.polyfit(curve, profile, 1)[0]
    return height, offset, _TEN_TO_NINETY * math.exp(log_scale), 1 - shares_left(offset, math.exp(log_scale))[0]


def _curves(places, offsets, scales):
    return expit(-(places - np.reshape(offsets, (-1, 1))) / np.reshape(scales, (-1, 1)))
