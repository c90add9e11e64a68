"""Seeded generator -> images of synthetic lesions and the parameters that generated or describe them.

`radiodeep-mini` is trained on these images alone; no image of a patient is involved.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import torch
from torch.nn import functional

from radiodeep.checks import is_count, require
from radiodeep.networks.synthetic.outlines import SIZE, between, make_outlines
from radiodeep.networks.synthetic.scanner import DESCRIPTORS, describe, scan

_PARAMETERS = (
    "extent",
    "elongation",
    "elongation_cos",
    "elongation_sin",
    "lobes",
    "spicules",
    "roughness",
    "edge_softness",
    "correlation_length",
    "spectral_slope",
    "anisotropy_cos",
    "anisotropy_sin",
    "texture_contrast",
    "texture_skewness",
    "core",
    "rim",
    "pit",
    "vessel",
    "wall",
    "shadow",
    "lesion_level",
    "background",
    "noise",
    "blur",
    "height",
    "width",
)
TARGETS = _PARAMETERS + DESCRIPTORS


def make_lesions(n_images, generator):
    """Generate synthetic lesions as seen by different scanners and windows.

    An outline with lobes, spicules and roughness is filled with a texture of power-law spectrum and preferred
    direction, to which a core, a rim and a pit are added. There are three kinds of surroundings:

    - half of the images are zero outside an imprecise mask, most of them cropped to its bounding box;
    - a fifth show tissue around the lesion, with a vessel or a wall that touches it;
    - the others show a dark lesion in layered, speckled tissue, with a shadow or an enhancement below it.

    A simulated scanner then samples the scene with 4 to 64 pixels per side, blur and noise. The same state of the
    `torch.Generator` leads to the same images.

    Returns
    -------
    images : float32 tensor of shape (n_images, 1, 64, 64)
        In 0..1. Three quarters of the images cover that range, the others a part of it.
    targets : float32 tensor of shape (n_images, len(TARGETS))
        The values of `TARGETS`: first the parameters that generated the image, then descriptors of the scanner's
        image. Each has its own scale.
    """
    require(is_count(n_images, 1), "make_lesions", "n_images", "an int > 0", n_images)
    kind = torch.rand(n_images, generator=generator)
    is_cut, is_layered = kind < 0.5, kind > 0.7
    is_exact = is_cut & (torch.rand(n_images, generator=generator) < 0.85)
    parameters = {name: torch.rand(n_images, generator=generator) * 2 - 1 for name in _PARAMETERS}

    depth, mask_depth, heights, widths = make_outlines(parameters, is_exact, is_cut, is_layered, generator)
    softness = torch.exp(between(parameters["edge_softness"], math.log(0.02), math.log(0.4), 2))
    inside = torch.sigmoid(depth / softness)
    scene = _scene(parameters, depth, inside, is_layered, generator)
    scanned, mask = scan(scene, mask_depth, heights, widths, parameters, is_cut, generator)
    images = _with_random_range(_enlarged(scanned, heights, widths), is_cut, generator)

    parameters["height"], parameters["width"] = heights.log(), widths.log()
    parameters["background"] = torch.where(is_cut, -1.0, parameters["background"])
    drawn = torch.stack([parameters[name] for name in _PARAMETERS], dim=1)
    return images, torch.cat([drawn, describe(scanned, mask, heights, widths)], dim=1)


def scaled_batches(batch_size, generator):
    """Yield (images, targets) of new lesions endlessly; none comes twice, so that none can be memorised.

    They are those of `make_lesions`, with targets standardized by mean and deviation of 2,000 lesions and clipped to
    -3..3, so that all weigh the same.
    """
    _, targets = make_lesions(2000, generator)
    mean, deviation = targets.mean(dim=0), targets.std(dim=0)
    with ThreadPoolExecutor(1) as executor:  # generates the next batch while a network trains on this one
        next_batch = executor.submit(make_lesions, batch_size, generator)
        while True:
            images, targets = next_batch.result()
            next_batch = executor.submit(make_lesions, batch_size, generator)
            yield images, ((targets - mean) / deviation).clamp(-3, 3)


def _scene(parameters, depth, inside, is_layered, generator):
    """Return lesion (intensity about 1) and surroundings before sampling by the scanner, shape (n, 64, 64).

    Here and below, `parameters` in -1..1 that depend on others are replaced by their effect, as the targets should be.
    """
    parameters["anisotropy_cos"] = torch.where(
        is_layered, 0.5 * parameters["anisotropy_cos"] + 0.5, parameters["anisotropy_cos"]
    )
    texture = _textures(parameters, is_layered, generator)
    skewness = parameters["texture_skewness"].view(-1, 1, 1) * 0.8 + 1e-3
    skewed = torch.expm1(skewness * texture.clamp(-4, 4)) / skewness
    skewed = skewed / skewed.std(dim=(1, 2), keepdim=True)
    contrast = torch.exp(between(parameters["texture_contrast"], math.log(0.01), math.log(0.4), 2))
    inner = 1 + contrast * skewed + _inner_structure(parameters, depth, generator)

    layered = is_layered.view(-1, 1, 1)
    level = torch.where(layered, 1.0, between(parameters["background"], 0.0, 0.8, 2))
    around = level + contrast * torch.where(layered, _layers(len(depth), generator), texture.roll(1, 0))
    around = around + _neighbours(parameters, is_layered, depth, generator)

    darkness = torch.where(is_layered, parameters["lesion_level"], 1.0)
    parameters["lesion_level"] = darkness
    inner = inner * torch.where(layered, between(darkness, 0.05, 1.2, 2), 1.0)
    scene = inside * inner + (1 - inside) * around
    lit = _below(inside) * torch.where(layered, between(parameters["shadow"], -1.8, 1.0, 2), 0.0)
    parameters["shadow"] = torch.where(is_layered, parameters["shadow"], 0.3) * inside.mean(dim=(1, 2)).sqrt()
    speckle = torch.where(layered, 1.5 * contrast * texture.clamp(-3, 2), 0.0)
    return scene.clamp(min=0) * torch.exp(lit + speckle)


def _inner_structure(parameters, depth, generator):
    """Return the intensity added by core, rim and pit, shape (n, 64, 64)."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
    places = (torch.rand(2, len(depth), 1, 1, generator=generator) - 0.5) * 1.1
    radius = 0.1 + 0.35 * torch.rand(len(depth), 1, 1, generator=generator)
    spot = torch.exp(-(((torch.hypot(x - places[0], y - places[1]) / radius) ** 2) ** 2))
    # Half of the lesions have no pit; in the others it stands for a cavity or a calcification.
    parameters["pit"] = torch.where(parameters["pit"].abs() > 0.5, (parameters["pit"] * 1.6).clamp(-1, 1.6), 0.0)
    width = (0.3 + 0.5 * torch.rand(len(depth), 1, 1, generator=generator)) ** 2
    core = parameters["core"].view(-1, 1, 1) * torch.exp(-((1 - depth).clamp(min=0) ** 2) / width)
    rim = parameters["rim"].view(-1, 1, 1) * torch.exp(-(((depth - 0.15) / 0.12) ** 2))
    return 0.5 * core + 0.3 * rim + parameters["pit"].view(-1, 1, 1) * 0.8 * spot


