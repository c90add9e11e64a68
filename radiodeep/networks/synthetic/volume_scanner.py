"""Fine scenes -> cubes as a scanner shows them, and descriptors of cubes and scenes."""

import math

import torch
from torch.nn import functional

from radiodeep.networks.synthetic.outlines import between
from radiodeep.networks.synthetic.solids import SIDE

_SPACE = (1, 2, 3)
_SHELLS = {  # depth in radii
    "far": (-0.9, -0.45),
    "near": (-0.45, -0.12),
    "margin": (-0.12, 0.12),
    "rim": (0.12, 0.35),
    "middle": (0.35, 0.65),
    "centre": (0.65, 9.0),
}
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_STEPS = {"cube": (1, 2, 4, 8), "scene": (1, 4)}


def _names(image):
    """Return the names of what `_of_image` computes."""
    places = ("lesion", *_SHELLS, "edge")
    names = [f"{place}_{measure}" for place in places for measure in ("mean", "deviation")]
    names += [f"{axis}_difference_{step}" for step in _STEPS[image] for axis in ("slice", "plane")]
    return [f"{image}_{name}" for name in (*names, "blocks", "bright", "dark")]


DESCRIPTORS = (
    "volume",
    "surface",
    "surface_z",
    "longest_axis",
    "shortest_axis",
    "skewness",
    "kurtosis",
    *(f"above_{level}" for level in _LEVELS),
    "contact",
    "asymmetry",
    *_names("cube"),
    *_names("scene"),
)


def scan(scene, mask_depth, half, parameters, kinds, generator):
    """Sample scenes (n, 24, 24, 24) with fewer voxels, blur and noise, and enlarge the result to the cube.

    `kinds` are bool tensors of shape (n,): whether the window is exact, whether the image is one of PET, and whether
    voxels outside the mask become zero, before the image is enlarged.

    `half`, shape (n, 3), are half the sides z, y and x of the window, whose longest has 4 to 24 voxels ("columns"). The
    others have as many as their length asks for, along z up to four times fewer ("slices"). A window that is not exact
    has at least 16 columns. "slices", "rows" and "columns" of `parameters` become the logarithms of the numbers, and
    "noise" and "blur" are in -1..1.
    """
    is_exact, is_pet, is_cut = kinds
    least = torch.where(is_exact, math.log(5.0), math.log(16.0))
    longest = torch.exp(least + (math.log(40.0) - least) * (parameters["columns"] + 1) / 2)
    thickness = torch.exp(between(parameters["slices"], -0.6, 1.5, 1)[:, 0])
    sizes = longest.unsqueeze(1) * half / half.amax(1, keepdim=True)
    sizes[:, 0] /= thickness
    sizes = sizes.round().clamp(min=4, max=SIDE)
    parameters["slices"], parameters["rows"], parameters["columns"] = sizes.log().unbind(1)

    blur = torch.exp(between(parameters["blur"], math.log(0.3), math.log(1.2), 2))
    blur = torch.where(is_pet.view(-1, 1, 1), 1.5 * blur, blur)
    deviation = torch.exp(between(parameters["noise"], math.log(0.004), math.log(0.2), 3))
    noise = deviation * torch.randn(len(scene), SIDE, SIDE, SIDE, generator=generator)
    grain = 0.8 * torch.rand(len(scene), 1, 1, 1, generator=generator)
    noise = noise + grain * (noise.roll(1, 2) + noise.roll(1, 3) + noise.roll((1, 1), (2, 3)))
    sampled = (_along_axes(scene, [_sampling(size, blur) for size in sizes.unbind(1)]) + noise).clamp(min=0)
    sharp = torch.tensor(0.3).view(1, 1, 1)
    mask = _along_axes((4 * mask_depth).clamp(-1, 1), [_sampling(size, sharp) for size in sizes.unbind(1)]) > 0
    sampled = sampled * (mask | ~is_cut.view(-1, 1, 1, 1))
    return _along_axes(sampled, [_enlargement(size) for size in sizes.unbind(1)])


