"""What is measured of each image, and the warnings of regions without texture."""

import warnings

import numpy as np
import pytest

from radiodeep import Case, RadiomicsExtractor, make_phantom_cohort
from radiodeep.exceptions import InputError, NonFiniteIntensityError, RadiodeepWarning
from radiodeep.features.radiomics.settings import RadiomicsSettings
from radiodeep.handcrafted.catalogue import FUNCTION_OF, REACH_MM
from radiodeep.handcrafted.measurement import region_features

COHORT = make_phantom_cohort(8, random_state=2)


def test_one_grey_level_is_a_warning_with_the_way_out():
    flat = COHORT[0].replace(image=COHORT[0].image / 1000)
    with pytest.warns(RadiodeepWarning, match=r"phantom-000: all intensities .* one grey level.*bin_count=32"):
        RadiomicsExtractor(bin_width=25).transform([flat.replace(image=np.abs(flat.image))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RadiomicsExtractor(bin_count=32).transform([flat])


def test_few_grey_levels_are_warned_of_where_the_user_calls():
    image = np.where(COHORT[0].roi, COHORT[0].image % 40, 0) + 10.0
    with pytest.warns(
        RadiodeepWarning, match=r"^phantom-000: all intensities \(1.* to .*\) .* two grey levels"
    ) as caught:
        RadiomicsExtractor(bin_width=25).transform([COHORT[0].replace(image=image)])
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RadiomicsExtractor(bin_count=2).transform([COHORT[0].replace(image=image)])


def test_derived_images_of_one_grey_level_are_listed():
    flat = COHORT[0].replace(image=COHORT[0].image / 1000 + 12)
    types = ["Original", "Square", "Gradient"]
    with pytest.warns(RadiodeepWarning, match="fall into one grey level; so do the images square, gradient, so that"):
        RadiomicsExtractor(image_types=types).transform([flat])
    types = {"Original": {"bin_count": 8}, "Square": {}, "Gradient": {}}
    with pytest.warns(
        RadiodeepWarning, match="all intensities of the images square, gradient fall into one grey level"
    ):
        RadiomicsExtractor(image_types=types).transform([flat])


def test_an_error_in_a_derived_image_names_it():
    image = np.random.default_rng(0).normal(0, 50, (12, 20, 20))
    image[0] = np.nan  # outside the region, but within reach of the filter
    mask = np.zeros(image.shape, bool)
    mask[4:8, 5:15, 5:15] = True
    case = Case(image, mask, "torn", spacing_mm=(3, 1, 1))
    assert np.isfinite(RadiomicsExtractor().transform([case])).all()
    with pytest.raises(NonFiniteIntensityError, match="torn: in the derived image 'log-sigma-2-0-mm-3D'"):
        RadiomicsExtractor(image_types={"LoG": {"sigma": [2.0]}}).transform([case])


def test_shape_comes_once_and_does_not_depend_on_the_order_of_image_types():
    case = COHORT[0]
    plain = RadiomicsExtractor(families=["shape", "glcm"]).transform([case])[0]
    both = RadiomicsExtractor(families=["shape", "glcm"], image_types=["Square", "Original"])
    values = dict(zip(both.get_feature_names_out(), both.transform([case])[0], strict=True))
    assert sum("_shape_" in name for name in values) == 14
    names = RadiomicsExtractor(families=["shape", "glcm"]).get_feature_names_out()
    np.testing.assert_array_equal([values[name] for name in names], plain)


def test_an_image_type_may_have_bins_of_its_own():
    case = COHORT[0]
    mixed = RadiomicsExtractor(families=["glcm"], image_types={"Original": {}, "Square": {"bin_width": 2.0}})
    alone = RadiomicsExtractor(families=["glcm"], image_types=["Square"], bin_width=2.0)
    np.testing.assert_array_equal(mixed.transform([case])[0][24:], alone.transform([case])[0])
    with pytest.raises(InputError, match="'bin_width' parameter of the image type Square must be a float > 0"):
        RadiomicsExtractor(image_types={"Square": {"bin_width": 0}}).fit([case])


def test_families_with_a_reach_get_the_image_that_far_about_the_region(monkeypatch):
    boxes = []

    def look(image, mask, spacing_mm):
        boxes.append((image.copy(), mask, tuple(spacing_mm)))
        return np.zeros(5)

    monkeypatch.setitem(REACH_MM, "ngtdm", 2.5)
    monkeypatch.setitem(FUNCTION_OF, "ngtdm", look)
    image = np.random.default_rng(0).normal(0, 50, (12, 20, 20))
    mask = np.zeros(image.shape, bool)
    mask[4:8, 5:15, 1:12] = True
    case = Case(image, mask, "a", spacing_mm=(3, 1, 1))
    plain = RadiomicsExtractor(families=["glcm"], image_types=["Original", "Square"]).transform([case])
    both = RadiomicsExtractor(families=["shape", "glcm", "ngtdm"], image_types=["Original", "Square"])
    names = both.get_feature_names_out()
    np.testing.assert_array_equal(both.transform([case])[0, ["_glcm_" in name for name in names]], plain[0])
    box = (slice(3, 9), slice(2, 18), slice(0, 15))  # cut at the border of the image
    (original, roi, spacing_mm), (square, *_) = boxes[-2:]  # before that, the loops were compiled
    np.testing.assert_array_equal(original, image[box])
    np.testing.assert_array_equal(roi, mask[box])
    assert square.shape == original.shape
    assert spacing_mm == (3, 1, 1)


def test_families_of_slices_look_at_the_plane_of_acquisition():
    image = np.random.default_rng(0).normal(0, 50, (12, 14, 9))
    mask = np.ones(image.shape, bool)
    families = ["laws", "laws2D", "lbp2D", "lbp3D"]
    for spacing_mm, settings, axis in [
        ((1, 1, 4), {}, 2),
        ((4, 1, 1), {"force_2d": True}, 0),  # which leaves those of space as they are
        ((1, 1, 4), {"force_2d_dimension": 1}, 1),
    ]:
        case = Case(image, mask, "a", spacing_mm=spacing_mm)
        values = RadiomicsExtractor(families=families, **settings).transform([case])[0]
        expected = region_features(image, mask, spacing_mm, families=families, slice_axis=axis)
        np.testing.assert_array_equal(values, expected)


def test_equal_parameters_share_their_settings_and_changed_ones_do_not():
    widths = {"Original": {"bin_width": 10.0}}
    extractor = RadiomicsExtractor(image_types=widths)
    settings = RadiomicsSettings.of(extractor)
    assert RadiomicsSettings.of(RadiomicsExtractor(image_types={"Original": {"bin_width": 10.0}})) is settings
    widths["Original"]["bin_width"] = 20.0  # a dict of the user, changed in place
    assert [RadiomicsSettings.of(extractor).types[0].texture, settings.types[0].texture] == [
        {"bin_width": 20.0},
        {"bin_width": 10.0},
    ]
