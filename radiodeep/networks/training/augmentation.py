"""Images -> the same images rotated, flipped, deformed and with noise, for training and for averages in scoring."""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from radiodeep.checks import is_flag, is_non_negative, require, require_option
from radiodeep.exceptions import InputError

OUTSIDE = ("reflection", "border", "zeros")


@dataclass(frozen=True)
class Views:
    """Views of an image: flipped left to right or not, then rotated counter-clockwise (first row on top).

    `angles` in degrees, `flipped` and `weights` have an entry per view.
    """

    angles: tuple
    flipped: tuple
    weights: tuple


def study_views():
    """Return the 48 distinct views among the 72 of the nodule studies.

    Rotations by 0, 15, ..., 345 degrees x {unflipped, flipped left to right, flipped upside down} are 72 views. A flip
    upside down is a flip left to right with a half turn, so there are 24 unflipped views (weight 1) and 24 flipped
    ones that occur twice (weight 2). The weighted mean over the 48 is the mean over the 72, at two thirds of the cost.
    """
    angles = tuple(float(angle) for angle in range(0, 360, 15))
    return Views(angles * 2, (False,) * 24 + (True,) * 24, (1.0,) * 24 + (2.0,) * 24)


def dihedral_views():
    """Return the 8 views by right angles and a flip, which need no interpolation."""
    return Views((0.0, 90.0, 180.0, 270.0) * 2, (False,) * 4 + (True,) * 4, (1.0,) * 8)


def average_over_views(predict, images, views, outside="reflection"):
    """Return the weighted mean of predictions for all views of the images.

    `predict` maps images (n, channels, height, width) to a tensor with a row per image, e.g. probabilities. Right
    angles move pixels exactly; other angles are interpolated bilinearly.
    """
    n_images = _count_images(images, outside)
    total = 0.0
    for angle, flipped, weight in zip(views.angles, views.flipped, views.weights, strict=True):
        angles = torch.full((n_images,), angle, dtype=torch.float64)
        total = total + weight * predict(_move(images, angles, torch.full((n_images,), flipped), outside))
    return total / sum(views.weights)


