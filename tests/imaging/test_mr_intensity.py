"""Images on a scale of their own tissue: the published formulas, and what gain and offset of a scanner change."""

from functools import partial

import numpy as np
import pytest
from scipy.interpolate import interp1d

from radiodeep.cases.case import Case
from radiodeep.exceptions import GeometryMismatchError, InputError, RadiodeepWarning, RoiTooSmallError
from radiodeep.imaging import mr_intensity
from radiodeep.imaging.mr_intensity import (
    NYUL_PERCENTILES,
    histogram_peak,
    is_part,
    nyul_landmarks,
    nyul_scale,
    on_nyul_scale,
    part_values,
    white_stripe,
)

AIR, GREY, WHITE, LESION = 5.0, 300.0, 500.0, 700.0


@pytest.fixture(scope="module")
def brain():
    """A lesion: air around a head of grey and white matter, and a bright lesion in it."""
    rng = np.random.default_rng(0)
    image = np.abs(rng.normal(AIR, 2, (12, 40, 40)))
    image[:, 8:32, 8:32] = rng.normal(GREY, 20, (12, 24, 24))
    image[:, 12:28, 12:30] = rng.normal(WHITE, 15, (12, 16, 18))
    roi = np.zeros(image.shape, bool)
    roi[4:8, 18:22, 18:22] = True
    image[roi] = rng.normal(LESION, 30, roi.sum())
    return Case(image, roi, "brain", spacing_mm=(3, 1, 1)).lesion()


SCALED = {
    "zscore": lambda image, values: mr_intensity.z_scores(image, values, 100),
    "whitestripe": partial(white_stripe, scale=100),
    "nyul": lambda image, values: on_nyul_scale(image, nyul_landmarks(values), np.linspace(0, 900, 11) ** 1.1),
}


@pytest.mark.filterwarnings("ignore:image. the last peak:radiodeep.exceptions.RadiodeepWarning")  # of air, or cut
@pytest.mark.parametrize("method", SCALED)
@pytest.mark.parametrize("over", ["image", "body", "outside", "region", (60, 95)])
def test_gain_and_offset_of_a_scanner_change_nothing(brain, method, over):
    expected = SCALED[method](brain.voxels, part_values(brain, over))
    other = brain.replace(image=3.7 * brain.voxels + 41)
    np.testing.assert_allclose(SCALED[method](other.voxels, part_values(other, over)), expected, atol=1e-6)


@pytest.mark.parametrize("over", ["image", "body", (60, 95)])
def test_a_gain_changes_nothing_of_an_image_over_its_reference_tissue(brain, over):
    expected = mr_intensity.over_reference(brain.voxels, part_values(brain, over), 1000)
    other = brain.replace(image=3.7 * brain.voxels)
    values = part_values(other, over)
    np.testing.assert_allclose(mr_intensity.over_reference(other.voxels, values, 1000), expected)
    assert mr_intensity.over_reference(values, values, 1000).mean() == pytest.approx(1000)


def test_z_scores_have_the_mean_and_deviation_of_the_part(brain):
    values = part_values(brain, "outside")
    scores = mr_intensity.z_scores(values, values, 100)
    assert (scores.mean(), scores.std(ddof=1)) == (pytest.approx(0), pytest.approx(100))


def test_parts_are_the_tissues_that_they_name(brain):
    head = np.zeros(brain.roi.shape, bool)
    head[:, 8:32, 8:32] = True
    assert part_values(brain, "image").size == brain.voxels.size
    np.testing.assert_array_equal(part_values(brain, "body"), brain.voxels[head])
    np.testing.assert_array_equal(part_values(brain, "outside"), brain.voxels[head & ~brain.roi])
    np.testing.assert_array_equal(part_values(brain, "region"), brain.voxels[brain.roi])
    white = part_values(brain, (50, 95))
    assert white.mean() == pytest.approx(WHITE, rel=0.01)
    assert white.size == pytest.approx(0.45 * head.sum(), rel=0.01)
    np.testing.assert_array_equal(part_values(brain, "body", mask=brain.roi), brain.voxels[brain.roi])


