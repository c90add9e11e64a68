"""Cubes -> features: the encoder of the 3-D U-Net of Models Genesis and SuPreM, with its layer names.

Ö. Çiçek et al., 3D U-Net, MICCAI 2016. Z. Zhou et al., Models Genesis, Medical Image Analysis 67 (2021) 101840.
"""

from itertools import pairwise

from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError


class UNet3dEncoder(nn.Module):
    """Encoder of a 3-D U-Net; the maps of its last level, averaged, are the features.

    (n, in_channels, z, y, x) -> (n, n_classes), or (n, 16 * filters) features. `filters` is the number of maps of the
    first convolution. Each cube is normalized by its own statistics: the published networks normalize by those of the
    batch even in use, and take one cube at a time.
    """

    classifier_name = "fc"

    def __init__(self, in_channels=1, n_classes=0, filters=32):
        super().__init__()
        widths = [in_channels, *(2 * filters * 2**level for level in range(4))]
        self.down_tr64, self.down_tr128, self.down_tr256, self.down_tr512 = (
            nn.ModuleDict({"ops": nn.Sequential(_Convolution(inner, outer // 2), _Convolution(outer // 2, outer))})
            for inner, outer in pairwise(widths)
        )
        self.fc = nn.Linear(widths[-1], n_classes) if n_classes else nn.Identity()

    def forward_features(self, images):
        """Return the features, averaged over the cube, shape (n, n_features)."""
        if min(images.shape[2:]) < 16:
            raise InputError(f"Cubes must have 16 voxels a side or more. Got {tuple(images.shape[2:])} instead.")
        maps = self.down_tr64["ops"](images)
        for level in (self.down_tr128, self.down_tr256, self.down_tr512):
            maps = level["ops"](functional.max_pool3d(maps, 2))
        return maps.mean(dim=(2, 3, 4))

    def forward(self, images):
        return self.fc(self.forward_features(images))


class _Convolution(nn.Module):
    def __init__(self, inner, outer):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv3d(inner, outer, 3, padding=1), _CubeNorm(outer)

    def forward(self, maps):
        return functional.relu(self.bn1(self.conv1(maps)))


class _CubeNorm(nn.BatchNorm3d):
    """Normalize each cube by its own mean and variance; stored running statistics are not used."""

    def forward(self, maps):
        return functional.instance_norm(maps, weight=self.weight, bias=self.bias, eps=self.eps)
