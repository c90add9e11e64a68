"""In: a folder with a subfolder of pictures for each class. Out: a `Cohort` whose regions are the whole pictures."""

import hashlib
from pathlib import Path

from radiodeep.cases.case import Case
from radiodeep.cases.cohort import Cohort
from radiodeep.cases.formats.pictures import SUFFIXES
from radiodeep.cases.reading import Reading
from radiodeep.cases.sources import WHOLE
from radiodeep.exceptions import ManifestError


def read_image_folder(folder, *, rgb="channels"):
    """Read pictures that are sorted into a folder for each class.

    Parameters
    ----------
    folder : path-like
        Its subfolders are the classes; they hold PNG, JPEG, TIFF or BMP files, at any depth. Hidden ones, whose names
        begin with a dot, are left out.
    rgb : {"channels", "luminance", "red", "green", "blue"}, default="channels"
        "channels" makes the images "red", "green" and "blue" of each case, which `CNNClassifier`, and
        `DeepFeatureExtractor` with ``channel="images"``, show to a network as its three channels. The others make one
        grey image, as in `Reading`.

    Returns
    -------
    Cohort
        The id of a case is the path of its picture within the folder, with "-" between the parts. Its label is the
        class, its region the whole picture. Copies of the same file count as one patient, so that no fold trains on a
        picture that it tests. Pictures are decoded when they are used.

    Raises
    ------
    ManifestError
        If the folder does not have at least two subfolders with pictures, two ids are the same, or copies of a picture
        belong to different classes.

    Examples
    --------
    >>> import radiodeep as rd
    >>> rd.read_image_folder("pictures")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.ManifestError: 'pictures' is not a folder. ...

    Intensities of pictures are 0 to 255; given as `intensity_range`, all pictures are scaled alike::

        cohort = rd.read_image_folder("pictures")
        model = rd.CNNClassifier("arch3", intensity_range=(0, 255)).fit(cohort, cohort.labels)
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ManifestError(f"'{folder}' is not a folder. Expected one with a subfolder of pictures for each class.")
    by_class = {
        child.name: [path for path in sorted(child.rglob("*")) if _is_picture(path, folder)]
        for child in sorted(folder.iterdir())
        if child.is_dir()
    }
    by_class = {name: paths for name, paths in by_class.items() if paths}
    if len(by_class) < 2:
        found = f"pictures only in '{next(iter(by_class))}'" if by_class else "no subfolder with pictures"
        raise ManifestError(
            f"'{folder}' has {found}. Expected two classes at least, each a subfolder with {', '.join(SUFFIXES)} files."
        )
    reading = Reading(rgb=rgb)
    cases = []
    class_of = {}
    path_of = {}
    for label, paths in by_class.items():
        for path in paths:
            case_id = "-".join(path.relative_to(folder).with_suffix("").parts)
            if path_of.setdefault(case_id, path) != path:
                raise ManifestError(f"'{path_of[case_id]}' and '{path}' have the id '{case_id}'. Rename one of them.")
            patient = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            other, _ = class_of.setdefault(patient, (label, path))
            if other != label:
                raise ManifestError(
                    f"'{path}' and '{class_of[patient][1]}' are the same file in two classes. Keep one of them."
                )
            cases.append(Case(path, WHOLE, case_id, patient=patient, label=label, reading=reading))
    return Cohort(cases)


def _is_picture(path, folder):
    """Return whether a path within the folder is a picture; systems keep hidden ones, such as "._1.jpg" of macOS."""
    is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not is_hidden and path.suffix.lower() in SUFFIXES and path.is_file()