def _along_axes(volumes, matrices):
    """Multiply volumes (n, 24, 24, 24) by matrices (n, 24, 24) along z, y and x."""
    along_z, along_y, along_x = matrices
    volumes = along_y.unsqueeze(1) @ (volumes @ along_x.mT.unsqueeze(1))
    return (along_z @ volumes.flatten(2)).view_as(volumes)


def _sampling(sizes, blur):
    """Return matrices that sample 24 fine voxels with `sizes` voxels, shape (n, 24, 24); further rows are zero."""
    sizes = sizes.view(-1, 1, 1)
    row = torch.arange(SIDE).view(1, -1, 1)
    distance = (torch.arange(SIDE) + 0.5) * sizes / SIDE - (row + 0.5)
    weights = torch.exp(-0.5 * (distance / blur).square())
    return weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-12) * (row < sizes)


def _enlargement(sizes):
    """Return matrices that enlarge the first `sizes` voxels to 24 by linear interpolation, shape (n, 24, 24)."""
    sizes = sizes.view(-1, 1, 1)
    places = ((torch.arange(SIDE).view(1, -1, 1) + 0.5) * sizes / SIDE - 0.5).clamp(min=0)
    return (1 - (torch.minimum(places, sizes - 1) - torch.arange(SIDE)).abs()).clamp(min=0)


