"""In: a NIfTI file. Out: its voxels and their place in space, in patient LPS axes.

nibabel reads the complete, checksummed stream, because ITK silently fills in missing voxels of a truncated file.
"""

import io
import math

import nibabel
import numpy as np

from radiodeep.cases.formats.streams import GZIP, PADDING, beginning, check_padding, decoded
from radiodeep.cases.memory import check_image_size
from radiodeep.cases.volume import Volume, check_geometry
from radiodeep.exceptions import FileUnreadableError, TruncatedFileError, UnsupportedImageError

_KINDS = {348: nibabel.Nifti1Image, 540: nibabel.Nifti2Image}  # by the size of the header
_UNIT_MM = {1: 1000.0, 3: 0.001}  # metre, micron; everything else counts as millimetres, as in ITK
_ROUNDING = 1e-6  # of single precision
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def is_nifti(head):
    """Return whether a file begins with the size of a NIfTI header, in either byte order."""
    return any(int.from_bytes(head[:4], order) in _KINDS for order in ("little", "big"))


def read_nifti(path):
    """Read a scalar 2-D or 3-D NIfTI file, .nii or .nii.gz, as a `Volume`; errors as in `read_volume`."""
    name = path.name
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        data = file.read() if packed else file.read(540)
        kind, header = _parsed_header(beginning(data, 540, name) if packed else data, name)
        n_bytes = _announced_bytes(kind, header, name)
        if packed:
            data = decoded(data, "gzip", n_bytes, name)
        else:
            file.seek(0)
            data = memoryview(np.empty(n_bytes, np.uint8))
            data = data[: file.readinto(data)]
            check_padding(file.read(PADDING + 1), n_bytes, name)
    affine, voxels = _affine_and_voxels(kind, data, int(header["vox_offset"]), name)
    if not np.isfinite(affine).all():
        raise UnsupportedImageError(f"'{name}' has an affine with values that are not finite. Export it again.")
    unit = _UNIT_MM.get(int(header["xyzt_units"]) & 7, 1.0)
    if unit != 1.0:
        affine = np.diag([unit, unit, unit, 1.0]) @ affine
    axes = _RAS_TO_LPS @ affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    # pixdim lacks the rounding of an oblique affine, and is what ITK uses.
    pixdim = header["pixdim"][1:4].astype(np.float64) * unit
    spacing = np.where(np.abs(spacing - pixdim) <= _ROUNDING * spacing, pixdim, spacing)
    if not (spacing > 0).all():
        raise UnsupportedImageError(f"'{name}' has an affine with an axis of length zero. Export it again.")
    direction = axes / spacing
    check_geometry(name, spacing, direction, "srow (sform)" if header["sform_code"] > 0 else "pixdim")
    spacing_mm = tuple(float(step) for step in spacing[::-1])
    has_position = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    return Volume(voxels, spacing_mm, _RAS_TO_LPS @ affine[:3, 3], direction, has_position=has_position)


def require_3d(name, shape):
    """Raise `UnsupportedImageError` unless an image has two or three axes of more than one voxel."""
    if len(shape) < 2 or any(size > 1 for size in shape[3:]):
        raise UnsupportedImageError(
            f"'{name}' has {len(shape)} dimensions of sizes {tuple(int(size) for size in shape)}. "
            "Expected a 2-D or 3-D image; split it into its time points or echoes first."
        )


def _parsed_header(head, name):
    """Return the kind of NIfTI and the unchanged fields of the header, some of which nibabel silently repairs."""
    for size, kind in _KINDS.items():
        for order in ("little", "big"):
            if int.from_bytes(head[:4], order) == size and len(head) >= size:
                fields = kind.header_class.template_dtype.newbyteorder("<" if order == "little" else ">")
                return kind, np.frombuffer(head, fields, 1)[0]
    raise FileUnreadableError(f"'{name}' has no NIfTI header. Expected a .nii or .nii.gz file.")


def _announced_bytes(kind, header, name):
    """Check the header; return the number of bytes of header and voxels together."""
    n_axes = int(header["dim"][0])
    magic = header["magic"].item()[:3]
    shape = tuple(header["dim"][1 : 1 + max(n_axes, 0)].tolist())
    if magic == kind.header_class.pair_magic:
        raise UnsupportedImageError(
            f"'{name}' is half of a pair of .hdr and .img. Convert the pair to one .nii.gz file."
        )
    try:
        dtype = nibabel.nifti1.data_type_codes.dtype[int(header["datatype"])]
    except KeyError as error:
        raise FileUnreadableError(f"'{name}' has a NIfTI header of the unknown datatype {error}.") from error
    if magic != kind.header_class.single_magic or n_axes > 7 or any(size < 1 for size in shape):
        raise FileUnreadableError(f"'{name}' has a NIfTI header that is damaged. Copy or export it again.")
    require_3d(name, shape)
    if dtype.fields is not None:
        raise UnsupportedImageError(f"'{name}' is a colour image. Export one scalar channel instead.")
    check_image_size(shape[2::-1], f"'{name}'", "Crop the image or use larger voxels.")
    offset = float(header["vox_offset"])
    first = kind.header_class.single_vox_offset
    if not first <= offset < 2**31:
        raise FileUnreadableError(
            f"'{name}' has voxels that begin at byte {offset:g} (vox_offset). Expected {first} or more, after the "
            "header. Correct the header or export the image again."
        )
    _check_pixdim(header, n_axes, name)
    return int(offset) + dtype.itemsize * math.prod(shape)


def _check_pixdim(header, n_axes, name):
    """Raise an error for voxel sizes <= 0 if the affine depends on them.

    nibabel would replace 0 by 1. For negative sizes, nibabel and ITK agree on the size but not on the direction.
    """
    steps = header["pixdim"][1 : 1 + min(n_axes, 3)].tolist()
    if header["sform_code"] <= 0 and not all(step > 0 for step in steps):
        raise UnsupportedImageError(
            f"'{name}' has the voxel sizes {', '.join(f'{step:g}' for step in steps)} in the field pixdim of its "
            "header, and no sform to replace them. Expected numbers > 0; correct them, or export the image again."
        )


def _affine_and_voxels(kind, data, offset, name):
    """Return the affine to RAS axes and the rescaled voxels (z, y, x), as nibabel reads them.

    Voxels that need no rescaling stay where they are in `data`, in which they begin at `offset`.
    """
    try:
        file = io.BytesIO(data[:offset])
        header = kind.header_class.from_fileobj(file)
        affine = header.get_best_affine()
        proxy = kind.ImageArrayProxy(file, header, mmap=False)
    except Exception as error:  # nibabel has no common base for what a wrong header raises
        raise FileUnreadableError(f"'{name}' has a NIfTI header that cannot be read: {error}.") from error
    try:
        if (proxy.slope, proxy.inter) == (1.0, 0.0):
            stored = np.frombuffer(data, proxy.dtype, math.prod(proxy.shape), proxy.offset)
            stored = np.require(stored, requirements="A").reshape(proxy.shape, order="F")
        else:
            stored = np.asanyarray(kind.ImageArrayProxy(io.BytesIO(data), header, mmap=False))
    except (OSError, ValueError, EOFError) as error:
        raise TruncatedFileError(f"'{name}' holds fewer voxels than its header says. Copy it again.") from error
    voxels = stored.reshape((*proxy.shape, 1, 1)[:3], order="F").transpose(2, 1, 0)
    return affine, np.ascontiguousarray(voxels).astype(voxels.dtype.newbyteorder("="), copy=False)
