"""The section on calibration warns where probabilities are no risks, and has no NaN."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from radiodeep import CoxRegression, calibration, cross_validated_auc, cross_validated_score, survival_outcomes
from radiodeep.report.calibration_section import calibration_section

RNG = np.random.default_rng(0)
Y = np.arange(120) % 2


def _study(model, effect, columns=2):
    noise = np.repeat(RNG.normal(size=(120, 1)), columns, axis=1)
    return cross_validated_auc(model, noise + effect * Y[:, None], Y, cv=5, n_repeats=2)


@pytest.fixture(scope="module")
def risks():
    return _study(LogisticRegression(), 1.0)


def test_risks_have_groups_with_intervals_and_a_decision_curve(risks):
    section = calibration_section(risks, "#0072b2")
    curve, decision = section.drawings
    measured = calibration(risks, 10)
    np.testing.assert_array_equal(curve.numbers, measured.curve)
    assert section.warnings == ()
    assert f"slope is {measured.slope:.2f} (" in section.sentences[1]
    benefit = decision.numbers
    n_treated = (risks.probability_array >= benefit["threshold"].iloc[-1]).sum() / 2
    assert n_treated >= 5
    assert benefit["threshold"].iloc[-1] < 0.99


def test_too_extreme_probabilities_are_no_risks_and_have_no_decision_curve():
    section = calibration_section(_study(GaussianNB(), 0.7, columns=12), "#0072b2")
    assert [drawing.title for drawing in section.drawings] == ["Calibration"]
    assert "too extreme, so they are not usable as risks" in section.warnings[0]
    assert "No decision curve is drawn" in section.sentences[-1]


def test_perfect_separation_is_worded_and_few_cases_of_a_class_are_named():
    y = np.arange(60) < 6
    result = cross_validated_auc(LogisticRegression(), RNG.normal(size=(60, 12)) + 4 * y[:, None], y, cv=3)
    section = calibration_section(result, "#0072b2")
    separated, few = section.warnings
    assert "separate the two classes without an error" in separated
    assert few == "The rarer class has 6 cases: too few to judge whether probabilities are right."
    assert "nan" not in " ".join([*section.sentences, *section.warnings])


def test_models_without_probabilities_have_no_such_section():
    assert calibration_section(_study(LinearSVC(), 1.0), "#0072b2") is None
    scores_only = SimpleNamespace(
        name="x", probability_array=np.zeros((1, 3)), endpoint=SimpleNamespace(offers={"roc"})
    )
    assert calibration_section(SimpleNamespace(name="x", primary=scores_only), "#0072b2") is None


def test_survival_has_the_event_by_the_horizon_with_intervals():
    X = RNG.normal(size=(80, 1))
    time = RNG.exponential(np.exp(-X[:, 0]))
    y = survival_outcomes(RNG.random(80) < 0.7, time)
    result = cross_validated_score(CoxRegression(), X, y, cv=4, n_repeats=2)
    curve, decision = calibration_section(result, "#0072b2").drawings
    assert (curve.numbers["low"] < curve.numbers["observed"]).all()
    risks = 1 - result.probability_array[..., -1]
    n_drawn = sum(patch.get_height() for patch in curve.figure.axes[1].patches)
    assert n_drawn == pytest.approx(100)
    assert f"{risks.mean():.0%}" in calibration_section(result, "#0072b2").sentences[0]
    assert decision.title == "Decision curve"
