"""Separable filters inside a box against convolutions of padded images."""

import numpy as np
import pytest
from scipy import ndimage

from radiodeep.imaging.ibsi_filters.boundary import BOUNDARIES
from radiodeep.imaging.ibsi_filters.separable import (
    line_filter,
    negated,
    pooled_products,
    reversed_steps,
    sum_of_products,
)

MODE_OF_PAD = {"mirror": "symmetric", "nearest": "edge", "periodic": "wrap", "zero": "constant"}
KERNELS = [np.array([1.0, -2.0, 3.0]), np.array([2.0, 0.5]), np.array([0.0, 1.0, 4.0, -1.0, 0.25])]


def convolved(image, kernel, axis, boundary):
    """Pad by the boundary rule and add up the shifted images."""
    n = len(kernel)
    margins = [(n, n) if each == axis else (0, 0) for each in range(3)]
    padded = np.pad(image, margins, mode=MODE_OF_PAD[boundary])
    total = np.zeros(image.shape)
    for j, weight in enumerate(kernel):
        total += weight * np.take(padded, np.arange(image.shape[axis]) + n - (j - n // 2), axis)
    return total


def line(*kernels):
    return ((1.0, tuple(map(line_filter, kernels))),)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(6, 7, 9))


@pytest.fixture
def whole(image):
    return tuple(range(n) for n in image.shape)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_filter_along_an_axis_is_a_convolution_of_the_padded_image(image, whole, boundary, axis, kernel):
    lines = tuple(line(kernel) if each == axis else None for each in range(3))
    response = sum_of_products(image, whole, [lines], boundary)
    np.testing.assert_allclose(response, convolved(image, kernel, axis, boundary), atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_each_step_of_a_chain_has_the_boundary_rule_of_its_own(image, whole, boundary):
    response = sum_of_products(image, whole, [(line(KERNELS[1], KERNELS[0]), None, None)], boundary)
    expected = convolved(convolved(image, KERNELS[1], 0, boundary), KERNELS[0], 0, boundary)
    np.testing.assert_allclose(response, expected, atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_sums_share_products_but_not_values(image, whole, boundary):
    a, b, c = map(line, KERNELS)
    terms = [(a, b, c), (b, a, c), (a, a, c), (c, a, b), (a, b, b)]
    expected = sum(sum_of_products(image, whole, [term], boundary) for term in terms)
    np.testing.assert_allclose(sum_of_products(image, whole, terms, boundary), expected, atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("pool", [np.maximum, np.minimum])
def test_responses_of_both_signs_are_pooled(image, whole, boundary, pool):
    a, b, c = map(line, KERNELS)
    signs = {(a, b, c): {1.0}, (b, a, c): {-1.0}, (a, c, b): {1.0, -1.0}}
    responses = [
        sign * sum_of_products(image, whole, [product], boundary) for product, each in signs.items() for sign in each
    ]
    np.testing.assert_allclose(pooled_products(image, whole, signs, boundary, pool), pool.reduce(responses), atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    "sides",
    [(range(2), range(5, 7), range(3, 4)), (range(2, 6), range(7), range(8, 9)), (range(3, 4),) * 3],
)
def test_a_box_has_the_values_of_the_whole_image(image, whole, boundary, sides):
    a, b, c = map(line, KERNELS)
    terms = [(a, b, c), (c, a, b)]
    box = tuple(slice(side.start, side.stop) for side in sides)
    expected = sum_of_products(image, whole, terms, boundary)[box]
    np.testing.assert_allclose(sum_of_products(image, sides, terms, boundary), expected, atol=1e-12)
    signs = {term: {1.0} for term in terms}
    pooled = pooled_products(image, whole, signs, boundary, np.maximum)[box]
    inside = pooled_products(image, sides, signs, boundary, np.maximum)
    np.testing.assert_allclose(inside, pooled, atol=1e-12)


def test_a_kernel_wider_than_the_image_is_folded_several_times():
    image = np.random.default_rng(3).normal(size=(2, 3, 4))
    kernel = np.random.default_rng(4).normal(size=15)
    lines = (line(kernel), line(kernel), line(kernel))
    expected = image
    for axis in range(3):
        expected = ndimage.convolve1d(expected, kernel, axis, mode="reflect")
    response = sum_of_products(image, (range(2), range(3), range(4)), [lines], "mirror")
    np.testing.assert_allclose(response, expected, atol=1e-12)


def test_kernels_are_reflected_at_their_origin(image, whole):
    step = line_filter(KERNELS[1])
    forth = sum_of_products(image[:, ::-1], whole, [(None, ((1.0, (step,)),), None)], "mirror")
    back = sum_of_products(image, whole, [(None, ((1.0, reversed_steps((step,))),), None)], "mirror")
    np.testing.assert_allclose(back[:, ::-1], forth, atol=1e-12)
    assert negated((step, step)) == ((step[0], tuple(-weight for weight in step[1])), step)
