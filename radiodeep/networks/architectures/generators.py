"""Random numbers and a class -> an image with its mask and facts, and the critic that tells them from real ones."""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

_START = 4  # side of the first feature map in pixels


class LesionNetwork(nn.Module):
    """Generate images of `size` pixels (16, 32, 64, ...) with their mask and `n_facts` numbers of each.

    Every block is a convolution whose features are enlarged twofold, linearly, which leaves no checkerboard as
    transposed convolutions do; the style, of the first `n_style` random numbers and the class, scales and shifts them,
    as in style-based generators. The other random numbers are a plane of noise, from which the last layers make fine
    texture: enlarged features have none. The image is a linear output, since tanh leaves plateaus at its ends.
    """

    def __init__(self, n_classes, n_facts, size=32, width=16, n_style=64):
        super().__init__()
        self.n_latent = n_style + size**2
        self.cut = n_style, size**2
        n_blocks = int(math.log2(size / _START))
        widths = [width * min(4, 2 ** (n_blocks - block)) for block in range(n_blocks + 1)]
        self.embedding = nn.Embedding(n_classes, n_style // 4)
        n_inputs = n_style + n_style // 4
        self.first = nn.Linear(n_inputs, widths[0] * _START**2)
        pairs = list(pairwise(widths))
        self.blocks = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairs)
        self.norms = nn.ModuleList(nn.GroupNorm(4, after, affine=False) for _, after in pairs)
        self.styles = nn.ModuleList(nn.Linear(n_inputs, 2 * after) for _, after in pairs)
        self.last = nn.Sequential(
            nn.Conv2d(width + 1, width, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(width, 2, 3, padding=1)
        )
        self.facts = nn.Sequential(nn.Linear(n_inputs, n_style), nn.LeakyReLU(0.2), nn.Linear(n_style, n_facts))

    def forward(self, latent, classes):
        """Return images and masks (n, 2, size, size), the masks in -1..1, and standardised facts (n, n_facts).

        `latent` (n, n_latent) is normally distributed.
        """
        latent, noise = latent.split(self.cut, dim=1)
        style = torch.cat([latent, self.embedding(classes)], dim=1)
        features = functional.leaky_relu(self.first(style), 0.2).unflatten(1, (-1, _START, _START))
        for block, norm, modulation in zip(self.blocks, self.norms, self.styles, strict=True):
            scale, shift = modulation(style)[:, :, None, None].chunk(2, dim=1)
            features = functional.leaky_relu(norm(block(features)) * (1 + scale) + shift, 0.2)
            features = functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
        noise = noise.reshape(-1, 1, *features.shape[2:])
        image, mask = self.last(torch.cat([features, noise], dim=1)).split(1, dim=1)
        return torch.cat([image, torch.tanh(mask)], dim=1), self.facts(style)


class LesionCritic(nn.Module):
    """Score how real images with their masks and facts look for their class: a projection discriminator.

    All layers are spectrally normalised. A feature map of the spread within the batch lets it notice that generated
    images are all alike. Facts are shown as constant planes.
    """

    def __init__(self, n_classes, n_facts, size=32, width=16):
        super().__init__()
        n_blocks = int(math.log2(size / _START))
        widths = [2 + n_facts] + [width * min(4, 2**block) for block in range(n_blocks)]
        pairs = pairwise(widths)
        self.blocks = nn.ModuleList(spectral_norm(nn.Conv2d(before, after, 4, 2, 1)) for before, after in pairs)
        self.mixed = spectral_norm(nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1))
        self.score = spectral_norm(nn.Linear(widths[-1], 1))
        self.embedding = spectral_norm(nn.Embedding(n_classes, widths[-1]))

    def forward(self, images, facts, classes, n_batches=1):
        """Return the scores (n,) of images (n, 2, size, size) with facts (n, n_facts), `n_batches` after each other."""
        planes = facts[:, :, None, None].expand(-1, -1, *images.shape[2:])
        features = torch.cat([images, planes], dim=1)
        for block in self.blocks:
            features = functional.leaky_relu(block(features), 0.2)
        batches = features.unflatten(0, (n_batches, -1))
        spread = batches.var(dim=1, correction=0).add(1e-8).sqrt().mean(dim=(1, 2, 3))
        spread = spread.repeat_interleave(batches.shape[1])[:, None, None, None]
        features = torch.cat([features, spread.expand(-1, 1, _START, _START)], dim=1)
        pooled = functional.leaky_relu(self.mixed(features), 0.2).sum(dim=(2, 3))
        return self.score(pooled)[:, 0] + (self.embedding(classes) * pooled).sum(dim=1)
