"""The intraclass correlation: a published table, theory, and what it is blind to."""

import numpy as np
import pytest

from radiodeep import intraclass_correlation
from radiodeep.exceptions import InputError

# Shrout and Fleiss 1979, table 2: six cases, four judges
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]).T


@pytest.mark.parametrize(
    ("kind", "icc", "low", "high"), [("absolute", 0.29, 0.02, 0.76), ("consistency", 0.71, 0.34, 0.95)]
)
def test_the_published_table(kind, icc, low, high):
    found = intraclass_correlation(*JUDGES, kind=kind)
    assert (found.n_cases, found.n_raters) == (6, 4)
    assert found.icc == pytest.approx(icc, abs=0.005)
    assert found.confidence_interval.low == pytest.approx(low, abs=0.005)
    assert found.confidence_interval.high == pytest.approx(high, abs=0.005)


def test_a_constant_difference_is_disagreement_for_one_kind_alone():
    first = np.random.default_rng(0).normal(size=30)
    noisy = first + np.random.default_rng(1).normal(scale=0.1, size=30)
    assert intraclass_correlation(first, noisy + 2).icc < 0.5
    together, apart = (intraclass_correlation(first, noisy + by, kind="consistency").icc for by in (0, 2))
    assert together == pytest.approx(apart)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Cases with variance 1 and raters without bias, errors with variance 0.5: ICC 2/3."""
    rng, inside = np.random.default_rng(0), 0
    for _ in range(400):
        cases = rng.normal(size=25)
        raters = [cases + rng.normal(scale=0.5**0.5, size=25) for _ in range(3)]
        interval = intraclass_correlation(*raters, kind="consistency").confidence_interval
        inside += interval.low <= 2 / 3 <= interval.high
    assert 0.92 < inside / 400 < 0.98


def test_shifted_and_scaled_numbers_agree_as_much():
    first, second = np.random.default_rng(2).normal(size=(2, 20)) + np.arange(20)
    assert intraclass_correlation(first, second).icc == pytest.approx(
        intraclass_correlation(1e4 + 3 * first, 1e4 + 3 * second).icc, rel=1e-9
    )


def test_what_cannot_agree_is_refused():
    for raters in ([[1, 2, 3]], [[1, 2], [1, 2, 3]], [[1], [1]], []):
        with pytest.raises(InputError, match="needs two raters or more of the same cases"):
            intraclass_correlation(*raters)
    with pytest.raises(InputError, match="must be finite"):
        intraclass_correlation([1, 2, np.nan], [1, 2, 3])
    with pytest.raises(InputError, match="must be one of absolute, consistency"):
        intraclass_correlation([1, 2], [1, 2], kind="icc1")
    assert np.isnan(intraclass_correlation([1, 1, 1], [1, 1, 1]).icc)
