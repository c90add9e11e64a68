"""Classes of skin lesions as sums over a taxonomy of diagnoses (Esteva et al., Nature 2017).

The study: Inception v3, trained on 129,450 pictures of 757 classes of diagnoses, which a taxonomy of 2,032 diseases was
divided into. The probability of a coarse class is the sum of those of the diagnoses below it. Benign, malignant or
non-neoplastic: 72.1 % right (SD 0.9), two dermatologists 65.56 and 66.0 %.

Different here: grey phantoms of nine diagnoses, and a small network trained from scratch. The same network is
trained on the diagnoses and on the three classes themselves, which shows what the taxonomy is worth; radiomics of the
outline too. --architecture inception_v3 --weights FILE is the network of the study.

python pipelines/skin_lesion_taxonomy.py                         on phantoms that imitate the study
python pipelines/skin_lesion_taxonomy.py manifest.csv            (label: the class; a column diagnosis)
"""

import argparse
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="cases with a label and a column of the finer class")
    parser.add_argument("--output", type=Path, default=Path("skin_lesion_taxonomy"), help="folder of the report")
    parser.add_argument("--fine", default="diagnosis", help="column of the finer class")
    parser.add_argument("--architecture", default="radiodeep-mini")
    parser.add_argument("--weights", help="file of pretrained weights, or 'packaged'; by default trained from scratch")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--views", type=int, default=3, help="how often an epoch shows each image")
    parser.add_argument("--n-cases", type=int, default=270, help="of the phantoms")
    parser.add_argument("--n-folds", type=int, default=2)
    parser.add_argument("--n-repeats", type=int, default=1)
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)

    manifest = options.manifest
    cohort = rd.read_cohort(manifest) if manifest else rd.make_study_cohort("skin", options.n_cases)
    if options.fine not in cohort.frame:
        parser.error(f"the manifest has no column {options.fine!r}")
    fine = cohort.frame.set_index("id")[options.fine]
    taxonomy = dict(zip(fine, cohort.labels.tolist(), strict=True))
    print(f"{cohort}: {len(taxonomy)} diagnoses in the classes {', '.join(map(str, sorted(set(taxonomy.values()))))}")
    network = rd.CNNClassifier(
        options.architecture,
        options.weights,
        epochs=options.epochs,
        n_views=options.views,
        schedule="one-cycle",
        validation_fraction=0,
        precision="auto",
    )
    families = ["shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"]
    radiomics = rd.RadiomicsExtractor(bin_count=32, families=families)
    forest = make_pipeline(radiomics, RandomForestClassifier(200, random_state=0))
    models = {
        "network, taxonomy": rd.CoarseFromFine(network, taxonomy, fine),
        "network, classes": network,
        "radiomics, taxonomy": rd.CoarseFromFine(forest, taxonomy, fine),
        "radiomics, classes": forest,
    }
    folds = {"cv": options.n_folds, "n_repeats": options.n_repeats, "n_jobs": options.n_jobs}
    results = rd.cross_validate_models(models, cohort, cohort.labels, **folds)
    for name, result in results.items():
        print(f"\n{name}: {result}\n{result.measures()}")
    print(rd.compare_all(results, against="network, taxonomy").round(3).to_string(index=False))
    title = "Skin lesions: classes by a taxonomy of diagnoses"
    print(f"The report is {rd.write_report(results, options.output / 'report.html', title, cohort=cohort)}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
