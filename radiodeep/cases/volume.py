"""Voxels with their place in space: the `Volume` that readers return, and the comparison of two grids."""

import warnings
from dataclasses import dataclass

import nibabel
import numpy as np

from radiodeep.exceptions import GeometryMismatchError, RadiodeepWarning, UnsupportedImageError

_GRID_TOLERANCE = 0.05  # of a voxel: rounding in headers; a region moved by more would have other voxels
_NOTED_TOLERANCE = 0.01
_SHEAR_TOLERANCE = 1e-3
_SMALLEST_MM, _LARGEST_MM = 1e-7, 1e5
_LPS_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))


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
        False for formats without a physical size (PNG).
    has_position : bool
        False if the header does not say where the image lies (NIfTI without qform and sform).
    """

    voxels: np.ndarray
    spacing_mm: tuple[float, float, float]
    origin_mm: np.ndarray
    direction: np.ndarray
    has_spacing: bool = True
    has_position: bool = True

    @property
    def orientation(self):
        """Patient axes nearest to the x, y and z index axes, by where they point to.

        Examples
        --------
        >>> import numpy as np
        >>> from radiodeep.cases.volume import Volume
        >>> Volume(np.zeros((2, 2, 2)), (1.0, 1.0, 1.0), np.zeros(3), np.diag([1, -1, 1])).orientation
        'LAS'
        """
        affine = np.eye(4)
        affine[:3, :3] = self.direction
        return "".join(nibabel.aff2axcodes(affine, labels=_LPS_LETTERS))

    def corners(self):
        """Return the physical positions of the eight corner voxels, shape (8, 3)."""
        size = np.array(self.voxels.shape[::-1]) - 1
        unit = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, -1).T
        steps = unit * size * np.array(self.spacing_mm[::-1])
        return self.origin_mm + steps @ self.direction.T


def check_geometry(name, spacing_mm, direction, field):
    """Raise `UnsupportedImageError` for voxel sizes that cannot be meant, or axes that are not at right angles.

    Parameters
    ----------
    name : str
        Of the file.
    spacing_mm : sequence of three floats
    direction : ndarray of shape (3, 3)
        Columns are the unit vectors of the axes.
    field : str
        Where the header keeps the voxel size.
    """
    if not all(_SMALLEST_MM <= step <= _LARGEST_MM for step in spacing_mm):
        raise UnsupportedImageError(
            f"'{name}' has voxels of {numbers(spacing_mm)} mm (x, y, z), by the field {field} of its header. "
            f"Expected {_SMALLEST_MM:g} to {_LARGEST_MM:g} mm. Correct the header, or export the image again."
        )
    if not np.abs(direction.T @ direction - np.eye(3)).max() <= _SHEAR_TOLERANCE:
        raise UnsupportedImageError(f"'{name}' has sheared axes. Resample it to an orthogonal grid first.")


def check_same_grid(image, mask, case_id):
    """Raise `GeometryMismatchError` unless no corner of two volumes is more than 1/20 of a voxel apart.

    That allows for the rounding of headers (a spacing of 0.7 against 0.7001 mm); the voxel centres of the region
    stay the same. The voxel's smallest side counts.

    Warns
    -----
    RadiodeepWarning
        A corner is more than 1/100 of a voxel apart.
    """
    if image.voxels.shape != mask.voxels.shape:
        raise GeometryMismatchError(
            f"{case_id}: image and mask differ in size: the image has {_xyz(image.voxels.shape)} voxels "
            f"(x, y, z), the mask {_xyz(mask.voxels.shape)}. Resample the mask to the image's grid, or check "
            "that they belong together."
        )
    if not (image.has_spacing and mask.has_spacing):
        return
    offset = np.abs(image.corners() - mask.corners()).max()
    allowed = _GRID_TOLERANCE * min(image.spacing_mm)
    if not offset <= allowed:
        raise GeometryMismatchError(
            f"{case_id}: image and mask lie up to {offset:.4g} mm apart. Expected at most {allowed:.4g} mm, "
            f"1/20 of a voxel. "
            f"Spacing (x, y, z) {numbers(image.spacing_mm[::-1])} against {numbers(mask.spacing_mm[::-1])} mm, "
            f"origin {numbers(image.origin_mm)} against {numbers(mask.origin_mm)}, "
            f"direction {numbers(image.direction.ravel())} against {numbers(mask.direction.ravel())}. "
            "Resample the mask to the image's grid, or check that they belong together."
        )
    if offset > _NOTED_TOLERANCE * min(image.spacing_mm):
        warnings.warn(
            f"{case_id}: image and mask lie up to {offset:.4g} mm apart, less than 1/20 of a voxel. They are taken as "
            "lying on one grid.",
            RadiodeepWarning,
            stacklevel=5,
        )


def numbers(values):
    """Return numbers as a text for messages, "(0.7, 0.7, 2.5)"."""
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"


def _xyz(shape):
    return "x".join(str(size) for size in shape[::-1])
