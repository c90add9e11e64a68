"""In: the path of a mask, and its image. Out: the mask as a `Volume`, and the regions that it holds.

A mask is an image of labels, a structure set (RTSTRUCT) or segmentation (SEG) in DICOM, a folder with one of these, or
a folder with a mask per organ.
"""

import warnings
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom import DicomSeries, SeriesGrid, find_series, is_dicom, read_header
from radiodeep.cases.label_names import label_names, organ_files
from radiodeep.cases.mask_labels import NO_VOXEL, positive_labels
from radiodeep.cases.outlines import OUTLINE_READERS
from radiodeep.cases.readers import read_volume
from radiodeep.cases.reading import AS_IT_IS
from radiodeep.cases.region_names import choose_regions
from radiodeep.cases.volume import check_same_grid
from radiodeep.exceptions import (
    AmbiguousMaskError,
    EmptyMaskError,
    GeometryMismatchError,
    LabelNotFoundError,
    RadiodeepWarning,
)

_TIE = 1e-6  # of a voxel: positions between two voxels are decided alike, however they are rounded


def read_mask(path, image, roi_name=None, reading=AS_IT_IS):
    """Read a mask as a `Volume`: its labels as stored, or bool for a region by name.

    Contours and segments come on the grid of the image, a `Volume` as stored; others on their own. `roi_name` and
    `reading` as in `Case`. Raises LabelNotFoundError, AmbiguousMaskError or EmptyMaskError, GeometryMismatchError for
    regions that were drawn on another image, and the errors of `read_volume`.
    """
    regions = drawn_regions(path)
    if regions is not None:
        return _on_grid(regions, image, roi_name)
    organs = _organs_in(path)
    if organs:
        return _union([organs[name] for name in _chosen(organs, roi_name, path)], reading)
    mask = read_volume(path, reading)
    if roi_name is None:
        return mask
    names = label_names(path)
    if not names:
        raise LabelNotFoundError(
            f"'{path.name}' has no names of regions, so that none is {roi_name!r}. Choose the region by its number "
            "with mask_label, or put a table of its labels beside it."
        )
    values = [names[name] for name in _chosen(names, roi_name, path)]
    voxels = np.isin(mask.voxels, np.hstack(values))
    if not voxels.any():
        raise EmptyMaskError(f"'{path.name}' has no voxel of {roi_name!r}. Choose another region, or leave it out.")
    return replace(mask, voxels=voxels)


def outlined_series(image, mask):
    """Return the path of an image; of a DICOM folder FOLDER/UID of the series that the regions were drawn on.

    Raises GeometryMismatchError if a structure set or segmentation belongs to no series there: it neither refers to one
    nor has its frame of reference.
    """
    regions = drawn_regions(mask)
    series = _series_at(image) if regions is not None else []
    if not series:
        return image
    own = [each for each in series if each.uid in regions.series_uids]
    own = own or [each for each in series if each.frame_of_reference in regions.frames]
    if not own and (regions.series_uids or any(regions.frames)):
        listed = " and the ".join(f"{each.name} ({each.uid})" for each in series)
        raise GeometryMismatchError(
            f"{regions.name} was drawn on the series {', '.join(regions.series_uids) or 'of another image'}, whose "
            f"frame of reference is not that of the {listed}. Give the image that it was drawn on."
        )
    return image / own[0].uid if image.is_dir() and len(own) == 1 else image


def regions_of(masks, roi_name, reading):
    """Return the arguments of `Case` that choose each region of one or more masks, paths or arrays, by its name.

    Labels of an image are called "label1"; named regions count in the order of their file, empty ones do not.
    """
    names, labels = {}, set()
    for mask in masks:
        known = _names_in(mask, roi_name, reading) if isinstance(mask, Path) else None
        if known is None:
            labels.update(positive_labels(read_volume(mask, reading).voxels if isinstance(mask, Path) else mask))
        else:
            names |= {name: {"roi_name": name} for name in known}
    if not names and not labels:
        raise EmptyMaskError(NO_VOXEL)
    return names | {f"label{label}": {"mask_label": label} for label in sorted(labels)}


