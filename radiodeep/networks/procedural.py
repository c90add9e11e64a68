"""A seeded generator in, images of made-up lesions and the numbers that made them out.

This is what `radiodeep-mini` learns from: no picture of anything real is involved.
"""

import math

import torch
from torch.nn import functional

from radiodeep.exceptions import InputError

SIZE = 64
TARGETS = (
    "extent",
    "elongation",
    "lobe_height",
    "spicule_height",
    "spicule_count",
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
    "noise",
    "background",
    "pixel_size",
    "area_fraction",
    "boundary_length",
)
_N_ANGLES = 256
_NATIVE_SIZES = (5, 7, 10, 14, 20, 32, 64)


def make_lesions(n_images, generator):
    """Draw textured lesions as a scanner and an exact or a wider window would show them.

    A texture with a power-law spectrum and a preferred direction fills an outline with lobes, spicules and
    roughness; core and rim are brighter or darker. The scene is seen in pixels of 1 to 13 window pixels, with noise.
    Half of the images show the lesion's bounding box warped to the square, half of them a wider window; in half
    of them everything outside the lesion is zero.

    Parameters
    ----------
    n_images : int
    generator : torch.Generator
        The same state gives the same images.

    Returns
    -------
    images : float32 tensor of shape (n_images, 1, 64, 64)
        In 0..1; two thirds of them reach from 0 to 1, the others keep a part of that range.
    targets : float32 tensor of shape (n_images, 20)
        The numbers of `TARGETS`, brought to about -1..1.

    Raises
    ------
    InputError
        `n_images` is no int > 0.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.procedural import make_lesions
    >>> images, targets = make_lesions(8, torch.Generator().manual_seed(0))
    >>> images.shape, targets.shape
    (torch.Size([8, 1, 64, 64]), torch.Size([8, 20]))
    """
    if not isinstance(n_images, int) or n_images < 1:
        raise InputError(f"The 'n_images' parameter of make_lesions must be an int > 0. Got {n_images!r} instead.")
    hidden = {name: torch.rand(n_images, generator=generator) * 2 - 1 for name in TARGETS}
    is_exact = torch.rand(n_images, generator=generator) < 0.5
    is_zeroed = torch.rand(n_images, generator=generator) < 0.5
    hidden["extent"] = torch.where(is_exact, 1.0, hidden["extent"])

    depth = _depth_inside(hidden, is_exact, generator)
    inside = torch.sigmoid(depth / torch.exp(_between(hidden["edge_softness"], math.log(0.02), math.log(0.35))))
    scene = _scene(hidden, depth, inside, is_zeroed, generator)
    images = _photographed(scene, inside, hidden, is_zeroed, generator)

    hidden["area_fraction"] = 4 * inside.mean(dim=(1, 2)) - 2
    slopes = [(inside.roll(1, dims) - inside)[:, 1:, 1:].abs().mean(dim=(1, 2)) for dims in (1, 2)]
    hidden["boundary_length"] = 45 * (slopes[0] + slopes[1]) - 2.5
    hidden["background"] = torch.where(is_zeroed, -1.0, hidden["background"])
    return _with_random_range(images, is_zeroed, generator), torch.stack([hidden[name] for name in TARGETS], dim=1)


def _depth_inside(hidden, is_exact, generator):
    """Return how deep each pixel lies inside the outline, in radii (negative outside), shape (n, 64, 64)."""
    profile = _profiles(hidden, generator)
    theta = torch.arange(_N_ANGLES) * (2 * math.pi / _N_ANGLES)
    stretch = torch.exp(0.5 * _between(hidden["elongation"], 0.0, 0.8)).view(-1, 1)
    turn = torch.rand(len(profile), 1, generator=generator) * math.pi
    u, v = profile * torch.cos(theta) * stretch, profile * torch.sin(theta) / stretch
    x, y = u * torch.cos(turn) - v * torch.sin(turn), u * torch.sin(turn) + v * torch.cos(turn)

    grid_x, grid_y = _window(x, y, hidden, is_exact, generator)
    turn, stretch = turn.unsqueeze(2), stretch.unsqueeze(2)
    u = (grid_x * torch.cos(turn) + grid_y * torch.sin(turn)) / stretch
    v = (grid_y * torch.cos(turn) - grid_x * torch.sin(turn)) * stretch
    place = torch.atan2(v, u).remainder(2 * math.pi) * (_N_ANGLES / (2 * math.pi))
    lower = place.floor().long().flatten(1)
    share = place.flatten(1) - lower
    edge = profile.gather(1, lower % _N_ANGLES) * (1 - share) + profile.gather(1, (lower + 1) % _N_ANGLES) * share
    return edge.view_as(u) - torch.hypot(u, v)


