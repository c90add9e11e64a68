"""Figures show the numbers of the results."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import ReliefF, cross_validate_models, cross_validated_auc
from radiodeep.report.figures import interval_figure, roc_figure, selection_counts, selection_figure
from radiodeep.study.statistics.auc import mean_roc


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    X = pd.DataFrame(rng.normal(size=(30, 6)) + y[:, None], columns=list("abcdef"))
    X.index = ["<script>alert(1)</script>", *(f"case {number}" for number in range(1, 30))]
    selected = make_pipeline(ReliefF(n_features_to_select=2), GaussianNB())
    return cross_validate_models({"all & more": GaussianNB(), "selected": selected}, X, y)


def test_the_figures_hold_the_numbers_of_the_results(results):
    figure = roc_figure(list(results.values()))
    shown = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    best = max(results.values(), key=lambda result: result.auc)
    assert shown[0] == f"{best.name}: {best.auc:.2f}"
    assert len(interval_figure(list(results.values())).axes[0].get_yticklabels()) == 2
    assert selection_figure(results["all & more"]) is None
    assert selection_counts(results["selected"]).sum() == 60
    assert selection_figure(results["selected"]).axes[0].patches[-1].get_width() <= 1


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def test_the_area_of_the_drawn_curve_is_the_auc_in_the_legend():
    rng = np.random.default_rng(0)
    positive = np.arange(30) % 3 == 0
    scores = np.round(rng.normal(size=(5, 30)) + positive, 1)  # with ties
    false_rate, true_rate = mean_roc(positive, scores)
    np.testing.assert_allclose(
        np.trapezoid(true_rate, false_rate), np.mean([roc_auc_score(positive, score) for score in scores])
    )
    X, y = table(30, effect=0.5)
    for cv in ("leave-one-out", 5):
        result = cross_validated_auc(GaussianNB(), X, y, cv=cv)
        axes = roc_figure([result]).axes[0]
        area = np.trapezoid(axes.lines[1].get_ydata(), axes.lines[1].get_xdata())
        np.testing.assert_allclose(area, result.auc)
        assert axes.get_legend().get_texts()[0].get_text().endswith(f"{result.auc:.2f}")
        assert axes.get_legend().get_title().get_text() == f"AUC, {result.cv}"
