"""Every row of the IBSI's published reference values, through the extractor as users call it."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from radiodeep import Case, RadiomicsExtractor
from radiodeep.features.radiomics.diagnostics import ibsi_diagnostics

IN_SLICES = ("2D_averaged", "2D_slice_merged", "2.5D_direction_merged", "2.5D_merged")
IN_SPACE = ("3D_averaged", "3D_merged")
LINEAR = {"interpolator": "linear"}
SETTINGS = {
    "digital phantom": {"bin_width": 1, "aggregation": IN_SLICES + IN_SPACE},
    "configuration A": {"bin_width": 25, "resegment_range": (-500, 400), "aggregation": IN_SLICES},
    "configuration B": {
        **LINEAR,
        "resample_mm": (0, 2, 2),
        "bin_count": 32,
        "resegment_range": (-500, 400),
        "aggregation": IN_SLICES,
    },
    "configuration C": {
        **LINEAR,
        "resample_mm": 2,
        "bin_width": 25,
        "resegment_range": (-1000, 400),
        "ivh_bin_width": 2.5,
        "aggregation": IN_SPACE,
    },
    "configuration D": {
        **LINEAR,
        "resample_mm": 2,
        "bin_count": 32,
        "resegment_outliers": 3,
        "aggregation": IN_SPACE,
    },
    "configuration E": {
        "resample_mm": 2,
        "bin_count": 32,
        "resegment_range": (-1000, 400),
        "resegment_outliers": 3,
        "ivh_bin_count": 1000,
        "aggregation": IN_SPACE,
    },
}
WITHOUT_VALUE = {  # which the IBSI does not standardise
    *("morph_vol_dens_ombb", "morph_area_dens_ombb", "morph_vol_dens_mvee", "morph_area_dens_mvee"),
    "ivh_auc",
}


@pytest.fixture(scope="module")
def published(repository):
    return pd.read_csv(repository / "data" / "reference" / "ibsi_1.csv")


@pytest.fixture(scope="module")
def phantoms(reference_data):
    """Cases of the digital phantom and the CT phantom."""
    cases = {}
    for name in ("digital", "ct"):
        folder = reference_data / "ibsi1" / f"{name}_phantom" / "nifti"
        cases[name] = Case(folder / "image" / "phantom.nii.gz", folder / "mask" / "mask.nii.gz", name)
    return cases


def _case(phantoms, dataset):
    return phantoms["digital" if dataset == "digital phantom" else "ct"]


def _n_decimals(value):
    """Return the decimals of a published value: its third significant digit, or its last digit that is printed."""
    printed = -Decimal(str(value)).normalize().as_tuple().exponent
    return max(printed, 2 - math.floor(math.log10(abs(value)))) if value else printed


def _is_within(value, published, tolerance):
    return abs(round(value, _n_decimals(published)) - published) <= tolerance + 1e-9 * abs(published)


def _missed(values, rows):
    """Return the rows with a published value that `values` do not meet."""
    known = rows.dropna(subset=["value"]).set_index("tag")
    own = values[known.index]
    is_met = list(map(_is_within, own, known["value"], known["tolerance"]))
    return known.assign(own=own)[~np.array(is_met)]


def test_the_table_has_all_published_rows(published):
    counts = published.groupby("dataset").size()
    assert counts.to_dict() == {
        "digital phantom": 487,
        **dict.fromkeys(("configuration A", "configuration B"), 411),
        **dict.fromkeys(("configuration C", "configuration D", "configuration E"), 275),
    }
    unknown = published[published["value"].isna()]
    assert set(unknown["tag"]) == WITHOUT_VALUE
    assert len(unknown) == 6 * len(WITHOUT_VALUE)
    assert published.duplicated(["dataset", "tag"]).sum() == 0


@pytest.mark.parametrize("dataset", SETTINGS)
def test_every_published_feature_is_met(published, phantoms, dataset):
    rows = published[(published["dataset"] == dataset) & ~published["family"].str.startswith("Diagnostics")]
    extractor = RadiomicsExtractor(convention="ibsi", **SETTINGS[dataset])
    row = extractor.transform([_case(phantoms, dataset)])[0]
    names = [name.removeprefix("original_") for name in extractor.get_feature_names_out()]
    assert names == rows["tag"].tolist()
    assert _missed(pd.Series(row, index=names), rows).empty
    assert np.isfinite(row).all()  # those without a published value, too


@pytest.mark.parametrize("dataset", [name for name in SETTINGS if name != "digital phantom"])
def test_every_published_diagnostic_is_met(published, phantoms, dataset):
    rows = published[(published["dataset"] == dataset) & published["family"].str.startswith("Diagnostics")]
    values = ibsi_diagnostics(RadiomicsExtractor(convention="ibsi", **SETTINGS[dataset]), _case(phantoms, dataset))
    assert values.index.tolist() == rows["tag"].tolist()
    assert len(rows) == 60
    assert _missed(values, rows).empty


@pytest.mark.parametrize("changed", [{"resample_grid": "corner"}, {"resegment_range": None}, {"bin_width": 24}])
def test_another_way_does_not_meet_them(published, phantoms, changed):
    dataset = "configuration C"
    rows = published[(published["dataset"] == dataset) & ~published["family"].str.startswith("Diagnostics")]
    extractor = RadiomicsExtractor(convention="ibsi", **{**SETTINGS[dataset], **changed})
    row = extractor.transform([_case(phantoms, dataset)])[0]
    assert not _missed(pd.Series(row, index=rows["tag"]), rows).empty


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["configuration A", "configuration C"])
def test_the_phantom_as_dicom_gives_them_too(published, reference_data, dataset):
    pytest.importorskip("pydicom")
    folder = reference_data / "ibsi1" / "ct_phantom" / "dicom"
    case = Case(folder / "image", next((folder / "mask").glob("*.dcm")), "dicom")
    rows = published[(published["dataset"] == dataset) & ~published["family"].str.startswith("Diagnostics")]
    row = RadiomicsExtractor(convention="ibsi", **SETTINGS[dataset]).transform([case])[0]
    assert _missed(pd.Series(row, index=rows["tag"]), rows).empty
