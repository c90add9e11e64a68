"""Shape and intensity features of the IBSI's digital phantom, against the published values."""

import csv

import numpy as np
import pytest

from radiodeep.handcrafted.ibsi.histogram import intensity_histogram
from radiodeep.handcrafted.ibsi.local_intensity import local_intensity_features
from radiodeep.handcrafted.ibsi.morphology import morphology_features
from radiodeep.handcrafted.ibsi.region import ibsi_region
from radiodeep.handcrafted.ibsi.statistics import intensity_statistics
from radiodeep.handcrafted.ibsi.volume_histogram import intensity_volume_histogram

FAMILIES = ("Morphology", "Local intensity", "Statistics", "Intensity histogram", "Intensity volume histogram")


@pytest.fixture(scope="module")
def phantom(reference_data):
    nibabel = pytest.importorskip("nibabel")
    folder = reference_data / "ibsi1" / "digital_phantom" / "nifti"
    image = np.asarray(nibabel.load(folder / "image" / "phantom.nii.gz").dataobj).T
    mask = np.asarray(nibabel.load(folder / "mask" / "mask.nii.gz").dataobj).T
    return ibsi_region(image, mask, spacing_mm=(2.0, 2.0, 2.0))


def test_all_published_values_are_met(phantom, repository):
    with open(repository / "data" / "reference" / "ibsi_1.csv", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["dataset"] == "digital phantom"]
    rows = [row for row in rows if row["family"] in FAMILIES]
    levels = (phantom.image * phantom.mask).astype(np.int32)
    values = [
        *morphology_features(phantom),
        *local_intensity_features(phantom),
        *intensity_statistics(phantom),
        *intensity_histogram(levels, 6),
        *intensity_volume_histogram(phantom),
    ]
    assert len(rows) == len(values) == 79
    compared = 0
    for row, value in zip(rows, values, strict=True):
        if row["value"]:
            rounded = float(f"{value:.3g}")  # as published
            assert rounded == pytest.approx(float(row["value"]), abs=float(row["tolerance"]), rel=1e-9), row["tag"]
            compared += 1
    assert compared == 74


def test_the_box_has_the_densities_of_the_manual_without_consensus(phantom):
    np.testing.assert_allclose(morphology_features(phantom)[18:20], [0.869, 0.866], atol=5e-4)
