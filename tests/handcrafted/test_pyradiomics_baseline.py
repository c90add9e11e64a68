"""Published matrices of pyradiomics for two real lesions; the tables are in tests/features."""

import numpy as np
import pytest

from radiodeep.handcrafted.glrlm import run_tables
from radiodeep.handcrafted.glszm import zone_table
from radiodeep.handcrafted.gray_levels import discretise
from radiodeep.handcrafted.neighbours import Neighbourhoods
from radiodeep.handcrafted.region import crop_region


@pytest.fixture(params=["brain1", "breast1"])
def matrix(request, read_reference_case, reference_data):
    """The neighbourhoods of a case, and a function family -> its published matrix."""
    region = crop_region(*read_reference_case(request.param))
    folder = reference_data / "pyradiomics" / "baseline"
    return Neighbourhoods(region, discretise(region)), lambda family: np.load(folder / f"{request.param}_{family}.npy")


def test_the_thirteen_cooccurrence_matrices_equal_the_published_ones(matrix):
    neighbourhoods, published = matrix
    tables = neighbourhoods.direct_pairs[0].counts[:, 1:, 1:].astype(float)
    tables += tables.transpose(0, 2, 1)
    tables /= tables.sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(tables, np.moveaxis(published("glcm"), 2, 0), rtol=1e-12)


def test_the_run_length_matrices_equal_the_published_ones(matrix):
    neighbourhoods, published = matrix
    runs = np.moveaxis(run_tables(neighbourhoods), 0, 2)
    np.testing.assert_array_equal(runs[:, runs.any(axis=(0, 2))], published("glrlm"))


def test_the_zone_matrix_equals_the_published_one(matrix):
    neighbourhoods, published = matrix
    np.testing.assert_array_equal(zone_table(neighbourhoods)[0], published("glszm"))


def test_the_neighbourhood_matrices_equal_the_published_ones(matrix):
    neighbourhoods, published = matrix
    dependence = neighbourhoods.dependence
    levels = neighbourhoods.levels
    np.testing.assert_array_equal(dependence[:, dependence.any(axis=0)], published("gldm"))
    tones = np.stack([levels.counts, neighbourhoods.differences, levels.values], axis=1)
    np.testing.assert_allclose(tones, published("ngtdm"), rtol=1e-12)
