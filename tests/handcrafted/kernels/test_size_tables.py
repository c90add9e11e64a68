"""Numbers that describe a table of grey level by size, from their formulas."""

import numpy as np
import pytest

from radiodeep.handcrafted.kernels.size_tables import (
    DESCRIPTIONS,
    describe_directions,
    describe_sizes,
    describe_tones,
    tabulate_zones,
)

TABLE = np.array([[3.0, 0, 1, 0], [0, 2, 0, 0], [1, 1, 0, 4]])
GRAY = np.array([1.0, 2, 5])
SIZES = np.array([1.0, 2, 3, 7])


def test_the_description_follows_its_formulas():
    n = TABLE.sum()
    p = TABLE / n
    gray = GRAY[:, None]
    by_gray = TABLE.sum(axis=1)
    by_size = TABLE.sum(axis=0)
    mean_gray = (p * gray).sum()
    mean_size = (p * SIZES).sum()
    expected = {
        "small": (p / SIZES**2).sum(),
        "large": (p * SIZES**2).sum(),
        "gray non-uniformity": (by_gray**2).sum() / n,
        "gray non-uniformity normalised": (by_gray**2).sum() / n**2,
        "size non-uniformity": (by_size**2).sum() / n,
        "size non-uniformity normalised": (by_size**2).sum() / n**2,
        "percentage": n / (by_size * SIZES).sum(),
        "gray variance": (p * (gray - mean_gray) ** 2).sum(),
        "size variance": (p * (SIZES - mean_size) ** 2).sum(),
        "entropy": -(p[p > 0] * np.log2(p[p > 0])).sum(),
        "low gray": (p / gray**2).sum(),
        "high gray": (p * gray**2).sum(),
        "small low gray": (p / gray**2 / SIZES**2).sum(),
        "small high gray": (p * gray**2 / SIZES**2).sum(),
        "large low gray": (p / gray**2 * SIZES**2).sum(),
        "large high gray": (p * gray**2 * SIZES**2).sum(),
    }
    values = dict(zip(DESCRIPTIONS, describe_sizes(TABLE, GRAY, SIZES), strict=True))
    assert values == pytest.approx(expected, rel=1e-12)


def test_a_column_of_zeros_adds_nothing_even_if_its_size_is_zero():
    wider = np.concatenate([np.zeros((3, 1)), TABLE], axis=1)
    values = describe_sizes(wider, GRAY, np.concatenate([[0.0], SIZES]))
    np.testing.assert_array_equal(values, describe_sizes(TABLE, GRAY, SIZES))


def test_empty_directions_do_not_count():
    tables = np.stack([TABLE, np.zeros_like(TABLE), 2 * TABLE[:, ::-1]])
    mean = (describe_sizes(TABLE, GRAY, SIZES) + describe_sizes(tables[2], GRAY, SIZES)) / 2
    np.testing.assert_allclose(describe_directions(tables, GRAY, SIZES), mean, rtol=1e-15)
    assert np.isnan(describe_directions(np.zeros_like(tables), GRAY, SIZES)).all()


def test_zones_are_sorted_by_level_and_by_the_sizes_that_occur():
    table, sizes = tabulate_zones(np.array([0, 2, 0, 2, 2]), np.array([4, 9, 4, 1, 9]), 3)
    assert sizes.tolist() == [1, 4, 9]
    assert table.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 2]]


def test_tones_follow_their_formulas():
    counts = np.array([4.0, 1, 3])
    differences = np.array([2.0, 0.5, 6])
    p = counts / 8
    i, j = np.meshgrid(GRAY, GRAY)
    pi, pj = np.meshgrid(p, p)
    si, sj = np.meshgrid(differences, differences)
    expected = [
        p @ differences / abs(i * pi - j * pj).sum(),
        1 / (p @ differences),
        (abs(i - j) * (pi * si + pj * sj) / (pi + pj)).sum() / 8,
        (pi * pj * (i - j) ** 2).sum() / (3 * 2) * differences.sum() / 8,
        ((pi + pj) * (i - j) ** 2).sum() / differences.sum(),
    ]
    np.testing.assert_allclose(describe_tones(counts, differences, GRAY), expected, rtol=1e-12)
