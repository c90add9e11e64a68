import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf

from radiodeep import compare_generated, frechet_distance
from radiodeep.exceptions import StudyError


def test_the_distance_is_that_of_scipys_matrix_root():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    first = rng.normal(size=(40, 6)) @ mixing
    second = rng.normal(0.5, 2, size=(30, 6))
    expected = by_scipy(first, second)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-7)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-7)


def by_scipy(first, second):
    mean, spread = first.mean(axis=0), first.std(axis=0)
    first, second = (first - mean) / spread, (second - mean) / spread
    one, other = ledoit_wolf(first)[0], ledoit_wolf(second)[0]
    shift = first.mean(axis=0) - second.mean(axis=0)
    return shift @ shift + np.trace(one + other - 2 * sqrtm(one @ other).real)


def test_the_distance_of_large_samples_is_that_of_their_gaussians():
    rng = np.random.default_rng(1)
    first = rng.normal(10, 2, size=(200_000, 1))
    second = rng.normal(13, 5, size=(200_000, 1))
    # (3 / 2)² + (1 - 5 / 2)², in standard deviations of the first
    assert frechet_distance(first, second) == pytest.approx(2.25 + 2.25, rel=0.02)


def test_units_do_not_matter_and_constant_columns_are_left_out():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(50, 3)), rng.normal(1, 2, size=(50, 3))
    expected = frechet_distance(first, second)
    assert frechet_distance(first * [1, 1e6, 1e-6] + 7, second * [1, 1e6, 1e-6] + 7) == pytest.approx(expected)
    constant = np.column_stack([first, np.full(50, 0.1)]), np.column_stack([second, np.arange(50)])
    assert frechet_distance(*constant) == pytest.approx(expected)


def test_generated_rows_from_the_real_distribution_are_as_far_away_as_real_halves():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(400, 40))
    found = compare_generated(rows[:200], rows[200:])
    assert found.n_rows == 100
    assert found.distance == pytest.approx(found.reference, rel=0.3)
    shifted = compare_generated(rows[:200], rows[200:] + 2)
    assert shifted.distance == pytest.approx(40 * 2**2 + found.distance, rel=0.15)
    assert shifted.reference == found.reference
    assert "of real halves to each other" in str(found)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 3)), r"Got shapes \(3, 2\) and \(3, 3\)"),
        (np.ones((1, 2)), np.ones((3, 2)), "two rows or more each"),
        (np.array([[np.nan], [1]]), np.ones((3, 1)), "hold NaN or infinite numbers"),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]}), "the tables have different columns"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(first, second, message):
    with pytest.raises(StudyError, match=message):
        frechet_distance(first, second)


def test_too_few_rows_and_repeats_are_refused():
    rows = np.random.default_rng(0).normal(size=(8, 2))
    with pytest.raises(StudyError, match="half as many generated ones. Got 8 real and 3 generated rows"):
        compare_generated(rows, rows[:3])
    with pytest.raises(StudyError, match="'n_repeats' parameter of compare_generated must be an int >= 1"):
        compare_generated(rows, rows, n_repeats=0)
