"""Segmenter and cohort -> a file with the mask of each case, and a manifest with these masks."""

from functools import partial
from pathlib import Path

import numpy as np

from radiodeep.cases.readers import read_volume
from radiodeep.cases.writing import file_names, safe_name, write_map
from radiodeep.exceptions import EmptyMaskError, InputError, NonFiniteIntensityError
from radiodeep.files import replacing
from radiodeep.rows import rows_by_case
from radiodeep.segmenters.segmenter import image_of_masks, on_voxels_of

_OLD = ("mask", "roi_name", "image")  # columns


def write_masks(segmenter, cohort, folder, n_jobs=None):
    """Write the mask of each case as ``<id>.nii.gz``, and `manifest.csv` with the cases that have one.

    Parameters
    ----------
    segmenter : Segmenter
        Fitted, or one that learns nothing.
    cohort : Cohort
        Of cases from files. Of several images the segmenter's `image`, or the first of them, is that of the masks.
    folder : path-like
        Files of the same names are replaced, except images and masks of the cohort.
    n_jobs : int, optional

    Returns
    -------
    path, errors : pathlib.Path, dict
        The manifest, with the columns of the cohort's and absolute paths of images; and "ErrorName: message" by id of
        the cases that failed or in which no region was found.

    Raises
    ------
    InputError
        A mask would replace an image or a mask of the cohort.
    """
    folder = Path(folder)
    _check_files(folder, cohort)
    name = image_of_masks(segmenter)
    written = partial(_written, segmenter=segmenter, image=name, folder=folder)
    written.at_once = 1  # so that a case that fails has no others of its chunk segmented again
    rows, errors = rows_by_case(written, cohort, n_jobs=n_jobs, on_error="record", description="Segmenting")
    done = sorted(rows)
    frame = cohort.frame.iloc[done]
    frame = frame[[name for name in frame if not name.startswith(_OLD)]]
    images = [on_voxels_of(cohort[place], name).image.resolve() for place in done]
    frame = frame.assign(image=images, mask=[rows[place] for place in done])
    manifest = folder / "manifest.csv"
    with replacing(manifest) as part:  # without the guard against formulas: ids must come back as they are
        frame.to_csv(part, index=False)
    return manifest, {cohort[place].id: text for place, text in errors.items()}


def _check_files(folder, cohort):
    """Raise an error if masks would have the same file, or that of an image or mask of the cohort."""
    read = set()
    for source in (source for case in cohort for source in (case.image, case.mask)):
        files = source.values() if isinstance(source, dict) else [source]
        read |= {file.resolve() for file in files if isinstance(file, Path)}
    for case_id, name in file_names(cohort).items():
        path = folder / f"{name}.nii.gz"
        if path.resolve() in read:
            raise InputError(
                f"{case_id}: the mask would replace '{path}', an image or mask of the cohort. Give another folder."
            )


def _written(cases, segmenter, image, folder):
    """Write the masks of cases and return the names of their files."""
    names = []
    for case in cases:
        case = case.replace(mask="whole", mask_label=None, roi_name=None)
        try:
            (mask,) = segmenter.predict([case])
        except NonFiniteIntensityError:  # images are often NaN outside the body
            case = _of_finite_voxels(case)
            (mask,) = segmenter.predict([case])
        if not mask.any():
            raise EmptyMaskError(f"{case.id}: {type(segmenter).__name__} found no region in the image.")
        names.append(write_map(on_voxels_of(case, image), mask, folder / f"{safe_name(case.id)}.nii.gz").name)
    return names


def _of_finite_voxels(case):
    """Return a case with the voxels that are neither NaN nor infinite as region, all if there are none."""
    regions = {}
    for name, part in case.single_images().items():
        is_finite = np.isfinite(read_volume(part.image, part.reading).voxels)
        regions[name] = is_finite if is_finite.any() else "whole"
    return case.replace(mask=regions if case.image_names else regions[""])


def readable_cases(cohort, image=None, n_jobs=None):
    """Return the cases that can be read, as a cohort, and "ErrorName: message" by id of the others.

    `image` is the name of the image to read, None for cases of one image.
    """
    _, errors = rows_by_case(
        partial(_read, image=image), cohort, n_jobs=n_jobs, on_error="record", description="Reading"
    )
    if len(errors) == len(cohort):
        raise InputError(f"None of the {len(cohort)} cases can be used. {next(iter(errors.values()))}")
    kept = [place for place in range(len(cohort)) if place not in errors]
    return cohort[kept], {cohort[place].id: text for place, text in errors.items()}


def _read(cases, image):
    return [on_voxels_of(case, image).lesion().roi.shape for case in cases]
