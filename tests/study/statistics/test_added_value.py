"""Added value beside a base: against R, by invariances, and its rejections of useless additions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from radiodeep import added_value_test, compare_auc, cross_validated_auc, cross_validated_score, holdout_auc
from radiodeep.exceptions import StudyError

# R 4.2, with r(x) = qnorm((rank(x) - .5) / n) of both scores, f0 = glm(y ~ b, binomial), f1 = glm(y ~ b + s, binomial):
# own = residuals(lm(s ~ b, weights = fitted(f0) * (1 - fitted(f0)))), u = (y - fitted(f0)) * own,
# p = pnorm(sum(u) / sqrt(n / (n - 3) * sum((u - mean(u))^2)), lower = FALSE), and exp(coef(f1)[3] * sd of own).
# R's own Rao test, anova(f0, f1, test = "Rao"), takes the variance from the model: p = 0.0398 / 2.
BASE = [2.287, -1.197, -0.694, -0.412, -0.971, -0.947, 0.748, -0.117, 0.153, 2.19, 0.357, 2.717, 2.281, 0.324]
BASE += [1.896, 0.468, -0.894, -0.307, -0.005, 0.988, 0.84, 0.705, 1.306, -1.388, 1.273, 0.184, 0.752, 0.592, -0.983]
BASE += [-0.276, -0.871, 0.719, 0.111, -0.078, -0.42, -0.562, 0.998, -1.105, -0.142, 0.315]
SCORE = [2.362, -1.298, -0.632, -1.518, -0.877, -0.875, 1.725, 0.533, 0.177, 2.026, -0.084, 1.351, 1.508, 1.869]
SCORE += [1.672, 0.715, -2.015, 0.165, 0.163, -0.406, 0.496, 0.512, 1.197, 0.011, 0.955, 1.201, 1.145, 1.449, 0.769]
SCORE += [0.563, -0.003, -0.563, -0.56, -0.906, -1.85, -1.607, -0.39, -1.11, -0.133, 2.58]
LABELS = [int(label) for label in "1100001011111010000001111011110011001101"]


def tables(n_cases=60, n_added=20, effect=0.0, seed=0):
    """Return clinical data, the same with radiomics, and labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    clinical = rng.normal(size=(n_cases, 2)) + 0.7 * y[:, np.newaxis]
    radiomics = rng.normal(size=(n_cases, n_added))
    radiomics[:, :2] += effect * y[:, np.newaxis]
    return clinical, np.hstack([clinical, radiomics]), y


def results(cv=2, n_repeats=10, **settings):
    clinical, both, y = tables(**settings)
    selected = make_pipeline(SelectKBest(k=4), LogisticRegression())
    models = (LogisticRegression(), clinical), (selected, both)
    return [cross_validated_auc(model, X, y, cv=cv, n_repeats=n_repeats) for model, X in models]


def test_the_test_of_a_holdout_is_that_of_r(result_of):
    tested = added_value_test(result_of(LABELS, BASE), result_of(LABELS, SCORE))
    np.testing.assert_allclose([tested.p_value, tested.odds_ratio], [0.0233341410285, 2.1969598214315], rtol=1e-8)
    normal_scores = norm.ppf((rankdata(BASE) - 0.5) / 40)
    by_table = added_value_test(normal_scores[:, np.newaxis], result_of(LABELS, SCORE))
    np.testing.assert_allclose([by_table.p_value, by_table.odds_ratio], [tested.p_value, tested.odds_ratio])
    assert by_table.comparison is None
    assert "AUC" not in str(by_table)


def test_cases_of_a_patient_count_once(result_of):
    single = added_value_test(result_of(LABELS, BASE), result_of(LABELS, SCORE))
    twice = [result_of(np.repeat(LABELS, 2), np.repeat(score, 2)) for score in (BASE, SCORE)]
    patients = np.repeat(np.arange(40), 2)
    clustered = added_value_test(*(replace(result, patients=patients) for result in twice))
    np.testing.assert_allclose(clustered.p_value, single.p_value, rtol=1e-9)
    assert added_value_test(*twice).p_value < single.p_value / 2


