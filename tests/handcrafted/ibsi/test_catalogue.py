"""The catalogue against the tables of reference values and the ids that DICOM lists."""

import pandas as pd
import pytest

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.catalogue import FEATURES
from radiodeep.handcrafted.ibsi.catalogue import (
    AGGREGATIONS,
    FAMILY_IDS,
    IBSI_FAMILIES,
    IBSI_FEATURES,
    TEXTURE_FAMILIES,
    ibsi_column,
    ibsi_columns,
    in_ibsi_order,
)


@pytest.fixture(scope="module")
def published(repository):
    return pd.read_csv(repository / "data" / "reference" / "ibsi_1.csv")


def test_all_aggregations_give_the_rows_of_the_digital_phantom_in_their_order(published):
    tags = published.loc[published["dataset"] == "digital phantom", "tag"].tolist()
    assert [column.tag for column in ibsi_columns(aggregations=tuple(AGGREGATIONS))] == tags


def test_every_published_tag_is_a_column_and_the_other_way_round(published):
    for row in published[~published["family"].str.startswith("Diagnostics")].itertuples():
        column = ibsi_column(row.tag)
        is_slices = "(2D" in row.family or "(2.5D" in row.family
        assert (column.aggregation is None) == ("(" not in row.family)
        assert column.aggregation is None or column.aggregation.startswith("2") == is_slices
    assert all(ibsi_column(feature.tag).feature is feature for feature in IBSI_FEATURES)
    assert ibsi_column("cm_contrast_3D") is None
    assert ibsi_column("szm_sze_3D_avg") is None
    assert ibsi_column("firstorder_Mean") is None


def test_ids_are_those_that_dicom_lists_and_differ():
    codes = pytest.importorskip("pydicom.sr.codedict").codes
    listed = {getattr(codes.IBSI, name).value for name in codes.IBSI.dir()}
    in_dicom = {"morphology", "intensity_histogram", *TEXTURE_FAMILIES}  # DICOM has other codes for the rest
    assert {feature.ibsi_id for feature in IBSI_FEATURES if feature.family in in_dicom} <= listed
    ids = [feature.ibsi_id for feature in IBSI_FEATURES]
    assert {feature_id for feature_id in ids if ids.count(feature_id) > 1} == {"BC2M", "GBPN"}  # at 10 % and at 90 %
    assert len(set(FAMILY_IDS.values())) == len(IBSI_FAMILIES) == 11


def test_both_catalogues_have_the_same_ids():
    standard = {feature.ibsi_id for feature in IBSI_FEATURES}
    assert {feature.ibsi_id for feature in FEATURES} - {None} <= standard


@pytest.mark.parametrize(
    ("tag", "aggregation_id"),
    [
        ("cm_contrast_2D_avg", "BTW3"),
        ("cm_contrast_2D_comb", "SUJT"),
        ("rlm_sre_2_5D_avg", "JJUI"),
        ("rlm_sre_2_5D_comb", "ZW7Z"),
        ("cm_contrast_3D_avg", "ITBB"),
        ("cm_contrast_3D_comb", "IAZD"),
        ("szm_sze_2D", "8QNN"),
        ("dzm_sde_2_5D", "62GR"),
        ("ngt_busyness_3D", "KOBO"),
        ("stat_mean", None),
    ],
)
def test_aggregations_have_their_ids(tag, aggregation_id):
    assert ibsi_column(tag).aggregation_id == aggregation_id


def test_zones_have_a_column_once_where_two_aggregations_are_the_same():
    columns = ibsi_columns(("glcm", "glszm"), ("2D_averaged", "2D_slice_merged"))
    assert len(columns) == 2 * 25 + 16


@pytest.mark.parametrize("families", [["GLCM"], "glcm", [], ["gldm"]])
def test_families_that_do_not_exist_are_an_error(families):
    with pytest.raises(InputError, match="'families' parameter of ibsi_columns must be a sequence of names from"):
        in_ibsi_order(families)
