"""In: a folder of images as a PACS, an annotation tool or a data set writes them. Out: the manifest of its cases."""

import os
import re
from collections import defaultdict
from pathlib import Path

import pandas as pd

from radiodeep.cases.collections.tcia_clinical import read_clinical, with_clinical
from radiodeep.cases.dicom.export import table_of_export
from radiodeep.cases.dicom.outlines import is_image_name, with_image_columns
from radiodeep.cases.dicom.series import is_dicom
from radiodeep.cases.manifests.file_names import is_image_file
from radiodeep.cases.manifests.image_tree import table_of_tree
from radiodeep.checks import require
from radiodeep.exceptions import FileUnreadableError, InputError, OutputError
from radiodeep.files import write_table

LEFT_OUT = "left_out.csv"
_FIRST_COLUMNS = ("id", "patient")
_OWN_COLUMN = re.compile("id|patient|roi_name|(image|mask)(_.*)?")


def folder_manifest(
    folder,
    output,
    roi=None,
    series=None,
    keep_patient_ids=False,
    key=None,
    clinical=None,
    clinical_patient=None,
    resample_mask=False,
):
    """Write the manifest of a folder with DICOM series and their outlines, or with images and masks in files.

    Images are not copied or converted: the manifest refers to them. DICOM series are found by their headers, in one
    folder or many, and an RTSTRUCT or SEG file goes with the series that it refers to; needs the extra
    ``radiodeep[dicom]``. A mask in another format beside them, as 3D Slicer saves it, goes with the series that has its
    voxels. Other images (NIfTI, NRRD, MetaImage, pictures) go with a mask by their names and folders:
    ``case_image`` and ``case_mask``, a folder for each case, ``imagesTr`` and ``labelsTr`` of nnU-Net, BIDS, BraTS, a
    folder of organs of TotalSegmentator. Of DICOM files and others in one folder, those that are more count.

    Parameters
    ----------
    folder : path-like
    output : path-like
        The manifest, a .csv file. What was left out, and why, is written beside it in ``left_out.csv``.
    roi : str or list of str, optional
        The name of the region, e.g. "GTV-1": exactly, else whatever its capital letters, else with ``*`` and ``?`` for
        any letters. Of a list the first counts that a mask has. If it matches several regions of a mask, each is a
        case. May be left out if all regions have one name.
    series : dict from str to str, optional
        Several images of a case: their names, and the series description (of files: the file name) or a part of it,
        e.g. {"T1": "t1 axial", "T2": "t2 fs"}; other images are left out. A series without an outline of its own takes
        that of a series with the same voxels in the same place. By default the name of an image is its modality.
        Cases that one patient has of several studies are numbered in the order of their dates.
    keep_patient_ids : bool, default=False
        Name the patients of DICOM files by their PatientID, not patient-001, patient-002, ... in the order of the
        PatientIDs.
    key : path-like, optional
        Also write a .csv file with the PatientID of each patient. Keep it where PatientIDs belong.
    clinical : path-like or DataFrame, optional
        Table (.csv) with a row for each patient, found by the PatientID (of images in files: by the patient). Its other
        columns are added; those named label, or time and event, are outcomes.
    clinical_patient : str, optional
        Its column with the PatientIDs; by default the only one that holds some.
    resample_mask : bool, default=False
        Let a chosen series, e.g. a PET, take the outline of a series with other voxels, the CT, in the same frame of
        reference. Read the manifest with ``resample_mask=True`` as well.

    Returns
    -------
    pathlib.Path
        The manifest, for `read_cohort`: id, patient, image and mask (of several images image_CT, mask_CT, ...),
        roi_name, and a blank label to be filled in. Paths begin at the folder of the manifest and hold the names of
        your folders and files. Patients of images in files are named after these.

    Raises
    ------
    AmbiguousMaskError, LabelNotFoundError
        The regions have several names and `roi` is None, or none is called so. Their names are listed.
    InputError
        The folder gives no case.
    OutputError
        The manifest exists and has labels or columns that would be lost.
    ManifestError
        The clinical table does not fit.
    MissingExtraError
        There are DICOM files and pydicom is not installed.

    References
    ----------
    References between series: DICOM PS3.3, C.8.8.5 (RTSTRUCT) and C.8.20.2 (SEG). Names of files: K. J. Gorgolewski et
    al., The brain imaging data structure, Scientific Data 3 (2016) 160044; F. Isensee et al., nnU-Net, Nature Methods
    18 (2021) 203.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import radiodeep as rd
    >>> with TemporaryDirectory() as folder:
    ...     manifest = rd.write_cohort(rd.make_phantom_cohort(2, random_state=0), f"{folder}/scans")
    ...     manifest.unlink()
    ...     cohort = rd.read_cohort(rd.folder_manifest(f"{folder}/scans", f"{folder}/manifest.csv"))
    >>> cohort.ids
    ['phantom-000', 'phantom-001']
    """
    folder, output = Path(folder), Path(output)
    _check_options(roi, series, output)
    if not folder.is_dir():
        raise FileUnreadableError(
            f"'{folder}' is not a folder. Expected a folder of DICOM files, or of images and masks."
        )
    is_file = clinical is not None and not isinstance(clinical, pd.DataFrame)
    own = {*(Path(path).absolute() for path in (key, clinical if is_file else None) if path is not None)}
    own |= {path.absolute() for path in (output, output.with_name(LEFT_OUT))}
    if clinical is None:
        _check_kept(output)
    else:
        clinical = read_clinical(clinical)
    paths, unopened = _files_in(folder)
    paths = [path for path in paths if path.absolute() not in own]
    roi = [roi] if isinstance(roi, str) else roi
    images = [path for path in paths if is_image_file(path)]
    n_dicom = sum(map(_is_dicom_file, paths))
    if n_dicom > len(images):
        table = table_of_export(folder, roi, series, keep_patient_ids, images, resample_mask)
        _leave_out_others(table, sorted(set(paths) - table.dicom_files), "not a DICOM image or outline")
    else:
        table = table_of_tree(folder, images, roi, series)
        reason = "not an image, or DICOM beside more images in other formats" if n_dicom else "not an image"
        _leave_out_others(table, sorted(set(paths) - set(images)), reason)
    for path, reason in unopened:
        table.leave_out([path], reason)
    return _write(table, folder, output, key, clinical, clinical_patient)


