"""Ranks, thresholds and settings of all selectors, and selectors fitted to all leave-one-out folds together."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiodeep import FastCorrelationFilter, ReliefF, SymmetricUncertainty
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.selection.ranking import weka_order

Y = np.arange(30) % 2
X = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 6)) + Y[:, None] * [2, 1, 0, 0, 0, 0]).add_prefix("f")


@pytest.mark.parametrize("selector", [ReliefF(2), ReliefF(0.5, threshold=0.0), SymmetricUncertainty(3)])
def test_selectors_of_all_folds_equal_those_fitted_one_at_a_time(selector):
    together = selector.fit_without_each(X, Y)
    assert sum(fitted is not None for fitted in together) > 20
    for case, fitted in enumerate(together):
        if fitted is None:
            continue
        alone = clone(selector).fit(X.drop(index=case), np.delete(Y, case))
        np.testing.assert_allclose(fitted.scores_, alone.scores_, atol=1e-12)
        np.testing.assert_array_equal(fitted.get_support(), alone.get_support())
        np.testing.assert_array_equal(fitted.ranking_[fitted.support_], alone.ranking_[alone.support_])
        np.testing.assert_allclose(fitted.effective_n_features_, alone.effective_n_features_)
        assert fitted.n_features_above_threshold_ == alone.n_features_above_threshold_
        assert fitted.get_feature_names_out().tolist() == alone.get_feature_names_out().tolist()


def test_selectors_of_equal_ranking_settings_take_over_scores():
    two, three = ReliefF(2), ReliefF(3, threshold=0.0, n_jobs=2)
    assert two.ranking_settings() == three.ranking_settings() != ReliefF(2, n_neighbors=5).ranking_settings()
    assert SymmetricUncertainty().ranking_settings() != FastCorrelationFilter().ranking_settings()
    scores = two.scores_without_each(X, Y)
    shared = three.fit_without_each(X, Y, scores=scores)
    for taken_over, own in zip(shared, three.fit_without_each(X, Y), strict=True):
        np.testing.assert_array_equal(taken_over.get_support(), own.get_support())


def test_selectors_that_cannot_share_leave_every_fold_to_a_fit_of_its_own():
    class Other(ReliefF):
        def _scores(self, X, y, n_classes):
            return -super()._scores(X, y, n_classes)

    for selector in (FastCorrelationFilter(), ReliefF(weight_by_distance=True), Other()):
        assert selector.fit_without_each(X, Y) == [None] * 30


def test_no_fold_warns_of_the_threshold_until_it_is_asked_to():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = ReliefF(2, threshold=5.0).fit_without_each(X, Y)[0]
    with pytest.warns(RadiodeepWarning, match="No feature has a ReliefF score above the threshold 5 .* 'f1', is kept"):
        fitted.warn_if_none_passed()


@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # the checks' noise has no signal
@parametrize_with_checks(
    [
        ReliefF(),
        ReliefF(n_samples=15, weight_by_distance=True, tie_order="weka"),
        SymmetricUncertainty(),
        FastCorrelationFilter(),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


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


def test_a_fraction_is_what_it_looks_like():
    X, y = np.random.default_rng(0).normal(size=(20, 100)), np.arange(20) % 2
    assert ReliefF(0.29).fit(X, y).get_support().sum() == 29


def test_the_order_of_weka_is_a_sorted_one():
    rng = np.random.default_rng(0)
    for n_values in range(40):
        values = rng.integers(0, 6, n_values).astype(float)
        order = weka_order(values)
        assert sorted(order) == list(range(n_values))
        assert (np.diff(values[order]) >= 0).all()


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (ReliefF(n_features_to_select=0), "'n_features_to_select' parameter of ReliefF must be"),
        (ReliefF(n_neighbors=1.5), "'n_neighbors' parameter of ReliefF must be an int >= 1. Got 1.5"),
        (
            ReliefF(nominal_features=["age"]),
            "'nominal_features' parameter of ReliefF must be names of columns.* Got 'age'",
        ),
        (SymmetricUncertainty(threshold="high"), "'threshold' parameter of SymmetricUncertainty"),
        (FastCorrelationFilter(n_jobs=0), "'n_jobs' parameter of FastCorrelationFilter must be None or an int other"),
        (ReliefF(n_features_to_select=1.5), "'n_features_to_select' parameter of ReliefF must be"),
        (ReliefF(n_features_to_select=True), "'n_features_to_select' parameter of ReliefF must be"),
    ],
)
def test_wrong_settings_are_refused(selector, message):
    with pytest.raises(InputError, match=message):
        selector.fit(np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2)


def test_names_go_in_and_come_out():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 4)), columns=["a", "b", "c", "d"])
    y = (frame["c"] > 0).to_numpy()
    for selector in (ReliefF(1), SymmetricUncertainty(1), FastCorrelationFilter(1)):
        assert list(selector.set_output(transform="pandas").fit_transform(frame, y)) == ["c"]


def test_weights_of_cases_are_refused():
    X, y = np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2
    for selector in (ReliefF(), SymmetricUncertainty(), FastCorrelationFilter()):
        with pytest.raises(TypeError, match="unexpected keyword argument 'sample_weight'"):
            selector.fit(X, y, sample_weight=np.ones(10))
