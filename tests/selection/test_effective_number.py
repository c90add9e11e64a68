"""How many uncorrelated features a list of selected ones counts."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from radiodeep import (
    FastCorrelationFilter,
    ReliefF,
    SymmetricUncertainty,
    cross_validated_auc,
    effective_number_of_features,
    holdout_auc,
    permutation_test,
)
from radiodeep.exceptions import RadiodeepWarning


def from_eigenvalues(values):
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(values.T))
    return eigenvalues.sum() ** 2 / (eigenvalues**2).sum()


def copies(n_cases=60, seed=0):
    """Return a feature three times, another one, noise, and the labels that both of them tell."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    first, second = rng.normal(size=(2, n_cases)) + 2 * y
    noise = rng.normal(size=(n_cases, 20))
    return np.column_stack([first, 3 * first + 1, -first, second, noise]), y


@pytest.mark.parametrize("shape", [(50, 10), (10, 50), (30, 30)])
def test_it_is_the_participation_ratio_of_the_eigenvalues(shape):
    values = np.random.default_rng(0).normal(size=shape) @ np.random.default_rng(1).normal(size=(shape[1],) * 2)
    np.testing.assert_allclose(effective_number_of_features(values), from_eigenvalues(values))
    assert effective_number_of_features(values) <= shape[0] - 1


def test_copies_count_once_and_uncorrelated_features_each():
    feature = np.random.default_rng(0).normal(size=(40, 1))
    np.testing.assert_allclose(effective_number_of_features(feature * [1, -2, 1e-9, 1e200]), 1.0)
    orthogonal = np.kron(np.eye(4), np.array([[1.0], [-1.0]]))
    np.testing.assert_allclose(effective_number_of_features(orthogonal), 4.0)


def test_constant_columns_count_as_none():
    feature = np.random.default_rng(0).normal(size=(40, 1))
    with_constants = np.column_stack([feature, np.zeros(40), np.full(40, 0.1), np.full(40, np.nan)])
    np.testing.assert_allclose(effective_number_of_features(with_constants), 1.0)
    assert effective_number_of_features(np.ones((40, 3))) == 0.0
    assert effective_number_of_features(np.tile([[0.3], [0.1 + 0.2]], (20, 1))) == 0.0  # rounding is no spread
    assert effective_number_of_features(np.ones((40, 0))) == 0.0


def test_a_missing_value_counts_as_the_mean_of_its_column():
    values = np.random.default_rng(0).normal(size=(30, 4))
    values[3, 1] = values[7, 1] = np.nan
    filled = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    np.testing.assert_allclose(effective_number_of_features(values), from_eigenvalues(filled))


@pytest.mark.parametrize(
    "selector", [ReliefF(4), SymmetricUncertainty(4), FastCorrelationFilter(4)], ids=lambda one: type(one).__name__
)
def test_selectors_count_what_they_selected(selector):
    X, y = copies()
    fitted = selector.fit(X, y)
    assert fitted.effective_n_features_ == pytest.approx(from_eigenvalues(X[:, fitted.get_support()]))
    if not isinstance(selector, FastCorrelationFilter):  # which drops copies
        assert fitted.effective_n_features_ < 3


def test_a_filter_that_finds_nothing_counts_the_one_that_it_keeps():
    X = np.random.default_rng(1).normal(size=(20, 3))
    with pytest.warns(RadiodeepWarning, match="only the first-ranked one"):
        fitted = FastCorrelationFilter().fit(X, np.arange(20) % 2)
    assert fitted.effective_n_features_ == pytest.approx(1.0)


@pytest.mark.parametrize("selector", [ReliefF(4), SelectKBest(k=4)], ids=["own", "scikit-learn's"])
def test_a_study_says_as_how_many_its_selected_features_count(selector):
    X, y = copies()
    model = make_pipeline(StandardScaler(), selector, GaussianNB())
    result = cross_validated_auc(model, X, y, cv=5, n_repeats=2)
    folds = [np.flatnonzero(~np.isin(np.arange(60), result.folds["test_ids"][fold])) for fold in (0, 8)]
    expected = [from_eigenvalues(model[:-1].fit_transform(X[fold], y[fold])) for fold in folds]
    assert result.effective_n_features == pytest.approx(np.mean(expected))
    assert f"selected features: 4 per fold, as many as {np.mean(expected):.1f} uncorrelated" in str(result)
    assert cross_validated_auc(GaussianNB(), X, y, cv=5).effective_n_features is None


def test_a_leave_one_out_whose_scores_are_shared_counts_them_too():
    X, y = copies(30)
    result = cross_validated_auc(make_pipeline(StandardScaler(), ReliefF(4), GaussianNB()), X, y)
    expected = []
    for fold in range(0, 30, 8):
        rows = np.delete(np.arange(30), fold)
        expected.append(ReliefF(4).fit(X[rows], y[rows]).effective_n_features_)
    assert result.effective_n_features == pytest.approx(np.mean(expected))
    assert result.beside.effective_n_features is not None


def test_a_holdout_counts_them_in_the_training_table():
    X, y = copies(60)
    model = make_pipeline(ReliefF(4), GaussianNB())
    X = pd.DataFrame(X, index=[f"case {number}" for number in range(60)])
    result = holdout_auc(model, X[:40], y[:40], X[40:], y[40:])
    assert result.effective_n_features == pytest.approx(ReliefF(4).fit(X[:40], y[:40]).effective_n_features_)


def test_texts_beside_the_selected_features_count_as_none():
    X, y = copies()
    X = pd.DataFrame(X).add_prefix("f").assign(site=np.where(y, "left", "right"))
    numbers = list(X.columns[:-1])
    head = ColumnTransformer([("selected", ReliefF(4), numbers)], remainder="passthrough")
    model = make_pipeline(head, FunctionTransformer(lambda rows: rows[:, :4].astype(float)), GaussianNB())
    selected = ReliefF(4).fit(X[numbers], y).effective_n_features_
    assert cross_validated_auc(model, X, y, cv=5, n_repeats=1).effective_n_features == pytest.approx(selected, abs=0.2)


def test_permutations_measure_no_selected_feature(monkeypatch):
    monkeypatch.setattr("radiodeep.study.folds.fitting.effective_number_of_features", None)
    X, y = copies(30)
    assert permutation_test(make_pipeline(ReliefF(2), GaussianNB()), X, y, cv=3, n_permutations=2).p_value < 1
