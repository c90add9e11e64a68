"""In: properties between -1 and 1. Out: a lesion somewhere among vessels and an organ that are as bright as itself."""

import numpy as np
from scipy.ndimage import gaussian_filter

from radiodeep.cases.synthetic.phantoms import (
    BACKGROUND,
    CORRELATION_MM,
    LESION,
    NOISE_SD,
    RADIUS_MM,
    SPICULATION,
    TEXTURE_SD,
    draw_outline,
)

SHAPE, SPACING_MM = (32, 52, 52), (2.0, 1.5, 1.5)
_BOX = (18, 24, 24)  # of the lesion, about which the outline is drawn
_N_VESSELS, _VESSEL_RADIUS_MM, _VESSEL_WAVE_MM = (5, 9), (2.0, 4.0), 6.0
_ORGAN_RADIUS_MM, _ORGAN = (26.0, 34.0), (140.0, 260.0)  # of an organ at the edge of the image, and its intensity
_BLUR_MM = 1.0  # of the scanner


def draw_cluttered(generator, positions):
    """Return a CT volume: properties are the correlation length of the lesion's texture and its spiculation.

    An intensity does not tell the lesion from what is around it: it is as bright as the vessels and darker than the
    organ, from which its size, its shape and its texture distinguish it.
    """
    low, high = np.log(CORRELATION_MM)
    truth = {
        "correlation_mm": round(float(np.exp(low + (positions[0] + 1) / 2 * (high - low))), 4),
        "spiculation": round(float(np.interp(positions[1], (-1, 1), SPICULATION)), 4),
        "radius_mm": round(float(generator.uniform(*RADIUS_MM)), 4),
    }
    inside = draw_outline(generator, truth)(_BOX, SPACING_MM)
    corner = [int(generator.integers(size - box + 1)) for size, box in zip(SHAPE, _BOX, strict=True)]
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(first, first + box) for first, box in zip(corner, _BOX, strict=True))] = inside
    image = np.full(SHAPE, BACKGROUND)
    image[_organ(generator)] = generator.uniform(*_ORGAN)
    image[_vessels(generator)] = LESION
    texture = gaussian_filter(generator.standard_normal(SHAPE), [truth["correlation_mm"] / step for step in SPACING_MM])
    texture = (texture - texture[mask].mean()) / texture[mask].std() * TEXTURE_SD
    image = np.where(mask, LESION + texture, image)
    image = gaussian_filter(image, [_BLUR_MM / step for step in SPACING_MM])
    image += generator.standard_normal(SHAPE) * NOISE_SD
    voxels = np.round(image).astype(np.int16)
    return {"image": voxels, "mask": mask.astype(np.uint8), "spacing_mm": SPACING_MM, "truth": truth}


def _organ(generator):
    """Return the voxels of a large ball at a side of the image."""
    extent = np.array(SHAPE) * SPACING_MM
    centre = generator.uniform(0, 1, 3) * extent
    axis = int(generator.integers(1, 3))
    radius = generator.uniform(*_ORGAN_RADIUS_MM)
    centre[axis] = extent[axis] + 0.6 * radius if generator.random() < 0.5 else -0.6 * radius
    return np.square(_positions() - centre).sum(axis=-1) <= radius**2


def _vessels(generator):
    """Return the voxels of tubes that wind through the whole image, mostly across the slices."""
    z, y, x = np.moveaxis(_positions(), -1, 0)
    extent = np.array(SHAPE) * SPACING_MM
    vessels = np.zeros(SHAPE, bool)
    for _ in range(generator.integers(*_N_VESSELS)):
        start, end = (generator.uniform(0, 1, 2) * extent[1:] for _ in range(2))
        phase = generator.uniform(0, 2 * np.pi, 2)
        along = z / extent[0]
        middle_y, middle_x = (
            first + along * (last - first) + _VESSEL_WAVE_MM * np.sin(2 * np.pi * along + shift)
            for first, last, shift in zip(start, end, phase, strict=True)
        )
        vessels |= (y - middle_y) ** 2 + (x - middle_x) ** 2 <= generator.uniform(*_VESSEL_RADIUS_MM) ** 2
    return vessels


def _positions():
    """Return the place of each voxel in mm, (z, y, x, 3)."""
    axes = [(np.arange(size) + 0.5) * step for size, step in zip(SHAPE, SPACING_MM, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
