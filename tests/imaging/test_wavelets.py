"""Sub-bands inside a box against those of the whole image, and by hand."""

import numpy as np
import pytest
import pywt

from radiodeep.exceptions import ImageTooLargeError, InputError
from radiodeep.imaging.filters import check_filter_settings, filter_names, filtered_images
from radiodeep.imaging.wavelets import subband_letters, wavelet_subbands


def whole_wavelet(image, wavelet, axes, levels, skipped):
    """pywt over the whole image, filled up to even sizes, as pyradiomics calls it."""
    data = np.pad(image, [(0, size % 2) for size in image.shape], "wrap")
    bands = {}
    for level in range(skipped + levels):
        parts = pywt.swtn(data, wavelet, level=1, axes=axes)[0]
        data = parts["a" * len(axes)]
        if level >= skipped:
            number = "" if level == skipped else str(level - skipped + 1)
            for name, part in parts.items():
                bands[f"wavelet{number}-{name.replace('a', 'L').replace('d', 'H')}"] = part
    return {name: part[: image.shape[0], : image.shape[1], : image.shape[2]] for name, part in bands.items()}


@pytest.mark.parametrize(
    ("settings", "axes"),
    [
        ({}, (2, 1, 0)),
        ({"wavelet": "db4"}, (2, 1, 0)),
        ({"wavelet": "bior2.4", "flat_axis": 0}, (2, 1)),
        ({"wavelet": "haar", "level": 2, "start_level": 1}, (2, 1, 0)),
        ({"level": 2}, (2, 1, 0)),
        ({"wavelet": "db2", "level": 3}, (2, 1, 0)),
        ({"wavelet": "bior1.3", "level": 1, "start_level": 2, "flat_axis": 0}, (2, 1)),
    ],
)
def test_wavelet_subbands_are_those_of_the_whole_image_going_on_periodically(image, box, settings, axes, derived):
    expected = whole_wavelet(
        image, settings.get("wavelet", "coif1"), axes, settings.get("level", 1), settings.get("start_level", 0)
    )
    images = derived(image, box, "Wavelet", **settings)
    assert set(images) <= set(expected)
    for name, values in images.items():
        assert values.dtype == expected[name].dtype
        size = np.abs(expected[name]).max()
        np.testing.assert_allclose(values, expected[name][box], rtol=0, atol=size * 1e-5)


def test_two_levels_of_the_haar_wavelet_give_what_a_hand_gives():
    image = np.array([[[8.0, 2.0, 4.0, 0.0, 6.0, 2.0]]])
    everything = (slice(0, 1), slice(0, 1), slice(0, 6))
    details, further_details, approximation = wavelet_subbands(image, everything, pywt.Wavelet("haar"), [2], levels=2)
    # Each level takes sums and differences of neighbours, over the square root of 2; the first voxel follows the last.
    sums = np.array([10, 6, 4, 6, 8, 10]) / np.sqrt(2)
    np.testing.assert_allclose(details.ravel(), np.array([6, -2, 4, -6, 4, -6]) / np.sqrt(2))
    np.testing.assert_allclose(further_details.ravel(), (sums - np.roll(sums, -1)) / np.sqrt(2))
    np.testing.assert_allclose(approximation.ravel(), (sums + np.roll(sums, -1)) / np.sqrt(2))


def test_details_of_skipped_levels_are_left_out(box, image):
    wavelet = pywt.Wavelet("db2")
    every_level = wavelet_subbands(image, box, wavelet, (2, 1, 0), levels=3)
    last_level = wavelet_subbands(image, box, wavelet, (2, 1, 0), levels=1, skipped_levels=2)
    assert [len(every_level), len(last_level)] == [3 * 7 + 1, 8]
    for kept, expected in zip(last_level, every_level[-8:], strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_the_approximation_is_the_first_subband():
    assert subband_letters(1) == ["L", "H"]
    assert subband_letters(3)[0] == "LLL"
    assert len(set(subband_letters(3))) == 8


def test_an_approximation_is_given_for_the_last_level_only():
    names = filter_names("Wavelet", {"level": 2})
    assert len(names) == 15
    assert names[0] == "wavelet-LLH"
    assert names[7] == "wavelet2-LLH"
    assert names[-1] == "wavelet2-LLL"


@pytest.mark.parametrize("name", ["level", "start_level"])
def test_more_wavelet_levels_than_an_image_has_scales_are_refused(name):
    check_filter_settings("Wavelet", {name: 10})
    for wrong in (11, 50):
        with pytest.raises(
            InputError, match=f"'{name}' parameter of the image type Wavelet must be an int from . to 10. Got"
        ):
            check_filter_settings("Wavelet", {name: wrong})


def test_a_wavelet_that_reaches_too_far_is_refused_before_it_is_tried(monkeypatch, spacing_mm):
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", "1")
    image, box = np.zeros((40, 40, 40)), (slice(0, 40),) * 3
    with pytest.raises(ImageTooLargeError, match="20 levels of the wavelet db38 .* fewer levels or a shorter wavelet"):
        list(filtered_images(image, box, spacing_mm, "Wavelet", {"wavelet": "db38", "level": 10, "start_level": 10}))
