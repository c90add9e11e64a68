"""Intensities of a region and bin edges in; grey levels, without the empty ones, out."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def assign_levels(values, edges, positions, volume):
    """Give each voxel the number of edges at or below it, then number only the levels that occur.

    Parameters
    ----------
    values : float64 (n_voxels,)
    edges : float64 (n_edges,), increasing, the first not above any value
    positions : int64 (n_voxels,), places in the flattened volume
    volume : uint16 (n_places,), zeros; filled with 1 ... n_present inside the region

    Returns
    -------
    gray_values : int64 (n_present,), the grey levels that occur, counted from 1
    counts : int64 (n_present,), their voxels
    """
    n_edges = edges.size
    per_bin = (n_edges - 1) / (edges[n_edges - 1] - edges[0])
    counts = np.zeros(n_edges + 1, np.int64)
    for i in range(values.size):
        value = values[i]
        # A guess by division, put right by the edges themselves: rounding may not move a voxel.
        level = int((value - edges[0]) * per_bin) + 1
        level = min(max(level, 1), n_edges)
        while level < n_edges and value >= edges[level]:
            level += 1
        while level > 1 and value < edges[level - 1]:
            level -= 1
        volume[positions[i]] = level
        counts[level] += 1

    n_present = 0
    gray_values = np.empty(n_edges + 1, np.int64)
    renumbered = np.zeros(n_edges + 1, np.uint16)
    for level in range(1, n_edges + 1):
        if counts[level] > 0:
            gray_values[n_present] = level
            counts[n_present] = counts[level]
            n_present += 1
            renumbered[level] = n_present
    for i in range(positions.size):
        volume[positions[i]] = renumbered[volume[positions[i]]]
    return gray_values[:n_present], counts[:n_present]
