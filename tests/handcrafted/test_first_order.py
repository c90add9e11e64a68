"""First-order features, by hand and from scipy."""

import numpy as np
import pytest
from scipy import stats

from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.measurement import region_features


def first_order_of(values, spacing_mm=(1, 1, 1), **settings):
    image = np.array(values)[None, None]
    numbers = region_features(image, np.ones(image.shape, bool), spacing_mm, families=["firstorder"], **settings)
    return dict(zip([name.split("_")[1] for name in feature_names(["firstorder"])], numbers, strict=True))


def test_five_values_give_what_a_hand_gives():
    values = first_order_of([1, 2, 3, 4, 10], spacing_mm=(2, 1, 1.5), bin_width=2)
    expected = {
        "10Percentile": 1.4,
        "90Percentile": 7.6,
        "Energy": 130,
        "TotalEnergy": 390,
        "Entropy": -(3 * 0.2 * np.log2(0.2) + 0.4 * np.log2(0.4)),  # levels 1, 2, 2, 3, 6
        "Uniformity": 3 * 0.04 + 0.16,
        "InterquartileRange": 2,
        "Minimum": 1,
        "Maximum": 10,
        "Mean": 4,
        "Median": 3,
        "Range": 9,
        "MeanAbsoluteDeviation": 2.4,
        "RobustMeanAbsoluteDeviation": 2 / 3,  # of 2, 3 and 4
        "RootMeanSquared": np.sqrt(26),
        "Variance": 10,
        "Skewness": 36 / 10**1.5,
        "Kurtosis": 2.788,
    }
    assert values == pytest.approx(expected, rel=1e-12)


def test_an_even_number_of_voxels_has_its_median_between_two():
    assert first_order_of([1, 2, 4, 9])["Median"] == 3


def test_the_shift_enters_the_energies_only():
    plain = first_order_of([-3.0, 1.0, 2.0, 5.0])
    shifted = first_order_of([-3.0, 1.0, 2.0, 5.0], voxel_array_shift=10)
    assert shifted["Energy"] == 7**2 + 11**2 + 12**2 + 15**2
    changed = {name for name in plain if plain[name] != shifted[name]}
    assert changed == {"Energy", "TotalEnergy", "RootMeanSquared"}


def test_moments_and_percentiles_are_those_of_scipy_and_numpy():
    values = np.random.default_rng(0).gamma(2, 30, size=4321) - 500
    ours = first_order_of(values)
    p10, p90 = np.percentile(values, [10, 90])
    inner = values[(values >= p10) & (values <= p90)]
    assert ours["Skewness"] == pytest.approx(stats.skew(values), rel=1e-10)
    assert ours["Kurtosis"] == pytest.approx(stats.kurtosis(values, fisher=False), rel=1e-10)
    assert ours["Variance"] == pytest.approx(values.var(), rel=1e-12)
    assert (ours["10Percentile"], ours["90Percentile"]) == (p10, p90)
    assert ours["InterquartileRange"] == pytest.approx(stats.iqr(values), rel=1e-12)
    assert ours["RobustMeanAbsoluteDeviation"] == pytest.approx(np.abs(inner - inner.mean()).mean(), rel=1e-12)


def test_two_voxels_are_too_few():
    with pytest.raises(RoiTooSmallError, match=r"has 2 voxels. First-order features need at least 3"):
        first_order_of([1, 2])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, "2000", None])
def test_a_shift_that_is_no_number_is_an_error(wrong):
    with pytest.raises(InputError, match="'voxel_array_shift' parameter of region_features must be a finite float"):
        first_order_of([1, 2, 3], voxel_array_shift=wrong)


@pytest.mark.parametrize(
    ("values", "factors"), [([1.0, 2, 3, 10], (1e77, 1e150, 1e300, 1e-80, 1e-160, 1e-300)), ([7.0, 7, 7], (1e-160,))]
)
def test_intensities_whose_powers_are_beyond_double_precision_are_refused(values, factors):
    for factor in factors:
        _refused(np.array(values) * factor)


def _refused(values):
    with pytest.raises(InputError, match="fourth powers are beyond double precision.*multiply the image by a constant"):
        first_order_of(values, bin_count=4)


@pytest.mark.parametrize("factor", [1e-60, 1e60])
def test_moments_do_not_depend_on_the_unit_as_far_as_double_precision_goes(factor):
    values = np.array([1.0, 2, 3, 10, 4])
    plain, scaled = first_order_of(values, bin_count=4), first_order_of(values * factor, bin_count=4)
    for name in ("Kurtosis", "Skewness", "Entropy", "Uniformity"):
        assert scaled[name] == pytest.approx(plain[name], rel=1e-12)
    assert scaled["Variance"] == pytest.approx(plain["Variance"] * factor**2, rel=1e-12)
