"""Images and boxes for the tests of filters."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from radiodeep.imaging.filters import filter_names, filtered_images

SPACING_MM = (2.5, 0.8, 0.9)
BOXES = {
    "inside": (slice(5, 9), slice(8, 17), slice(7, 19)),
    "in a corner": (slice(0, 4), slice(0, 9), slice(0, 11)),
    "at the far end": (slice(9, 15), slice(20, 31), slice(14, 26)),
    "everything": (slice(0, 15), slice(0, 31), slice(0, 26)),
}


@pytest.fixture(params=[np.int16, np.float32, np.float64])
def image(request):
    noise = gaussian_filter(np.random.default_rng(3).normal(size=(15, 31, 26)), 1)
    return (noise / noise.std() * 200 + 300).astype(request.param)


@pytest.fixture(params=BOXES)
def box(request):
    return BOXES[request.param]


@pytest.fixture(scope="session")
def inner_box():
    return BOXES["inside"]


@pytest.fixture
def counts():
    """Whole numbers that an unsigned byte holds."""
    noise = gaussian_filter(np.random.default_rng(5).normal(size=(14, 20, 22)), 1)
    return np.clip(np.round(noise / noise.std() * 40 + 120), 0, 255)


@pytest.fixture(scope="session")
def spacing_mm():
    return SPACING_MM


@pytest.fixture(scope="session")
def derived():
    """A function (image, box, image type, **settings) -> dict from name to derived image in the box."""

    def derive(image, box, image_type, flat_axis=None, slice_axis=0, **settings):
        roi = np.ones([side.stop - side.start for side in box], bool)
        images = dict(filtered_images(image, box, SPACING_MM, image_type, settings, flat_axis, roi, slice_axis))
        assert list(images) == filter_names(image_type, settings, flat_axis)
        assert all(values.shape == roi.shape for values in images.values())
        return images

    return derive
