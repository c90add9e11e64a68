"""`Case`: one image with its region of interest, from files or arrays, read on first use."""

import hashlib
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from radiodeep.cases.acquisition import Acquisition
from radiodeep.cases.mask_labels import positive_labels, region_of
from radiodeep.cases.readers import check_same_grid, read_volume
from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.cases.volume import StoredAxes, Volume
from radiodeep.exceptions import (
    EmptyMaskError,
    GeometryMismatchError,
    InputError,
    NonFiniteIntensityError,
    UnsupportedImageError,
)


class Case:
    """One image with its region of interest. Frozen: `replace` gives a changed copy.

    Parameters
    ----------
    image, mask : path-like or ndarray of shape (z, y, x) or (y, x)
        Files are read on first use. In the mask every voxel that is not 0 belongs to the region,
        unless it holds several labels or negative values: then `mask_label` chooses one. An array given with a file
        is in the order in which the file stores its voxels.
    id : str
        Name of the case; every message about it begins with this.
    spacing_mm : sequence of floats, optional
        Size of a voxel in the order of the array's axes: three numbers, or two for an image of shape (y, x).
        Needed for arrays; read from the file otherwise (a PNG knows none: then 1 mm is taken unless it is given).
        For a file that knows it, it is compared with the size in anatomical order.
    patient : str, optional
        Cases of one patient never part in cross-validation. The id unless given.
    label : optional
        The outcome, e.g. 0 or 1.
    mask_label : int or "any", optional
        The value of the region in a mask of several labels; "any" takes them together as one region. A negative
        value belongs to a region only if it is named here.

    Attributes
    ----------
    voxels : ndarray of shape (z, y, x)
        Intensities as stored, in native byte order; a 2-D image is one slice. Booleans come as uint8, half
        precision as float32, and long doubles as float64. Files are read in anatomical order (see Notes).
    roi : bool ndarray of shape (z, y, x)
        The region of interest; never empty.
    spacing_mm : tuple of three floats
        In (z, y, x) order.

    Raises
    ------
    InputError
        At once for wrong arguments (an array that is no number, a colour image, a missing spacing). One of its
        kinds when `voxels`, `roi` or `spacing_mm` are first asked for: unreadable or truncated files, image and
        mask on different grids, an empty or ambiguous mask, NaN inside the region.

    Notes
    -----
    A case that came from disk pickles as its paths, not its voxels.

    The axes of a file are permuted and flipped on reading, so that the indices along (z, y, x) increase towards
    Superior, Posterior and Left, however the file stores them: the same lesion gives the same arrays. Oblique images
    go to the nearest such order and are not resampled. An image of one slice keeps its slice in front. Image and mask
    may be stored in different orders. Arrays, and PNG files, are taken as they are. `stored_axes` turns maps and
    masks back into the order of the file.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import Case
    >>> mask = np.zeros((4, 4, 4), np.uint8)
    >>> mask[1:3, 1:3, 1:3] = 1
    >>> case = Case(np.arange(64).reshape(4, 4, 4), mask, "nodule-7", spacing_mm=(2.5, 0.7, 0.7))
    >>> int(case.roi.sum()), case.spacing_mm
    (8, (2.5, 0.7, 0.7))
    >>> case.replace(mask=mask * 0).roi
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.EmptyMaskError: nodule-7: the mask outlines no voxel. ...
    """

    def __init__(self, image, mask, id, spacing_mm=None, patient=None, label=None, mask_label=None):
        self._set(image, mask, id, spacing_mm, patient, label, mask_label)
        _refuse_colour(self.image, self.mask, id)

    def _set(self, image, mask, id, spacing_mm, patient, label, mask_label, axes=None):
        whole = isinstance(mask_label, int | np.integer) and not isinstance(mask_label, bool)
        if not (mask_label is None or mask_label == "any" or whole):
            raise InputError(f"{id}: the 'mask_label' of a Case must be an int or 'any'. Got {mask_label!r} instead.")
        if not isinstance(id, str) or not id:
            raise InputError(f"The 'id' of a Case must be a text that is not empty. Got {id!r} instead.")
        image = _as_source(image, "image", id)
        if spacing_mm is None and not isinstance(image, Path):
            raise InputError(
                f"{id}: an image given as an array needs 'spacing_mm', the size of its voxels in (z, y, x) order."
            )
        state = {
            "image": image,
            "mask": _as_source(mask, "mask", id),
            "id": id,
            "patient": id if patient is None else patient,
            "label": label,
            "mask_label": mask_label,
            "_given_spacing": None if spacing_mm is None else _checked_spacing(spacing_mm, image, id),
            "_axes": axes,
            "_loaded": None,
            "_acquisition": None,
        }
        self.__dict__.update(state)

    def __setattr__(self, name, value):
        raise AttributeError(f"A Case is frozen; use case.replace({name}=...) for a changed copy.")

    def __delattr__(self, name):
        raise AttributeError("A Case is frozen.")

    def __reduce__(self):
        return (self._restored, tuple(self._arguments().values()))

    def __repr__(self):
        source = self.image.name if isinstance(self.image, Path) else f"array {self.image.shape}"
        return f"Case(id={self.id!r}, image={source!r}, label={self.label!r})"

    def _repr_html_(self):
        from radiodeep.cases.picture import case_html  # draws: only for notebooks

        return case_html(self)

    @property
    def voxels(self):
        return self._load()[0]

    @property
    def roi(self):
        return self._load()[1]

    @property
    def spacing_mm(self):
        return self._load()[2]

    @property
    def roi_size_mm(self):
        """Volume of the region in mm³, or its area in mm² in an image of one slice."""
        _, roi, spacing_mm = self.read()
        axis = acquisition_axis(roi.shape, spacing_mm)
        return float(roi.sum() * np.prod(np.delete(spacing_mm, axis) if roi.shape[axis] == 1 else spacing_mm))

    def read(self):
        """Return `voxels`, `roi` and `spacing_mm`, checked; a case on disk keeps no voxels behind."""
        return self._contents()[:3]

    def stored_axes(self):
        """Return how the file stores its axes, to write maps and masks back in its order.

        A case on disk is read for it. The axes of arrays, and of PNG files, are those of the case.

        Returns
        -------
        StoredAxes
            With `to_stored(array)`, `to_anatomical(array)`, `is_anatomical` and `orientation`.

        Examples
        --------
        >>> import numpy as np
        >>> from radiodeep import Case
        >>> Case(np.eye(3), np.eye(3) > 0, "n-7", spacing_mm=(1, 1)).stored_axes().is_anatomical
        True
        """
        return self._contents()[3]

    def in_stored_order(self):
        """Return the case as checked arrays in the order in which its file stores them; arrays are unchanged."""
        image, roi, spacing_mm, axes = self._contents()
        spacing_mm = tuple(spacing_mm[axis] for axis in np.argsort(axes.order))
        changes = {"image": axes.to_stored(image), "mask": axes.to_stored(roi), "spacing_mm": spacing_mm}
        return self.replace(**changes, mask_label=None, axes=None)

    def acquisition(self):
        """Return the `Acquisition` of the case, which is read unless it was read before."""
        if self._acquisition is None:
            image, _, spacing_mm, axes = self._contents()
            self.__dict__["_acquisition"] = Acquisition.of(image, spacing_mm, axes.orientation)
        return self._acquisition

    def by_label(self):
        """Return a case for every label of the mask, with the id ``<id>-label<number>``.

        Returns
        -------
        list of Case
            In the order of the labels; their voxels are shared if this case is in memory.

        Examples
        --------
        >>> import numpy as np
        >>> from radiodeep import Case
        >>> mask = np.array([[[0, 1, 1], [2, 2, 2]]])
        >>> lesions = Case(np.ones((1, 2, 3)), mask, "CT-9", spacing_mm=(5, 1, 1)).by_label()
        >>> [(lesion.id, int(lesion.roi.sum())) for lesion in lesions]
        [('CT-9-label1', 2), ('CT-9-label2', 3)]
        """
        try:
            mask = read_volume(self.mask).voxels if isinstance(self.mask, Path) else self.mask
            labels = sorted(positive_labels(mask, self.id))
        except InputError as error:
            raise (error if str(error).startswith(f"{self.id}:") else type(error)(f"{self.id}: {error}")) from error
        if not labels:
            raise EmptyMaskError(f"{self.id}: the mask outlines no voxel. Draw the region or leave the case out.")
        return [self.replace(id=f"{self.id}-label{label}", mask_label=label, patient=self.patient) for label in labels]

    def in_memory(self):
        """Return the case as checked arrays; a case on disk keeps no voxels behind."""
        image, roi, spacing_mm, axes = self._contents()
        changes = {"image": image, "mask": roi, "spacing_mm": spacing_mm, "mask_label": None}
        return self.replace(**changes, axes=axes if axes.orientation else None)

    def replace(self, **changes):
        """Return a copy with some constructor arguments changed.

        To change voxels or regions that were read, begin with `in_memory`: an array beside a file is in the
        order of the file.
        """
        return self._restored(**{**self._arguments(), **changes})

    def content_hash(self):
        """Return a digest of all that the features of the case depend on: voxels, region and spacing as read.

        Equal for the same image in files of other formats; not changed by id, patient or label. Other for a file
        that is not stored in anatomical order, because some settings ask for that. A case on disk is read for it.

        Raises
        ------
        InputError
            The case cannot be read.

        Examples
        --------
        >>> import numpy as np
        >>> from radiodeep import Case
        >>> case = Case(np.eye(3), np.eye(3) > 0, "n-7", spacing_mm=(1, 1))
        >>> case.content_hash() == case.replace(id="n-8", label=1).content_hash()
        True
        >>> case.content_hash() == case.replace(spacing_mm=(1, 2)).content_hash()
        False
        """
        voxels, roi, spacing_mm, axes = self._contents()
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{voxels.dtype.str}{voxels.shape}{spacing_mm}".encode())
        digest.update(b"" if axes.is_anatomical else f"{axes.order}{axes.flipped}".encode())
        digest.update(np.ascontiguousarray(voxels))
        digest.update(np.packbits(roi))
        return digest.hexdigest()

    @classmethod
    def _restored(cls, *arguments, **named):
        """Return a case of arguments that were checked before: a crop may have the shape of a colour image."""
        case = object.__new__(cls)
        case._set(*arguments, **named)
        return case

    def _arguments(self):
        names = ("image", "mask", "id", "spacing_mm", "patient", "label", "mask_label")
        values = {name: self.__dict__.get(name) for name in names}
        return {**values, "spacing_mm": self._given_spacing, "axes": self._axes}

    def _contents(self):
        """Return voxels, region, spacing and `StoredAxes`; a case on disk keeps no voxels behind."""
        return self._read() if self._loaded is None and isinstance(self.image, Path) else self._load()

    def _load(self):
        if self._loaded is None:
            self.__dict__["_loaded"] = self._read()
        return self._loaded

    def _read(self):
        try:
            volume, mask, axes = self._volumes()
            spacing_mm = self._spacing_of(volume)
        except InputError as error:
            raise (error if str(error).startswith(f"{self.id}:") else type(error)(f"{self.id}: {error}")) from error
        image = volume.voxels
        if image.dtype.kind not in "biuf":
            raise UnsupportedImageError(f"{self.id}: the image holds {image.dtype} values. Expected numbers.")
        image = _as_plain_numbers(image)
        roi = region_of(mask.voxels, self.mask_label, self.id)
        if image.dtype.kind == "f" and not np.isfinite(image[roi]).all():
            count = int((~np.isfinite(image[roi])).sum())
            raise NonFiniteIntensityError(
                f"{self.id}: {count} of {int(roi.sum())} voxels of the region are NaN or infinite. "
                "Repair the image or leave those voxels out of the mask."
            )
        if isinstance(self.image, Path):  # so that it is known after the voxels are gone
            self.__dict__["_acquisition"] = Acquisition.of(image, spacing_mm, axes.orientation)
        return image, roi, spacing_mm, axes

    def _volumes(self):
        """Return image and mask in anatomical order, and how they were stored.

        What knows no axes, an array or a PNG, is stored as the file beside it, unless it comes from `in_memory`.
        """
        image, mask = _as_volume(self.image, self._given_spacing), _as_volume(self.mask)
        if image.has_spacing:
            axes = image.stored_axes()
            image = image.turned(axes)
            mask = mask.turned(mask.stored_axes(image) if mask.has_spacing else self._axes_beside(axes))
        elif mask.has_spacing:
            axes = mask.stored_axes()
            image, mask = image.turned(self._axes_beside(axes)), mask.turned(axes)
        else:
            axes = self._axes or StoredAxes()
        if isinstance(self.image, Path) and isinstance(self.mask, Path):
            check_same_grid(image, mask, self.id)
        elif image.voxels.shape != mask.voxels.shape:
            raise GeometryMismatchError(
                f"{self.id}: image and mask differ in size: the image has shape {image.voxels.shape}, "
                f"the mask {mask.voxels.shape} (z, y, x). Check that they belong together, and that an array beside "
                "a file is in the order of the file."
            )
        return image, mask, axes

    def _axes_beside(self, axes):
        """Return the axes of what knows none and lies beside a file with `axes`."""
        return axes if self._axes is None else StoredAxes()

    def _spacing_of(self, volume):
        given = self._given_spacing
        if given is None or not volume.has_spacing:
            return volume.spacing_mm
        if not np.allclose(given, volume.spacing_mm, rtol=1e-4):
            raise GeometryMismatchError(
                f"{self.id}: 'spacing_mm' says {given}, the file {volume.spacing_mm} (z, y, x). "
                "Leave 'spacing_mm' out where the file knows it."
            )
        return given


