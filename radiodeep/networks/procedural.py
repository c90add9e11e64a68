"""Seeds in, images of made-up lesions and the numbers that made them out: what `radiodeep-mini` learns from.

No picture of anything real is involved.
"""

import math

import torch

SIZE = 64
TARGETS = (
    "radius",
    "elongation",
    "lobe_height",
    "lobe_count",
    "edge_softness",
    "correlation_length",
    "spectral_slope",
    "anisotropy_cos",
    "anisotropy_sin",
    "texture_contrast",
    "noise",
    "core",
)


def make_lesions(n_images, generator):
    """Draw textured lesions with lobed or spiculated outlines on noise or on a zero background.

    Parameters
    ----------
    n_images : int
    generator : torch.Generator
        The same state gives the same images.

    Returns
    -------
    images : float32 tensor of shape (n_images, 1, 64, 64)
        Each scaled to 0..1 by its own minimum and maximum.
    targets : float32 tensor of shape (n_images, 12)
        The numbers of `TARGETS`, each uniform in -1..1 (the two of anisotropy: strength times cosine
        and sine of twice its angle).
    """
    hidden = torch.rand(n_images, 14, generator=generator) * 2 - 1
    angle = hidden[:, 12] * math.pi
    strength = (hidden[:, 7] + 1) / 2
    targets = hidden[:, :12].clone()
    targets[:, 7], targets[:, 8] = strength * torch.cos(angle), strength * torch.sin(angle)

    texture = _textures(hidden, strength, angle / 2, generator)
    inside = _outlines(hidden, generator)
    distance = inside.pop("distance")
    contrast = _between(hidden[:, 9], 0.05, 0.6)
    core = 0.6 * hidden[:, 11].view(-1, 1, 1) * torch.exp(-((distance / 0.45) ** 2))
    lesion = 1 + contrast * texture + core
    background = 0.3 * hidden[:, 13].view(-1, 1, 1) + 0.1 * torch.randn(n_images, SIZE, SIZE, generator=generator)
    noise = _between(hidden[:, 10], 0.0, 0.25) * torch.randn(n_images, SIZE, SIZE, generator=generator)
    image = inside["weight"] * (lesion + noise) + (1 - inside["weight"]) * (background + noise)
    zeroed = torch.rand(n_images, 1, 1, generator=generator) < 0.5
    image = torch.where(zeroed, inside["weight"].round() * (lesion + noise + 1), image)
    return _scaled(image).unsqueeze(1), targets


def _textures(hidden, strength, angle, generator):
    """Return noise of unit variance with a power-law spectrum, shape (n, 64, 64)."""
    n_images = len(hidden)
    frequency_y = torch.fft.fftfreq(SIZE).view(1, SIZE, 1)
    frequency_x = torch.fft.rfftfreq(SIZE).view(1, 1, -1)
    cosine, sine = torch.cos(angle).view(-1, 1, 1), torch.sin(angle).view(-1, 1, 1)
    along, across = frequency_x * cosine + frequency_y * sine, frequency_y * cosine - frequency_x * sine
    stretch = (1 + 1.5 * strength).view(-1, 1, 1)
    frequency = torch.sqrt((along * stretch) ** 2 + (across / stretch.sqrt()) ** 2)
    length = torch.exp(_between(hidden[:, 5], math.log(1.0), math.log(12.0)))
    slope = _between(hidden[:, 6], 1.5, 5.0)
    amplitude = (1 + (2 * math.pi * frequency * length) ** 2) ** (-slope / 4)
    white = torch.fft.rfft2(torch.randn(n_images, SIZE, SIZE, generator=generator))
    texture = torch.fft.irfft2(white * amplitude, s=(SIZE, SIZE))
    texture = texture - texture.mean(dim=(1, 2), keepdim=True)
    return texture / texture.std(dim=(1, 2), keepdim=True)


def _outlines(hidden, generator):
    """Return how far each pixel is inside (0..1) and its distance from the centre in radii."""
    n_images = len(hidden)
    line = torch.linspace(-1, 1, SIZE)
    shift = (torch.rand(n_images, 2, generator=generator) - 0.5) * 0.15
    y, x = line.view(1, SIZE, 1) - shift[:, :1, None], line.view(1, 1, SIZE) - shift[:, 1:, None]
    turn = torch.rand(n_images, 1, 1, generator=generator) * math.pi
    u, v = x * torch.cos(turn) + y * torch.sin(turn), y * torch.cos(turn) - x * torch.sin(turn)
    stretch = torch.exp(_between(hidden[:, 1], 0.0, 0.5))
    u, v = u / stretch, v * stretch
    polar, angle = torch.sqrt(u**2 + v**2 + 1e-9), torch.atan2(v, u)
    count = _between(hidden[:, 3], 2.0, 11.0)
    height = _between(hidden[:, 2], 0.0, 0.3)
    wobble = torch.zeros_like(angle)
    for harmonic in (0.7, 1.0, 1.3):
        weight = torch.rand(n_images, 1, 1, generator=generator) + 0.3
        phase = torch.rand(n_images, 1, 1, generator=generator) * 2 * math.pi
        wobble = wobble + weight * torch.cos(torch.round(count * harmonic) * angle + phase)
    wobble = wobble / wobble.std(dim=(1, 2), keepdim=True).clamp(min=0.1)
    edge = _between(hidden[:, 0], 0.35, 0.9) * (1 + height * wobble)
    softness = torch.exp(_between(hidden[:, 4], math.log(0.015), math.log(0.12)))
    return {"weight": torch.sigmoid((edge - polar) / softness), "distance": polar / edge.clamp(min=0.05)}


def _between(unit, low, high):
    return (low + (unit + 1) / 2 * (high - low)).view(-1, 1, 1)


def _scaled(images):
    low, high = images.amin(dim=(1, 2), keepdim=True), images.amax(dim=(1, 2), keepdim=True)
    return (images - low) / (high - low).clamp(min=1e-6)
