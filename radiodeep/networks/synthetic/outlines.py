"""Shape parameters -> outline of a synthetic lesion, outline of its mask, and the window around them."""

import math

import torch

SIZE = 64
_N_ANGLES = 256
_N_SPICULES = 12


def make_outlines(parameters, is_exact, is_cut, is_layered, generator):
    """Draw outlines, and masks that differ from them as manual outlines do.

    Parameters
    ----------
    parameters : dict of str to float tensor of shape (n,)
        In -1..1. Changed in place: a parameter whose effect depends on others is replaced by its effect.
    is_exact, is_cut, is_layered : bool tensors of shape (n,)
        Whether the window is the bounding box of the mask; whether pixels outside the mask are zero; whether the tissue
        is layered, in which case lesions are horizontal or vertical.

    Returns
    -------
    depth, mask_depth : tensors of shape (n, 64, 64)
        Depth of each pixel inside outline and mask in radii; negative outside.
    heights, widths : float tensors of shape (n,)
        Number of pixels of the window in the scanner's image, integers from 4 to 64.
    """
    profile, mask_profile = _profiles(parameters, is_cut, generator)
    theta = torch.arange(_N_ANGLES) * (2 * math.pi / _N_ANGLES) - math.pi
    stretch = torch.exp(0.5 * between(parameters["elongation"], 0.0, 0.8, 1))
    turn = torch.rand(len(profile), 1, generator=generator) * math.pi
    upright = (torch.rand(len(profile), 1, generator=generator) < 0.25) * (math.pi / 2)
    turn = torch.where(is_layered.view(-1, 1), upright + (turn - math.pi / 2) * 0.25, turn)
    strength = (parameters["elongation"] + 1) / 2
    parameters["elongation_cos"] = strength * torch.cos(2 * turn[:, 0])
    parameters["elongation_sin"] = strength * torch.sin(2 * turn[:, 0])
    u, v = mask_profile * torch.cos(theta) * stretch, mask_profile * torch.sin(theta) / stretch
    x, y = u * torch.cos(turn) - v * torch.sin(turn), u * torch.sin(turn) + v * torch.cos(turn)

    grid_x, half_x = _axis(x, parameters, is_exact, generator)
    grid_y, half_y = _axis(y, parameters, is_exact, generator)
    finest = torch.where(is_exact, 4.0, 16.0)
    longest = torch.exp(finest.log() + (math.log(SIZE) - finest.log()) * (parameters["height"] + 1) / 2)
    longest = longest / torch.maximum(half_x, half_y)
    heights, widths = ((longest * half).round().clamp(4, SIZE) for half in (half_y, half_x))

    grid_x, grid_y, turn, stretch = grid_x.unsqueeze(1), grid_y.unsqueeze(2), turn.unsqueeze(2), stretch.unsqueeze(2)
    u = (grid_x * torch.cos(turn) + grid_y * torch.sin(turn)) / stretch
    v = (grid_y * torch.cos(turn) - grid_x * torch.sin(turn)) * stretch
    place = (torch.atan2(v, u) + math.pi) * (_N_ANGLES / (2 * math.pi))  # curves start at angle -pi
    lower = place.floor().long().flatten(1)
    share = (place.flatten(1) - lower).view_as(u)
    radius = torch.hypot(u, v)

    def depth(curve):
        closed = torch.cat([curve, curve[:, :2]], dim=1)  # rounding can turn the angle pi into index 256
        below, above = closed.gather(1, lower).view_as(u), closed.gather(1, lower + 1).view_as(u)
        return below + (above - below) * share - radius

    return depth(profile), depth(mask_profile), heights, widths


def _axis(outline, parameters, is_exact, generator):
    """Return pixel coordinates of the window along one axis, shape (n, 64), and half its length, shape (n,)."""
    low, high = outline.amin(1), outline.amax(1)
    shift = (torch.rand(len(outline), generator=generator) - 0.5) * 0.4
    centre = torch.where(is_exact, (low + high) / 2, shift)
    parameters["extent"] = torch.where(is_exact, 1.0, parameters["extent"])
    half = torch.where(is_exact, (high - low) / 2, 1 / (0.6 + 0.35 * parameters["extent"]))
    return centre.view(-1, 1) + half.view(-1, 1) * torch.linspace(-1, 1, SIZE), half


def _profiles(parameters, is_cut, generator):
    """Return the radii of outlines and masks at 256 angles, shape (n, 256), with a mean near 1."""
    n_images = len(is_cut)
    theta = torch.arange(_N_ANGLES) * (2 * math.pi / _N_ANGLES) - math.pi
    order = torch.arange(_N_ANGLES // 2 + 1)
    random = torch.randn(2, n_images, len(order), dtype=torch.complex64, generator=generator)

    def curve(coefficients):
        values = torch.fft.irfft(coefficients, n=_N_ANGLES)
        return values / values.std(dim=1, keepdim=True)

    lobes = curve(random[0] * ((order >= 2) & (order <= 5)))
    rough = curve(random[1] * torch.where(order >= 6, order.clamp(min=1) ** -1.0, 0.0))
    count = torch.randint(2, _N_SPICULES + 1, (n_images, 1), generator=generator)
    sizes = (torch.rand(n_images, _N_SPICULES, generator=generator) + 0.5) * (torch.arange(_N_SPICULES) < count)
    places = torch.rand(n_images, _N_SPICULES, 1, generator=generator) * 2 * math.pi
    sharpness = torch.exp(torch.rand(n_images, _N_SPICULES, 1, generator=generator) * 1.5 + 3.5)
    spicules = (sizes.unsqueeze(2) * torch.exp(sharpness * (torch.cos(theta - places) - 1))).sum(1)
    height = between(parameters["spicules"], -0.3, 0.5, 1).clamp(min=0)
    parameters["spicules"] = height[:, 0] * count[:, 0].sqrt()
    smooth = (
        1 + between(parameters["lobes"], 0.0, 0.18, 1) * lobes + between(parameters["roughness"], 0.0, 0.08, 1) * rough
    )
    profile = (smooth + height * spicules).clamp(min=0.2)
    margin, share = torch.rand(2, n_images, 1, generator=generator)
    margin = torch.where(is_cut.view(-1, 1), 0.3 * margin - 0.2, 0.0)
    mask = (smooth + height * share * spicules - margin).clamp(min=0.2)
    return profile, torch.where(is_cut.view(-1, 1), mask, profile)


def between(unit, low, high, n_axes):
    """Map numbers from -1..1, shape (n,), to low..high and append `n_axes` axes of length 1."""
    return (low + (unit + 1) / 2 * (high - low)).view(-1, *[1] * n_axes)
