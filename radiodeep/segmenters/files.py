"""Segmenter and cohort -> a file with the mask of each case, and a manifest with these masks."""

from functools import partial
from pathlib import Path

from radiodeep.cases.writing import file_names, safe_name, write_map
from radiodeep.exceptions import EmptyMaskError, InputError
from radiodeep.files import replacing
from radiodeep.rows import rows_by_case

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
        Files of the same names are replaced.
    n_jobs : int, optional

    Returns
    -------
    path, errors : pathlib.Path, dict
        The manifest, with the columns of the cohort's and absolute paths of images; and "ErrorName: message" by id of
        the cases that failed or in which no region was found.
    """
    folder = Path(folder)
    file_names(cohort)  # which must differ
    names = getattr(segmenter, "image", None)
    name = names if names is None or isinstance(names, str) else names[0]
    written = partial(_written, segmenter=segmenter, image=name, folder=folder)
    written.at_once = 1  # so that a case that fails has no others of its chunk segmented again
    rows, errors = rows_by_case(written, cohort, n_jobs=n_jobs, on_error="record", description="Segmenting")
    done = sorted(rows)
    frame = cohort.frame.iloc[done]
    frame = frame[[name for name in frame if not name.startswith(_OLD)]]
    images = [_on_voxels_of(cohort[place], name).image.resolve() for place in done]
    frame = frame.assign(image=images, mask=[rows[place] for place in done])
    manifest = folder / "manifest.csv"
    with replacing(manifest) as part:  # without the guard against formulas: ids must come back as they are
        frame.to_csv(part, index=False)
    return manifest, {cohort[place].id: text for place, text in errors.items()}


def _written(cases, segmenter, image, folder):
    """Write the masks of cases and return the names of their files."""
    names = []
    for case in cases:
        case = case.replace(mask="whole", mask_label=None, roi_name=None)
        (mask,) = segmenter.predict([case])
        if not mask.any():
            raise EmptyMaskError(f"{case.id}: {type(segmenter).__name__} found no region in the image.")
        names.append(write_map(_on_voxels_of(case, image), mask, folder / f"{safe_name(case.id)}.nii.gz").name)
    return names


def _on_voxels_of(case, image):
    return case if image is None else case.of_image(image)


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
    return [_on_voxels_of(case, image).lesion().roi.shape for case in cases]
