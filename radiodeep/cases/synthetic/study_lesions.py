"""In: properties between -1 and 1. Out: a lesion with them, for `make_study_cohort`: a nodule, a glioma, a sarcoma."""

import numpy as np
from scipy.ndimage import gaussian_filter

from radiodeep.cases.synthetic.phantoms import (
    CORRELATION_MM,
    NOISE_SD,
    SHAPE,
    SPACING_MM,
    SPICULATION,
    TEXTURE_SD,
    UPTAKE_MM,
    UPTAKE_SD,
    UPTAKE_SHAPE,
    UPTAKE_SPACING_MM,
    draw_outline,
    textured,
)

NODULE_RADIUS_MM = (5.0, 12.5)
GLIOMA_RADIUS_MM, SARCOMA_RADIUS_MM = (11.0, 14.0), (8.0, 12.5)
NECROSIS = (0.05, 0.50)  # share of the lesion
AGE, GRADES = (30.0, 80.0), (1, 2, 3)
_ENHANCING = 0.4  # share of what is not necrotic
_INTENSITIES = {  # of the brain, and of the necrotic, the enhancing and the infiltrated part
    "T2": (70, 150, 95, 115),
    "FLAIR": (70, 45, 105, 135),
    "T1c": (70, 30, 150, 65),
}
_INFILTRATION_SD = {"T2": 18.0, "FLAIR": 25.0, "T1c": 4.0}  # how much of the texture a sequence shows


def draw_nodule(generator, positions):
    """Return a CT volume: properties are the correlation length, the spiculation and the radius."""
    truth = {
        "correlation_mm": _on_log_scale(CORRELATION_MM, positions[0]),
        "spiculation": _on_scale(SPICULATION, positions[1]),
        "radius_mm": _on_log_scale(NODULE_RADIUS_MM, positions[2]),
    }
    mask = draw_outline(generator, truth)(SHAPE, SPACING_MM)
    image = textured(generator, mask, _sigma(truth["correlation_mm"]), TEXTURE_SD)
    return {"image": image, "mask": mask.astype(np.uint8), "spacing_mm": SPACING_MM, "truth": truth}


def draw_glioma(generator, positions):
    """Return three sequences on one grid: properties are the share of necrosis and the correlation length.

    Necrosis fills the core, the enhancing part surrounds it, and the rest is infiltrated tissue, whose texture shows in
    T2 and FLAIR; the borders are irregular. T1c alone shows the necrosis only.
    """
    truth = {
        "necrosis": _on_scale(NECROSIS, positions[0]),
        "correlation_mm": _on_log_scale(CORRELATION_MM, positions[1]),
        "spiculation": round(float(generator.uniform(0.04, 0.15)), 4),
        "radius_mm": round(float(generator.uniform(*GLIOMA_RADIUS_MM)), 4),
    }
    mask = draw_outline(generator, truth)(SHAPE, SPACING_MM)
    part = _parts(generator, mask, truth["necrosis"])
    texture = gaussian_filter(generator.standard_normal(SHAPE), _sigma(truth["correlation_mm"]), mode="wrap")
    texture = (texture - texture[part == 3].mean()) / texture[part == 3].std() * (part == 3)
    images = {}
    for name, intensities in _INTENSITIES.items():
        noise = generator.standard_normal(SHAPE) * NOISE_SD
        image = np.array(intensities)[part] + texture * _INFILTRATION_SD[name] + noise
        images[name] = np.round(image).astype(np.int16)
    return {"image": images, "mask": mask.astype(np.uint8), "spacing_mm": SPACING_MM, "truth": truth}


def draw_sarcoma(generator, positions):
    """Return MR and PET on grids of their own, and clinical facts.

    Properties are the correlation length in MR, the heterogeneity in PET, the age and the grade.
    """
    truth = {
        "correlation_mm": _on_log_scale(CORRELATION_MM, positions[0]),
        "uptake_sd": _on_scale(UPTAKE_SD, positions[1]),
        "spiculation": round(float(generator.uniform(*SPICULATION)), 4),
        "radius_mm": round(float(generator.uniform(*SARCOMA_RADIUS_MM)), 4),
    }
    is_inside = draw_outline(generator, truth)
    grids = {"MR": (SHAPE, SPACING_MM), "PET": (UPTAKE_SHAPE, UPTAKE_SPACING_MM)}
    masks = {name: is_inside(*grid) for name, grid in grids.items()}
    uptake_sigma = [UPTAKE_MM / step for step in UPTAKE_SPACING_MM]
    images = {
        "MR": textured(generator, masks["MR"], _sigma(truth["correlation_mm"]), TEXTURE_SD),
        "PET": textured(generator, masks["PET"], uptake_sigma, truth["uptake_sd"]),
    }
    return {
        "image": images,
        "mask": {name: mask.astype(np.uint8) for name, mask in masks.items()},
        "spacing_mm": {name: spacing for name, (_, spacing) in grids.items()},
        "clinical": {
            "age": round(_on_scale(AGE, positions[2])),
            "grade": GRADES[min(int((positions[3] + 1) / 2 * len(GRADES)), len(GRADES) - 1)],
        },
        "truth": truth,
    }


def _parts(generator, mask, necrosis):
    """Return the part of each voxel: 0 outside, 1 necrotic, 2 enhancing, 3 infiltrated; by rank of an uneven depth."""
    centre = [(size - 1) / 2 for size in mask.shape]
    away = np.stack(np.indices(mask.shape), axis=-1) - centre
    field = gaussian_filter(generator.standard_normal(mask.shape), [3 / step for step in SPACING_MM], mode="wrap")
    depth = np.linalg.norm(away * SPACING_MM, axis=-1) + 2.5 * field / field.std()
    first = np.quantile(depth[mask], necrosis)
    second = np.quantile(depth[mask], necrosis + (1 - necrosis) * _ENHANCING)
    return np.where(mask, 1 + (depth > first) + (depth > second), 0)


def _sigma(correlation_mm):
    """Return a correlation length in voxels of the grid `SHAPE`."""
    return [correlation_mm / step for step in SPACING_MM]


def _on_scale(limits, position):
    low, high = limits
    return round(float(low + (position + 1) / 2 * (high - low)), 4)


def _on_log_scale(limits, position):
    return round(float(np.exp(_on_scale(np.log(limits), position))), 4)
