"""The best of several models: a plain bootstrap, copies of a model, patients, and noise."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB

from radiodeep import best_of_several, cross_validate_models, cross_validated_auc
from radiodeep.exceptions import StudyError
from radiodeep.study.best_of_several import _measured_by_endpoint, _measured_by_pairs
from radiodeep.study.endpoints.two_classes import TwoClasses


def scored(result_of, n_models=4, n_cases=40, effect=0.0, seed=0):
    """Return labels and results of fixed scores."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    scores = rng.normal(size=(n_models, n_cases)) + effect * y
    return y, {f"model {number}": result_of(y, score) for number, score in enumerate(scores)}


def test_measures_of_resamples_are_those_of_scikit_learn_and_of_the_endpoint():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(30) < 12).astype(int)
    scores = np.round(rng.normal(size=(3, 5, 30)) + y, 1)
    weights = rng.integers(0, 3, size=(7, 30))
    (measured,) = _measured_by_pairs(TwoClasses(y), scores, [None] * 3, weights)
    expected = [
        [np.mean([roc_auc_score(y, scores[repeat, model], sample_weight=weight) for repeat in range(3)])
         for model in range(5)]
        for weight in weights
    ]  # fmt: skip
    np.testing.assert_allclose(measured, expected)
    (by_endpoint,) = _measured_by_endpoint(TwoClasses(y), scores, [None] * 3, weights)
    np.testing.assert_allclose(by_endpoint, expected)
    folds = rng.integers(2, size=30)
    within = _measured_by_pairs(TwoClasses(y), scores[:1], [folds], weights)
    np.testing.assert_allclose(within, _measured_by_endpoint(TwoClasses(y), scores[:1], [folds], weights))


def test_the_best_of_copies_of_a_model_needs_no_correction(result_of):
    _, results = scored(result_of, n_models=1, n_cases=60, effect=0.5)
    result = results["model 0"]
    best = best_of_several(dict.fromkeys("abc", result), n_resamples=400)
    np.testing.assert_allclose(best.p_value, norm.sf((result.auc - 0.5) / np.sqrt(result.variance)), atol=0.01)
    np.testing.assert_allclose(best.corrected, best.value, atol=0.02)
    assert best.confidence_interval.low < best.value < best.confidence_interval.high
    assert best.table["chosen"].tolist() == [1, 0, 0]


def test_the_best_of_noise_is_corrected_to_chance(result_of):
    corrected, values, p_values = [], [], []
    for seed in range(12):
        _, results = scored(result_of, n_models=20, seed=seed)
        best = best_of_several(results, n_resamples=100)
        corrected.append(best.corrected)
        values.append(best.value)
        p_values.append(best.p_value)
        assert best.value == max(result.auc for result in results.values()) == results[best.name].auc
    assert np.mean(values) > 0.65
    assert abs(np.mean(corrected) - 0.5) < 0.06
    assert np.mean(np.array(p_values) < 0.05) <= 0.2


def test_p_values_are_corrected_for_the_number_of_models(result_of):
    _, results = scored(result_of, n_models=10, effect=0.4)
    best = best_of_several(results, n_resamples=5)
    for name, row in best.table.iterrows():
        alone = norm.sf((results[name].auc - 0.5) / np.sqrt(results[name].variance))
        assert alone < row["p_value"] < 10 * alone + 0.01
    np.testing.assert_allclose(best.p_value, best.table.loc[best.name, "p_value"])


def test_models_are_compared_with_another_that_is_not_chosen(result_of):
    y, results = scored(result_of, effect=0.2, n_cases=60)
    results["clinical"] = result_of(y, np.random.default_rng(9).normal(size=60) + 3 * y)
    worse = best_of_several(results, against="clinical", n_resamples=50)
    assert worse.p_value > 0.99
    assert "clinical" not in worse.table.index
    assert f"p = {worse.p_value:.2g} (max-T test of all against clinical)" in str(worse)
    better = best_of_several(
        {"new": results["clinical"], "other": results["model 1"], "old": results["model 0"]}, "old"
    )
    assert (better.name, better.n_models) == ("new", 2)
    assert better.p_value < 0.001


