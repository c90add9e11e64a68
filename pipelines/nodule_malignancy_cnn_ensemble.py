"""Malignancy of lung nodules by an ensemble of small networks trained from scratch (Paul et al., IJCNN 2018; CBM 2020).

The study: three architectures of about 840,000 weights, trained on the 261 nodules of cohort 1 of the National Lung
Screening Trial (30 % held out to choose the epoch; rotations by 15 degrees and flips, 72 images of each) and tested on
the 237 of cohort 2. Each alone: 178, 179 and 180 of 237 right, AUC 0.82, 0.86, 0.87. The mean of the three: 206 right,
AUC 0.94; the median and the vote 190, AUC 0.91 and 0.77 (four possible values). With radiomics and a pretrained network
212 right, AUC 0.96. Seven seeds of each, 21 networks: 90.3 %, AUC 0.96.

Different here: an average only helps if its members err on different cases. --members same shows all three the largest
slice, as in the study; by default one sees the lesion warped to the window, one its surroundings, and one three
neighbouring slices. Of the 72 rotated and flipped images 48 are distinct; an epoch shows --views of them at random.
The settings are small (--epochs 40 --views 48 for a real study). Every model is compared with size alone.

python pipelines/nodule_malignancy_cnn_ensemble.py               on phantoms that imitate the study
python pipelines/nodule_malignancy_cnn_ensemble.py cohort1.csv cohort2.csv --n-seeds 7 --epochs 40 --views 48
"""

import argparse
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.pipeline import make_pipeline

import radiodeep as rd

VIEWS = {  # of each architecture
    "same": ({}, {}, {}),
    "different": ({}, {"window": "crop"}, {"slice": "2.5d"}),
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", type=Path, nargs="*", help="the cohort to train on and the cohort to test on")
    parser.add_argument("--output", type=Path, default=Path("nodule_malignancy_cnn_ensemble"), help="folder")
    parser.add_argument("--members", choices=list(VIEWS), default="different", help="what the networks see")
    parser.add_argument("--n-seeds", type=int, default=1, help="networks of each architecture")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--views", type=int, default=8, help="how often an epoch shows each image")
    parser.add_argument("--n-cases", type=int, default=160, help="of each cohort of phantoms")
    options = parser.parse_args(arguments)
    if len(options.manifests) not in (0, 2):
        parser.error("give two manifests, or none for phantoms")

    names = options.manifests or ("nodules-1", "nodules-2")
    train, test = (
        rd.read_cohort(name) if options.manifests else rd.make_study_cohort(name, options.n_cases) for name in names
    )
    print(f"Train: {train}; test: {test}; {3 * options.n_seeds} networks, {options.members} views")
    settings = {"epochs": options.epochs, "n_views": options.views, "n_seeds": options.n_seeds, "precision": "auto"}
    checkpoints = options.output / "checkpoints"  # so that each network is trained once, whatever it is combined with
    members = [
        rd.CNNClassifier(architecture, **view, **settings, checkpoint_dir=checkpoints)
        for architecture, view in zip(("arch1", "arch2", "arch3"), VIEWS[options.members], strict=True)
    ]
    forest = make_pipeline(rd.RadiomicsExtractor(bin_count=32), RandomForestClassifier(200, random_state=0))
    mean = rd.CNNEnsemble(members)
    models = {"networks, mean": mean, **{member.architecture: member for member in members}}
    models |= {f"networks, {rule}": rd.CNNEnsemble(members, combine=rule) for rule in ("median", "vote")}
    both = [("networks", mean), ("radiomics", forest)]
    models |= {"radiomics": forest, "networks and radiomics": VotingClassifier(both, voting="soft")}

    results = {}
    for name, model in models.items():
        results[name] = rd.holdout_auc(model, train, train.labels, test, test.labels)
        print(f"\n{name}: {results[name]}")
    for reference in ("networks, mean", "networks and radiomics"):
        print(f"\n{rd.compare_all(results, against=reference).round(3).to_string(index=False)}")
    path = rd.write_report(results, options.output / "report.html", "Ensemble of networks", cohort=test)
    print(f"The report is {path}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
