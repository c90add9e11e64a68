"""In: a cohort, or what was computed of a case. Out: images and masks as files, where they lie in space."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from radiodeep.cases.case import Case
from radiodeep.cases.dicom.writing import LESION, PATIENTS, image_files, is_code, write_segmentation
from radiodeep.cases.manifests.images import ImageColumns
from radiodeep.cases.masks import drawn_regions, outlined_series
from radiodeep.cases.naming import naming
from radiodeep.cases.readers import read_volume
from radiodeep.checks import require, require_option
from radiodeep.exceptions import InputError, ManifestError, OutputError, UnsupportedImageError
from radiodeep.files import replacing

_LONGEST_NAME = 255  # bytes, of a file
_FORMATS = (".nii.gz", ".nii", ".nrrd", ".mha")
_WIDEST = 8  # bytes, of a number in these formats


def write_cohort(cohort, folder):
    """Write a cohort's images and masks as .nii.gz with a `manifest.csv` beside them.

    Parameters
    ----------
    cohort : Cohort
        Of cases of one image or of several; the other columns of their manifest are kept. Repeated measurements are
        written for cases of one image.
    folder : path-like
        Created if it does not exist; files of the same names are replaced.

    Returns
    -------
    pathlib.Path
        The manifest, ready for `read_cohort`.

    Examples
    --------
    >>> import tempfile
    >>> from radiodeep import make_phantom_cohort, read_cohort, write_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_cohort(write_cohort(make_phantom_cohort(3, random_state=0), folder))
    Cohort of 3 cases, 3 patients
    """
    folder = Path(folder)
    sources = [_sources(case) for case in cohort]
    frame = _with_files(cohort, sources)
    for row, of_case in enumerate(sources):
        held = {source: source.in_memory() for source in of_case.values()}
        for column, source in of_case.items():
            array = held[source].roi.astype(np.uint8) if column.startswith("mask") else held[source].voxels
            write_image(array, folder / frame[column].iloc[row], held[source].spacing_mm)
    manifest = folder / "manifest.csv"
    with replacing(manifest) as part:  # without the guard against formulas: ids must come back as they are
        frame.to_csv(part, index=False)
    return manifest


def _with_files(cohort, sources):
    """Return the manifest of a cohort with the names of the files that are written, "" where there is no image."""
    frame = cohort.frame.drop(columns=["mask_label", "roi_name"], errors="ignore")  # one region is written
    if len({bool(case.image_names) for case in cohort}) > 1:
        raise ManifestError("A manifest has cases of one image, or of several by name. Write two cohorts.")
    safe = file_names(cohort)
    columns = list(dict.fromkeys(column for of_case in sources for column in of_case))
    files = {column: safe_name(column) for column in columns}
    if len(set(files.values())) < len(files):
        raise ManifestError(f"The names of the images give the same file name: {', '.join(columns)}. Rename them.")
    frame = frame.drop(columns=set(ImageColumns.of(frame.columns).known) - set(columns), errors="ignore")
    for column in columns:
        frame[column] = [
            f"{name}_{files[column]}.nii.gz" if column in of_case else ""
            for name, of_case in zip(safe.values(), sources, strict=True)
        ]
        for case_id, name in zip(cohort.ids, frame[column], strict=True):
            if len(name) > _LONGEST_NAME:
                raise ManifestError(
                    f"The id '{case_id[:40]}...' has {len(case_id)} characters, too many for the name of a file. "
                    f"Shorten it to {_LONGEST_NAME - len(f'_{files[column]}.nii.gz')}."
                )
    return frame


def _sources(case):
    """Return the plain cases that hold the images and masks of a case, by the columns of its manifest."""
    parts = case.single_images()
    images = {f"image_{name}" if name else "image": part for name, part in parts.items()}
    masks = {"mask": next(iter(parts.values()))}
    is_drawn = isinstance(case.mask, Path) and drawn_regions(case.mask) is not None  # on each of several grids
    if not case.shares_mask or (case.image_names and is_drawn):
        masks = {f"mask_{name}": part for name, part in parts.items()}
    repeats = {} if case.image_names else {f"mask_{name}": repeat for name, repeat in case.repeats.items()}
    retest = {"image_retest": case.repeats["retest"]} if "mask_retest" in repeats else {}
    return images | masks | retest | repeats


def file_names(cohort):
    """Return a name for a file by case id, or raise ManifestError if two are the same."""
    safe = {case_id: safe_name(case_id) for case_id in cohort.ids}
    repeated = [name for name, count in Counter(safe.values()).items() if count > 1]
    if repeated:
        raise ManifestError(f"These ids give the same file name: {', '.join(sorted(repeated))}. Rename them.")
    return safe


def safe_name(name):
    """Return a name with only letters, digits, '.', '_' and '-', for a file."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def write_map(case, array, path):
    """Write an array of a case, e.g. a map of a feature, as an image that viewers lay over that of the case.

    The file has the order of axes, the origin and the directions of the image's file. It holds no other fact of it.

    Parameters
    ----------
    case : Case
        Of one image, from a file or a DICOM folder, which is read again.
    array : ndarray of shape (z, y, x)
        Numbers on the voxels of the case, in its order. Booleans become uint8, half precision float32.
    path : path-like
        A .nii.gz, .nii, .nrrd or .mha file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        For an array of another shape or a file of another format, and for a case of arrays, whose place is unknown.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import radiodeep as rd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     case = rd.read_cohort(rd.write_cohort(rd.make_phantom_cohort(1, random_state=0), folder))[0]
    ...     rd.write_map(case, case.voxels > 50, f"{folder}/bright.nii.gz").name
    'bright.nii.gz'
    """
    _check_case(case)
    path, array = Path(path), np.asarray(array)
    require(path.name.endswith(_FORMATS), write_map, "path", f"a file that ends in {', '.join(_FORMATS)}", str(path))
    image = _image_path(case)
    lesion = case.lesion()
    is_allowed = array.shape == lesion.roi.shape and array.dtype.kind in "biuf" and array.dtype.itemsize <= _WIDEST
    given = f"{array.dtype} of shape {array.shape}"
    require(is_allowed, write_map, "array", f"numbers of shape {lesion.roi.shape}, that of the case", given)
    if array.dtype.kind == "b" or array.dtype == np.float16:
        array = array.astype(np.uint8 if array.dtype.kind == "b" else np.float32)
    with naming(case):
        volume = read_volume(image, case.reading)
    spacing = volume.spacing_mm if volume.has_spacing else lesion.in_stored_order().spacing_mm
    write_image(lesion.axes.to_stored(array), path, spacing, volume.origin_mm, volume.direction)
    return path