def _check_options(roi, series, output):
    names = [roi] if isinstance(roi, str) else roi
    is_roi = names is None or (isinstance(names, list | tuple) and bool(names) and all(map(_is_text, names)))
    require(is_roi, folder_manifest, "roi", "None, a name or a list of names", roi)
    is_series = series is None or (
        isinstance(series, dict) and all(map(is_image_name, series)) and all(map(_is_text, series.values()))
    )
    allowed = "a dict from names of letters and digits to parts of descriptions"
    require(is_series, folder_manifest, "series", allowed, series)
    require(output.suffix == ".csv", folder_manifest, "output", "the path of a .csv file", str(output))


def _check_kept(output, new=None):
    """Raise OutputError if the manifest exists and has labels, or columns that were added, which the new one lacks."""
    if not output.is_file():
        return
    try:
        old = pd.read_csv(output, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise OutputError(f"'{output}' exists and is not a manifest. Give another name, or remove it.") from error
    old.columns = old.columns.astype(str)
    lost = [
        name
        for name in old
        if not _OWN_COLUMN.fullmatch(name) and old[name].str.strip().any() and not _holds(new, old, name)
    ]
    if lost:
        what = "labels" if lost == ["label"] else f"the columns {', '.join(map(repr, lost))}"
        raise OutputError(f"'{output}' exists and has {what}, which would be lost. Give another name, or remove it.")


def _holds(new, old, name):
    """Return whether a manifest has the values of a column of an older one for all its cases."""
    if new is None or name not in new or "id" not in old or old["id"].duplicated().any():
        return False
    values = old.set_index("id")[name]
    return values.equals(new.set_index("id")[name].reindex(values.index))


def _is_text(value):
    return isinstance(value, str) and bool(value.strip())


def _files_in(folder):
    """Return the files in a folder and below, in the order of their names, and (path, why it was passed over).

    Hidden ones do not count.
    """
    paths, passed = [], []

    def pass_over(error):
        passed.append((Path(error.filename), f"a folder that cannot be opened: {error.strerror}"))

    for place, folders, names in os.walk(folder, onerror=pass_over):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [Path(place, name) for name in folders if os.path.islink(os.path.join(place, name))]
        passed += [(path, "a link to a folder, which is not followed. Give that folder") for path in links]
        files = [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        paths += [path for path in files if os.path.isfile(path)]
        passed += [(path, "a link to a file that is not there, or no file") for path in sorted({*files} - {*paths})]
    return paths, passed


def _is_dicom_file(path):
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(132))
    except OSError:  # which is told of each file that is used
        return False


def _leave_out_others(table, paths, reason):
    """Leave out other files, by folder."""
    folders = defaultdict(list)
    for path in paths:
        folders[path.parent].append(path)
    for files in folders.values():
        table.leave_out(files, reason)


def _write(table, folder, output, key, clinical, clinical_patient):
    """Write the tables; return the path of the manifest."""
    left_out = pd.DataFrame(table.left_out, columns=["patient", "series", "files", "path", "reason"])
    left_out["path"] = [_relative(path, output) for path in left_out["path"]]
    write_table(left_out, output.with_name(LEFT_OUT), index=False)
    if not table.rows:
        reasons = left_out["reason"].value_counts()
        if not len(reasons):
            raise InputError(f"'{folder}' gives no case: it holds no file. Check the folder.")
        why = f"{reasons.iloc[0]} times: {reasons.index[0].rstrip('.')}."
        raise InputError(f"'{folder}' gives no case. {why} All reasons are in '{output.with_name(LEFT_OUT)}'.")
    frame = with_image_columns(table.rows)
    for column in frame:
        if re.match("image|mask", column):
            frame[column] = [_relative(path, output) if isinstance(path, Path) else "" for path in frame[column]]
    paths = sorted(set(frame) - {*_FIRST_COLUMNS, "roi_name"})
    frame = frame[[*_FIRST_COLUMNS, *paths, *(["roi_name"] if "roi_name" in frame else [])]].fillna("")
    known_as = {patient_id: name for name, patient_id in table.patient_ids.items() if patient_id}
    frame = with_clinical(frame, clinical, clinical_patient, known_as or None)
    if not {"time", "event"} <= set(frame):
        frame["label"] = frame.pop("label") if "label" in frame else ""
    if clinical is not None:
        _check_kept(output, frame)
    write_table(frame, output, index=False)
    if key is not None:
        pairs = [(name, patient_id) for name, patient_id in table.patient_ids.items()]
        write_table(pd.DataFrame(pairs, columns=["patient", "PatientID"]), key, index=False)
    return output


def _relative(path, output):
    """Return the path from the folder of the manifest; one that begins like a formula from the folder itself."""
    try:
        text = os.path.relpath(path, output.absolute().parent)
    except ValueError:  # another drive of Windows
        return str(path.absolute())
    return f"./{text}" if text[0] in "=+-@" else text
