"""Laws' energy and binary patterns tell lesions by the texture that they describe, and by nothing else."""

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm, rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import Case, RadiomicsExtractor

SHAPE = (26, 28, 28)
N_CASES = 160


def lesion(generator, radius, smoothing=0.9, polarity=1, contrast=1.0, is_cut=False):
    """A lesion of normally distributed intensities, whose dark (or bright) places are thin and winding.

    All have the same histogram but for `contrast`, unless they are cut from images that have.
    """
    grid = np.indices(SHAPE) - (np.array(SHAPE)[:, None, None, None] - 1) / 2
    radii = radius * generator.uniform(0.9, 1.1, (3, 1, 1, 1))
    mask = ((grid / radii) ** 2).sum(axis=0) < 1
    field = gaussian_filter(np.abs(gaussian_filter(generator.normal(size=SHAPE), 1.2)), 0.4)
    field = gaussian_filter(field / field.std() + 0.3 * generator.normal(size=SHAPE), smoothing)
    image = np.zeros(SHAPE)
    ranked = np.ones(SHAPE, bool) if is_cut else mask
    image[ranked] = 40 + polarity * contrast * 25 * norm.ppf((rankdata(field[ranked]) - 0.5) / ranked.sum())
    return image, mask


COHORTS = {  # what differs between the classes
    "scale": lambda label: {"smoothing": 0.9 if label else 0.75},
    "polarity": lambda label: {"polarity": 1 if label else -1},
    "contrast": lambda label: {"contrast": 1.5 if label else 1.0},
    "size": lambda label: {"radius": 8.0 if label else 11.0, "is_cut": True},
}


@cache
def cohort(difference):
    """Return lesions of two classes, which alternate."""
    generator = np.random.default_rng(0)
    lesions = []
    for number in range(N_CASES):
        settings = {"radius": generator.uniform(8, 11), **COHORTS[difference](number % 2)}
        lesions.append(Case(*lesion(generator, **settings), str(number), spacing_mm=(1, 1, 1)))
    return lesions


def auc(family, difference):
    """Return the out-of-fold AUC of a logistic regression on the features of a family."""
    y = np.arange(N_CASES) % 2
    table = RadiomicsExtractor(families=[family]).fit_transform(cohort(difference))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return roc_auc_score(y, cross_val_predict(model, table, y, cv=folds, method="decision_function"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "difference"),
    [("laws", "scale"), ("laws2D", "scale"), ("lbp2D", "polarity"), ("lbp3D", "polarity"), ("lbp2D", "scale")],
)
def test_lesions_of_equal_histograms_are_told_by_their_texture(family, difference):
    assert auc(family, difference) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "difference"),
    [(family, "size") for family in ("laws", "laws2D", "lbp2D", "lbp3D")]
    + [("laws", "polarity"), ("laws2D", "polarity"), ("lbp2D", "contrast"), ("lbp3D", "contrast")]
    + [("firstorder", "scale"), ("firstorder", "polarity")],  # of the histogram, which is the same
)
def test_lesions_that_differ_otherwise_are_not_told(family, difference):
    assert auc(family, difference) == pytest.approx(0.5, abs=0.12)  # 2.5 standard errors
