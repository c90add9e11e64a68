"""What a deep feature may be: its correlations, its extreme cases, and where the network looks."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import radiodeep as rd
from radiodeep.exceptions import InputError

COHORT = rd.make_phantom_cohort(10, random_state=3)
NAME = "radiodeep-mini_pool_0042"


@pytest.fixture(scope="module")
def table():
    return rd.extract_table(rd.RadiomicsExtractor(families=["shape", "firstorder"]), COHORT)


def test_correlations_are_spearmans_of_the_cases_that_have_both(table):
    table = table.copy()
    table.iloc[:3, 0] = np.nan
    table["constant"], table["words"] = 1.0, "some"
    explanation = rd.explain_deep_feature(rd.DeepFeatureExtractor(), table, NAME, COHORT, n_cases=2)
    values = rd.extract_table(rd.DeepFeatureExtractor(), COHORT)[NAME]
    assert explanation.values.is_monotonic_increasing
    pd.testing.assert_series_equal(explanation.values.sort_index(), values.sort_index(), check_names=False, atol=1e-6)
    correlations = explanation.correlations
    assert correlations["spearman"].abs().is_monotonic_decreasing
    assert not {"constant", "words"} & set(correlations.index)
    for column in (table.columns[0], table.columns[5]):
        both = table[column].notna().to_numpy()
        expected = spearmanr(values[both], table.loc[both, column])
        assert correlations.loc[column].tolist() == pytest.approx([expected.statistic, expected.pvalue, both.sum()])
    assert str(explanation).startswith(f"{NAME} correlates with {correlations.index[0]} (")


def test_the_ends_are_the_cases_with_the_highest_and_lowest_values(table, tmp_path):
    explanation = rd.explain_deep_feature(rd.DeepFeatureExtractor(), table, NAME, COHORT, n_cases=3)
    assert [entry[0] for entry in explanation.highest] == explanation.values.index[::-1][:3].tolist()
    assert [entry[0] for entry in explanation.lowest] == explanation.values.index[:3].tolist()
    for _, image, where in explanation.highest + explanation.lowest:
        assert image.shape == where.shape == (64, 64)
        assert where.min() >= 0
        assert where.max() == pytest.approx(1)
    assert explanation.save(tmp_path / "new" / "feature.png").stat().st_size > 10_000


def test_the_map_is_the_slope_of_the_feature():
    deep = rd.DeepFeatureExtractor(intensity_range=(-500, 500), n_boxes=1, n_threads=1)
    shown_whole = rd.DeepFeatureExtractor(intensity_range=(0, 1), pixel_mm=None, margin=0, n_boxes=1, n_threads=1)
    images, maps = deep.saliency(COHORT[:1], NAME)[0]
    row, column = np.unravel_index(maps[0].argmax(), maps[0].shape)
    number = deep.get_feature_names_out().tolist().index(NAME)
    step, values = 1e-2, []
    for sign in (-1, 1):
        changed = images[0].copy()
        changed[row, column] += sign * step
        square = rd.Case(changed, np.ones(changed.shape, bool), "square", (1, 1))
        values.append(shown_whole.transform([square])[0, number])
    assert abs(values[1] - values[0]) / (2 * step) == pytest.approx(maps[0, row, column], rel=0.05)


def test_tuned_networks_several_slices_and_small_cohorts_are_explained_too(table):
    tuned = rd.DeepFeatureExtractor(slice="all", fine_tune=rd.FineTuning(n_iterations=1)).fit(COHORT, COHORT.labels)
    explanation = rd.explain_deep_feature(tuned, table, NAME, COHORT[:3])
    assert len(explanation.highest) == len(explanation.lowest) == 3
    assert explanation.figure() is not None


def test_what_cannot_be_explained_is_refused(table):
    deep = rd.DeepFeatureExtractor()
    with pytest.raises(InputError, match="There is no feature 'glcm'. They are called radiodeep-mini_pool_0000 to"):
        rd.explain_deep_feature(deep, table, "glcm", COHORT)
    with pytest.raises(
        InputError, match="one row for every case. Got no row for phantom-007, phantom-008, phantom-009"
    ):
        rd.explain_deep_feature(deep, table[:7], NAME, COHORT)
    with pytest.raises(InputError, match="'n_cases' parameter of explain_deep_feature must be an int >= 1"):
        rd.explain_deep_feature(deep, table, NAME, COHORT, n_cases=0)


@pytest.mark.parametrize("convert", [np.asarray, lambda table: table.to_numpy().tolist()])
def test_a_table_without_case_ids_is_refused(table, convert):
    with pytest.raises(InputError, match="must be a DataFrame with one row for every case. Got a (ndarray|list);"):
        rd.explain_deep_feature(rd.DeepFeatureExtractor(), convert(table), NAME, COHORT)


def test_a_table_with_two_rows_for_a_case_is_refused(table):
    twice = pd.concat([table, table])
    with pytest.raises(InputError, match="one row for every case. Got several rows for phantom-000, phantom-001, "):
        rd.explain_deep_feature(rd.DeepFeatureExtractor(), twice, NAME, COHORT)
