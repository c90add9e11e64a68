"""Figures of classes show the curves whose areas are the AUCs."""

from dataclasses import replace

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
    roc_band,
)
from radiodeep.report.class_figures import (
    calibration_figure,
    class_roc_figure,
    confusion_figure,
    decision_figure,
    roc_figure,
)
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
        np.testing.assert_allclose(area, drawn.primary.auc)
        assert axes.figure.legends[0].get_texts()[0].get_text().endswith(f"{drawn.primary.auc:.3f}")


def test_each_of_several_classes_has_a_curve_against_the_others():
    y = np.arange(30) % 3
    result = cross_validated_score(GaussianNB(), X + y[:, None], y, cv=3)
    figure = class_roc_figure(result)
    expected = [
        np.mean([roc_auc_score(y == label, scores) for scores in result.score_array[:, :, label]]) for label in range(3)
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"{label}: {auc:.3f}" for label, auc in enumerate(expected)
    ]


def test_points_of_the_calibration_have_numbers_of_cases_and_stay_in_the_axes(result):
    curve = calibration(result).curve
    curve.loc[0, "observed"] = -0.2  # as pseudo-values of survival may be
    curve.loc[1, "predicted"] = curve.loc[0, "predicted"] + 0.001
    top, below = calibration_figure(curve, result.probability_array, line=(0.1, 0.9)).axes
    together = [curve["n"][:2].sum(), *curve["n"][2:]]  # of the two points at about the same place
    assert [text.get_text() for text in top.texts] == [f"{n:.0f}" for n in together]
    assert top.get_ylim()[0] < -0.2
    (lines,) = top.collections
    assert len(lines.get_segments()) == len(curve)
    fitted = top.lines[1]
    x, y = fitted.get_xdata(), fitted.get_ydata()
    np.testing.assert_allclose(np.log(y / (1 - y)), 0.1 + 0.9 * np.log(x / (1 - x)))
    assert sum(patch.get_height() for patch in below.patches) == pytest.approx(100)
    separated = calibration_figure(curve, result.probability_array, line=(np.nan, np.nan))
    assert len(separated.axes[0].lines) == 2


def test_policies_of_the_decision_curve_have_lines_of_their_own(result):
    (axes,) = decision_figure(decision_curve(result)).axes
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    assert len({str(line.get_color()) for line in axes.lines}) == 3
    assert [line.get_label() for line in axes.lines] == ["act on the model", "treat all", "treat none"]


def test_the_confusion_table_has_cases_and_shares_of_the_row():
    names = pd.Index(["no", "yes"], name="true")
    counts = pd.DataFrame([[28.8, 11.2], [0, 40]], names, names)
    (axes,) = confusion_figure(counts).axes
    words = [text.get_text() for text in axes.texts]
    assert words == ["28.8\n72% of row", "11.2\n28% of row", "0\n0% of row", "40\n100% of row"]


def test_curves_that_coincide_are_all_seen(result):
    names = ["a model", "the same", "again"]
    same = [replace(result, name=name) for name in names]
    colours = dict(zip(names, ("#000001", "#000002", "#000003"), strict=True))
    figure = roc_figure(same, colours, roc_band(result), ("a threshold", 0.7, 0.8))
    _, *curves, point = figure.axes[0].lines
    assert (np.diff([line.get_linewidth() for line in curves]) < 0).all()
    assert [line.is_dashed() for line in curves] == [False, True, True]
    assert [line.get_color() for line in curves] == list(colours.values())
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (pytest.approx(0.2), 0.7)
    (band,) = figure.axes[0].collections
    assert band.get_facecolor()[0][:3] == pytest.approx((0, 0, 1 / 255))


def test_the_roc_curve_of_centres_compares_no_scores_of_different_centres():
    y, level = np.arange(60) % 2, np.repeat([0.0, 6.0, 12.0], 20)
    X = (4 * y + level + 0.3 * np.random.default_rng(0).normal(size=60)).reshape(-1, 1)
    result = cross_validated_auc(LogisticRegression(), X, y, cv="leave-one-centre-out", centres=level)
    assert auc_with_confidence(y, result.predictions["score"]).auc < 0.9
    (axes,) = roc_figure([result]).axes
    line = axes.lines[-1]
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(1, abs=0.002)
