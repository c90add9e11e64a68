"""In: a downloaded collection of The Cancer Imaging Archive. Out: images and masks as NIfTI files, and a manifest."""

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
from radiodeep.cases.collections.tcia_clinical import with_clinical
from radiodeep.cases.dicom.outlines import (
    images_by_name,
    is_image_name,
    outlined_image,
    with_image_columns,
)
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.cases.masks import OUTLINE_READERS
from radiodeep.cases.region_names import choose_region
from radiodeep.checks import require, require_option
from radiodeep.exceptions import DicomSeriesError, InputError, LabelNotFoundError, ManifestError


def tcia_manifest(
    folder,
    output,
    roi=None,
    clinical=None,
    clinical_patient=None,
    series=None,
    regions=None,
    margin_mm=None,
    on_error="record",
):
    """Convert a downloaded TCIA collection to NIfTI images and masks of one region per patient, and a manifest.

    Needs the extra ``radiodeep[dicom]``. Takes the folder that the NBIA Data Retriever writes, or any folder of DICOM
    files: series are found by their headers, and an RTSTRUCT or SEG goes with the series that it refers to. A voxel
    belongs to a region if its centre lies inside the contour of its slice. Series without the region are left out. What
    an earlier run has converted with the same settings is kept.

    Parameters
    ----------
    folder : path-like
        With a ``metadata.csv`` in it, the number of files in each series is checked.
    output : path-like
        Folder for ``manifest.csv``, ``left_out.csv`` (patient and reason) and the images.
    roi : str or list of str, optional
        The name of the region, e.g. "GTV-1"; capital and small letters are the same, ``*`` and ``?`` stand for any
        letters, and of a list the first counts that a file has. May be left out if files have one region each.
    clinical : path-like or DataFrame, optional
        Table (.csv) with a row per patient, whose columns are added. Columns named label, or time and event, are
        outcomes.
    clinical_patient : str, optional
        Its column with the patients' names; by default the only one that holds names of the collection's patients.
    series : dict from str to str, optional
        Names of images, and the series description or a part of it, e.g. {"T1": "t1 axial", "T2": "t2 fs"}; other
        series are left out. By default the name of an image is its modality, such as CT, MR or PT.
    regions : {"RTSTRUCT", "SEG"}, optional
        Which files are used. By default SEG where no RTSTRUCT has the region.
    margin_mm : float, optional
        Crop images to this distance around the region; by default they stay whole.
    on_error : {"record", "raise"}, default="record"
        Whether patients that cannot be converted are left out.

    Returns
    -------
    pathlib.Path
        The manifest, for `read_cohort`: id and patient, both the PatientID, by which the collection names its patients,
        image_CT, mask_CT and so on, or image and mask if there is only one image, and the clinical columns. Voxels are
        rescaled (HU, Bq/ml), not converted to SUV.

    Raises
    ------
    LabelNotFoundError, AmbiguousMaskError
        No patient has the region, or a file has several that match; their names are listed.
    DicomSeriesError, GeometryMismatchError
        With ``on_error="raise"``, or if it happens to every patient: a series is incomplete, or the region was drawn on
        another image.
    ManifestError
        The clinical table does not fit.
    MissingExtraError
        pydicom is not installed.

    References
    ----------
    K. Clark et al., The Cancer Imaging Archive (TCIA): maintaining and operating a public information repository,
    Journal of Digital Imaging 26 (2013) 1045. The rule of contours: A. Zwanenburg et al., The image biomarker
    standardisation initiative, arXiv:1612.07003, section 2.4.

    Examples
    --------
    >>> import radiodeep as rd
    >>> rd.tcia_manifest("manifest-1603198545583", "head_and_neck", roi="GTV-1")
    Traceback (most recent call last):
    radiodeep.exceptions.FileUnreadableError: 'manifest-1603198545583' is not a folder. Expected the folder of a ...
    """
    check_options(tcia_manifest, margin_mm, on_error)
    require_option(regions, (None, *OUTLINE_READERS), tcia_manifest, "regions")
    is_roi = roi is None or isinstance(roi, str) or (isinstance(roi, list | tuple) and roi and all(map(_is_text, roi)))
    require(is_roi, tcia_manifest, "roi", "None, a name or a list of names", roi)
    names = series or {}
    is_series = isinstance(names, dict) and all(map(_is_text, names.values()))
    allowed = "a dict from names of letters and digits to parts of descriptions"
    require(is_series and all(is_image_name(name) for name in names), tcia_manifest, "series", allowed, series)
    found = find_series(folder)
    counts = _announced_counts(Path(folder))
    patients = {
        name: (parts, [path for part in parts for path in part.paths])
        for name, parts in by_patient(found.values(), lambda part: part.patient).items()
    }

    def convert(patient, parts):
        _check_counts(parts, counts)
        return _convert(patient, parts, output, roi, names, regions, margin_mm)

    settings = ["tcia", 1, roi, series, regions, margin_mm, counts]
    rows, left_out = convert_patients(patients, convert, output, settings, on_error)
    rows = with_clinical(with_image_columns(rows), clinical, clinical_patient)
    return write_collection(rows, left_out, output)


