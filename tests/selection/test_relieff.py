"""ReliefF by hand, against a slow plain version, and what it refuses."""

import numpy as np
import pytest

from radiodeep import ReliefF, SymmetricUncertainty
from radiodeep.exceptions import InputError


def difference(a, b, nominal, n_values):
    if nominal:
        return 1 - 1 / n_values if np.isnan(a) or np.isnan(b) else float(a != b)
    if np.isnan(a) and np.isnan(b):
        return 1.0
    if np.isnan(a) or np.isnan(b):
        known = b if np.isnan(a) else a
        return max(known, 1 - known)
    return abs(a - b)


def plain_relieff(X, y, k, nominal):
    """ReliefF as its definition reads, one number after the other."""
    n, p = X.shape
    Z = X.copy()
    for f in range(p):
        if not nominal[f]:
            low, high = np.nanmin(X[:, f]), np.nanmax(X[:, f])
            Z[:, f] = np.where(np.isnan(X[:, f]), np.nan, 0 if high - low < 1e-6 else (X[:, f] - low) / (high - low))
    n_values = [len(np.unique(X[~np.isnan(X[:, f]), f])) for f in range(p)]
    classes, weights = np.unique(y), np.zeros(p)
    prior = {c: np.mean(y == c) for c in classes}
    for i in range(n):
        diffs = {j: [difference(Z[i, f], Z[j, f], nominal[f], n_values[f]) for f in range(p)] for j in range(n)}
        for c in classes:
            buffer = []  # of [distance, case]; a full one gives up its first worst slot, to a smaller distance only
            for j in range(n):
                if j == i or y[j] != c:
                    continue
                distance = 0.0
                for value in diffs[j]:
                    distance += value
                if len(buffer) < k:
                    buffer.append([distance, j])
                else:
                    worst = max(range(k), key=lambda q: (buffer[q][0], -q))
                    if distance < buffer[worst][0]:
                        buffer[worst] = [distance, j]
            if not buffer:
                continue
            sign = -1 if c == y[i] else 1 if len(classes) == 2 else prior[c] / (1 - prior[y[i]])
            for f in range(p):
                weights[f] += sign * sum(diffs[j][f] for _, j in buffer) / len(buffer)
    return weights / n


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("with_missing", [False, True])
def test_relieff_equals_the_slow_plain_version(n_classes, with_missing):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(47, 13))
    X[:, 3] = np.round(X[:, 3])  # ties
    X[:, 5] = 2.0  # constant
    X[:, 7] = rng.integers(0, 3, 47)  # categories
    y = rng.integers(0, n_classes, 47)
    if with_missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    nominal = np.arange(13) == 7
    scores = ReliefF(n_neighbors=4, nominal_features=[7]).fit(X, y).scores_
    np.testing.assert_allclose(scores, plain_relieff(X, y, 4, nominal), rtol=0, atol=1e-13)


def test_relieff_by_hand():
    X = np.array([[0.0, 5.0], [1.0, 5.0], [9.0, 5.0], [10.0, 5.0]])
    # Each hit is 0.1 away; the nearest misses are 0.9, 0.8, 0.8, 0.9 away: (3.4 - 0.4) / 4.
    scores = ReliefF(n_neighbors=1).fit(X, [0, 0, 1, 1]).scores_
    np.testing.assert_allclose(scores, [0.75, 0.0], atol=1e-15)


def test_relieff_sees_what_single_features_do_not():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 30))
    y = X[:, 4] * X[:, 20] > 0
    assert set(ReliefF(n_features_to_select=2).fit(X, y).get_support(indices=True)) == {4, 20}
    assert SymmetricUncertainty(threshold=None).fit(X, y).scores_[[4, 20]].max() < 0.1


def test_a_block_of_rows_that_is_not_full_changes_nothing():
    rng = np.random.default_rng(1)
    for n_cases in (2, 3, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65):
        X, y = rng.normal(size=(n_cases, 37)), np.arange(n_cases) % 2
        expected = plain_relieff(X, y, 3, np.zeros(37, bool))
        np.testing.assert_allclose(ReliefF(n_neighbors=3).fit(X, y).scores_, expected, rtol=0, atol=1e-13)


