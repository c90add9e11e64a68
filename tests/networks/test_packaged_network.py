"""What the packaged weights are worth on real lesions, beside the same network without training."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from radiodeep import Case, DeepFeatureExtractor

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
        forest = RandomForestClassifier(300, random_state=0, n_jobs=-1)
        scores = cross_val_predict(forest, features(cases, seed), label, cv=folds, method="predict_proba")
        return roc_auc_score(label, scores[:, 1])

    trained = auc()
    assert trained > 0.87
    assert trained - np.mean([auc(seed) for seed in range(5)]) > 0.06


def test_training_on_made_up_lesions_tells_malignant_breast_lesions(ultrasound):
    (cases, label), (test_cases, test_label) = ultrasound

    def auc(seed=None):
        forest = RandomForestClassifier(500, random_state=0, n_jobs=-1).fit(features(cases, seed), label)
        return roc_auc_score(test_label, forest.predict_proba(features(test_cases, seed))[:, 1])

    trained = auc()
    assert trained > 0.86
    assert trained - np.mean([auc(seed) for seed in range(5)]) > 0.04