def _is_text(value):
    return isinstance(value, str) and bool(value)


def _announced_counts(folder):
    """Return the number of files of each series by its UID, as metadata.csv says; {} without one."""
    path = folder / "metadata.csv"
    if not path.is_file():
        return {}
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return dict(zip(table["Series UID"], table["Number of Images"].astype(int), strict=True))
    except (KeyError, ValueError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"'{path}' is not the table that the NBIA Data Retriever writes: {error}. Expected the columns "
            "'Series UID' and 'Number of Images'; correct or remove it."
        ) from error


def _check_counts(parts, counts):
    for part in parts:
        if len(part.paths) != counts.get(part.uid, len(part.paths)):
            raise DicomSeriesError(
                f"{part.name}: metadata.csv announces {counts[part.uid]} files, the folder holds {len(part.paths)}. "
                "Download the series again."
            )


def _convert(patient, parts, output, roi, names, regions, margin_mm):
    """Write images and masks of a patient; return the row and what was left out, see `convert_patients`."""
    if not patient:
        raise InputError("files without a PatientID. Expected the name of the patient in the collection.")
    images = {part.uid: part for part in parts if part.modality not in OUTLINE_READERS}
    chosen, problems = _outlined(parts, images, roi, regions)
    named = images_by_name([images[uid] for uid in chosen], names)
    if not named:
        raise LabelNotFoundError(" ".join(problems) or f"no outlined series is one of {', '.join(names)}.")
    row = {"id": patient, "patient": patient}
    for name, image in sorted(named.items()):
        source, position = chosen[image.uid]
        grid = grid_of(image)
        mask = source.mask_of(position, grid)
        inside = np.argwhere(mask)
        box = box_around(inside.min(axis=0), inside.max(axis=0), grid, margin_mm)
        region = grid.volume_of(mask[box], [part.start for part in box])
        row[f"image_{name}"] = save_volume(grid.read(box), f"{patient}_image_{name}", output)
        row[f"mask_{name}"] = save_volume(region, f"{patient}_mask_{name}", output)
    return [row], problems


def _outlined(parts, images, roi, regions):
    """Return {UID of an image: (file, position of the region in it)}, and sentences about images without the region."""
    chosen, problems = {}, []
    for kind, read in OUTLINE_READERS.items():
        found = {}
        paths = [path for part in parts if part.modality == kind and regions in (None, kind) for path in part.paths]
        for source in map(read, paths):
            uid = outlined_image(source, images)
            try:
                position = choose_region(source.region_names, roi)
            except LabelNotFoundError as error:
                problems.append((uid, f"'{source.name}': {error}"))
            else:
                found.setdefault(uid, []).append((source, position))
        for source, _ in found.pop(None, ()):
            problems.append((None, f"'{source.name}' outlines no series of the download."))
        for uid, sources in found.items():
            if uid not in chosen and len(sources) > 1:
                raise InputError(
                    f"{len(sources)} files outline the region on the {images[uid].name}: "
                    f"{', '.join(repr(source.name) for source, _ in sources)}. Remove those that should not count."
                )
            chosen.setdefault(uid, sources[0])
    if not chosen and not problems:
        problems.append((None, f"no {regions or 'RTSTRUCT or SEG'} file was downloaded."))
    return chosen, [sentence for uid, sentence in problems if uid not in chosen]
