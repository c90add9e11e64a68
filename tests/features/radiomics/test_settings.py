"""The table of parameters: what is refused, what pyradiomics calls it, and what saved extractors lack."""

import json
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from radiodeep import RadiomicsExtractor, make_phantom_cohort
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.settings import SETTINGS, RadiomicsSettings

# One value that each parameter of pyradiomics may have, other than the default.
OTHERS = {
    "bin_width": 3.0,
    "bin_count": 9,
    "force_2d": True,
    "force_2d_dimension": 2,
    "distances": (1, 3),
    "symmetrical_glcm": False,
    "weighting_norm": "manhattan",
    "gldm_alpha": 2,
    "voxel_array_shift": 7.0,
    "normalize": True,
    "normalize_scale": 5.0,
    "remove_outliers": 2.0,
    "resample_mm": (3.0, 2.0, 1.0),
    "interpolator": "linear",
    "pre_crop": True,
    "pad_distance": 1,
    "resegment_range": (1.0, 2.0),
    "resegment_mode": "sigma",
    "resegment_shape": True,
    "label": 4,
    "minimum_roi_dimensions": 1,
    "minimum_roi_size": 6,
}


def test_the_table_has_the_parameters_of_the_constructor():
    parameters = RadiomicsExtractor().get_params()
    assert {row.name for row in fields(RadiomicsSettings)} | {"image"} == {*parameters, "n_dimensions"}
    assert set(SETTINGS) == set(parameters) - {"families", "image_types", "image"}


def test_settings_are_frozen():
    settings = RadiomicsSettings.of(RadiomicsExtractor())
    with pytest.raises(FrozenInstanceError, match="bin_width"):
        settings.bin_width = 1


@pytest.mark.parametrize("name", SETTINGS)
def test_every_parameter_refuses_what_it_cannot_be(name):
    wrong = object()
    with pytest.raises(InputError, match=f"^The '{name}' parameter of RadiomicsExtractor must be .* Got <object"):
        RadiomicsExtractor(**{name: wrong}).fit([])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bin_width": -1}, "'bin_width' parameter of RadiomicsExtractor must be a float > 0. Got -1"),
        ({"bin_width": None}, "'bin_width' parameter of RadiomicsExtractor must be a float > 0. Got None"),
        ({"bin_count": 2.5}, "'bin_count' parameter .* must be None or an int >= 1"),
        ({"families": ["glrlmm", "shape"]}, r"'families' parameter of .* Did you mean 'glrlm'\?$"),
        ({"families": ["GLCM"]}, r"Got \['GLCM'\] instead. Did you mean 'glcm'\?$"),
        ({"families": "glcm"}, r"Got 'glcm' instead. Did you mean \['glcm'\]\?$"),
        ({"families": 5}, "or a dict from them to lists of names. Got 5 instead.$"),
        ({"families": []}, r"or a dict from them to lists of names. Got \[\] instead.$"),
        ({"families": ["zzz"]}, r"Got \['zzz'\] instead.$"),
        ({"families": {"glcm": ["Kontrast"]}}, "do not exist: glcm_Kontrast.* Did you mean 'glcm_Contrast'"),
        ({"image_types": ["wavelet", "Original"]}, "'image_types' parameter .* Did you mean 'Wavelet'"),
        ({"image_types": "LOG"}, r"'image_types' parameter .* Did you mean \['LoG'\]"),
        ({"image_types": []}, r"'image_types' parameter .* Got \[\] instead.$"),
        ({"image_types": {"LoG": [2.0]}}, r"'image_types\[\"LoG\"\]' parameter .* a dict from names .* Got \[2.0\]"),
        ({"image_types": {"LoG": {"sigma": [2.0], 1: 2}}}, r"'image_types\[\"LoG\"\]' parameter .* a dict from names"),
        (
            {"image_types": {"Original": {"distances": [30]}}},
            "'distances' parameter of the image type Original",
        ),
        (
            {"image_types": {"Original": {"bin_width": None}}},
            "'bin_width' parameter of the image type Original .* None",
        ),
        (
            {"bin_width": None, "bin_count": 8, "image_types": {"Square": {"bin_count": None}}},
            "'bin_width' parameter of the image type Square must be a float > 0. Got None",
        ),
        ({"image_types": {"Original": {"distances": None}}}, "'distances' parameter of the image type Original"),
        ({"axes": "lps"}, "'axes' parameter of RadiomicsExtractor must be one of anatomical, stored. Got 'lps'"),
        ({"normalize_over": "lung"}, "'normalize_over' parameter .* one of image, percentiles, body, ring, region"),
        ({"ring_mm": 0}, "'ring_mm' parameter .* must be a float > 0"),
        ({"anti_alias": 1}, "'anti_alias' parameter .* must be True or False"),
        (
            {"resample_grid": "regions"},
            r"'resample_grid' .* None or one of corner, region, center. .* mean 'region'\?$",
        ),
        ({"force_2d_dimension": 3}, "'force_2d_dimension' parameter .* must be None, 0, 1 or 2"),
        ({"engine": "mirp"}, "'engine' parameter of RadiomicsExtractor must be one of radiodeep, pyradiomics"),
        ({"resegment_range": []}, "'resegment_range' parameter .* None or a sequence of one or two floats"),
        ({"resegment_range": [1, 2, 3]}, "'resegment_range' parameter .* None or a sequence of one or two floats"),
        ({"resample_mm": (1, 2)}, "'resample_mm' parameter .* must be None, a float >= 0, or three"),
        ({"distances": (0,)}, "'distances' parameter .* ints from 1 to 20"),
        ({"distances": (21,)}, "'distances' parameter .* ints from 1 to 20"),
        ({"minimum_roi_dimensions": 4}, "'minimum_roi_dimensions' parameter .* must be 1, 2 or 3"),
    ],
)
def test_a_parameter_out_of_range_is_an_error_with_the_way_out(changes, message):
    with pytest.raises(InputError, match=message):
        RadiomicsExtractor(**changes).fit([])


