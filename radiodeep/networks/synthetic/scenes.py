"""Seeded generator -> noise-free pictures with edges, textures and flat parts, to learn from what noise is not."""

import math

import torch

from radiodeep.checks import is_count, require

_LEAVES = 32
_TEXTURES = 3


def make_scenes(n_images, generator, size=48):
    """Generate pictures of leaves that cover one another, as a scanner without noise would show them.

    Ellipses, strips and half-planes of all sizes lie on one another ("dead leaves", whose edges have the statistics of
    natural images: Lee, Mumford, Huang, Int. J. Computer Vision 41 (2001) 35), each with a grey level, a soft edge and
    a texture of power-law spectrum. A third of the pictures have few leaves and little texture, like soft tissue in CT;
    a sixth are black outside an ellipse, like lesions without surroundings. The same state of the `torch.Generator`
    leads to the same pictures.

    Returns
    -------
    float32 tensor of shape (n_images, 1, size, size)
        In 0..1.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.synthetic.scenes import make_scenes
    >>> scenes = make_scenes(3, torch.Generator().manual_seed(0), size=32)
    >>> scenes.shape, float(scenes.min()), float(scenes.max())
    (torch.Size([3, 1, 32, 32]), 0.0, 1.0)
    """
    require(is_count(n_images, 1), "make_scenes", "n_images", "an int > 0", n_images)
    require(is_count(size, 16), "make_scenes", "size", "an int >= 16", size)
    is_calm, is_cut = torch.rand(2, n_images, 1, 1, generator=generator) < torch.tensor([1 / 3, 1 / 6]).view(2, 1, 1, 1)
    textures = _textures(n_images, size, generator)
    strength = torch.exp(_uniform(math.log(0.003), math.log(0.25), n_images, generator))
    strength = torch.where(is_calm, 0.2 * strength, strength)
    image = _uniform(0, 1, n_images, generator) + strength * textures[0]
    for leaf in range(_LEAVES):
        cover = _outline(n_images, size, generator)
        level = (
            _uniform(0, 1, n_images, generator)
            + _uniform(0, 2, n_images, generator) * strength * textures[leaf % _TEXTURES]
        )
        is_shown = ~is_calm | (torch.rand(n_images, 1, 1, generator=generator) < 0.2)
        image = torch.where(is_shown, image + cover * (level - image), image)
    image = image - image.amin(dim=(1, 2), keepdim=True)
    whole = _outline(n_images, size, generator, smallest=0.3)
    image = torch.where(is_cut, (image + 0.2) * (whole > 0.5), image)
    image = _blurred(image, _uniform(0.0, 0.9, n_images, generator))
    image = image - image.amin(dim=(1, 2), keepdim=True)
    return (image / image.amax(dim=(1, 2), keepdim=True).clamp(min=1e-3)).unsqueeze(1)


def _uniform(low, high, n_images, generator):
    return low + (high - low) * torch.rand(n_images, 1, 1, generator=generator)


def _outline(n_images, size, generator, smallest=0.03):
    """Return how much of each pixel a random ellipse covers, shape (n, size, size); long ones are strips."""
    y, x = torch.meshgrid(*[torch.arange(size) / size] * 2, indexing="ij")
    u = x - _uniform(-0.1, 1.1, n_images, generator)
    v = y - _uniform(-0.1, 1.1, n_images, generator)
    turn = _uniform(0, math.pi, n_images, generator)
    # The density of radii falls with their third power, so that leaves of all sizes cover equal areas.
    radius = (_uniform(smallest**-2, 1.0, n_images, generator)) ** -0.5
    stretch = torch.exp(_uniform(0, 1.2, n_images, generator) ** 2)
    along = (torch.cos(turn) * u + torch.sin(turn) * v) / stretch
    across = (torch.cos(turn) * v - torch.sin(turn) * u) * stretch.sqrt()
    softness = torch.exp(_uniform(math.log(0.3), math.log(2.5), n_images, generator)) / size
    return torch.sigmoid((radius - torch.hypot(along, across)) / softness)


def _textures(n_images, size, generator):
    """Return fields of unit variance with power-law spectra, shape (3, n, size, size)."""
    frequency = torch.hypot(torch.fft.fftfreq(size).view(-1, 1), torch.fft.rfftfreq(size).view(1, -1))
    frequency[0, 0] = math.inf
    slope = 0.7 + 1.7 * torch.rand(_TEXTURES, n_images, 1, 1, generator=generator)
    white = torch.randn(_TEXTURES, n_images, size, size, generator=generator)
    fields = torch.fft.irfft2(torch.fft.rfft2(white) * frequency**-slope, s=(size, size))
    return fields / fields.std(dim=(2, 3), keepdim=True)


def _blurred(images, deviation):
    """Return images after a Gaussian blur of a deviation in pixels each, shape (n, 1, 1)."""
    size = images.shape[-1]
    place = torch.arange(size)
    weights = torch.exp(-0.5 * ((place - place.view(-1, 1)) / deviation.clamp(min=0.1)) ** 2)
    weights = weights / weights.sum(dim=2, keepdim=True)
    return weights @ images @ weights.mT
