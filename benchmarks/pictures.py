"""Classes of real pictures: frozen features, fine-tuned and new networks -> their section of data/RESULTS.md.

    python benchmarks/pictures.py

Faces: the 200 pictures of 25 x 25 pixels that come with scikit-image, half of them faces, 5 folds. Patches: 64 x 64
pixels of nine colour pictures of scikit-image and scikit-learn; models learn from which picture a patch of its left
half comes, and are tested on its right half.
"""

import resource
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import skimage
from PIL import Image
from results import PAGE, markdown, written
from scipy.stats import binomtest
from sklearn.datasets import load_sample_image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import radiodeep as rd

LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
VIEW = {"window": "exact", "intensity_range": (0, 255)}
PLAN = {"epochs": 12, "n_views": 3, "schedule": "one-cycle", "validation_fraction": 0, "batch_size": 32}
SENTENCE = (
    "On 200 pictures of faces the packaged network is at the ceiling, frozen or tuned, and arch3 from scratch is not. "
    "With 24 patches per class tuning all its layers helps (.74 against .66 frozen), but radiomics of the three "
    "colours are best (.83): colours tell more than any network that sees none."
)
COLOURED = (
    "coffee.png",
    "astronaut.png",
    "chelsea.png",
    "retina.jpg",
    "ihc.png",
    "hubble_deep_field.jpg",
    "rocket.jpg",
)


def pixels(cases):
    """Return the pixels of the pictures as rows, resized to 16 x 16."""
    parts = [[part.voxels[0] for part in case.single_images().values()] for case in cases]
    return np.stack([[skimage.transform.resize(image, (16, 16)) for image in images] for images in parts]).reshape(
        len(cases), -1
    )


def pixel_names(transformer, cases):
    return np.array([f"pixel_{number}" for number in range(256)], dtype=object)


def models(channel):
    """Return the models that are compared; `channel` is "all" for grey pictures and "images" for colours."""
    families = ["firstorder", "glcm", "glrlm", "gldm"]
    found = {
        "pixels, logistic": make_pipeline(FunctionTransformer(pixels, feature_names_out=pixel_names), LOGISTIC),
        "radiomics, logistic": make_pipeline(rd.RadiomicsExtractor(bin_width=16, families=families), LOGISTIC),
        "arch3 from scratch": rd.CNNClassifier("arch3", **VIEW, **PLAN),
    }
    if channel == "all":
        mini = {"architecture": "radiodeep-mini", **VIEW, **PLAN}
        deep = rd.DeepFeatureExtractor("radiodeep-mini", **VIEW)
        found |= {
            "radiodeep-mini frozen, logistic": make_pipeline(deep, LOGISTIC),
            "radiodeep-mini, last layers tuned": rd.CNNClassifier(weights="packaged", n_layers=2, **mini),
            "radiodeep-mini, all layers tuned": rd.CNNClassifier(weights="packaged", **mini),
            "radiodeep-mini from scratch": rd.CNNClassifier(**mini),
        }
    return found


def faces(folder):
    images = np.load(Path(skimage.__file__).parent / "data" / "lfw_subset.npy")
    for number, image in enumerate(images):
        path = folder / ("face", "other")[number // 100] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255 * image).astype(np.uint8)).save(path)
    cohort = rd.read_image_folder(folder, rgb="luminance")
    results = rd.cross_validate_models(models("all"), cohort, cohort.labels, cv=5, n_repeats=1, positive="face")
    found = {}
    for name, result in results.items():
        interval = result.confidence_interval
        found[name] = f"{result.auc:.3f} ({interval.low:.3f} to {interval.high:.3f})"
    return found


def patches(folder, n_patches=24, side=64):
    rng = np.random.default_rng(0)
    pictures = {name: skimage.io.imread(Path(skimage.__file__).parent / "data" / name)[..., :3] for name in COLOURED}
    pictures |= {name: load_sample_image(name) for name in ("china.jpg", "flower.jpg")}
    for name, picture in pictures.items():
        middle = picture.shape[1] // 2
        for half, (low, high) in {"train": (0, middle - side), "test": (middle, picture.shape[1] - side)}.items():
            for number in range(n_patches):
                row, column = rng.integers(picture.shape[0] - side), rng.integers(low, high)
                path = folder / half / name.split(".")[0] / f"{number:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture[row : row + side, column : column + side]).save(path)
    found = {}
    for rgb, channel in (("channels", "images"), ("luminance", "all")):
        train, test = (rd.read_image_folder(folder / half, rgb=rgb) for half in ("train", "test"))
        for name, model in models(channel).items():
            right = model.fit(train, train.labels).predict(test) == test.labels
            interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
            shown = f"{right.mean():.3f} ({interval.low:.3f} to {interval.high:.3f})"
            found[f"{name}, {'colours' if channel == 'images' else 'luminance'}"] = shown
    return found


def main():
    warnings.simplefilter("ignore")
    start = time.time()
    with TemporaryDirectory() as folder:
        columns = {"faces: AUC (95 % interval)": faces(Path(folder) / "faces")}
        accuracies = patches(Path(folder) / "patches")
    table = pd.DataFrame(columns).rename_axis("model")
    second = pd.DataFrame({"patches: accuracy of nine classes (95 % interval)": accuracies}).rename_axis("model")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    text = "\n\n".join(
        [
            "## Pictures",
            "Frozen, tuned and new networks on pictures of scikit-image and scikit-learn (`benchmarks/pictures.py`).",
            markdown(table),
            markdown(second),
            f"{time.time() - start:.0f} s, {peak:.1f} GB. {SENTENCE}",
        ]
    )
    PAGE.write_text(written(PAGE.read_text(), "pictures", text))
    print(text)


if __name__ == "__main__":
    main()
