"""All texture tables in one compiled function."""

import numpy as np
import pytest

from radiodeep.handcrafted.kernels.texture import describe_texture
from radiodeep.handcrafted.neighbours import group_representatives


@pytest.mark.parametrize(("columns", "is_complete"), [([1, 2], True), ([1], False)])
def test_a_direction_without_a_pair_is_reported(columns, is_complete):
    """In a slice of 2 x 2 pixels all four directions hold a pair; in one column, three do not."""
    volume = np.zeros((4, 4), np.uint8)
    volume[1:3, columns] = 1
    volume = np.pad(volume[np.newaxis], ((1, 1), (0, 0), (0, 0)))
    flat = volume.reshape(-1)
    positions = np.flatnonzero(flat)
    offsets = np.array([5, 4, 3, 1])
    around = np.concatenate([offsets, -offsets])
    levels = np.array([1])
    counts = np.array([positions.size])
    representatives = group_representatives(flat_axis=0)
    *_, complete = describe_texture(flat, flat, positions, levels, counts, offsets, around, representatives, 2, True, 0)
    assert complete == is_complete
