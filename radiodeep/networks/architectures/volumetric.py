"""Cubes -> features: three-dimensional residual networks with the layer names of their published weights.

S. Chen, K. Ma, Y. Zheng, Med3D: Transfer learning for 3D medical image analysis, arXiv:1904.00625 (2019).
"""

from torch import nn
from torch.nn import functional


class VolumetricResNet(nn.Module):
    """Three-dimensional residual network for cubes of any size.

    (n, in_channels, z, y, x) -> (n, n_classes), or (n, 8 x width) features (4 times as many with bottleneck blocks).

    Parameters
    ----------
    blocks : four ints, default=(1, 1, 1, 1)
        Residual blocks in each of the four stages.
    bottleneck : bool, default=False
        Whether blocks have three convolutions (1, 3, 1) instead of two of 3.
    width : int, default=64
        Number of maps in the first stage; doubles with each stage.
    shortcut : {"A", "B"}, default="B"
        How the input of a block takes the shape of its output: "A" subsamples and appends maps of zeros, "B" is a
        learned convolution, with a bias if `shortcut_bias`.
    dilated : bool, default=True
        Whether stages 3 and 4 keep the size of stage 2 and use dilations of 2 and 4; otherwise each halves the size.
    """

    classifier_name = "fc"

    def __init__(
        self,
        in_channels=1,
        n_classes=0,
        blocks=(1, 1, 1, 1),
        bottleneck=False,
        width=64,
        shortcut="B",
        shortcut_bias=False,
        dilated=True,
    ):
        super().__init__()
        self.conv1 = nn.Conv3d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1, self.relu, self.maxpool = nn.BatchNorm3d(width), nn.ReLU(), nn.MaxPool3d(3, 2, padding=1)
        block, inner = (_Bottleneck, width) if bottleneck else (_Basic, width)
        steps = ((1, 1), (2, 1), (1, 2), (1, 4)) if dilated else ((1, 1), (2, 1), (2, 1), (2, 1))  # stride, dilation
        for stage, (n_blocks, (stride, dilation)) in enumerate(zip(blocks, steps, strict=True)):
            outer = width * 2**stage
            layers = [block(inner, outer, stride, dilation, shortcut, shortcut_bias)]
            inner = outer * block.expansion
            layers += [block(inner, outer, 1, dilation, shortcut, shortcut_bias) for _ in range(n_blocks - 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inner, n_classes) if n_classes else nn.Identity()

    def forward_features(self, images):
        """Return the features, pooled over the cube, shape (n, n_features)."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return maps.mean(dim=(2, 3, 4))

    def forward(self, images):
        return self.fc(self.forward_features(images))


class _Residual(nn.Module):
    def __init__(self, inner, outer, stride, shortcut, bias):
        super().__init__()
        self.relu, self.downsample = nn.ReLU(), nn.Identity()
        if stride != 1 or inner != outer:
            self.downsample = (
                _Padded(outer - inner, stride) if shortcut == "A" else _projection(inner, outer, stride, bias)
            )


class _Basic(_Residual):
    expansion = 1

    def __init__(self, inner, outer, stride, dilation, shortcut, bias):
        super().__init__(inner, outer, stride, shortcut, bias)
        self.conv1 = nn.Conv3d(inner, outer, 3, stride, dilation, dilation, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm3d(outer), nn.BatchNorm3d(outer)
        self.conv2 = nn.Conv3d(outer, outer, 3, 1, dilation, dilation, bias=False)

    def forward(self, maps):
        values = self.relu(self.bn1(self.conv1(maps)))
        return self.relu(self.bn2(self.conv2(values)) + self.downsample(maps))


class _Bottleneck(_Residual):
    expansion = 4

    def __init__(self, inner, outer, stride, dilation, shortcut, bias):
        super().__init__(inner, 4 * outer, stride, shortcut, bias)
        self.conv1, self.bn1 = nn.Conv3d(inner, outer, 1, bias=False), nn.BatchNorm3d(outer)
        self.conv2 = nn.Conv3d(outer, outer, 3, stride, dilation, dilation, bias=False)
        self.conv3, self.bn2 = nn.Conv3d(outer, 4 * outer, 1, bias=False), nn.BatchNorm3d(outer)
        self.bn3 = nn.BatchNorm3d(4 * outer)

    def forward(self, maps):
        values = self.relu(self.bn1(self.conv1(maps)))
        values = self.relu(self.bn2(self.conv2(values)))
        return self.relu(self.bn3(self.conv3(values)) + self.downsample(maps))


def _projection(inner, outer, stride, bias):
    return nn.Sequential(nn.Conv3d(inner, outer, 1, stride, bias=bias), nn.BatchNorm3d(outer))


class _Padded(nn.Module):
    """Subsample by `stride` and append maps of zeros."""

    def __init__(self, n_maps, stride):
        super().__init__()
        self.n_maps, self.stride = n_maps, stride

    def forward(self, maps):
        step = self.stride
        return functional.pad(maps[:, :, ::step, ::step, ::step], (0, 0, 0, 0, 0, 0, 0, self.n_maps))