def _neighbours(parameters, is_layered, depth, generator):
    """Return the intensity added by a vessel and a wall near the lesion, shape (n, 64, 64)."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
    angle, offset, width, angle_wall = torch.rand(4, len(depth), 1, 1, generator=generator)
    for name in ("vessel", "wall"):
        parameters[name] = torch.where(is_layered, 0.0, parameters[name].clamp(min=0))
    angle, angle_wall = angle * math.pi, angle_wall * 2 * math.pi
    across = x * torch.cos(angle) + y * torch.sin(angle) - (offset - 0.5)
    vessel = torch.exp(-((across / (0.05 + 0.2 * width)) ** 2))
    along = x * torch.cos(angle_wall) + y * torch.sin(angle_wall)
    wall = torch.sigmoid((along - 0.75) * 15)
    return 0.9 * parameters["vessel"].view(-1, 1, 1) * vessel + parameters["wall"].view(-1, 1, 1) * wall


def _layers(n_images, generator):
    """Return horizontal layers of random intensity that bend along x, shape (n, 64, 64)."""
    coarse = torch.randn(n_images, 1, 12, 3, generator=generator)
    return 1.5 * functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear", align_corners=True)[:, 0]


def _below(inside):
    """Return the amount of lesion above each pixel, 0 inside the lesion, shape (n, 64, 64)."""
    return (inside.cumsum(dim=1) / 20).clamp(max=1) * (1 - inside)


def _textures(parameters, is_layered, generator):
    """Return noise of unit variance with a power-law spectrum, shape (n, 64, 64).

    The targets `anisotropy_cos` and `anisotropy_sin` become strength times cosine and sine of twice the angle.
    """
    strength = (parameters["anisotropy_cos"] + 1) / 2
    double_angle = torch.where(is_layered, 0.0, parameters["anisotropy_sin"] * math.pi)
    parameters["anisotropy_cos"], parameters["anisotropy_sin"] = (
        strength * torch.cos(double_angle),
        strength * torch.sin(double_angle),
    )
    cosine, sine = torch.cos(double_angle / 2).view(-1, 1, 1), torch.sin(double_angle / 2).view(-1, 1, 1)
    frequency_y, frequency_x = torch.fft.fftfreq(SIZE).view(1, SIZE, 1), torch.fft.rfftfreq(SIZE).view(1, 1, -1)
    along, across = frequency_x * cosine + frequency_y * sine, frequency_y * cosine - frequency_x * sine
    stretch = (1 + 1.5 * strength).view(-1, 1, 1)
    frequency = torch.hypot(along * stretch, across / stretch.sqrt())
    length = torch.exp(between(parameters["correlation_length"], math.log(1.0), math.log(12.0), 2))
    slope = between(parameters["spectral_slope"], 1.5, 5.0, 2)
    amplitude = (1 + (2 * math.pi * frequency * length) ** 2) ** (-slope / 4)
    white = torch.fft.rfft2(torch.randn(len(strength), SIZE, SIZE, generator=generator))
    texture = torch.fft.irfft2(white * amplitude, s=(SIZE, SIZE))
    texture = texture - texture.mean(dim=(1, 2), keepdim=True)
    return texture / texture.std(dim=(1, 2), keepdim=True)


def _enlarged(scanned, heights, widths):
    """Enlarge the top left heights x widths pixels of images to 64 x 64 by linear interpolation."""

    def interpolation(sizes):
        target = torch.arange(SIZE).view(1, -1, 1)
        sizes = sizes.view(-1, 1, 1)
        place = torch.minimum(((target + 0.5) * sizes / SIZE - 0.5).clamp(min=0), sizes - 1)
        return (1 - (place - torch.arange(SIZE)).abs()).clamp(min=0)

    return (interpolation(heights) @ scanned @ interpolation(widths).mT).unsqueeze(1)


def _with_random_range(images, is_cut, generator):
    """Scale images to 0..1, a quarter of them to a part of that range; zero backgrounds stay zero."""
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    part, start, full = torch.rand(3, len(images), 1, 1, 1, generator=generator)
    part = torch.where(full < 0.75, 1.0, 0.3 + 0.7 * part)
    start = torch.where(is_cut.view(-1, 1, 1, 1), 0.0, start * (1 - part))
    return (images - low) / (high - low).clamp(min=1e-3) * part + start
