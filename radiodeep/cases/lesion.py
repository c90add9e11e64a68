"""In: voxels and a mask. Out: a checked `Lesion`, on which imaging and features work."""

import hashlib
from dataclasses import dataclass
from dataclasses import replace as replaced

import numpy as np

from radiodeep.cases.acquisition import Acquisition
from radiodeep.cases.mask_labels import NO_VOXEL, region_of
from radiodeep.cases.naming import naming
from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.cases.volume import StoredAxes
from radiodeep.exceptions import EmptyMaskError, NonFiniteIntensityError, UnsupportedImageError

_AS_IN_FILE = StoredAxes()


@dataclass(frozen=True, eq=False)
class Lesion:
    """An image in memory with its region of interest, checked once.

    `Case.lesion` and `Lesion.checked` make lesions; the steps of imaging take one and return one, by `replace`. What a
    lesion has in common with a `Case` has the same name, so that a function can take either.

    Attributes
    ----------
    voxels : ndarray of shape (z, y, x)
        In native byte order, of a type that all filters take; finite inside the region.
    roi : bool ndarray of shape (z, y, x)
        The region of interest; never empty.
    spacing_mm : tuple of three floats
        In (z, y, x) order.
    id : str
        Name of the case.
    axes : StoredAxes
        How the file stores the axes of the arrays.
    """

    voxels: np.ndarray
    roi: np.ndarray
    spacing_mm: tuple[float, float, float]
    id: str
    axes: StoredAxes = _AS_IN_FILE

    @classmethod
    def checked(cls, voxels, mask, spacing_mm, id, axes, mask_label=None):
        """Return the lesion of an image and a mask as read; `mask_label` as in `Case`.

        Raises UnsupportedImageError, EmptyMaskError, AmbiguousMaskError, LabelNotFoundError or NonFiniteIntensityError;
        their messages lack the id, which `naming` adds.
        """
        if voxels.dtype.kind not in "biuf":
            raise UnsupportedImageError(f"the image holds {voxels.dtype} values. Expected numbers.")
        lesion = cls(_in_common_type(voxels), region_of(mask, mask_label), spacing_mm, id, axes)
        lesion._check_intensities()
        return lesion

    def replace(self, *, image=None, mask=None, spacing_mm=None, axes=None):
        """Return a lesion with other arrays of one shape; only what they can have changed is checked again.

        Raises EmptyMaskError for a new mask without a voxel, and NonFiniteIntensityError for an image that is NaN or
        infinite inside the region.
        """
        changes = {"voxels": image, "roi": mask, "spacing_mm": spacing_mm, "axes": axes}
        lesion = replaced(self, **{name: value for name, value in changes.items() if value is not None})
        with naming(self):
            if mask is not None and not lesion.roi.any():
                raise EmptyMaskError(NO_VOXEL)
            if image is not None or mask is not None:
                lesion._check_intensities()
        return lesion

    def lesion(self):
        """Return the lesion itself, as `Case.lesion` returns that of a case."""
        return self

    in_memory = lesion  # of a `Case`, the case in memory

    def read(self):
        """Return `voxels`, `roi` and `spacing_mm`."""
        return self.voxels, self.roi, self.spacing_mm

    def in_stored_order(self):
        """Return the lesion with its arrays in the order in which the file stores them."""
        return Lesion(
            self.axes.to_stored(self.voxels),
            self.axes.to_stored(self.roi),
            tuple(self.spacing_mm[axis] for axis in np.argsort(self.axes.order)),
            self.id,
        )

    def transposed(self, order):
        """Return the lesion with its axes in another order, as ``numpy.transpose`` takes it; arrays are contiguous."""
        return Lesion(
            np.ascontiguousarray(self.voxels.transpose(order)),
            np.ascontiguousarray(self.roi.transpose(order)),
            tuple(self.spacing_mm[axis] for axis in order),
            self.id,
            self.axes.permuted(order) if self.axes.orientation else self.axes,
        )

    @property
    def roi_size_mm(self):
        """Volume of the region in mm³, or its area in mm² in an image of one slice."""
        axis = acquisition_axis(self.roi.shape, self.spacing_mm)
        is_slice = self.roi.shape[axis] == 1
        return float(self.roi.sum() * np.prod(np.delete(self.spacing_mm, axis) if is_slice else self.spacing_mm))

    def acquisition(self):
        """Return the `Acquisition` of the lesion's image."""
        return Acquisition.of(self.voxels, self.spacing_mm, self.axes.orientation)

    def content_hash(self):
        """Return a digest of voxels, region, spacing and the order of the axes; see `Case.content_hash`."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.voxels.dtype.str}{self.voxels.shape}{self.spacing_mm}".encode())
        digest.update(b"" if self.axes.is_anatomical else f"{self.axes.order}{self.axes.flipped}".encode())
        digest.update(np.ascontiguousarray(self.voxels))
        digest.update(np.packbits(self.roi))
        return digest.hexdigest()

    def _check_intensities(self):
        if self.voxels.dtype.kind != "f":
            return
        is_finite = np.isfinite(self.voxels[self.roi])
        if not is_finite.all():
            raise NonFiniteIntensityError(
                f"{is_finite.size - np.count_nonzero(is_finite)} of {is_finite.size} voxels of the region "
                "are NaN or infinite. Repair the image or leave those voxels out of the mask."
            )


def _in_common_type(voxels):
    """Return voxels in a type that all filters take, in native byte order."""
    kind = voxels.dtype.kind
    n_bytes = voxels.dtype.itemsize
    if kind == "b":
        return voxels.view(np.uint8)
    if kind == "f" and n_bytes not in (4, 8):
        with np.errstate(over="ignore"):  # a long double beyond double precision becomes infinite, which is checked
            return voxels.astype(np.float32 if n_bytes == 2 else np.float64)
    return voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
