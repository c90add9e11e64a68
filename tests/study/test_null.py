"""Noise stays noise: what a study must say of random tables, and what selection outside the folds makes of them."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import ReliefF, SymmetricUncertainty, cross_validated_auc


def of_noise(selector, n_tables, n_features, n_folds, n_repeats):
    """Return the AUC inside the folds, whether its interval holds one half, and the AUC with selection outside."""
    found = []
    for seed in range(n_tables):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(40, n_features)), rng.permutation(np.arange(40) % 2)
        inside = cross_validated_auc(make_pipeline(selector, GaussianNB()), X, y, cv=n_folds, n_repeats=n_repeats)
        interval = inside.confidence_interval
        outside = cross_validated_auc(GaussianNB(), selector.fit_transform(X, y), y, cv=n_folds, n_repeats=1)
        found.append((inside.auc, interval.low <= 0.5 <= interval.high, outside.auc))
    return np.array(found).T


@pytest.mark.slow
@pytest.mark.parametrize("selector", [ReliefF(10), SymmetricUncertainty(10, threshold=None)], ids=["relieff", "su"])
def test_random_labels_cannot_be_predicted_unless_selection_saw_them_and_intervals_hold_one_half(selector):
    inside, covered, outside = of_noise(selector, n_tables=60, n_features=4000, n_folds=10, n_repeats=5)
    assert abs(inside.mean() - 0.5) < 0.05
    assert covered.mean() >= 0.9
    assert outside.mean() > 0.95
