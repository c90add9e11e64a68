"""Riley's criteria: against the published programs, a simulation and by theory."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from radiodeep import sample_size
from radiodeep.exceptions import InputError
from radiodeep.study.statistics.sample_size import r2_of_auc

# pmsampsize 0.1.0 (Python) and the tests of pmsampsize 1.1.3 (R): shrinkage, optimism of R2 [, risk or residual SD]
PUBLISHED = [
    ({"n_features": 24, "prevalence": 0.174, "r2": 0.288}, [623, 662, 221]),
    ({"n_features": 107, "prevalence": 0.5, "r2": 0.1}, [9085, 2653, 385]),
    ({"n_features": 25, "event_rate": 0.065, "follow_up": 2.07, "horizon": 2, "r2": 0.051}, [4286, 866]),
    ({"n_features": 30, "event_rate": 0.065, "follow_up": 2.07, "horizon": 2, "r2": 0.051}, [5143, 1039]),
    ({"n_features": 80, "event_rate": 0.03, "follow_up": 5, "horizon": 1, "r2": 0.3}, [1974, 2272]),
    ({"n_features": 25, "r2": 0.2, "mean": 1.9, "sd": 0.6}, [918, 401, 259]),
    ({"n_features": 50, "r2": 0.2, "mean": 1.9, "sd": 0.6}, [1924, 801, 284]),
    ({"n_features": 100, "r2": 0.5}, [1264, 1001, 334]),
    ({"n_features": 30, "r2": 0.89, "mean": 3.3, "sd": 1.1, "shrinkage": 0.84}, [32, 67, 264]),
]


@pytest.mark.parametrize(("settings", "needed"), PUBLISHED)
def test_the_cases_needed_are_those_of_the_published_programs(settings, needed):
    size = sample_size(**settings)
    assert size.criteria["n"].tolist()[: len(needed)] == needed
    assert size.n == max(size.criteria["n"])


def test_events_are_those_of_the_cases_needed():
    chagas = sample_size(24, prevalence=0.174, r2=0.288)
    assert (chagas.n, chagas.n_events, round(chagas.largest_r2, 3)) == (662, 116, 0.603)
    assert sample_size(30, event_rate=0.065, follow_up=2.07, horizon=2, r2=0.051).n_events == 692
    assert sample_size(25, r2=0.2).n_events is None


@pytest.mark.parametrize(("auc", "prevalence"), [(0.89, 0.174), (0.7, 0.5)])
def test_the_r2_of_an_auc_is_that_of_a_simulated_logistic_model(auc, prevalence):
    rng = np.random.default_rng(0)
    y = (np.arange(100_000) < prevalence * 100_000).astype(int)
    x = rng.normal(size=len(y)) + 2**0.5 * {0.89: 1.226528, 0.7: 0.524401}[auc] * y  # quantiles of the normal
    assert abs(roc_auc_score(y, x) - auc) < 0.005
    probability = LogisticRegression(C=1e9).fit(x[:, None], y).predict_proba(x[:, None])[:, 1]
    of_model = np.mean(np.log(np.where(y == 1, probability, 1 - probability)))
    of_null = prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence)
    assert r2_of_auc(auc, prevalence) == pytest.approx(1 - np.exp(2 * (of_null - of_model)), abs=0.006)
    if prevalence == 0.174:
        assert r2_of_auc(auc, prevalence) == pytest.approx(0.2908, abs=5e-4)  # as pmsampsize prints


def test_supported_features_are_the_most_whose_criteria_the_cases_fulfil():
    supported = sample_size(1, prevalence=0.3, auc=0.8, n_cases=1000).supported_features
    assert sample_size(supported, prevalence=0.3, auc=0.8).n <= 1000
    assert sample_size(supported + 1, prevalence=0.3, auc=0.8).n > 1000
    assert sample_size(1, prevalence=0.3, auc=0.8, n_cases=100).supported_features == 0  # 323 for the risk alone


@pytest.mark.parametrize("settings", [{"prevalence": 0.3, "r2": 0.2}, {"r2": 0.4}])
def test_the_shrinkage_of_as_many_cases_as_needed_is_the_one_asked_for(settings):
    needed = sample_size(40, **settings, shrinkage=0.8).criteria.loc["shrinkage", "n"]
    measured = sample_size(40, **settings, n_cases=needed)
    assert measured.shrinkage_of_cases == pytest.approx(0.8, abs=0.002)
    assert "support" in str(measured)


def test_numbers_with_fewer_cases_than_features_have_no_expected_shrinkage():
    measured = sample_size(100, r2=0.3, n_cases=40)
    assert np.isnan(measured.shrinkage_of_cases)
    assert str(measured).endswith("The 40 cases of this study mean overfitting beyond what the formula covers and "
                                  "support no feature.")  # fmt: skip


def test_without_knowledge_the_r2_is_15_percent_of_the_largest():
    size = sample_size(5, prevalence=0.5)
    assert (size.r2, size.largest_r2) == (pytest.approx(0.15 * 0.75), pytest.approx(0.75))


def test_the_risk_at_the_horizon_is_known_to_5_percent_points():
    needed = sample_size(1, event_rate=0.5, follow_up=2, horizon=1, r2=0.1).criteria.loc["overall risk", "n"]
    for n, is_enough in ((needed, True), (needed - 1, False)):
        half = 1.959964 * np.sqrt(0.5 / (2 * n))
        widest = (1 - np.exp(-0.5)) - (1 - np.exp(-(0.5 - half)))
        assert (widest <= 0.05) == is_enough


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_features": 0, "r2": 0.2}, "'n_features' parameter of sample_size must be an int >= 1. Got 0"),
        ({"n_features": 5}, "'r2' parameter of sample_size must be the R2 that is expected, for numbers"),
        ({"n_features": 5, "prevalence": 0.5, "r2": 0.8}, "'r2' parameter of sample_size must be below 0.75"),
        ({"n_features": 5, "prevalence": 0.5, "auc": 0.5}, "'auc' parameter of sample_size must be a float > 0.5"),
        ({"n_features": 5, "prevalence": 0.5, "auc": 0.7, "r2": 0.1}, "must be left out beside an AUC"),
        ({"n_features": 5, "r2": 0.1, "auc": 0.7}, "must be left out unless a prevalence is given"),
        ({"n_features": 5, "event_rate": 0.1}, "'follow_up' parameter of sample_size must be a number > 0, as for all"),
        (
            {"n_features": 5, "event_rate": 6.5, "follow_up": 2, "horizon": 2},
            "unit of time of the follow-up, at most 0.5",
        ),
        ({"n_features": 5, "prevalence": 0.5, "mean": 2.0, "sd": 1.0}, "Pass the 'prevalence' of two classes"),
        ({"n_features": 5, "r2": 0.2, "sd": 1.0}, "'mean' parameter of sample_size must be a number other than 0"),
        ({"n_features": 5, "prevalence": 1.0}, "'prevalence' parameter of sample_size must be a float between 0 and 1"),
        ({"n_features": 5, "r2": 0.2, "n_cases": 1}, "'n_cases' parameter of sample_size must be None or an int >= 2"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        sample_size(**settings)
