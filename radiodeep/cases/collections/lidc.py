"""In: a downloaded LIDC-IDRI. Out: its nodules as NIfTI files, with the ratings of the readers in a manifest."""

from pathlib import Path

import numpy as np
import pandas as pd

from radiodeep.cases.collections.conversion import (
    box_around,
    by_patient,
    check_options,
    convert_patients,
    save_volume,
    write_collection,
)
from radiodeep.cases.collections.lidc_nodules import consensus, matched, outlines_of
from radiodeep.cases.collections.lidc_readings import CHARACTERISTICS, NOMINAL, read_annotations
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.checks import is_count, is_number, require, require_option
from radiodeep.exceptions import FileUnreadableError

_RATINGS = {"mean": np.mean, "median": np.median}
_INDETERMINATE = 3
_LABELS = {"leave out": None, "blank": "", "benign": 0, "malignant": 1}
_MASKS = ("consensus", "reader")


def lidc_manifest(
    folder,
    output,
    annotations=None,
    agreement=0.5,
    mask="consensus",
    rating="mean",
    indeterminate="leave out",
    min_readers=1,
    margin_mm=30.0,
    on_error="record",
):
    """Convert a downloaded LIDC-IDRI collection to a NIfTI image and masks of each nodule, and a manifest.

    Needs the extra ``radiodeep[dicom]``. Nodules of 3 mm and more count, which the readers outlined and rated; those of
    different readers are one nodule if they overlap, the largest overlap first, or else if their centres are no further
    apart than the radius of the smaller one; a reader outlines a nodule once. A voxel belongs to an outline if it lies
    inside the reader's border, which itself is drawn around the nodule and is no part of it. What an earlier run has
    converted with the same settings is kept.

    Parameters
    ----------
    folder : path-like
        Of the download; the CT series are found by their headers, wherever they lie in it.
    output : path-like
        Folder for ``manifest.csv``, ``left_out.csv`` (patient and reason) and the images.
    annotations : path-like, optional
        Folder of the XML files, if they were downloaded apart. They are matched by the UID of the CT series.
    agreement : float, default=0.5
        The consensus holds the voxels that at least this fraction of those readers include who outlined the nodule.
    mask : {"consensus", "reader"}, default="consensus"
        What the column `mask` is. With "consensus", the columns mask_reader1 to mask_reader4 are the readers' own
        outlines. With "reader", it is the outline of the first reader, and mask_reader2 to mask_reader4 are those of
        the others: choose this for `repeatability`, because a consensus depends on its readers. The first reader of
        one scan need not be the first of another.
    rating : {"mean", "median"}, default="mean"
        How the readers' ratings are combined. Of calcification and internal_structure, which are not ordered, the most
        frequent rating counts, of equally frequent ones the lowest.
    indeterminate : {"leave out", "blank", "benign", "malignant"}, default="leave out"
        The label of nodules whose malignancy is exactly 3; below 3 it is 0 (benign), above 3 it is 1 (malignant).
    min_readers : int, default=1
        Nodules that fewer readers outlined are left out.
    margin_mm : float or None, default=30.0
        The image is cropped to this distance around all outlines; None keeps the whole scan.
    on_error : {"record", "raise"}, default="record"
        Whether patients that cannot be converted are left out.

    Returns
    -------
    pathlib.Path
        The manifest, for `read_cohort`: id, patient, image, mask, mask_reader2, ..., label, n_readers, diameter_mm (of
        a sphere of the volume of the consensus) and the characteristics, from 1 to 5 or 6. Of the headers, only the
        PatientID is kept, by which the collection names its patients.

    Raises
    ------
    DicomSeriesError, FileUnreadableError
        The folder holds no DICOM or no annotations, or, with ``on_error="raise"``, a series is incomplete.
    MissingExtraError
        pydicom is not installed.

    Notes
    -----
    The collection warns that in about 100 of its first 399 cases, spiculation and lobulation were rated on inconsistent
    scales.

    References
    ----------
    S. G. Armato III et al., The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI): a
    completed reference database of lung nodules on CT scans, Medical Physics 38 (2011) 915.

    Examples
    --------
    >>> import radiodeep as rd
    >>> rd.lidc_manifest("LIDC-IDRI", "nodules")
    Traceback (most recent call last):
    radiodeep.exceptions.FileUnreadableError: 'LIDC-IDRI' is not a folder. Expected the folder of a download, ...
    """
    check_options(lidc_manifest, margin_mm, on_error)
    is_agreement = is_number(agreement) and bool(0 < agreement <= 1)
    require(is_agreement, lidc_manifest, "agreement", "a float > 0 and <= 1", agreement)
    require_option(mask, _MASKS, lidc_manifest, "mask")
    require_option(rating, tuple(_RATINGS), lidc_manifest, "rating")
    require_option(indeterminate, tuple(_LABELS), lidc_manifest, "indeterminate")
    require(is_count(min_readers, 1), lidc_manifest, "min_readers", "an int >= 1", min_readers)
    series = find_series(folder)
    scans, without_scan = _scans(series, folder if annotations is None else annotations)
    patients = {
        name: (parts, [path for scan, marks in parts for path in (*scan.paths, marks.path)])
        for name, parts in by_patient(scans, lambda part: part[0].patient).items()
    }

    def convert(patient, parts):
        return _convert(patient, parts, output, agreement, rating, margin_mm)

    settings = ["lidc", 1, agreement, rating, margin_mm]
    rows, left_out = convert_patients(patients, convert, output, settings, on_error)
    most = max((row["n_readers"] for row in rows), default=1)
    rows = [_finished(row, mask, indeterminate, most) for row in rows if row["n_readers"] >= min_readers]
    return write_collection(pd.DataFrame([row for row in rows if row is not None]), without_scan + left_out, output)