def test_all_cases_of_a_patient_are_drawn_or_left_out(result_of):
    y, results = scored(result_of, n_cases=24, effect=0.5)
    twice = {
        name: replace(
            result_of(np.repeat(y, 2), np.repeat(result.predictions["score"], 2)), patients=np.repeat(np.arange(24), 2)
        )
        for name, result in results.items()
    }
    single, double = best_of_several(results, n_resamples=60), best_of_several(twice, n_resamples=60)
    np.testing.assert_allclose(double.corrected, single.corrected)
    np.testing.assert_allclose(double.p_value, single.p_value, atol=0.01)


def test_a_model_without_variance_has_no_p_value(result_of):
    y, results = scored(result_of, n_models=2)
    best = best_of_several(results | {"constant": result_of(y, np.zeros(40))}, n_resamples=20)
    assert np.isnan(best.table.loc["constant", "p_value"])
    assert best.p_value == best.table["p_value"].min()


def test_leave_one_out_is_measured_by_its_companion():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    X = rng.normal(size=(30, 3)) + y[:, np.newaxis]
    models = {"bayes": GaussianNB(), "logistic": LogisticRegression()}
    results = cross_validate_models(models, X, y, n_repeats=1)
    companions = {name: result.companion for name, result in results.items()}
    assert best_of_several(results, n_resamples=20).corrected == best_of_several(companions, n_resamples=20).corrected


def test_models_of_numbers_are_chosen_as_well():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    models = {"linear": LinearRegression(), "shrunken": Ridge(1e6)}
    results = cross_validate_models(models, X, X[:, 0] + rng.normal(size=40), cv=2, n_repeats=3)
    best = best_of_several(results, n_resamples=30)
    assert best.measure == "Spearman"
    assert best.p_value < 0.05
    assert best.confidence_interval.low < best.corrected < best.confidence_interval.high
    below_0 = replace(best, confidence_interval=replace(best.confidence_interval, low=-0.2, high=0.1))
    assert "(95% CI -0.20 to 0.10);" in str(below_0)


def test_what_cannot_be_compared_is_refused(result_of):
    y, results = scored(result_of, n_models=2)
    with pytest.raises(StudyError, match="Expected a dict from names to results. Got list"):
        best_of_several(list(results.values()))
    for against in (None, "model 0", "clinical"):
        given = {"model 0": results["model 0"]} if against is None else results
        with pytest.raises(StudyError, match="two results or more to choose from, and 'against' to be another"):
            best_of_several(given, against)
    with pytest.raises(StudyError, match="'n_resamples' parameter of best_of_several must be an int >= 1. Got 0"):
        best_of_several(results, n_resamples=0)
    with pytest.raises(StudyError, match="'confidence_level' parameter of best_of_several .* Got 95"):
        best_of_several(results, confidence_level=95)
    with pytest.raises(StudyError, match="needs the same cases"):
        best_of_several(results | {"other": result_of(y, np.zeros(40), prefix="other ")})
    few = {name: result_of([0, 0, 1], [0.0, 1.0, score]) for name, score in (("a", 0.5), ("b", 2.0))}
    with pytest.raises(StudyError, match="Only 0 of 9 resamples left out patients of whom the AUC is defined"):
        best_of_several(few, n_resamples=9)


@pytest.mark.slow
def test_the_interval_of_the_best_of_noise_holds_one_half():
    covered, p_values = [], []
    models = {f"smoothing {value:g}": GaussianNB(var_smoothing=value) for value in (1e-9, 1.0)}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(40, 30)), np.arange(40) % 2
        results = {
            f"{name}, table {part}": cross_validated_auc(model, X[:, part::3], y, cv=2, n_repeats=5)
            for name, model in models.items()
            for part in range(3)
        }
        best = best_of_several(results, n_resamples=200)
        covered.append(best.confidence_interval.low <= 0.5 <= best.confidence_interval.high)
        p_values.append(best.p_value)
    assert np.mean(covered) >= 0.88
    assert np.mean(np.array(p_values) < 0.05) <= 0.1