def test_the_scale_of_scores_and_the_order_of_cases_do_not_matter(result_of):
    expected = added_value_test(result_of(LABELS, BASE), result_of(LABELS, SCORE)).p_value
    stretched = added_value_test(result_of(LABELS, np.exp(BASE)), result_of(LABELS, 5 * np.array(SCORE)))
    np.testing.assert_allclose(stretched.p_value, expected)
    order = np.random.default_rng(0).permutation(40)
    shuffled = result_of(np.array(LABELS)[order], np.array(BASE)[order], index=[str(case) for case in order])
    np.testing.assert_allclose(added_value_test(shuffled, result_of(LABELS, SCORE)).p_value, expected)
    covariates = pd.DataFrame({"age": BASE}, index=[str(case) for case in range(40)])
    tested = [
        added_value_test(table, result_of(LABELS, SCORE)).p_value for table in (covariates, covariates.iloc[order])
    ]
    assert tested[0] == tested[1]


def test_an_addition_with_signal_has_a_value_and_one_that_points_the_other_way_has_none():
    base, addition = results(effect=1.5)
    tested = added_value_test(base, addition)
    assert tested.p_value < 0.01
    assert tested.odds_ratio > 1.5
    assert tested.test == "score test, one-sided, 10 repeats"
    comparison = compare_auc(addition, base)
    assert tested.comparison == comparison
    assert f"difference {comparison.difference:+.3f} (95% CI " in str(tested)
    reversed_scores = replace(addition, scores=-addition.scores)
    assert added_value_test(base, reversed_scores).p_value > 0.9
    same = added_value_test(base, base)
    assert (same.p_value, same.odds_ratio) == (1, 1)


def test_repeats_whose_base_separates_the_classes_are_left_out():
    base, addition = results(effect=1.0, n_repeats=4)
    scores = base.scores.copy()
    scores[2] = base.predictions["label"] + np.arange(60) / 100
    tested = added_value_test(replace(base, scores=scores), addition)
    assert 0 < tested.p_value < 0.2
    assert np.isfinite(tested.odds_ratio)


def test_the_odds_ratio_of_a_score_that_separates_the_classes_is_infinite(result_of):
    tested = added_value_test(result_of(LABELS, BASE), result_of(LABELS, LABELS))
    assert tested.odds_ratio == np.inf
    assert tested.p_value < 1e-4


def test_leave_one_out_is_tested_by_its_companion():
    clinical, both, y = tables(30)
    base, addition = (cross_validated_auc(LogisticRegression(), X, y, n_repeats=1) for X in (clinical, both))
    expected = added_value_test(base.companion, addition.companion)
    assert added_value_test(base, addition).p_value == expected.p_value
    assert added_value_test(clinical, addition) == added_value_test(clinical, addition.companion)


def test_a_holdout_has_one_model():
    clinical, both, y = tables(80, effect=1.0)
    halves = slice(None, 40), slice(40, None)
    models = [
        holdout_auc(LogisticRegression(), *(part for rows in halves for part in (X[rows], y[rows])))
        for X in (clinical, both)
    ]
    assert added_value_test(*models).test == "score test, one-sided"


def test_what_cannot_be_tested_is_refused(result_of):
    addition = result_of(LABELS, SCORE)
    table = np.array(BASE)[:, np.newaxis]
    table[3] = np.nan
    for base, message in (
        (BASE, r"covariates of shape \(40, n_covariates\)"),
        (table, "Got 1 NaN or infinite values"),
        (pd.DataFrame(BASE), "one row for each case of the result, named by its id"),
        (result_of(LABELS, LABELS), "The base separates the classes"),
        (np.ones((40, 1)), "or its covariates are collinear"),
    ):
        with pytest.raises(StudyError, match=message):
            added_value_test(base, addition)
    X = np.random.default_rng(0).normal(size=(40, 2))
    numbers = cross_validated_score(LinearRegression(), X, X.sum(axis=1), cv=2, n_repeats=2)
    with pytest.raises(StudyError, match="Results of numbers have no added value"):
        added_value_test(numbers, numbers)
    classes = cross_validated_auc(LogisticRegression(), X, np.arange(40) % 2, cv=2, n_repeats=2)
    with pytest.raises(StudyError, match="The covariates must be numbers. Encode text first"):
        added_value_test(np.full((40, 1), "high"), classes)


@pytest.mark.slow
@pytest.mark.parametrize(("cv", "n_repeats"), [(2, 20), (10, 2)])
def test_useless_additions_are_seldom_called_valuable(cv, n_repeats):
    p_values = [added_value_test(*results(cv, n_repeats, seed=seed)).p_value for seed in range(60)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.1
