"""The section on selected features tells how often, in which direction, and of what kind they are."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from radiodeep import SymmetricUncertainty, auc_with_confidence, cross_validated_auc, cross_validated_score
from radiodeep.handcrafted.catalogue import FEATURES
from radiodeep.report.feature_meaning import DEEP, HANDCRAFTED, OTHER, feature_meaning
from radiodeep.report.feature_section import feature_section

RNG = np.random.default_rng(0)
NAMES = [
    "original_shape_Sphericity",
    "wavelet-LLH_glszm_SmallAreaHighGrayLevelEmphasis",
    "radiodeep-mini_pool_0007",
    "age",
    "original_glcm_Contrast",
]
Y = np.where(np.arange(60) % 2, "malignant", "benign")


@pytest.fixture(scope="module")
def table():
    table = pd.DataFrame(RNG.normal(size=(60, 5)), columns=NAMES, index=[f"c{number}" for number in range(60)])
    sign = 2.0 * (Y == "malignant")
    table[NAMES[0]] -= sign
    table[NAMES[1]] += 0.7 * sign
    table[NAMES[2]] = -table[NAMES[0]] + 0.1 * RNG.normal(size=60)
    return table


@pytest.fixture(scope="module")
def result(table):
    model = make_pipeline(SymmetricUncertainty(n_features_to_select=2), LogisticRegression())
    return cross_validated_auc(model, table, Y, cv=3, n_repeats=3)


def test_features_have_share_effect_direction_and_kind(result, table):
    section = feature_section(result, "#0072b2", table.sample(frac=1, random_state=0))
    numbers = section.drawings[0].numbers.set_index("feature")
    assert numbers["share"].sum() == pytest.approx(2)
    effect = numbers.loc[NAMES[0]]
    expected = auc_with_confidence(Y, table[NAMES[0]].to_numpy())
    assert effect["value"] == pytest.approx(expected.auc)
    assert effect["low"] == pytest.approx(expected.confidence_interval.low)
    assert effect["value"] < 0.5
    assert "higher in 'malignant'" in section.drawings[0].caption
    legend = section.drawings[0].figure.legends[0]
    assert {text.get_text() for text in legend.get_texts()} <= {HANDCRAFTED, DEEP, OTHER}
    assert "well" in " ".join(section.sentences) or "closely" in " ".join(section.sentences)


def test_box_plots_hold_the_values_of_each_outcome_and_the_map_the_correlations(result, table):
    _, values, correlations = feature_section(result, "#0072b2", table).drawings
    axes = values.figure.axes[0]
    points = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata()) == 30]
    first = values.numbers.columns[2]
    np.testing.assert_array_equal(points[0].get_ydata(), table[first][Y == "benign"])
    a, b = correlations.numbers.columns[:2]
    assert correlations.numbers.loc[a, b] == pytest.approx(spearmanr(table[a], table[b]).statistic)
    order = correlations.numbers.columns.tolist()
    assert abs(order.index(NAMES[0]) - order.index(NAMES[2])) == 1


def test_how_many_more_features_there_are_is_said(result, table):
    section = feature_section(result, "#0072b2", table, most=1)
    n_selected = len(set(result.folds["selected_features"].explode()))
    assert f"the 1 most frequent are shown, {n_selected - 1} more not" in section.sentences[0]
    assert len(section.tables["What the features are"]) == 1


def test_deep_features_name_the_handcrafted_feature_that_they_go_with(result, table):
    section = feature_section(result, "#0072b2", table)
    words = section.tables["What the features are"].loc["radiodeep-mini_pool_0007", "describes"]
    correlation = spearmanr(table[NAMES[0]], table[NAMES[2]]).statistic
    assert words.endswith(f"goes most with {NAMES[0]} (rank correlation {correlation:+.2f})")
    assert "explain_deep_feature" in section.notes[-1]


def test_without_a_table_only_shares_are_drawn_and_without_a_selector_nothing(result, table):
    (drawing,) = feature_section(result, "#0072b2").drawings
    assert len(drawing.figure.axes) == 1
    assert len(feature_section(result, "#0072b2", table.iloc[1:]).drawings) == 1
    everything = cross_validated_auc(LogisticRegression(), table, Y, cv=3, n_repeats=1)
    assert feature_section(everything, "#0072b2", table) is None


def test_numbers_are_drawn_as_points_against_the_outcome(table):
    y = table["age"] + RNG.normal(size=60)
    model = make_pipeline(SymmetricUncertainty(n_features_to_select=1), LinearRegression())
    result = cross_validated_score(model, table, y, cv=3, n_repeats=1)
    section = feature_section(result, "#0072b2", table)
    line = section.drawings[1].figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), y)
    assert "a larger number" in section.drawings[0].caption


def test_every_handcrafted_feature_has_its_family_id_and_words():
    for feature in FEATURES:
        meaning = feature_meaning(f"log-sigma-2-0-mm-3D_{feature.family}_{feature.name}")
        assert (meaning.kind, meaning.family, meaning.ibsi_id) == (HANDCRAFTED, feature.family, feature.ibsi_id or "")
        assert meaning.words, feature.family
        assert meaning.image.startswith("blobs and edges")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("resnet18_avgpool_0003", DEEP), ("pet_radiodeep-mini_pool_0111", DEEP), ("age", OTHER), ("stage_2", OTHER)],
)
def test_other_names_are_deep_or_clinical(name, kind):
    assert feature_meaning(name).kind == kind
