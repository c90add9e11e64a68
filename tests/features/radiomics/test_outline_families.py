"""Spiculation and margin tell lesions by the property that they describe, and by nothing else."""

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import Case, RadiomicsExtractor

N_CASES = 100
SHAPE, SPACING_MM = (28, 42, 42), (1.5, 1.0, 1.0)


def lesion(generator, radius_mm, height=0.1, blur_mm=0.8, correlation_mm=1.0, brightness=0.0):
    """An ellipsoid with waves of random directions on its surface, textured, that fades into its surroundings."""
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(SHAPE, SPACING_MM, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - generator.uniform(-1, 1, 3)
    distances = np.linalg.norm(places, axis=-1)
    directions = places / np.maximum(distances, 1e-9)[..., None]
    waves = generator.normal(size=(12, 3))
    waves *= generator.uniform(5, 9, (12, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    surface = np.cos(directions @ waves.T + generator.uniform(0, 2 * np.pi, 12)).sum(axis=-1) / np.sqrt(6)
    ellipsoid = 1 / np.linalg.norm(directions / generator.uniform(0.8, 1.2, 3), axis=-1)
    mask = distances <= radius_mm * ellipsoid * (1 + height * surface)
    texture = gaussian_filter(generator.normal(size=SHAPE), [correlation_mm / step for step in SPACING_MM])
    edge = gaussian_filter(mask.astype(float), [blur_mm / step for step in SPACING_MM])
    image = edge * (100 + 20 * texture / texture.std()) + generator.normal(0, 10, SHAPE)
    return image + brightness, mask


COHORTS = {  # what differs between the classes
    "spiculation": lambda label: {"height": 0.13 if label else 0.07},
    "blur": lambda label: {"blur_mm": 1.1 if label else 0.7},
    "brightness": lambda label: {"brightness": 50.0 * label},
    "size": lambda label: {"radius_mm": 10.0 if label else 8.0},
}


@cache
def cohort(difference, seed=0):
    """Return lesions of two classes, which alternate."""
    generator = np.random.default_rng(seed)
    settings = [{"radius_mm": generator.uniform(8, 10), **COHORTS[difference](n % 2)} for n in range(N_CASES)]
    return [Case(*lesion(generator, **each), str(n), spacing_mm=SPACING_MM) for n, each in enumerate(settings)]


def auc(families, difference, seed=0):
    """Return the out-of-fold AUC of a logistic regression on the features of families."""
    y = np.arange(N_CASES) % 2
    table = RadiomicsExtractor(families=families).fit_transform(cohort(difference, seed))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return roc_auc_score(y, cross_val_predict(model, table, y, cv=folds, method="decision_function"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "difference"),
    [("spiculation", "spiculation"), ("spiculation2D", "spiculation"), ("margin", "blur")],
)
def test_lesions_that_differ_in_their_outline_are_told_by_its_family(family, difference):
    assert auc([family], difference) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "difference"),
    [("spiculation", "blur"), ("spiculation2D", "blur"), ("margin", "brightness")],
)
def test_lesions_that_differ_in_something_else_are_not(family, difference):
    assert np.mean([auc([family], difference, seed) for seed in range(3)]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("families", "differences"),
    [
        ({"spiculation": ["RelativeConcavityDepth", "RadialRoughness", "RadialVariation"]}, ["size"]),
        ({"spiculation2D": ["FourierFactor", "RadialRoughness", "RadialVariation"]}, ["size"]),
        ({"margin": ["SigmoidWidth"]}, ["size", "spiculation"]),
    ],
)
def test_size_and_the_other_properties_do_not_show_in_the_central_features(families, differences):
    for difference in differences:
        assert auc(families, difference) == pytest.approx(0.5, abs=0.15)