@dataclass(frozen=True)
class Augmentation:
    """Random changes of images that keep their class, drawn for each image.

    They apply to intensities in the range 0..1, before images are normalized. Cubes in units of their own, such as HU,
    are mapped from their smallest and largest intensity to 0..1 first.

    Parameters
    ----------
    rotation : {"study"}, float or None, default="study"
        "study" draws a multiple of 15 degrees, as in the nodule studies; a number draws an angle between minus and plus
        that number of degrees; None rotates nothing.
    flips : bool, default=True
        With rotation="study", two thirds of the images are flipped, as among the 72 views of the studies. Otherwise an
        image is flipped left to right, upside down, both ways or not at all, with equal probability.
    noise : float, default=0.0
        Standard deviation of normal noise added to each pixel.
    elastic : float, default=0.0
        Standard deviation, in pixels, of a smooth random displacement with a correlation length of a twelfth of the
        image.
    intensity : float, default=0.0
        Intensities become gain x intensity^gamma + offset, where negative ones count as 0. Gain and gamma are between
        1 - `intensity` and 1 + `intensity`, the offset between minus and plus `intensity`. Below 1.
    zoom : float, default=0.0
        Enlarge by a factor between 1 - `zoom` and 1 + `zoom`. Below 1.
    shift : float, default=0.0
        Move by up to this fraction of the height and of the width.
    outside : {"reflection", "border", "zeros"}, default="reflection"
        What a rotated image shows beyond the edges: its mirror image, its edge pixels repeated, or 0. All three show 0
        beyond an image whose background is 0.

    Raises
    ------
    InputError
        By `apply`, if a parameter is out of range.

    References
    ----------
    P. Y. Simard, D. Steinkraus, J. C. Platt, Best practices for convolutional neural networks applied to visual
    document analysis, ICDAR 2003 (elastic deformation).

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.training.augmentation import Augmentation
    >>> augmentation = Augmentation(noise=0.02, elastic=1.5)
    >>> augmentation.apply(torch.rand(4, 1, 32, 32), torch.Generator().manual_seed(0)).shape
    torch.Size([4, 1, 32, 32])
    >>> Augmentation(zoom=1).apply(torch.rand(4, 1, 32, 32), torch.Generator())
    Traceback (most recent call last):
        ...
    radiodeep.exceptions.InputError: The 'zoom' parameter of Augmentation must be a number >= 0 and < 1. Got 1 instead.
    """

    rotation: str | float | None = "study"
    flips: bool = True
    noise: float = 0.0
    elastic: float = 0.0
    intensity: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    outside: str = "reflection"

    def apply(self, images, generator):
        """Return changed copies of images, a floating point tensor of shape (n, channels, height, width) on any device.

        A generator of the CPU gives the same changes on every device.
        """
        self._check_parameters()
        n_images = _count_images(images, self.outside)
        angles, flipped = self._draw_views(n_images, generator)
        zoom = 1 + self.zoom * _between(-1, 1, (n_images,), generator) if self.zoom else None
        shift = self.shift * _between(-1, 1, (n_images, 2), generator) if self.shift else None
        bend = self.elastic * _smooth_field(n_images, images.shape[-2:], generator) if self.elastic else None
        images = _move(images, angles, flipped, self.outside, zoom, shift, bend)
        if self.intensity:
            gain, gamma, offset = (self.intensity * _between(-1, 1, (3, n_images, 1, 1, 1), generator)).to(images)
            images = (1 + gain) * images.clamp(min=0) ** (1 + gamma) + offset
        if self.noise:
            draws = torch.randn(images.shape, generator=generator, device=generator.device)
            images = images + self.noise * draws.to(images)
        return images

    def _draw_views(self, n_images, generator):
        """Return an angle in degrees, and whether to flip first, for each image."""
        draws = _between(0, 1, (3, n_images), generator)
        if self.rotation == "study":
            return 15.0 * (24 * draws[0]).floor(), (draws[1] < 2 / 3) & self.flips
        angles = (self.rotation or 0.0) * (2 * draws[0] - 1)
        left_right, upside_down = (draws[1:] < 0.5) & self.flips
        return angles + 180.0 * upside_down, left_right ^ upside_down

    def _check_parameters(self):
        if self.rotation not in ("study", None):
            self._check_number("rotation", 180, "'study', None or a number >= 0 and <= 180")
        require(is_flag(self.flips), self, "flips", "True or False")
        for name in ("noise", "elastic"):
            self._check_number(name, math.inf, "a number >= 0")
        for name in ("intensity", "zoom", "shift"):
            self._check_number(name, math.nextafter(1, 0), "a number >= 0 and < 1")

    def _check_number(self, name, most, allowed):
        value = getattr(self, name)
        require(is_non_negative(value) and value <= most, self, name, allowed)


@dataclass(frozen=True)
class OwnRangeAugmentation:
    """An augmentation for images in units of their own, such as HU or those of an MR scanner.

    Each image is mapped from its smallest and largest intensity to 0..1, augmented and mapped back, so that the
    parameters of `Augmentation` mean the same as for other images.
    """

    augmentation: object

    def apply(self, images, generator):
        """Return changed copies of images (n, channels, height, width), as `Augmentation.apply`."""
        low, high = (find(images, dim=(1, 2, 3), keepdim=True) for find in (torch.amin, torch.amax))
        span = (high - low).where(high > low, 1)
        return self.augmentation.apply((images - low) / span, generator) * span + low


def _count_images(images, outside):
    """Check images and what they show beyond their edges; return the number of images."""
    require_option(outside, OUTSIDE, Augmentation, "outside")
    if images.ndim != 4 or not images.is_floating_point():
        raise InputError(
            "Augmentation takes floating point images of shape (n, channels, height, width). "
            f"Got shape {tuple(images.shape)} of {images.dtype} instead."
        )
    return len(images)


