"""A map of habitats and the images of a region -> what is measured of each habitat, in floats.

The definitions are ours, after Zhou et al. (Translational Oncology 7 (2014) 5), who describe habitats by their shares.
"""

from itertools import combinations

import numpy as np

from radiodeep.handcrafted.glszm import zone_table
from radiodeep.handcrafted.gray_levels import discretise
from radiodeep.handcrafted.local_binary_patterns import LBP_2D_PATTERN_NAMES
from radiodeep.handcrafted.neighbours import Neighbourhoods
from radiodeep.handcrafted.region import crop_region

FEATURES = ("share", "parts", "firstorder", "border", "lbp")


def habitat_names(features, n_habitats, images):
    """Return the names of the features of `measure_habitats`, those of an image with its name in front."""
    habitats = [f"habitat{number}" for number in range(1, n_habitats + 1)]
    prefixes = [f"{name}_" if name else "" for name in images]
    pairs = map("_".join, combinations(habitats, 2))
    patterns = [f"lbp2D_{pattern}" for pattern in LBP_2D_PATTERN_NAMES]
    names = {
        "share": [f"{habitat}_Share" for habitat in habitats],
        "parts": [f"{habitat}_{name}" for habitat in habitats for name in ("PartCount", "LargestPartShare")],
        "firstorder": [f"{p}{h}_{name}" for p in prefixes for h in habitats for name in ("Mean", "StandardDeviation")],
        "border": [f"{pair}_BorderDensity" for pair in pairs],
        "lbp": [f"{prefix}{habitat}_{name}" for prefix in prefixes for habitat in habitats for name in patterns],
    }
    return [name for feature in FEATURES if feature in features for name in names[feature]]


def measure_habitats(features, habitat_map, values, patterns, spacing_mm, absent):
    """Return the features of the habitats of a region, float64 (n_features,) in the order of `habitat_names`.

    Parameters
    ----------
    features : collection of str
        Of `FEATURES`.
    habitat_map : int ndarray of shape (z, y, x)
        0 outside the region, otherwise the number of the habitat from 1.
    values : float ndarray of shape (n_images, n_voxels)
        Intensities of the voxels of the region, in their order in the map.
    patterns : sequence of int8 ndarrays of shape (n_voxels,)
        Of each image, from `lbp_2d_patterns`.
    spacing_mm : sequence of three floats
    absent : float ndarray of shape (n_habitats, n_images, 2)
        Mean and standard deviation of habitats without a voxel.
    """
    n_habitats = len(absent)
    habitats = habitat_map[habitat_map > 0].astype(np.intp) - 1
    counts = np.bincount(habitats, minlength=n_habitats)
    measured = {
        "share": lambda: counts / len(habitats),
        "parts": lambda: _parts(habitat_map, counts),
        "firstorder": lambda: _first_order(habitats, counts, values, absent),
        "border": lambda: _borders(habitat_map, n_habitats, spacing_mm) / (len(habitats) * np.prod(spacing_mm)),
        "lbp": lambda: _histograms(habitats, n_habitats, patterns),
    }
    return np.concatenate([np.ravel(measured[feature]()) for feature in FEATURES if feature in features])


def _parts(habitat_map, counts):
    """Return the number of parts that touch by face, edge or corner, and the largest one's share, (n_habitats, 2)."""
    region = crop_region(habitat_map, habitat_map > 0, (1.0, 1.0, 1.0))
    table, sizes = zone_table(Neighbourhoods(region, discretise(region, bin_width=1)))  # by habitat that is there, size
    rows = np.zeros((len(counts), 2))
    rows[counts > 0] = np.stack([table.sum(axis=1), (sizes * (table > 0)).max(axis=1)], axis=1)
    rows[:, 1] /= np.maximum(counts, 1)
    return rows


def _first_order(habitats, counts, values, absent):
    """Return mean and standard deviation of each image in each habitat, (n_images, n_habitats, 2)."""
    rows = absent.swapaxes(0, 1).copy()
    there = counts > 0
    for row, image in zip(rows, values, strict=True):
        mean = np.bincount(habitats, image, len(counts)) / np.maximum(counts, 1)
        variance = np.bincount(habitats, (image - mean[habitats]) ** 2, len(counts)) / np.maximum(counts, 1)
        row[there] = np.stack([mean, np.sqrt(variance)], axis=1)[there]
    return rows


def _borders(habitat_map, n_habitats, spacing_mm):
    """Return the area in mm² of the faces between voxels of each two habitats, (n_pairs,)."""
    are_habitats = [habitat_map == number for number in range(1, n_habitats + 1)]
    face_areas = np.prod(spacing_mm) / np.array(spacing_mm)
    return np.array([_n_faces(*pair) @ face_areas for pair in combinations(are_habitats, 2)])


def _n_faces(first, second):
    """Return how many faces along each axis lie between voxels of two masks, (3,)."""
    n_faces = []
    for axis in range(3):
        one, other = np.moveaxis(first, axis, 0), np.moveaxis(second, axis, 0)
        n_faces.append(np.count_nonzero(one[:-1] & other[1:]) + np.count_nonzero(other[:-1] & one[1:]))
    return np.array(n_faces)


def _histograms(habitats, n_habitats, patterns):
    """Return the shares of the patterns in each habitat, 0 for one without patterns, (n_images, n_habitats, 10)."""
    n_bins = len(LBP_2D_PATTERN_NAMES)
    histograms = np.zeros((len(patterns), n_habitats, n_bins))
    for histogram, bins in zip(histograms, patterns, strict=True):
        cells = (habitats * n_bins + bins)[bins >= 0]
        histogram[:] = np.bincount(cells, minlength=histogram.size).reshape(histogram.shape)
    return histograms / np.maximum(histograms.sum(axis=2, keepdims=True), 1)
