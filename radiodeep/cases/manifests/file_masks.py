"""In: masks in files beside DICOM series, as 3D Slicer saves them. Out: the series whose voxels each mask has.

Headers are read, no voxels.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.series import grid_of
from radiodeep.cases.label_names import label_names
from radiodeep.cases.manifests.file_names import is_part, named_file
from radiodeep.exceptions import FileUnreadableError, InputError

_SAME_PLACE = 0.05  # of a voxel
_PLAIN = "mask"


@dataclass(frozen=True, eq=False)
class FileMask:
    """A mask in a file, and the DICOM series whose voxels it has.

    Attributes
    ----------
    path : Path
    uid : str
        Of the series.
    region_names : tuple of str
        Those of its labels, else what its name says.
    is_named : bool
        Whether its labels have names.
    """

    path: Path
    uid: str
    region_names: tuple[str, ...]
    is_named: bool


def file_masks(paths, root, images):
    """Return the `FileMask` of files that are named like masks, and {path: why another mask goes with no series}.

    `images` is a list of `DicomSeries`. A mask goes with the only series that has its voxels, of those in its folder,
    or else the next one above; if they are of several patients, of those whose folder or PatientID is called like it.
    """
    found, reasons = [], {}
    places = {image.uid: {above for path in image.paths for above in path.parents} for image in images}
    names_of = {image.uid: _names_of(image, root) for image in images}
    for path in paths:
        named = named_file(path, root)
        if not named.is_mask:
            continue
        home = next((above for above in path.parents if any(above in each for each in places.values())), None)
        near = [image for image in images if home in places[image.uid]]
        if len({image.patient for image in near}) > 1:
            own = {name.casefold() for name in (named.text, *named.folder[-1:]) if name and not is_part(name)}
            near = [image for image in near if own & names_of[image.uid]]
        try:
            (image,) = _of_same_voxels(path, near)
            names = tuple(label_names(path))
        except InputError as error:
            reasons[path] = str(error)
        else:
            is_its_patient = named.text.casefold() in names_of[image.uid]
            plain = named.name or (_PLAIN if is_its_patient else named.text) or _PLAIN
            found.append(FileMask(path, image.uid, names or (plain,), bool(names)))
    return found, reasons


def _names_of(image, root):
    """Return what a patient is called: the folders of an image, and the PatientID."""
    folders = {part for path in image.paths for part in path.relative_to(root).parent.parts}
    return {name.casefold() for name in (*folders, image.patient) if name}


def _of_same_voxels(path, images):
    """Return the only image with the voxels of a mask, as a list; raise InputError if there is none, or several."""
    if len({image.patient for image in images}) != 1:
        raise InputError(
            "a mask beside DICOM series of several patients. Put it into the folder of its patient, or name it like it"
        )
    shape, corners = _corners(path)
    same = [image for image in images if _has_corners(image, shape, corners)]
    if len(same) == 1:
        return same
    if same:
        listed = " and ".join(image.name for image in same)
        raise InputError(
            f"a mask with the voxels of several DICOM series: {listed}. Move away what it does not outline"
        )
    raise InputError(
        "a mask with the voxels of no DICOM series beside it. Save it with the geometry of the image (in 3D Slicer: as "
        "labelmap, with a reference volume)"
    )


def _corners(path):
    """Return the sorted shape of an image in a file, and the positions of its corners in mm, shape (8, 3)."""
    import SimpleITK as sitk  # late: takes 100 MB

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise FileUnreadableError(f"'{path.name}' has a header that cannot be read. Export it again.") from error
    size = reader.GetSize()
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        raise InputError(f"'{path.name}' is not a mask of three dimensions with one label at each voxel")
    steps = np.array(list(product(*((0, length - 1) for length in size)))) * reader.GetSpacing()
    return sorted(size), steps @ np.reshape(reader.GetDirection(), (3, 3)).T + reader.GetOrigin()


def _has_corners(image, shape, corners):
    """Return whether a DICOM series has these corners, in any order of its axes."""
    try:
        grid = grid_of(image)
    except InputError:
        return False
    indices = grid.indices_of(corners)
    expected = set(product(*((0, length - 1) for length in grid.shape[::-1])))
    is_near = np.abs(indices - indices.round()).max() < _SAME_PLACE
    return sorted(grid.shape) == shape and is_near and set(map(tuple, indices.round().astype(int))) == expected