def _between(low, high, shape, generator):
    """Return numbers drawn uniformly on the generator's device, moved to the CPU, where views are computed."""
    draws = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64).cpu()
    return low + (high - low) * draws


def _smooth_field(n_images, size, generator):
    """Return random displacements (n, height, width, 2) that are smooth and have unit variance.

    Normal noise on a coarse grid is interpolated by a Gaussian with the width of a grid step. The Gaussian is
    separable, so the field is ``rows @ noise @ columns.T``, with one matrix per axis. Each row of a matrix is scaled to
    unit norm, which gives every displacement a variance of 1, at the edges as well.
    """
    spread = max(max(size) / 12, 1.0)  # grid step and standard deviation of the Gaussian, in pixels
    sides = []
    for length in size:
        points = torch.arange(-3 * spread, length + 3 * spread, spread)
        side = torch.exp(-0.5 * ((torch.arange(length)[:, None] - points) / spread) ** 2)
        sides.append((side / side.norm(dim=1, keepdim=True)).to(generator.device))
    rows, columns = sides
    shape = (n_images, 2, rows.shape[1], columns.shape[1])
    draws = torch.randn(shape, generator=generator, device=generator.device)
    return (rows @ draws @ columns.T).permute(0, 2, 3, 1)


def _move(images, angles, flipped, outside, zoom=None, shift=None, bend=None):
    """Flip, rotate (degrees), zoom, shift (fractions) and deform (pixels) each image by its own numbers.

    Images that are only flipped and rotated by right angles (of images that are not square, half turns) are moved
    without interpolation; the others are sampled bilinearly in one call.
    """
    square = images.shape[-2] == images.shape[-1]
    if zoom is None and shift is None and bend is None:
        exact = angles % (90 if square else 180) == 0
    else:
        exact = torch.zeros(len(images), dtype=torch.bool)
    moved = torch.empty_like(images, memory_format=torch.contiguous_format)
    for turns in range(4):
        for flip in (False, True):
            chosen = torch.nonzero(exact & (angles % 360 == 90 * turns) & (flipped == flip))[:, 0].to(images.device)
            if len(chosen):
                part = images[chosen]
                moved[chosen] = torch.rot90(part.flip(-1) if flip else part, turns, (-2, -1))
    rest = torch.nonzero(~exact)[:, 0]
    if len(rest):
        grid = _grid(images.shape[-2:], angles[rest], flipped[rest], zoom, shift, bend).to(images)
        kept = rest.to(images.device)
        moved[kept] = functional.grid_sample(images[kept], grid, padding_mode=outside, align_corners=False)
    return moved


def _grid(size, angles, flipped, zoom, shift, bend):
    """Return the position that each pixel is sampled from, (n, height, width, 2), in the -1..1 units of grid_sample.

    Relative to the centre of the image, the pixel at p = (x, y) is sampled from R (p - shift + displacement) / zoom,
    where R rotates by the angle and then negates x if the image is flipped.
    """
    radians = torch.deg2rad(angles)
    cosine, sine = torch.cos(radians), torch.sin(radians)
    sign = 1 - 2 * flipped.double()
    matrix = torch.stack([sign * cosine, -sign * sine, sine, cosine], dim=1).view(-1, 2, 2)
    if zoom is not None:
        matrix = matrix / zoom[:, None, None]
    sides = torch.tensor([size[1], size[0]], dtype=torch.float64)  # (x, y), as the grid has it
    rows, columns = (torch.arange(length) - (length - 1) / 2 for length in size)
    device = torch.device("cpu") if bend is None else bend.device
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).view(1, -1, 2).to(device)
    if shift is not None:
        places = places - (shift * sides).float().to(device)[:, None]
    if bend is not None:
        places = places + bend.flatten(1, 2)
    sources = places @ matrix.mT.float().to(device) * (2 / sides).float().to(device)
    return sources.view(len(angles), *size, 2)
