"""What the packaged weights are worth on real lesions, beside the same network without training."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import Case, DeepFeatureExtractor
from radiodeep.selection.stability import intraclass_correlations

pytestmark = pytest.mark.slow


def as_cases(images, masks):
    return [
        Case(image, mask, id=str(k), spacing_mm=(1, 1))
        for k, (image, mask) in enumerate(zip(images, masks, strict=True))
    ]


def features(cases, seed=None):
    """Return the features of cases by the packaged weights, or by weights drawn from a seed."""
    weights = "packaged" if seed is None else "random"
    return DeepFeatureExtractor("radiodeep-mini", weights=weights, window="exact", seed=seed).fit_transform(cases)


@pytest.fixture(scope="module")
def nodules(reference_data):
    """The largest slices of 882 lung nodules as cases, whether they look malignant, and their exams."""
    data = np.load(reference_data / "lidc_nodule_slices" / "lidc882_slices64.npz", allow_pickle=True)
    areas = (data["images"] > 0).sum(axis=(1, 2))
    largest = [max(np.flatnonzero(data["nodule_index"] == k), key=areas.__getitem__) for k in range(882)]
    images = data["images"][largest]
    of_slices = len(data["label"]) == len(areas)
    label, exam = (data[name][largest] if of_slices else data[name] for name in ("label", "exam_id"))
    return as_cases(images, images > 0), label, exam


@pytest.fixture(scope="module")
def ultrasound(reference_data):
    """Breast lesions of BreastMNIST: cases and labels of training and validation, and of the official test."""
    data = np.load(reference_data / "breastmnist" / "breastmnist.npz")

    def part(*names):
        images = np.concatenate([data[f"{name}_images"] for name in names])
        labels = np.concatenate([data[f"{name}_labels"] for name in names]).ravel()
        return as_cases(images, np.ones_like(images, bool)), labels

    return part("train", "val"), part("test")


def test_training_on_made_up_lesions_tells_malignant_nodules_in_the_exact_window(nodules):
    cases, label, exam = nodules
    folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(label, label, exam))

    def auc(seed=None):
        forest = RandomForestClassifier(100, random_state=0, n_jobs=-1)
        scores = cross_val_predict(forest, features(cases, seed), label, cv=folds, method="predict_proba")
        return roc_auc_score(label, scores[:, 1])

    trained = auc()
    assert trained > 0.87
    assert trained - np.mean([auc(seed) for seed in range(2)]) > 0.06


@pytest.fixture(scope="module")
def volumes(reference_data):
    """The same nodules as stacks of slices, with an empty slice at either end."""
    data = np.load(reference_data / "lidc_nodule_slices" / "lidc882_slices64.npz", allow_pickle=True)
    order = np.lexsort((data["slice_index"], data["nodule_index"]))
    starts = np.searchsorted(data["nodule_index"][order], np.arange(1, 882))
    stacks = [np.pad(stack, ((1, 1), (0, 0), (0, 0))) for stack in np.split(data["images"][order], starts)]
    return [Case(stack, stack > 0, id=str(k), spacing_mm=(1, 1, 1)) for k, stack in enumerate(stacks)]


def test_training_on_made_up_volumes_tells_malignant_nodules(volumes, nodules):
    _, label, exam = nodules
    folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(label, label, exam))

    def auc(seed=None):
        weights = "packaged" if seed is None else "random"
        rows = DeepFeatureExtractor("radiodeep-mini-3d", weights=weights, seed=seed).fit_transform(volumes)
        ridge = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        return roc_auc_score(label, cross_val_predict(ridge, rows, label, cv=folds, method="decision_function"))

    trained = auc()
    assert trained > 0.83
    assert trained - auc(0) > 0.01


def test_training_on_made_up_lesions_tells_malignant_breast_lesions(ultrasound):
    (cases, label), (test_cases, test_label) = ultrasound

    def auc(seed=None):
        forest = RandomForestClassifier(150, random_state=0, n_jobs=-1).fit(features(cases, seed), label)
        return roc_auc_score(test_label, forest.predict_proba(features(test_cases, seed))[:, 1])

    trained = auc()
    assert trained > 0.86
    assert trained - np.mean([auc(seed) for seed in range(2)]) > 0.04


def test_most_features_bear_an_outline_that_is_a_voxel_larger_or_smaller(reference_data):
    shares = []
    for folder in ("sts_pet", "sts_mr"):
        images = sorted((reference_data / folder).glob("*_image.nii.gz"))
        cases = [Case(path, str(path).replace("_image", "_mask"), path.name).in_memory() for path in images]
        versions = [
            [case.replace(mask=change(case.roi)) for case in cases]
            for change in (np.copy, ndimage.binary_dilation, ndimage.binary_erosion)
        ]
        rows = np.concatenate([DeepFeatureExtractor().fit_transform(changed) for changed in versions])
        repeatable = intraclass_correlations(rows, np.tile([case.id for case in cases], 3))
        shares.append((repeatable >= 0.75).mean())
    assert shares[0] > 0.75
    assert shares[1] > 0.95


def test_features_tell_malignant_nodules_from_benign_ones_of_the_same_area(nodules):
    cases, label, exam = nodules
    area = np.array([case.roi.sum() for case in cases])
    positive, negative = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
    ratio = area[positive][:, np.newaxis] / area[negative]
    is_near = np.maximum(ratio, 1 / ratio) <= 1.1
    rows = DeepFeatureExtractor(intensity_range=(0, 255)).fit_transform(cases)
    shares = []
    for seed in range(2):
        folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(label, label, exam))
        forest = RandomForestClassifier(100, random_state=seed, n_jobs=-1)
        score = cross_val_predict(forest, rows, label, cv=folds, method="predict_proba")[:, 1]
        difference = score[positive][:, np.newaxis] - score[negative]
        shares.append(((difference > 0) + 0.5 * (difference == 0))[is_near].mean())
    assert np.mean(shares) > 0.7  # 0.68 of the plain box, 0.54 of the area itself
