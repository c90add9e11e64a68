"""Noisy slices and the noise in them -> the slices without it: DnCNN with a map of the noise, and an autoencoder."""

import torch
from torch import nn
from torch.nn import functional


class NoiseNetwork(nn.Module):
    """Base of networks without biases that take (n, 2, h, w), the slices and maps of the noise's deviation.

    Without biases, and with ReLU as the only function, f(a x, a sigma) = a f(x, sigma) for every a > 0, so that one
    network serves HU, grey levels and images in 0..1. The caller subtracts the mean of each slice.

    `STEP` divides the height and width of its input; pixels further than `REACH` away do not change a result.
    """

    STEP = 4
    REACH = 24


class DnCNN(NoiseNetwork):
    """Predict the noise of slices (n, 2, h, w) and subtract it: (n, 1, h, w).

    The network predicts the noise rather than the image (Zhang et al. 2017), from the four interleaved pictures of half
    the size and a map of the noise (Zhang, Zuo, Zhang 2018), which takes a quarter of the time. Batch normalization and
    biases are left out, so that it also works at levels of noise that it was not trained at (Mohan et al. 2020); each
    two convolutions are skipped by a sum instead, without which it learns ten times as slowly.
    """

    WIDTH, BLOCKS = 48, 4

    def __init__(self):
        super().__init__()
        blocks = [_Skipped(self.WIDTH) for _ in range(self.BLOCKS)]
        self.body = nn.Sequential(_convolution(5, self.WIDTH), *blocks, _convolution(self.WIDTH, 4))
        nn.init.zeros_(self.body[-1].weight)  # begins as the image itself

    def forward(self, inputs):
        image, level = inputs[:, :1], inputs[:, 1:]
        maps = torch.cat([functional.pixel_unshuffle(image, 2), functional.avg_pool2d(level, 2)], dim=1)
        return image - functional.pixel_shuffle(self.body(maps), 2)


class DenoisingAutoencoder(NoiseNetwork):
    """Encode noisy slices (n, 2, h, w) in half as many numbers, and decode them: (n, 1, h, w).

    Eight maps of a quarter of the height and width hold what is left of the image; nothing leads past them, so that
    fine detail is lost with the noise (Vincent et al. 2010). The map of the noise is not used.
    """

    WIDTH, CODES = 48, 8

    def __init__(self):
        super().__init__()
        width, codes = self.WIDTH, self.CODES
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2), _convolution(4, width), nn.ReLU(inplace=True),
            _convolution(width, width, stride=2), nn.ReLU(inplace=True), _convolution(width, codes),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            _convolution(codes, width), nn.ReLU(inplace=True), _convolution(width, 4 * width), nn.ReLU(inplace=True),
            nn.PixelShuffle(2), _convolution(width, 4), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, inputs):
        return self.decoder(self.encoder(inputs[:, :1]))


class _Skipped(nn.Module):
    """Add two convolutions of maps to the maps."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)
        self.second.weight.data *= 0.3

    def forward(self, maps):
        return maps + self.second(functional.relu(self.first(maps)))


DENOISERS = {"dncnn": DnCNN, "autoencoder": DenoisingAutoencoder}


def _convolution(inner, outer, stride=1):
    convolution = nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return convolution
