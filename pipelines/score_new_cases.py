"""Train a model on one cohort, save it, and score another cohort with the saved file.

python pipelines/score_new_cases.py train/manifest.csv new/manifest.csv --output scores
"""

import argparse
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path, help="manifest of cases with labels")
    parser.add_argument("new", type=Path, help="manifest of cases to score")
    parser.add_argument("--output", type=Path, required=True, help="folder for model.skops and scores.csv")
    parser.add_argument("--n-features", type=int, default=15)
    options = parser.parse_args(arguments)

    known = rd.read_cohort(options.train)
    model = make_pipeline(
        make_union(rd.RadiomicsExtractor(bin_count=32), rd.DeepFeatureExtractor("radiodeep-mini")),
        rd.SymmetricUncertainty(n_features_to_select=options.n_features),
        RandomForestClassifier(n_estimators=200, random_state=0),
    )
    path = rd.save_model(model.fit(known, known.labels), options.output / "model.skops")

    scores = rd.score_cohort(rd.load_model(path), rd.read_cohort(options.new))
    scores.to_csv(options.output / "scores.csv", index=False)
    print(scores.to_string(index=False))


if __name__ == "__main__":
    main()