def drawn_regions(path):
    """Return the `StructureSet` or `Segmentation` of a file, or of a folder with one, or None for other masks."""
    if path.is_dir():
        if _organs_in(path):
            return None
        found = [(each.modality, file) for each in find_series(path).values() for file in each.paths]
        found = [(kind, file) for kind, file in found if kind in OUTLINE_READERS]
        if len(found) > 1:
            listed = ", ".join(f"'{file.relative_to(path)}' ({kind})" for kind, file in found[:10])
            raise AmbiguousMaskError(
                f"'{path}' holds {len(found)} files of outlined regions: {listed}. Give the path of one."
            )
        kind, path = found[0] if found else (None, path)
    else:
        kind = read_header(path, ("Modality",))["Modality"] if _is_dicom_file(path) else None
    if kind not in OUTLINE_READERS:
        return None
    status = path.stat()
    return _regions_in(kind, path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)  # of several cases, or images, with regions in one file
def _regions_in(kind, path, _time, _size):
    return OUTLINE_READERS[kind](path)


def _is_dicom_file(path):
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(132))
    except OSError:  # of which reading the mask tells
        return False


def _organs_in(path):
    return organ_files(path) if path.is_dir() else {}


def _chosen(names, roi_name, path):
    """Return the names that are asked for; errors name the file."""
    names = list(names)
    try:
        return [names[position] for position in choose_regions(names, roi_name)]
    except (LabelNotFoundError, AmbiguousMaskError) as error:
        raise type(error)(f"'{path.name}': {error}") from error


def _on_grid(regions, image, roi_name):
    """Return the union of regions on the grid of an image."""
    if not (image.has_spacing and image.has_position):
        raise GeometryMismatchError(
            f"{regions.name} outlines regions in mm, but the image does not say where it lies. Give the DICOM series, "
            "or a NIfTI file of it."
        )
    grid = SeriesGrid("image", (), (), image.voxels.shape, image.spacing_mm, image.origin_mm, image.direction)
    names = _chosen(regions.region_names, roi_name, Path(regions.name))
    mask = np.zeros(grid.shape, bool)
    for name in names:
        mask |= regions.mask_of(regions.region_names.index(name), grid)
    return grid.volume_of(mask)


def _union(paths, reading):
    """Return the region that masks of one label, on one grid, have together."""
    masks = [read_volume(path, reading) for path in paths]
    for path, mask in zip(paths[1:], masks[1:], strict=True):
        check_same_grid(masks[0], mask, f"'{paths[0].name}' and '{path.name}'")
    voxels = np.any([mask.voxels != 0 for mask in masks if positive_labels(mask.voxels)] or [False], axis=0)
    if not voxels.any():
        listed = " and ".join(f"'{path.name}'" for path in paths)
        raise EmptyMaskError(f"{listed} outlines no voxel. Choose another region, or leave the case out.")
    return replace(masks[0], voxels=voxels)


def _names_in(path, roi_name, reading):
    """Return the names of the regions of a mask that are not empty and asked for, None for labels by number."""
    regions, organs = drawn_regions(path), _organs_in(path)
    if regions is not None:
        names = regions.filled_names()
    elif organs:
        names = [name for name, file in organs.items() if positive_labels(read_volume(file, reading).voxels)]
    elif roi_name is not None:
        names = list(label_names(path))
    else:
        return None
    return names if roi_name is None else _chosen(names, roi_name, path)


def _series_at(path):
    """Return the image series in a folder, or that of FOLDER/UID or of a file; none for files that are not DICOM."""
    if path.is_dir():
        return [each for each in find_series(path).values() if each.modality not in OUTLINE_READERS]
    if _is_dicom_file(path):
        header = read_header(path, ("SeriesInstanceUID", "Modality", "SeriesDescription", "FrameOfReferenceUID"))
        uid, modality, description, frame = (str(value or "") for value in header.values())
        return [DicomSeries(uid, "", modality, description, frame, (path,))]
    is_uid = not path.exists() and path.parent.is_dir() and not path.name.strip("0123456789.")
    return [each for each in find_series(path.parent).values() if each.uid == path.name] if is_uid else []


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
        f"{id}: the mask was brought to the grid of the image by the nearest voxel: {100 * changed:.1f} % of the "
        f"voxels of the region changed, from {n_before} voxels ({before:.4g} mm³) to {n_after} ({after:.4g} mm³).",
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
