"""What a result prints, its old names, and results of earlier versions."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

from radiodeep import (
    StudyResult,
    bootstrap_interval,
    calibration,
    compare_accuracy,
    compare_all,
    compare_auc,
    compare_auc_unpaired,
    cross_validated_auc,
    decision_curve,
    sensitivity_at_specificity,
    size_table,
)
from radiodeep.exceptions import StudyError


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def test_a_result_shows_itself_in_a_notebook():
    X, y = table()
    X.index = y.index = ["<b>", *X.index[1:]]
    shown = cross_validated_auc(GaussianNB(), X, y, cv=5)._repr_html_()
    assert "AUC" in shown
    assert "<b>GaussianNB</b>" in shown
    assert "&lt;b&gt;" in shown


def study(cv="leave-one-out", **settings):
    X, y = table(40)
    sizes = pd.Series(np.exp(np.random.default_rng(1).normal(size=40) / 5), index=X.index)
    return cross_validated_auc(GaussianNB(), X, y, cv=cv, size=sizes, **settings)


def test_the_old_names_of_companion_and_size_baseline_are_accepted():
    result = study()
    assert result.beside is result.companion
    assert result.size_alone is result.size_baseline
    changed = replace(result, beside=None, size_alone=None)
    assert (changed.companion, changed.size_baseline) == (None, None)
    assert replace(result, companion=None).beside is None
    fields = {"name": "m", "auc": 0.5, "confidence_interval": None, "accuracy": 0.5, "predictions": None, "folds": None}
    assert StudyResult(**fields, cv="5-fold", settings={}, beside=result).companion is result


def test_results_pickled_by_earlier_versions_are_read():
    result = study()
    old_state = result.__dict__ | {"beside": result.companion, "size_alone": result.size_baseline}
    del old_state["companion"], old_state["size_baseline"]
    old = StudyResult.__new__(StudyResult)
    old.__setstate__(old_state)
    assert old.companion is result.companion
    assert str(old) == str(result) == str(pickle.loads(pickle.dumps(result)))
    as_text = pickle.dumps(result, protocol=0).replace(b"study.statistics.uncertainty", b"study.statistics.auc")
    as_text = as_text.replace(b"radiodeep.study.statistics.", b"radiodeep.study.")
    assert b"radiodeep.study.auc" in as_text
    assert b"radiodeep.study.comparison" in as_text
    assert str(pickle.loads(as_text)) == str(result)


@pytest.mark.parametrize("cv", ["leave-one-out", "leave-pair-out"])
def test_intervals_of_earlier_versions_that_are_not_valid_are_left_out(cv):
    result = study(cv)
    state = result.__dict__ | {"variance": 0.01, "confidence_interval": result.companion.confidence_interval}
    del state["outcome"]
    old = StudyResult.__new__(StudyResult)
    old.__setstate__(state | {"companion": None})
    assert "(no valid interval)" in old.sentence
    with pytest.raises(StudyError, match=f"There is no valid test of results of {cv}"):
        compare_auc(old, old)
    old.__setstate__(state)
    assert compare_auc(old, result).test == "DeLong, paired, 50 repeats of the companions"


def test_what_is_not_a_result_is_refused():
    X, y = table()
    result = cross_validated_auc(GaussianNB(), X, y, cv=4, n_repeats=1)
    for function in (calibration, decision_curve, sensitivity_at_specificity, bootstrap_interval):
        with pytest.raises(StudyError, match="Expected a StudyResult, as of cross_validated_auc .* Got dict"):
            function({"naive Bayes": result})
    for function in (compare_auc, compare_auc_unpaired, compare_accuracy):
        for pair in ((result, result.predictions), (result.predictions, result)):
            with pytest.raises(StudyError, match="Expected a StudyResult.* Got DataFrame"):
                function(*pair)
    for function in (compare_all, size_table):
        with pytest.raises(StudyError, match="Expected a StudyResult.* Got DataFrame"):
            function({"naive Bayes": result, "other": result.predictions})


def test_the_print_is_the_sentence_and_what_must_be_read_with_it():
    result = study(on_error="exclude")
    printed = replace(result, excluded={"case 7": "unreadable"})
    lines = str(printed).splitlines()
    companion = result.companion
    interval = companion.confidence_interval
    assert lines[0] == (
        f"AUC {companion.auc:.2f} (95% CI {interval.low:.2f}-{interval.high:.2f}), accuracy {companion.accuracy:.2f}, "
        "n=40 (20 positive) (2-fold, 50 repeats)"
    )
    assert lines[1] == f"  leave-one-out: {result.sentence}"
    difference = result.companion.against_size.difference
    relation = "better" if difference > 0 else "worse"
    assert lines[2].startswith(f"  size alone: {result.companion.size_baseline.sentence}; the model is {relation} than")
    assert f"by {abs(difference):.2f} (p = {result.p_against_size:.2g}, 2-fold, 50 repeats)" in lines[2]
    assert lines[3].startswith("  at equal size: AUC ")
    assert lines[4:] == ["  positive class: 1", "  left out: case 7"]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.4, 0.9, "0.40-0.90"), (0.998, 0.9999, "0.998 to >0.999"), (-0.2, 0.3, "-0.20 to 0.30"), (0.2, 1, "0.20-1.00")],
)
def test_bounds_are_joined_by_a_word_where_a_dash_would_read_as_a_sign(low, high, shown):
    result = cross_validated_auc(GaussianNB(), *table(), cv=5)
    result = replace(result, confidence_interval=replace(result.confidence_interval, low=low, high=high))
    assert f"(95% CI {shown})" in result.sentence


@pytest.mark.parametrize("cv", ["leave-pair-out", 4])
def test_a_result_in_another_order_is_the_result_of_the_cases_in_that_order(cv):
    X, y = table(14)
    y = y.to_numpy()
    order = np.random.default_rng(0).permutation(14)
    result = cross_validated_auc(GaussianNB(), X, y, cv=cv).in_order_of(X.index[order])
    assert result.predictions.index.tolist() == X.index[order].tolist()
    if cv == 4:
        assert result.scores.index.tolist() == result.probabilities.index.tolist() == X.index[order].tolist()
    else:
        by_case = pd.Series(np.nan, index=X.index[order])
        by_case[y[order] == 1] = result.pairs.mean(axis=0)
        by_case[y[order] == 0] = 1 - result.pairs.mean(axis=1)
        np.testing.assert_allclose(result.predictions["score"], by_case)