def write_region(case, path, *, patient="manifest", finding=LESION, site=None):
    """Write the region of a case as a mask, or as a DICOM segmentation (SEG), on the voxels of its image.

    Parameters
    ----------
    case : Case
        As in `write_map`; for a SEG, from a DICOM series.
    path : path-like
        A .nii.gz, .nii, .nrrd or .mha file, in which voxels of the region are 1; or a .dcm file for a SEG, which
        refers to the images of the series by their UIDs.
    patient : {"manifest", "image"}, default="manifest"
        Whose identity a SEG carries. "manifest" writes the `patient` of the case as PatientID, a study of its own, and
        no other fact about the patient, people, place or date. "image" copies patient and study of the image, so that
        a PACS can file the SEG with it.
    finding, site : tuple of three str, optional
        Code value, scheme (16 letters) and meaning (64) of what a SEG outlines, and of where, e.g. ("39607008", "SCT",
        "Lung").

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        As `write_map`; for a patient that DICOM cannot hold, and an image that is not in DICOM.
    OutputError
        The file cannot be written.

    References
    ----------
    DICOM PS3.3 A.51 (Segmentation IOD).

    Examples
    --------
    >>> import tempfile
    >>> import radiodeep as rd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     case = rd.read_cohort(rd.write_cohort(rd.make_phantom_cohort(1, random_state=0), folder))[0]
    ...     written = rd.write_region(case, f"{folder}/region.nrrd")
    ...     bool((case.replace(mask=written).roi == case.roi).all())
    True
    """
    _check_case(case)
    path = Path(path)
    formats = f"a file that ends in {', '.join(_FORMATS)} or .dcm"
    require(path.name.endswith((*_FORMATS, ".dcm")), write_region, "path", formats, str(path))
    require_option(patient, PATIENTS, write_region, "patient")
    for name, code in (("finding", finding), ("site", LESION if site is None else site)):
        require(is_code(code), write_region, name, f"code value, scheme and meaning, such as {LESION}", code)
    if path.suffix != ".dcm":
        return write_map(case, case.lesion().roi, path)
    image = _image_path(case)
    lesion = case.lesion()
    with naming(case):
        files = image_files(image, case.reading)
        if not files:
            raise UnsupportedImageError("the image is not in DICOM. Write the region as .nii.gz, .nrrd or .mha.")
        volume = replace(read_volume(image, case.reading), voxels=lesion.axes.to_stored(lesion.roi))
        names = [case.roi_name] if isinstance(case.roi_name, str) else case.roi_name or [finding[2]]
        patient_id = str(case.patient) if patient == "manifest" else None
        write_segmentation(volume, files, path, patient_id, case.id, " + ".join(names), finding, site)
    return path


def _check_case(case):
    if not isinstance(case, Case):
        raise InputError(f"Maps and regions are those of a Case. Got {type(case).__name__} instead.")


def _image_path(case):
    """Return the path of the image of a case; of a DICOM folder that of the series."""
    case.lesion()  # checks the files, and that there is one image
    with naming(case):
        if not isinstance(case.image, Path):
            raise InputError(
                "the image is an array, whose place in space is unknown. Give the case its image as a file, as "
                "read_cohort does, and not its copy in memory."
            )
        chosen = (case.mask, case.roi_name, case.reading)
        return outlined_series(case.image, *chosen) if isinstance(case.mask, Path) else case.image


def write_image(array, path, spacing_mm, origin_mm=(0.0, 0.0, 0.0), direction=None):
    """Write an array (z, y, x) as an image, compressed; origin (x, y, z) and direction as in `Volume`."""
    import SimpleITK as sitk  # late: reading a cohort needs none of its 100 MB

    volume = sitk.GetImageFromArray(array)
    volume.SetSpacing(spacing_mm[::-1])
    volume.SetOrigin([float(step) for step in origin_mm])
    if direction is not None:
        volume.SetDirection(np.asarray(direction, float).ravel())
    with replacing(path) as part:
        try:
            sitk.WriteImage(volume, str(part), useCompression=True, compressionLevel=9)
        except RuntimeError as error:
            raise OutputError(f"'{path}' cannot be written. Free space on the disk, or take another folder.") from error
