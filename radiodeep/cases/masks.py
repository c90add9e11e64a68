"""In: the path of a mask, and its image. Out: the mask as a `Volume`, and the regions that it holds.

A mask is an image of labels, a structure set (RTSTRUCT) or segmentation (SEG) in DICOM, a folder with one of these, or
a folder with a mask per organ.
"""

import os
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.choice import image_series, series_in_path
from radiodeep.cases.dicom.rtstruct import read_structure_set
from radiodeep.cases.dicom.segmentation import Segmentation, read_segmentation
from radiodeep.cases.dicom.series import DicomSeries, SeriesGrid, find_series, grid_of, is_dicom, read_header
from radiodeep.cases.label_names import label_names, organ_files
from radiodeep.cases.mask_labels import NO_VOXEL, positive_labels
from radiodeep.cases.readers import read_labels
from radiodeep.cases.reading import AS_IT_IS
from radiodeep.cases.region_names import choose_regions
from radiodeep.cases.volume import check_same_grid
from radiodeep.exceptions import (
    AmbiguousMaskError,
    EmptyMaskError,
    FileUnreadableError,
    GeometryMismatchError,
    LabelNotFoundError,
)

OUTLINE_READERS = {"RTSTRUCT": read_structure_set, "SEG": read_segmentation}  # by modality
_SAME_SLICE, _OFF_SLICE = 0.05, 0.1  # of the distance of slices
_MOST_LEVELS = 3  # between the folder of a structure set and the one with all series of its patient


def read_mask(path, image, roi_name=None, reading=AS_IT_IS, image_path=None):
    """Read a mask as a `Volume`: its labels as stored, or bool for a region by name.

    Contours and segments come on the grid of the image, a `Volume` as stored; others on their own, and contours of a
    series with other slices on its grid, if it lies beside. `roi_name` and `reading` as in `Case`, () for all regions.
    Raises LabelNotFoundError, AmbiguousMaskError or EmptyMaskError, GeometryMismatchError for regions that were drawn
    on another image, and the errors of `read_labels`.
    """
    regions = drawn_regions(path)
    if regions is not None:
        return _on_grid(regions, image, roi_name, reading, path, image_path)
    organs = _organs_in(path)
    if organs:
        chosen = _chosen(organs, list(organs) if roi_name == () else roi_name, path)
        return _union([list(organs.values())[position] for position in chosen], reading)
    mask = read_labels(path, reading)
    if not roi_name:
        return mask
    names = label_names(path)
    if not names:
        raise LabelNotFoundError(
            f"'{path.name}' has no names of regions, so that none is {roi_name!r}. Choose the region by its number "
            "with mask_label, or put a table of its labels beside it."
        )
    values = [list(names.values())[position] for position in _chosen(names, roi_name, path)]
    voxels = np.isin(mask.voxels, np.hstack(values))
    if not voxels.any():
        raise EmptyMaskError(f"'{path.name}' has no voxel of {roi_name!r}. Choose another region, or leave it out.")
    return replace(mask, voxels=voxels)


def outlined_series(image, mask, roi_name=None, reading=AS_IT_IS):
    """Return the path of an image; of a DICOM folder FOLDER/UID of the series that the regions were drawn on.

    Raises GeometryMismatchError if a structure set or segmentation does not belong to the series: it neither refers to
    it nor has its frame of reference. DicomSeriesError as `image_series`.
    """
    regions = drawn_regions(mask)
    if regions is None:
        return image
    positions = _chosen(regions.region_names, roi_name, mask) if roi_name else range(len(regions.drawn_on))
    uids, frames = (
        {uid for position in positions for uid in regions.drawn_on[position][kind] if uid} for kind in (0, 1)
    )
    series = image_series(image, reading, (*uids, *frames)) if image.is_dir() else _series_at(image)
    is_unknown = not uids and not frames
    if series and not (is_unknown or series.uid in uids or series.frame_of_reference in frames):
        raise GeometryMismatchError(
            f"{regions.name} was drawn on the series {', '.join(sorted(uids)) or 'of another image'}, whose frame"
            f" of reference is not that of the {series.name} ({series.uid}). Give the image that it was drawn on."
        )
    return image / series.uid if image.is_dir() else image


def regions_of(masks, roi_name, reading):
    """Return the arguments of `Case` that choose each region of one or more masks, paths or arrays, by its name.

    Labels of an image are called "label1"; named regions count in the order of their file, empty ones do not.
    """
    names, labels = {}, set()
    for mask in masks:
        known = _names_in(mask, roi_name, reading) if isinstance(mask, Path) else None
        if isinstance(mask, str):  # the whole image
            labels.add(1)
        elif known is None:
            labels.update(positive_labels(read_labels(mask, reading).voxels if isinstance(mask, Path) else mask))
        else:
            names |= {name: {"roi_name": name, "mask_label": None} for name in known}
    if not names and not labels:
        raise EmptyMaskError(NO_VOXEL)
    return names | {f"label{label}": {"mask_label": label} for label in sorted(labels)}


