"""Train a model on one cohort, save it, and score another cohort with the saved file.

The file holds the steps, the weights and the range of the training data, and no images; a new case outside that range
is scored with a remark.

python pipelines/score_new_cases.py                              on phantoms of two cohorts of nodules
python pipelines/score_new_cases.py train.csv new.csv
"""

import argparse
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, nargs="?", help="manifest of cases with labels")
    parser.add_argument("new", type=Path, nargs="?", help="manifest of cases to score")
    parser.add_argument("--output", type=Path, default=Path("score_new_cases"), help="folder of the model and scores")
    parser.add_argument("--n-features", type=int, default=15)
    parser.add_argument("--n-cases", type=int, default=60, help="of the phantoms to train on")
    options = parser.parse_args(arguments)
    if (options.train is None) != (options.new is None):
        parser.error("give two manifests, or none for phantoms")

    known = rd.read_cohort(options.train) if options.train else rd.make_study_cohort("nodules-1", options.n_cases)
    new = rd.read_cohort(options.new) if options.new else rd.make_study_cohort("nodules-2", 12)
    model = make_pipeline(
        make_union(rd.RadiomicsExtractor(bin_count=32), rd.DeepFeatureExtractor("radiodeep-mini")),
        rd.SymmetricUncertainty(n_features_to_select=options.n_features),
        RandomForestClassifier(n_estimators=200, random_state=0),
    )
    print(f"Train on {known}, score {new}")
    options.output.mkdir(parents=True, exist_ok=True)
    path = rd.save_model(model.fit(known, known.labels), options.output / "model.skops")

    scores = rd.score_cohort(rd.load_model(path), new)
    scores.to_csv(options.output / "scores.csv", index=False)
    print(scores.to_string(index=False))
    print(f"The model is {path}, the scores are {options.output / 'scores.csv'}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
