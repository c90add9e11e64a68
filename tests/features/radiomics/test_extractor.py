"""`RadiomicsExtractor`: its columns, its default families, and what survives saving."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import Case, RadiomicsExtractor, extract_table, make_phantom_cohort
from radiodeep.exceptions import RadiodeepWarning, RoiTooSmallError
from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES

COHORT = make_phantom_cohort(8, random_state=2)


def test_a_region_of_one_voxel_is_named():
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    with pytest.raises(RoiTooSmallError, match="^dot: "):
        RadiomicsExtractor().transform([Case(np.zeros((5, 5, 5)), mask, "dot", (1, 1, 1))])


def test_single_features_are_those_of_the_whole_families():
    case = COHORT[0]
    chosen = RadiomicsExtractor(families={"glcm": ["Contrast", "MCC"], "shape": None})
    names = chosen.get_feature_names_out().tolist()
    assert len(names) == 16
    whole = RadiomicsExtractor()
    values = dict(zip(whole.get_feature_names_out(), whole.transform([case])[0], strict=True))
    np.testing.assert_array_equal(chosen.transform([case])[0], [values[name] for name in names])


def test_two_dimensional_images_get_the_shape_in_the_plane_by_default(flat_case):
    cases = [flat_case("a"), flat_case("b", 1)]
    with pytest.warns(RadiodeepWarning, match=r"^a: the image has one slice, .* families=\['shape2D', 'firstorder'"):
        extractor = RadiomicsExtractor().fit(cases)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = extractor.transform(cases)
        names = extractor.get_feature_names_out().tolist()
        named = RadiomicsExtractor(families=extractor.chosen_families()).fit(cases)
        in_space = RadiomicsExtractor(families=list(DEFAULT_FAMILIES)).fit(cases)
    assert values.shape == (2, 102) == (2, len(names))
    assert not [name for name in names if "_shape_" in name]
    assert values[0, names.index("original_shape2D_PixelSurface")] == pytest.approx((17 * 17 - 4 * 4) * 0.25)
    np.testing.assert_array_equal(named.transform(cases), values)
    texture = [number for number, name in enumerate(names) if "_shape2D_" not in name]
    np.testing.assert_array_equal(in_space.transform(cases)[:, 14:], values[:, texture])
    explicit = RadiomicsExtractor(families=["shape2D"], force_2d=True).transform(cases)
    np.testing.assert_array_equal(values[:, :9], explicit)
    assert extractor.settings()["families"][0] == "shape2D_Elongation"


def test_two_dimensional_defaults_survive_pickling_and_not_cloning(flat_case, fit_flat):
    cases = [flat_case()]
    extractor = fit_flat(RadiomicsExtractor(), cases)
    assert pickle.loads(pickle.dumps(extractor)).transform(cases).shape == (1, 102)
    assert len(clone(extractor).get_feature_names_out()) == 107
    assert len(extractor.fit(COHORT).get_feature_names_out()) == 107
    assert not hasattr(extractor.set_params(families=["glcm"]).fit(cases), "n_dimensions_")
    with pytest.warns(RadiodeepWarning, match="'shape2D'"):
        assert RadiomicsExtractor().transform(cases).shape == (1, 102)


def test_two_dimensional_defaults_hold_in_tables_and_studies(flat_case):
    cases = [flat_case(f"f{number}", number, label=number % 2) for number in range(6)]
    labels = [case.label for case in cases]
    model = make_pipeline(RadiomicsExtractor(), GaussianNB())
    with pytest.warns(RadiodeepWarning, match="'shape2D'"):
        table = extract_table(RadiomicsExtractor(), cases)
    assert table.shape == (6, 102)
    assert table.columns[0] == "original_shape2D_Elongation"
    with pytest.warns(RadiodeepWarning, match="'shape2D'"):
        assert cross_val_predict(model, cases, labels, cv=2).shape == (6,)
