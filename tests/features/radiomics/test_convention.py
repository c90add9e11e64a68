"""`convention="ibsi"` of the extractor: defaults, what is refused, images of several kinds, and models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep import Case, RadiomicsExtractor
from radiodeep.exceptions import FeatureSchemaError, InputError, RadiodeepWarning, RoiTooSmallError
from radiodeep.features.radiomics.settings import RadiomicsSettings
from radiodeep.handcrafted.ibsi.catalogue import AGGREGATIONS, ibsi_columns
from radiodeep.imaging.ibsi_filters import response_map


def standard(**parameters):
    return RadiomicsExtractor(convention="ibsi", **{"bin_count": 16, **parameters})


@pytest.fixture(scope="module")
def cohort():
    return rd.make_phantom_cohort(6, random_state=0)


@pytest.fixture(scope="module")
def slices():
    generator = np.random.default_rng(0)
    mask = np.zeros((1, 30, 30), bool)
    mask[:, 8:22, 6:20] = True
    images = [generator.integers(0, 200, mask.shape) for _ in range(3)]
    return [Case(image, mask, f"slice-{k}", spacing_mm=(1, 1, 1)) for k, image in enumerate(images)]


def test_the_defaults_are_those_of_the_convention():
    own = RadiomicsExtractor().settings()
    assert (own["convention"], own["resample_grid"]) == ("pyradiomics", "corner")
    assert "aggregation" not in own
    assert "resegment_outliers" not in own
    settings = standard().settings()
    assert (settings["convention"], settings["resample_grid"]) == ("ibsi", "center")
    assert settings["aggregation"] == ["3D_merged"]
    assert settings["families"] == [column.tag for column in ibsi_columns()]
    assert standard(resample_grid="corner").settings()["resample_grid"] == "corner"


def test_parameters_are_kept_as_they_are_given():
    extractor = standard(aggregation=("3D_merged", "2D_averaged"), resegment_outliers=3)
    assert clone(extractor).get_params() == extractor.get_params()
    assert extractor.get_params()["resample_grid"] is None
    assert repr(RadiomicsExtractor(convention="ibsi")) == "RadiomicsExtractor(convention='ibsi')"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"convention": "IBSI"},
            "'convention' parameter .* one of pyradiomics, ibsi. Got 'IBSI' .* mean 'ibsi'",
        ),
        ({"aggregation": "3D"}, "'aggregation' parameter .* or a sequence of them. Got '3D'"),
        ({"aggregation": ["3D_merged"] * 2}, "'aggregation' parameter"),
        ({"resegment_outliers": 0}, "'resegment_outliers' parameter .* None or a float > 0"),
        ({"ivh_bin_count": 1}, "'ivh_bin_count' parameter .* None or an int >= 2"),
        ({"ivh_bin_count": 9, "ivh_bin_width": 1.0}, "'ivh_bin_width' and 'ivh_bin_count' .* exclude each other"),
        (
            {"force_2d": True},
            "The IBSI has no force_2d=True. Use force_2d=False; aggregation='2.5D_merged' looks",
        ),
        (
            {"distances": [1, 2]},
            r"The IBSI has no distances=\(1, 2\). Use distances=\(1,\), or convention='pyr",
        ),
        ({"symmetrical_glcm": False}, "The IBSI has no symmetrical_glcm=False"),
        (
            {"weighting_norm": "euclidean"},
            "has no weighting_norm='euclidean'. Use weighting_norm=None; aggregation",
        ),
        ({"gldm_alpha": 1}, "The IBSI has no gldm_alpha=1"),
        ({"voxel_array_shift": 2.0}, "The IBSI has no voxel_array_shift=2.0"),
        (
            {"resegment_mode": "sigma"},
            "no resegment_mode='sigma'. Use .*; resegment_outliers takes standard",
        ),
        ({"resegment_shape": True}, "no resegment_shape=True. Use resegment_shape=False; morphology keeps the outline"),
        ({"engine": "pyradiomics"}, "The IBSI has no engine='pyradiomics'"),
        ({"families": ["firstorder"]}, "'families' parameter .* sequence of morphology, local_intensity, "),
        ({"families": {"glcm": ["Contrast"]}}, "name.* do not exist: Contrast. ibsi_columns.. of .* lists them all"),
        ({"image_types": ["Wavelet"]}, "'image_types' parameter .* sequence or dict of Original, mean, laplacian_of"),
        ({"image_types": {"mean": {"support": 3, "gldm_alpha": 2}}}, "no gldm_alpha=2 of the image type mean"),
    ],
)
def test_what_the_standard_does_not_have_is_refused_with_the_way_out(changes, message):
    with pytest.raises(InputError, match=message):
        RadiomicsExtractor(**{"convention": "ibsi", **changes}).fit([])


@pytest.mark.parametrize(
    "changes",
    [
        {"aggregation": "3D_merged"},
        {"resegment_outliers": 3},
        {"ivh_bin_width": 1.0},
        {"image_types": {"Original": {"ivh_bin_count": 9}}},
    ],
)
def test_parameters_of_the_standard_are_refused_without_it(changes):
    name = "ivh_bin_count" if "image_types" in changes else next(iter(changes))
    with pytest.raises(InputError, match=f"'{name}' belongs to the IBSI's definitions, but convention='pyradiomics'"):
        RadiomicsExtractor(**changes).fit([])


def test_families_choose_single_features_with_or_without_their_aggregation(cohort):
    families = {"glcm": ["cm_contrast"], "glszm": ["szm_sze_3D"], "intensity_statistics": ["stat_mean", "stat_kurt"]}
    extractor = standard(families=families, aggregation=["3D_merged", "2.5D_merged"])
    names = ["stat_mean", "stat_kurt", "cm_contrast_3D_comb", "cm_contrast_2_5D_comb", "szm_sze_3D"]
    assert extractor.get_feature_names_out().tolist() == [f"original_{name}" for name in names]
    whole = standard(aggregation=["3D_merged", "2.5D_merged"])
    table = pd.DataFrame(whole.transform(cohort[:2]), columns=whole.get_feature_names_out())
    np.testing.assert_array_equal(extractor.transform(cohort[:2]), table[extractor.get_feature_names_out()])


def test_images_of_one_slice_have_no_morphology_and_merge_within_the_slice(slices):
    extractor = standard()
    with pytest.warns(RadiodeepWarning, match=r"the shape in space \(family 'morphology'\) is left out. .* families="):
        rows = extractor.fit_transform(slices)
    names = extractor.get_feature_names_out()
    assert rows.shape == (3, 145)
    assert np.isfinite(rows).all()
    assert names[-1] == "original_ngl_dc_energy_2_5D"
    assert extractor.settings()["aggregation"] == ["2.5D_merged"]


def test_neighbours_in_space_are_refused_in_images_of_one_slice(slices, cohort):
    families = ["glcm"]
    message = "3D_merged'.* looks at neighbours in space, but the images have one slice. Use .*2.5D_merged"
    with pytest.raises(InputError, match=message):
        standard(aggregation="3D_merged", families=families).transform(slices)
    with pytest.raises(InputError, match=message), pytest.warns(RadiodeepWarning, match="has one slice"):
        standard(aggregation=["2.5D_merged", "3D_merged"]).fit(slices)
    assert standard(families=families).fit(slices).settings()["aggregation"] == ["2.5D_merged"]
    with pytest.raises(InputError, match="has 2 dimensions, but .* decided for aggregation='3D_merged', has 3. Split"):
        standard(families=families).fit(cohort).transform(slices)
    assert standard(families=families, aggregation="2.5D_merged").fit(cohort).transform(slices).shape == (3, 25)


def test_whole_numbers_stored_as_floats_are_rounded_too(cohort):
    case = cohort[0].in_memory()
    shared = {"families": ["intensity_statistics", "intensity_volume_histogram"], "resample_mm": 1.3}
    shared["interpolator"] = "linear"
    integers = np.asarray(case.image).astype(np.int16)
    rows = [
        standard(**shared).transform([case.replace(image=image)])[0]
        for image in (integers, integers.astype(np.float32), integers + 0.25)
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert rows[0][5] == int(rows[0][5])  # the minimum
    assert rows[2][5] != int(rows[2][5])


def test_outliers_are_those_of_the_whole_region_also_with_a_range(cohort):
    case = cohort[0].in_memory()
    image = np.asarray(case.image).astype(float)
    mask = np.asarray(case.mask) > 0
    values = image[mask]
    low, high = np.percentile(values, [20, 95])
    kept = values[(values >= low) & (values <= high) & (abs(values - values.mean()) <= 1.5 * values.std())]
    extractor = standard(families=["intensity_statistics"], resegment_range=(low, high), resegment_outliers=1.5)
    row = pd.Series(extractor.transform([case])[0], extractor.get_feature_names_out())
    assert row["original_stat_mean"] == pytest.approx(kept.mean())
    assert row["original_stat_max"] == kept.max()
    array = standard(families=["intensity_statistics"], resegment_range=np.array([low, high]), resegment_outliers=1.5)
    np.testing.assert_array_equal(array.transform([case])[0], row)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"resegment_outliers": 1e-9}, "leaves 0 of .* so widen resegment_outliers"),
        ({"resegment_outliers": 0.5, "resegment_range": (-1000, 3)}, "leaves 0 of .* widen resegment_range or rese"),
    ],
)
def test_a_region_without_voxels_left_names_what_to_widen(parameters, message):
    image = np.arange(30.0).reshape(1, 5, 6)
    case = Case(image, np.ones(image.shape, bool), "levels", spacing_mm=(1, 1, 1))
    extractor = standard(families=["intensity_statistics"], **parameters)
    with pytest.raises(RoiTooSmallError, match=message):
        extractor.transform([case])


def test_response_maps_have_all_families_but_morphology_and_their_own_bins(cohort):
    types = {"Original": {}, "laplacian_of_gaussian": {"sigma_mm": 3.0, "bin_count": 8}}
    extractor = standard(image_types=types)
    names = extractor.get_feature_names_out()
    assert len(names) == 174 + 145
    case = cohort[0].in_memory()
    with pytest.warns(RadiodeepWarning, match="laplacian_of_gaussian counts in voxels"):  # of 2 x 1 x 1 mm
        row = pd.Series(extractor.transform(cohort[:1])[0], names)
    with pytest.warns(RadiodeepWarning, match="laplacian_of_gaussian counts in voxels"):
        response = response_map(case.image, case.spacing_mm, "laplacian_of_gaussian", {"sigma_mm": 3.0})
    assert row["log_sigma-3mm_stat_mean"] == pytest.approx(response[case.mask > 0].mean())
    assert (row["original_ih_max"], row["log_sigma-3mm_ih_max"]) == (16, 8)
    assert np.isfinite(row).all()


def test_filters_see_the_image_beyond_the_resampled_box_unless_it_is_cropped(cohort):
    shared = {"image_types": {"mean": {"support": 41}}, "families": ["intensity_statistics"], "resample_mm": 1}
    whole, cropped = (
        standard(pre_crop=crop, pad_distance=2, **shared).transform(cohort[:1])[0] for crop in (False, True)
    )
    assert abs(whole[0] - cropped[0]) > 1e-3


def test_morphology_is_measured_without_the_original_image_among_the_types(cohort):
    extractor = standard(families=["morphology", "glcm"], image_types={"mean": {"support": 3}})
    names = extractor.get_feature_names_out()
    assert names[[0, -1]].tolist() == ["original_morph_volume", "mean_support-3_cm_info_corr2_3D_comb"]
    both = standard(families=["morphology"]).transform(cohort[:2])
    with pytest.warns(RadiodeepWarning, match="mean counts in voxels"):
        np.testing.assert_array_equal(extractor.transform(cohort[:2])[:, :29], both)


def test_each_image_of_a_case_has_its_own_morphology_and_ids(cohort):
    cases = [
        Case(
            {"T1": case.image, "T2": case.image[::-1].copy()},
            case.mask,
            case.id,
            spacing_mm=case.spacing_mm,
        )
        for case in (cohort[0].in_memory(), cohort[1].in_memory())
    ]
    extractor = standard(families=["morphology", "glcm"])
    table = rd.extract_table(extractor, cases)
    assert table.columns[[0, -1]].tolist() == ["T1_original_morph_volume", "T2_original_cm_info_corr2_3D_comb"]
    np.testing.assert_array_equal(table["T1_original_morph_volume"], table["T2_original_morph_volume"])
    assert (table["T1_original_morph_com"] != table["T2_original_morph_com"]).all()
    ids = extractor.ibsi_ids()
    assert ids.index.tolist() == table.columns.tolist()
    assert ids["T2_original_cm_contrast_3D_comb"] == "ACUI:IAZD"


def test_a_region_of_one_grey_level_is_told(cohort):
    extractor = standard(bin_count=None, bin_width=1e5, families=["glcm"])
    message = "phantom-000: all intensities of the images original fall into one grey"
    with pytest.warns(RadiodeepWarning, match=message) as caught:
        row = extractor.transform(cohort[:1])
    assert np.isfinite(row).all()
    assert caught[0].filename == __file__


def test_rows_do_not_depend_on_processes_and_the_cache_keeps_conventions_apart(cohort, tmp_path):
    extractors = [standard(), standard(aggregation="3D_averaged"), RadiomicsExtractor(bin_count=16)]
    first = [rd.extract_table(each, cohort, cache_dir=tmp_path) for each in extractors]
    second = [rd.extract_table(each, cohort, n_jobs=2, cache_dir=tmp_path) for each in extractors]
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert [table.shape[1] for table in first] == [174, 174, 107]
    assert set(first[0]).isdisjoint(first[2])


def test_a_model_refuses_the_other_convention(cohort):
    labels = [0, 1] * 3
    model = make_pipeline(standard(families=["intensity_statistics"]), GaussianNB()).fit(cohort, labels)
    model[0].set_params(convention="pyradiomics", families=["firstorder"])
    with pytest.raises(FeatureSchemaError, match=r"convention='pyradiomics' \(was 'ibsi'\)"):
        rd.score_cohort(model, cohort)
    tables = {name: rd.extract_table(RadiomicsExtractor(convention=name), cohort) for name in ("ibsi", "pyradiomics")}
    with pytest.raises(ValueError, match="feature names should match"):
        GaussianNB().fit(tables["ibsi"], labels).predict(tables["pyradiomics"])


def test_a_bin_width_is_suggested_from_the_lowest_intensity(cohort):
    advice = rd.suggest_bin_width(cohort, standard(families=["intensity_statistics"]))
    extractor = RadiomicsExtractor(
        convention="ibsi", bin_width=advice.bin_width, families={"intensity_histogram": ["ih_max"]}
    )
    levels = extractor.transform(cohort)[:, 0]
    assert advice.table.loc[advice.bin_width, "highest"] == levels.max()
    assert advice.table.loc[advice.bin_width, "lowest"] == levels.min()


@pytest.mark.parametrize(
    ("parameters", "feature", "feature_id"),
    [
        ({}, "glcm_Contrast", "ACUI:ITBB"),
        ({"force_2d": True}, "glcm_Contrast", "ACUI:JJUI"),
        ({"weighting_norm": "no_weighting"}, "glrlm_ShortRunEmphasis", "22OV:IAZD"),
        ({"weighting_norm": "no_weighting", "force_2d": True}, "glcm_Contrast", "ACUI:ZW7Z"),
        ({"distances": (1, 2)}, "glcm_Contrast", "ACUI"),
        ({"symmetrical_glcm": False}, "glcm_Contrast", None),
        ({"image_types": {"Original": {"symmetrical_glcm": False}}}, "glcm_Contrast", None),
        ({}, "glszm_ZoneEntropy", "GU8N:KOBO"),
        ({"force_2d": True}, "gldm_DependenceEntropy", "FCBV:62GR"),
        ({}, "firstorder_Energy", "N8CA"),
        ({"voxel_array_shift": 1.0}, "firstorder_Energy", None),
        ({}, "firstorder_Kurtosis", None),
        ({}, "shape_Sphericity", "QCFX"),
        ({}, "glcm_MCC", None),
    ],
)
def test_ids_of_pyradiomics_are_those_of_the_standard_where_it_has_the_same(parameters, feature, feature_id):
    assert RadiomicsExtractor(**parameters).ibsi_ids()[f"original_{feature}"] == feature_id


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_every_column_of_the_standard_has_an_id(aggregation):
    ids = standard(aggregation=aggregation).ibsi_ids()
    assert ids.notna().all()
    assert ids.str.fullmatch("[0-9A-Z]{4}(:[0-9A-Z]{4})?").all()
    assert ids.str.contains(":").sum() == 95


@pytest.mark.parametrize(
    ("parameters", "needs", "n_bound"),
    [
        ({"bin_count": None}, {"spacing", "intensity"}, 142),
        ({}, {"spacing", "intensity"}, 24),
        ({"ivh_bin_count": 1000}, {"spacing"}, 17),
        ({"aggregation": "2.5D_merged", "ivh_bin_count": 1000}, {"spacing", "plane"}, 17),
        ({"image_types": {"simoncelli": {}}, "ivh_bin_count": 1000, "resample_mm": 1}, {"field"}, 17),
        ({"normalize": True, "normalize_over": "ring"}, {"spacing"}, 0),
    ],
)
def test_what_the_features_depend_on(parameters, needs, n_bound):
    extractor = standard(**parameters)
    assert extractor.acquisition_needs() == needs
    assert len(extractor.unit_bound_features()) == n_bound


def test_features_that_do_not_depend_on_the_unit_stay_the_same_in_another(cohort):
    case = cohort[0].in_memory()
    extractor = standard(ivh_bin_count=1000)
    image = np.asarray(case.image, float)
    once, twice = (extractor.transform([case.replace(image=factor * image)])[0] for factor in (1, 4))
    is_bound = np.isin(extractor.get_feature_names_out(), extractor.unit_bound_features())
    np.testing.assert_allclose(twice[~is_bound], once[~is_bound], rtol=1e-9)
    assert (abs(twice - once) > 1e-3 * abs(once))[is_bound].all()


def test_the_outline_does_not_depend_on_a_range_of_intensities(cohort):
    whole, cut = (standard(resegment_range=limits) for limits in (None, (0, 60)))
    rows = [extractor.transform(cohort[:1])[0] for extractor in (whole, cut)]
    names = whole.get_feature_names_out()
    changed = {name for name, *values in zip(names, *rows, strict=True) if values[0] != values[1]}
    morphology = {name for name in names if "_morph_" in name}
    assert morphology & changed == morphology & set(cut.unit_bound_features())


def test_bins_of_a_width_begin_at_the_lower_bound_of_the_range():
    image = np.arange(24).reshape(2, 3, 4) * 10
    case = Case(image, np.ones(image.shape, bool), "steps", spacing_mm=(1, 1, 1))
    for limits, first in (((-100,), 5), ((-100, 400), 5), ((400, -100), 5), (None, 1)):
        extractor = standard(families={"intensity_histogram": ["ih_min"]}, bin_count=None, resegment_range=limits)
        assert extractor.transform([case]).item() == first


def test_equal_settings_are_one_object_for_each_convention():
    assert RadiomicsSettings.of(standard()) is RadiomicsSettings.of(standard())
    assert RadiomicsSettings.of(standard()) is not RadiomicsSettings.of(RadiomicsExtractor(bin_count=16))


def test_pairs_of_all_voxels_are_summed_only_if_their_features_are_chosen(cohort, monkeypatch):
    whole = RadiomicsExtractor(convention="ibsi", families=["morphology"]).transform(cohort[:1])
    monkeypatch.setattr("radiodeep.handcrafted.ibsi.morphology.spatial_autocorrelation", lambda region: (7.0, 8.0))
    asked = RadiomicsExtractor(convention="ibsi", families={"morphology": ["morph_volume", "morph_geary_c"]})
    assert asked.transform(cohort[:1])[0, 1] == 8.0
    monkeypatch.delattr("radiodeep.handcrafted.ibsi.morphology.spatial_autocorrelation")
    names = RadiomicsExtractor(convention="ibsi", families=["morphology"]).get_feature_names_out()
    others = [name.removeprefix("original_") for name in names[:-2]]
    values = RadiomicsExtractor(convention="ibsi", families={"morphology": others}).transform(cohort[:1])
    assert values.tolist() == whole[:, :-2].tolist()
