"""Advice on the width of grey levels."""

from itertools import product

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


def test_a_case_that_cannot_be_used_is_named():
    extractor = RadiomicsExtractor(resegment_range=[0, 100])
    with pytest.raises(InputError, match="^beyond: "):
        suggest_bin_width([lesion(0, 50), lesion(200, 300, "beyond")], extractor)


def test_flat_regions_have_no_width():
    with pytest.raises(InputError, match="All regions are flat"):
        suggest_bin_width([lesion(5, 5)])


@pytest.mark.parametrize(
    ("aim", "message"),
    [
        ((1, 9), "'fewest' parameter of suggest_bin_width must be an int >= 2. Got 1"),
        ((16.0, 128), "'fewest' parameter of suggest_bin_width must be an int >= 2. Got 16.0"),
        ((16, 16), "'most' parameter of suggest_bin_width must be an int > fewest=16. Got 16"),
    ],
)
def test_an_aim_that_is_not_a_range_of_counts_is_refused(aim, message):
    with pytest.raises(InputError, match=message):
        suggest_bin_width([lesion(0, 9)], fewest=aim[0], most=aim[1])


def test_every_image_gets_a_width_of_its_own_that_the_extractor_takes():
    cohort = make_phantom_cohort(4, random_state=3)
    types = {"Original": {}, "Wavelet": {"wavelet": "haar"}, "LoG": {"sigma": [1.0, 4.0], "gldm_alpha": 1}}
    families = ["firstorder", "glcm"]
    advice = suggest_bin_width(cohort, RadiomicsExtractor(families=families, image_types=types, force_2d=True))
    extractor = RadiomicsExtractor(families=families, image_types=advice.image_types, force_2d=True)
    names = [name.split("_")[0] for name in extractor.get_feature_names_out()]
    assert list(advice.widths) == list(dict.fromkeys(names))
    assert advice.bin_width == advice.widths["original"]
    assert advice.image_types["LoG"]["gldm_alpha"] == 1
    assert str(advice).splitlines()[1].startswith("wavelet-LH: bin_width=")
    assert len(str(advice).splitlines()) == 7
    ranges = [extractor.intensity_ranges(case) for case in cohort]
    values = extractor.fit_transform(cohort)
    for image, width in advice.widths.items():
        within = advice.table.loc[(image, width), "within"]
        image_type = {"o": "Original", "w": "Wavelet", "l": "LoG"}[image[0]]
        ends = np.array([ranges_of_case[image_type][image] for ranges_of_case in ranges])
        levels = np.floor(ends[:, 1] / width) - np.floor(ends[:, 0] / width) + 1
        assert within == ((levels >= 16) & (levels <= 128)).mean() > 0.9
        alone = {image_type: {**types[image_type], "bin_width": width}}
        texture = RadiomicsExtractor(families=families, image_types=alone, force_2d=True)
        chosen = [name.split("_")[0] == image for name in texture.get_feature_names_out()]
        expected = texture.fit_transform(cohort)[:, chosen]
        np.testing.assert_array_equal(values[:, [name == image for name in names]], expected)


@pytest.mark.parametrize("widths", [{"wavelet-LLZ": 1.0}, {"wavelet-LLH": 0}, {}])
def test_widths_by_image_must_name_all_images_of_the_type(widths):
    allowed = "a float > 0, or a dict from all names of its images to floats > 0: wavelet-LLH, wavelet-LHL"
    with pytest.raises(InputError, match=f"'bin_width' parameter of the image type Wavelet must be {allowed}"):
        RadiomicsExtractor(image_types={"Wavelet": {"bin_width": widths}}).fit([])


def test_widths_by_image_must_be_positive():
    names = [f"wavelet-{''.join(letters)}" for letters in product("LH", repeat=3)]
    widths = dict.fromkeys(names, 2.0)
    RadiomicsExtractor(image_types={"Wavelet": {"bin_width": widths}}).fit([])
    with pytest.raises(InputError, match="from all names of its images to floats > 0"):
        RadiomicsExtractor(image_types={"Wavelet": {"bin_width": {**widths, "wavelet-LLL": 0.0}}}).fit([])


def test_a_misspelt_image_among_the_widths_is_answered_by_the_nearest_one():
    with pytest.raises(InputError, match=r"Did you mean 'original'\?$"):
        RadiomicsExtractor(image_types={"Original": {"bin_width": {"orignal": 2.0}}}).fit([])


def test_an_image_that_is_flat_in_all_regions_is_named():
    flat = Case(np.full((6, 6, 6), 5.0), np.ones((6, 6, 6), bool), "flat", spacing_mm=(1, 1, 1))
    with pytest.raises(InputError, match="All regions are flat in the image 'gradient': no bin width"):
        suggest_bin_width([flat], RadiomicsExtractor(image_types=["Gradient"]))