def _as_volume(source, spacing_mm=None):
    """Return what a file or an array holds; the spacing is taken unless the file knows it."""
    if not isinstance(source, Path):
        spacing_mm = spacing_mm or (1.0, 1.0, 1.0)
        return Volume(_three_axes(source), spacing_mm, np.zeros(3), np.eye(3), has_spacing=False)
    volume = read_volume(source)
    return volume if volume.has_spacing or spacing_mm is None else replace(volume, spacing_mm=spacing_mm)


def _as_source(value, name, case_id):
    if isinstance(value, str | PathLike):
        return Path(value)
    array = np.asarray(value)
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
        raise InputError(
            f"{case_id}: the '{name}' of a Case must be a path or an array of numbers in (z, y, x) or (y, x). "
            f"Got {type(value).__name__} of shape {array.shape} instead."
        )
    return array


def _refuse_colour(image, mask, case_id):
    if isinstance(image, Path) or image.ndim != 3 or image.shape[2] not in (3, 4):
        return
    of_plane = not isinstance(mask, Path) and mask.shape == image.shape[:2]
    if of_plane or (image.dtype == np.uint8 and min(image.shape[:2]) >= 16):
        raise UnsupportedImageError(
            f"{case_id}: an array of shape {image.shape} and type {image.dtype} looks like a colour image (y, x, "
            "channels). Give one channel, or their mean: image.mean(axis=2). If it is a volume (z, y, x), give it as "
            "int16: image.astype('int16')."
        )


