"""Shape parameters -> solid lesions on a grid of voxels: their depth, that of their masks, and the window."""

import math

import torch

from radiodeep.networks.synthetic.outlines import between

SIDE = 24
_N_LOBES = 4
_N_SPICULES = 8
_N_DIRECTIONS = 192


def make_solids(parameters, is_exact, generator):
    """Draw ellipsoids with lobes and spicules, masks that differ from them as manual ones do, and a window.

    Parameters
    ----------
    parameters : dict of str to float tensor of shape (n,)
        In -1..1. Changed in place: a parameter whose effect depends on others is replaced by its effect.
    is_exact : bool tensor of shape (n,)
        Whether the window is the bounding box with a margin, each axis stretched to the cube, rather than a cube that
        may be larger or smaller than the lesion.

    Returns
    -------
    depth, mask_depth : tensors of shape (n, 24, 24, 24)
        Depth of each voxel inside the solid and inside its mask in radii; negative outside.
    places : tuple of three tensors, of shapes (n, 24, 1, 1), (n, 1, 24, 1) and (n, 1, 1, 24)
        Coordinates z, y and x of the voxels in radii, from the centre of the lesion.
    half : tensor of shape (n, 3)
        Half of the sides z, y and x of the window in radii.
    """
    n_solids = len(is_exact)
    turn = rotations(n_solids, generator)
    long, flat = between(parameters["elongation"], 0.0, 0.8, 1), between(parameters["flatness"], 0.0, 0.5, 1)
    axes = torch.exp(torch.cat([long, 0 * long, -flat], dim=1) - (long - flat) / 3)
    bumps = _bumps(parameters, n_solids, generator)
    sphere = _sphere(_N_DIRECTIONS)
    smooth, spicules = _profile(sphere.T.expand(n_solids, 3, -1), *bumps)
    surface = (turn * axes.unsqueeze(1)) @ (sphere.T * (smooth + 0.6 * spicules).unsqueeze(1))
    places, half = _window(surface, parameters, is_exact, generator)

    unturned = (turn / axes.unsqueeze(1)).mT  # maps places to a sphere
    rows = [sum(unturned[:, k, axis].view(-1, 1, 1, 1) * places[axis] for axis in range(3)) for k in range(3)]
    on_sphere = torch.stack(rows, dim=1).flatten(2)
    radius = sum(row * row for row in rows).flatten(1).sqrt().clamp(min=1e-4)
    smooth, spicules = _profile(on_sphere / radius.unsqueeze(1), *bumps)
    smooth = smooth - radius
    share, shift = torch.rand(2, n_solids, 1, generator=generator)
    depth, mask_depth = smooth + spicules, smooth + share * spicules + 0.25 * shift - 0.05
    return depth.view(-1, SIDE, SIDE, SIDE), mask_depth.view(-1, SIDE, SIDE, SIDE), places, half


def rotations(n_rotations, generator):
    """Return random rotations, shape (n, 3, 3)."""
    random = torch.randn(n_rotations, 4, generator=generator)
    w, x, y, z = (random / random.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def unit_vectors(n_vectors, *shape, generator):
    """Return random directions, shape (n, *shape, 3)."""
    random = torch.randn(n_vectors, *shape, 3, generator=generator)
    return random / random.norm(dim=-1, keepdim=True)


def _sphere(n_points):
    """Return points spread evenly over the unit sphere, shape (n, 3)."""
    number = torch.arange(n_points) + 0.5
    z, angle = 1 - 2 * number / n_points, number * (math.pi * (1 + math.sqrt(5)))
    ring = (1 - z * z).sqrt()
    return torch.stack([z, ring * torch.cos(angle), ring * torch.sin(angle)], dim=1)


def _bumps(parameters, n_solids, generator):
    """Return heights, directions and sharpness of lobes and of spicules, as `_profile` takes them."""
    lobes = unit_vectors(n_solids, _N_LOBES, generator=generator)
    heights = torch.randn(n_solids, _N_LOBES, 1, generator=generator)
    sharpness = 3 + 9 * torch.rand(n_solids, _N_LOBES, 1, generator=generator)
    lobe_heights = between(parameters["lobes"], 0.0, 0.35, 2) * heights

    spicules = unit_vectors(n_solids, _N_SPICULES, generator=generator)
    count = torch.randint(2, _N_SPICULES + 1, (n_solids, 1), generator=generator)
    shown = (torch.arange(_N_SPICULES) < count).unsqueeze(2)
    height = between(parameters["spicules"], -0.5, 0.8, 1).clamp(min=0)
    parameters["spicules"] = height[:, 0] * count[:, 0].sqrt()
    sizes = (0.5 + torch.rand(n_solids, _N_SPICULES, 1, generator=generator)) * shown * height.unsqueeze(2)
    thin = torch.exp(3 + 2 * torch.rand(n_solids, _N_SPICULES, 1, generator=generator))
    return (lobe_heights, lobes, sharpness), (sizes, spicules, thin)


def _profile(directions, lobes, spicules):
    """Return the radii of smooth solids and the lengths of spicules in directions (n, 3, m), each (n, m)."""

    def total(heights, centres, sharpness):
        cosine = centres @ directions
        return ((cosine - 1).mul_(sharpness).exp_().mul_(heights)).sum(1)

    return (1 + total(*lobes)).clamp(min=0.35), total(*spicules)


def _window(surface, parameters, is_exact, generator):
    """Return coordinates of the voxels along each axis, and half the sides of the window, of surface points."""
    low, high = surface.amin(2), surface.amax(2)
    margin = between(parameters["margin"], 0.0, 0.5, 1)
    extent = torch.exp(between(parameters["extent"], math.log(0.2), math.log(1.15), 1))
    cube = ((high - low) / 2).amax(1, keepdim=True) / extent
    shift = (torch.rand(len(surface), 3, generator=generator) - 0.5) * 0.3
    # Margins differ somewhat between the six sides, as outlines do.
    uneven = (
        margin.unsqueeze(2) * (0.5 + torch.rand(len(surface), 3, 2, generator=generator)) * (high - low).unsqueeze(2)
    )
    box_low, box_high = low - uneven[..., 0], high + uneven[..., 1]
    half = torch.where(is_exact.view(-1, 1), (box_high - box_low) / 2, cube)
    centre = torch.where(is_exact.view(-1, 1), (box_high + box_low) / 2, (high + low) / 2 + shift)
    parameters["margin"] = torch.where(is_exact, parameters["margin"], -1.0)
    parameters["extent"] = torch.where(is_exact, 1 / (1 + 2 * margin[:, 0]), extent[:, 0]).log()
    steps = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    places = centre.unsqueeze(2) + half.unsqueeze(2) * steps
    return tuple(places[:, axis].view(-1, *(SIDE if k == axis else 1 for k in range(3))) for axis in range(3)), half
