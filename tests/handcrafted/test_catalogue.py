"""The list of features."""

import pytest

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.catalogue import (
    DEFAULT_FAMILIES,
    FEATURES,
    PYRADIOMICS_FAMILIES,
    TEXTURE_GROUP,
    feature_names,
)


def test_the_families_hold_the_features_of_pyradiomics_with_distinct_names():
    counts = {family: sum(feature.family == family for feature in FEATURES) for family in PYRADIOMICS_FAMILIES}
    expected = {"shape": 14, "shape2D": 9, "firstorder": 18, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14}
    assert counts == {**expected, "ngtdm": 5}
    assert len(set(feature_names())) == 107
    assert len(set(feature_names(PYRADIOMICS_FAMILIES))) == 116


def test_ibsi_ids_are_distinct_and_missing_only_where_ibsi_has_no_such_definition():
    ids = [feature.ibsi_id for feature in FEATURES if feature.ibsi_id is not None]
    assert len(set(ids)) == len(ids)
    missing = [feature for feature in FEATURES if feature.ibsi_id is None]
    assert {feature.name for feature in missing if feature.family in DEFAULT_FAMILIES} == {
        "Maximum2DDiameterColumn",
        "Maximum2DDiameterRow",
        "Maximum2DDiameterSlice",
        "Kurtosis",
        "TotalEnergy",
        "MCC",
    }


@pytest.mark.parametrize("families", ["glcm", [], ["glcm", "fractal"], None, [["glcm"]]])
def test_an_unknown_family_is_an_error_that_lists_those_known(families):
    with pytest.raises(InputError, match=r"'families'.*firstorder.*Got"):
        feature_names(families)


def test_names_keep_the_order_of_the_catalogue_whatever_the_order_of_the_families():
    names = feature_names(["glcm", "shape"])
    assert names == [name for name in feature_names() if name.startswith(("glcm", "shape"))]


def test_the_families_that_are_measured_together_are_in_the_catalogue():
    assert set(TEXTURE_GROUP.families) <= set(DEFAULT_FAMILIES)


def test_ibsi_ids_are_those_that_dicom_lists():
    codes = pytest.importorskip("pydicom.sr.codedict").codes  # PS3.16, which leaves out statistics of intensities
    listed = {getattr(codes.IBSI, name).value for name in codes.IBSI.dir()}
    unlisted = [feature for feature in FEATURES if feature.ibsi_id is not None and feature.ibsi_id not in listed]
    assert {feature.family for feature in unlisted} == {"firstorder"}
    assert len(unlisted) == 14
