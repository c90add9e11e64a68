"""Perturbed tables: a change of nothing is a perfect repeat, versions know what they may be compared with."""

import numpy as np
import pandas as pd
import pytest

from radiodeep import (
    Case,
    DeepFeatureExtractor,
    RadiomicsExtractor,
    StabilitySelector,
    extract_perturbed,
    extract_table,
    make_phantom_cohort,
)
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.imaging.perturbation import KINDS, perturb
from radiodeep.selection.stability import intraclass_correlations

COHORT = make_phantom_cohort(4, random_state=5)
NOTHING = [(kind, 0) for kind in KINDS]
SHAPE = RadiomicsExtractor(families=["shape"])
FAMILIES = ["firstorder", "glcm"]
OF_ALL_INTENSITIES = ["Original", "Square", "SquareRoot", "Logarithm", "Exponential"]
EXTRACTORS = {
    "default": RadiomicsExtractor(),
    "bin_count": RadiomicsExtractor(bin_count=32, families=FAMILIES),
    "normalize": RadiomicsExtractor(bin_width=5, normalize=True, remove_outliers=3, families=FAMILIES),
    "of all intensities": RadiomicsExtractor(families=FAMILIES, image_types=OF_ALL_INTENSITIES),
    "of neighbours": RadiomicsExtractor(
        bin_count=16,
        families=FAMILIES,
        image_types={"Wavelet": {}, "LoG": {"sigma": [5]}, "Gradient": {}, "LBP2D": {}},
    ),
    "spheres": RadiomicsExtractor(bin_count=16, families=["firstorder"], image_types=["LBP3D"]),
    "resample_mm": RadiomicsExtractor(families=FAMILIES, resample_mm=1.3),
    "normalize and resample_mm": RadiomicsExtractor(families=FAMILIES, normalize=True, resample_mm=2.3),
    "pre_crop": RadiomicsExtractor(families=FAMILIES, pre_crop=True, pad_distance=2, image_types=["Wavelet", "Square"]),
    "resegment_range": RadiomicsExtractor(
        families=["shape", *FAMILIES], resegment_range=[-1, 2], resegment_mode="sigma", resegment_shape=True
    ),
    "force_2d": RadiomicsExtractor(force_2d=True, families=FAMILIES),
    "exact": DeepFeatureExtractor("radiodeep-mini"),
    "crop": DeepFeatureExtractor("radiodeep-mini", window="crop", size=64),
    "orthogonal": DeepFeatureExtractor("radiodeep-mini", window="crop", size=40, slice="three-orthogonal"),
    "all": DeepFeatureExtractor("radiodeep-mini", slice="all", intensity_range=(-100, 300)),
}


@pytest.mark.parametrize("name", EXTRACTORS)
def test_a_change_of_nothing_is_a_perfect_repeat(name):
    extractor = EXTRACTORS[name]
    table = extract_table(extractor, COHORT)
    perturbed = extract_perturbed(extractor, COHORT, NOTHING)
    assert len(perturbed) == (len(KINDS) + 1) * len(COHORT)
    for version, rows in perturbed.groupby(level="perturbation"):
        np.testing.assert_array_equal(rows.to_numpy(), table.to_numpy(), err_msg=version)
    differs = table.nunique().to_numpy() > 1
    selector = StabilitySelector(perturbed.loc[:, differs]).fit(table.loc[:, differs])
    np.testing.assert_allclose(selector.intraclass_correlations_, 1, atol=1e-9)
    assert selector.get_support().all()


@pytest.mark.parametrize(("kind", "amount"), [("grow", 0.15), ("translate", 0.25), ("noise", 1.0)])
def test_the_whole_image_is_normalised_after_a_change_about_the_region(kind, amount):
    extractor = EXTRACTORS["normalize"]
    rng = np.random.default_rng(0)
    beyond = ((0, 0), (0, 0), (0, 60))
    wide = []
    for case in COHORT:
        image = np.pad(case.voxels, beyond, constant_values=-1000)
        image = image + rng.integers(-5, 6, image.shape).astype(np.int16)
        wide.append(case.replace(image=image, mask=np.pad(case.roi, beyond)))
    perturbed = extract_perturbed(extractor, wide, [(kind, amount)])
    expected = extract_table(extractor, [perturb(case, kind, amount) for case in wide])
    np.testing.assert_array_equal(perturbed.xs(f"{kind} {amount:g}", level="perturbation"), expected)
    means = perturbed["original_firstorder_Mean"].unstack("id").to_numpy()
    assert np.abs(np.diff(means, axis=0)).max() < 15  # a field cut to the margin moves them by 100 and more


