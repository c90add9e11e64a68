"""Cox's model against R's survival (tests/models/golden/cox.R), and what it does with awkward tables."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import radiodeep as rd
from radiodeep import CoxRegression
from radiodeep.exceptions import InputError, RadiodeepWarning


@pytest.fixture(scope="module")
def few(repository):
    """60 cases with 4 features and many ties."""
    return read(repository / "tests" / "models" / "golden" / "few.csv")


@pytest.fixture(scope="module")
def fits(repository):
    frame = pd.read_csv(repository / "tests" / "models" / "golden" / "fits.csv", keep_default_na=False)
    return frame.set_index(["case", "quantity", "name"])["value"]


def read(path):
    frame = pd.read_csv(path)
    return frame.drop(columns=["event", "time"]), rd.survival_outcomes(frame["event"], frame["time"])


def simulated(n_cases, n_features, random_state=0, effect=1.0):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_cases, n_features))
    time = rng.exponential(np.exp(-effect * X[:, 0]))
    censoring = rng.exponential(2.0, size=n_cases)
    return X, rd.survival_outcomes(time <= censoring, np.minimum(time, censoring))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_fit_is_that_of_r(few, fits, ties):
    X, y = few
    model = CoxRegression(ties=ties).fit(X, y)
    golden = fits[ties]
    summary = model.summary()
    assert summary.index.tolist() == ["size", "entropy", "stage", "noise"]
    for column, quantity in (("coefficient", "coef"), ("standard_error", "se"), ("p_value", "p"), ("low", "low")):
        np.testing.assert_allclose(summary[column], golden[quantity][summary.index], rtol=1e-8)
    np.testing.assert_allclose(summary["high"], summary["hazard_ratio"] ** 2 / summary["low"])
    np.testing.assert_allclose(model.log_likelihood_, golden["loglik"]["fit"], rtol=1e-12)
    np.testing.assert_allclose(model.null_log_likelihood_, golden["loglik"]["null"], rtol=1e-12)
    np.testing.assert_allclose(model.score(X, y), golden["concordance"][""], rtol=1e-12)
    survival = model.predict_survival(X.iloc[[0, 6]], [1, 5, 10])
    np.testing.assert_allclose(survival.T.ravel(), golden["survival"], rtol=1e-8)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_ridge_penalty_is_that_of_r(few, fits, ties):
    X, y = few
    model = CoxRegression(alpha=6 / len(X), ties=ties).fit(X, y)
    np.testing.assert_allclose(model.coef_, fits[f"{ties} ridge"]["coef"][X.columns], rtol=1e-7)
    assert model.summary()[["standard_error", "low", "high", "p_value"]].isna().all(axis=None)


def test_without_ties_both_methods_are_one():
    X, y = simulated(50, 3)
    efron, breslow = (CoxRegression(ties=ties).fit(X, y) for ties in ("efron", "breslow"))
    np.testing.assert_allclose(efron.coef_, breslow.coef_, rtol=1e-12)


def test_the_penalised_fit_has_the_least_penalised_likelihood():
    X, y = simulated(40, 3)
    y["time"] = np.ceil(2 * y["time"])

    def plain_objective(coef):  # Efron's log likelihood, event by event
        hazard, total = np.exp(X @ coef), 0.0
        for time in np.unique(y["time"][y["event"]]):
            tied = y["event"] & (y["time"] == time)
            for rank in range(tied.sum()):
                total -= np.log(hazard[y["time"] >= time].sum() - rank / tied.sum() * hazard[tied].sum())
            total += (X @ coef)[tied].sum()
        return -total / len(y) + 0.2 * (0.5 * np.abs(coef).sum() + 0.25 * coef @ coef)

    found = CoxRegression(alpha=0.2, l1_ratio=0.5).fit(X, y).coef_
    best = minimize(plain_objective, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12})
    assert plain_objective(found) <= best.fun
    np.testing.assert_allclose(found, best.x, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_neither_the_order_of_the_cases_nor_the_units_of_time_matter(few, alpha):
    X, y = few
    chosen = np.random.default_rng(0).permutation(len(X))
    days = rd.survival_outcomes(y["event"], y["time"] * 30)
    model = CoxRegression(alpha).fit(X, y)
    np.testing.assert_allclose(CoxRegression(alpha).fit(X.iloc[chosen], days[chosen]).coef_, model.coef_, rtol=1e-9)


def test_coefficients_follow_the_units_of_the_features(few):
    X, y = few
    units = np.array([1e6, 1e-6, 1.0, 1.0])
    for settings in ({}, {"alpha": 0.1, "standardize": True}, {"alpha": 0.1, "l1_ratio": 1.0, "standardize": True}):
        coef = CoxRegression(**settings).fit(X, y).coef_
        np.testing.assert_allclose(CoxRegression(**settings).fit(X * units, y).coef_ * units, coef, rtol=1e-6)


def test_standardize_is_a_standard_scaler(few):
    X, y = few
    scaled = make_pipeline(StandardScaler(), CoxRegression(alpha=0.1)).fit(X, y)
    model = CoxRegression(alpha=0.1, standardize=True).fit(X, y)
    np.testing.assert_allclose(model.predict(X), scaled.predict(X), rtol=1e-8)


def test_survival_functions_are_those_of_scikit_survival(few):
    linear_model = pytest.importorskip("sksurv.linear_model")
    X, y = few
    reference = linear_model.CoxPHSurvivalAnalysis(ties="breslow", tol=1e-12).fit(X, y)
    model = CoxRegression(ties="breslow").fit(X, y)
    times = np.unique(y["time"])
    np.testing.assert_array_equal(model.unique_times_, times)
    expected = np.array([curve(times) for curve in reference.predict_survival_function(X)])
    np.testing.assert_allclose([curve(times) for curve in model.predict_survival_function(X)], expected, rtol=1e-7)
    np.testing.assert_allclose(model.predict_survival_function(X, return_array=True), expected, rtol=1e-7)
    np.testing.assert_allclose(np.ptp(model.predict(X) - reference.predict(X)), 0, atol=1e-8)
    np.testing.assert_allclose(model.score(X, y), reference.score(X, y))


def test_survival_is_one_before_the_first_event_and_constant_after_the_last():
    X, y = simulated(30, 2)
    model = CoxRegression().fit(X, y)
    survival = model.predict_survival(X[:3], [0, model.event_times_[-1], 1e9])
    np.testing.assert_array_equal(survival[:, 0], 1.0)
    np.testing.assert_array_equal(survival[:, 1], survival[:, 2])
    curve = model.predict_survival_function(X[:3])[0]
    assert curve.domain == (0.0, y["time"].max())
    np.testing.assert_array_equal(curve([0, model.event_times_[-1], 1e9]), survival[0])


def test_survival_far_from_the_training_cases_is_0_or_1():
    X, y = simulated(30, 1)
    model = CoxRegression().fit(X, y)
    np.testing.assert_array_equal(model.predict_survival([[-1e9], [1e9]], [0, 1.0]), [[1, 1], [1, 0]])


def test_coefficients_without_a_maximum_are_named_and_finite():
    X, y = simulated(40, 2)
    X = pd.DataFrame(X, columns=["volume", "perfect"])
    X["perfect"] = (y["event"] & (y["time"] <= np.sort(y["time"][y["event"]])[5])).astype(float)
    with pytest.warns(RadiodeepWarning, match="coefficients of perfect grow without bound.* or set alpha > 0"):
        model = CoxRegression().fit(X, y)
    assert 5 < model.coef_[1] < 100
    assert np.isfinite(model.predict(X)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.abs(CoxRegression(alpha=0.01).fit(X, y).coef_).max() < 10


def test_more_features_than_events_without_penalty_warn():
    X, y = simulated(40, 38)
    with pytest.warns(RadiodeepWarning, match="and 33 others grow without bound"):
        model = CoxRegression().fit(X, y)
    assert model.score(X, y) == 1.0


def test_as_many_features_as_cases_need_a_penalty():
    X, y = simulated(40, 40)
    with pytest.raises(InputError, match="Got 40 cases and 40 features. Set alpha"):
        CoxRegression().fit(X, y)
    assert 0.7 < CoxRegression(alpha=1.0).fit(X, y).score(X, y) < 1


def test_constant_and_dependent_features(few):
    X, y = few
    alone = CoxRegression().fit(X, y)
    with_constant = CoxRegression().fit(X.assign(constant=0.1), y)
    np.testing.assert_allclose(with_constant.coef_, [*alone.coef_, 0.0], rtol=1e-9)
    np.testing.assert_allclose(with_constant.standard_errors_, [*alone.standard_errors_, np.nan], rtol=1e-9)
    with pytest.warns(RadiodeepWarning, match="linear combinations of others"):
        with_copy = CoxRegression().fit(X.assign(copy=2 * X["size"] + 1), y)
    np.testing.assert_allclose(with_copy.predict(X.assign(copy=2 * X["size"] + 1)), alone.predict(X), atol=1e-9)
    assert np.isnan(with_copy.standard_errors_).all()
    for alpha, l1_ratio in ((0.0, 0.0), (0.1, 0.0), (0.1, 1.0), ("cv", 0.5)):
        nothing = CoxRegression(alpha, l1_ratio).fit(np.full((60, 2), 0.1), y)
        np.testing.assert_array_equal(nothing.coef_, 0.0)


def test_few_steps_warn():
    X, y = simulated(60, 3, effect=3.0)
    for settings in ({}, {"alpha": 0.01}, {"alpha": 0.01, "l1_ratio": 1.0}):
        with pytest.warns(RadiodeepWarning, match="has not converged within 1 steps. Raise max_iter or alpha"):
            CoxRegression(max_iter=1, **settings).fit(X, y)


def test_a_step_that_overshoots_is_halved():
    X, y = simulated(60, 1, effect=0.0)
    X[0] = 1000.0  # the information at 0 says nothing about such a case
    y["time"][0], y["event"][0] = y["time"].max() * 2, True
    for settings in ({}, {"alpha": 1e-6, "l1_ratio": 1.0}):
        model = CoxRegression(**settings).fit(X, y)
        assert model.log_likelihood_ > model.null_log_likelihood_


def test_a_search_over_penalties_works_by_its_default_score():
    X, y = simulated(60, 30)
    search = GridSearchCV(CoxRegression(l1_ratio=1.0), {"alpha": [1.0, 0.1, 0.01]}, cv=3).fit(X, y)
    assert search.best_params_ == {"alpha": 0.1}
    assert search.cv_results_["mean_test_score"][0] == 0.5  # no coefficient is left


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -1}, "'alpha' parameter of CoxRegression must be a float >= 0 or 'cv'. Got -1"),
        ({"alpha": "auto"}, "'alpha' parameter .* Got 'auto'"),
        ({"alpha": np.array([0.1])}, "'alpha' parameter"),
        ({"l1_ratio": 1.1}, "'l1_ratio' parameter of CoxRegression must be a float from 0 to 1"),
        ({"ties": "exact"}, "'ties' parameter of CoxRegression must be one of efron, breslow"),
        ({"standardize": 1}, "'standardize' parameter of CoxRegression must be True or False"),
        ({"max_iter": 0}, "'max_iter' parameter of CoxRegression must be an int >= 1"),
        ({"tol": 0}, "'tol' parameter of CoxRegression must be a float > 0"),
        (
            {"alpha": "cv", "cv": 1},
            "'cv' parameter of CoxRegression must be a number of folds from 2 to that of the ev",
        ),
        ({"alpha": "cv", "cv": 39}, "'cv' parameter"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    X, y = simulated(40, 2)
    with pytest.raises(InputError, match=message):
        CoxRegression(**settings).fit(X, y)


def test_a_confidence_level_is_between_0_and_1(few):
    with pytest.raises(InputError, match="'confidence_level' parameter of summary"):
        CoxRegression().fit(*few).summary(95)


def test_outcomes_other_than_times_to_an_event_are_refused(few):
    X, y = few
    with pytest.raises(InputError, match="structured array of a bool and a float"):
        CoxRegression().fit(X, y["time"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        CoxRegression().fit(X, y[1:])


def test_a_saved_model_predicts_the_same(few, tmp_path):
    X, y = few
    model = make_pipeline(StandardScaler(), CoxRegression(alpha="cv", l1_ratio=0.5)).fit(X, y)
    loaded = rd.load_model(rd.save_model(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    times = [2.0, 5.0]
    np.testing.assert_array_equal(
        loaded[-1].predict_survival(loaded[:-1].transform(X), times),
        model[-1].predict_survival(model[:-1].transform(X), times),
    )


class NumbersAsTimes(CoxRegression):
    """Takes numbers for times at which all cases have their event, as scikit-learn's checks give no others."""

    def fit(self, X, y):
        return super().fit(X, y if y is None else as_times(y))

    def score(self, X, y):
        return super().score(X, as_times(y))


def as_times(y):
    y = np.asarray(y).ravel()
    return rd.survival_outcomes(np.ones(len(y)), np.unique(y, return_inverse=True)[1] + 1.0)


@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # few cases
@parametrize_with_checks([NumbersAsTimes(alpha=0.1), NumbersAsTimes(alpha=0.1, l1_ratio=0.5)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)
