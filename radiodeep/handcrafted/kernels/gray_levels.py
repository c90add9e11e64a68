"""In: intensities of a region and bin edges. Out: grey levels."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def assign_levels(values, edges, positions, volume):
    """Assign to each voxel the number of edges at or below its intensity; return the voxels of each level.

    `edges` are increasing, the first not above any of the `values`, both float64. The levels, counted from 1, are
    written into the flattened `volume` (uint8 or uint16) at `positions`; the counts are int64 (n_edges + 1,).
    """
    n_edges = edges.size
    per_bin = (n_edges - 1) / (edges[n_edges - 1] - edges[0])
    counts = np.zeros(n_edges + 1, np.int64)
    for i in range(values.size):
        value = values[i]
        # A guess by division, corrected by the edges themselves, so that rounding cannot move a voxel.
        level = int((value - edges[0]) * per_bin) + 1
        level = min(max(level, 1), n_edges)
        while level < n_edges and value >= edges[level]:
            level += 1
        while level > 1 and value < edges[level - 1]:
            level -= 1
        volume[positions[i]] = level
        counts[level] += 1

    return counts


@njit(cache=True, nogil=True)
def renumber_levels(gray, positions, numbers, volume):
    """Write the number of each voxel's grey level into `volume`, a second one like `gray`."""
    for i in range(positions.size):
        volume[positions[i]] = numbers[gray[positions[i]]]
