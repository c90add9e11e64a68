"""Learned features without labels: what autoencoders find in lesions, beside the packaged network and handcrafted ones.

Lectures name three of them: the plain autoencoder, the denoising one, and the variational one, whose features are close
to independent standard normal numbers. Each is trained in every fold on the images of the training cases alone. The
figure shows what the features of each keep of lesions that it was not trained on.

python pipelines/autoencoder_features.py
python pipelines/autoencoder_features.py manifest.csv --epochs 80 --n-features 32
"""

import argparse
from pathlib import Path

from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", nargs="?", help="of lesions with labels; by default phantoms")
    parser.add_argument("--output", type=Path, default=Path("autoencoder_features"), help="folder of the report")
    parser.add_argument("--n-cases", type=int, default=100, help="number of phantoms")
    parser.add_argument("--n-features", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--dimensions", type=int, choices=(2, 3), default=2)
    parser.add_argument("--n-folds", type=int, default=5)
    options = parser.parse_args(arguments)

    is_phantom = options.manifest is None
    cohort = rd.make_study_cohort("demo", options.n_cases) if is_phantom else rd.read_cohort(options.manifest)
    plan = rd.Training(options.epochs, 1, learning_rate=3e-3, schedule="one-cycle", validation_fraction=0)
    learned = {
        kind: rd.AutoencoderFeatures(kind, options.n_features, options.dimensions, training=plan)
        for kind in ("plain", "denoising", "variational")
    }
    heads = {
        **{f"{kind} autoencoder": features for kind, features in learned.items()},
        "packaged network": rd.DeepFeatureExtractor(),
        "handcrafted": rd.RadiomicsExtractor(bin_count=32),
    }
    models = {
        name: make_pipeline(head, SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.1))
        for name, head in heads.items()
    }
    results = rd.cross_validate_models(models, cohort, cohort.labels, cv=options.n_folds, n_repeats=1)
    for name, result in results.items():
        print(f"{name}: {result}")

    options.output.mkdir(parents=True, exist_ok=True)
    new, known = cohort[:6], cohort[6:]
    for kind, features in learned.items():
        features.fit([case for case in known if case.patient not in new.patients])
        rd.reconstruction_figure(features, new).savefig(options.output / f"{kind}.svg")
        print(f"{kind}: {features.variance_explained_:.0%} of the variance of the training images explained")
    print(f"The report is {rd.write_report(results, options.output / 'report.html', 'Learned features')}")


if __name__ == "__main__":
    main()
