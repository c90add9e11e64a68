"""Advice on the width of grey levels."""

import numpy as np
import pytest

from radiodeep import Case, RadiomicsExtractor, make_phantom_cohort, suggest_bin_width
from radiodeep.exceptions import InputError


def lesion(low, high, name="one"):
    image = np.linspace(low, high, 64).reshape(4, 4, 4)
    return Case(image, np.ones(image.shape, bool), name, spacing_mm=(1, 1, 1))


def test_the_levels_in_the_table_are_those_that_the_extractor_makes():
    cohort = make_phantom_cohort(6, random_state=3)
    advice = suggest_bin_width(cohort)
    for width in (advice.bin_width, advice.table.index[2]):
        highest = []
        for case in cohort:
            values = case.voxels[case.roi]
            highest.append(np.floor(values.max() / width) - np.floor(values.min() / width) + 1)
        row = advice.table.loc[width]
        assert (row["lowest"], row["median"], row["highest"]) == (min(highest), np.median(highest), max(highest))


def test_the_suggested_width_gives_the_levels_aimed_at():
    advice = suggest_bin_width([lesion(0, 1000, "a"), lesion(0, 2000, "b")])
    assert advice.bin_width == 25
    assert "bin_width=25 gives 41 to 81 grey levels (median 61); 100% of the regions have 16 to 128" in str(advice)
    fine = suggest_bin_width([lesion(0, 1000)], fewest=200, most=500)
    assert 200 <= 1000 / fine.bin_width <= 500


@pytest.mark.parametrize("scale", [1e-4, 0.1, 1e6])
def test_images_of_any_scale_get_a_round_width(scale):
    advice = suggest_bin_width([lesion(-scale, 3 * scale)])
    assert float(f"{advice.bin_width:.2g}") == advice.bin_width
    assert 16 <= advice.table.loc[advice.bin_width, "median"] <= 128


def test_what_is_done_before_binning_counts():
    advice = suggest_bin_width([lesion(0, 5000)], RadiomicsExtractor(resegment_range=[0, 100]))
    assert advice.table.loc[advice.bin_width, "median"] == np.floor(79.4 / advice.bin_width) + 1


def test_flat_regions_have_no_width():
    with pytest.raises(InputError, match="All regions are flat"):
        suggest_bin_width([lesion(5, 5)])


@pytest.mark.parametrize("aim", [(1, 9), (16, 16), (16.0, 128)])
def test_aims_that_are_no_numbers_of_levels_are_refused(aim):
    with pytest.raises(InputError, match="2 <= fewest < most"):
        suggest_bin_width([lesion(0, 9)], fewest=aim[0], most=aim[1])
