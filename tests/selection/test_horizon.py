"""Selectors of classes for times to an event."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

import radiodeep as rd
from radiodeep import FastCorrelationFilter, HorizonSelector, ReliefF, SymmetricUncertainty
from radiodeep.exceptions import InputError, SingleClassError
from radiodeep.preparation.survival import horizon_labels

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(120, 6))).add_prefix("f")
TIME, END = RNG.exponential(np.exp(-2 * X["f3"])), RNG.uniform(0, 3, size=120)
Y = rd.survival_outcomes(TIME <= END, np.minimum(TIME, END))


@pytest.mark.parametrize("selector", [ReliefF(2), SymmetricUncertainty(2), FastCorrelationFilter()])
def test_a_selector_is_given_the_classes_at_the_horizon(selector):
    is_event, weight = horizon_labels(Y, 1.0)
    known = weight > 0
    alone = selector.fit(X[known], is_event[known])
    at_horizon = HorizonSelector(selector, 1.0).fit(X, Y)
    np.testing.assert_array_equal(at_horizon.scores_, alone.scores_)
    np.testing.assert_array_equal(at_horizon.ranking_, alone.ranking_)
    assert at_horizon.effective_n_features_ == alone.effective_n_features_
    assert at_horizon.n_cases_ == known.sum() < 120
    assert at_horizon.get_feature_names_out().tolist() == alone.get_feature_names_out().tolist()
    assert "f3" in at_horizon.set_output(transform="pandas").transform(X).columns
    assert at_horizon.selector_ is not selector


def test_selectors_of_scikit_learn_have_no_ranking():
    selector = HorizonSelector(SelectKBest(k=1), 1.0).fit(X.to_numpy(), Y)
    assert selector.get_support(indices=True).tolist() == [3]
    assert not hasattr(selector, "ranking_")


def test_missing_values_are_allowed_where_the_selector_allows_them():
    assert get_tags(HorizonSelector(ReliefF(), 1.0)).input_tags.allow_nan
    assert not get_tags(HorizonSelector(SelectKBest(), 1.0)).input_tags.allow_nan
    holes = X.mask(np.eye(120, 6) == 1)
    assert HorizonSelector(ReliefF(1), 1.0).fit(holes, Y).transform(holes).shape == (120, 1)


def test_a_saved_selector_keeps_the_same(tmp_path):
    model = make_pipeline(HorizonSelector(ReliefF(2), 1.0), rd.CoxRegression()).fit(X, Y)
    loaded = rd.load_model(rd.save_model(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_wrong_horizons_are_refused():
    with pytest.raises(InputError, match="'horizon' parameter of HorizonSelector must be a number > 0. Got None"):
        HorizonSelector(ReliefF(), None).fit(X, Y)
    with pytest.raises(
        SingleClassError, match="None of the 120 cases is followed beyond the horizon 9. Take a smaller"
    ):
        HorizonSelector(ReliefF(), 9.0).fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        HorizonSelector(ReliefF(), 1.0).fit(X, Y[1:])
