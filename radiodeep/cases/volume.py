"""In: voxels and their place in space, as readers return them. Out: anatomical order, and whether two grids agree."""

import warnings
from dataclasses import dataclass, replace

import nibabel
import numpy as np

from radiodeep.exceptions import GeometryMismatchError, RadiodeepWarning, UnsupportedImageError

_GRID_TOLERANCE = 0.05  # of a voxel: more than the rounding in headers, too little to change the voxels of a region
_WARNING_TOLERANCE = 0.01  # of a voxel
_SHEAR_TOLERANCE = 1e-3
_CLEARLY_NEAREST = 0.75  # more than the cosine of 45 degrees
_ANATOMICAL = [[0, 1], [1, 1], [2, 1]]  # the nearest patient axis (L, P, S) of each index axis (x, y, z), and its sign
_SMALLEST_MM, _LARGEST_MM = 1e-7, 1e5
_LPS_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True)
class StoredAxes:
    """How the axes of a file correspond to those of the arrays that a `Case` makes of it.

    Attributes
    ----------
    order : tuple of three ints
        For each axis of the case's arrays, the matching axis of the file's array (z, y, x).
    flipped : tuple of three bools
        For each axis of the case's arrays, whether it runs against the file's.
    orientation : str
        Where the x, y and z axes of the file point to, e.g. "RAS"; "" if unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.cases.volume import StoredAxes
    >>> axes = StoredAxes(order=(1, 0, 2), flipped=(True, False, False))
    >>> stored = np.arange(6).reshape(1, 2, 3)
    >>> axes.to_anatomical(stored).tolist()
    [[[3, 4, 5]], [[0, 1, 2]]]
    >>> axes.to_stored(axes.to_anatomical(stored)).tolist()
    [[[0, 1, 2], [3, 4, 5]]]
    """

    order: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[bool, bool, bool] = (False, False, False)
    orientation: str = ""

    @property
    def is_anatomical(self):
        """Whether the arrays of the case have the order of the file."""
        return self.order == (0, 1, 2) and not any(self.flipped)

    def to_anatomical(self, array):
        """Return an array (z, y, x) of the file in the order of the case, contiguous."""
        if self.is_anatomical:
            return array
        return np.ascontiguousarray(np.flip(array.transpose(self.order), np.flatnonzero(self.flipped)))

    def to_stored(self, array):
        """Return an array in the order of the case, e.g. a map of a feature, in the order of the file (z, y, x)."""
        if self.is_anatomical:
            return array
        return np.ascontiguousarray(np.flip(array, np.flatnonzero(self.flipped)).transpose(np.argsort(self.order)))

    def permuted(self, order):
        """Return the `StoredAxes` of the case's arrays after ``array.transpose(order)``."""
        return replace(
            self,
            order=tuple(self.order[axis] for axis in order),
            flipped=tuple(self.flipped[axis] for axis in order),
        )


