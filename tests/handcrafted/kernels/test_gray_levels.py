"""Grey levels of intensities between edges."""

import numpy as np

from radiodeep.handcrafted.kernels.gray_levels import assign_levels, renumber_levels


def test_levels_are_those_of_numpy_even_where_edges_are_uneven():
    generator = np.random.default_rng(0)
    edges = np.sort(generator.normal(size=30))
    values = np.concatenate([edges, np.nextafter(edges[1:], -np.inf), generator.uniform(edges[0], 3, 500)])
    volume = np.zeros(2 * values.size, np.uint16)
    positions = np.arange(values.size) * 2
    counts = assign_levels(values, edges, positions, volume)
    expected = np.digitize(values, edges)
    np.testing.assert_array_equal(volume[::2], expected)
    assert not volume[1::2].any()
    np.testing.assert_array_equal(counts, np.bincount(expected, minlength=31))


def test_levels_get_the_numbers_of_those_that_occur():
    gray = np.array([0, 5, 2, 0, 5], np.uint8)
    volume = np.zeros(5, np.uint8)
    renumber_levels(gray, np.array([1, 2, 4]), np.array([0, 0, 1, 0, 0, 2], np.uint8), volume)
    assert volume.tolist() == [0, 2, 1, 0, 2]
