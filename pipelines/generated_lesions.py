"""Generated lesions of the rarer class: a look at them, their distance to real ones, and what they are worth.

The lectures show lesions drawn by a generative adversarial network. Here it fills the rarer class inside every fold,
next to random oversampling of the table; generated lesions hold no new evidence, so do not expect a higher AUC.

python pipelines/generated_lesions.py                   on phantoms, 10 malignant of 60 nodules
python pipelines/generated_lesions.py manifest.csv      of images of one slice, or of which the largest slice is taken
"""

import argparse
from pathlib import Path

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.ensemble import RandomForestClassifier

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="csv of cases with a label of two classes")
    parser.add_argument("--output", type=Path, default=Path("generated_lesions"), help="folder of the sheet")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--width", type=int, default=16, help="of the generator")
    parser.add_argument("--n-trees", type=int, default=300)
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.manifest:
        cohort = rd.read_cohort(options.manifest)
    else:
        cohort = rd.make_study_cohort("nodules-1", 100)
        surplus = np.flatnonzero(cohort.labels)[10:]
        cohort = cohort[np.setdiff1d(np.arange(len(cohort)), surplus)][:60]
    cases = [largest_slice(case) for case in cohort]
    labels = np.array([case.label for case in cases])
    radiomics = rd.RadiomicsExtractor(bin_count=32, families=["shape2D", "firstorder", "glcm"])

    generator = rd.LesionGenerator(epochs=options.epochs, width=options.width).fit(cases, labels)
    generated = [case for label in generator.classes_ for case in generator.generate(label, (labels == label).sum())]
    options.output.mkdir(parents=True, exist_ok=True)
    print(f"The sheet is {rd.write_generated_sheet(cases, generated, options.output / 'sheet.png')}")
    print(rd.compare_generated(rd.extract_table(radiomics, cases), rd.extract_table(radiomics, generated)))

    forest = RandomForestClassifier(options.n_trees, random_state=0)
    models = {
        "as it is": make_pipeline(radiomics, forest),
        "oversampled": make_pipeline(radiomics, RandomOverSampler(random_state=0), forest),
        "generated": make_pipeline(rd.LesionGenerator(epochs=options.epochs, width=options.width), radiomics, forest),
    }
    results = rd.cross_validate_models(models, cases, labels, cv=5, n_repeats=1, n_jobs=options.n_jobs)
    for name, result in results.items():
        print(f"{name:12} {result.sentence}")
    print(rd.compare_all(results, against="as it is").round(3).to_string(index=False))


def largest_slice(case):
    """Return a case of the axial slice with most of the region."""
    number = int(case.roi.sum(axis=(1, 2)).argmax())
    slices = slice(number, number + 1)
    loaded = case.in_memory()
    return loaded.replace(image=loaded.voxels[slices], mask=loaded.roi[slices])


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
