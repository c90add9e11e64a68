"""In: a path. Out: a `Volume`, voxels in (z, y, x) with their spacing and place in space.

SimpleITK reads grey PNG files and the headers of NRRD and MetaImage; the voxels of these are read here, with checksums.
"""

import os
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.choice import read_dicom, series_in_path
from radiodeep.cases.dicom.headers import is_dicom
from radiodeep.cases.formats.layouts import read_layout, read_voxels
from radiodeep.cases.formats.nifti import is_nifti, read_nifti, require_3d
from radiodeep.cases.formats.pictures import is_grey_png, kind_of_picture, read_mask_picture, read_picture
from radiodeep.cases.formats.streams import GZIP
from radiodeep.cases.label_names import refuse_layers
from radiodeep.cases.memory import check_image_size
from radiodeep.cases.reading import AS_IT_IS
from radiodeep.cases.volume import Volume, check_geometry
from radiodeep.exceptions import FileUnreadableError, TruncatedFileError, UnsupportedImageError

FORMATS = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), PNG, JPEG, TIFF or BMP"
_PNG, _NRRD = b"\x89PNG", b"NRRD"
_META = (b"ObjectType", b"NDims", b"Comment")
_PIXEL_TYPES = {
    **{f"{n_bits}-bit signed integer": np.dtype(f"int{n_bits}") for n_bits in (8, 16, 32, 64)},
    **{f"{n_bits}-bit unsigned integer": np.dtype(f"uint{n_bits}") for n_bits in (8, 16, 32, 64)},
    **{f"{n_bits}-bit float": np.dtype(f"float{n_bits}") for n_bits in (32, 64)},
}


def read_volume(path, reading=AS_IT_IS):
    """Read a scalar 2-D or 3-D image as a `Volume`; its format is recognised by its content.

    2-D images become one slice, shape (1, y, x). Raises FileUnreadableError for a file that is missing, empty or of
    another format, TruncatedFileError for voxels that are cut short or fail their checksum, UnsupportedImageError for
    colour, 4-D or sheared images, and ImageTooLargeError. A folder, or FOLDER/UID, is a series in DICOM, see
    `read_dicom`.
    """
    path = Path(path)
    if os.path.isdir(path) or series_in_path(path):
        return read_dicom(path, reading)
    head = _first_bytes(path)
    if head.startswith(GZIP) or path.suffix == ".nii" or is_nifti(head):
        return read_nifti(path)
    if is_dicom(head):
        return read_dicom(path, reading)
    if head.startswith((_NRRD, *_META)) or is_grey_png(head):
        return _read_with_itk(path, is_png=head.startswith(_PNG))
    if kind_of_picture(head):
        return read_picture(path, kind_of_picture(head), reading.rgb)
    raise FileUnreadableError(
        f"'{path.name}' has an unknown image format. Expected {FORMATS}. Its first bytes are {head[:8]!r}."
    )


def read_labels(path, reading=AS_IT_IS):
    """Read a label image as a `Volume`; of a picture with a palette, its indices. Errors as in `read_volume`."""
    path = Path(path)
    if os.path.isdir(path) or series_in_path(path):
        return read_volume(path, reading)
    head = _first_bytes(path)
    if head.startswith(_NRRD):
        refuse_layers(path)
    kind = None if is_dicom(head) or is_grey_png(head) else kind_of_picture(head)
    return read_volume(path, reading) if kind is None else read_mask_picture(path, kind)


def _check_regular_file(path):
    try:
        if path.is_file():
            return
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise FileUnreadableError(f"'{path}' cannot be opened: {error.strerror}. Use another name.") from error
    problem = "is a folder, not an image file" if is_folder else "is not a regular file"
    if not exists:
        problem = "does not exist"
    hint = " Its backslashes are no separators here; write '/'." if "\\" in str(path) and os.sep == "/" else ""
    raise FileUnreadableError(
        f"'{path}' {problem}. Check the path in the manifest (relative paths start at the manifest's folder).{hint}"
    )


def _first_bytes(path):
    _check_regular_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise FileUnreadableError(f"'{path}' cannot be opened: {error.strerror}.") from error
    if not head:
        raise FileUnreadableError(f"'{path.name}' is empty (0 bytes). Copy or export it again.")
    return head


def _read_with_itk(path, is_png):
    import SimpleITK as sitk  # late: NIfTI needs none of its 100 MB

    layout = None if is_png else read_layout(path)  # before ITK opens the files that the header names
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        kind = TruncatedFileError if is_png else FileUnreadableError
        raise kind(f"'{path.name}' has a header that cannot be read. Expected {FORMATS}.") from error
    if reader.GetNumberOfComponents() != 1:
        raise UnsupportedImageError(
            f"'{path.name}' has {reader.GetNumberOfComponents()} channels. Convert it to one grey channel first."
        )
    require_3d(path.name, reader.GetSize())
    shape = (*reader.GetSize(), 1)[2::-1]
    check_image_size(shape, f"'{path.name}'", "Crop the image or use larger voxels.")
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if is_png or layout.encoding == "text":
        voxels = _itk_voxels(reader, path).reshape(shape)
    elif kind in _PIXEL_TYPES:
        voxels = read_voxels(layout, shape, _PIXEL_TYPES[kind], path.name)
    else:
        raise UnsupportedImageError(f"'{path.name}' holds voxels of the type '{kind}'. Expected real numbers.")
    spacing, origin, direction = np.ones(3), np.zeros(3), np.eye(3)
    n_axes = reader.GetDimension()
    n = min(n_axes, 3)
    spacing[:n], origin[:n] = reader.GetSpacing()[:n], reader.GetOrigin()[:n]
    direction[:n, :n] = np.reshape(reader.GetDirection(), (n_axes, n_axes))[:n, :n]
    if not is_png:
        check_geometry(path.name, spacing, direction, "spacing or directions")
    return Volume(voxels, tuple(float(step) for step in spacing[::-1]), origin, direction, has_spacing=not is_png)


def _itk_voxels(reader, path):
    import SimpleITK as sitk

    try:
        return sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise TruncatedFileError(
            f"'{path.name}' begins like an image, but its voxels cannot be read. Copy or export it again."
        ) from error
