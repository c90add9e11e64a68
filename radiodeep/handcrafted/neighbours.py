"""Distances in, steps to neighbours out; and what several families share about neighbouring voxels."""

from functools import lru_cache
from itertools import product
from numbers import Integral

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.kernels.neighbours import link_equal_neighbours

WEIGHTING_NORMS = ("infinity", "euclidean", "manhattan", "no_weighting")

_FARTHEST = 20  # voxels; the border around a region and the number of directions grow with it


@lru_cache(maxsize=32)
def directions(distances, flat_axis=None):
    """Steps (z, y, x) to one of each pair of opposite neighbours: int64 (n_directions, 3), read-only.

    Parameters
    ----------
    distances : tuple of int
        In voxels, as the largest of |dz|, |dy|, |dx|.
    flat_axis : {None, 0, 1, 2}, default=None
        No step goes along this axis: the region is taken slice by slice.

    Examples
    --------
    >>> len(directions((1,))), len(directions((2,))), len(directions((1,), flat_axis=0))
    (13, 49, 4)
    """
    far = max(distances)
    steps = [step for step in product(range(-far, far + 1), repeat=3) if max(map(abs, step)) in distances]
    steps = [step for step in steps if flat_axis is None or step[flat_axis] == 0]
    steps = np.array(sorted((step for step in steps if step > (0, 0, 0)), reverse=True), np.int64)
    steps.flags.writeable = False
    return steps


def step_lengths(steps, spacing_mm, norm):
    """Lengths of steps in mm by a norm of `WEIGHTING_NORMS`, 1 for "no_weighting": float64 (n_steps,)."""
    lengths = np.abs(steps * spacing_mm)  # (n_steps, zyx)
    if norm == "no_weighting":
        return np.ones(len(steps))
    if norm == "infinity":
        return lengths.max(axis=1)
    if norm == "euclidean":
        return np.sqrt((lengths**2).sum(axis=1))
    return lengths.sum(axis=1)


def check_neighbour_settings(distances, weighting_norm):
    """Refuse distances and norms that are not allowed."""
    whole = isinstance(distances, list | tuple | np.ndarray) and all(
        isinstance(step, Integral) and not isinstance(step, bool) and 0 < step <= _FARTHEST for step in distances
    )
    if not whole or len(distances) == 0:
        raise InputError(
            f"The 'distances' parameter must be ints from 1 to {_FARTHEST}, as (1,). Got {distances!r} instead."
        )
    if weighting_norm is not None and weighting_norm not in WEIGHTING_NORMS:
        raise InputError(
            f"The 'weighting_norm' parameter must be None or one of {', '.join(WEIGHTING_NORMS)}. "
            f"Got {weighting_norm!r} instead."
        )


def offsets_in(region, steps):
    """Steps as offsets in the flattened volume of a region: int64 (n_steps,)."""
    _, ny, nx = region.mask.shape
    return steps @ np.array([ny * nx, nx, 1])


def equal_links(region, levels):
    """Preceding neighbours of one grey level: `link_equal_neighbours` for the steps of distance 1.

    Calculated once for all families that ask.

    Returns
    -------
    offsets : ndarray of int64 (n_directions,)
    links : ndarray of uint16 (n_places,)
    """
    if "links" not in levels.shared:
        offsets = offsets_in(region, directions((1,), region.flat_axis))
        links = np.zeros(levels.volume.size, np.uint16)
        link_equal_neighbours(levels.volume.reshape(-1), offsets, links)
        levels.shared["links"] = offsets, links
    return levels.shared["links"]


@lru_cache(maxsize=8)
def group_representatives(flat_axis=None):
    """For every pattern of preceding neighbours, one of each group of neighbours that touch one another.

    Returns
    -------
    ndarray of uint16 (2 ** n_directions,), read-only

    Examples
    --------
    >>> table = group_representatives(flat_axis=0)  # bits: (0, 1, 1), (0, 1, 0), (0, 1, -1), (0, 0, 1)
    >>> bin(table[0b0111]), bin(table[0b0101])  # one row, connected; its two ends alone, not
    ('0b1', '0b101')
    """
    steps = directions((1,), flat_axis)
    n = len(steps)
    touching = np.abs(steps[:, None] - steps[None]).max(axis=2) <= 1
    neighbours = (touching * (1 << np.arange(n))).sum(axis=1)  # bits of the neighbours of each neighbour
    left = np.arange(1 << n)
    out = np.zeros(1 << n, np.int64)
    while left.any():
        group = left & -left
        out |= group
        for _ in range(n):
            grown = group.copy()
            for k in range(n):
                grown |= np.where(group >> k & 1, neighbours[k], 0)
            grown &= left
            if (grown == group).all():
                break
            group = grown
        left &= ~group
    out = out.astype(np.uint16)
    out.flags.writeable = False
    return out
