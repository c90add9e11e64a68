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
    n_voxels = 0
    for z in range(nz):
        for y in range(ny):
            in_row = np.int32(0)
            for x in range(nx):
                in_row += np.int32(mask[z, y, x])
            n_voxels += in_row
    padded = np.zeros((nz + 2 * margin, ny + 2 * margin, nx + 2 * margin), np.bool_)
    positions = np.empty(n_voxels + 1, np.int64)
    pad_and_list_into(mask, margin, padded, positions)
    return padded, positions[:n_voxels]


@njit(cache=True, nogil=True)
def pad_and_list_into(mask, margin, padded, positions):
    """Write the padded mask and the places of `pad_and_list` into arrays.

    `padded` holds zeros. `positions` is one longer than there are voxels, as every place is written, and the next one
    over it unless it is that of a voxel.
    """
    n = 0
    for z in range(mask.shape[0]):
        for y in range(mask.shape[1]):
            row, out = mask[z, y], padded[z + margin, y + margin]
            for x in range(row.size):
                out[x + margin] = row[x] != 0
            start = ((z + margin) * padded.shape[1] + y + margin) * padded.shape[2] + margin
            for x in range(row.size):
                positions[np.uint64(n)] = start + x
                n += np.int64(row[x])
