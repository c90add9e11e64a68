"""Grids are compared to 1/20 of a voxel; axes have names."""

import nibabel
import numpy as np
import pytest

from radiodeep.cases.volume import Volume, check_same_grid
from radiodeep.exceptions import GeometryMismatchError, RadiodeepWarning


def volume(spacing_mm=(2.5, 0.7, 0.7), origin_mm=(10.0, -20.0, 30.0), direction=None, shape=(12, 32, 32)):
    direction = np.eye(3) if direction is None else direction
    return Volume(np.zeros(shape, np.uint8), spacing_mm, np.array(origin_mm), direction)


def test_rounding_of_headers_is_allowed():
    check_same_grid(volume(), volume(spacing_mm=(2.5, 0.7, 0.7001)), "c")


@pytest.mark.parametrize("changes", [{"spacing_mm": (2.5, 0.701, 0.701)}, {"origin_mm": (10.034, -20.0, 30.0)}])
def test_up_to_a_twentieth_of_a_voxel_is_allowed_and_said(changes):
    with pytest.warns(
        RadiodeepWarning, match=r"c: image and mask lie up to 0\.03. mm apart, less than 1/20 of a voxel"
    ):
        check_same_grid(volume(), volume(**changes), "c")


@pytest.mark.parametrize(
    "changes",
    [
        {"spacing_mm": (2.5, 0.702, 0.702)},
        {"spacing_mm": (2.51, 0.7, 0.7)},
        {"origin_mm": (10.036, -20.0, 30.0)},
        {"direction": np.array([[1, 0.01, 0], [-0.01, 1, 0], [0, 0, 1]])},
        {"origin_mm": (np.nan, 0, 0)},
    ],
)
def test_more_than_a_twentieth_of_a_voxel_is_refused(changes):
    with pytest.raises(GeometryMismatchError, match=r"c: image and mask lie up to .* Expected at most 0\.035 mm"):
        check_same_grid(volume(), volume(**changes), "c")


def test_orientation_names_where_the_index_axes_point_to():
    assert volume().orientation == "LPS"
    assert volume(direction=np.diag([-1.0, -1, 1])).orientation == "RAS"
    sagittal = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
    assert volume(direction=sagittal).orientation == "PIL"
    turned = np.array([[0.9, -0.436, 0], [0.436, 0.9, 0], [0, 0, -1]])
    assert volume(direction=turned).orientation == "LPI"
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-1, -1, 1]) @ turned
    assert "".join(nibabel.aff2axcodes(affine)) == "LPI"
