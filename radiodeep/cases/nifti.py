"""A NIfTI file in; its voxels and their place in space, in patient LPS axes, out.

nibabel reads it from the whole, checksummed stream, because ITK silently fills the missing voxels of a truncated file.
"""

import nibabel
import numpy as np

from radiodeep.cases.memory import check_image_size
from radiodeep.cases.streams import GZIP, PADDING, beginning, check_padding, decoded
from radiodeep.cases.volume import Volume, check_geometry
from radiodeep.exceptions import FileUnreadableError, TruncatedFileError, UnsupportedImageError

_KINDS = {348: nibabel.Nifti1Image, 540: nibabel.Nifti2Image}  # by the size of the header
_UNIT_MM = {1: 1000.0, 3: 0.001}  # metre, micron; all else is taken as millimetres, as ITK does it
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def is_nifti(head):
    """Return whether a file begins with the size of a NIfTI header, in either byte order."""
    return any(int.from_bytes(head[:4], order) in _KINDS for order in ("little", "big"))


def read_nifti(path):
    """Read a scalar 2-D or 3-D NIfTI file, .nii or .nii.gz, as a `Volume`.

    Raises
    ------
    FileUnreadableError, TruncatedFileError, UnsupportedImageError, ImageTooLargeError
    """
    name = path.name
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        data = file.read() if packed else file.read(540)
        header = _parsed_header(beginning(data, 540, name) if packed else data, name)
        n_bytes = _announced_bytes(header, name)
        if packed:
            data = decoded(data, "gzip", n_bytes, name)
        else:
            file.seek(0)
            data = file.read(n_bytes)
            check_padding(file.read(PADDING + 1), n_bytes, name)
    image = _parsed_image(data, header, name)
    voxels = _voxels(image, name)
    affine = image.affine
    unit = _UNIT_MM.get(int(header["xyzt_units"]) & 7, 1.0)
    if unit != 1.0:
        affine = np.diag([unit, unit, unit, 1.0]) @ affine
    axes = _RAS_TO_LPS @ affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    if not np.all(spacing > 0) or not np.isfinite(affine).all():
        raise UnsupportedImageError(f"'{name}' has an affine with an axis of length zero. Export it again.")
    direction = axes / spacing
    check_geometry(name, spacing, direction, "srow (sform)" if header["sform_code"] > 0 else "pixdim")
    spacing_mm = tuple(float(step) for step in spacing[::-1])
    return Volume(voxels, spacing_mm, _RAS_TO_LPS @ affine[:3, 3], direction)


def require_3d(name, shape):
    """Raise `UnsupportedImageError` unless an image has two or three axes of more than one voxel."""
    if len(shape) < 2 or any(size > 1 for size in shape[3:]):
        raise UnsupportedImageError(
            f"'{name}' has {len(shape)} dimensions of sizes {tuple(int(size) for size in shape)}. "
            "Expected a 2-D or 3-D image; split it into its time points or echoes first."
        )


def _parsed_header(head, name):
    """Return the header as it stands in the file; nibabel's own reading repairs some fields silently."""
    for size, kind in _KINDS.items():
        if any(int.from_bytes(head[:4], order) == size for order in ("little", "big")) and len(head) >= size:
            return kind.header_class(head[:size], check=False)
    raise FileUnreadableError(f"'{name}' has no NIfTI header. Expected a .nii or .nii.gz file.")


def _announced_bytes(header, name):
    """Check the header; return the length of header and voxels together."""
    if bytes(header["magic"].item())[:3] == header.pair_magic:
        raise UnsupportedImageError(
            f"'{name}' is half of a pair of .hdr and .img. Convert the pair to one .nii.gz file."
        )
    try:
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
    except Exception as error:  # nibabel has no common base for what a wrong header raises
        raise FileUnreadableError(f"'{name}' has a NIfTI header that cannot be read: {error}.") from error
    if bytes(header["magic"].item())[:3] != header.single_magic or any(size < 1 for size in shape):
        raise FileUnreadableError(f"'{name}' has a NIfTI header that is damaged. Copy or export it again.")
    require_3d(name, shape)
    if dtype.fields is not None:
        raise UnsupportedImageError(f"'{name}' is a colour image. Export one scalar channel instead.")
    check_image_size(shape[:3][::-1], f"'{name}'", "Crop the image or use larger voxels.")
    offset = float(header["vox_offset"])
    first = header.single_vox_offset
    if not first <= offset < 2**31:
        raise FileUnreadableError(
            f"'{name}' says that its voxels begin at byte {offset:g} (vox_offset). Expected {first} or more, after the "
            "header. Correct the header or export it again."
        )
    _check_pixdim(header, len(shape), name)
    return int(offset) + dtype.itemsize * int(np.prod(shape, dtype=object))


def _check_pixdim(header, n_axes, name):
    """Refuse voxel sizes that are not above 0 where the affine hangs on them.

    nibabel would take 1 for 0. For negative ones nibabel and ITK agree on the size, but not on the direction.
    """
    steps = [float(step) for step in header["pixdim"][1 : 1 + min(n_axes, 3)]]
    if header["sform_code"] <= 0 and not all(step > 0 for step in steps):
        raise UnsupportedImageError(
            f"'{name}' has the voxel sizes {', '.join(f'{step:g}' for step in steps)} in the field pixdim of its "
            "header, and no sform that would say otherwise. Expected numbers > 0; set them, or export it again."
        )


def _parsed_image(data, header, name):
    try:
        return _KINDS[int(header["sizeof_hdr"])].from_bytes(data)
    except Exception as error:  # nibabel has no common base for what a wrong header raises
        raise FileUnreadableError(f"'{name}' has a NIfTI header that cannot be read: {error}.") from error


def _voxels(image, name):
    try:
        stored = np.asanyarray(image.dataobj)
    except (OSError, ValueError, EOFError) as error:
        raise TruncatedFileError(f"'{name}' holds fewer voxels than its header says. Copy it again.") from error
    voxels = stored.reshape((*image.shape, 1, 1)[:3]).transpose(2, 1, 0)
    return np.ascontiguousarray(voxels).astype(voxels.dtype.newbyteorder("="), copy=False)