@pytest.mark.parametrize("over", ["body", "outside"])
def test_a_background_of_tissue_causes_a_warning(brain, over):
    crop = brain.replace(image=brain.voxels[:, 8:32, 8:32], mask=brain.roi[:, 8:32, 8:32])
    with pytest.warns(RadiodeepWarning, match=f"brain: the dark voxels that over='{over}' leaves out .* are 6.% as"):
        part_values(crop, over)
    part_values(crop, (50, 99))  # no warning: bright tissue was asked for
    part_values(crop.replace(image=crop.voxels - 600), over)  # no warning: after a shift nothing is known of air


def test_voxels_that_are_not_finite_belong_to_no_part(brain):
    image = brain.voxels.copy()
    image[0, 0, 0], image[0, 20, 20] = np.nan, np.inf
    gaps = brain.replace(image=image)
    for over in ("image", "body", "outside", (1, 99)):
        values = part_values(gaps, over)
        assert np.isfinite(values).all()
        assert values.size <= part_values(brain, over).size
    assert np.isfinite(part_values(gaps, mask=np.ones(image.shape, bool))).all()


def test_a_part_without_voxels_and_a_mask_of_another_shape_are_errors(brain):
    whole = brain.replace(mask=np.ones_like(brain.roi))
    with pytest.raises(RoiTooSmallError, match="over='outside', has 0 voxels. Expected at least 2"):
        part_values(whole, "outside")
    flat = brain.replace(image=np.full(brain.roi.shape, 7.0))
    with pytest.raises(RoiTooSmallError, match="over='body', has 0 voxels.*over='image' for an image without air"):
        part_values(flat, "body")
    with pytest.raises(RoiTooSmallError, match=r"over=\(10, 90\), has 0 voxels"):
        part_values(flat, (10, 90))
    with pytest.raises(GeometryMismatchError, match=r"has shape \(2, 2, 2\), the image \(12, 40, 40\)"):
        part_values(brain, mask=np.ones((2, 2, 2), bool))


@pytest.mark.parametrize("over", ["body", (0, 100), (1.5, 99.0)])
def test_what_names_a_part(over):
    assert is_part(over)


@pytest.mark.parametrize("over", ["muscle", (-1, 50), (50, 101), (90, 10), 50, None, (1, 2, 3)])
def test_what_names_no_part(over):
    assert not is_part(over)


@pytest.mark.parametrize(("peak", "expected"), [("first", 100), ("last", 500), ("largest", 300)])
def test_peaks_of_a_mixture_are_found_and_small_ones_do_not_count(peak, expected):
    rng = np.random.default_rng(0)
    values = [rng.normal(at, 15, n) for at, n in ((100, 30_000), (300, 60_000), (500, 40_000), (800, 4_000))]
    values = np.concatenate([*values, rng.normal(20, 5, 1_000)])
    assert histogram_peak(values, peak) == pytest.approx(expected, abs=4)
    assert histogram_peak(values * 2 + 9, peak) == pytest.approx(2 * histogram_peak(values, peak) + 9, abs=1e-6)


def test_a_peak_at_the_end_of_the_range_and_a_constant_are_found():
    values = np.concatenate([np.zeros(900), np.linspace(1, 100, 100)])
    assert histogram_peak(values, "largest") == pytest.approx(0, abs=0.1)
    assert histogram_peak(np.full(9, 4.0)) == 4


def test_a_white_stripe_is_the_white_matter(brain):
    values = part_values(brain, "body")
    mode = histogram_peak(values, "last")
    assert mode == pytest.approx(WHITE, abs=8)
    half_bin = np.ptp(np.percentile(values, [0.1, 99.9])) / 2000
    share = np.mean([np.mean(values < mode - half_bin), np.mean(values <= mode + half_bin)])
    low, high = np.quantile(values, [share - 0.05, share + 0.05])
    stripe = values[(values >= low) & (values <= high)]
    expected = (brain.voxels - stripe.mean()) / stripe.std(ddof=1)  # Shinohara et al.
    np.testing.assert_allclose(white_stripe(brain.voxels, values), expected)
    assert not np.allclose(white_stripe(brain.voxels, values, width=0.1), expected)
    grey = white_stripe(GREY, values, peak="first")
    assert abs(grey) < 1
    assert white_stripe(GREY, values) < -10


