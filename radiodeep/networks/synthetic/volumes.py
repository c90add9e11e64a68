"""Seeded generator -> cubes about synthetic lesions and the parameters that generated or describe them.

`radiodeep-mini-3d` is trained on these cubes alone; no image of a patient is involved.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import torch
from torch.nn import functional

from radiodeep.checks import is_count, require
from radiodeep.networks.synthetic.outlines import between
from radiodeep.networks.synthetic.solids import SIDE, make_solids, unit_vectors
from radiodeep.networks.synthetic.volume_scanner import DESCRIPTORS, describe, scaled, scan

_PARAMETERS = (
    "extent",
    "margin",
    "elongation",
    "flatness",
    "lobes",
    "spicules",
    "roughness",
    "edge_softness",
    "correlation_length",
    "spectral_slope",
    "anisotropy",
    "anisotropy_z",
    "texture_contrast",
    "texture_skewness",
    "habitats",
    "core",
    "rim",
    "pit",
    "pit_size",
    "halo",
    "dome",
    "background",
    "background_contrast",
    "vessels",
    "feeding_vessel",
    "wall",
    "noise",
    "blur",
    "slices",
    "rows",
    "columns",
)
VOLUME_TARGETS = _PARAMETERS + DESCRIPTORS
_N_VIEWS = 4
_DIGITS = torch.tensor([1e2, 1e3, 1e4, 1e5])  # of random keys, after those that their order depends on
_AT_ONCE = 16  # lesions whose arrays stay in the cache of a processor
_SURROUNDINGS = (0.2, 0.55, 0.85)  # cut out, then lung, then other tissue, then a dark image with hot spots (PET)


def make_volumes(n_volumes, generator):
    """Generate cubes about synthetic lesions as seen by different scanners and windows.

    A solid with lobes, spicules and a rough surface is filled with a texture of power-law spectrum and preferred
    direction, with regions of other intensity, a core, a rim, a pit (cavity or calcification) and a halo (ground
    glass). A fifth of the lesions are cut out; the others lie in lung with vessels and pleura, in other tissue, or
    among hot spots as in PET. A simulated scanner samples the scene with 4 to 24 voxels along each axis, slices
    thicker than pixels, blur and noise. Six of ten windows are the box of the lesion with a margin, stretched to a
    cube. The same state of the `torch.Generator` leads to the same cubes.

    Returns
    -------
    cubes : float32 tensor of shape (n_volumes, 1, 24, 24, 24)
        In 0..1.
    targets : float32 tensor of shape (n_volumes, len(VOLUME_TARGETS))
        The values of `VOLUME_TARGETS`: first the parameters that generated the cube, then descriptors of it and of the
        scene before the scanner. Each has its own scale.
    """
    require(is_count(n_volumes, 1), "make_volumes", "n_volumes", "an int > 0", n_volumes)
    parts = [_make_part(min(_AT_ONCE, n_volumes - start), generator) for start in range(0, n_volumes, _AT_ONCE)]
    return tuple(torch.cat(values) for values in zip(*parts, strict=True))


def scaled_volume_batches(batch_size, generator):
    """Yield (cubes, targets) of synthetic lesions endlessly, each four times, flipped and turned in other ways.

    They are those of `make_volumes`, with targets standardized by mean and deviation of 2,000 lesions and clipped to
    -3..3, so that all weigh the same. Lesions of eight batches are mixed, and shown again by the next batches.
    """
    for cubes, targets, keys in _pools(8 * batch_size, generator):
        for key in keys:
            for chosen in key.argsort().split(batch_size):
                turns = (key[chosen[0]] * _DIGITS) % 1 < 0.5
                yield _seen_otherwise(cubes[chosen], targets[chosen], turns)


def _pools(n_volumes, generator):
    """Yield cubes, standardized targets, and a random number of each cube for each of its views."""
    _, targets = make_volumes(2000, generator)
    mean, deviation = targets.mean(dim=0), targets.std(dim=0)

    def make_pool():
        cubes, targets = make_volumes(n_volumes, generator)
        keys = torch.rand(_N_VIEWS, len(cubes), generator=generator)
        return cubes, ((targets - mean) / deviation).clamp(-3, 3), keys

    with ThreadPoolExecutor(1) as executor:  # generates the next lesions while a network trains on these
        next_pool = executor.submit(make_pool)
        while True:
            pool = next_pool.result()
            next_pool = executor.submit(make_pool)
            yield pool


def _seen_otherwise(cubes, targets, choices):
    """Flip cubes along z, y and x and exchange y and x, each if the choice says so; targets follow."""
    cubes = cubes.flip([axis for axis, is_chosen in zip((2, 3, 4), choices.tolist(), strict=False) if is_chosen])
    if not choices[3]:
        return cubes, targets
    order = list(range(len(VOLUME_TARGETS)))
    rows, columns = VOLUME_TARGETS.index("rows"), VOLUME_TARGETS.index("columns")
    order[rows], order[columns] = columns, rows
    return cubes.transpose(3, 4), targets[:, order]


def _make_part(n_volumes, generator):
    kind = torch.rand(n_volumes, generator=generator)
    is_cut, is_lung, is_pet = kind < _SURROUNDINGS[0], kind < _SURROUNDINGS[1], kind > _SURROUNDINGS[2]
    is_exact = torch.rand(n_volumes, generator=generator) < 0.6
    parameters = {name: torch.rand(n_volumes, generator=generator) * 2 - 1 for name in _PARAMETERS}
    depth, mask_depth, places, half = make_solids(parameters, is_exact, generator)

    texture, rough = _textures(parameters, generator), _rough_field(n_volumes, generator)
    bumpy = between(parameters["roughness"], 0.0, 0.12, 3) * rough
    depth, mask_depth = depth + bumpy, mask_depth + 0.5 * bumpy
    softness = torch.exp(between(parameters["edge_softness"], math.log(0.02), math.log(0.4), 3))
    inside = torch.sigmoid(depth / softness)
    contrast = torch.exp(between(parameters["texture_contrast"], math.log(0.01), math.log(0.4), 3))
    inner = _inner(parameters, depth, texture, contrast, is_pet, places, generator)
    around = _surroundings(parameters, depth, texture, is_lung, is_pet, places, generator)
    scene = inside * inner + (1 - inside) * around

    scanned = scan(scene, mask_depth, half, parameters, (is_exact, is_pet, is_cut), generator)
    mask = (mask_depth > 0).float()
    keep = torch.where(is_cut.view(-1, 1, 1, 1), mask, 1.0)
    cubes, low, high = scaled(scanned, mask, generator)
    clean = ((scene * keep - low) / (high - low)).clamp(0, 1)
    parameters["background"] = torch.where(is_cut, -1.0, parameters["background"])
    drawn = torch.stack([parameters[name] for name in _PARAMETERS], dim=1)
    return cubes.unsqueeze(1), torch.cat([drawn, describe(cubes, clean, mask, mask_depth)], dim=1)


def _inner(parameters, depth, texture, contrast, is_pet, places, generator):
    """Return the intensity inside lesions, about 1, shape (n, 24, 24, 24).

    Here and below, `parameters` in -1..1 that depend on others are replaced by their effect, as the targets should be.
    """
    skewness = parameters["texture_skewness"].view(-1, 1, 1, 1) * 0.8 + 1e-3
    skewed = torch.expm1(skewness * texture.clamp(-4, 4)) / skewness
    skewed = skewed / skewed.std(dim=(1, 2, 3), keepdim=True)
    parameters["habitats"] = (1.6 * parameters["habitats"]).where(parameters["habitats"].abs() > 0.4, 0.0)
    regions = torch.sigmoid(6 * (_coarse_field(len(depth), 6, generator) - 0.3))
    inner = 1 + contrast * skewed + 0.5 * parameters["habitats"].view(-1, 1, 1, 1) * regions

    width = (0.3 + 0.5 * torch.rand(len(depth), 1, 1, 1, generator=generator)) ** 2
    inner += 0.9 * parameters["core"].view(-1, 1, 1, 1) * torch.exp(-((1 - depth).clamp(min=0) ** 2) / width)
    inner += 0.5 * parameters["rim"].view(-1, 1, 1, 1) * torch.exp(-(((depth - 0.15) / 0.12) ** 2))
    # Half of the lesions have no pit; in the others it stands for a cavity or a calcification.
    parameters["pit"] = torch.where(parameters["pit"].abs() > 0.5, 1.6 * parameters["pit"], 0.0)
    centre = 0.5 * (torch.rand(3, len(depth), 1, 1, 1, generator=generator) * 2 - 1)
    radius = torch.exp(between(parameters["pit_size"], math.log(0.1), math.log(0.6), 3))
    parameters["pit_size"] = parameters["pit"].abs() * radius.view(-1)
    away = sum(((place - middle) / radius) ** 2 for place, middle in zip(places, centre, strict=True))
    inner += parameters["pit"].view(-1, 1, 1, 1) * torch.exp(-away * away)
    # A third have a halo of another intensity, which may be almost the whole lesion.
    strength = torch.where(parameters["halo"] > 0.33, 0.3 + 0.5 * parameters["halo"], 0.0)
    reach = 0.15 + 0.7 * torch.rand(len(depth), 1, 1, 1, generator=generator)
    parameters["halo"] = strength * reach.view(-1)
    inner *= 1 - strength.view(-1, 1, 1, 1) * torch.sigmoid((reach - depth) * 15)
    # Uptake in PET is often a dome.
    parameters["dome"] = torch.where(is_pet, (parameters["dome"] + 1) / 2, 0.0)
    dome = parameters["dome"].view(-1, 1, 1, 1)
    return inner.clamp(min=0.05) * (1 - dome + dome * torch.exp(-1.5 * (1 - depth).clamp(min=0) ** 2))


def _surroundings(parameters, depth, texture, is_lung, is_pet, places, generator):
    """Return the intensity around lesions, shape (n, 24, 24, 24)."""
    is_tissue = ~(is_lung | is_pet)
    tissue = torch.exp(between(parameters["background"], math.log(0.2), math.log(3.0), 1))[:, 0]
    level = torch.where(is_tissue, tissue, 0.15 + 0.15 * parameters["background"])
    spread = torch.exp(between(parameters["background_contrast"], math.log(0.01), math.log(0.3), 1))[:, 0]
    spread = torch.where(is_tissue, spread, 0.3 * spread)
    parameters["background"], parameters["background_contrast"] = level, spread.log()
    sharpness = 1 + 7 * torch.rand(len(depth), 1, 1, 1, generator=generator)
    weight = torch.where(is_tissue, 3 * level, 0.3).view(-1, 1, 1, 1)
    regions = weight * torch.tanh(sharpness * (_coarse_field(len(depth), 4, generator) - 0.3))
    around = level.view(-1, 1, 1, 1) + spread.view(-1, 1, 1, 1) * (texture.roll(1, 0) + regions)

    parameters["feeding_vessel"] = torch.where(is_lung, parameters["feeding_vessel"], -1.0).clamp(min=0)
    parameters["vessels"] = torch.where(is_pet, 0.0, parameters["vessels"].clamp(min=0))
    bright = (
        parameters["feeding_vessel"],
        *(parameters["vessels"] * (parameters["vessels"] > k) for k in (0, 0.3, 0.6)),
    )
    offset = 1.2 + 0.8 * torch.rand(len(bright), len(depth), 1, 1, 1, generator=generator)
    offset[0] = 0.3
    for number, strength in enumerate(bright):
        around += 0.9 * strength.view(-1, 1, 1, 1) * _vessel(places, offset[number], generator)

    parameters["wall"] = torch.where(is_pet, 0.0, parameters["wall"].clamp(min=0))
    normal = unit_vectors(len(depth), generator=generator)
    along = sum(normal[:, axis].view(-1, 1, 1, 1) * places[axis] for axis in range(3))
    start = 0.6 + 1.2 * torch.rand(len(depth), 1, 1, 1, generator=generator)
    wall = (0.6 + 0.5 * parameters["wall"]) * (parameters["wall"] > 0)
    around += wall.view(-1, 1, 1, 1) * torch.sigmoid((along - start) * 12)
    spot = torch.exp(-((along - start - 0.8) ** 2) * 4 - 0.5 * sum(place * place for place in places))
    return around + (is_pet * 2.0).view(-1, 1, 1, 1) * spot * (start > 1.2)


def _vessel(places, offset, generator):
    """Return a straight tube of brightness 1 at a distance of `offset` radii from the centre."""
    n_vessels = len(offset)
    axis, side = unit_vectors(n_vessels, 2, generator=generator).unbind(1)
    side = side - (side * axis).sum(1, keepdim=True) * axis
    side = side / side.norm(dim=1, keepdim=True).clamp(min=1e-3) * offset.view(-1, 1)
    away = [place - side[:, k].view(-1, 1, 1, 1) for k, place in enumerate(places)]
    along = sum(axis[:, k].view(-1, 1, 1, 1) * away[k] for k in range(3))
    radius = 0.08 + 0.27 * torch.rand(n_vessels, 1, 1, 1, generator=generator)
    squared = sum(step * step for step in away) - along * along
    return torch.exp(-squared / radius**2)


def _coarse_field(n_fields, n_knots, generator):
    """Return smooth noise of about unit variance, shape (n, 24, 24, 24)."""
    knots = torch.randn(n_fields, 1, n_knots, n_knots, n_knots, generator=generator)
    return 1.7 * functional.interpolate(knots, size=(SIDE,) * 3, mode="trilinear", align_corners=True)[:, 0]


def _rough_field(n_fields, generator):
    """Return noise of unit variance that changes over a few voxels, shape (n, 24, 24, 24)."""
    return _coarse_field(n_fields, 9, generator)


def _textures(parameters, generator):
    """Return noise of unit variance with a power-law spectrum, shape (n, 24, 24, 24).

    The target "anisotropy_z" becomes the part of the anisotropy that lies along z.
    """
    strength = (parameters["anisotropy"] + 1) / 2
    n_textures = len(strength)
    direction = unit_vectors(n_textures, generator=generator)
    parameters["anisotropy"], parameters["anisotropy_z"] = strength, strength * direction[:, 0].square()
    frequency = torch.fft.fftfreq(SIDE)
    axes = (frequency.view(1, -1, 1, 1), frequency.view(1, 1, -1, 1), torch.fft.rfftfreq(SIDE).view(1, 1, 1, -1))
    along = sum(direction[:, k].view(-1, 1, 1, 1) * axes[k] for k in range(3))
    stretch = (1 + 1.5 * strength).view(-1, 1, 1, 1)
    squared = (sum(axis * axis for axis in axes) - along * along) / stretch + (along * stretch) ** 2
    length = torch.exp(between(parameters["correlation_length"], math.log(0.7), math.log(8.0), 3))
    slope = between(parameters["spectral_slope"], 1.5, 5.0, 3)
    amplitude = torch.exp(torch.log1p(squared * (2 * math.pi * length) ** 2) * (-slope / 4))
    white = torch.randn(n_textures, SIDE, SIDE, SIDE // 2 + 1, dtype=torch.complex64, generator=generator)
    texture = torch.fft.irfftn(white * amplitude, s=(SIDE,) * 3)
    texture = texture - texture.mean(dim=(1, 2, 3), keepdim=True)
    return texture / texture.std(dim=(1, 2, 3), keepdim=True)
