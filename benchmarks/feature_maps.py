"""Time maps of features beside pyradiomics' voxel-based extraction, in this process, one thread each, in turns.

    python benchmarks/feature_maps.py [--rounds 2] [--voxels 10000]

A row per family: one feature, radius 1, a ball of smoothed noise with 38 grey levels. pyradiomics gets its windows in
batches of 100, with which it is fastest. Its values are compared with ours.
"""

import argparse
import logging
import time
import warnings

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.voxel_maps import voxel_maps

FEATURES = {
    "glcm": "Contrast",
    "firstorder": "Entropy",
    "glrlm": "RunEntropy",
    "glszm": "ZoneEntropy",
    "gldm": "DependenceEntropy",
    "ngtdm": "Busyness",
}
SPACING_MM = (1.0, 1.0, 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--voxels", type=int, default=10_000)
    arguments = parser.parse_args()
    image, mask = ball(arguments.voxels)
    calculators = pyradiomics_classes()
    print(f"{mask.sum()} voxels, {np.ptp(image[mask] // 25) + 1} grey levels; microseconds per voxel")
    print(f"{'feature':24}{'ours':>12}{'its family':>12}{'pyradiomics':>12}{'ratio':>8}{'deviation':>12}")
    for family, feature in FEATURES.items():
        name = f"{family}_{feature}"
        voxel_maps(image, mask, SPACING_MM, [name])  # compiled
        own, theirs = [], []
        for _ in range(arguments.rounds):
            seconds, values = timed(lambda: voxel_maps(image, mask, SPACING_MM, [name])[0])  # noqa: B023
            own.append(seconds)
            seconds, expected = timed(lambda: pyradiomics_map(calculators[family], feature, image, mask))  # noqa: B023
            theirs.append(seconds)
        whole, _ = timed(lambda: voxel_maps(image, mask, SPACING_MM, feature_names([family])))  # noqa: B023
        ours, original = min(own), min(theirs)
        deviation = np.nanmax(np.abs(values - expected) / np.maximum(1, np.abs(expected)))
        per_voxel = "".join(f"{1e6 * seconds / mask.sum():12.2f}" for seconds in (ours, whole, original))
        print(f"{name:24}{per_voxel}{original / ours:8.0f}{deviation:12.1e}", flush=True)


def ball(n_voxels):
    """Return an image, int16, and a ball of about so many voxels in its middle."""
    radius = (n_voxels * 3 / (4 * np.pi)) ** (1 / 3)
    side = 2 * int(np.ceil(radius)) + 1
    noise = gaussian_filter(np.random.default_rng(1).normal(size=(side,) * 3), 0.7)
    places = np.indices(noise.shape) - side // 2
    return (noise / noise.std() * 130 + 400).astype(np.int16), (places**2).sum(axis=0) <= radius**2


def pyradiomics_classes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import radiomics  # optional
    radiomics.logger.setLevel(logging.CRITICAL)
    return radiomics.getFeatureClasses()


def pyradiomics_map(calculator, feature, image, mask):
    both = [sitk.GetImageFromArray(array) for array in (image, mask.astype(np.uint8))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        family = calculator(*both, label=1, voxelBased=True, voxelBatch=100, binWidth=25)
        family.enableFeatureByName(feature)
        return sitk.GetArrayFromImage(family.execute()[feature])[mask]


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