def _window(x, y, hidden, is_exact, generator):
    """Return the coordinates of the window's pixels about outlines x, y: shapes (n, 1, 64) and (n, 64, 1)."""
    line = torch.linspace(-1, 1, SIZE)
    axes = []
    wide = 1 / _between(hidden["extent"], 0.35, 0.9).view(-1)
    for outline in (x, y):
        low, high = outline.amin(1), outline.amax(1)
        shift = (torch.rand(len(x), generator=generator) - 0.5) * 0.2
        centre = torch.where(is_exact, (low + high) / 2, shift)
        half = torch.where(is_exact, (high - low) / 2, wide)
        axes.append(centre.view(-1, 1) + half.view(-1, 1) * line)
    return axes[0].unsqueeze(1), axes[1].unsqueeze(2)


def _profiles(hidden, generator):
    """Return the radius of each outline at 256 angles, shape (n, 256), about 1."""
    n_images = len(hidden["extent"])
    theta = torch.arange(_N_ANGLES) * (2 * math.pi / _N_ANGLES)
    order = torch.arange(_N_ANGLES // 2 + 1)
    random = torch.randn(2, n_images, len(order), dtype=torch.complex64, generator=generator)

    def curve(coefficients):
        values = torch.fft.irfft(coefficients, n=_N_ANGLES)
        return values / values.std(dim=1, keepdim=True)

    lobes = curve(random[0] * ((order >= 2) & (order <= 5)))
    rough = curve(random[1] * torch.where(order >= 6, order.clamp(min=1) ** -1.0, 0.0))
    n_spicules = 12
    count = _between(hidden["spicule_count"], 2.0, n_spicules + 1.0).view(-1, 1)
    heights = (torch.rand(n_images, n_spicules, generator=generator) + 0.5) * (torch.arange(n_spicules) < count)
    places = torch.rand(n_images, n_spicules, 1, generator=generator) * 2 * math.pi
    sharpness = torch.exp(torch.rand(n_images, n_spicules, 1, generator=generator) * 1.5 + 3.5)
    spicules = (heights.unsqueeze(2) * torch.exp(sharpness * (torch.cos(theta - places) - 1))).sum(1)
    profile = (
        1
        + _between(hidden["lobe_height"], 0.0, 0.18).view(-1, 1) * lobes
        + _between(hidden["spicule_height"], -0.2, 0.5).clamp(min=0).view(-1, 1) * spicules
        + _between(hidden["roughness"], 0.0, 0.08).view(-1, 1) * rough
    )
    return profile.clamp(min=0.2)


def _scene(hidden, depth, inside, is_zeroed, generator):
    """Return lesion (about 1) and background before a scanner sees them, shape (n, 64, 64)."""
    texture = _textures(hidden, generator)
    skewness = hidden["texture_skewness"].view(-1, 1, 1) * 0.8 + 1e-3
    texture = torch.expm1(skewness * texture.clamp(-4, 4)) / skewness
    texture = texture / texture.std(dim=(1, 2), keepdim=True)
    core = hidden["core"].view(-1, 1, 1) * torch.exp(-(((1 - depth) / 0.45) ** 2))
    rim = hidden["rim"].view(-1, 1, 1) * torch.exp(-(((depth - 0.15) / 0.12) ** 2))
    contrast = torch.exp(_between(hidden["texture_contrast"], math.log(0.01), math.log(0.5)))
    lesion = 1 + contrast * texture + 0.4 * core + 0.3 * rim
    level = torch.where(is_zeroed.view(-1, 1, 1), 0.4, 1.0) * _between(hidden["background"], 0.0, 2.0)
    structure = 0.4 * torch.rand(len(depth), 1, 1, generator=generator) * texture.roll(1, 0)
    return inside * lesion + (1 - inside) * (level + structure)


def _textures(hidden, generator):
    """Return noise of unit variance with a power-law spectrum, shape (n, 64, 64).

    The targets `anisotropy_cos` and `anisotropy_sin` become strength times cosine and sine of twice its angle.
    """
    n_images = len(hidden["extent"])
    strength = (hidden["anisotropy_cos"] + 1) / 2
    double_angle = hidden["anisotropy_sin"] * math.pi
    hidden["anisotropy_cos"], hidden["anisotropy_sin"] = (
        strength * torch.cos(double_angle),
        strength * torch.sin(double_angle),
    )
    cosine, sine = torch.cos(double_angle / 2).view(-1, 1, 1), torch.sin(double_angle / 2).view(-1, 1, 1)
    frequency_y, frequency_x = torch.fft.fftfreq(SIZE).view(1, SIZE, 1), torch.fft.rfftfreq(SIZE).view(1, 1, -1)
    along, across = frequency_x * cosine + frequency_y * sine, frequency_y * cosine - frequency_x * sine
    stretch = (1 + 1.5 * strength).view(-1, 1, 1)
    frequency = torch.hypot(along * stretch, across / stretch.sqrt())
    length = torch.exp(_between(hidden["correlation_length"], math.log(1.0), math.log(12.0)))
    slope = _between(hidden["spectral_slope"], 1.5, 5.0)
    amplitude = (1 + (2 * math.pi * frequency * length) ** 2) ** (-slope / 4)
    white = torch.fft.rfft2(torch.randn(n_images, SIZE, SIZE, generator=generator))
    texture = torch.fft.irfft2(white * amplitude, s=(SIZE, SIZE))
    texture = texture - texture.mean(dim=(1, 2), keepdim=True)
    return texture / texture.std(dim=(1, 2), keepdim=True)


def _photographed(scene, inside, hidden, is_zeroed, generator):
    """See scenes in larger pixels and with noise, cut the background off, and enlarge them, shape (n, 1, 64, 64)."""
    images = torch.empty_like(scene).unsqueeze(1)
    which = torch.randint(len(_NATIVE_SIZES), (len(scene),), generator=generator)
    # A narrow intensity window makes all that is brighter white.
    white = 0.7 + 2 * torch.rand(len(scene), 1, 1, 1, generator=generator)
    noise = torch.exp(_between(hidden["noise"], math.log(0.005), math.log(0.3))).unsqueeze(1)
    for index, size in enumerate(_NATIVE_SIZES):
        chosen = (which == index).nonzero().view(-1)
        if not len(chosen):
            continue
        both = torch.stack([scene[chosen], inside[chosen]], dim=1)
        small = functional.interpolate(both, size=(size, size), mode="bilinear", antialias=True)
        seen = small[:, :1] + noise[chosen] * torch.randn(len(chosen), 1, size, size, generator=generator)
        cut = is_zeroed[chosen].view(-1, 1, 1, 1) & (small[:, 1:] < 0.4)
        seen = torch.where(cut, 0.0, torch.minimum(seen.clamp(min=0.0), white[chosen]))
        images[chosen] = functional.interpolate(seen, size=(SIZE, SIZE), mode="bilinear")
        hidden["pixel_size"][chosen] = 1 - 2 * index / (len(_NATIVE_SIZES) - 1)
    return images


def _with_random_range(images, is_zeroed, generator):
    """Bring images to 0..1, a third of them to a part of that range; zero stays zero where it is the background."""
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    part, start, full = torch.rand(3, len(images), 1, 1, 1, generator=generator)
    part = torch.where(full < 2 / 3, 1.0, 0.3 + 0.7 * part)
    start = torch.where(is_zeroed.view(-1, 1, 1, 1), 0.0, start * (1 - part))
    return (images - low) / (high - low).clamp(min=1e-3) * part + start


def _between(unit, low, high):
    return (low + (unit + 1) / 2 * (high - low)).view(-1, 1, 1)
