"""What the names of the IBSI tell, and how settings under its convention are told."""

import pytest

from radiodeep import RadiomicsExtractor
from radiodeep.handcrafted.ibsi.catalogue import AGGREGATIONS, FAMILY_IDS, IBSI_FEATURES, ibsi_columns
from radiodeep.report.facts_of_extraction import extraction_facts
from radiodeep.report.feature_meaning import HANDCRAFTED, OTHER, feature_meaning, standard_feature
from radiodeep.report.feature_units import feature_code, feature_unit
from radiodeep.report.ibsi_words import AGGREGATION_WORDS, IBSI_FAMILY_WORDS, IBSI_WORDS


def test_every_feature_family_and_aggregation_of_the_ibsi_has_words():
    assert set(IBSI_WORDS) == {feature.ibsi_id for feature in IBSI_FEATURES}
    assert set(IBSI_FAMILY_WORDS) == set(FAMILY_IDS)
    columns = ibsi_columns(aggregations=tuple(AGGREGATIONS))
    assert set(AGGREGATION_WORDS) == {column.aggregation_id for column in columns} - {None}
    for column in columns:
        meaning = feature_meaning(f"PET_laws_L5E5E5_energy-7_{column.tag}")
        assert (meaning.kind, meaning.family, meaning.ibsi_id) == (
            HANDCRAFTED,
            column.feature.family,
            column.feature.ibsi_id,
        )
        assert meaning.words.endswith(f": {IBSI_WORDS[column.feature.ibsi_id]})")
        assert meaning.image == "edges, spots, waves and ripples (Laws' filter)"


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("original_stat_mean", "the image itself"),
        ("log_sigma-3mm_stat_mean", "blobs and edges of one size (Laplacian of Gaussian)"),
        ("wavelet_db3_LLH_level-1_stat_mean", "details of one scale and direction (wavelet)"),
        ("riesz-1-0-0_log_sigma-3mm_stat_mean", "direction of edges (Riesz transform)"),
        ("gabor_sigma-5mm_wavelength-2mm_3D_stat_mean", "stripes of one width (Gabor filter)"),
        ("mean_support-5_stat_mean", "the image, blurred (mean filter)"),
        ("simoncelli_level-1_stat_mean", "details of one scale (Simoncelli wavelet)"),
    ],
)
def test_filters_of_the_ibsi_are_described(name, image):
    assert feature_meaning(name).image == image


@pytest.mark.parametrize("name", ["stat_7", "cm_height", "age", "my_morph_volumes", "cm_contrast_4D"])
def test_other_columns_are_no_features_of_the_ibsi(name):
    assert standard_feature(name) is None
    assert feature_meaning(name).kind == OTHER


def test_features_of_pyradiomics_have_the_words_of_the_same_definition():
    words = feature_meaning("original_glcm_Autocorrelation").words
    assert words == f"texture: which gray levels lie next to each other ({IBSI_WORDS['QWB0']})"


@pytest.mark.parametrize(
    ("tag", "code", "unit"),
    [
        ("morph_volume", "RNU0", "mm3"),
        ("morph_area_mesh", "C0JK", "mm2"),
        ("morph_av", "2PR5", "/mm"),
        ("morph_diam", "L0JK", "mm"),
        ("morph_moran_i", "N365", "1"),
        ("morph_integ_int", "99N0", "[hnsf'U].mm3"),
        ("loc_peak_glob", "0F91", "[hnsf'U]"),
        ("stat_var", "ECT3", "[hnsf'U]2"),
        ("stat_kurt", "IPH6", "1"),
        ("ih_mean", "X6K6", "1"),
        ("ivh_i10", "GBPN", "[hnsf'U]"),
        ("ivh_v10", "BC2M", "1"),
        ("cm_contrast_3D_comb", "ACUI", "1"),
    ],
)
def test_units_and_codes(tag, code, unit):
    assert feature_code(f"T1_original_{tag}") == ((code, "IBSI", tag), "T1_original")
    assert feature_unit(f"T1_original_{tag}", "HU")[0] == unit


def test_numbers_of_bins_have_no_unit():
    assert feature_unit("original_ivh_i10", "SUV")[0] == "1"
    assert feature_unit("mean_support-3_ivh_i10", "HU")[0] == "1"


@pytest.mark.parametrize(
    ("parameters", "name", "intensity_unit", "unit"),
    [
        ({"ivh_bin_count": 1000}, "original_ivh_i10", "HU", "1"),
        ({"ivh_bin_count": 1000}, "original_ivh_diff_i10_i90", "HU", "1"),
        ({"ivh_bin_width": 0.1}, "original_ivh_i90", "SUV", "g/ml{SUVbw}"),
        ({"ivh_bin_width": 2.5}, "mean_support-3_ivh_i90", "HU", "[hnsf'U]"),
        ({}, "original_ivh_i90", "HU", "[hnsf'U]"),
        ({"image_types": {"Original": {"ivh_bin_count": 9}, "mean": {"support": 3}}}, "original_ivh_i10", "HU", "1"),
        ({"image_types": {"mean": {"support": 3, "ivh_bin_count": 9}}}, "original_ivh_i10", "HU", "[hnsf'U]"),
        ({"ivh_bin_count": 1000}, "original_stat_mean", "HU", "[hnsf'U]"),
    ],
)
def test_settings_tell_whether_volume_histograms_count_intensities_or_bins(parameters, name, intensity_unit, unit):
    settings = [{"extractor": "x"}, RadiomicsExtractor(convention="ibsi", **parameters).settings()]
    assert feature_unit(name, intensity_unit, settings)[0] == unit


def _facts(**parameters):
    extractor = RadiomicsExtractor(convention="ibsi", **parameters)
    return {name: fact.text for name, fact in extraction_facts([extractor.settings()], True).items() if fact}


def test_steps_are_told_as_the_convention_takes_them():
    facts = _facts(resample_mm=2, resegment_range=(-500, 400), resegment_outliers=3, bin_width=25)
    assert "The centre of the new grid was aligned with that of the image" in facts["interpolation_grid"]
    assert "No centre of a new voxel lies outside" in facts["extrapolation"]
    assert "whole numbers were rounded" in facts["rounding"]
    assert "by linear interpolation" in facts["mask_interpolation"]
    assert "is at least 0.5" in facts["partial_voxels"]
    assert (
        "within -500 to 400 (image units) were measured, and of these no voxels further than 3"
        in facts["resegmentation"]
    )
    assert "The first bin begins at -500" in facts["first_bin"]
    assert "of one matrix, merged over directions in space" in facts["texture_aggregation"]
    assert "in all directions of the image" in facts["dimensions"]
    assert facts["ibsi"].startswith("All 174 features follow the definitions of the IBSI reference manual")
    assert "morphology (29)" in facts["families"]
    assert "GLDM (NGLDM)" in facts["gldm_distance"]


def test_slices_and_outliers_alone_are_told():
    facts = _facts(aggregation=["2D_averaged", "2.5D_merged"], resegment_outliers=2.5, bin_count=16)
    assert "slice by slice" in facts["dimensions"]
    assert "of each direction and slice, averaged, and of one matrix" in facts["texture_aggregation"]
    assert "further than 2.5 standard deviations from the mean of the region were left out" in facts["resegmentation"]
    assert "The first bin begins at the lowest intensity of each region" in facts["first_bin"]
