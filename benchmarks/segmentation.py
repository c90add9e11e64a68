"""Lesions outlined by a U-Net and by classical methods -> their sections of data/RESULTS.md, and out-of-fold masks.

    python benchmarks/segmentation.py NAME ... [--folder masks] [--checkpoints FOLDER]

Names: pet, mr, cluttered. The data are found by RADIODEEP_REFERENCE_DATA. Masks are written as FOLDER/NAME.npz, an
array by case id. One process and one thread; a killed training goes on from the checkpoints.
"""

import argparse
import resource
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from results import DATA, PAGE, markdown, written
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags

import radiodeep as rd
from radiodeep.imaging.resample import resample

SECONDS = defaultdict(float)
MARGIN_MM = 10.0  # of the crops
COLUMNS = {
    "dice": "Dice (95 % interval)",
    "hd95_mm": "HD95, mm",
    "surface_dice": "surface Dice",
    "volume_error": "volume error",
}


class Timed(BaseEstimator):
    """A segmenter that adds the seconds it takes to `SECONDS`."""

    def __init__(self, name, segmenter):
        self.name = name
        self.segmenter = segmenter

    def __sklearn_tags__(self):
        return get_tags(self.segmenter)

    def fit(self, cases, y=None):
        start = time.process_time()
        self.segmenter_ = clone(self.segmenter).fit(cases)
        SECONDS[self.name] += time.process_time() - start
        return self

    def predict(self, cases):
        start = time.process_time()
        masks = self.segmenter_.predict(cases)
        SECONDS[self.name] += time.process_time() - start
        return masks


class EllipsoidOfCrop(BaseEstimator):
    """The ellipsoid that fills a crop but for its margin: what the crop alone gives away."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def fit(self, cases, y=None):
        return self

    def predict(self, cases):
        return [self._mask(case.lesion()) for case in cases]

    def _mask(self, lesion):
        axes = []
        for size, step in zip(lesion.roi.shape, lesion.spacing_mm, strict=True):
            half = size * step / 2
            axes.append(((np.arange(size) + 0.5) * step - half) / max(half - MARGIN_MM, step))
        along_z, along_y, along_x = np.ix_(*axes)
        return along_z**2 + along_y**2 + along_x**2 <= 1


def classical(seed, word):
    """Return the classical segmenters with a way to find the lesion; `word` names it."""
    return {
        f"41 % of maximum, {word}": rd.ThresholdSegmenter(0.41, seed=seed),
        f"50 % of maximum, {word}": rd.ThresholdSegmenter(0.5, seed=seed),
        f"region growing, {word}": rd.RegionGrowingSegmenter(seed=seed),
        f"Chan-Vese, {word}": rd.ChanVeseSegmenter(seed=seed),
        f"random walker, {word}": rd.RandomWalkerSegmenter(seed=seed),
    }


def pet():
    cohort = rd.read_cohort(DATA / "sts_pet" / "manifest.csv")
    network = rd.UNetSegmenter(patch_size=(32, 24, 24), channels=(8, 16, 32, 64), training=rd.segmentation_training(30))
    intro = (
        "51 soft-tissue sarcomas in FDG-PET. The images are crops, the mask and 10 mm around it, so that place and "
        "extent are given away: the ellipsoid that fills a crop but for its margin uses nothing else."
    )
    return intro, cohort, network, {"ellipsoid of the crop": EllipsoidOfCrop()}, classical("brightest", "brightest")


def mr():
    names = sorted(path.name[:7] for path in (DATA / "sts_mr").glob("*_image.nii.gz"))
    files = ([DATA / "sts_mr" / f"{name}_{kind}.nii.gz" for kind in ("image", "mask")] for name in names)
    cases = [rd.Case(*pair, id=name) for name, pair in zip(names, files, strict=True)]
    cohort = rd.Cohort([resample(case, (0, 2, 2), "linear", 100, anti_alias=True) for case in cases])
    network = rd.UNetSegmenter(
        spacing_mm=(3.27, 4, 4),
        patch_size=(32, 24, 24),
        channels=(8, 16, 32, 64),
        training=rd.segmentation_training(20),
    )
    intro = (
        "49 of them in T1-weighted MR, pixels of 2 mm, where the lesion is about as bright as muscle. Crops of the "
        "same kind; the lesion is sought in their middle."
    )
    return intro, cohort, network, {"ellipsoid of the crop": EllipsoidOfCrop()}, classical("centre", "centre")


def cluttered():
    cohort = rd.make_study_cohort("cluttered", 40)
    clicks = {case.id: click(case.roi) for case in cohort}
    network = rd.UNetSegmenter(
        spacing_mm=2.5, patch_size=24, channels=(8, 16, 32, 64), training=rd.segmentation_training(5)
    )
    intro = (
        "40 phantoms in which a lesion of 1 % of the image lies somewhere among vessels and an organ that are as "
        "bright. Only classical methods with a click, the innermost voxel of the true region, are told where it is."
    )
    return intro, cohort, network, {}, classical("brightest", "brightest") | classical(clicks, "click")


def click(roi):
    """Return the voxel of a region that is nearest to its centre."""
    voxels = np.argwhere(roi)
    return tuple(voxels[np.square(voxels - voxels.mean(axis=0)).sum(axis=1).argmin()].tolist())


STUDIES = {
    "pet": ("Sarcomas outlined in PET", pet),
    "mr": ("Sarcomas outlined in MR", mr),
    "cluttered": ("Lesions outlined among vessels (phantoms)", cluttered),
}


def section(name, folder, checkpoints):
    """Return the text of a study, and write its out-of-fold masks."""
    title, study = STUDIES[name]
    intro, cohort, network, controls, baselines = study()
    network.set_params(checkpoint_dir=checkpoints, n_threads=1, device="cpu")
    segmenters = {"U-Net": network} | controls | baselines
    timed = {label: Timed(label, segmenter) for label, segmenter in segmenters.items()}
    evidence = rd.cross_validated_dice(timed, cohort, cv=5, baselines=list(baselines))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", **{case.id: evidence.masks["U-Net"][case.id] for case in cohort})
    rows = {}
    for label in segmenters:
        found = {measure: evidence.table.loc[(label, measure), ["value", "low", "high"]] for measure in COLUMNS}
        rows[label] = {
            COLUMNS[key]: f"{value:.2f} ({low:.2f} to {high:.2f})" for key, (value, low, high) in found.items()
        }
        rows[label]["seconds"] = f"{SECONDS[label]:.0f}"
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    intro += f" 5-fold by patient, one seed, one thread; at most {gigabytes:.1f} GB. Seconds are those of a processor."
    table = markdown(pd.DataFrame.from_dict(rows, orient="index").rename_axis("segmenter"))
    return "\n".join([f"## {title}", intro, "", table, "", *(f"- {sentence}" for sentence in evidence.sentences)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(STUDIES))
    parser.add_argument("--folder", type=Path, default=Path("masks"), help="of the out-of-fold masks")
    parser.add_argument("--checkpoints", type=Path, help="folder from which a killed training goes on")
    arguments = parser.parse_args()
    for name in arguments.names:
        text = section(name, arguments.folder, arguments.checkpoints)
        print(text, flush=True)
        PAGE.write_text(written(PAGE.read_text(), f"segmentation-{name}", text))


if __name__ == "__main__":
    main()
