"""Fine scenes -> scanner images of few pixels, and descriptors of them."""

import math

import torch
from torch.nn import functional

from radiodeep.networks.synthetic.outlines import SIZE, between

DESCRIPTORS = (
    "area_fraction",
    "area",
    "jaggedness",
    "mean",
    "deviation",
    "skewness",
    "peak",
    "neighbour_difference",
    "coarse_difference",
    "edge_slope",
    "entropy",
    "border_mean",
    "centre_mean",
    "surroundings",
)
_N_BINS = 16


def scan(scene, mask_depth, heights, widths, parameters, is_cut, generator):
    """Sample scenes with fewer pixels, blur and noise; pixels outside the mask become zero where `is_cut`.

    `scene` and `mask_depth` have the shape (n, 64, 64), `heights` and `widths` (n,) are integers from 4 to 64, and
    "noise" and "blur" of `parameters` are in -1..1. Return images of the same shape, whose first heights x widths
    pixels are >= 0 and the others zero, and the mask of these pixels, 1 in the lesion.
    """
    blur = torch.exp(between(parameters["blur"], math.log(0.35), math.log(1.1), 2))
    noise = torch.exp(between(parameters["noise"], math.log(0.005), math.log(0.25), 2))
    white = noise * torch.randn(len(scene), SIZE, SIZE, generator=generator)
    grain = 0.7 * torch.rand(len(scene), 1, 1, generator=generator)
    noisy = white + grain * (white.roll(1, 1) + white.roll(1, 2) + white.roll((1, 1), (1, 2)))
    images = _reduction(heights, blur) @ scene @ _reduction(widths, blur).mT + noisy
    # A narrow intensity window saturates brighter pixels.
    ceiling = 0.7 + 2 * torch.rand(len(scene), 1, 1, generator=generator)
    images = torch.minimum(images.clamp(min=0.02), ceiling)
    sharp = torch.tensor(0.3).view(1, 1, 1)
    rows, columns = _reduction(heights, sharp), _reduction(widths, sharp)
    mask = ((rows @ (mask_depth * SIZE / 4).clamp(-1, 1) @ columns.mT) > 0).float()
    return images * torch.where(is_cut.view(-1, 1, 1), mask, _frame(heights, widths)), mask


def describe(images, mask, heights, widths):
    """Return the `DESCRIPTORS` of images and masks that `scan` returned, shape (n, 14)."""
    area = mask.sum(dim=(1, 2)).clamp(min=1)
    # Intensities are relative to the brightest pixel, as in the images.
    images = images / images.amax(dim=(1, 2), keepdim=True).clamp(min=1e-3)
    mean = _mean(images, mask)
    centred = (images - mean.view(-1, 1, 1)) * mask
    deviation = (centred.square().sum(dim=(1, 2)) / area).sqrt()
    skewness = (centred * centred * centred).sum(dim=(1, 2)) / area / deviation.clamp(min=0.02).pow(3)
    inner = _smallest_near(mask, 0.0)
    outer = (1 - _smallest_near(1 - mask, 1.0) - mask) * _frame(heights, widths)
    border = mask - inner
    perimeter = border.sum(dim=(1, 2)).clamp(min=1)
    levels = (images * _N_BINS).long().clamp(max=_N_BINS - 1).flatten(1)
    shares = torch.zeros(len(images), _N_BINS).scatter_add_(1, levels, mask.flatten(1)) / area.view(-1, 1)
    entropy = -(shares * shares.clamp(min=1e-6).log()).sum(dim=1)
    border_mean, inner_mean = _mean(images, border), _mean(images, inner)
    return torch.stack(
        [
            area / (heights * widths),
            area.log(),
            perimeter.log() - 0.5 * area.log(),
            mean,
            deviation,
            skewness.clamp(-4, 4),
            (images * mask).amax(dim=(1, 2)),
            (_squared_difference(images, mask, 1) + 1e-4).log(),
            (_squared_difference(images, mask, 3) + 1e-4).log(),
            inner_mean - border_mean,
            entropy,
            border_mean,
            inner_mean,
            _mean(images, outer),
        ],
        dim=1,
    )


def _mean(values, where):
    return (values * where).sum(dim=(1, 2)) / where.sum(dim=(1, 2)).clamp(min=1)


def _squared_difference(images, mask, step):
    """Return the mean squared difference of pixels `step` apart along an axis, both in the mask, shape (n,)."""
    total = 0
    n_counted = 0
    for axis in (1, 2):
        n_pairs = SIZE - step
        both = mask.narrow(axis, step, n_pairs) * mask.narrow(axis, 0, n_pairs)
        total += ((images.narrow(axis, step, n_pairs) - images.narrow(axis, 0, n_pairs)).square() * both).sum(
            dim=(1, 2)
        )
        n_counted += both.sum(dim=(1, 2))
    return total / n_counted.clamp(min=1)


def _smallest_near(mask, beyond):
    """Return the minimum of each pixel and its eight neighbours; `beyond` pads the frame."""
    mask = functional.pad(mask, (1, 1, 1, 1), value=beyond)
    mask = mask[:, 1:-1] * mask[:, 2:] * mask[:, :-2]
    return mask[:, :, 1:-1] * mask[:, :, 2:] * mask[:, :, :-2]


def _frame(heights, widths):
    """Return 1 in the first heights x widths pixels, 0 elsewhere, shape (n, 64, 64)."""
    line = torch.arange(SIZE)
    return ((line.view(-1, 1) < heights.view(-1, 1, 1)) & (line < widths.view(-1, 1, 1))).float()


def _reduction(sizes, blur):
    """Return matrices that sample 64 fine pixels with `sizes` pixels, shape (n, 64, 64); further rows are zero."""
    sizes = sizes.view(-1, 1, 1)
    row = torch.arange(SIZE).view(1, -1, 1)
    distance = (torch.arange(SIZE) + 0.5) * sizes / SIZE - (row + 0.5)
    weights = torch.exp(-0.5 * (distance / blur).square())
    return weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-12) * (row < sizes)
