"""In: a region. Out: Laws' texture energy, of space or of slices.

The energy of a set of kernels is the mean magnitude of the responses of the image to the product of these kernels, one
along each axis, in the `Interior` of the region, and the mean over the orders of the kernels. So it does not change if
the region is turned by a right angle or mirrored. Kernels have unit norm: white noise has equal energy in all of them.

Energy is proportional to the contrast of the image and has its unit; an offset of the intensities does not matter. The
kernels span 5 voxels, whatever the voxel size.
"""

from itertools import combinations_with_replacement

import numpy as np
from scipy import ndimage

from radiodeep.handcrafted.interior import find_interior, require_depth

_KERNELS = {  # level, edge, spot, wave, ripple
    name: np.array(weights) / np.linalg.norm(weights)
    for name, weights in {
        "L5": (1, 4, 6, 4, 1),
        "E5": (-1, -2, 0, 2, 1),
        "S5": (-1, 0, 2, 0, -1),
        "W5": (-1, 2, 0, -2, 1),
        "R5": (1, -4, 6, -4, 1),
    }.items()
}
_REACH = 2
_PAIRS = tuple("".join(pair) for pair in combinations_with_replacement(_KERNELS, 2))[1:]  # L5L5 has no mean of 0
LAWS_2D_NAMES = tuple(f"{pair}Energy" for pair in _PAIRS)
LAWS_NAMES = tuple(f"L5{name}" for name in LAWS_2D_NAMES)


def laws_features(region, levels=None):
    """Energy of 14 triples of Laws' kernels, one of them L5: float64 (14,), in the order of the catalogue.

    The triples are those of the 14 pairs of `laws_2d_features` with smoothing (L5) along the third axis. `levels` is
    ignored. Voxels outside the region count as equal to the voxel that the kernel is centred on; see `Interior` for
    where that matters.

    Raises
    ------
    RoiTooSmallError
        The region has only one slice across some axis.

    References
    ----------
    Laws KI. Textured image segmentation. Thesis, University of Southern California, 1980. Laws KI. Rapid texture
    identification. Proc. SPIE 238:376-380, 1980 (energy as mean magnitude). Kernels and their norm: IBSI, part 2, JTXT.
    """
    require_depth(region, "laws", "laws2D")
    energies = _energies(region, (0, 1, 2))
    return np.array([energies[f"L5{pair}"] for pair in _PAIRS])


def laws_2d_features(region, levels=None, *, slice_axis=0):
    """Energy of the 14 pairs of Laws' kernels other than L5L5 in the slices across an axis: float64 (14,).

    As `laws_features`, with the mean over the voxels of all slices.
    """
    energies = _energies(region, [axis for axis in range(3) if axis != slice_axis])
    return np.array([energies[pair] for pair in _PAIRS])


def _energies(region, axes):
    """Return the mean magnitude of the responses by the sorted names of the kernels, "L5E5E5"."""
    interior = find_interior(region, _REACH, axes)
    centres = interior.intensities.reshape(-1)[interior.positions]
    magnitudes = {}

    def respond(volumes, kernels):
        """Filter along one axis after the other; `kernels` are those of the axes so far."""
        if len(kernels) < len(axes):
            for name, weights in _KERNELS.items():
                if _is_asked_for((*kernels, name), len(axes)):
                    axis = axes[len(kernels)]
                    filtered = [ndimage.correlate1d(volume, weights, axis, mode="constant") for volume in volumes]
                    respond(filtered, (*kernels, name))
            return
        response, *covered = (volume.reshape(-1)[interior.positions] for volume in volumes)
        if covered:
            response = response - centres * covered[0]  # as if the voxels outside were equal to the centre
        name = "".join(sorted(kernels, key=list(_KERNELS).index))
        magnitudes.setdefault(name, []).append(np.abs(response).mean())

    respond([interior.intensities] if interior.is_complete else [interior.intensities, interior.mask.astype(float)], ())
    return {name: float(np.mean(values)) for name, values in magnitudes.items()}


def _is_asked_for(kernels, n_axes):
    """Return whether some energy has these kernels along the first axes: in space one is L5, and never all are."""
    n_smooth = kernels.count("L5")
    is_in_slices = n_axes == 2
    return len(kernels) < n_axes or ((n_smooth > 0 or is_in_slices) and n_smooth < n_axes)