def scaled(volumes, mask, generator):
    """Scale volumes to 0..1 as `scale_intensities` does, an eighth of them to a part of that range.

    Return them and the intensities (n, 1, 1, 1) that became 0 and 1.
    """
    ordered = volumes[:, ::2, ::2, ::2].flatten(1).sort(dim=1).values
    n_values = ordered.shape[1]
    shell = mask.unsqueeze(1)
    mean, deviation = (value[:, 0] for value in _moments_in(volumes, shell, shell.sum(dim=(2, 3, 4)).clamp(min=1)))
    low = torch.minimum(ordered[:, n_values // 100], mean - 2 * deviation).clamp(min=0)
    high = torch.maximum(ordered[:, -n_values // 100], mean + 2 * deviation)
    span = (high - low).clamp(min=1e-3)
    part, start, full = torch.rand(3, len(volumes), generator=generator)
    part = torch.where(full < 0.875, 1.0, 0.3 + 0.7 * part)
    low = low - start * (1 - part) * span / part
    low, span = low.view(-1, 1, 1, 1), (span / part).view(-1, 1, 1, 1)
    return ((volumes - low) / span).clamp(0, 1), low, low + span


def describe(cubes, scenes, mask, depth):
    """Return the `DESCRIPTORS` of cubes and scenes in 0..1, shape (n, len(DESCRIPTORS))."""
    shells = torch.stack([mask, *(((depth > low) & (depth <= high)).float() for low, high in _SHELLS.values())], dim=1)
    counts = shells.sum(dim=(2, 3, 4)).clamp(min=1)
    volume = counts[:, 0]
    means, deviations = _moments_in(cubes, shells, counts)
    centred = (cubes - means[:, 0].view(-1, 1, 1, 1)) * mask
    squared = centred * centred
    spread = deviations[:, 0].clamp(min=0.02)
    faces = [mask.diff(dim=axis).abs().sum(dim=_SPACE) + 1 for axis in _SPACE]
    axes, offset = _axes(mask, centred, volume)
    of_scenes = _moments_in(scenes, shells, counts)
    bright = (scenes > 0.5 * of_scenes[0][:, 0].view(-1, 1, 1, 1)).float()
    values = [
        (volume / SIDE**3).log(),
        sum(faces).log() - 2 / 3 * volume.log(),
        faces[0].log() - sum(faces).log(),
        *axes,
        (_dot(squared, centred) / volume / spread**3).clamp(-3, 3),
        (_dot(squared, squared) / volume / spread**4).clamp(0, 8),
        *(_dot((cubes > level).float(), mask) / volume for level in _LEVELS),
        _dot(bright, shells[:, 2]) / counts[:, 2],
        offset,
        *_of_image(cubes, shells, counts, (means, deviations), _STEPS["cube"]),
        *_of_image(scenes, shells, counts, of_scenes, _STEPS["scene"]),
    ]
    return torch.stack(values, dim=1)


def _of_image(image, shells, counts, moments, steps):
    """Return the values named by `_names`: intensities in lesion and shells, sharpness of the edge and texture."""
    values = [value for pair in zip(*(each.unbind(1) for each in moments), strict=True) for value in pair]
    slope = torch.zeros_like(image)
    for axis in _SPACE:
        slope.narrow(axis, 1, SIDE - 1).add_(image.diff(dim=axis).square_())
    edge = list(_SHELLS).index("margin") + 1
    values += [
        value[:, 0] for value in _moments_in(slope.sqrt_(), shells[:, edge : edge + 1], counts[:, edge : edge + 1])
    ]
    mask, volume = shells[:, 0], counts[:, 0]
    for step in steps:
        values += _differences(image, mask, step)
    kept, inner = functional.avg_pool3d(mask, 4), image * mask
    blocks = (functional.avg_pool3d(inner, 4) / kept.clamp(min=0.05)).unsqueeze(1)
    kept = (kept > 0.4).float().unsqueeze(1)
    values.append(_moments_in(blocks[:, 0], kept, kept.sum(dim=(2, 3, 4)).clamp(min=1))[1][:, 0])
    detail = (image - _average(inner) / _average(mask).clamp(min=0.02)) * mask
    for part in (detail.clamp(min=0), detail.clamp(max=0)):
        values.append((_dot(part, part) / volume + 1e-4).log())
    return values


def _moments_in(image, shells, counts):
    """Return means and standard deviations of the intensities in shells (n, k, z, y, x), each of shape (n, k)."""
    values = image.flatten(1)
    mean, square = (shells.flatten(2) @ torch.stack([values, values * values], dim=2)).unbind(2)
    mean = mean / counts
    return mean, (square / counts - mean * mean).clamp(min=1e-8).sqrt()


def _dot(first, second):
    """Return the sums of the products of voxels, shape (n,)."""
    return (first.flatten(1).unsqueeze(1) @ second.flatten(1).unsqueeze(2)).view(-1)


def _average(volumes):
    """Return a sliding average of about five voxels along each axis."""
    line = torch.arange(SIDE)
    matrix = ((line.view(-1, 1) - line).abs() <= 2).float().expand(len(volumes), -1, -1) / 5
    return _along_axes(volumes, [matrix] * 3)


def _differences(image, mask, step):
    """Return log mean squared differences of voxels `step` apart, both in the mask: across and within slices."""
    totals, counts = [], []
    for axis in _SPACE:
        ends = [(array.narrow(axis, step, SIDE - step), array.narrow(axis, 0, SIDE - step)) for array in (image, mask)]
        (upper, lower), (first, second) = ends
        both = first * second
        totals.append(((upper - lower).square() * both).sum(dim=_SPACE))
        counts.append(both.sum(dim=_SPACE))
    pairs = ((totals[0], counts[0]), (totals[1] + totals[2], counts[1] + counts[2]))
    return [(total / count.clamp(min=1) + 1e-4).log() for total, count in pairs]


def _axes(mask, centred, volume):
    """Return logarithms of longest and shortest axis, and how far the bright side lies from the centre.

    The axes are standard deviations of the places of the voxels relative to the mean one; the offset is the covariance
    of place and intensity.
    """
    line = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    flat, values = mask.flatten(1), centred.flatten(1)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).flatten(1)
    products = torch.stack([grid[j] * grid[k] for j in range(3) for k in range(3)])
    centre = flat @ grid.T / volume.unsqueeze(1)
    second = (flat @ products.T / volume.unsqueeze(1)).view(-1, 3, 3) - centre.unsqueeze(2) * centre.unsqueeze(1)
    spread = torch.linalg.eigvalsh(second).clamp(min=1e-5).log() / 2
    offset = (values @ grid.T / volume.unsqueeze(1)).norm(dim=1)
    return (spread[:, 2] - spread.mean(1), spread[:, 0] - spread.mean(1)), (offset + 1e-3).log()