def _scans(series, folder):
    """Return pairs of a CT series and its `Annotations`, and what has no series, as rows of left_out.csv."""
    found = [marks for path in sorted(Path(folder).rglob("*.xml")) if (marks := read_annotations(path)) is not None]
    if not found:
        raise FileUnreadableError(
            f"'{folder}' holds no XML annotations of LIDC-IDRI. Download them too, and name their folder: annotations=."
        )
    by_uid = {marks.series_uid: marks for marks in found}  # the same file may lie in both folders
    scans = [(series[uid], marks) for uid, marks in sorted(by_uid.items()) if uid in series]
    reason = "the download has no CT series of the annotations"
    without = [
        {"patient": "", "reason": f"{reason} '{marks.path.name}'"} for uid, marks in by_uid.items() if uid not in series
    ]
    if not scans:
        raise FileUnreadableError(f"None of the {len(by_uid)} annotations belongs to a series of the download.")
    return scans, without


def _convert(patient, scans, output, agreement, rating, margin_mm):
    """Write the nodules of a patient; return their rows and what was left out, see `convert_patients`."""
    rows, left_out = [], []
    for series, marks in scans:
        grid = grid_of(series)
        groups = matched(outlines_of(marks.readings, grid), grid)
        for outlines in sorted(groups, key=lambda group: tuple(outline.voxels[0] for outline in group)):
            case_id = f"{patient}_nodule{len(rows) + 1}"
            agreed = consensus(outlines, agreement)
            if not agreed.size:
                left_out.append(f"the {len(outlines)} readers of a nodule agree on no voxel (agreement={agreement})")
                continue
            files = _write_nodule(case_id, outlines, agreed, grid, output, margin_mm)
            volume = agreed.size * np.prod(grid.spacing_mm)
            rows.append(
                {"id": case_id, "patient": patient, **files, "n_readers": len(outlines)}
                | {"diameter_mm": round(float((6 * volume / np.pi) ** (1 / 3)), 3)}
                | _combined([outline.ratings for outline in outlines], rating)
            )
    return rows, left_out


def _write_nodule(case_id, outlines, agreed, grid, output, margin_mm):
    """Write image and masks of a nodule; return their paths by the column of the manifest."""
    everything = np.concatenate([outline.voxels for outline in outlines])
    z, y, x = np.unravel_index(everything, grid.shape)
    box = box_around(np.array([z.min(), y.min(), x.min()]), np.array([z.max(), y.max(), x.max()]), grid, margin_mm)
    volume = grid.read(box)
    files = {"image": save_volume(volume, f"{case_id}_image", output)}
    masks = {"mask": agreed} | {f"mask_reader{k}": outline.voxels for k, outline in enumerate(outlines, 1)}
    for column, voxels in masks.items():
        region = np.zeros(volume.voxels.shape, bool)
        corner = [[part.start] for part in box]
        region[tuple(np.array(np.unravel_index(voxels, grid.shape)) - corner)] = True
        files[column] = save_volume(grid.volume_of(region, np.ravel(corner)), f"{case_id}_{column}", output)
    return files


def _combined(ratings, rating):
    """Return the ratings of several readers as one of each characteristic, None where nobody rated it."""
    combined = {}
    for name in CHARACTERISTICS.values():
        given = [each[name] for each in ratings if each[name]]
        how = (lambda values: np.bincount(values).argmax()) if name in NOMINAL else _RATINGS[rating]
        combined[name] = round(float(how(given)), 3) if given else None
    return combined


def _finished(row, mask, indeterminate, n_readers):
    """Return the row of the manifest with its label and the masks that were asked for, None if it is left out."""
    malignancy = row["malignancy"]
    label = int(malignancy > _INDETERMINATE) if malignancy != _INDETERMINATE else _LABELS[indeterminate]
    if label is None:
        return None
    masks = [row.get(f"mask_reader{reader}", "") for reader in range(1, n_readers + 1)]
    chosen = {"mask": masks[0]} if mask == "reader" else {"mask": row["mask"], "mask_reader1": masks[0]}
    chosen |= {f"mask_reader{reader}": path for reader, path in enumerate(masks[1:], 2)}
    others = {name: value for name, value in row.items() if not name.startswith("mask") and name not in chosen}
    start = {name: others.pop(name) for name in ("id", "patient", "image")}
    return start | chosen | {"label": label} | others
