"""Effects of single features, against the functions that scores of models are measured with, and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kruskal, spearmanr

from radiodeep import auc_with_confidence, survival_outcomes
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.statistics.survival import concordance
from radiodeep.study.statistics.univariate import effect_measure, univariate_effects

RNG = np.random.default_rng(0)


@pytest.fixture
def table():
    table = pd.DataFrame(RNG.normal(size=(60, 2)), columns=["a", "with gaps"])
    table.loc[:9, "with gaps"] = np.nan
    return table.assign(constant=1.0)


def test_the_effect_on_two_classes_is_the_auc_of_the_known_values(table):
    y = np.arange(60) % 2
    effects = univariate_effects(endpoint_for(y, 60), table)
    for name, first in (("a", 0), ("with gaps", 10)):
        expected = auc_with_confidence(y[first:], table[name][first:].to_numpy())
        bounds = expected.confidence_interval
        np.testing.assert_allclose(effects.loc[name], [expected.auc, bounds.low, bounds.high, 60 - first])
    assert effects.loc["constant", ["value", "low", "high"]].isna().all()
    one_class = univariate_effects(endpoint_for(np.arange(60) < 10, 60), table)
    assert np.isnan(one_class.loc["with gaps", "value"])


def test_the_effect_on_numbers_and_ordered_classes_is_spearmans_correlation(table):
    y = RNG.normal(size=60) + table["a"].to_numpy()
    of_numbers = univariate_effects(endpoint_for(y, 60), table[["a"]]).loc["a"]
    assert of_numbers["value"] == pytest.approx(spearmanr(y, table["a"]).statistic)
    assert of_numbers["low"] < of_numbers["value"] < of_numbers["high"]
    ranks = np.digitize(y, [-1, 1])
    ordered = endpoint_for(ranks, 60, [0, 1, 2], outcome="ordered")
    effects = univariate_effects(ordered, table)
    assert effects.loc["a", "value"] == pytest.approx(spearmanr(ranks, table["a"]).statistic)
    known = table["with gaps"][10:]
    assert effects.loc["with gaps", "value"] == pytest.approx(spearmanr(ranks[10:], known).statistic)
    assert effect_measure(ordered) == ("Spearman", 0.0)


def test_the_effect_on_several_classes_is_epsilon_squared(table):
    y = np.array(list("abc"))[np.arange(60) % 3]
    table["a"] += 2.0 * (y == "b")
    groups = [table["a"][y == label] for label in "abc"]
    effects = univariate_effects(endpoint_for(y, 60), table)
    assert effects.loc["a", "value"] == pytest.approx((kruskal(*groups).statistic - 2) / 57)
    assert np.isnan(effects.loc["a", "low"])


def test_the_effect_on_survival_is_the_c(table):
    time, event = RNG.exponential(size=60), np.arange(60) % 3 > 0
    endpoint = endpoint_for(survival_outcomes(event, time), 60)
    value = univariate_effects(endpoint, table).loc["with gaps", "value"]
    scores = table["with gaps"].to_numpy()[np.newaxis, 10:]
    assert value == pytest.approx(concordance(event[10:], time[10:], scores)[0].item())
    assert effect_measure(endpoint) == ("C", 0.5)
