"""Nomograms: the points of R's rms, and totals that give the model's own predictions back."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

from radiodeep import Case, ClinicalColumns, CoxRegression, Signature, nomogram, survival_outcomes
from radiodeep.exceptions import InputError


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    columns = {"age": rng.integers(33, 80, 90), "volume": rng.gamma(2, 60, 90), "sex": np.arange(90) % 2}
    return pd.DataFrame(columns).astype(float)


@pytest.fixture(scope="module")
def labels(table):
    risk = table["age"] / 10 + table["volume"] / 100 - table["sex"]
    return (risk + np.random.default_rng(1).normal(size=90) > 6.5).astype(int).to_numpy()


@pytest.fixture(scope="module")
def survival(table):
    rng = np.random.default_rng(2)
    time = rng.exponential(40 * np.exp(-(table["age"] - 55) / 20))
    return survival_outcomes(event=time < 60, time=np.minimum(time, 60))


def test_points_are_those_of_rms():
    # rms 6.5.0: nomogram(lrm(y ~ age + volume + sex), fun=plogis, fun.at=c(.05, .1, .2, .5, .8),
    #                     age=seq(30, 80, 10), volume=seq(0, 300, 50), sex=c(0, 1))
    coefficients = {"age": 0.072600767924, "volume": 0.010241867528, "sex": -1.048944060525}
    model = Signature(coefficients, -5.755866538809)
    X = pd.DataFrame({"age": [33, 45, 50, 52, 60, 79], "volume": [7, 20, 100, 99, 200, 294], "sex": [0, 1, 0, 1, 0, 1]})
    drawn = nomogram(model, X)
    points = {name: rows["points"].tolist() for name, rows in drawn.points.groupby("variable", sort=False)}
    assert points["age"] == pytest.approx([0, 20, 40, 60, 80, 100], abs=1e-8)
    volume = [0, 14.10710633, 28.21421266, 42.32131899, 56.42842533, 70.53553166, 84.64263799]
    assert points["volume"] == pytest.approx(volume, abs=1e-8)
    assert points["sex"] == pytest.approx([28.89622494, 0], abs=1e-8)
    totals = [46.34516316, 66.92936700, 89.26875438, 127.45836422, 165.64796392]
    probability = drawn.predict(totals)["probability"].tolist()
    assert probability == pytest.approx([0.05, 0.1, 0.2, 0.5, 0.8], abs=1e-6)  # rms interpolates between totals


def test_totals_give_the_probability_of_the_model(table, labels):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=10)).fit(table, labels)
    drawn = nomogram(model, table)
    predicted = drawn.predict(drawn.total_points(table))["probability"]
    np.testing.assert_allclose(predicted, model.predict_proba(table)[:, 1], rtol=1e-12)
    assert drawn.points["points"].max() == pytest.approx(100)
    assert drawn.points["points"].min() == pytest.approx(0, abs=1e-9)
    at_totals = drawn.intercept + drawn.per_point * drawn.totals["points"]
    np.testing.assert_allclose(logit(drawn.totals["probability"]), at_totals, rtol=1e-9)


def test_totals_give_the_survival_of_the_model(table, survival):
    model = make_pipeline(StandardScaler(), CoxRegression(alpha=0.05)).fit(table, survival)
    drawn = nomogram(model, table, times=[6, 24])
    expected = model[-1].predict_survival(model[0].transform(table), [6, 24])
    predicted = drawn.predict(drawn.total_points(table))
    assert predicted.columns.tolist() == ["survival_6", "survival_24"]
    np.testing.assert_allclose(predicted, expected, rtol=1e-12)


def test_cases_and_selected_features_are_followed_through_the_pipeline(table, labels):
    sexes = np.where(table["sex"] > 0, "F", "M")
    rows = table.assign(sex=sexes, noise=np.random.default_rng(5).normal(size=90)).to_dict("records")
    cases = [Case("i.nii", "m.nii", f"P{n}", clinical=row) for n, row in enumerate(rows)]
    model = make_pipeline(
        ClinicalColumns(["age", "volume", "sex", "noise"]), StandardScaler(), SelectKBest(k=2), LogisticRegression()
    )
    drawn = nomogram(model.fit(cases, labels), cases)
    assert drawn.variables.index.tolist() == ["age", "volume"]
    predicted = drawn.predict(drawn.total_points(table))["probability"]
    np.testing.assert_allclose(predicted, model.predict_proba(cases)[:, 1], rtol=1e-12)
    named = model.set_output(transform="pandas").fit(cases, labels)
    assert nomogram(named, cases).points.equals(drawn.points)


def test_arrays_have_numbered_features(table, labels):
    model = LogisticRegression().fit(table.to_numpy(), labels)
    assert nomogram(model, table.to_numpy()).variables.index.tolist() == [0, 1, 2]


def test_constant_features_have_no_points(table, labels):
    constant = table.assign(sex=1.0)
    drawn = nomogram(Signature({"age": 0.1, "sex": 2.0}), constant)
    assert drawn.points[drawn.points["variable"] == "sex"]["points"].tolist() == [0]
    predicted = drawn.predict(drawn.total_points(constant))["probability"]
    np.testing.assert_allclose(predicted, Signature({"age": 0.1, "sex": 2.0}).predict_proba(constant)[:, 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Ridge(), "logistic regression of two classes, a Cox regression, or a Signature .* Got Ridge"),
        (LinearSVC(), "logistic regression .* Got LinearSVC"),  # its decision values are no log-odds
        (
            make_pipeline(StandardScaler(), SGDClassifier(loss="modified_huber", random_state=0)),
            "logistic regression .* Got SGDClassifier",
        ),
        (make_pipeline(PolynomialFeatures(), StandardScaler(), LogisticRegression()), "weighted sum of features"),
        (Signature({"age": 1.0}, transforms={"age": {"log": "e"}}), "weighted sum of features"),
    ],
)
def test_models_without_a_nomogram_are_refused(table, labels, model, message):
    with pytest.raises(InputError, match=message):
        nomogram(model.fit(table, labels), table)


def test_a_model_that_is_not_linear_is_refused_even_if_every_case_lacks_a_value(table, labels):
    gaps = table.mask(np.eye(3, dtype=bool)[np.arange(90) % 3])
    model = make_pipeline(SimpleImputer(), PolynomialFeatures(), StandardScaler(), LogisticRegression())
    with pytest.raises(InputError, match="weighted sum of features"):
        nomogram(model.fit(gaps, labels), gaps)


def test_too_many_features_are_refused():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 13))).add_prefix("x")
    with pytest.raises(InputError, match="1 to 12 features. The model uses 13 of 13; select fewer"):
        nomogram(LogisticRegression().fit(table, np.arange(40) % 2), table)
    with pytest.raises(InputError, match="The model uses 0 of 13"):
        nomogram(Signature({"x1": 0.0}), table)


def test_all_constant_features_are_refused(table):
    with pytest.raises(InputError, match="All are constant"):
        nomogram(Signature({"age": 1.0}), table.assign(age=50.0))


def test_times_belong_to_models_of_survival(table, labels, survival):
    with pytest.raises(InputError, match="'times' parameter of nomogram must be times > 0"):
        nomogram(CoxRegression().fit(table, survival), table)
    with pytest.raises(InputError, match="'times' parameter of nomogram must be None"):
        nomogram(LogisticRegression().fit(table, labels), table, times=[12])


def test_what_is_no_table_is_refused(table, labels):
    with pytest.raises(InputError, match="needs the table of the features, or a pipeline whose first step makes it"):
        nomogram(LogisticRegression().fit(table, labels), table.astype(str))


def test_the_figure_has_a_ruler_for_each_feature_and_time(table, survival):
    drawn = nomogram(CoxRegression().fit(table, survival), table, times=[6, 24])
    (axes,) = drawn.figure().axes
    texts = {text.get_text(): text.get_position() for text in axes.texts}
    labels = ["Points", "age", "volume", "sex", "Total points", "Survival at 6", "Survival at 24"]
    assert [label for label in labels if label in texts] == labels
    assert [texts[label][1] for label in labels] == [-row for row in range(7)]
    half = 100 * (np.log(np.log(2) / drawn.hazards[24]) - drawn.intercept) / drawn.per_point
    half /= drawn.totals["points"].iloc[-1]
    row = next(line for line in axes.lines if line.get_marker() == "|" and line.get_ydata()[0] == -6)
    assert np.abs(row.get_xdata() - half).min() < 1e-9


def test_figures_are_written_by_their_suffix(table, labels, tmp_path):
    drawn = nomogram(LogisticRegression(max_iter=1000).fit(table, labels), table)
    assert drawn.save(tmp_path / "n.svg").read_text().startswith("<?xml")
    assert drawn.save(tmp_path / "n.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="written as .png, .svg, .pdf. Got 'n.gif'"):
        drawn.save(tmp_path / "n.gif")
