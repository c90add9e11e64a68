"""Segmenter and cohort -> a file with the mask of each case, and a manifest with these masks."""

from functools import partial
from pathlib import Path

from radiodeep.cases.writing import safe_name, write_map
from radiodeep.exceptions import EmptyMaskError
from radiodeep.files import replacing
from radiodeep.rows import rows_by_case

_OF_OLD_MASKS = ("mask", "mask_label", "roi_name")


def write_masks(segmenter, cohort, folder, n_jobs=None):
    """Write the mask of each case as ``<id>.nii.gz``, and `manifest.csv` with the cases that have one.

    Parameters
    ----------
    segmenter : Segmenter
        Fitted, or one that learns nothing.
    cohort : Cohort
        Of cases of one image, from files.
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
    written = partial(_written, segmenter=segmenter, folder=folder)
    rows, errors = rows_by_case(written, cohort, n_jobs=n_jobs, on_error="record", description="Segmenting")
    done = sorted(rows)
    frame = cohort.frame.iloc[done]
    frame = frame[[name for name in frame if name not in _OF_OLD_MASKS and not name.startswith("mask_")]]
    images = [str(Path(cohort[place].image).resolve()) for place in done]
    frame = frame.assign(image=images, mask=[rows[place] for place in done])
    manifest = folder / "manifest.csv"
    with replacing(manifest) as part:  # without the guard against formulas: ids must come back as they are
        frame.to_csv(part, index=False)
    return manifest, {cohort[place].id: text for place, text in errors.items()}


def _written(cases, segmenter, folder):
    """Write the masks of cases and return the names of their files."""
    names = []
    for case in cases:
        (mask,) = segmenter.predict([case])
        if not mask.any():
            raise EmptyMaskError(f"{case.id}: {type(segmenter).__name__} found no region in the image.")
        names.append(write_map(case, mask, folder / f"{safe_name(case.id)}.nii.gz").name)
    return names
