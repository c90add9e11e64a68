"""In: two properties between -1 and 1. Out: a lesion for the demo: one is its texture, the other shows in a slice."""

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.special import ndtri

from radiodeep.cases.synthetic.phantoms import BACKGROUND, LESION, NOISE_SD, TEXTURE_SD, draw_outline

SHAPE, SPACING_MM = (14, 32, 32), (2.0, 1.0, 1.0)
RADIUS_MM, SPICULATION = (7.0, 10.5), (0.04, 0.20)
ACROSS_MM = (0.6, 6.0)  # correlation length across the slices
_IN_PLANE_MM = 1.2
_CENTRE = 0.8  # largest contrast of the centre, in standard deviations of the texture


def draw_demo_lesion(generator, positions):
    """Return a volume: properties are the correlation length across the slices and the brightness of the centre.

    A slice, which is all that a network of pictures sees, does not show the first; features that forget where a voxel
    lies hardly know the second, since the histogram of all lesions is the same. Size says nothing.
    """
    low, high = np.log(ACROSS_MM)
    truth = {
        "across_mm": round(float(np.exp(low + (positions[0] + 1) / 2 * (high - low))), 4),
        "centre": round(float(_CENTRE * positions[1]), 4),
        "spiculation": round(float(generator.uniform(*SPICULATION)), 4),
        "radius_mm": round(float(generator.uniform(*RADIUS_MM)), 4),
    }
    mask = draw_outline(generator, truth)(SHAPE, SPACING_MM)
    sigma_mm = (truth["across_mm"], _IN_PLANE_MM, _IN_PLANE_MM)
    sigma = [length / step for length, step in zip(sigma_mm, SPACING_MM, strict=True)]
    texture = _standardized(gaussian_filter(generator.standard_normal(SHAPE), sigma, mode="wrap")[mask])
    depth = _standardized(distance_transform_edt(mask, SPACING_MM)[mask])
    rank = np.argsort(np.argsort(texture + truth["centre"] * depth))
    image = np.full(SHAPE, BACKGROUND)
    image[mask] = LESION + TEXTURE_SD * ndtri((rank + 0.5) / rank.size)
    image += generator.standard_normal(SHAPE) * NOISE_SD
    voxels = np.round(image).astype(np.int16)
    return {"image": voxels, "mask": mask.astype(np.uint8), "spacing_mm": SPACING_MM, "truth": truth}


def _standardized(values):
    return (values - values.mean()) / values.std()
