"""Images and a loaded network -> deep features, or their gradients."""

from dataclasses import dataclass

import numpy as np
import torch

from radiodeep.features.deep.settings import CHANNELS, SLICE_POOLS, ComputedFeatures
from radiodeep.networks.devices import torch_precision, torch_threads
from radiodeep.networks.inference.activations import feature_gradients, forward_features

_N_IMAGES = {"cpu": 32, "cuda": 256}  # that go through a network at once
_N_CUBES = {"cpu": 2, "cuda": 16}


@dataclass(frozen=True)
class FeatureReader:
    """How features are read from a network; the other settings are those of `DeepFeatureExtractor`."""

    features: ComputedFeatures
    pool: str
    channel: str
    slice_pool: str
    n_threads: int | None
    precision: str = "float32"

    def rows(self, loaded, images_of_cases, n_windows):
        """Return the features of each case, float32 (n_features,): means over its windows, pooled over its slices.

        `images_of_cases` are arrays as `NetworkView.images` returns them.
        """
        values = self.values(loaded, np.concatenate(images_of_cases))
        ends = np.cumsum([len(images) for images in images_of_cases])
        values_of_slices = [
            rows.reshape(n_windows, -1, rows.shape[1]).mean(axis=0) for rows in np.split(values, ends[:-1])
        ]
        return [SLICE_POOLS[self.slice_pool](rows, axis=0) for rows in values_of_slices]

    def values(self, loaded, images):
        """Return the features of images as `NetworkView.images` returns them: float32 (n_images, n_features)."""
        with torch_threads(self.n_threads), torch_precision(self.precision, loaded.device):
            return forward_features(
                loaded.network,
                self._network_input(images, loaded.specification),
                layer=self.features.layer,
                activation=self.features.activation,
                pool=self.pool,
                batch_size=n_at_once(images, loaded.device),
            ).numpy()

    def gradients(self, loaded, images, number):
        """Return the gradient of one feature of each image in each of its pixels, a tensor of the shape of `images`.

        The gradient of an image that goes to several channels is the sum over these.
        """
        specification = loaded.specification
        gradients = feature_gradients(
            loaded.network,
            self._network_input(images, specification),
            number,
            self.features.layer,
            self.features.activation,
            self.pool,
        )
        if specification.dimensions == 3:
            gradients = specification.in_axes_of_images(gradients)
        gradients = self._used_channels(specification) / torch.tensor(specification.std).view(1, -1, 1, 1) * gradients
        return gradients.sum(dim=1, keepdim=True) if images.shape[1] == 1 else gradients

    def normalized(self, specification, images):
        """Return a tensor of images on the scale of the network, with 0 in the channels that are not used."""
        normalized = specification.normalize(images)
        if self.channel in ("all", "images"):
            return normalized
        return normalized * self._used_channels(specification).to(normalized.device)

    def _network_input(self, images, specification):
        """Return a tensor of images as a network takes them, on its channels and scale."""
        return self.normalized(specification, specification.on_channels(images))

    def _used_channels(self, specification):
        """Return 1 for the channels that get the image and 0 for the others, shape (1, channels, 1, 1)."""
        if self.channel in ("all", "images"):
            return torch.ones(1, specification.channels, 1, 1)
        is_used = torch.arange(specification.channels) == CHANNELS.index(self.channel) - 1
        return is_used.float().view(1, -1, 1, 1)


def n_at_once(images, device):
    """Return the number of images, or cubes, that go through a network on a `torch.device` at once."""
    by_device = _N_IMAGES if images.ndim == 4 else _N_CUBES
    return by_device.get(device.type, by_device["cpu"])
