"""Classes of colour pictures, each in its own folder: a network from scratch, a fine-tuned one, and frozen features.

By default pictures are drawn here: rings and discs of any colour and size among clutter, so that colour and brightness
say nothing of the class. With few pictures, features of a trained network and a plain classifier are hard to beat;
a network from scratch needs many pictures, and one whose layers are tuned is in between.

python pipelines/picture_classes.py                              on pictures that are drawn here
python pipelines/picture_classes.py FOLDER                       (a subfolder per class, e.g. cats and dogs)
python pipelines/picture_classes.py FOLDER --network resnet50 --weights resnet50.safetensors
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.draw import disk
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd


def draw_pictures(folder, n_pictures, side=64):
    """Write PNG files of rings and discs to two subfolders."""
    rng = np.random.default_rng(0)
    for number in range(n_pictures):
        picture = rng.integers(0, 256, 3) + rng.normal(0, 20, (side, side, 3))
        radius = rng.uniform(8, 20)
        centre = rng.uniform(radius, side - radius, 2)
        shapes = [(rng.uniform(0, side, 2), rng.uniform(2, 5), rng.integers(0, 256, 3)) for _ in range(8)]
        shapes.append((centre, radius, rng.integers(0, 256, 3)))
        if number % 2:
            shapes.append((centre, 0.55 * radius, picture[0, 0]))
        for place, size, colour in shapes:
            picture[disk(place, size, shape=(side, side))] = colour
        path = folder / ("disc", "ring")[number % 2] / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
    return folder


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="?", help="folder with a subfolder of pictures for each class")
    parser.add_argument("--output", type=Path, default=Path("picture_classes"), help="folder of the report")
    parser.add_argument("--network", default="radiodeep-mini", help="the pretrained network")
    parser.add_argument("--weights", default="packaged", help="a file, 'packaged' or 'pretrained'")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--n-pictures", type=int, default=200, help="of those that are drawn")
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)

    is_grey = options.network == "radiodeep-mini"  # which has one channel
    folder = options.pictures or draw_pictures(options.output / "pictures", options.n_pictures)
    cohort = rd.read_image_folder(folder, rgb="luminance" if is_grey else "channels")
    view = {"window": "exact", "intensity_range": (0, 255)}
    plan = {"epochs": options.epochs, "n_views": 4, "schedule": "one-cycle", "validation_fraction": 0}
    channel = "all" if is_grey else "images"
    features = rd.DeepFeatureExtractor(options.network, options.weights, channel=channel, **view)
    models = {
        "frozen features": make_pipeline(features, StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)),
        "last layers tuned": rd.CNNClassifier(options.network, options.weights, 2, learning_rate=3e-3, **view, **plan),
        "all layers tuned": rd.CNNClassifier(options.network, options.weights, **view, **plan),
        "from scratch": rd.CNNClassifier(options.network, learning_rate=3e-3, **view, **plan),
    }
    results = rd.cross_validate_models(models, cohort, cohort.labels, cv=5, n_repeats=1, n_jobs=options.n_jobs)
    for name, result in results.items():
        print(f"\n{name}: {result}")
    print(rd.compare_all(results, against="frozen features").round(3).to_string(index=False))
    print(f"The report is {rd.write_report(results, options.output / 'report.html', 'Classes of pictures')}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
