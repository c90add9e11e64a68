"""Features of tables at the ends of their range."""

import numpy as np
import pytest

from radiodeep.handcrafted.kernels.ibsi_texture_tables import (
    N_FEATURES,
    NGTDM,
    describe_pairs,
    describe_tone_differences,
)


def test_an_empty_table_of_pairs_writes_nothing():
    out = np.full(N_FEATURES, 7.0)
    table = np.zeros((3, 3))
    table[0], table[:, 0] = 5, 5  # pairs that leave the region
    assert not describe_pairs(table, np.array([1, 4]), 4, out)
    assert (out == 7).all()


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.1, 0.3, 0.6], [1 / 3, 1 / 7, 5]])
def test_independent_levels_have_no_information(weights):
    table, out = np.zeros((4, 4)), np.empty(N_FEATURES)
    table[1:, 1:] = np.outer(weights, weights)
    assert describe_pairs(table, np.array([1, 2, 5]), 5, out)
    assert out[18] == pytest.approx(0, abs=1e-12)  # correlation
    assert out[23] == out[24] == 0


def test_a_level_that_tells_the_other_has_all_information():
    table, out = np.diag([0.0, 2, 2]), np.empty(N_FEATURES)
    assert describe_pairs(table, np.array([1, 2]), 2, out)
    assert out[18] == 1
    assert out[23] == pytest.approx(-1)
    assert out[24] == pytest.approx(np.sqrt(1 - np.exp(-2)))


def test_coarseness_ends_at_a_million():
    out = np.empty(N_FEATURES)
    describe_tone_differences(np.array([1e9, 1.0]), np.array([0.0, 1.0]), np.array([1.0, 2.0]), out)
    assert out[NGTDM] == 1e6