def test_versions_name_the_one_that_went_through_the_same_interpolation():
    changes = [("shrink", 0.15), ("rotate", 5), ("translate", 0.75), ("noise", 1), ("translate", 0)]
    table = extract_perturbed(SHAPE, COHORT, changes)
    assert table.index.names == ["id", "perturbation", "reference"]
    assert table.loc[COHORT.ids[1]].index.tolist() == [
        ("original", "original"),
        ("shrink 0.15", "original"),
        ("translate 0.25", "translate 0.25"),
        ("rotate 5", "translate 0.25"),
        ("translate 0.75", "translate 0.25"),
        ("noise 1", "original"),
        ("translate 0", "original"),
    ]
    named = extract_perturbed(SHAPE, COHORT, [("translate", 0.75), ("translate", 0.25)]).loc[COHORT.ids[0]]
    assert named.index.get_level_values(0).tolist() == ["original", "translate 0.75", "translate 0.25"]
    assert set(extract_perturbed(SHAPE, COHORT, [("noise", 1)]).index.get_level_values("reference")) == {"original"}


def test_the_smoothing_of_the_interpolation_is_not_taken_for_a_lack_of_stability():
    # Of white noise, interpolation leaves 76 % of the variance, far less than by which these cases differ.
    rng = np.random.default_rng(0)
    roi = np.zeros((5, 40, 40), bool)
    roi[1:-1, 10:30, 10:30] = True
    cases = [Case(rng.normal(0, sd, roi.shape), roi, f"sd-{sd:.1f}", (1, 1, 1)) for sd in np.linspace(10, 13, 8)]
    variance = RadiomicsExtractor(bin_width=5, families={"firstorder": ["Variance"]})
    table = extract_table(variance, cases)
    perturbed = extract_perturbed(variance, cases, [("translate", 0.75), ("rotate", 5)])
    selector = StabilitySelector(perturbed).fit(table)
    assert list(selector.correlations_by_reference_) == ["translate 0.25"]
    assert selector.intraclass_correlations_[0] > 0.8
    moved = perturbed.xs("translate 0.75", level="perturbation")
    ids = [*table.index, *moved.index.get_level_values("id")]
    assert intraclass_correlations(np.vstack([table, moved]), ids)[0] < 0.4


def test_a_version_that_changes_no_voxel_is_missing_and_never_a_repeat(tmp_path):
    roi = np.zeros((9, 12, 12), bool)
    roi[2:7, 3:9, 3:9] = True
    cube = Case(np.zeros(roi.shape), roi, "cube", (1.5, 1, 1))  # an image without noise
    cases = [*COHORT[:2], cube]
    changes = [("noise", 1), ("shrink", 0.15)]
    text = "cube, 'noise 1': no voxel changes"
    with pytest.warns(RadiodeepWarning, match=f"Of 3 cases these versions are missing: 'noise 1' of 1.*{text}"):
        table = extract_perturbed(SHAPE, cases, changes)
    is_missing = table.isna().all(axis=1)
    assert table.index[is_missing].tolist() == [("cube", "noise 1", "original")]
    assert table[~is_missing].notna().all(axis=None)
    assert list(table.attrs["errors"]) == ["cube, noise 1"]
    assert table.attrs["errors"]["cube, noise 1"].startswith("PerturbationError: cube: 'noise 1': no voxel")
    assert table.columns.tolist() == SHAPE.get_feature_names_out().tolist()
    for options in ({"cache_dir": tmp_path}, {"cache_dir": tmp_path}):  # computed, read
        with pytest.warns(RadiodeepWarning, match=text):
            again = extract_perturbed(SHAPE, cases, changes, **options)
        pd.testing.assert_frame_equal(again, table)
        assert again.attrs == table.attrs


