"""Pairs of grey levels, and the second eigenvalue that MCC needs."""

import numpy as np
import pytest

from radiodeep.handcrafted.kernels.glcm import _second_moduli, add_directions, count_pairs


def test_pairs_are_counted_at_the_place_of_both_levels():
    volume = np.array([0, 1, 2, 2, 0, 1, 0], np.uint8)
    tables = np.zeros((2, 10), np.uint32)  # one number more than the table
    count_pairs(volume, np.flatnonzero(volume), np.array([1, -1]), 3, tables)
    forwards, backwards = tables[:, :9].reshape(2, 3, 3)
    assert forwards.tolist() == [[0, 0, 0], [1, 0, 1], [1, 0, 1]]
    assert backwards[1:, 1:].tolist() == forwards[1:, 1:].T.tolist()
    assert not tables[:, 9].any()


def test_directions_without_pairs_are_not_counted():
    tables = np.zeros((3, 3, 3))
    tables[1, 1:, 1:] = [[1, 2], [0, 3]]
    sums = np.zeros(24)
    assert add_directions(tables, np.array([1, 2]), 2, True, sums) == 1
    assert sums[4] == pytest.approx(2 / 6)  # Contrast


@pytest.mark.parametrize("symmetrical", [True, False])
def test_mcc_is_the_root_of_the_second_eigenvalue_of_q(symmetrical):
    tables = np.zeros((1, 6, 6))
    tables[0, 1:, 1:] = np.random.default_rng(0).integers(0, 9, (5, 5))
    sums = np.zeros(24)
    add_directions(tables, np.arange(1, 6), 5, symmetrical, sums)
    p = tables[0, 1:, 1:]
    p = p + p.T if symmetrical else p
    p = p / p.sum()
    q = (p / p.sum(axis=0)) @ p.T / p.sum(axis=1)[:, None]
    assert sums[19] == pytest.approx(np.sqrt(np.sort(np.linalg.eigvals(q).real)[-2]), rel=1e-9)


def test_the_second_modulus_of_every_matrix_is_that_of_all_its_eigenvalues():
    generator = np.random.default_rng(2)
    diagonals = np.zeros((30, 4))
    belows = np.zeros((29, 4))
    expected = []
    for k, n in enumerate((2, 3, 8, 30)):  # zeros fill up the smaller ones
        diagonals[:n, k] = generator.uniform(-0.3, 0.3, n)
        belows[: n - 1, k] = generator.uniform(-0.3, 0.3, n - 1)
        matrix = np.diag(diagonals[:n, k]) + np.diag(belows[: n - 1, k], 1) + np.diag(belows[: n - 1, k], -1)
        expected.append(np.sort(np.abs(np.linalg.eigvalsh(matrix)))[-2])
    np.testing.assert_allclose(_second_moduli(diagonals, belows, 4), expected, rtol=1e-12)
