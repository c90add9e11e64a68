"""Grey images of 64 x 64 pixels -> 128 features: the residual network whose weights come with the package."""

import torch
from torch import nn


class Mini(nn.Module):
    """Residual network of about 900,000 weights that mixes average-pooled maps of three depths.

    (n, in_channels, 64, 64), or another size -> (n, n_outputs); `forward_features` returns (n, 128). One dense layer
    takes the means of 64 maps of 16 x 16, 128 maps of 8 x 8 and 192 maps of 4 x 4 pixels, so that features carry fine
    texture as well as the outline. The means themselves are the layer "means", shape (n, 384).
    """

    WIDTHS = (32, 64, 128, 192)
    N_FEATURES = 128
    classifier_name = "head"

    def __init__(self, in_channels=1, n_outputs=40):
        super().__init__()
        first, n_means = self.WIDTHS[0], sum(self.WIDTHS[1:])
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first), nn.ReLU()
        )
        self.blocks = nn.ModuleList(
            _Residual(inner, outer) for inner, outer in zip(self.WIDTHS[:-1], self.WIDTHS[1:], strict=True)
        )
        self.means = nn.Identity()
        self.mixture = nn.Sequential(
            nn.Linear(n_means, self.N_FEATURES, bias=False), nn.BatchNorm1d(self.N_FEATURES), nn.ReLU()
        )
        self.head = nn.Linear(self.N_FEATURES, n_outputs) if n_outputs else nn.Identity()

    def forward_features(self, images):
        """Return the features, shape (n, 128)."""
        maps, pooled = self.stem(images), []
        for block in self.blocks:
            maps = block(maps)
            pooled.append(maps.mean(dim=(2, 3)))
        return self.mixture(self.means(torch.cat(pooled, dim=1)))

    def forward(self, images):
        return self.head(self.forward_features(images))


class _Residual(nn.Module):
    """Residual block of two convolutions that halves the size and returns `outer` channels."""

    def __init__(self, inner, outer):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
            nn.Conv2d(outer, outer, 3, padding=1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride=2, bias=False), nn.BatchNorm2d(outer))
        self.relu = nn.ReLU()

    def forward(self, maps):
        return self.relu(self.body(maps) + self.shortcut(maps))
