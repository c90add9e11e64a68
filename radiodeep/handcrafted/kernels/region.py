"""In: a mask. Out: its bounding box and the places of its voxels."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def find_box(mask):
    """Return the first and last index of the voxels that are set in a uint8 mask, along z, y and x: int64 (3, 2).

    The first is greater than the last if no voxel is set.
    """
    nz, ny, nx = mask.shape
    marked = np.empty((nz, ny), np.uint8)
    for z in range(nz):
        for y in range(ny):
            row = mask[z, y]
            occupied = np.uint8(0)
            for x in range(nx):
                occupied = np.uint8(occupied | row[x])  # 8 bits and no other work: vectorised over many voxels
            marked[z, y] = occupied
    column = np.zeros(nx, np.uint8)
    first_z, last_z, first_y, last_y, first_x, last_x = nz, -1, ny, -1, nx, -1
    for z in range(nz):
        for y in range(ny):
            if marked[z, y]:
                first_z, last_z = min(first_z, z), z
                first_y, last_y = min(first_y, y), max(last_y, y)
                row = mask[z, y]
                for x in range(nx):
                    column[x] |= row[x]
    for x in range(nx):
        if column[x]:
            first_x, last_x = min(first_x, x), x
    return np.array([[first_z, last_z], [first_y, last_y], [first_x, last_x]])


@njit(cache=True, nogil=True)
def pad_and_list(mask, margin):
    """Put a border of zeros around a uint8 mask of 0 and 1, and list the places of its voxels.

    Returns the padded mask, bool, and int64 (n_voxels,), places in the flattened padded mask.
    """
    nz, ny, nx = mask.shape
    padded = np.zeros((nz + 2 * margin, ny + 2 * margin, nx + 2 * margin), np.bool_)
    n_voxels = 0
    for z in range(nz):
        for y in range(ny):
            row, out = mask[z, y], padded[z + margin, y + margin]
            in_row = np.int32(0)
            for x in range(nx):
                out[x + margin] = row[x] != 0
                in_row += np.int32(row[x])
            n_voxels += in_row
    positions = np.empty(n_voxels + 1, np.int64)  # one more, as every place is written but only set ones are kept
    n = 0
    for z in range(nz):
        for y in range(ny):
            row = mask[z, y]
            start = ((z + margin) * padded.shape[1] + y + margin) * padded.shape[2] + margin
            for x in range(nx):
                positions[np.uint64(n)] = start + x
                n += np.int64(row[x])
    return padded, positions[:n_voxels]
