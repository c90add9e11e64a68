"""Responses pooled over rotations against the responses to every rotated kernel, one after the other."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from radiodeep.imaging.ibsi_filters.rotations import rotated_responses, rotations
from radiodeep.imaging.ibsi_filters.separable import line_filter

KERNELS = {
    "even": np.array([1.0, 3.0, 1.0]),
    "odd": np.array([-1.0, 0.0, 1.0]),
    "neither": np.array([0.5, 2.0, -1.0]),
    "even length": np.array([1.0, 2.0]),
}
POOL = {"average": lambda maps: np.mean(maps, axis=0), "max": np.maximum.reduce, "min": np.minimum.reduce}


def dense(names):
    """Return a kernel with as many axes as names, the last of them for the first name (x)."""
    kernel = np.ones(())
    for name in reversed(names):
        line = KERNELS[name]
        line = line if len(line) == 3 else np.append(line, 0.0)
        kernel = np.multiply.outer(kernel, line)
    return kernel


def rotated(kernel):
    """Return a kernel in all its rotations by right angles, made by numpy.rot90."""
    if kernel.ndim == 2:
        return [np.rot90(kernel, turns) for turns in range(4)]
    ways = {key(turns): _turned(kernel, turns) for turns in itertools.product(range(4), repeat=3)}
    assert len(ways) == 24
    return list(ways.values())


def _turned(array, turns):
    for n_turns, plane in zip(turns, ((0, 1), (1, 2), (0, 2)), strict=True):
        array = np.rot90(array, n_turns, plane)
    return array


def key(turns):
    """Return what tells rotations apart: where they move the corners of a cube."""
    return tuple(_turned(np.arange(8).reshape(2, 2, 2), turns).ravel())


def chains_of(names):
    return tuple((line_filter(KERNELS[name]),) for name in names)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(6, 7, 5))


def test_there_are_4_rotations_of_a_square_and_24_of_a_cube():
    assert len(set(rotations(2))) == 4
    assert len(set(rotations(3))) == 24


@pytest.mark.parametrize("pooling", POOL)
@pytest.mark.parametrize(
    "names",
    [
        ("even", "odd", "odd"),
        ("even", "even", "odd"),
        ("odd", "odd", "odd"),
        ("neither", "even", "odd"),
        ("neither", "neither", "even length"),
        ("even length", "even", "neither"),
        ("even", "even", "even"),
    ],
)
def test_responses_are_those_of_all_rotated_kernels(image, pooling, names):
    maps = [ndimage.convolve(image, kernel, mode="reflect") for kernel in rotated(dense(names))]
    sides = tuple(range(n) for n in image.shape)
    response = rotated_responses(image, sides, chains_of(names), (2, 1, 0), "mirror", pooling)
    np.testing.assert_allclose(response, POOL[pooling](maps), atol=1e-12)


@pytest.mark.parametrize("pooling", POOL)
@pytest.mark.parametrize("across", [0, 1, 2])
@pytest.mark.parametrize("names", [("even", "odd"), ("neither", "even length"), ("odd", "odd")])
def test_slices_are_filtered_by_themselves(image, pooling, across, names):
    axes = tuple(axis for axis in (2, 1, 0) if axis != across)
    maps = [ndimage.convolve(image, np.expand_dims(kernel, across), mode="reflect") for kernel in rotated(dense(names))]
    sides = tuple(range(n) for n in image.shape)
    response = rotated_responses(image, sides, chains_of(names), axes, "mirror", pooling)
    np.testing.assert_allclose(response, POOL[pooling](maps), atol=1e-12)


def test_without_pooling_the_first_kernel_is_along_x(image):
    sides = tuple(range(n) for n in image.shape)
    names = ("neither", "odd", "even")
    response = rotated_responses(image, sides, chains_of(names), (2, 1, 0), "mirror", None)
    np.testing.assert_allclose(response, ndimage.convolve(image, dense(names), mode="reflect"), atol=1e-12)


def test_a_chain_is_rotated_as_a_whole(image):
    chains = tuple((line_filter(KERNELS["even length"]), line_filter(KERNELS["neither"], 2)) for _ in range(3))
    composite = np.convolve([1.0, 2.0, 0.0], [0.5, 0.0, 2.0, 0.0, -1.0])
    kernel = np.einsum("i,j,k", composite, composite, composite)
    maps = [ndimage.convolve(image, each, mode="wrap") for each in rotated(kernel)]
    sides = tuple(range(n) for n in image.shape)
    response = rotated_responses(image, sides, chains, (2, 1, 0), "periodic", "average")
    np.testing.assert_allclose(response, np.mean(maps, axis=0), atol=1e-12)
