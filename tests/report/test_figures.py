"""Figures show the numbers of the results."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import ReliefF, cross_validate_models, cross_validated_auc
from radiodeep.report.figures import centre_figure, interval_figure, selection_counts


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    X = pd.DataFrame(rng.normal(size=(30, 6)) + y[:, None], columns=list("abcdef"))
    X.index = ["<script>alert(1)</script>", *(f"case {number}" for number in range(1, 30))]
    selected = make_pipeline(ReliefF(n_features_to_select=2), GaussianNB())
    return cross_validate_models({"all & more": GaussianNB(), "selected": selected}, X, y)


def test_folds_that_selected_a_feature_are_counted(results):
    assert selection_counts(results["all & more"]) is None
    assert selection_counts(results["selected"]).sum() == 60


def test_models_have_their_colour_and_a_hollow_mark_where_no_interval_is_valid(results):
    colours = {"all & more": "#000001", "selected": "#000002"}
    figure = interval_figure(list(results.values()), colours)
    (axes,) = figure.axes
    _, bar, of_companion, own, *_ = axes.lines
    first = results["all & more"]
    interval = first.companion.confidence_interval
    assert bar.get_xdata().tolist() == [interval.low, interval.high]
    assert of_companion.get_xdata()[0] == first.companion.auc
    assert of_companion.get_markerfacecolor() == "#000001"
    assert own.get_xdata()[0] == first.auc
    assert (own.get_color(), own.get_markerfacecolor()) == ("#000001", "white")
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == [f"{first.companion.cv}, with 95% interval", "leave-one-out, no valid interval"]
    value = f"{first.companion.auc:.2f} ({interval.low:.2f} to {interval.high:.2f})"
    assert [text.get_text() for text in axes.texts[:2]] == ["all & more", value]


def test_the_figure_of_centres_draws_each_and_their_mean():
    rng = np.random.default_rng(0)
    y, centres = np.arange(80) % 2, np.repeat(["Bonn", "Lyon", "Pisa", "Turin"], 20)
    y[:20] = 1
    X = rng.normal(size=(80, 2)) + y[:, np.newaxis]
    result = cross_validated_auc(LogisticRegression(), X, y, cv="leave-one-centre-out", centres=centres)
    (axes,) = centre_figure(result).axes
    names = ["Bonn (n=20)", "Lyon (n=20)", "Pisa (n=20)", "Turin (n=20)", "random effects"]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    squares = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s"]
    np.testing.assert_array_equal(squares, result.centres["value"])
    (diamond,) = axes.patches
    mean = result.confidence_interval
    assert diamond.get_xy()[:3, 0].tolist() == [mean.low, result.auc, mean.high]
    assert axes.get_title(loc="right").startswith("thin line of the mean")
    of_two = cross_validated_auc(LogisticRegression(), X, y, cv="leave-one-centre-out", centres=centres < "M")
    assert len(of_two.random_effects.weights) == 2
    assert centre_figure(of_two).axes[0].get_title(loc="right") == ""  # and no such line
