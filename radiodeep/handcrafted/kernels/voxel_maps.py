"""In: a volume of grey levels and the voxels of a window about each centre. Out: what the kernels of all maps share.

The voxels of a window are numbered, and so are the grey levels that occur in it, their ranks, in the order in which
they are met. A window of 27 voxels has at most 27 ranks, so that its tables are small however many levels the region
has.
"""

import numpy as np

from radiodeep.compiled import compiled


@compiled
def rank_levels(volume, centre, window, gray, ranks, rank_of, shades):
    """Number the grey levels of a window; return how many there are.

    Parameters
    ----------
    volume : int32 (n_places,), flattened; levels 1 ... n_present, 0 outside the region
    centre : int64, a place that no step of the window leads out of the volume
    window : int64 (n_window,), steps to the voxels of the window in the flattened volume
    gray : float64 (n_present + 1,), the grey level of each number in the volume
    ranks : int64 (n_window,); gets the rank of each voxel, -1 outside the region
    rank_of : int64 (n_present + 1,), all -1; afterwards as well
    shades : float64 (n_window,); gets the grey level of each rank
    """
    n = 0
    for w in range(window.size):
        level = volume[centre + window[w]]
        if level == 0:
            ranks[w] = -1
            continue
        if rank_of[level] < 0:
            rank_of[level] = n
            shades[n] = gray[level]
            n += 1
        ranks[w] = rank_of[level]
    for w in range(window.size):
        rank_of[volume[centre + window[w]]] = -1
    return n


@compiled
def times_log(count, logs):
    """Return count * log2(count), from a table by whole counts if it is not empty."""
    if logs.size:
        return logs[int(count)]
    return count * np.log2(count) if count > 0.0 else 0.0


@compiled
def add_to_cell(cells, cell, weight, used, n_used):
    """Add a weight > 0 to a cell; list the cell among those in use if it was empty, and return how many these are."""
    used[n_used] = cell  # a branch would take longer, as it is hard to predict
    n_used += cells[cell] == 0.0
    cells[cell] += weight
    return n_used


@compiled
def keep_columns(row, n, columns, values):
    """Write chosen numbers of a row, which is a sum over n directions, as their means; NaN if there is no direction."""
    for c in range(columns.size):
        values[c] = row[columns[c]] / n if n else np.nan
