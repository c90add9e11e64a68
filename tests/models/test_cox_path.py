"""Penalised Cox models against glmnet (golden/cox.R) and scikit-survival, and the choice of the penalty."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold

import radiodeep as rd
from radiodeep import CoxRegression
from radiodeep.exceptions import InputError
from radiodeep.models.cox_path import alphas_of_path, centred, coefficients_along, cross_validated_deviance
from radiodeep.preparation.risk_sets import RiskSets

ALPHAS = (0.3, 0.1, 0.04)


@pytest.fixture(scope="module")
def golden(repository):
    folder = repository / "tests" / "models" / "golden"
    return {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}


def parts_of(frame):
    return frame.drop(columns=["event", "time"]), rd.survival_outcomes(frame["event"], frame["time"])


@pytest.mark.parametrize(
    ("table", "l1_ratio", "standardize"), list(itertools.product(["few", "many"], [1.0, 0.5, 0.0], [False, True]))
)
def test_coefficients_are_those_of_glmnet(golden, table, l1_ratio, standardize):
    X, y = parts_of(golden[table])
    paths = golden["paths"].query("table == @table and l1_ratio == @l1_ratio and standardize == @standardize")
    for alpha in ALPHAS:
        settings = {"ties": "breslow", "standardize": standardize}
        coef = CoxRegression(alpha, l1_ratio, **settings).fit(X, y).coef_
        expected = paths[paths["alpha"] == alpha].set_index("name")["coef"].reindex(X.columns, fill_value=0.0)
        np.testing.assert_allclose(coef, expected, atol=3e-6)
        np.testing.assert_array_equal(coef != 0, expected != 0)


def test_the_path_is_that_of_scikit_survival(golden):
    linear_model = pytest.importorskip("sksurv.linear_model")
    X, y = parts_of(golden["many"])
    reference = linear_model.CoxnetSurvivalAnalysis(l1_ratio=0.5, alphas=ALPHAS, tol=1e-12, max_iter=10**6).fit(X, y)
    for column, alpha in enumerate(ALPHAS):
        model = CoxRegression(alpha, 0.5, ties="breslow").fit(X, y)
        np.testing.assert_allclose(model.coef_, reference.coef_[:, column], atol=1e-5)


def test_a_path_from_afar_ends_where_a_fit_at_once_does(golden):
    X, y = parts_of(golden["many"])
    risk_sets = RiskSets(y["event"], y["time"], "efron")
    table, _, _ = centred(X.to_numpy()[risk_sets.order], False)
    for l1_ratio in (0.0, 0.3, 1.0):
        alphas = alphas_of_path(risk_sets, table, l1_ratio, 10)
        along, is_converged = coefficients_along(risk_sets, table, alphas, l1_ratio, 100, 1e-10)
        alone, _ = coefficients_along(risk_sets, table, alphas[-1:], l1_ratio, 100, 1e-10)
        assert is_converged
        np.testing.assert_allclose(along[-1], alone[0], atol=1e-5)


def test_the_first_penalty_of_a_path_is_the_least_that_leaves_no_coefficient(golden):
    X, y = parts_of(golden["many"])
    risk_sets = RiskSets(y["event"], y["time"], "breslow")
    table, _, _ = centred(X.to_numpy()[risk_sets.order], True)
    alphas = alphas_of_path(risk_sets, table, 1.0, 30, 0.05)
    np.testing.assert_allclose(alphas, golden["cv"]["alpha"], rtol=1e-7)
    for factor, n_kept in ((1.0001, 0), (0.9999, 1)):
        model = CoxRegression(alphas[0] * factor, 1.0, ties="breslow", standardize=True).fit(X, y)
        assert np.count_nonzero(model.coef_) == n_kept


def test_the_cross_validated_deviance_is_that_of_glmnet(golden):
    X, y = parts_of(golden["many"])
    numbers = np.arange(len(y)) % 5
    folds = [(np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold)) for fold in range(5)]
    settings = {"ties": "breslow", "standardize": True, "max_iter": 100, "tol": 1e-10}
    alphas = golden["cv"]["alpha"].to_numpy()
    deviance = cross_validated_deviance(X.to_numpy(), y["event"], y["time"], folds, alphas, 1.0, settings)
    excess = deviance - deviance.min()  # glmnet subtracts the deviance of a saturated model
    np.testing.assert_allclose(excess, golden["cv"]["deviance"] - golden["cv"]["deviance"].min(), atol=1e-5)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_the_penalty_is_chosen_by_cross_validation(golden, l1_ratio):
    X, y = parts_of(golden["many"])
    model = CoxRegression("cv", l1_ratio).fit(X, y)
    chosen = int(np.argmin(model.deviance_))
    assert 0 < chosen < 49
    assert model.alpha_ == model.alphas_[chosen]
    np.testing.assert_array_equal(model.coef_, CoxRegression(model.alpha_, l1_ratio).fit(X, y).coef_)


def test_folds_of_ones_own_choose_the_penalty(golden):
    X, y = parts_of(golden["many"])
    patients = np.arange(len(y)) // 2
    folds = list(GroupKFold(4).split(X, groups=patients))
    model = CoxRegression("cv", 1.0, cv=folds).fit(X, y)
    settings = model.get_params()
    expected = cross_validated_deviance(X.to_numpy(), y["event"], y["time"], folds, model.alphas_, 1.0, settings)
    np.testing.assert_array_equal(model.deviance_, expected)
    without = [(np.flatnonzero(~y["event"]), np.flatnonzero(y["event"]))]
    with pytest.raises(
        InputError, match="'cv' parameter of CoxRegression must be folds whose training parts hold even"
    ):
        CoxRegression("cv", cv=without).fit(X, y)


def test_few_censored_cases_are_no_reason_to_warn(golden):
    X, y = parts_of(golden["many"])
    y["event"] = np.arange(len(y)) > 0
    assert CoxRegression("cv", 1.0).fit(X, y).alpha_ > 0
