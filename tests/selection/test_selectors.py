"""Selectors by hand, against a slow plain version, and in scikit-learn's own checks."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiodeep import ReliefF, SymmetricUncertainty
from radiodeep.exceptions import InputError, RadiodeepWarning, SingleClassError
from radiodeep.selection.discretize import MDLDiscretizer


@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # the checks' noise has no signal
@parametrize_with_checks([ReliefF(), SymmetricUncertainty(), MDLDiscretizer()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


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


def test_symmetric_uncertainty_by_hand():
    X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]])
    perfect = SymmetricUncertainty().fit(X, [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(perfect.scores_, [1.0])
    # Three categories, classes a a | a b | b b: H(C) = 1, H(A) = log2(3), H(C|A) = 1/3.
    nominal = SymmetricUncertainty(nominal_features=[0]).fit([[0], [0], [1], [1], [2], [2]], list("aaabbb"))
    np.testing.assert_allclose(nominal.scores_, [2 * (1 - 1 / 3) / (1 + np.log2(3))])


def test_features_without_information_are_not_selected_to_fill_up():
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], 40)
    X = rng.normal(size=(80, 20))
    X[:, 6] += 3 * y
    selector = SymmetricUncertainty(n_features_to_select=5).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [6]
    assert SymmetricUncertainty(n_features_to_select=5, threshold=None).fit(X, y).get_support().sum() == 5


def test_when_nothing_passes_one_is_kept_and_it_is_said():
    X = np.random.default_rng(2).normal(size=(30, 4))
    X[:, 0] = np.arange(30) // 2  # both classes at every value
    X[:, 1:] = 0
    with pytest.warns(RadiodeepWarning, match="only the first-ranked one, column 0, is kept and it means nothing"):
        selector = SymmetricUncertainty().fit(X, np.arange(30) % 2)
    assert selector.get_support().sum() == 1


def test_equal_scores_go_from_left_to_right():
    X = np.repeat(np.arange(10.0)[:, None], 4, axis=1)
    selector = ReliefF(n_features_to_select=2, n_neighbors=3).fit(X, np.arange(10) >= 5)
    assert selector.ranking_.tolist() == [1, 2, 3, 4]
    assert selector.get_support(indices=True).tolist() == [0, 1]


def test_a_fraction_and_none_choose_how_many():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 10)), np.arange(20) % 2
    assert ReliefF(n_features_to_select=0.3).fit_transform(X, y).shape == (20, 3)
    assert ReliefF(n_features_to_select=None).fit_transform(X, y).shape == (20, 10)
    assert ReliefF(n_features_to_select=99).fit_transform(X, y).shape == (20, 10)


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (ReliefF(n_features_to_select=0), "'n_features_to_select' parameter of ReliefF must be"),
        (ReliefF(n_neighbors=1.5), "'n_neighbors' parameter of ReliefF must be an int >= 1. Got 1.5"),
        (ReliefF(nominal_features=["age"]), "Got 'age' instead"),
        (SymmetricUncertainty(threshold="high"), "'threshold' parameter of SymmetricUncertainty"),
    ],
)
def test_wrong_settings_are_refused(selector, message):
    with pytest.raises(InputError, match=message):
        selector.fit(np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2)


def test_one_class_and_continuous_targets_are_refused():
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(SingleClassError, match="one class, 1, in all 10"):
        ReliefF().fit(X, np.ones(10, int))
    with pytest.raises(InputError, match="must hold classes"):
        ReliefF().fit(X, np.linspace(0, 1, 10))


def test_a_value_on_a_cut_belongs_to_the_bin_below_and_missing_stays_missing():
    discretizer = MDLDiscretizer().fit([[1.0], [2.0], [3.0], [4.0], [11.0], [12.0], [13.0], [14.0]], [0] * 4 + [1] * 4)
    bins = discretizer.transform([[7.5], [7.6], [np.nan]]).ravel()
    np.testing.assert_array_equal(bins, [0, 1, np.nan])
