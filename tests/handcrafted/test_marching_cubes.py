"""The published table makes closed surfaces."""

import numpy as np

from radiodeep.handcrafted.marching_cubes import AREA_VECTOR, CROSSES, TRIPLE


def test_a_cell_with_one_corner_has_the_triangle_that_cuts_it_off():
    assert np.abs(CROSSES[1]).tolist() == [[1, 1, 1], [0] * 3, [0] * 3, [0] * 3, [0] * 3]
    assert not CROSSES[0].any()
    assert TRIPLE[1] == 1  # six times the volume of the corner, in eighths of a voxel


def test_the_area_vectors_are_the_sums_of_the_triangles():
    np.testing.assert_array_equal(CROSSES.sum(axis=1), AREA_VECTOR)


def test_no_cell_has_more_than_five_triangles_and_each_has_an_area():
    n_triangles = CROSSES.any(axis=2).sum(axis=1)
    assert n_triangles[1:].min() == 1
    assert n_triangles.max() == 5
    for cell, n in zip(CROSSES, n_triangles, strict=True):
        assert cell[:n].any(axis=1).all()