def test_regions_that_become_too_small_are_named_by_the_version():
    roi = np.zeros((6, 12, 12), bool)
    roi[3, 4:7, 5] = True
    line = Case(COHORT[0].voxels[:6, :12, :12], roi, "line", (1, 1, 1))
    texture = RadiomicsExtractor(bin_count=8, families=["glcm"], minimum_roi_dimensions=1, minimum_roi_size=2)
    with pytest.warns(RadiodeepWarning, match="'erode 3' of 1, 'shrink 0.4' of 1"):
        table = extract_perturbed(texture, [line], [("erode", 3), ("shrink", 0.4), ("noise", 1)])
    assert table.isna().all(axis=1).tolist() == [False, True, True, False]
    texts = table.attrs["errors"]
    assert texts["line, erode 3"] == "EmptyMaskError: line: 'erode 3': nothing of the region is left. Perturb by less."
    assert texts["line, shrink 0.4"].startswith("RoiTooSmallError: line: 'shrink 0.4': the region is too small")


def test_deep_features_without_one_version_are_those_of_the_others():
    flat = COHORT[0].replace(image=np.full(COHORT[0].voxels.shape, 3.0), id="flat")
    deep = DeepFeatureExtractor("radiodeep-mini")
    with pytest.warns(RadiodeepWarning) as caught:
        table = extract_perturbed(deep, [COHORT[0], flat], [("noise", 1)])
    assert any("'noise 1' of 1" in str(warning.message) for warning in caught)
    noisy = table.xs("noise 1", level="perturbation")
    assert noisy.isna().all(axis=1).tolist() == [False, True]
    expected = deep.transform([perturb(COHORT[0], "noise", 1)])
    np.testing.assert_allclose(noisy.to_numpy()[:1], expected, rtol=1e-5, atol=1e-6)


def test_the_row_of_the_original_is_shared_with_the_table(tmp_path, monkeypatch):
    extract_table(SHAPE, COHORT, cache_dir=tmp_path)
    measured = []
    transform = RadiomicsExtractor.transform

    def counted(extractor, cases):
        measured.append(len(cases))
        return transform(extractor, cases)

    monkeypatch.setattr(RadiomicsExtractor, "transform", counted)
    extract_perturbed(SHAPE, COHORT, [("grow", 0.15)], cache_dir=tmp_path)
    assert sum(measured) == len(COHORT)


def test_a_change_of_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="'kind' parameter of perturb must be one of grow, shrink, dilate"):
        extract_perturbed(SHAPE, COHORT, [("blur", 1)])


def test_rows_from_the_cache_are_those_of_the_case_under_any_id(tmp_path):
    firstorder = RadiomicsExtractor(families=["firstorder"])
    renamed = [case.replace(id=f"other {case.id}") for case in COHORT]
    changes = [("noise", 1), ("grow", 0.15)]
    extract_perturbed(firstorder, COHORT, changes, cache_dir=tmp_path)
    cached = extract_perturbed(firstorder, renamed, changes, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(cached, extract_perturbed(firstorder, renamed, changes))


def test_a_region_that_is_the_whole_image_is_told_to_keep_more_of_it():
    whole = Case(np.arange(64.0).reshape(4, 4, 4), np.ones((4, 4, 4), bool), "whole", (1, 1, 1))
    with pytest.warns(RadiodeepWarning, match="'shrink 0.15' of 1.*or keep more of the image"):
        extract_perturbed(RadiomicsExtractor(families=["firstorder"]), [whole], [("shrink", 0.15)])


def test_changes_that_would_have_one_name_are_refused():
    for changes, both in (
        ([("noise", 1.0), ("noise", 1.0000001)], "'noise 1', those by 1.0 and 1.0000001"),
        ([("translate", 0.2500001)], "'translate 0.25', those by 0.25 and 0.2500001"),  # the reference is added
    ):
        with pytest.raises(InputError, match=f"Two perturbations are called {both}. Leave one out"):
            extract_perturbed(SHAPE, COHORT, changes)
