"""Selectors fitted to all leave-one-out folds together, against a fit for each."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from radiodeep import FastCorrelationFilter, ReliefF, SymmetricUncertainty
from radiodeep.exceptions import RadiodeepWarning

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
    for mine, own in zip(shared, three.fit_without_each(X, Y), strict=True):
        np.testing.assert_array_equal(mine.get_support(), own.get_support())


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
