"""In: a mask on another grid than its image. Out: the mask on the grid of the image, by the nearest voxel."""

import warnings
from contextlib import suppress
from dataclasses import replace

import numpy as np

from radiodeep.cases.volume import check_same_grid
from radiodeep.exceptions import GeometryMismatchError, RadiodeepWarning

_TIE = 1e-6  # of a voxel: positions between two voxels are decided alike, however they are rounded


def on_grid_of(image, mask, id):
    """Return a mask on the grid of an image, both `Volume`: each voxel has the label of the nearest one of the mask.

    Returns the mask itself if the grids agree to 1/20 of a voxel. Warns of the share of the region that changed: the
    number of voxels of the mask that have another label after resampling there and back, divided by that of the region.
    Raises GeometryMismatchError if one of them does not say where it lies, or if the image shows nothing of the region.
    """
    with warnings.catch_warnings(), suppress(GeometryMismatchError):
        warnings.simplefilter("ignore")
        check_same_grid(image, mask, id)
        return mask
    for volume, what in ((image, "image"), (mask, "mask")):
        if not (volume.has_spacing and volume.has_position):
            raise GeometryMismatchError(
                f"the {what} does not say where it lies in space, which 'resample_mask' needs. Use NIfTI or MetaImage."
            )
    resampled = replace(image, voxels=_nearest(mask, image))
    n_before, n_after = np.count_nonzero(mask.voxels), np.count_nonzero(resampled.voxels)
    if n_before and not n_after:
        raise GeometryMismatchError(
            f"the region of the mask, {n_before} voxels, lies outside the image or between its voxels. Check that they "
            "belong together."
        )
    changed = np.count_nonzero(_nearest(resampled, mask) != mask.voxels) / max(n_before, 1)
    before, after = (n * np.prod(each.spacing_mm) for n, each in ((n_before, mask), (n_after, image)))
    warnings.warn(
        f"{id}: the mask was brought to the grid of the image by the nearest voxel: {n_before} voxels ({before:.4g} "
        f"mm³) became {n_after} ({after:.4g} mm³); there and back, {100 * changed:.1f} % of the voxels of the region "
        "change.",
        RadiodeepWarning,
        stacklevel=6,
    )
    return resampled


def _nearest(source, target):
    """Return the labels of a `Volume` at the centres of the voxels of another (z, y, x); 0 outside of it."""
    labels = np.zeros(target.voxels.shape, source.voxels.dtype)
    marked = np.nonzero(source.voxels)
    if not marked[0].size:
        return labels
    low, high = (np.array([edge(axis) for axis in marked]) for edge in (np.min, np.max))
    corners = np.stack(np.meshgrid(*np.column_stack([low - 1, high + 1]), indexing="ij"), -1).reshape(-1, 3)
    reached = _indices(target, _positions(source, corners))
    first = np.floor(reached.min(axis=0)).clip(0).astype(int)
    last = np.minimum(np.ceil(reached.max(axis=0)).astype(int) + 1, labels.shape)
    sides = np.maximum(last - first, 0)
    rows = np.stack(np.meshgrid(0, *(np.arange(n) for n in sides[1:]), indexing="ij"), -1).reshape(-1, 3) + first
    for z in range(sides[0]):  # a slice at a time
        at = rows + np.array([z, 0, 0])
        nearest = np.floor(_indices(source, _positions(target, at)) + (0.5 - _TIE)).astype(int)
        there = ((nearest >= 0) & (nearest < source.voxels.shape)).all(axis=1)
        labels[tuple(at[there].T)] = source.voxels[tuple(nearest[there].T)]
    return labels


def _positions(volume, indices):
    """Return the positions in mm (x, y, z) of indices (z, y, x)."""
    return volume.origin_mm + (indices * np.array(volume.spacing_mm))[:, ::-1] @ volume.direction.T


def _indices(volume, positions_mm):
    """Return the indices (z, y, x) of positions in mm (x, y, z)."""
    return ((positions_mm - volume.origin_mm) @ volume.direction)[:, ::-1] / volume.spacing_mm
