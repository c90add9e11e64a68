"""In: masks, or a cohort with its masks. Out: a `MaskInspection` of the regions that they hold, by name and label."""

from collections import defaultdict
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from radiodeep.cases.cohort import Cohort
from radiodeep.cases.dicom.rtstruct import StructureSet
from radiodeep.cases.dicom.series import find_series
from radiodeep.cases.label_names import label_names, organ_files
from radiodeep.cases.mask_labels import label_counts
from radiodeep.cases.masks import OUTLINE_READERS, drawn_regions
from radiodeep.cases.naming import message_with_id
from radiodeep.cases.readers import read_labels
from radiodeep.cases.sources import is_whole
from radiodeep.exceptions import DicomSeriesError, EmptyMaskError, FileUnreadableError, InputError
from radiodeep.progress import with_progress

_COLUMNS = ("id", "image", "file", "name", "label", "n_voxels", "volume_mm3", "n_slices", "n_contours")
_N_LINES = 150
_WIDEST = 24


@dataclass(frozen=True, eq=False)
class MaskInspection:
    """Result of `inspect_masks`; it prints the regions of one mask, or the summary of several.

    Attributes
    ----------
    table : DataFrame
        A row per region of each mask: `id` of the case (or the path of the mask), `image` if masks have names, `file`,
        `name` ("" if unknown), `label` (a text: several if the name joins them, the number of a segment), `n_voxels`,
        `volume_mm3` (NaN if the file does not know the size of a voxel), `n_slices` that show it, and `n_contours` of a
        structure set, whose voxels depend on an image and are not counted.
    summary : DataFrame
        A row per name, "label 1" for labels without one: `n_cases` that have it, `labels` that it has in them, the
        median of `volume_mm3`, and the ids of those that are `lacking` it, of the masks that could be read.
    errors : dict from id to str
        "ErrorName: message" of the masks that cannot be read.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    errors: dict

    def __str__(self):
        if self.table["id"].nunique() + len(self.errors) > 1:
            shown = self.summary.reset_index()
            shown["lacking"] = [_shortened(ids) for ids in shown["lacking"]]
        else:
            shown = self.table.drop(columns="id")
        shown = shown.loc[:, [not (shown[name].isna() | (shown[name] == "")).all() for name in shown]]
        if shown.empty:
            return "no region"
        more = [f"({_N_LINES} of {len(shown)} are shown; the tables have all)"] if len(shown) > _N_LINES else []
        return "\n".join(_aligned(shown.head(_N_LINES)) + more)


def inspect_masks(masks):
    """List the regions that masks hold: labels and their names, contours of an RTSTRUCT, segments of a SEG.

    Parameters
    ----------
    masks : Cohort, path-like or list of path-like
        A cohort, whose masks are read; or mask files, and folders: of organs, of label images that have names (as
        nnU-Net writes them), or of DICOM files with an RTSTRUCT or SEG. One mask is in memory at a time.

    Returns
    -------
    MaskInspection

    Raises
    ------
    InputError
        `masks` is something else. Errors of single masks are recorded instead.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import Case, Cohort, inspect_masks
    >>> mask = np.array([[[0, 1, 1], [2, 2, 2]]])
    >>> print(inspect_masks(Cohort([Case(np.ones((1, 2, 3)), mask, "CT-9", spacing_mm=(5, 1, 1))])))
    label  n_voxels  n_slices
    1             2         1
    2             3         1
    >>> inspect_masks("missing.nii.gz").errors
    {'missing.nii.gz': "FileUnreadableError: 'missing.nii.gz' does not exist. ..."}
    """
    sources = _sources(masks)
    rows, errors = [], {}
    known = None, None
    for case_id, image, mask in with_progress(sources, "Reading masks", len(sources), "masks"):
        if not (isinstance(mask, Path) and mask == known[0]):  # lesions of one patient share their mask
            known = mask, _attempt(mask)
        regions, error = known[1]
        if error:
            text = str(error) if case_id == str(mask) else message_with_id(error, case_id)
            errors[case_id] = f"{type(error).__name__}: {text}"
        rows += [{"id": case_id, "image": image, **region} for region in regions]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    read = list(dict.fromkeys(case_id for case_id, *_ in sources if case_id not in errors))
    table = table if any(image for _, image, _ in sources) else table.drop(columns="image")
    return MaskInspection(table, _summary(table, read), errors)


def _sources(masks):
    """Return (id, name of the image, mask) of what is to be inspected."""
    if isinstance(masks, Cohort):
        cases = [lesion for item in masks for lesion in getattr(item, "lesions", (item,))]
        return [
            (case.id, name, mask)
            for case in cases
            for name, mask in (case.mask if isinstance(case.mask, dict) else {"": case.mask}).items()
            if mask is not None and not is_whole(mask)
        ]
    paths = [masks] if isinstance(masks, str | PathLike) else masks
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str | PathLike) for path in paths):
        raise InputError(
            f"inspect_masks takes a Cohort, the path of a mask or a list of paths. Got {type(masks).__name__} instead."
        )
    return [(str(path), "", path) for given in map(Path, paths) for path in _masks_at(given)]


def _masks_at(path):
    """Return the masks of a path: a folder of label images with names, or of DICOM outlines, holds one per file."""
    try:
        organs = organ_files(path) if path.is_dir() else {}
        if organs:
            return list(organs.values()) if label_names(next(iter(organs.values()))) else [path]
        series = find_series(path).values() if path.is_dir() else ()
    except InputError:  # of which reading tells
        return [path]
    return [file for each in series if each.modality in OUTLINE_READERS for file in each.paths] or [path]


def _attempt(mask):
    """Return the rows of a mask and None, or no rows and its error."""
    try:
        return (_regions_of_file(mask) if isinstance(mask, Path) else _regions_of_labels(mask, "", None, {})), None
    except Exception as error:  # of any kind, so that the other masks go on
        return [], error


def _regions_of_file(path):
    organs = organ_files(path) if path.is_dir() else {}
    if organs:
        return [row for name, file in organs.items() for row in _regions_of_organ(file, name)]
    try:
        regions = drawn_regions(path)
    except DicomSeriesError:  # no DICOM at all
        regions = None
    if regions is None:
        if path.is_dir():
            raise FileUnreadableError(f"'{path}' is a folder without masks: no RTSTRUCT, no SEG and no label image.")
        mask = read_labels(path)
        return _regions_of_labels(mask.voxels, path.name, _voxel_mm3(mask), label_names(path))
    if isinstance(regions, StructureSet):
        return [
            {
                "file": regions.name,
                "name": name,
                "label": "",
                "n_slices": len({round(float(points[:, 2].mean()), 2) for points in contours}),
                "n_contours": len(contours),
            }
            for name, contours in zip(regions.region_names, regions.contours, strict=True)
        ]
    return [_segment(regions, position) for position in range(len(regions.region_names))]


def _regions_of_organ(path, name):
    mask = read_labels(path)
    rows = _regions_of_labels(mask.voxels, path.name, _voxel_mm3(mask), {})
    return [{**row, "name": name} for row in rows]


def _segment(segmentation, position):
    row = {"file": segmentation.name, "name": segmentation.region_names[position]}
    row["label"] = str(segmentation.numbers[position])
    try:
        mask = segmentation.volume_of([position])
    except EmptyMaskError:
        return row | {"n_voxels": 0, "volume_mm3": 0.0, "n_slices": 0}
    return row | _size(int(mask.voxels.sum()), int(mask.voxels.any(axis=(1, 2)).sum()), _voxel_mm3(mask))


def _regions_of_labels(voxels, file, voxel_mm3, names):
    """Return a row per label, and per name that joins several, in the order of the labels."""
    counts, slices = defaultdict(int), defaultdict(set)
    for number, plane in enumerate(voxels if voxels.ndim == 3 else [voxels]):
        for label, count in label_counts(plane).items():
            counts[label] += count
            slices[label].add(number)
    unnamed = counts.keys() - {label for value in names.values() for label in np.atleast_1d(value).tolist()}
    regions = [(name, np.atleast_1d(value).tolist()) for name, value in names.items()]
    regions = sorted(regions + [("", [label]) for label in unnamed], key=lambda region: region[1])
    rows = []
    for name, labels in regions:
        there = [label for label in labels if label in counts]
        if there:
            n_voxels, shown = sum(counts[label] for label in there), set().union(*(slices[label] for label in there))
            row = {"file": file, "name": name, "label": ", ".join(map(str, labels))}
            rows.append(row | _size(n_voxels, len(shown), voxel_mm3))
    return rows


def _size(n_voxels, n_slices, voxel_mm3):
    volume = np.nan if voxel_mm3 is None else n_voxels * voxel_mm3
    return {"n_voxels": n_voxels, "volume_mm3": volume, "n_slices": n_slices}


def _voxel_mm3(volume):
    return float(np.prod(volume.spacing_mm)) if volume.has_spacing else None


def _summary(table, ids):
    """Return the summary of a table of the masks of some ids."""
    there = table[(table["n_voxels"] != 0) & (table["n_contours"] != 0)]
    called = there["name"].where(there["name"] != "", "label " + there["label"])
    rows = [
        {
            "name": name,
            "n_cases": group["id"].nunique(),
            "labels": "; ".join(filter(None, dict.fromkeys(group["label"]))),
            "volume_mm3": group["volume_mm3"].median(),
            "lacking": [case_id for case_id in ids if case_id not in set(group["id"])],
        }
        for name, group in there.groupby(called.to_numpy(), sort=False)
    ]
    columns = ["name", "n_cases", "labels", "volume_mm3", "lacking"]
    return pd.DataFrame(rows, columns=columns).sort_values("n_cases", ascending=False, kind="stable").set_index("name")


def _shortened(ids):
    """Return three ids, of long ones the end, and how many more there are."""
    shown = [case_id if len(case_id) <= _WIDEST else f"...{case_id[3 - _WIDEST :]}" for case_id in ids[:3]]
    return ", ".join(shown) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")


def _aligned(table):
    """Return the lines of a table, with texts to the left and numbers to the right."""
    columns = []
    for name in table:
        is_text = table[name].dtype.kind not in "if"
        texts = [value if is_text else "" if pd.isna(value) else f"{value:,.6g}" for value in table[name]]
        width = max(map(len, [name, *texts]))
        columns.append([text.ljust(width) if is_text else text.rjust(width) for text in [name, *texts]])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
