import numpy as np
import pytest
from scipy.ndimage import binary_erosion

import radiodeep as rd
from radiodeep.models.lesion_windows import case_of_window, windows_of


@pytest.fixture
def ellipse():
    rows, columns = np.mgrid[:60, :80]
    roi = ((rows - 30) / 12) ** 2 + ((columns - 35) / 20) ** 2 <= 1
    return rd.Case(np.where(roi, 3.5 + columns / 40, 1.0), roi, "ellipse", (0.9, 0.7))


def returned(case, size=64):
    windows = windows_of([case], size, 0.25)
    arguments = windows.images[0].astype(float), windows.facts[0], windows.spacings_mm[0]
    return case_of_window(*arguments, windows.limits, windows.are_integers, id="back")


def test_a_window_becomes_the_lesion_that_it_was_cut_from(ellipse):
    back = returned(ellipse)
    assert back.spacing_mm == ellipse.spacing_mm
    assert back.roi_size_mm == pytest.approx(ellipse.roi_size_mm, rel=0.05)
    assert back.voxels[back.roi].mean() == pytest.approx(ellipse.voxels[ellipse.roi].mean(), rel=0.05)
    inside = binary_erosion(back.roi[0], iterations=3)
    assert np.corrcoef(np.nonzero(inside)[1], back.voxels[0][inside])[0, 1] > 0.95  # brighter to the right


def test_a_region_that_is_the_whole_picture_has_no_margin():
    picture = rd.Case(np.arange(28 * 28).reshape(28, 28), np.ones((28, 28)), "picture", (1, 1))
    windows = windows_of([picture], 28, 0.25)
    assert (windows.images[0, 1] == 1).all()
    assert np.exp(windows.facts[0, 0]) == pytest.approx(28)
    assert returned(picture, 28).roi.all()


def test_beyond_the_image_there_is_no_region():
    roi = np.zeros((20, 20), bool)
    roi[:10] = True
    window = windows_of([rd.Case(np.eye(20), roi, "at the edge", (1, 1))], 32, 0.5).images[0, 1]
    share = (window + 1) / 2
    assert share.sum() * (40 / 32) ** 2 == pytest.approx(200, rel=0.08)


def test_only_the_largest_part_of_a_mask_counts_without_its_holes():
    mask = -np.ones((32, 32))
    mask[4:20, 4:20] = 1
    mask[10:12, 10:12] = -1
    mask[26:30, 26:30] = 1
    image = np.stack([np.linspace(-1, 1, 1024).reshape(32, 32), mask])
    case = case_of_window(image, [np.log(32), 0, 0], (1.0, 1.0, 1.0), (-1, 2), False, id="part")
    assert case.roi.sum() == 256
    empty = np.stack([image[0], -np.ones((32, 32))])
    assert case_of_window(empty, [np.log(32), 0, 0], (1.0, 1.0, 1.0), (-1, 2), False, id="part") is None
    flat = np.stack([np.zeros((32, 32)), mask])
    assert case_of_window(flat, [np.log(32), 0, 0], (1.0, 1.0, 1.0), (-1, 2), False, id="part") is None


def test_intensities_beyond_the_limits_are_squeezed_without_plateaus():
    ramp = np.stack([np.linspace(-1.5, 1.5, 1024).reshape(32, 32), np.ones((32, 32))])
    voxels = case_of_window(ramp, [np.log(32), 0, np.log(100)], (1.0, 1.0, 1.0), (20, 90), False, id="ramp").voxels
    assert (voxels.min(), voxels.max()) == (20, 90)
    assert len(np.unique(voxels)) == 1024
    inside = case_of_window(ramp, [np.log(32), 0, 0], (1.0, 1.0, 1.0), (-9, 9), False, id="ramp").voxels
    assert (inside.min(), inside.max()) == pytest.approx((-0.4, 1.4))
