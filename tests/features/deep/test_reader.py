"""Features and gradients are read from the channels, layers and scale that were asked for."""

import numpy as np
import pytest
import torch

from radiodeep.features.deep.loaded_networks import LoadedNetwork
from radiodeep.features.deep.reader import FeatureReader, n_at_once
from radiodeep.features.deep.settings import ComputedFeatures
from radiodeep.networks.architectures.registry import NetworkInput

SPECIFICATION = NetworkInput(8, 3, (0.1, 0.2, 0.3), (1.0, 2.0, 4.0))
IMAGES = np.random.default_rng(0).random((2, 1, 8, 8)).astype(np.float32)


class Weighted(torch.nn.Module):
    """The mean of each channel, times 1, 10 and 100."""

    def __init__(self):
        super().__init__()
        self.factors = torch.nn.Parameter(torch.tensor([1.0, 10.0, 100.0]))

    def forward_features(self, images):
        return images.mean(dim=(2, 3)) * self.factors


LOADED = LoadedNetwork(Weighted(), SPECIFICATION, "0" * 64)


@pytest.mark.parametrize(("channel", "used"), [("all", [1, 1, 1]), ("red", [1, 0, 0]), ("blue", [0, 0, 1])])
def test_values_are_those_of_the_normalized_image_in_the_channels_that_are_used(channel, used):
    reader = FeatureReader(ComputedFeatures(None, "post", True), "avg", channel, "mean", 1)
    means = IMAGES.mean(axis=(1, 2, 3))[:, np.newaxis]
    expected = (means - [0.1, 0.2, 0.3]) / [1, 2, 4] * used * np.array([1, 10, 100])
    np.testing.assert_allclose(reader.values(LOADED, IMAGES), expected, rtol=1e-5, atol=1e-6)
    gradients = reader.gradients(LOADED, IMAGES, 2).numpy()
    np.testing.assert_allclose(gradients, np.full((2, 1, 8, 8), 100 / 64 / 4 * used[2]), rtol=1e-5)


def test_the_gradients_of_three_planes_stay_apart():
    reader = FeatureReader(ComputedFeatures(None, "post", True), "avg", "all", "mean", 1)
    gradients = reader.gradients(LOADED, IMAGES.repeat(3, axis=1), 1).numpy()
    np.testing.assert_allclose(gradients[:, 1], 10 / 64 / 2, rtol=1e-6)
    assert not gradients[:, [0, 2]].any()


@pytest.mark.parametrize(("slice_pool", "pool"), [("mean", np.mean), ("max", np.max)])
def test_features_of_a_case_are_means_over_its_windows_pooled_over_its_slices(slice_pool, pool):
    reader = FeatureReader(ComputedFeatures(None, "post", True), "avg", "all", slice_pool, 1)
    images = np.random.default_rng(1).random((10, 1, 8, 8)).astype(np.float32)
    values = reader.values(LOADED, images)
    rows = reader.rows(LOADED, [images[:6], images[6:]], n_windows=2)  # of 3 and of 2 slices
    np.testing.assert_allclose(rows[0], pool((values[:3] + values[3:6]) / 2, axis=0), rtol=1e-5)
    np.testing.assert_allclose(rows[1], pool((values[6:8] + values[8:]) / 2, axis=0), rtol=1e-5)


def test_fewer_cubes_than_squares_are_computed_at_once():
    cubes = np.empty((1, 1, 2, 2, 2))
    n_cubes, n_squares = (
        [n_at_once(images, torch.device(name)) for name in ("cpu", "cuda")] for images in (cubes, IMAGES)
    )
    assert n_cubes < n_squares
    assert n_cubes[0] < n_cubes[1]
    assert n_at_once(IMAGES, torch.device("meta")) == n_squares[0]