def drawn_regions(path):
    """Return the `StructureSet` or `Segmentation` of a file, a series or a folder with one, None for other masks."""
    if path.is_dir() or series_in_path(path):
        folder, uid = series_in_path(path) or (path, None)
        if _organs_in(path):
            return None
        series = [each for each in find_series(folder).values() if uid in (None, each.uid)]
        found = [(each.modality, file) for each in series if each.modality in OUTLINE_READERS for file in each.paths]
        if len(found) > 1:
            listed = ", ".join(f"'{file.relative_to(folder)}' ({kind})" for kind, file in found[:10])
            raise AmbiguousMaskError(
                f"'{path}' holds {len(found)} files of outlined regions: {listed}. Give the path of one."
            )
        kind, path = found[0] if found else (None, path)
    else:
        kind = str(read_header(path, ("Modality",))["Modality"]) if _is_dicom_file(path) else None
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
    """Return the positions of the names that are asked for; errors name the file."""
    try:
        return choose_regions(list(names), roi_name)
    except (LabelNotFoundError, AmbiguousMaskError) as error:
        raise type(error)(f"'{path.name}': {error}") from error


def _on_grid(regions, image, roi_name, reading, path, image_path):
    """Return the union of regions on the grid of an image, or on that they were drawn on.

    The latter holds for contours of a series with other slices that lies beside, and for segments to be resampled.
    """
    if not (image.has_spacing and image.has_position):
        raise GeometryMismatchError(
            f"{regions.name} outlines regions in mm, but the image does not say where it lies. Give the DICOM series, "
            "or a NIfTI file of it."
        )
    grid = SeriesGrid("image", (), (), image.voxels.shape, image.spacing_mm, image.origin_mm, image.direction)
    is_any = roi_name == ()
    wanted = (regions.filled_names() or None) if is_any else roi_name
    positions = _chosen(regions.region_names, wanted, Path(regions.name))
    uids = {uid for position in positions for uid in regions.drawn_on[position][0]}
    if uids and image_path is not None and image_path.name not in uids and not isinstance(regions, Segmentation):
        series = _series_beside(path, image_path, uids)
        drawn_on = None if series is None else grid_of(series)
        if drawn_on is None:
            _check_slices(regions, positions, grid, uids)
        elif not _has_slices_of(grid, drawn_on):
            grid = drawn_on
    masks, problem = [], None
    try:
        for position in positions:
            try:
                masks.append(regions.mask_of(position, grid))
            except EmptyMaskError as error:
                problem = error
    except GeometryMismatchError:
        if not (reading.resample_mask and isinstance(regions, Segmentation)):
            raise
        return regions.volume_of(positions)
    if problem and not (is_any and masks):
        raise problem
    return grid.volume_of(np.any(masks, axis=0))


def _series_beside(path, image_path, uids):
    """Return the only one of these series in the folder of a file, or in that of the DICOM image as well.

    Damage to files of others beside is no reason to fail.
    """
    home = Path(os.path.abspath(path)).parent
    both = Path(os.path.commonpath([home, os.path.abspath(image_path)]))
    is_wide = both in home.parents[:_MOST_LEVELS] and both.name and series_in_path(image_path)
    for folder in (home, both) if is_wide else (home,):
        with suppress(FileUnreadableError):
            found = [each for uid, each in find_series(folder).items() if uid in uids]
            if len(found) == 1:
                return found[0]
    return None


def _check_slices(regions, positions, grid, uids):
    """Raise GeometryMismatchError if contours of a series that is not there lie beside the slices of another."""
    for position in positions:
        contours = [grid.indices_of(contour)[:, 2] for contour in regions.contours[position]]
        levels = np.array([heights.mean() for heights in contours if np.ptp(heights) < _SAME_SLICE])
        off = np.abs(levels - levels.round()).max(initial=0)
        if off > _OFF_SLICE:
            raise GeometryMismatchError(
                f"{regions.name}: region '{regions.region_names[position]}' has contours up to {off:.2g} of a slice "
                f"beside the slices of the image: it was drawn on another, the series {' or '.join(sorted(uids))}. Use "
                "that, or put it beside the file and bring the mask to this image with resample_mask=True."
            )


def _has_slices_of(grid, other):
    """Return whether the slices of a `SeriesGrid` lie at those of another, or would if it were longer."""
    is_parallel = abs(grid.direction[:, 2] @ other.direction[:, 2]) > 1 - _SAME_SLICE**2
    step, level = grid.spacing_mm[0] / other.spacing_mm[0], grid.indices_of(other.origin_mm)[2]
    return is_parallel and max(abs(step - 1) * grid.shape[0], abs(level - round(level))) < _SAME_SLICE


def _union(paths, reading):
    """Return the region that masks of one label, on one grid, have together."""
    masks = [read_labels(path, reading) for path in paths]
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
        names = [name for name, file in organs.items() if positive_labels(read_labels(file, reading).voxels)]
    elif roi_name is not None:
        names = list(label_names(path))
    else:
        return None
    return names if roi_name is None else [names[position] for position in _chosen(names, roi_name, path)]


def _series_at(path):
    """Return the series of FOLDER/UID or of a file; None for files that are not DICOM."""
    if series_in_path(path):
        folder, uid = series_in_path(path)
        return find_series(folder).get(uid)
    if not _is_dicom_file(path):
        return None
    header = read_header(path, ("SeriesInstanceUID", "Modality", "SeriesDescription", "FrameOfReferenceUID"))
    uid, modality, description, frame = (str(value or "") for value in header.values())
    return DicomSeries(uid, "", modality, description, frame, (path,))
