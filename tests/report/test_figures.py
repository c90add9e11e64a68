"""Figures show the numbers of the results."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import ReliefF, cross_validate_models, cross_validated_auc
from radiodeep.report.figures import centre_figure, interval_figure, selection_counts, selection_figure


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    X = pd.DataFrame(rng.normal(size=(30, 6)) + y[:, None], columns=list("abcdef"))
    X.index = ["<script>alert(1)</script>", *(f"case {number}" for number in range(1, 30))]
    selected = make_pipeline(ReliefF(n_features_to_select=2), GaussianNB())
    return cross_validate_models({"all & more": GaussianNB(), "selected": selected}, X, y)


def test_the_figures_hold_the_numbers_of_the_results(results):
    assert len(interval_figure(list(results.values())).axes[0].get_yticklabels()) == 2
    assert selection_figure(results["all & more"]) is None
    assert selection_counts(results["selected"]).sum() == 60
    assert selection_figure(results["selected"]).axes[0].patches[-1].get_width() <= 1


def test_results_with_a_companion_are_drawn_by_its_interval_and_others_without_one(results):
    figure = interval_figure(list(results.values()))
    best = max(results.values(), key=lambda result: result.primary.auc)
    of_companion, own = figure.axes[0].lines[-4], figure.axes[0].lines[-2]
    interval = best.companion.confidence_interval
    assert of_companion.get_xdata().tolist() == [interval.low, interval.high]
    assert np.isnan(own.get_xdata()).all()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [best.companion.cv, best.cv]


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
