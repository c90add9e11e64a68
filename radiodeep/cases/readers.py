"""A path goes in, a `Volume` comes out: voxels in (z, y, x) with their spacing and place in space.

NIfTI is read by nibabel from the whole, checksummed stream, because ITK fills the missing voxels of
a truncated file silently; NRRD, MetaImage and PNG are read by SimpleITK, which refuses them.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

from radiodeep.exceptions import (
    FileUnreadableError,
    GeometryMismatchError,
    TruncatedFileError,
    UnsupportedImageError,
)

try:
    from isal import isal_zlib  # decodes gzip three times as fast; where it has no wheel, zlib does it
except ImportError:
    isal_zlib = None

FORMATS = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd) or PNG (.png)"
_GZIP_ERRORS = (EOFError, OSError, zlib.error, *([] if isal_zlib is None else [isal_zlib.error]))
_GZIP, _PNG, _NRRD = b"\x1f\x8b", b"\x89PNG", b"NRRD"
_META = (b"ObjectType", b"NDims", b"Comment")
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_GRID_TOLERANCE = 1e-3  # of a voxel
_SHEAR_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and their place in space.

    Attributes
    ----------
    voxels : ndarray of shape (z, y, x)
        As stored in the file, its rescaling applied.
    spacing_mm : tuple of three floats
        In (z, y, x) order.
    origin_mm : ndarray of shape (3,)
        Position of the first voxel's centre in (x, y, z), patient LPS axes.
    direction : ndarray of shape (3, 3)
        Columns are the unit vectors of the x, y and z index axes.
    has_spacing : bool
        False for formats that know no physical size (PNG).
    """

    voxels: np.ndarray
    spacing_mm: tuple[float, float, float]
    origin_mm: np.ndarray
    direction: np.ndarray
    has_spacing: bool = True

    def corners(self):
        """Return the physical positions of the eight corner voxels, shape (8, 3)."""
        size = np.array(self.voxels.shape[::-1]) - 1
        unit = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, -1).T
        steps = unit * size * np.array(self.spacing_mm[::-1])
        return self.origin_mm + steps @ self.direction.T


