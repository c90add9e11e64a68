"""Scores of all leave-one-out folds computed together, against a fit for each."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from radiodeep import ReliefF, SymmetricUncertainty


def table(seed, n_classes=2, ties=False, missing=False):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, 50)
    X = rng.normal(size=(50, 24)) + y[:, None] * (np.arange(24) < 3)
    if ties:
        X = np.round(X)
    X[:, 4] = 1.0  # constant
    X[:, 5] = np.where(np.arange(50) == 3, 5.0, 1.0)  # constant without case 3
    X[:, 7] = rng.integers(0, 3, 50)
    X[:, 8] *= 1e-7  # narrower than what counts as constant
    X[11, 9] = 40.0  # an outlier spans the range
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
        X[:, 6] = np.nan
        X[2, 6] = 1.0  # known of one case
    return X, y


def separately(selector, X, y, case, scaler=None):
    X, y = np.delete(X, case, 0), np.delete(y, case)
    return clone(selector).fit(X if scaler is None else clone(scaler).fit_transform(X), y).scores_


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    "selector",
    [
        ReliefF(n_neighbors=4),
        ReliefF(n_neighbors=30, nominal_features=[7]),
        SymmetricUncertainty(threshold=None),
        SymmetricUncertainty(threshold=None, missing="separate", nominal_features=[7]),
    ],
    ids=["relieff", "relieff of few", "uncertainty", "uncertainty separate"],
)
def test_scores_without_each_case_are_those_of_separate_fits(selector, n_classes, ties, missing):
    X, y = table(n_classes, n_classes, ties, missing)
    together = selector.scores_without_each(X, y)
    decided = ~np.isnan(together).any(axis=1)
    assert decided.all() if isinstance(selector, SymmetricUncertainty) else decided.mean() > 0.5
    for case in np.flatnonzero(decided):
        atol = 0 if isinstance(selector, SymmetricUncertainty) else 1e-13
        np.testing.assert_allclose(together[case], separately(selector, X, y, case), rtol=0, atol=atol)


def numeric_target(X, ties):
    y = X[:, 0] + np.random.default_rng(5).normal(size=len(X))
    y = np.where(np.isnan(y), 0.3, y)
    if ties:
        y = np.round(y)
    y[21] = 9.0  # alone at the end of the range
    return y


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    "selector",
    [
        ReliefF(n_neighbors=4, target="numeric"),
        ReliefF(n_neighbors=60, nominal_features=[7], target="numeric"),
        SymmetricUncertainty(threshold=None, target="numeric"),
        SymmetricUncertainty(threshold=None, target="numeric", n_target_bins=5, missing="separate"),
    ],
    ids=["relieff", "relieff of all", "uncertainty", "uncertainty of five"],
)
def test_scores_of_numbers_without_each_case_are_those_of_separate_fits(selector, ties, missing):
    X, _ = table(1, 2, ties, missing)
    y = numeric_target(X, ties)
    together = selector.scores_without_each(X, y)
    decided = ~np.isnan(together).any(axis=1)
    assert decided.all() if isinstance(selector, SymmetricUncertainty) else decided.mean() > 0.5
    for case in np.flatnonzero(decided):
        atol = 0 if isinstance(selector, SymmetricUncertainty) else 1e-13
        np.testing.assert_allclose(together[case], separately(selector, X, y, case), rtol=0, atol=atol)


def test_a_fold_whose_neighbours_have_one_target_is_left_to_its_own_fit():
    X, _ = table(0)
    y = np.where(np.arange(50) == 8, 1.5, 0.5)
    together = ReliefF(n_neighbors=4).scores_without_each(X, y)
    assert np.isnan(together).all(axis=1).tolist() == [case == 8 for case in range(50)]


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler((-1, 3))])
@pytest.mark.parametrize("selector", [ReliefF(n_neighbors=4), SymmetricUncertainty(threshold=None)])
@pytest.mark.parametrize("is_numeric", [False, True])
def test_columns_moved_and_stretched_have_the_same_scores(selector, scaler, is_numeric):
    X, y = table(0)
    y = numeric_target(X, False) if is_numeric else y
    X[:, 8] *= 1e7
    X = X + 1e4 * np.arange(X.shape[1])
    together = selector.scores_without_each(X, y, rescaled=True)
    assert np.isnan(together).all(axis=1).mean() < 0.1
    for case in np.flatnonzero(~np.isnan(together).any(axis=1)):
        np.testing.assert_allclose(together[case], separately(selector, X, y, case, scaler), rtol=0, atol=1e-9)


def test_the_only_case_of_a_class_is_left_to_its_own_fit():
    X, y = table(0)
    y[17] = 5
    for selector in (ReliefF(), SymmetricUncertainty(threshold=None)):
        together = selector.scores_without_each(X, y)
        assert np.isnan(together[17]).all()
        np.testing.assert_allclose(together[3], separately(selector, X, y, 3), rtol=0, atol=1e-13)


def test_ties_between_neighbours_are_not_decided_by_rounding():
    X = np.repeat(np.random.default_rng(0).normal(size=(12, 6)), 4, axis=0)  # every case four times
    y = np.tile([0, 1, 0, 1], 12)
    together = ReliefF(n_neighbors=3).scores_without_each(X, y)
    for case in np.flatnonzero(~np.isnan(together).any(axis=1)):
        expected = separately(ReliefF(n_neighbors=3), X, y, case)
        np.testing.assert_allclose(together[case], expected, rtol=0, atol=1e-13)


def test_settings_that_cannot_share_say_so():
    X, y = table(0)
    for selector in (ReliefF(weight_by_distance=True), ReliefF(n_samples=20)):
        assert selector.scores_without_each(X, y) is None


@pytest.mark.parametrize(
    ("selector", "scores", "is_decided"),
    [
        (ReliefF(2), [0.3, 0.1, 0.2], True),
        (ReliefF(2), [0.3, 0.1, 0.1 + 1e-13], False),
        (ReliefF(2), [np.nan, 0.1, 0.2], False),
        (ReliefF(2, threshold=0.1), [0.3, 0.1 + 1e-13, 0.0], False),
        (ReliefF(2, threshold=0.5), [0.1, 0.05, 0.0], True),  # only the best feature is kept
        (ReliefF(2, threshold=0.5), [0.1, 0.1 - 1e-13, 0.0], False),
        (SymmetricUncertainty(2), [0.3, 0.1, 0.1], True),  # its scores are exact
    ],
)
def test_folds_in_which_rounding_could_change_the_selection_are_left_to_a_fit(selector, scores, is_decided):
    X, y = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 1, 0, 1])
    fitted = selector.fit_without_each(X, y, scores=np.tile(scores, (4, 1)))
    assert [selector is not None for selector in fitted] == [is_decided] * 4


def test_threads_do_not_change_the_scores(monkeypatch):
    monkeypatch.setattr("radiodeep.selection.threads._WORTH_A_THREAD", 100)
    X, y = table(1, missing=True)
    for selector in (ReliefF(), SymmetricUncertainty()):
        serial, threaded = (clone(selector).set_params(n_jobs=n).scores_without_each(X, y) for n in (1, 3))
        np.testing.assert_array_equal(serial, threaded)


def test_columns_that_a_scaler_may_take_for_constant_are_not_shared():
    X, y = table(0)
    X[:, 8] = 1e-17 * X[:, 0]
    assert ReliefF().scores_without_each(X, y, rescaled=True) is None
    X[:, 8] = 1.0 + 1e-15 * np.arange(50)
    X[0, 8] = 2.0  # nearly constant without case 0
    assert ReliefF().scores_without_each(X, y, rescaled=True) is None
    assert SymmetricUncertainty(threshold=None).scores_without_each(X, y, rescaled=True) is None


def test_a_narrow_column_beside_an_outlier_is_constant_without_it():
    X, y = table(0)
    X[:, 8] = 1e-7 * np.random.default_rng(1).normal(size=50)
    X[13, 8] = 5.0
    together = ReliefF(n_neighbors=4).scores_without_each(X, y)
    for case in (12, 13):
        expected = separately(ReliefF(n_neighbors=4), X, y, case)
        np.testing.assert_allclose(together[case], expected, rtol=0, atol=1e-13)
    assert together[13][8] == 0


@pytest.mark.parametrize("outlier", [1e5, -1e9, -1e12])
def test_an_outlier_that_dwarfs_the_rest_spoils_nothing(outlier):
    X, y = table(0)
    X[13, 2] = outlier
    together = ReliefF(n_neighbors=4).scores_without_each(X, y)
    for case in np.flatnonzero(~np.isnan(together).any(axis=1)):
        expected = separately(ReliefF(n_neighbors=4), X, y, case)
        np.testing.assert_allclose(together[case], expected, rtol=0, atol=1e-9)


def test_the_only_case_of_a_category_beside_missing_ones_is_left_to_its_own_fit():
    X, y = table(0)
    X[:, 7] = np.arange(50) % 3
    X[4, 7], X[9, 7] = 7.0, np.nan
    selector = ReliefF(n_neighbors=4, nominal_features=[7])
    together = selector.scores_without_each(X, y)
    assert np.isnan(together[4]).all()
    np.testing.assert_allclose(together[5], separately(selector, X, y, 5), rtol=0, atol=1e-13)