def test_a_bin_width_may_be_none_where_bins_are_counted():
    settings = RadiomicsSettings.of(RadiomicsExtractor(bin_width=None, bin_count=8))
    assert settings.texture_settings()["bin_count"] == 8


def test_an_image_type_may_have_a_width_where_the_others_count_bins():
    types = {"Original": {}, "Square": {"bin_count": None, "bin_width": 3.0}}
    settings = RadiomicsSettings.of(RadiomicsExtractor(bin_width=None, bin_count=8, image_types=types))
    texture = settings.texture_settings(settings.types[1], "square")
    assert (texture["bin_count"], texture["bin_width"]) == (None, 3.0)


def test_every_setting_of_pyradiomics_is_read_as_it_is_written():
    keyed = {name: setting for name, setting in SETTINGS.items() if setting.key}
    assert set(keyed) == set(OTHERS)
    for name, setting in keyed.items():
        assert setting.allows(OTHERS[name])
        assert setting.read(setting.write(OTHERS[name])) == OTHERS[name]


def test_an_image_type_takes_its_own_settings_and_else_those_of_the_extractor():
    types = {"Original": {"bin_width": {"original": 4.0}}, "Square": {"gldm_alpha": 3, "scale_by": "region"}}
    settings = RadiomicsSettings.of(RadiomicsExtractor(image_types=types, distances=(2,)))
    original, square = settings.types
    assert settings.texture_settings(original, "original")["bin_width"] == 4.0
    of_square = settings.texture_settings(square, "square")
    assert (of_square["bin_width"], of_square["gldm_alpha"], of_square["distances"]) == (25.0, 3, (2,))
    assert square.filters == {"scale_by": "region"}


def test_columns_are_shape_and_then_all_else_by_image():
    families = {"glcm": ["MCC", "Contrast"], "shape": ["Flatness"]}
    settings = RadiomicsSettings.of(RadiomicsExtractor(families=families, image_types=["Square", "Original"]))
    assert [column.title for column in settings.columns] == [
        "original_shape_Flatness",
        "square_glcm_Contrast",
        "square_glcm_MCC",
        "original_glcm_Contrast",
        "original_glcm_MCC",
    ]


def test_an_extractor_saved_before_computes_as_it_did(lesion, tmp_path, stored_as):
    extractor = RadiomicsExtractor(families=["shape", "glcm"], force_2d_dimension=0, axes="stored")
    cases = make_phantom_cohort(2, random_state=0)
    extractor.fit_transform(cases)
    new = {"axes", "normalize_over", "ring_mm", "anti_alias", "resample_grid"}
    new |= {"convention", "aggregation", "resegment_outliers", "ivh_bin_width", "ivh_bin_count"}
    state = {name: value for name, value in extractor.__getstate__().items() if name not in new}
    trained = json.loads(state["training_settings_"])
    state["training_settings_"] = json.dumps({name: value for name, value in trained.items() if name not in new})
    restored = RadiomicsExtractor.__new__(RadiomicsExtractor)
    restored.__setstate__(state)
    assert restored.get_params() == extractor.get_params()
    restored.check_training_settings()
    sagittal = stored_as(lesion, "SRP", tmp_path)
    np.testing.assert_array_equal(restored.transform([sagittal]), extractor.transform([sagittal]))
