"""A convention decides bins, kurtosis, grid, rounding and names; one is made up here, so that each can be told."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kurtosis

from radiodeep import Case, RadiomicsExtractor
from radiodeep.features.radiomics.settings import RadiomicsSettings
from radiodeep.handcrafted.conventions import PYRADIOMICS
from radiodeep.handcrafted.first_order import first_order_features
from radiodeep.handcrafted.gray_levels import discretise
from radiodeep.handcrafted.region import crop_region

FROM_MINIMUM = replace(
    PYRADIOMICS,
    name="from minimum",
    first_edge=lambda minimum, bin_width: minimum,
    n_bins=lambda minimum, maximum, bin_width: (maximum - minimum) // bin_width + 1,
    kurtosis_of_normal=0.0,
    to_integers=np.round,
    column_name=lambda image, family, name: f"{family}.{name}",
)


@pytest.fixture
def region():
    image = np.array([[[-1.0, 0, 23, 25, 120]]])
    return crop_region(image, image < 200, (1, 1, 1))


def test_bins_of_pyradiomics_have_edges_at_multiples_of_the_width(region):
    assert discretise(region, bin_width=25).values.tolist() == [1, 2, 3, 6]
    assert PYRADIOMICS.n_bins(-1, 120, 25) == 6


def test_bins_of_another_convention_have_its_edges(region):
    levels = discretise(region, bin_width=25, convention=FROM_MINIMUM)
    assert levels.values.tolist() == [1, 2, 5]
    assert levels.counts.tolist() == [3, 1, 1]


@pytest.mark.parametrize(("convention", "is_excess"), [(PYRADIOMICS, False), (FROM_MINIMUM, True)])
def test_kurtosis_of_a_normal_distribution_is_that_of_the_convention(convention, is_excess):
    image = np.random.default_rng(0).normal(50, 20, (6, 9, 9))
    region = crop_region(image, image < 70, (1, 1, 1))
    values = first_order_features(region, discretise(region), convention=convention)
    assert values[5] == pytest.approx(kurtosis(image[image < 70], fisher=is_excess))


def test_the_extractor_hands_its_convention_on(monkeypatch):
    generator = np.random.default_rng(1)
    case = Case(generator.integers(0, 90, (6, 9, 9)), np.ones((6, 9, 9), bool), "c", spacing_mm=(1, 1, 1))
    extractor = RadiomicsExtractor(families=["firstorder"], resample_mm=1.7, interpolator="linear")
    before = extractor.transform([case])[0]
    monkeypatch.setattr(RadiomicsSettings, "definitions", FROM_MINIMUM)
    extractor.set_params(max_gray_levels=1000)  # equal parameters share what was derived from them before
    names = extractor.get_feature_names_out().tolist()
    after = extractor.transform([case])[0]
    assert names[5] == "firstorder.Kurtosis"
    assert after[5] < before[5] - 2.5  # the excess
    mean = names.index("firstorder.Mean")
    assert after[mean] - before[mean] == pytest.approx(0.5, abs=0.1)  # integers are rounded, not cut off
