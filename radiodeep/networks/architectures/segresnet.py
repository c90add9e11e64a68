"""Cubes -> features: the encoder of a residual segmentation network, with the layer names of MONAI's SegResEncoder.

A. Myronenko, 3D MRI brain tumor segmentation using autoencoder regularization, arXiv:1810.11654 (2018).
"""

from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError


class SegResNetEncoder(nn.Module):
    """Encoder of SegResNet; the maps of its last level, averaged, are the features.

    (n, in_channels, z, y, x) -> (n, n_classes), or (n, filters * 2 ** (number of levels - 1)) features.

    Parameters
    ----------
    filters : int, default=32
        Number of maps of the first level; doubles with each level, while the side of the cube is halved.
    blocks : tuple of int, default=(1, 2, 2, 4, 4)
        Residual blocks of each level.
    norm : {"batch", "instance"}, default="batch"
        "instance" normalizes each cube by its own statistics.
    """

    classifier_name = "fc"

    def __init__(self, in_channels=1, n_classes=0, filters=32, blocks=(1, 2, 2, 4, 4), norm="batch"):
        super().__init__()
        self.conv_init = nn.Conv3d(in_channels, filters, 3, padding=1, bias=False)
        self.layers = nn.ModuleList()
        widths = [filters * 2**level for level in range(len(blocks))]
        for n_blocks, width in zip(blocks, widths, strict=True):
            is_last = width == widths[-1]
            down = nn.Identity() if is_last else nn.Conv3d(width, 2 * width, 3, stride=2, padding=1, bias=False)
            residual = nn.Sequential(*(_Block(width, norm) for _ in range(n_blocks)))
            self.layers.append(nn.ModuleDict({"blocks": residual, "downsample": down}))
        self.fc = nn.Linear(widths[-1], n_classes) if n_classes else nn.Identity()

    def forward_features(self, images):
        """Return the features, averaged over the cube, shape (n, n_features)."""
        shortest = 2 ** (len(self.layers) - 1) + 1
        if min(images.shape[2:]) < shortest:
            raise InputError(
                f"Cubes must have {shortest} voxels a side or more. Got {tuple(images.shape[2:])} instead."
            )
        maps = self.conv_init(images)
        for level in self.layers:
            maps = level["downsample"](level["blocks"](maps))
        return maps.mean(dim=(2, 3, 4))

    def forward(self, images):
        return self.fc(self.forward_features(images))


class _Block(nn.Module):
    """Two convolutions, each after its normalization and rectifier, and a shortcut."""

    def __init__(self, width, norm):
        super().__init__()
        self.norm1, self.norm2 = (
            nn.InstanceNorm3d(width, affine=True) if norm == "instance" else nn.BatchNorm3d(width) for _ in range(2)
        )
        self.conv1, self.conv2 = (nn.Conv3d(width, width, 3, padding=1, bias=False) for _ in range(2))

    def forward(self, maps):
        values = self.conv1(functional.relu(self.norm1(maps)))
        return maps + self.conv2(functional.relu(self.norm2(values)))
