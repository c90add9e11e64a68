"""The intraclass correlation: a published table, theory, and what it is blind to."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f

from radiodeep import intraclass_correlation
from radiodeep.exceptions import InputError

# Shrout and Fleiss 1979, table 2: six cases, four judges
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]).T


@pytest.mark.parametrize(
    ("kind", "icc", "low", "high"), [("absolute", 0.29, 0.02, 0.76), ("consistency", 0.71, 0.34, 0.95)]
)
def test_the_published_table(kind, icc, low, high):
    agreement = intraclass_correlation(*JUDGES, kind=kind)
    assert (agreement.n_cases, agreement.n_raters) == (6, 4)
    assert agreement.icc == pytest.approx(icc, abs=0.005)
    assert agreement.confidence_interval.low == pytest.approx(low, abs=0.005)
    assert agreement.confidence_interval.high == pytest.approx(high, abs=0.005)


def limits_of_shrout_and_fleiss(table, kind, level):
    """Return the limits as printed in the paper, from the F ratios of the table (n_cases, n_raters)."""
    n, k = table.shape
    case_means = table.mean(axis=1, keepdims=True)
    rater_means = table.mean(axis=0, keepdims=True)
    bms = k * case_means.var(ddof=1)
    jms = n * rater_means.var(ddof=1)
    ems = ((table - case_means - rater_means + table.mean()) ** 2).sum() / ((n - 1) * (k - 1))
    tail = 1 - (1 - level) / 2
    if kind == "consistency":  # p. 424: F_L = F_0 / F(n - 1, (n - 1)(k - 1)), F_U = F_0 F((n - 1)(k - 1), n - 1)
        lower = bms / ems / f.ppf(tail, n - 1, (n - 1) * (k - 1))
        upper = bms / ems * f.ppf(tail, (n - 1) * (k - 1), n - 1)
        return (lower - 1) / (lower + k - 1), (upper - 1) / (upper + k - 1)
    rho = (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n)
    ratio = jms / ems
    rest = n * (1 + (k - 1) * rho) - k * rho
    freedom = (k - 1) * (n - 1) * (k * rho * ratio + rest) ** 2 / ((n - 1) * (k * rho * ratio) ** 2 + rest**2)
    above, below = f.ppf(tail, n - 1, freedom), f.ppf(tail, freedom, n - 1)
    spread = k * jms + (k * n - k - n) * ems
    return n * (bms - above * ems) / (above * spread + n * bms), n * (below * bms - ems) / (spread + n * below * bms)


@pytest.mark.parametrize("kind", ["absolute", "consistency"])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_limits_are_those_of_the_published_equations(kind, level):
    rng = np.random.default_rng(0)
    tables = [
        JUDGES.T,
        *(rng.normal(size=(n, 1)) + rng.normal(size=(n, k)) + np.arange(k) / 3 for n, k in [(9, 2), (40, 5)]),
    ]
    for table in tables:
        interval = intraclass_correlation(*table.T, kind=kind, confidence_level=level).confidence_interval
        expected = limits_of_shrout_and_fleiss(np.asarray(table, dtype=float), kind, level)
        np.testing.assert_allclose([interval.low, interval.high], expected, rtol=1e-9)


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
    with pytest.raises(InputError, match="The 'kind' parameter of .* must be one of absolute, consistency. Got 'icc1'"):
        intraclass_correlation([1, 2], [1, 2], kind="icc1")
    with pytest.raises(InputError, match="'confidence_level' parameter .* between 0 and 1. Got 1 instead"):
        intraclass_correlation([1, 2], [1, 2], confidence_level=1)


@pytest.mark.parametrize("kind", ["absolute", "consistency"])
@pytest.mark.parametrize("n_raters", [2, 3, 7])
def test_raters_that_agree_exactly_or_cases_that_do_not_differ_have_no_interval(kind, n_raters):
    values = 101.3 + 7.3 * np.random.default_rng(0).normal(size=20)
    identical = intraclass_correlation(*[values] * n_raters, kind=kind)
    assert str(identical) == f"ICC 1.00 (the raters agree exactly: no interval), n=20 cases, {n_raters} raters"
    equal = intraclass_correlation(*[np.full(5, 3.3)] * n_raters, kind=kind)
    assert np.isnan(equal.icc)
    assert str(equal).startswith("ICC nan (the cases do not differ: no interval)")


def test_a_constant_difference_has_an_interval_where_it_counts_as_disagreement():
    values = 101.3 + 7.3 * np.random.default_rng(0).normal(size=20)
    shifted = [values, values + 1.7, values - 0.1]
    assert intraclass_correlation(*shifted, kind="consistency").icc == 1
    assert np.isnan(intraclass_correlation(*shifted, kind="consistency").confidence_interval.low)
    absolute = intraclass_correlation(*shifted)
    assert absolute.confidence_interval.low < absolute.icc < absolute.confidence_interval.high < 1


def test_published_stability_of_92_features_in_eight_scanners_is_met_to_the_last_digit(reference_data):
    """CTP4R: the regions of one phantom are the cases, the scanner groups the raters of the mean over repeats."""
    table = pd.read_csv(reference_data / "ctp4r" / "features.csv.gz")
    published = pd.read_csv(reference_data / "ctp4r" / "icc2.csv", index_col="feature")["ICC"]
    means = table.groupby(["class", "group"])[list(published.index)].mean()
    found = [intraclass_correlation(*means[name].unstack().to_numpy().T).icc for name in published.index]
    assert len(found) == 92
    np.testing.assert_array_equal(np.round(found, 4), published)
