"""Figures of classes show the curves whose areas are the AUCs."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB

from radiodeep import (
    auc_with_confidence,
    calibration,
    cross_validated_auc,
    cross_validated_score,
    decision_curve,
)
from radiodeep.report.class_figures import calibration_figure, class_roc_figure, roc_figure, score_figure
from radiodeep.study.statistics.auc import mean_roc

RNG = np.random.default_rng(0)
Y = np.arange(30) % 2
X = pd.DataFrame(RNG.normal(size=(30, 5)) + 0.5 * Y[:, None])


@pytest.fixture(scope="module")
def result():
    return cross_validated_auc(GaussianNB(), X, Y, cv=5)


def test_the_area_of_the_drawn_curve_is_the_auc_in_the_legend(result):
    positive = np.arange(30) % 3 == 0
    scores = np.round(RNG.normal(size=(5, 30)) + positive, 1)  # with ties
    false_rate, true_rate = mean_roc(positive, scores)
    np.testing.assert_allclose(
        np.trapezoid(true_rate, false_rate), np.mean([roc_auc_score(positive, score) for score in scores])
    )
    for drawn in (result, cross_validated_auc(GaussianNB(), X, Y, cv="leave-one-out")):
        axes = roc_figure([drawn]).axes[0]
        area = np.trapezoid(axes.lines[1].get_ydata(), axes.lines[1].get_xdata())
        np.testing.assert_allclose(area, drawn.auc)
        assert axes.get_legend().get_texts()[0].get_text().endswith(f"{drawn.auc:.3f}")
        assert axes.get_legend().get_title().get_text() == f"AUC, {drawn.cv}"


def test_each_of_several_classes_has_a_curve_against_the_others():
    y = np.arange(30) % 3
    result = cross_validated_score(GaussianNB(), X + y[:, None], y, cv=3)
    axes = class_roc_figure(result).axes[0]
    expected = [
        np.mean([roc_auc_score(y == label, scores) for scores in result.score_array[:, :, label]]) for label in range(3)
    ]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        f"{label}: {auc:.3f}" for label, auc in enumerate(expected)
    ]


def test_points_of_the_calibration_name_their_cases_and_stay_in_the_axes(result):
    curve = calibration(result).curve
    curve.loc[0, "observed"] = -0.2  # as pseudo-values of survival may be
    left, right = calibration_figure(curve, decision_curve(result)).axes
    assert [text.get_text() for text in left.texts] == [f"{n}" for n in curve["n"]]
    assert left.get_ylim()[0] < -0.2
    assert [line.get_label() for line in right.lines] == ["model", "treat all", "treat none"]


def test_scores_are_drawn_by_class(result):
    axes = score_figure(result).axes[0]
    assert [len(line.get_xdata()) for line in axes.lines] == [15, 15]
    assert axes.get_xlabel() == "Out-of-fold probability of class 1"


def test_the_roc_curve_of_centres_compares_no_scores_of_different_centres():
    y, level = np.arange(60) % 2, np.repeat([0.0, 6.0, 12.0], 20)
    X = (4 * y + level + 0.3 * np.random.default_rng(0).normal(size=60)).reshape(-1, 1)
    result = cross_validated_auc(LogisticRegression(), X, y, cv="leave-one-centre-out", centres=level)
    assert auc_with_confidence(y, result.predictions["score"]).auc < 0.9
    (axes,) = roc_figure([result]).axes
    assert axes.get_legend().get_title().get_text().endswith("centres' mean curve")
    line = axes.lines[-1]
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(1, abs=0.002)
