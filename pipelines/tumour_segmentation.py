"""Tumours outlined by a U-Net, beside classical methods, and whether the features survive its masks.

As for brain tumours in FLAIR: a U-Net learns from the outlines of experts. Every mask is of a network that has not seen
the patient. The best classical method is the baseline, and the features of automatic masks are compared with those of
the experts'. Then a network of all cases is saved, to be used by `radiodeep segment FILE new.csv -o masks`.

python pipelines/tumour_segmentation.py                                    on phantoms with vessels and an organ
python pipelines/tumour_segmentation.py manifest.csv --image FLAIR --dimensions 2.5d --spacing 1
"""

import argparse
from pathlib import Path

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="cases with masks")
    parser.add_argument("--output", type=Path, default=Path("tumour_segmentation"), help="folder of masks and network")
    parser.add_argument("--image", help="which of several images")
    parser.add_argument("--dimensions", choices=["2", "2.5d", "3"], default="3")
    parser.add_argument("--spacing", type=float, default=None, help="of the network's voxels in mm; else the median")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--n-cases", type=int, help="of the phantoms")
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    cohort = (
        rd.read_cohort(options.manifest) if options.manifest else rd.make_study_cohort("cluttered", options.n_cases)
    )
    cohort = cohort.of_image(options.image) if options.image else cohort

    network = rd.UNetSegmenter(
        int(options.dimensions) if options.dimensions.isdigit() else options.dimensions,
        spacing_mm=options.spacing,
        training=rd.segmentation_training(options.epochs),
        checkpoint_dir=options.output / "checkpoints",
    )
    segmenters = {
        "U-Net": network,
        "threshold 41 %": rd.ThresholdSegmenter(0.41),
        "region growing": rd.RegionGrowingSegmenter(),
        "Chan-Vese": rd.ChanVeseSegmenter(),
        "random walker": rd.RandomWalkerSegmenter(),
    }
    evidence = rd.cross_validated_dice(segmenters, cohort, cv=options.folds, n_jobs=options.n_jobs)
    print(evidence)

    survival = rd.features_under_masks(rd.RadiomicsExtractor(bin_count=32), cohort, evidence.masks["U-Net"])
    print(f"\n{survival}")

    path = rd.save_model(network.fit(cohort), options.output / "segmenter.skops")
    print(f"\nThe network of all cases is {path}")
    pages = rd.write_montage(cohort, options.output / "montage.png", masks=evidence.masks["U-Net"])
    print(f"Expert and automatic outlines: {', '.join(page.name for page in pages)}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