def _checked_spacing(spacing_mm, image, case_id):
    try:
        spacing = tuple(float(step) for step in spacing_mm)
    except (TypeError, ValueError):
        spacing = ()
    if len(spacing) not in (2, 3) or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise InputError(
            f"{case_id}: the 'spacing_mm' of a Case must be 2 or 3 numbers > 0 in (z, y, x) order. "
            f"Got {spacing_mm!r} instead."
        )
    if len(spacing) == 2 and not isinstance(image, Path) and image.ndim == 3:
        raise InputError(
            f"{case_id}: the 'spacing_mm' of an image of shape {image.shape} (z, y, x) must be 3 numbers. "
            f"Got {spacing_mm!r} instead; add the distance of the slices in front."
        )
    return (1.0, *spacing) if len(spacing) == 2 else spacing


def _as_plain_numbers(image):
    """Return an image in a type that every filter takes, in native byte order."""
    kind, size = image.dtype.kind, image.dtype.itemsize
    if kind == "b":
        return image.view(np.uint8)
    if kind == "f" and size not in (4, 8):
        with np.errstate(over="ignore"):  # a long double beyond double precision becomes infinite, which is checked
            return image.astype(np.float32 if size == 2 else np.float64)
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _three_axes(array):
    return array[np.newaxis] if array.ndim == 2 else array