_LPS = StoredAxes(orientation="LPS")


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
    has_spacing, has_position : bool
        False for formats without a physical size (pictures), and if the header does not say where the image lies (NIfTI
        without qform and sform).
    """

    voxels: np.ndarray
    spacing_mm: tuple[float, float, float]
    origin_mm: np.ndarray
    direction: np.ndarray
    has_spacing: bool = True
    has_position: bool = True

    @property
    def orientation(self):
        """The patient axes nearest to the x, y and z index axes, as "LPS"."""
        return _letters(_nearest_axes(self.direction))

    def stored_axes(self, reference=None):
        """Return the `StoredAxes` that bring the volume to anatomical order, or to the order of a reference volume.

        In anatomical order the indices along (z, y, x) increase towards Superior, Posterior and Left. Axes are permuted
        and flipped, never resampled: an oblique image is brought to the nearest order, by nibabel's `io_orientation`.
        In an image of one slice the slice axis stays in front. A volume without spacing (pictures) stays as it is.
        A reference turns two volumes on one grid alike even if they lie between two orders.
        """
        if not self.has_spacing:
            return StoredAxes()
        nearest = _nearest_axes(self.direction if reference is None else reference.direction.T @ self.direction)
        if nearest == _ANATOMICAL:
            axes = _LPS
        else:
            order, flipped = [0, 1, 2], [False, False, False]
            for stored, (patient, sign) in enumerate(nearest):  # both counted x, y, z
                order[2 - patient] = 2 - stored
                flipped[2 - patient] = sign < 0
            axes = StoredAxes(tuple(order), tuple(flipped), _letters(nearest))
        sizes = [self.voxels.shape[axis] for axis in axes.order]
        if sizes.count(1) != 1:
            return axes
        slice_axis = sizes.index(1)
        return axes.permuted([slice_axis, *(axis for axis in range(3) if axis != slice_axis)])

    def turned(self, axes):
        """Return the volume with the axes of `StoredAxes`, its voxels contiguous; itself if they are its own."""
        if axes.is_anatomical:
            return self
        columns = [2 - axis for axis in axes.order[::-1]]  # of the direction, for the new x, y and z
        flipped = np.array(axes.flipped[::-1])
        lengths = (np.array(self.voxels.shape[::-1]) - 1) * self.spacing_mm[::-1]
        return replace(
            self,
            voxels=axes.to_anatomical(self.voxels),
            spacing_mm=tuple(self.spacing_mm[axis] for axis in axes.order),
            origin_mm=self.origin_mm + self.direction[:, columns] @ (flipped * lengths[columns]),
            direction=self.direction[:, columns] * np.where(flipped, -1.0, 1.0),
        )

    def corners(self):
        """Return the physical positions of the eight corner voxels, shape (8, 3)."""
        size = np.array(self.voxels.shape[::-1]) - 1
        unit = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, -1).T
        steps = unit * size * np.array(self.spacing_mm[::-1])
        return self.origin_mm + steps @ self.direction.T


def _nearest_axes(direction):
    """Return the nearest axis (0, 1, 2) and its sign for each column, as nibabel's `io_orientation`."""
    if (direction.diagonal() > _CLEARLY_NEAREST).all():  # most files; nibabel's decomposition takes longer
        return _ANATOMICAL
    affine = np.eye(4)
    affine[:3, :3] = direction
    return nibabel.orientations.io_orientation(affine).astype(int).tolist()


def _letters(nearest):
    return "".join(nibabel.orientations.ornt2axcodes(nearest, labels=_LPS_LETTERS))


def check_geometry(name, spacing_mm, direction, field):
    """Raise `UnsupportedImageError` for implausible voxel sizes, or axes that are not at right angles.

    The columns of `direction` are the unit vectors of the axes; `field` names where the header keeps the voxel size.
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

    The voxel's smallest side counts. The tolerance allows for rounding in headers (a spacing of 0.7 and of 0.7001 mm),
    which leaves the voxels of the region the same. A RadiodeepWarning is issued from 1/100 of a voxel on.
    """
    if image.voxels.shape != mask.voxels.shape:
        raise GeometryMismatchError(
            f"{case_id}: image and mask differ in size: the image has {_xyz(image.voxels.shape)} voxels "
            f"(x, y, z), the mask {_xyz(mask.voxels.shape)}. Check that they belong together{_way_out(image, mask)}."
        )
    if not (image.has_spacing and mask.has_spacing) or _place(image) == _place(mask):
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
            "Check that they belong together; resample_mask=True brings the mask to the image's grid."
        )
    if offset > _WARNING_TOLERANCE * min(image.spacing_mm):
        warnings.warn(
            f"{case_id}: image and mask lie up to {offset:.4g} mm apart, less than 1/20 of a voxel. They are taken as "
            "lying on one grid.",
            RadiodeepWarning,
            stacklevel=6,
        )


def _way_out(image, mask):
    """Return what else can be done about two grids, if files say where they lie."""
    are_placed = all(each.has_spacing and each.has_position for each in (image, mask))
    return "; resample_mask=True brings the mask to the image's grid" if are_placed else ""


def _place(volume):
    """Return the geometry of a volume, to be compared; one with NaN differs from itself and is examined further."""
    return volume.spacing_mm, volume.origin_mm.tolist(), volume.direction.tolist()


def numbers(values):
    """Return numbers as text for messages, "(0.7, 0.7, 2.5)"."""
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"


def _xyz(shape):
    return "x".join(str(size) for size in shape[::-1])
