"""Cubes -> one logit: a small network for lesions in three dimensions, of no published study."""

import torch
from torch import nn

from radiodeep.exceptions import InputError

SMALLEST = 8


class Arch3d(nn.Module):
    """Three convolutions of 3 x 3 x 3, each pooled by two; then mean and maximum of each map. 69,793 weights.

    (n, in_channels, depth, height, width) -> (n, n_outputs), made for 32 x 32 x 32. Pooling by mean and maximum accepts
    cubes of any size and keeps the network from learning where in the cube a lesion lies.
    """

    classifier_name = "head"
    WIDTHS = (16, 32, 64)

    def __init__(self, in_channels=1, n_outputs=1):
        super().__init__()
        layers = []
        for inner, outer in zip((in_channels, *self.WIDTHS[:-1]), self.WIDTHS, strict=True):
            # pooling commutes with the monotone rectifier and is cheaper first
            layers += [nn.Conv3d(inner, outer, 3, padding=1), nn.MaxPool3d(2), nn.LeakyReLU(0.01)]
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.25)
        self.head = nn.Linear(2 * self.WIDTHS[-1], n_outputs) if n_outputs else nn.Identity()

    def forward_features(self, cubes):
        """Return mean and maximum of each of the last maps, shape (n, 128)."""
        if cubes.ndim != 5 or min(cubes.shape[2:]) < SMALLEST:
            raise InputError(
                "arch3d takes cubes of shape (n, channels, depth, height, width) with sides of at least "
                f"{SMALLEST} voxels. Got shape {tuple(cubes.shape)} instead."
            )
        maps = self.layers(cubes)
        return torch.cat([maps.mean(dim=(2, 3, 4)), maps.amax(dim=(2, 3, 4))], dim=1)

    def forward(self, cubes):
        return self.head(self.dropout(self.forward_features(cubes)))