def test_a_peak_in_the_last_percent_has_a_stripe_up_to_the_end_and_causes_a_warning():
    values = np.concatenate([np.linspace(0, 1, 1000), np.linspace(0.99, 1.0, 3000)])
    with pytest.warns(RadiodeepWarning, match="P-7: the largest peak of .* at the upper end of the intensities"):
        assert np.isfinite(white_stripe(values, values, peak="largest", id="P-7")).all()


def test_a_peak_in_the_first_percent_has_a_stripe_down_to_the_end():
    values = np.concatenate([np.linspace(0, 0.01, 10), np.linspace(0.02, 1, 3000) ** 0.5])
    with pytest.warns(RadiodeepWarning, match="image: the first peak"):
        white_stripe(values, np.concatenate([np.linspace(0, 0.01, 3000), values]), peak="first", width=0.5)


def test_a_stripe_of_background_causes_a_warning_and_one_inside_the_histogram_does_not(brain):
    values = part_values(brain, "image")
    with pytest.warns(RadiodeepWarning, match="image: the last peak of the histogram lies at .*, at the lower end"):
        white_stripe(brain.voxels, values)  # of air, so high a peak that those of tissues do not count
    white_stripe(brain.voxels, part_values(brain, "body"))


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])  # of 0.1 the computed deviation is not 0
def test_a_part_or_a_stripe_of_one_intensity_is_an_error(value):
    constant = np.full(1000, value)
    for method in (mr_intensity.z_scores, white_stripe):
        with pytest.raises(InputError, match="all 1000 voxels that set the scale of the image have the intensity"):
            method(constant, constant)
    stored = np.repeat([100, 180, 260], [100, 800, 100])  # e.g. 8 bits, most voxels at one level
    with pytest.raises(InputError, match="all 800 voxels that set the scale .* of a white stripe a larger 'width'"):
        white_stripe(stored, stored, peak="largest")


def test_levels_of_a_coarse_image_are_no_peaks():
    values = np.round(np.random.default_rng(0).normal(8, 2, 20_000))
    peaks = [histogram_peak(values, peak) for peak in mr_intensity.PEAKS]
    np.testing.assert_allclose(peaks, 8, atol=0.2)


def test_nyul_is_the_published_piecewise_linear_map(brain):
    rng = np.random.default_rng(1)
    images = [brain.voxels[brain.voxels > 100] * gain + rng.normal(0, 9) for gain in (0.6, 1.0, 2.3)]
    landmarks = [nyul_landmarks(image) for image in images]
    scale = nyul_scale(landmarks, (1, 100))
    slow = np.zeros(11)
    for image in images:  # Nyúl, Udupa: to the range by the first and last percentile, then the mean over images
        ends = np.percentile(image, [1, 99])
        slow += interp1d(ends, [1, 100], fill_value="extrapolate")(np.percentile(image, NYUL_PERCENTILES)) / 3
    np.testing.assert_allclose(scale, slow)
    expected = interp1d(landmarks[2], slow, fill_value="extrapolate")(brain.voxels)
    np.testing.assert_allclose(on_nyul_scale(brain.voxels, landmarks[2], scale), expected)


def test_landmarks_on_the_standard_scale_are_the_standard(brain):
    values = part_values(brain, "body")
    scale = np.linspace(3, 80, 11)
    mapped = on_nyul_scale(values, nyul_landmarks(values), scale)
    np.testing.assert_allclose(np.percentile(mapped, NYUL_PERCENTILES), scale, rtol=1e-2)


def test_equal_landmarks_come_to_the_mean_of_theirs():
    np.testing.assert_allclose(on_nyul_scale([0, 5, 10], [0, 0, 10], [0, 20, 60]), [10, 35, 60])
    with pytest.raises(InputError, match="1 to 99 % of the part .* are 7. Expected different intensities"):
        nyul_landmarks(np.full(50, 7.0))


def test_a_reference_tissue_without_positive_mean_is_an_error():
    with pytest.raises(InputError, match="the mean of the reference tissue is -2. Expected one > 0"):
        mr_intensity.over_reference(np.ones(3), np.array([-1.0, -3.0]))
