"""Sections on how well models predict say and draw the numbers of their results."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB

from radiodeep import cross_validate_models, cross_validated_auc, cross_validated_score, threshold_measures
from radiodeep.report.performance import outcome_section, performance_section, threshold_section
from radiodeep.report.style import GREY, colours_of

RNG = np.random.default_rng(0)
LONG = "a model whose name has more than thirty characters"


@pytest.fixture(scope="module")
def results():
    y = np.where(np.arange(60) % 2, "malignant", "benign")
    X = RNG.normal(size=(60, 3)) + (y == "malignant")[:, None]
    models = {"combined": LogisticRegression(), LONG: GaussianNB()}
    return list(cross_validate_models(models, X, y, cv=5, size=RNG.lognormal(size=60)).values())


def test_curves_of_all_models_and_size_have_their_auc_the_band_and_the_point_are_of_the_first(results):
    section = performance_section(results, colours_of(results))
    roc, forest = section.drawings
    names = ["combined", LONG, "size alone"]
    measured = [*results, results[0].size_baseline]
    words = " ".join(roc.figure.legends[0].get_texts()[0].get_text().split())
    assert words == f"combined: {results[0].auc:.3f}"
    for name, result in zip(names, measured, strict=True):
        curve = roc.numbers[roc.numbers["model"] == name]
        assert np.trapezoid(curve["true_rate"], curve["false_rate"]) == pytest.approx(result.auc)
    assert roc.figure.axes[0].lines[3].get_color() == GREY
    point = threshold_measures(results[0])
    diamond = roc.figure.axes[0].lines[-1]
    rates = point.measures["value"]
    assert diamond.get_ydata()[0] == rates["sensitivity"]
    assert diamond.get_xdata()[0] == pytest.approx(1 - rates["specificity"])
    assert point.reason in roc.caption
    assert "was not chosen for its result" in roc.caption
    assert roc.numbers["low"].notna().sum() == 101
    assert forest.numbers["model"].tolist() == names
    assert forest.numbers["value"].tolist() == [result.auc for result in measured]
    assert "chance that the model ranks" in section.sentences[0]
    assert "widened because" in section.sentences[1]


def test_of_leave_one_out_the_companion_is_drawn_and_its_own_mark_is_named():
    y = np.arange(30) % 2
    result = cross_validated_auc(GaussianNB(), RNG.normal(size=(30, 2)) + y[:, None], y, cv="leave-one-out")
    roc, forest = performance_section([result], colours_of([result])).drawings
    curve = roc.numbers[roc.numbers["model"] == result.name]
    assert np.trapezoid(curve["true_rate"], curve["false_rate"]) == pytest.approx(result.companion.auc)
    assert forest.numbers["low"].isna().tolist() == [False, True]
    assert "Hollow" in forest.caption


def test_calls_at_a_threshold_are_told_in_counts_and_plain_words(results):
    section = threshold_section(results[0], "#0072b2", 0.3)
    measured = threshold_measures(results[0], 0.3)
    found, missed = measured.counts.loc["malignant", ["malignant", "benign"]]
    assert "from a probability of 0.3" in section.sentences[0]
    assert f"finds {found:.1f}".removesuffix(".0") in section.sentences[1]
    assert f"misses {missed:.1f}".removesuffix(".0") in section.sentences[1]
    (table,) = section.tables.values()
    assert table.loc["PPV", "value"] == f"{measured.measures.loc['PPV', 'value']:.0%}"
    assert table.loc["PPV", "meaning"] == "of the cases called positive, those that are positive"
    assert list(section.folded) == ["At a probability of 0.5"]
    assert "DeLong" not in " ".join([*section.sentences, *section.notes, *table["meaning"]])


def test_no_positive_call_has_no_value_and_no_sentence(results):
    section = threshold_section(results[0], "#0072b2", 0.9999)
    assert section.tables["At this threshold"].loc["PPV", ["value", "95 % interval"]].tolist() == ["-", "-"]
    assert len(section.sentences) == 2
    assert "nan%" not in " ".join(section.sentences)


def test_several_classes_are_counted_by_predicted_class_and_have_a_curve_each():
    y = np.array(["a", "b", "c"])[np.arange(60) % 3]
    result = cross_validated_score(GaussianNB(), RNG.normal(size=(60, 2)) + (np.arange(60) % 3)[:, None], y, cv=5)
    section = threshold_section(result, "#0072b2")
    assert f"{result.accuracy:.0%} of the cases" in section.sentences[0]
    assert section.drawings[0].numbers.to_numpy().sum() == pytest.approx(60)
    (roc,) = outcome_section(result, "#0072b2").drawings
    assert len(roc.figure.legends[0].get_texts()) == 3
    (forest,) = performance_section([result], colours_of([result])).drawings
    assert forest.title == "M of each model"


def test_numbers_have_a_picture_of_agreement_and_no_threshold():
    X = RNG.normal(size=(40, 2))
    y = X[:, 0] + RNG.normal(size=40)
    result = cross_validated_score(LinearRegression(), X, pd.Series(y), cv=4)
    (agreement,) = outcome_section(result, "#0072b2").drawings
    assert "Bland and Altman" in agreement.caption
    assert threshold_section(result, "#0072b2") is None