def test_more_features_than_are_added_at_once():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(20, 1300)), np.arange(20) % 2
    X[3, 700] = np.nan
    expected = plain_relieff(X, y, 5, np.zeros(1300, bool))
    np.testing.assert_allclose(ReliefF(n_neighbors=5).fit(X, y).scores_, expected, rtol=0, atol=1e-12)


def test_sampling_every_case_is_no_sampling():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)), np.arange(30) % 2
    np.testing.assert_array_equal(ReliefF(n_samples=30).fit(X, y).scores_, ReliefF().fit(X, y).scores_)
    assert (ReliefF(n_samples=29).fit(X, y).scores_ != ReliefF().fit(X, y).scores_).any()


def plain_numeric_relieff(X, y, k, nominal):
    """RReliefF as Robnik-Sikonja and Kononenko (2003, figure 3) write it, one number after the other."""
    n, p = X.shape
    Z, target = X.copy(), (y - y.min()) / (y.max() - y.min())
    for f in np.flatnonzero(~nominal):
        low, high = np.nanmin(X[:, f]), np.nanmax(X[:, f])
        Z[:, f] = np.where(np.isnan(X[:, f]), np.nan, 0 if high - low < 1e-6 else (X[:, f] - low) / (high - low))
    n_values = [len(np.unique(X[~np.isnan(X[:, f]), f])) for f in range(p)]
    of_target, of_feature, of_both = 0.0, np.zeros(p), np.zeros(p)
    for i in range(n):
        diffs = np.array([[difference(Z[i, f], Z[j, f], nominal[f], n_values[f]) for f in range(p)] for j in range(n)])
        distances = np.where(np.arange(n) == i, np.inf, diffs.sum(axis=1))
        for j in np.argsort(distances)[: min(k, n - 1)]:
            influence = 1 / min(k, n - 1)
            of_target += influence * abs(target[i] - target[j])
            of_feature += influence * diffs[j]
            of_both += influence * abs(target[i] - target[j]) * diffs[j]
    return of_both / of_target - (of_feature - of_both) / (n - of_target)


@pytest.mark.parametrize("with_missing", [False, True])
@pytest.mark.parametrize("k", [4, 100])
def test_relieff_of_a_numeric_target_equals_the_slow_plain_version(with_missing, k):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(47, 13)), rng.normal(size=47)
    X[:, 0] += y
    X[:, 5] = 2.0  # constant
    X[:, 7] = rng.integers(0, 3, 47)  # categories
    if with_missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    scores = ReliefF(n_neighbors=k, nominal_features=[7]).fit(X, y).scores_
    np.testing.assert_allclose(scores, plain_numeric_relieff(X, y, k, np.arange(13) == 7), rtol=0, atol=1e-13)
    assert np.argmax(scores) == 0


def test_a_numeric_target_must_vary():
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(InputError, match="a target that varies. Got 4 in all 10 cases"):
        ReliefF(target="numeric").fit(X, np.full(10, 4.0))


def test_columns_wider_than_a_float_are_refused():
    with pytest.raises(InputError, match="Column 1 of ReliefF spans more than a float64 holds"):
        ReliefF().fit([[0.0, -1.7e308], [1.0, 1.7e308], [2.0, 0.0]], [0, 1, 0])


def test_a_target_that_no_neighbours_differ_in_is_refused():
    X = np.r_[np.zeros((6, 2)), np.ones((6, 2))] + 0.01 * np.arange(24).reshape(12, 2)
    with pytest.raises(InputError, match="All 2 neighbours of every case have the same target.*Raise n_neighbors"):
        ReliefF(n_neighbors=2, target="numeric").fit(X, np.repeat([0.0, 5.0], 6))
    with pytest.raises(InputError, match="the opposite extreme"):
        ReliefF(n_neighbors=1, target="numeric").fit(X[:2], [0.0, 5.0])
