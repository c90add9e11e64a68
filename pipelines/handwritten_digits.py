"""Handwritten digits: two teaching networks, and an ensemble of networks that see digits of different widths.

The lecture: 60,000 digits of MNIST, 28 x 28 pixels. A network of 20 convolutions of 5 x 5 and 100 hidden units teaches
the idea; the contest network has 32 and 64 convolutions and 1,024 units (dropout 0.5, rate 1e-4, batches of 24, 10,000
batches, 7,500 digits held out). Published errors: one network 0.95 % without distortions and 0.35 % with elastic ones,
35 networks (seven widths of the digits, five of each) 0.23 %.

Different here: the 1,797 digits of scikit-learn, 8 x 8 pixels enlarged to 28 x 28, need no download; a third is the
test. Its writers are also those of the training, as they are not in MNIST, and their digits are other ones: these
errors cannot be compared with the published ones. --n-networks 35 --epochs 30 is the ensemble of the lecture.

python pipelines/handwritten_digits.py
python pipelines/handwritten_digits.py --n-networks 35 --epochs 30
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import affine_transform
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import radiodeep as rd

SIDE = 28
WIDTHS = (1.0, 0.8, 1.2, 0.7, 0.9, 1.1, 1.3)  # of the digits in the members of an ensemble


def images_of(table, width=1.0):
    """Return rows of 8 x 8 pixels (0 to 16) as images of 28 x 28 (0 to 1) with the digits narrowed or widened."""
    small = np.asarray(table, dtype=np.float64).reshape(-1, 8, 8) / 16
    scale = np.array([8 / SIDE, 8 / SIDE / width])
    offset = 3.5 - scale * (SIDE - 1) / 2
    return np.stack([affine_transform(image, scale, offset, (SIDE, SIDE), order=1) for image in small])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("handwritten_digits"), help="folder of the report")
    parser.add_argument("--n-networks", type=int, default=3, help="of the ensemble; 35 in the lecture")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--n-digits", type=int, default=1797)
    options = parser.parse_args(arguments)

    pixels, digits = load_digits(return_X_y=True)
    table = pd.DataFrame(pixels).add_prefix("pixel_").rename("digit-{:04d}".format)[: options.n_digits]
    labels = digits[: options.n_digits].astype(str)
    train, test, known, truth = train_test_split(table, labels, test_size=1 / 3, random_state=0, stratify=labels)
    print(f"{len(train)} digits to train on, {len(test)} to test")
    distortions = rd.Augmentation(rotation=12, flips=False, elastic=1.0, zoom=0.1, shift=0.05)

    def network(name, width=1.0, seed=0, augmentation=distortions, epochs=options.epochs, learning_rate=1e-3):
        training = rd.Training(epochs, 1, 24, learning_rate, "one-cycle", augmentation=augmentation)
        training.set_params(validation_fraction=0)
        classifier = rd.CNNClassifier(name, training=training, random_state=seed, class_weight=None)
        return make_pipeline(FunctionTransformer(images_of, kw_args={"width": width}), classifier)

    members = [network("mnist-contest", WIDTHS[k % 7], k // 7) for k in range(options.n_networks)]
    models = {
        f"ensemble of {options.n_networks}": rd.CNNEnsemble(members),
        "contest network": members[0],
        "contest network, no distortions": network("mnist-contest", augmentation=None),
        "teaching network": network("mnist", epochs=3 * options.epochs, learning_rate=5e-3),  # sigmoids learn slowly
    }
    results = {}
    for name, model in models.items():
        results[name] = rd.holdout_auc(model, train, known, test, truth, size=None)
        print(f"{name}: error {1 - results[name].accuracy:.2%}; {results[name]}")
    print(rd.compare_accuracy(results[f"ensemble of {options.n_networks}"], results["contest network"]))
    print(f"The report is {rd.write_report(results, options.output / 'report.html', 'Handwritten digits')}")


if __name__ == "__main__":
    main()
