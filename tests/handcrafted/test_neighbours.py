"""Steps to neighbours, and what the texture families share, against slow plain versions."""

import numpy as np
import pytest
from scipy import ndimage

from radiodeep.exceptions import InputError
from radiodeep.handcrafted import neighbours
from radiodeep.handcrafted.measurement import region_features
from radiodeep.handcrafted.neighbours import directions, group_representatives, step_lengths


@pytest.mark.parametrize(("distances", "n_directions"), [((1,), 13), ((2,), 49), ((1, 3), 13 + 109)])
def test_directions_take_one_of_each_pair_of_opposite_steps(distances, n_directions):
    steps = directions(distances)
    assert len(steps) == n_directions
    both = {tuple(step) for step in np.concatenate([steps, -steps])}
    assert len(both) == 2 * n_directions
    assert {max(map(abs, step)) for step in both} == set(distances)


@pytest.mark.parametrize("distances", [(1,), (2,), (1, 2)])
@pytest.mark.parametrize("n_bytes", [2**26, 2000])
def test_pairs_are_those_of_a_count_voxel_by_voxel(neighbourhoods_of, plain_tables, monkeypatch, distances, n_bytes):
    monkeypatch.setattr(neighbours, "_TABLE_BYTES", n_bytes)  # the smaller one splits the directions
    generator = np.random.default_rng(5)
    image = generator.integers(1, 6, size=(4, 6, 5))
    mask = generator.random(image.shape) < 0.7
    parts = list(neighbourhoods_of(image, mask, distances=distances).pairs())
    assert (len(parts) == 1) == (n_bytes == 2**26)
    steps = np.concatenate([part.steps for part in parts])
    np.testing.assert_array_equal(steps, directions(distances))
    counts = np.concatenate([part.counts for part in parts])
    np.testing.assert_array_equal(counts[:, 1:, 1:], plain_tables(image, mask, steps))


def test_shared_tables_are_calculated_once(neighbourhoods_of):
    image = np.random.default_rng(0).integers(1, 5, (3, 4, 5))
    neighbourhoods = neighbourhoods_of(image, image > 0)
    assert neighbourhoods.equal_links is neighbourhoods.equal_links
    assert next(neighbourhoods.pairs()).counts is neighbourhoods.direct_pairs[0].counts
    assert neighbourhoods.dependence is neighbourhoods.dependence
    assert neighbourhoods.differences is neighbourhoods.differences


@pytest.mark.parametrize(("distances", "alpha", "flat_axis"), [((1,), 0, None), ((1,), 1, 0), ((2,), 3, None)])
def test_dependences_and_tone_differences_are_those_of_every_neighbour(
    image_and_mask, neighbourhoods_of, distances, alpha, flat_axis
):
    image, mask = image_and_mask
    neighbourhoods = neighbourhoods_of(image, mask, flat_axis, distances, alpha)
    dependence = np.zeros_like(neighbourhoods.dependence)
    differences = np.zeros_like(neighbourhoods.differences)
    steps = directions(distances, flat_axis)
    for place in map(tuple, np.argwhere(mask)):
        row = np.searchsorted(neighbourhoods.levels.values, image[place] - image[mask].min() + 1)
        around = [tuple(np.add(place, step)) for step in (*steps, *-steps)]
        is_inside = [all(0 <= p < n for p, n in zip(other, mask.shape, strict=True)) for other in around]
        values = np.array([image[p] for p, inside in zip(around, is_inside, strict=True) if inside and mask[p]])
        dependence[row, (abs(values - image[place]) <= alpha).sum()] += 1
        differences[row] += abs(image[place] - values.mean()) if values.size else 0
    np.testing.assert_array_equal(neighbourhoods.dependence, dependence)
    np.testing.assert_allclose(neighbourhoods.differences, differences, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("norm", "lengths"),
    [("infinity", [4, 3]), ("euclidean", [5, 3]), ("manhattan", [7, 3]), ("no_weighting", [1, 1])],
)
def test_the_length_of_a_step_is_that_of_its_norm(norm, lengths):
    steps = np.array([[1, -1, 0], [0, 1, 0]])
    assert step_lengths(steps, np.array([4.0, 3.0, 1.0]), norm).tolist() == lengths


def test_one_neighbour_of_each_touching_group_is_asked():
    table = group_representatives()
    steps = directions((1,))
    for pattern in np.random.default_rng(0).integers(0, len(table), 300):
        places = steps[[k for k in range(13) if pattern >> k & 1]]
        grid = np.zeros((3, 3, 3), bool)
        grid[tuple(1 - places.T)] = True
        labels, n_groups = ndimage.label(grid, np.ones((3, 3, 3)))
        asked = steps[[k for k in range(13) if table[pattern] >> k & 1]]
        assert sorted(labels[tuple(1 - asked.T)]) == list(range(1, n_groups + 1))


@pytest.mark.parametrize("wrong", [(), (0,), (21,), (1.5,), (True,), 1, "1", None])
def test_distances_that_are_no_steps_are_an_error(lesion, wrong):
    with pytest.raises(InputError, match="'distances' parameter of region_features must be ints from 1 to 20"):
        region_features(*lesion, distances=wrong)


def test_a_norm_that_is_not_known_is_an_error_that_lists_those_that_are(lesion):
    with pytest.raises(InputError, match="'weighting_norm' parameter of region_features must be None or one of infin"):
        region_features(*lesion, weighting_norm="taxicab")
