"""In: the voxels of a region and bin edges. Out: shape, first order and texture.

In small regions the steps between the families take longer than the families themselves, so one function does it all.
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.handcrafted.kernels.first_order import first_order
from radiodeep.handcrafted.kernels.gray_levels import assign_levels, renumber_levels
from radiodeep.handcrafted.kernels.region import pad_and_list
from radiodeep.handcrafted.kernels.shape import (
    column_ends,
    diameters,
    moments,
    row_ends,
    surface,
    symmetric_eigenvalues,
)
from radiodeep.handcrafted.kernels.texture import describe_texture

N_SHAPE, N_FIRST_ORDER, N_TEXTURE = 14, 18, 24 + 16 + 16 + 16 + 5
MOST_LEVELS = 64  # with more, laying out and splitting the tables with care pays
_MARGIN = np.int64(1)  # a literal would let the loops be compiled for it once more
_EXACT = 2.0**53  # whole numbers up to here have a float64 of their own


@compiled
def describe_shape(padded, spacing_mm, variances, n_voxels, mesh, out):
    """Fill the 14 features of shape, in the order of the catalogue, but for Sphericity.

    Parameters
    ----------
    padded : uint8 (z, y, x), 0 and 1, with a border of one 0
    spacing_mm : float64 (3,)
    variances : float64 (3,), along the principal directions in mm², increasing
    n_voxels : int
    mesh : CROSSES, TRIPLE, AREA_VECTOR of `marching_cubes`
    out : float64 (14,)
    """
    first, last = row_ends(padded)
    first_y, last_y = column_ends(padded)
    area, volume = surface(padded, first, last, _MARGIN, spacing_mm, mesh[0], mesh[1], mesh[2])
    in_slice, in_column, in_row, in_space = diameters(first, last, first_y, last_y, spacing_mm)
    least, minor, major = np.sqrt(variances[0]), np.sqrt(variances[1]), np.sqrt(variances[2])
    out[0] = minor / major  # Elongation
    out[1] = least / major  # Flatness
    out[2] = 4 * least  # LeastAxisLength
    out[3] = 4 * major  # MajorAxisLength
    out[4] = in_column  # Maximum2DDiameterColumn
    out[5] = in_row  # Maximum2DDiameterRow
    out[6] = in_slice  # Maximum2DDiameterSlice
    out[7] = in_space  # Maximum3DDiameter
    out[8] = volume  # MeshVolume
    out[9] = 4 * minor  # MinorAxisLength
    out[11] = area  # SurfaceArea
    out[12] = area / volume  # SurfaceVolumeRatio
    out[13] = n_voxels * (spacing_mm[0] * spacing_mm[1] * spacing_mm[2])  # VoxelVolume


@compiled
def principal_variances(covariance, spacing_mm):
    """Return the variances along the principal directions in mm², increasing, from the covariance of indices (3, 3)."""
    scaled = np.empty((3, 3))
    for a in range(3):
        for b in range(3):
            scaled[a, b] = covariance[a, b] * spacing_mm[a] * spacing_mm[b]
    variances = symmetric_eigenvalues(scaled)
    limit = 1e-14 * variances[2]
    for a in range(3):
        # A flat region has a variance of 0, which rounding may leave a little above or below.
        if variances[a] < limit:
            variances[a] = 0.0
    return variances


@compiled
def _covariance(sums, covariance):
    """Fill the covariance of voxel indices from the sums of `moments`; return False if float64 would round the sums."""
    n = sums[0]
    largest = 0.0
    for i in range(4, 10):
        largest = max(largest, np.float64(n) * np.float64(sums[i]))
    if largest > _EXACT:
        return False
    place = np.array([[4, 7, 8], [7, 5, 9], [8, 9, 6]])
    for a in range(3):
        for b in range(3):
            covariance[a, b] = np.float64(n * sums[place[a, b]] - sums[1 + a] * sums[1 + b]) / np.float64(n * n)
    return True


@compiled
def describe_region(
    ordered, values, mask, spacing_mm, edges, steps, representatives, mesh, wanted, shift, symmetrical, alpha, out
):
    """Describe a region of interest by shape, first order and texture.

    Parameters
    ----------
    ordered, values : float64 (n_voxels,), intensities in increasing order, and in that of the voxels
    mask : uint8 (z, y, x), 0 and 1, in its bounding box
    spacing_mm : float64 (3,)
    edges : float64 (n_edges,), of the bins, fewer than 256; see `assign_levels`
    steps : int64 (n_directions, 3), to half of the direct neighbours
    representatives : uint16 (2 ** n_directions,), from `group_representatives`
    mesh : CROSSES, TRIPLE, AREA_VECTOR of `marching_cubes`
    wanted : three bools, for shape, first order and texture; what is not wanted is left as it is
    shift : float, see `first_order`
    symmetrical, alpha : see `describe_texture`
    out : float64 (109,), shape without Sphericity, first order, GLCM, then runs, zones and dependences in the order of
        `DESCRIPTIONS`, and NGTDM

    Returns
    -------
    int, the number of grey levels that occur, or 0 if levels are not wanted; -1 if a number has to be computed in
    another way: a covariance beyond exact float64, more than 64 grey levels, a direction that holds no pair, or
    powers of intensities beyond float64.
    """
    padded, positions = pad_and_list(mask, _MARGIN)
    n = values.size
    if wanted[0]:
        covariance = np.empty((3, 3))
        if not _covariance(moments(padded.view(np.uint8)), covariance):
            return -1
        variances = principal_variances(covariance, spacing_mm)
        describe_shape(padded.view(np.uint8), spacing_mm, variances, n, mesh, out[:N_SHAPE])
    if not (wanted[1] or wanted[2]):
        return 0
    gray = np.zeros(padded.size, np.uint8)
    all_counts = assign_levels(values, edges, positions, gray)
    levels = np.flatnonzero(all_counts)
    if levels[-1] > MOST_LEVELS:
        return -1
    counts = all_counts[levels]
    begin = N_SHAPE + N_FIRST_ORDER
    if wanted[1]:
        voxel_mm3 = spacing_mm[0] * spacing_mm[1] * spacing_mm[2]
        out[N_SHAPE:begin] = first_order(ordered, counts, shift, voxel_mm3)
        if not np.isfinite(out[N_SHAPE:begin]).all():
            return -1
    if wanted[2]:
        volume = gray
        if levels[-1] > levels.size:
            volume = np.zeros(padded.size, np.uint8)
            renumber_levels(gray, positions, np.cumsum(all_counts > 0).astype(np.uint8), volume)
        offsets = steps[:, 0] * (padded.shape[1] * padded.shape[2]) + steps[:, 1] * padded.shape[2] + steps[:, 2]
        around = np.concatenate((offsets, -offsets))
        longest = max(2, max(mask.shape))
        glcm, runs, zones, dependences, tones, is_complete = describe_texture(
            volume, gray, positions, levels, counts, offsets, around, representatives, longest, symmetrical, alpha
        )
        if not is_complete:
            return -1
        out[begin : begin + 24] = glcm / offsets.size
        out[begin + 24 : begin + 40] = runs
        out[begin + 40 : begin + 56] = zones
        out[begin + 56 : begin + 72] = dependences
        out[begin + 72 :] = tones
    return levels.size