def read_volume(path):
    """Read a scalar 2-D or 3-D image; the format is recognised by its content.

    Parameters
    ----------
    path : path-like
        NIfTI (.nii, .nii.gz), NRRD, MetaImage or PNG.

    Returns
    -------
    Volume
        2-D images come as one slice, shape (1, y, x).

    Raises
    ------
    FileUnreadableError
        The file is missing, empty, or of another format.
    TruncatedFileError
        The voxels are cut short or fail their checksum.
    UnsupportedImageError
        Colour, 4-D, or axes that are not at right angles.

    Examples
    --------
    >>> from radiodeep.cases.readers import read_volume
    >>> read_volume("missing.nii.gz")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.FileUnreadableError: 'missing.nii.gz' does not exist. Check the path ...
    """
    path = Path(path)
    head = _first_bytes(path)
    if head.startswith(_GZIP) or path.suffix == ".nii" or head[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c"):
        return _read_nifti(path, head)
    if head.startswith((_PNG, _NRRD, *_META)):
        return _read_with_itk(path, is_png=head.startswith(_PNG))
    raise FileUnreadableError(
        f"'{path.name}' is of no image format that is known here. Expected {FORMATS}. Its first bytes are {head[:8]!r}."
    )


def check_same_grid(image, mask, case_id):
    """Raise `GeometryMismatchError` unless two volumes lie on one grid, to 1/1000 of a voxel."""
    if image.voxels.shape != mask.voxels.shape:
        raise GeometryMismatchError(
            f"{case_id}: image and mask differ in size: the image has {_xyz(image.voxels.shape)} voxels "
            f"(x, y, z), the mask {_xyz(mask.voxels.shape)}. Resample the mask to the image's grid, or check "
            "that they belong together."
        )
    if not (image.has_spacing and mask.has_spacing):
        return
    offset = np.abs(image.corners() - mask.corners()).max()
    if offset > _GRID_TOLERANCE * min(image.spacing_mm):
        raise GeometryMismatchError(
            f"{case_id}: image and mask lie up to {offset:.4g} mm apart. "
            f"Spacing (x, y, z) {_numbers(image.spacing_mm[::-1])} against {_numbers(mask.spacing_mm[::-1])} mm, "
            f"origin {_numbers(image.origin_mm)} against {_numbers(mask.origin_mm)}, "
            f"direction {_numbers(image.direction.ravel())} against {_numbers(mask.direction.ravel())}. "
            "Resample the mask to the image's grid, or check that they belong together."
        )


def _first_bytes(path):
    if not path.is_file():
        kind = "is a folder, not an image file" if path.is_dir() else "does not exist"
        raise FileUnreadableError(
            f"'{path}' {kind}. Check the path in the manifest (relative paths start at the manifest's folder)."
        )
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise FileUnreadableError(f"'{path}' cannot be opened: {error.strerror}.") from error
    if not head:
        raise FileUnreadableError(f"'{path.name}' is empty (0 bytes). Copy or export it again.")
    return head


def _read_nifti(path, head):
    data = path.read_bytes()
    if head.startswith(_GZIP):
        try:
            data = _decompressed(data)
        except _GZIP_ERRORS as error:
            raise TruncatedFileError(
                f"'{path.name}' is cut short or damaged ({error}). Copy or export it again."
            ) from error
    image = _parse_nifti(path, data)
    _require_3d(path, image.shape)
    if image.get_data_dtype().fields is not None:
        raise UnsupportedImageError(f"'{path.name}' is a colour image. Export one scalar channel instead.")
    try:
        stored = np.asanyarray(image.dataobj)
    except (OSError, ValueError, EOFError) as error:
        raise TruncatedFileError(f"'{path.name}' holds fewer voxels than its header says. Copy it again.") from error
    voxels = stored.reshape((*image.shape, 1, 1)[:3]).transpose(2, 1, 0)
    axes = _RAS_TO_LPS @ image.affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    if not np.all(spacing > 0) or not np.isfinite(image.affine).all():
        raise UnsupportedImageError(f"'{path.name}' has an affine with an axis of length zero. Export it again.")
    direction = axes / spacing
    if np.abs(direction.T @ direction - np.eye(3)).max() > _SHEAR_TOLERANCE:
        raise UnsupportedImageError(f"'{path.name}' has sheared axes. Resample it to an orthogonal grid first.")
    return Volume(
        np.ascontiguousarray(voxels).astype(voxels.dtype.newbyteorder("="), copy=False),
        tuple(float(step) for step in spacing[::-1]),
        _RAS_TO_LPS @ image.affine[:3, 3],
        direction,
    )


def _decompressed(data):
    """Decode gzip, checksum included; raises one of `_GZIP_ERRORS` for a stream that is cut short or damaged."""
    if isal_zlib is not None and len(data) > 18:
        expected = int.from_bytes(
            data[-4:], "little"
        )  # the size at the end of the stream, so that memory is taken once
        if expected < 1032 * len(data):  # as small as gzip can make things
            decoded = isal_zlib.decompress(data, wbits=31, bufsize=max(expected, 1))
            if len(decoded) == expected:
                return decoded
    return gzip.decompress(data)  # several streams in one file, or no isal


def _parse_nifti(path, data):
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        try:
            return kind.from_bytes(data)
        except Exception:  # nibabel has no common base for what a wrong header raises
            continue
    raise FileUnreadableError(f"'{path.name}' has no NIfTI header. Expected {FORMATS}.")


def _read_with_itk(path, is_png):
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise FileUnreadableError(f"'{path.name}' has a header that cannot be read. Expected {FORMATS}.") from error
    if reader.GetNumberOfComponents() != 1:
        raise UnsupportedImageError(
            f"'{path.name}' has {reader.GetNumberOfComponents()} channels. Convert it to one grey channel first."
        )
    _require_3d(path, reader.GetSize())
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise TruncatedFileError(
            f"'{path.name}' begins like an image, but its voxels cannot be read. Copy or export it again."
        ) from error
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    return Volume(
        sitk.GetArrayFromImage(image),
        tuple(float(step) for step in image.GetSpacing()[::-1]),
        np.array(image.GetOrigin()),
        np.array(image.GetDirection()).reshape(3, 3),
        has_spacing=not is_png,
    )


def _require_3d(path, shape):
    if len(shape) < 2 or any(size > 1 for size in shape[3:]):
        raise UnsupportedImageError(
            f"'{path.name}' has {len(shape)} dimensions of sizes {tuple(int(size) for size in shape)}. "
            "Expected a 2-D or 3-D image; split it into its time points or echoes first."
        )


def _xyz(shape):
    return "x".join(str(size) for size in shape[::-1])


def _numbers(values):
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
