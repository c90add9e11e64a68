"""Automatic masks of tumours: how good they are, and whether features and a model survive them.

Segmenters are tested on patients that they have not seen, and compared with the best of the methods that learn nothing.
Then the features of expert masks are compared with those of automatic ones.

python pipelines/automatic_masks.py                        on phantoms of sarcomas in PET
python pipelines/automatic_masks.py manifest.csv --unet    PET with masks and labels, and a network
"""

import argparse
from pathlib import Path

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="csv of cases of one image, with masks and labels")
    parser.add_argument("--output", type=Path, default=Path("automatic_masks"), help="folder of tables and pictures")
    parser.add_argument("--n-cases", type=int, default=40, help="phantoms")
    parser.add_argument("--unet", action="store_true", help="also train a U-Net in each fold, which takes minutes")
    parser.add_argument("--n-repeats", type=int, default=20, help="of the halves in which the AUC is measured")
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.manifest:
        cohort = rd.read_cohort(options.manifest)
    else:
        cohort = rd.make_study_cohort("sarcoma", options.n_cases).of_image("PET")

    segmenters = {
        "41 % of maximum": rd.ThresholdSegmenter(0.41),
        "50 % of maximum": rd.ThresholdSegmenter(0.5),
        "region growing": rd.RegionGrowingSegmenter(),
    }
    if options.unet:
        segmenters["U-Net"] = rd.UNetSegmenter()
    evidence = rd.cross_validated_dice(segmenters, cohort, n_jobs=options.n_jobs, on_error="record")
    print(evidence, end="\n\n")
    shown = "U-Net" if options.unet else "41 % of maximum"  # chosen beforehand, not by these cases
    masks = evidence.masks[shown]
    options.output.mkdir(parents=True, exist_ok=True)
    evidence.cases.to_csv(options.output / "masks.csv")
    measured = [case for case in cohort if case.id in masks]
    rd.write_montage(measured, options.output / "montage.png", masks=masks)

    radiomics = rd.RadiomicsExtractor(bin_count=32)
    labels = [case.label for case in measured]
    survival = rd.features_under_masks(radiomics, measured, masks, labels, cv=2, n_repeats=options.n_repeats)
    print(f"Features under the masks of {shown}:", survival, sep="\n")
    survival.table.to_csv(options.output / "features.csv")
    rd.repeatability_figure(survival.table).savefig(options.output / "features.png")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
