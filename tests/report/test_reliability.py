"""Sections on subgroups, stability, conformal sets and the patients that are needed."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep.report.reliability import (
    clinical_of,
    conformal_section,
    instability_section,
    learning_section,
    sample_size_section,
    subgroup_section,
)

COLOUR = "#0072b2"


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = pd.DataFrame(rng.normal(size=(60, 8)) + 0.8 * y[:, None], index=[f"case {n}" for n in range(60)])
    return X.add_prefix("f"), y


@pytest.fixture(scope="module")
def result(table):
    model = make_pipeline(SelectKBest(k=3), LogisticRegression())
    return rd.cross_validated_auc(model, *table, cv=2, n_repeats=4)


@pytest.fixture(scope="module")
def clinical(table):
    index = table[0].index
    columns = {
        "note": index,  # too many groups
        "constant": 1,
        "stain": np.where(np.arange(60) // 2 % 2, "$H$", "E"),
        "age": np.arange(60).astype(str),
        "sex": [*["rare"] * 6, *["f", "f", "m", "m"] * 13, "m", "f"],
    }
    return pd.DataFrame(columns, index=index)


def test_subgroups_are_drawn_tested_and_named(result, clinical):
    section = subgroup_section(result, clinical, COLOUR)
    table = section.tables["Subgroups"]
    assert section.title == "Subgroups: Pipeline"
    assert [name for name in table.index if name.startswith("age")] == ["age: below 29.5", "age: 29.5 and above"]
    assert section.tables["Do the subgroups differ?"].index.tolist() == ["age", "sex", "stain"]
    assert section.warnings == ("sex: too small: rare.",)
    assert section.sentences[0].startswith("No difference of the AUC was found by age, sex, stain")
    labels = [label.get_text() for label in section.drawings[0].figure.axes[0].get_yticklabels()]
    assert labels[-1] == r"stain: E (n=30)" or r"stain: \$H\$ (n=30)" in labels
    section.drawings[0].figure.canvas.draw()  # the dollars are no formula


def test_a_difference_between_subgroups_is_named(table, result):
    X, y = table
    group = pd.Series(np.arange(60) // 2 % 2, index=X.index)
    score = np.where(group == 1, y, -y) + np.random.default_rng(0).normal(size=60) * 0.3
    opposite = rd.cross_validated_auc(LogisticRegression(), score[:, None] * [[1.0, 0.0]], y, cv=2, n_repeats=2)
    section = subgroup_section(opposite, group.to_frame("centre").reset_index(drop=True), COLOUR)
    assert section.sentences[0].startswith("The AUC differs by centre (p = ")


def test_without_usable_columns_there_is_no_section_on_subgroups(result, clinical):
    assert subgroup_section(result, None, COLOUR) is None
    assert subgroup_section(result, clinical[["note", "constant"]], COLOUR) is None
    few = pd.DataFrame({"sex": ["f"] * 3 + ["m"] * 57}, index=clinical.index)
    section = subgroup_section(result, few, COLOUR)
    assert section.sentences == ("No column has two subgroups that are large enough to compare.",)


def test_clinical_columns_are_those_of_the_cases():
    cases = [SimpleNamespace(id="a", clinical={"sex": "f"}), SimpleNamespace(id="b", clinical={})]
    assert clinical_of(cases).loc["a", "sex"] == "f"
    assert clinical_of(SimpleNamespace(clinical=clinical_of(cases))).index.tolist() == ["a", "b"]
    assert clinical_of([SimpleNamespace(id="a", clinical={})]) is None
    assert clinical_of(None) is None


def test_the_patients_needed_are_those_of_the_candidate_features(result):
    section = sample_size_section([result])
    rows = section.tables["Cases needed by Riley's criteria"]
    assert rows.loc["Pipeline", "candidate features"] == 8
    expected = rd.sample_size(8, prevalence=0.5, auc=0.8, n_cases=60)
    assert rows.loc["Pipeline", "needed if AUC 0.8"] == f"{expected.n:,}"
    assert section.sentences == (f"Pipeline: {expected}",)
    drawn = section.drawings[0].numbers.set_index("candidate features")["AUC 0.9"]
    assert drawn.loc[8] == rd.sample_size(8, prevalence=0.5, auc=0.9).n


def test_the_patients_needed_are_told_for_numbers_and_survival_but_not_for_several_classes(table):
    X, y = table
    selecting = make_pipeline(SelectKBest(f_regression, k=3), Ridge())
    numbers = rd.cross_validated_score(selecting, X, X["f0"].to_numpy() + y, cv=2, n_repeats=2)
    assert "an R2 of 0.30 expected" in sample_size_section([numbers]).sentences[0]
    rng = np.random.default_rng(0)
    times = rd.survival_outcomes(event=rng.random(60) < 0.7, time=rng.exponential(size=60))
    survival = make_pipeline(rd.UnivariateCox(2), rd.CoxRegression())
    survival = rd.cross_validated_cindex(survival, X, times, cv=2, n_repeats=2)
    assert "events" in sample_size_section([survival]).sentences[0]
    plain = rd.cross_validated_auc(GaussianNB(), X, y, cv=2, n_repeats=2)
    assert "With 8 candidate features" in sample_size_section([plain]).sentences[0]  # all columns, without a selector
    assert conformal_section(survival, COLOUR) is None


def test_a_learning_curve_is_drawn_with_its_sentence(table):
    curve = rd.learning_curve(GaussianNB(), *table, (0.5, 1.0), n_repeats=1)
    section = learning_section(curve, COLOUR, "texture")
    assert section.title == "Would more patients help? texture"
    assert section.sentences == (str(curve),)
    assert section.drawings[0].numbers["n_patients"].tolist() == [24, 48]


def test_unstable_cases_are_listed(table, result):
    section = instability_section(result, COLOUR)
    listed = section.folded["The ten least stable cases"]["mean absolute difference"]
    assert len(listed) == 10
    assert listed.is_monotonic_decreasing
    measured = rd.instability(LogisticRegression(), *table, n_resamples=3)
    assert instability_section(result, COLOUR, measured).sentences == (str(measured),)
    holdout = rd.holdout_auc(LogisticRegression(), *(part[:30] for part in table), *(part[30:] for part in table))
    assert instability_section(holdout, COLOUR) is None


def test_conformal_sets_are_drawn_by_class_and_intervals_by_case(table, result):
    section = conformal_section(result, COLOUR)
    axes = section.drawings[0].figure.axes[0]
    ends = {}
    for bar in axes.patches:
        ends[bar.get_y()] = ends.get(bar.get_y(), 0) + bar.get_width()
    assert list(ends.values()) == pytest.approx([1, 1])
    assert section.tables["Conformal sets by class"]["of new cases"].tolist() == ["0.80 to 0.97"] * 2
    numbers = rd.cross_validated_score(Ridge(), table[0], table[0]["f0"].to_numpy() + table[1], cv=2, n_repeats=2)
    section = conformal_section(numbers, COLOUR)
    assert "Conformal intervals" in section.tables
    n_dots = sum(len(line.get_xdata()) for line in section.drawings[0].figure.axes[0].lines)
    assert n_dots == 60
