"""In: a region and the reach of a neighbourhood. Out: the voxels whose neighbourhood lies in the region."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from radiodeep.exceptions import RoiTooSmallError

_LEAST_PART = 10  # at least one in so many voxels counts


@dataclass(frozen=True)
class Interior:
    """The voxels of a region that filters and patterns are taken at.

    These are the voxels whose neighbourhood, a cube or a square, lies in the region, so that neither what surrounds the
    lesion nor the size of its border matters. In small or thin regions, where they are fewer than a tenth of all, they
    are the tenth with the most voxels of the region in the neighbourhood, ties included.

    Attributes
    ----------
    intensities : float64 ndarray (z, y, x)
        Those of the region, 0 outside it, in the bounding box with a margin of the reach.
    mask : bool ndarray (z, y, x)
        The region on the same grid.
    positions : int64 ndarray (n,)
        The voxels in the flattened grid, in its order.
    is_complete : bool
        Whether all their neighbourhoods lie in the region.
    """

    intensities: np.ndarray
    mask: np.ndarray
    positions: np.ndarray
    is_complete: bool


def find_interior(region, reach, axes):
    """Return the `Interior` of a region for neighbourhoods of `reach` voxels to both sides along some axes."""
    inner = (slice(region.margin, -region.margin or None),) * 3
    mask = np.pad(region.mask[inner], reach)
    intensities = np.zeros(mask.shape)
    intensities[mask] = region.values
    covered = mask.view(np.uint8)
    for axis in axes:
        covered = ndimage.convolve1d(covered, np.ones(2 * reach + 1), axis, mode="constant")
    covered = covered[mask]
    n_least = -(-covered.size // _LEAST_PART)
    least = np.partition(covered, -n_least)[-n_least]
    positions = np.flatnonzero(mask)[covered >= least]
    return Interior(intensities, mask, positions, bool(least == (2 * reach + 1) ** len(axes)))


def require_depth(region, family, family_of_slices):
    """Raise RoiTooSmallError if a region has one slice across some axis, where a 3-D family says nothing."""
    sizes = np.array(region.mask.shape) - 2 * region.margin
    if sizes.min() == 1:
        raise RoiTooSmallError(
            f"The region spans {' x '.join(map(str, sizes))} voxels (z, y, x). Features of the family '{family}' need "
            f"two or more along each axis; take the family '{family_of_slices}'."
        )
