"""Scores do not depend on the number of threads, nor on the backend of joblib."""

import numpy as np
from joblib import parallel_config
from sklearn.base import clone

from radiodeep import ReliefF, SymmetricUncertainty


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr("radiodeep.selection.threads._WORTH_A_THREAD", 100)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 40)), rng.integers(0, 3, 150)
    X[rng.random(X.shape) < 0.05] = np.nan
    months = rng.random(150)
    for selector, target in (
        (ReliefF(), y),
        (ReliefF(n_samples=70), y),
        (ReliefF(target="numeric"), months),
        (SymmetricUncertainty(threshold=None), y > 0),
    ):
        serial, threaded = (clone(selector).set_params(n_jobs=n_jobs).fit(X, target).scores_ for n_jobs in (1, 3))
        np.testing.assert_array_equal(serial, threaded)


def test_threads_are_threads_whatever_joblib_is_set_to(monkeypatch):
    monkeypatch.setattr("radiodeep.selection.threads._WORTH_A_THREAD", 100)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 40)), np.arange(60) % 2
    for selector in (ReliefF(), SymmetricUncertainty(threshold=None)):
        alone = clone(selector).fit(X, y).scores_
        with parallel_config(backend="loky", n_jobs=2):
            np.testing.assert_array_equal(clone(selector).fit(X, y).scores_, alone)
