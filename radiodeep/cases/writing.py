"""In: a cohort. Out: its images and masks as files, with a manifest."""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from radiodeep.cases.manifest_images import ImageColumns
from radiodeep.exceptions import ManifestError, OutputError
from radiodeep.files import replacing

_LONGEST_NAME = 255  # bytes, of a file


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
    safe = {case_id: safe_name(case_id) for case_id in cohort.ids}
    repeated = [name for name, count in Counter(safe.values()).items() if count > 1]
    if repeated:
        raise ManifestError(f"These ids give the same file name: {', '.join(sorted(repeated))}. Rename them.")
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
    if not case.shares_mask:
        masks = {f"mask_{name}": part for name, part in parts.items()}
    repeats = {} if case.image_names else {f"mask_{name}": repeat for name, repeat in case.repeats.items()}
    retest = {"image_retest": case.repeats["retest"]} if "mask_retest" in repeats else {}
    return images | masks | retest | repeats


def safe_name(name):
    """Return a name with only letters, digits, '.', '_' and '-', for a file."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def write_image(array, path, spacing_mm, origin_mm=(0.0, 0.0, 0.0), direction=None):
    """Write an array (z, y, x) as .nii.gz; origin (x, y, z) and direction as in `Volume`."""
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
