"""IBSI statistics of intensities, against numpy and the published values of the digital phantom."""

import numpy as np
import pytest

from radiodeep.handcrafted.ibsi.region import ibsi_region
from radiodeep.handcrafted.ibsi.statistics import intensity_statistics, value_counts

PLACES = ["mean", "median", "min", "p10", "p90", "max"]
SPREADS = ["var", "skew", "kurt", "iqr", "range", "mad", "rmad", "medad"]
NAMES = ["mean", "var", "skew", "kurt", "median", "min", "p10", "p90", "max", "iqr", "range", "mad", "rmad", "medad"]
NAMES += ["cov", "qcod", "energy", "rms"]


def region_of(values):
    image = np.asarray(values, float).reshape(1, 1, -1)
    return ibsi_region(image, np.ones(image.shape, bool), spacing_mm=(1.0, 1.0, 1.0))


def plain_statistics(values):
    mean, median = values.mean(), np.median(values)
    p10, p25, p75, p90 = np.percentile(values, [10, 25, 75, 90])
    inner = values[(values >= p10) & (values <= p90)]
    spread = values.std()
    skewness = ((values - mean) ** 3).mean() / spread**3
    kurtosis = ((values - mean) ** 4).mean() / spread**4 - 3
    deviations = [np.abs(values - mean).mean(), np.abs(inner - inner.mean()).mean(), np.abs(values - median).mean()]
    energy = (values**2).sum()
    first = [mean, values.var(), skewness, kurtosis, median, values.min(), p10, p90, values.max(), p75 - p25]
    last = [spread / mean, (p75 - p25) / (p75 + p25), energy, np.sqrt(energy / values.size)]
    return [*first, np.ptp(values), *deviations, *last]


@pytest.mark.parametrize("kind", ["whole", "fractions", "negative", "far apart"])
@pytest.mark.parametrize("size", [3, 4, 57, 1000])
def test_statistics_are_those_of_numpy(kind, size, rng):
    values = rng.gamma(2, 20, size)
    if kind == "whole":
        values = np.rint(values)
    elif kind == "negative":
        values = np.rint(values) - 200
    elif kind == "far apart":
        values = np.rint(values) * 1e6
    np.testing.assert_allclose(intensity_statistics(region_of(values)), plain_statistics(values), rtol=1e-9)


def test_a_shift_of_intensities_moves_places_and_leaves_spreads(rng):
    values = np.rint(rng.normal(40, 12, 300))
    before = dict(zip(NAMES, intensity_statistics(region_of(values)), strict=True))
    after = dict(zip(NAMES, intensity_statistics(region_of(values + 1000)), strict=True))
    for name in PLACES:
        assert after[name] == pytest.approx(before[name] + 1000)
    for name in SPREADS:
        assert after[name] == pytest.approx(before[name], rel=1e-6)


def test_only_the_intensity_mask_counts():
    image = np.arange(27.0).reshape(3, 3, 3)
    outline = np.ones(image.shape, bool)
    inside = image > 20
    region = ibsi_region(image, outline, inside, spacing_mm=(1.0, 1.0, 1.0))
    assert intensity_statistics(region)[0] == image[inside].mean()


def test_one_intensity_has_no_spread_and_no_shape():
    values = dict(zip(NAMES, intensity_statistics(region_of([0.1] * 7)), strict=True))
    assert [values[name] for name in ("var", "skew", "kurt", "iqr", "mad", "rmad", "medad", "cov")] == [0.0] * 8


def test_undefined_coefficients_are_nan():
    values = dict(zip(NAMES, intensity_statistics(region_of([-1.0, 1.0])), strict=True))
    assert np.isnan([values["cov"], values["qcod"], values["rmad"]]).all()
    assert values["mad"] == 1.0


def test_one_voxel_has_statistics():
    values = dict(zip(NAMES, intensity_statistics(region_of([5.0])), strict=True))
    assert values["mean"] == values["p10"] == values["median"] == values["rms"] == 5.0
    assert values["var"] == values["rmad"] == 0.0


@pytest.mark.parametrize("values", [[3.0, -2.0, 3.0, 7.0], [0.5, 0.25, 0.5], [0.0, 1e12, 1e12]])
def test_values_are_counted_as_numpy_counts(values):
    found, counts = value_counts(np.array(values))
    expected, numbers = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(found[counts > 0], expected)
    np.testing.assert_array_equal(counts[counts > 0], numbers)
