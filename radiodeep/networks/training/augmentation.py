"""Images in, the same images turned, flipped, bent and disturbed out: for training and for averages when scoring."""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from radiodeep.exceptions import InputError

OUTSIDE = ("reflection", "border", "zeros")


@dataclass(frozen=True)
class Views:
    """Ways to look at an image: flipped left to right or not, then turned counter-clockwise.

    Parameters
    ----------
    angles : tuple of float
        Degrees; counter-clockwise as the image is shown, with the first row on top.
    flipped : tuple of bool
    weights : tuple of float
        How often each view counts.
    """

    angles: tuple
    flipped: tuple
    weights: tuple

    def __len__(self):
        return len(self.angles)


def study_views():
    """Return the 48 different images among the 72 of the studies.

    Rotations by 0, 15, ..., 345 degrees x {unflipped, flipped left to right, flipped upside down} make 72, but a
    flip upside down is one left to right and half a turn: 24 unflipped images (weight 1) and 24 flipped ones, each
    there twice (weight 2). The weighted loss of the 48 is the loss of the 72, at two thirds of the cost.

    Returns
    -------
    Views

    Examples
    --------
    >>> from radiodeep.networks.training.augmentation import study_views
    >>> views = study_views()
    >>> len(views), sum(views.weights)
    (48, 72.0)
    """
    angles = tuple(float(angle) for angle in range(0, 360, 15))
    return Views(angles * 2, (False,) * 24 + (True,) * 24, (1.0,) * 24 + (2.0,) * 24)


def dihedral_views():
    """Return the 8 views by right angles and a flip, which move pixels and mix none.

    Returns
    -------
    Views
    """
    return Views((0.0, 90.0, 180.0, 270.0) * 2, (False,) * 4 + (True,) * 4, (1.0,) * 8)


def apply_views(images, views, outside="reflection"):
    """Look at each image in each way, in one batched sampling.

    Parameters
    ----------
    images : torch.Tensor
        Shape (n, channels, height, width).
    views : Views
    outside : {"reflection", "border", "zeros"}, default="reflection"
        What a turned image shows beyond the edges of the image: its mirror image, its edge pixels drawn out, or 0.
        All three show 0 beyond an image whose background is 0.

    Returns
    -------
    torch.Tensor
        Shape (n, n_views, channels, height, width). Right angles move pixels exactly; other angles are bilinear.

    Raises
    ------
    InputError
        Another word for `outside`, or images that are not a batch of images.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.training.augmentation import apply_views, study_views
    >>> apply_views(torch.rand(2, 1, 32, 32), study_views()).shape
    torch.Size([2, 48, 1, 32, 32])
    """
    n_images = _check(images, outside)
    as_channels = images.flatten(0, 1).expand(len(views), -1, -1, -1)  # where a pixel comes from is found once per view
    angles, flipped = torch.tensor(views.angles, dtype=torch.float64), torch.tensor(views.flipped)
    return _move(as_channels, angles, flipped, outside).unflatten(1, (n_images, -1)).transpose(0, 1)


def average_over_views(predict, images, views, outside="reflection"):
    """Return the weighted mean of what `predict` says of the images in every view.

    Parameters
    ----------
    predict : callable
        Images (n, channels, height, width) -> tensor with a row per image, e.g. probabilities.
    images : torch.Tensor
        Shape (n, channels, height, width).
    views : Views
    outside : {"reflection", "border", "zeros"}, default="reflection"

    Returns
    -------
    torch.Tensor
        As `predict` returns it.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.training.augmentation import average_over_views, dihedral_views
    >>> image = torch.rand(5, 1, 32, 32)
    >>> top = average_over_views(lambda images: images[:, 0, :16].mean((1, 2)), image, dihedral_views())
    >>> torch.allclose(top, image.mean((1, 2, 3)))
    True
    """
    n_images, total = _check(images, outside), 0.0
    for angle, flipped, weight in zip(views.angles, views.flipped, views.weights, strict=True):
        angles = torch.full((n_images,), angle, dtype=torch.float64)
        total = total + weight * predict(_move(images, angles, torch.full((n_images,), flipped), outside))
    return total / sum(views.weights)


