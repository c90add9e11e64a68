"""Grey images of 64 x 64 pixels or cubes of 24 voxels -> 128 features: the networks with packaged weights."""

import torch
from torch import nn


class Mini(nn.Module):
    """Residual network of about 900,000 weights that mixes average-pooled maps of three depths.

    (n, in_channels, 64, 64), or another size -> (n, n_outputs); `forward_features` returns (n, 128). One dense layer
    takes the means of 64 maps of 16 x 16, 128 maps of 8 x 8 and 192 maps of 4 x 4 pixels, so that features carry fine
    texture as well as the outline. The means themselves are the layer "means", shape (n, 384).
    """

    DIMENSIONS = 2
    WIDTHS = (32, 64, 128, 192)
    N_FEATURES = 128
    classifier_name = "head"

    def __init__(self, in_channels=1, n_outputs=40):
        super().__init__()
        convolution, normalization = _layers(self.DIMENSIONS)
        self.stem = nn.Sequential(
            convolution(in_channels, self.WIDTHS[0], 5, stride=2, padding=2, bias=False),
            normalization(self.WIDTHS[0]),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(
            _Residual(inner, outer, self.DIMENSIONS)
            for inner, outer in zip(self.WIDTHS[:-1], self.WIDTHS[1:], strict=True)
        )
        self.means = nn.Identity()
        self.mixture = nn.Sequential(
            nn.Linear(self.n_means, self.N_FEATURES, bias=False), nn.BatchNorm1d(self.N_FEATURES), nn.ReLU()
        )
        self.head = nn.Linear(self.N_FEATURES, n_outputs) if n_outputs else nn.Identity()

    @property
    def n_means(self):
        """Number of pooled values that the features are made of."""
        return sum(self.WIDTHS[1:])

    def pooled(self, images):
        """Return the pooled values of the maps, shape (n, n_means)."""
        maps, means = self.stem(images), []
        for block in self.blocks:
            maps = block(maps)
            means.append(maps.mean(dim=(2, 3)))
        return torch.cat(means, dim=1)

    def forward_features(self, images):
        """Return the features, shape (n, 128)."""
        return self.mixture(self.means(self.pooled(images)))

    def forward(self, images):
        return self.head(self.forward_features(images))


class Mini3d(Mini):
    """Residual network of about 680,000 weights for cubes; also takes the maxima of maps, and those of its first layer.

    (n, in_channels, 24, 24, 24), or another size -> (n, n_outputs); `forward_features` returns (n, 128). One dense
    layer takes means and maxima of 24 maps of 12, 40 maps of 6, 64 maps of 3 and 88 maps of 2 voxels per side, since a
    lesion may fill a small part of the cube only; they are the layer "means", shape (n, 432).
    """

    DIMENSIONS = 3
    WIDTHS = (24, 40, 64, 88)

    @property
    def n_means(self):
        """Number of pooled values that the features are made of."""
        return 2 * sum(self.WIDTHS)

    def pooled(self, images):
        """Return means and maxima of the maps, shape (n, n_means)."""
        maps = self.stem(images)
        values = [maps.mean(dim=(2, 3, 4)), maps.amax(dim=(2, 3, 4))]
        for block in self.blocks:
            maps = block(maps)
            values += [maps.mean(dim=(2, 3, 4)), maps.amax(dim=(2, 3, 4))]
        return torch.cat(values, dim=1)


def _layers(dimensions):
    """Return the classes of convolution and batch normalization for images or cubes."""
    return (nn.Conv2d, nn.BatchNorm2d) if dimensions == 2 else (nn.Conv3d, nn.BatchNorm3d)


class _Residual(nn.Module):
    """Residual block of two convolutions that halves the size and returns `outer` channels."""

    def __init__(self, inner, outer, dimensions):
        super().__init__()
        convolution, normalization = _layers(dimensions)
        self.body = nn.Sequential(
            convolution(inner, outer, 3, stride=2, padding=1, bias=False),
            normalization(outer),
            nn.ReLU(),
            convolution(outer, outer, 3, padding=1, bias=False),
            normalization(outer),
        )
        self.shortcut = nn.Sequential(convolution(inner, outer, 1, stride=2, bias=False), normalization(outer))
        self.relu = nn.ReLU()

    def forward(self, maps):
        return self.relu(self.body(maps) + self.shortcut(maps))
