"""Kernels along x, y and z -> the terms of a filter, one way round or pooled over all rotations by right angles.

A rotation by right angles permutes the kernels among the axes and reflects some of them. A reflected kernel has the
same even part, and its odd part negated. So the mean over all 24 rotations (4 in a plane) is a sum of few products of
even and odd parts, most of which cancel, and responses of kernels that are even or odd differ at most in their sign.
"""

from functools import lru_cache
from itertools import permutations, product

import numpy as np

from radiodeep.imaging.ibsi_filters.separable import negated, pooled_products, reversed_steps, sum_of_products

POOLINGS = ("average", "max", "min")


def rotated_responses(image, sides, chains, axes, boundary, pooling):
    """Return the response of a separable filter inside a box, pooled over rotations: float64 of the box's shape.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    sides : tuple of three ranges
        The box; see `separable.sum_of_products`.
    chains : tuple of two or three line filters
        The steps along the first, second and third of the `axes`.
    axes : tuple of int
        (2, 1, 0) for x, y and z, since the first kernel of the IBSI is along x, or two of them.
    boundary : {"mirror", "nearest", "periodic", "zero"}
    pooling : {"average", "max", "min"} or None
        None: the filter the one way round that it is given.
    """
    if pooling == "average":
        terms = [_lines(parts, axes) for parts in _average_terms(chains)]
        return sum_of_products(image, sides, terms, boundary)
    if pooling is None:
        return sum_of_products(image, sides, [_lines([((1.0, chain),) for chain in chains], axes)], boundary)
    products = {_lines([((1.0, chain),) for chain in way], axes): signs for way, signs in _ways(chains)}
    return pooled_products(image, sides, products, boundary, np.maximum if pooling == "max" else np.minimum)


def _lines(parts, axes):
    """Return the line filters along z, y and x, of which those along `axes` are given."""
    lines = [None, None, None]
    for part, axis in zip(parts, axes, strict=True):
        lines[axis] = part
    return tuple(lines)


def rotations(n_axes):
    """Return all rotations by right angles: (which kernel is along each axis, 1 or -1 if it is reflected)."""
    found = []
    for order in permutations(range(n_axes)):
        parity = np.linalg.det(np.eye(n_axes)[list(order)])
        for flips in product((1, -1), repeat=n_axes):
            if round(parity * np.prod(flips)) == 1:
                found.append((order, flips))
    return found


def _reflection_sign(chain):
    """Return 1 if a chain is its own reflection, -1 if it is the negative of it, or else None."""
    other = reversed_steps(chain)
    if other == chain:
        return 1.0
    return -1.0 if len(chain) == 1 and other == negated(chain) else None


@lru_cache(maxsize=64)
def _average_terms(chains):
    """Return the mean over all rotations as terms: [(line filter of an even or odd part of a kernel for each axis)]."""
    parts = {}
    for chain in set(chains):
        sign, other = _reflection_sign(chain), reversed_steps(chain)
        parts[chain, "even"] = {1.0: ((1.0, chain),), None: ((0.5, chain), (0.5, other))}.get(sign)
        parts[chain, "odd"] = {-1.0: ((1.0, chain),), None: ((0.5, chain), (-0.5, other))}.get(sign)
    all_rotations = rotations(len(chains))
    factors = {}
    for order, flips in all_rotations:
        for parities in product(("even", "odd"), repeat=len(chains)):
            key = tuple(parts[chains[k], parity] for k, parity in zip(order, parities, strict=True))
            sign = np.prod([flip if parity == "odd" else 1 for flip, parity in zip(flips, parities, strict=True)])
            if None not in key:
                factors[key] = factors.get(key, 0) + int(sign)
    nothing = {tuple(((1.0, chain),) for chain in chains): 0}  # where all rotations cancel
    factors = {key: count / len(all_rotations) for key, count in factors.items() if count} or nothing
    return [(_scaled(key[0], factor), *key[1:]) for key, factor in factors.items()]


def _scaled(line, factor):
    return tuple((factor * weight, chain) for weight, chain in line)


@lru_cache(maxsize=64)
def _ways(chains):
    """Return the distinct rotated filters up to their signs: [(a chain for each axis, signs)]."""
    signs_of = {}
    for order, flips in rotations(len(chains)):
        way, sign = [], 1.0
        for k, flip in zip(order, flips, strict=True):
            chain, reflection = chains[k], _reflection_sign(chains[k])
            if flip == -1 and reflection is None:
                chain = reversed_steps(chain)
            elif flip == -1:
                sign *= reflection
            way.append(chain)
        signs_of.setdefault(tuple(way), set()).add(sign)
    return list(signs_of.items())
