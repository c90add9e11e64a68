"""The histograms of images before and after normalisation."""

import numpy as np
import pytest

import radiodeep as rd
from radiodeep.exceptions import InputError


def scanned(n_cases=3):
    """Images of one tissue at other gains."""
    rng = np.random.default_rng(0)
    images = [gain * rng.normal(100, 5, (4, 20, 20)) for gain in np.linspace(1, 3, n_cases)]
    roi = np.zeros(images[0].shape, bool)
    roi[1:3, 5:9, 5:9] = True
    return rd.Cohort([rd.Case(image, roi, f"c{n}", spacing_mm=(1, 1, 1)) for n, image in enumerate(images)])


def test_lines_are_the_shares_of_voxels_and_peaks_meet_after_normalisation():
    cohort = scanned()
    normalized = rd.IntensityNormalizer(over="image").fit_transform(cohort)
    left, right = rd.intensity_figure({"stored": cohort, "z-scores": normalized}, over="image").axes
    peaks = [[line.get_xdata()[np.argmax(line.get_ydata())] for line in axes.lines] for axes in (left, right)]
    np.testing.assert_allclose(peaks[0], [100, 200, 300], rtol=0.05)
    np.testing.assert_allclose(peaks[1], 0, atol=60)  # of a standard deviation of 100
    assert left.lines[0].get_ydata().sum() == pytest.approx(0.99, abs=0.01)
    assert (left.get_title(), right.get_title()) == ("stored", "z-scores")


def test_one_of_several_images_and_one_part_are_drawn():
    case = scanned(1)[0]
    both = case.replace(image={"T1": case.voxels, "T2": 5 * case.voxels})
    axes = rd.intensity_figure({"T2": [both]}, over="region", image="T2").axes[0]
    assert axes.get_ylabel() == "Share of voxels (region)"
    assert axes.get_xlim()[0] > 400
    flat = case.replace(image=np.ones_like(case.voxels))
    assert len(rd.intensity_figure({"flat": [flat]}, over="image").axes[0].lines) == 1


def test_what_cannot_be_drawn_is_an_error():
    with pytest.raises(InputError, match="'cohorts' parameter of intensity_figure must be a dict from titles"):
        rd.intensity_figure(scanned())
    with pytest.raises(InputError, match="'cohorts' parameter of intensity_figure must be at least one case in each"):
        rd.intensity_figure({"none": []})
    with pytest.raises(InputError, match="'over' parameter of intensity_figure must be 'body', 'image'"):
        rd.intensity_figure({"stored": scanned()}, over="head")
