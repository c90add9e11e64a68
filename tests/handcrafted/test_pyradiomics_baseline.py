"""Published matrices of pyradiomics for two real lesions; the tables are in tests/features."""

import numpy as np
import pytest

from radiodeep.handcrafted.glcm import cooccurrence_tables
from radiodeep.handcrafted.gldm import neighbourhood_tables
from radiodeep.handcrafted.glrlm import run_tables
from radiodeep.handcrafted.glszm import zone_table
from radiodeep.handcrafted.gray_levels import discretise
from radiodeep.handcrafted.neighbours import directions
from radiodeep.handcrafted.region import crop_region


@pytest.fixture(params=["brain1", "breast1"])
def matrix(request, read_reference_case, reference_data):
    """Region and levels of a case, and a function family -> its published matrix."""
    region = crop_region(*read_reference_case(request.param))
    folder = reference_data / "pyradiomics" / "baseline"
    return region, discretise(region), lambda family: np.load(folder / f"{request.param}_{family}.npy")


def test_the_thirteen_cooccurrence_matrices_equal_the_published_ones(matrix):
    region, levels, published = matrix
    tables = cooccurrence_tables(region, levels, directions((1,)))[:, 1:, 1:].astype(float)
    tables += tables.transpose(0, 2, 1)
    tables /= tables.sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(tables, np.moveaxis(published("glcm"), 2, 0), rtol=1e-12)


def test_the_run_length_matrices_equal_the_published_ones(matrix):
    region, levels, published = matrix
    runs = np.moveaxis(run_tables(region, levels), 0, 2)
    np.testing.assert_array_equal(runs[:, runs.any(axis=(0, 2))], published("glrlm"))


def test_the_zone_matrix_equals_the_published_one(matrix):
    region, levels, published = matrix
    np.testing.assert_array_equal(zone_table(region, levels)[0], published("glszm"))


def test_the_neighbourhood_matrices_equal_the_published_ones(matrix):
    region, levels, published = matrix
    dependence, differences = neighbourhood_tables(region, levels)
    np.testing.assert_array_equal(dependence[:, dependence.any(axis=0)], published("gldm"))
    tones = np.stack([levels.counts, differences, levels.values], axis=1)
    np.testing.assert_allclose(tones, published("ngtdm"), rtol=1e-12)