@dataclass(frozen=True)
class Augmentation:
    """Random changes of images that leave their class as it is, drawn anew for each image.

    They apply to pixels of 0..1, before these are brought to the scale of a network; a cube in its own units, such as
    HU, counts as 0..1 from its smallest to its largest intensity.

    Parameters
    ----------
    rotation : {"study"}, float or None, default="study"
        "study" draws one of the studies' multiples of 15 degrees; a number draws an angle between minus and plus
        so many degrees, 180 being any; None turns nothing.
    flips : bool, default=True
        With rotation="study", two thirds of the images are flipped, as in the 72 of the studies. Otherwise each is
        flipped left to right, upside down, both or not at all with the same probability.
    noise : float, default=0.0
        Standard deviation of the normal noise that is added to each pixel.
    elastic : float, default=0.0
        Standard deviation, in pixels, of a smooth random displacement of the pixels; the displacement changes over
        a twelfth of the image.
    intensity : float, default=0.0
        The image, of 0..1, goes to gain x image^gamma + offset, with 0 for pixels below 0; gain and gamma between
        1 - `intensity` and 1 + `intensity`, the offset between minus and plus `intensity`. Below 1.
    zoom : float, default=0.0
        Enlarge by a factor between 1 - `zoom` and 1 + `zoom`. Below 1.
    shift : float, default=0.0
        Move by up to this fraction of the height and of the width.
    outside : {"reflection", "border", "zeros"}, default="reflection"
        What is seen beyond the edges; see `apply_views`.

    Raises
    ------
    InputError
        A value out of its range, by `apply`.

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
        """Return changed copies of the images.

        Parameters
        ----------
        images : torch.Tensor
            Floating point, shape (n, channels, height, width), on any device.
        generator : torch.Generator
            The same state gives the same changes; one of the CPU gives them on every device.

        Returns
        -------
        torch.Tensor
            Of the same shape, type and device.
        """
        self._check_parameters()
        n_images = _check(images, self.outside)
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
        draws = _between(0, 1, (3, n_images), generator)
        if self.rotation == "study":
            return 15.0 * (24 * draws[0]).floor(), (draws[1] < 2 / 3) & self.flips
        angles = (self.rotation or 0.0) * (2 * draws[0] - 1)
        left_right, upside_down = (draws[1:] < 0.5) & self.flips
        return angles + 180.0 * upside_down, left_right ^ upside_down

    def _check_parameters(self):
        if self.rotation not in ("study", None):
            self._check_number("rotation", 180, "'study', None or a number >= 0 and <= 180")
        if not isinstance(self.flips, bool):
            raise InputError(f"The 'flips' parameter of Augmentation must be a bool. Got {self.flips!r} instead.")
        for name in ("noise", "elastic"):
            self._check_number(name, math.inf, "a number >= 0")
        for name in ("intensity", "zoom", "shift"):
            self._check_number(name, math.nextafter(1, 0), "a number >= 0 and < 1")

    def _check_number(self, name, most, allowed):
        value = getattr(self, name)
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        if not numeric or not 0 <= value <= most or math.isinf(value):
            raise InputError(f"The {name!r} parameter of Augmentation must be {allowed}. Got {value!r} instead.")


@dataclass(frozen=True)
class OwnRangeAugmentation:
    """An augmentation for images in units of their own, such as HU or those of an MR scanner.

    Each image is mapped to 0..1, from its smallest to its largest intensity, augmented there and mapped back, so that
    the parameters of `Augmentation` mean the same for it as for other images.

    Parameters
    ----------
    augmentation : object
        With ``apply(images, generator) -> images``.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.training.augmentation import Augmentation, OwnRangeAugmentation
    >>> image = torch.tensor([[-1000.0, 0.0], [40.0, 400.0]]).view(1, 1, 2, 2)
    >>> unchanged = OwnRangeAugmentation(Augmentation(rotation=None, flips=False, intensity=1e-9))
    >>> unchanged.apply(image, torch.Generator().manual_seed(0)).flatten().round().tolist()
    [-1000.0, 0.0, 40.0, 400.0]
    """

    augmentation: object

    def apply(self, images, generator):
        """Return changed copies of images (n, channels, height, width), as `Augmentation.apply`."""
        low, high = (find(images, dim=(1, 2, 3), keepdim=True) for find in (torch.amin, torch.amax))
        span = (high - low).where(high > low, 1)
        return self.augmentation.apply((images - low) / span, generator) * span + low


def _check(images, outside):
    if outside not in OUTSIDE:
        raise InputError(f"The 'outside' parameter must be one of {', '.join(OUTSIDE)}. Got {outside!r} instead.")
    if images.ndim != 4 or not images.is_floating_point():
        raise InputError(
            "Augmentation takes floating point images of shape (n, channels, height, width). "
            f"Got shape {tuple(images.shape)} of {images.dtype} instead."
        )
    return len(images)


def _between(low, high, shape, generator):
    """Draw on the generator's device; return on the CPU, where the few numbers of a batch are worked with."""
    draws = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64).cpu()
    return low + (high - low) * draws


def _smooth_field(n_images, size, generator):
    """Return displacements (n, height, width, 2) of unit variance: coarse normal noise seen through a Gaussian."""
    spread = max(max(size) / 12, 1.0)  # distance of the points of the noise, and width of the Gaussian, in pixels
    sides = []
    for length in size:
        points = torch.arange(-3 * spread, length + 3 * spread, spread)
        side = torch.exp(-0.5 * ((torch.arange(length)[:, None] - points) / spread) ** 2)
        sides.append((side / side.norm(dim=1, keepdim=True)).to(generator.device))
    rows, columns = sides
    noise = (n_images, 2, rows.shape[1], columns.shape[1])
    draws = torch.randn(noise, generator=generator, device=generator.device)
    return (rows @ draws @ columns.T).permute(0, 2, 3, 1)


def _move(images, angles, flipped, outside, zoom=None, shift=None, bend=None):
    """Flip, turn by degrees, enlarge, shift (fractions) and bend (pixels) each image by its own numbers."""
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
                part = _pick(images, chosen)
                moved[chosen] = torch.rot90(part.flip(-1) if flip else part, turns, (-2, -1))
    rest = torch.nonzero(~exact)[:, 0]
    if len(rest):
        grid = _grid(images.shape[-2:], angles[rest], flipped[rest], zoom, shift, bend).to(images)
        kept = rest.to(images.device)
        moved[kept] = functional.grid_sample(_pick(images, kept), grid, padding_mode=outside, align_corners=False)
    return moved


def _pick(images, chosen):
    """Index images, without copies where all of them are one image."""
    return images[:1].expand(len(chosen), -1, -1, -1) if images.stride(0) == 0 else images[chosen]


def _grid(size, angles, flipped, zoom, shift, bend):
    """Where each pixel of the moved images comes from, (n, height, width, 2) in grid_sample's units, -1 to 1."""
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
