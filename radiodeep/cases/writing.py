"""In: a cohort. Out: its images and masks as files, with a manifest."""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from radiodeep.exceptions import ManifestError, OutputError
from radiodeep.files import replacing

_LONGEST_NAME = 255  # bytes, of a file


def write_cohort(cohort, folder):
    """Write a cohort's images and masks as .nii.gz with a `manifest.csv` beside them.

    Parameters
    ----------
    cohort : Cohort
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
    frame = cohort.frame.drop(columns="mask_label", errors="ignore")  # the masks that are written have one label
    names = [re.sub(r"[^A-Za-z0-9._-]", "_", case_id) for case_id in cohort.ids]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ManifestError(f"These ids give the same file name: {', '.join(sorted(repeated))}. Rename them.")
    frame["image"] = [f"{name}_image.nii.gz" for name in names]
    frame["mask"] = [f"{name}_mask.nii.gz" for name in names]
    for case_id, name in zip(cohort.ids, frame["image"], strict=True):
        if len(name) > _LONGEST_NAME:
            raise ManifestError(
                f"The id '{case_id[:40]}...' has {len(case_id)} characters, too many for the name of a file. "
                f"Shorten it to {_LONGEST_NAME - len('_image.nii.gz')}."
            )
    for case, image_name, mask_name in zip(cohort, frame["image"], frame["mask"], strict=True):
        loaded = case.in_memory()
        for array, name in ((loaded.voxels, image_name), (loaded.roi.astype(np.uint8), mask_name)):
            _write_image(array, loaded.spacing_mm, folder / name)
    manifest = folder / "manifest.csv"
    with replacing(manifest) as part:  # without the guard against formulas: ids must come back as they are
        frame.to_csv(part, index=False)
    return manifest


def _write_image(array, spacing_mm, path):
    import SimpleITK as sitk  # late: reading a cohort needs none of its 100 MB

    volume = sitk.GetImageFromArray(array)
    volume.SetSpacing(spacing_mm[::-1])
    with replacing(path) as part:
        try:
            sitk.WriteImage(volume, str(part), useCompression=True, compressionLevel=9)
        except RuntimeError as error:
            raise OutputError(f"'{path}' cannot be written. Free space on the disk, or take another folder.") from error
