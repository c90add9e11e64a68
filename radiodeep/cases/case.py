"""In: files or arrays of an image and its mask. Out: a `Case`, read on first use."""

from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from radiodeep.cases.lesion import Lesion
from radiodeep.cases.mask_labels import NO_VOXEL, positive_labels
from radiodeep.cases.naming import naming
from radiodeep.cases.picture import case_html
from radiodeep.cases.readers import read_volume
from radiodeep.cases.volume import StoredAxes, Volume, check_same_grid
from radiodeep.checks import invalid, is_count, is_option, is_positive
from radiodeep.exceptions import EmptyMaskError, GeometryMismatchError, InputError, UnsupportedImageError


class Case:
    """One image with its region of interest. Frozen: `replace` gives a changed copy.

    Parameters
    ----------
    image, mask : path-like or ndarray of shape (z, y, x) or (y, x)
        Files are read on first use. Every voxel of the mask that is not 0 belongs to the region, unless the mask holds
        several labels or negative values: then `mask_label` chooses one. An array given with a file is in the order in
        which the file stores its voxels.
    id : str
        Name of the case; every message about it begins with the id.
    spacing_mm : sequence of floats, optional
        Size of a voxel in the order of the array's axes: three numbers, or two for an image of shape (y, x).
        Needed for arrays; read from the file otherwise (a PNG file has none: 1 mm is assumed unless it is given).
        If the file knows it, the two are compared, in anatomical order.
    patient : str, optional
        Cases of one patient stay together in cross-validation. The id by default.
    label : optional
        The outcome, e.g. 0 or 1.
    mask_label : int or "any", optional
        The value of the region in a mask of several labels; "any" takes them together as one region. A negative
        value belongs to a region only if it is named here.
    time : float, optional
        Follow-up of the patient, > 0, until the event or until it ended without one; in any unit.
    event : bool, optional
        Whether the event happened; given with `time`.

    Attributes
    ----------
    voxels : ndarray of shape (z, y, x)
        Intensities as stored, in native byte order; a 2-D image is one slice. Booleans become uint8, half precision
        float32, and long doubles float64. Files are read in anatomical order (see Notes).
    roi : bool ndarray of shape (z, y, x)
        The region of interest; never empty.
    spacing_mm : tuple of three floats
        In (z, y, x) order.

    Raises
    ------
    InputError
        By the constructor for wrong arguments (an array without numbers, a colour image, a missing spacing). One of its
        subclasses when `voxels`, `roi` or `spacing_mm` are first used: unreadable or truncated files, image and mask on
        different grids, an empty or ambiguous mask, NaN inside the region.

    Notes
    -----
    A case that came from disk pickles as its paths, not its voxels.

    The axes of a file are permuted and flipped on reading, so that the indices along (z, y, x) increase towards
    Superior, Posterior and Left: the same lesion gives the same arrays, however the file stores it. Oblique images are
    brought to the nearest such order and are not resampled. In an image of one slice the slice axis stays in front.
    Image and mask may be stored in different orders. Arrays and PNG files are used as they are. `stored_axes` brings
    maps and masks back to the order of the file.

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

    def __init__(
        self, image, mask, id, spacing_mm=None, patient=None, label=None, mask_label=None, time=None, event=None
    ):
        self._set(image, mask, id, spacing_mm, patient, label, mask_label, None, time, event)
        if _looks_coloured(self.image, self.mask):
            raise UnsupportedImageError(
                f"{id}: an array of shape {self.image.shape} and type {self.image.dtype} looks like a colour image "
                "(y, x, channels). Give one channel, or their mean: image.mean(axis=2). If it is a volume (z, y, x), "
                "give it as int16: image.astype('int16')."
            )

    def _set(self, image, mask, id, spacing_mm, patient, label, mask_label, axes=None, time=None, event=None):
        if not isinstance(id, str) or not id:
            raise invalid("Case", "id", "a non-empty str", id)
        self.__dict__["id"] = id
        try:
            image = _as_source(image, "image")
            mask = _as_source(mask, "mask")
            if not (mask_label is None or mask_label == "any" or is_count(mask_label, -np.inf)):
                raise invalid("Case", "mask_label", "an int or 'any'", mask_label)
            if time is not None or event is not None:
                time, event = _checked_follow_up(time, event)
            if spacing_mm is not None:
                spacing_mm = _checked_spacing(spacing_mm, image)
            elif not isinstance(image, Path):
                raise InputError(
                    "an image given as an array needs 'spacing_mm', the size of its voxels in (z, y, x) order."
                )
        except InputError:
            with naming(self):  # not around the checks, which would take longer for each of 100,000 cases
                raise
        state = {
            "image": image,
            "mask": mask,
            "patient": id if patient is None else patient,
            "label": label,
            "mask_label": mask_label,
            "time": time,
            "event": event,
            "_given_spacing": spacing_mm,
            "_axes": axes,
            "_lesion": None,
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
        follow_up = "" if self.time is None else f", time={self.time!r}, event={self.event!r}"
        return f"Case(id={self.id!r}, image={source!r}, label={self.label!r}{follow_up})"

    def _repr_html_(self):
        return case_html(self)

    @property
    def voxels(self):
        return self._kept_lesion().voxels

    @property
    def roi(self):
        return self._kept_lesion().roi

    @property
    def spacing_mm(self):
        return self._kept_lesion().spacing_mm

    @property
    def roi_size_mm(self):
        """Volume of the region in mm³, or its area in mm² in an image of one slice."""
        return self.lesion().roi_size_mm

    def lesion(self):
        """Return the checked arrays of the case as a `Lesion`; a case on disk keeps no voxels behind."""
        if self._lesion is None and isinstance(self.image, Path):
            return self._read()
        return self._kept_lesion()

    def read(self):
        """Return `voxels`, `roi` and `spacing_mm`, checked; a case on disk keeps no voxels behind."""
        return self.lesion().read()

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
        return self.lesion().axes

    def in_stored_order(self):
        """Return the case as checked arrays in the order in which its file stores them; arrays are unchanged."""
        return self._holding(self.lesion().in_stored_order())

    def acquisition(self):
        """Return the `Acquisition` of the case, which is read unless it was read before."""
        if self._acquisition is None:
            self.__dict__["_acquisition"] = self.lesion().acquisition()
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
        with naming(self):
            mask = read_volume(self.mask).voxels if isinstance(self.mask, Path) else self.mask
            labels = sorted(positive_labels(mask))
            if not labels:
                raise EmptyMaskError(NO_VOXEL)
        return [self.replace(id=f"{self.id}-label{label}", mask_label=label, patient=self.patient) for label in labels]

    def in_memory(self):
        """Return the case as checked arrays; a case on disk keeps no voxels behind."""
        return self._holding(self.lesion())

    def replace(self, **changes):
        """Return a copy with some constructor arguments changed.

        An array given with a file is in the order of the file. To change voxels or regions that were read, begin with
        `in_memory`.
        """
        return self._restored(**{**self._arguments(), **changes})

    def content_hash(self):
        """Return a digest of all that the features of the case depend on: voxels, region and spacing as read.

        It is the same for the same image in other file formats, and whatever the id, patient or label. It differs for
        a file that is not stored in anatomical order, since some settings depend on that. A case on disk is read.

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
        return self.lesion().content_hash()

    @classmethod
    def _restored(cls, *arguments, **named):
        """Return a case without looking for colour images, whose shape a crop of a volume may have."""
        case = object.__new__(cls)
        case._set(*arguments, **named)
        return case

    def _arguments(self):
        names = ("image", "mask", "id", "spacing_mm", "patient", "label", "mask_label")
        values = {name: self.__dict__.get(name) for name in names}
        values |= {"spacing_mm": self._given_spacing, "axes": self._axes}
        return values | {"time": self.time, "event": self.event}

    def _holding(self, lesion):
        """Return the case in memory, with a lesion that needs no further check."""
        axes = lesion.axes if lesion.axes.orientation else None
        case = self.replace(
            image=lesion.voxels, mask=lesion.roi, spacing_mm=lesion.spacing_mm, mask_label=None, axes=axes
        )
        case.__dict__["_lesion"] = lesion
        return case

    def _kept_lesion(self):
        if self._lesion is None:
            self.__dict__["_lesion"] = self._read()
        return self._lesion

    def _read(self):
        with naming(self):
            volume, mask, axes = self._volumes()
            spacing_mm = self._spacing_of(volume)
            lesion = Lesion.checked(volume.voxels, mask.voxels, spacing_mm, self.id, axes, self.mask_label)
        if isinstance(self.image, Path):  # known after the voxels are gone
            self.__dict__["_acquisition"] = lesion.acquisition()
        return lesion

    def _volumes(self):
        """Return image and mask in anatomical order, and the `StoredAxes`.

        Arrays and PNG files know no axes: they are in the order of the file that they are given with, or in anatomical
        order if they come from `in_memory`.
        """
        image, mask = _as_volume(self.image, self._given_spacing), _as_volume(self.mask)
        if image.has_spacing:
            axes = image.stored_axes()
            image = image.turned(axes)
            mask = mask.turned(mask.stored_axes(image) if mask.has_spacing else self._axes_without_header(axes))
        elif mask.has_spacing:
            axes = mask.stored_axes()
            image = image.turned(self._axes_without_header(axes))
            mask = mask.turned(axes)
        else:
            axes = self._axes or StoredAxes()
        if isinstance(self.image, Path) and isinstance(self.mask, Path):
            check_same_grid(image, mask, self.id)
        elif image.voxels.shape != mask.voxels.shape:
            raise GeometryMismatchError(
                f"image and mask differ in size: the image has shape {image.voxels.shape}, "
                f"the mask {mask.voxels.shape} (z, y, x). Check that they belong together, and that an array beside "
                "a file is in the order of the file."
            )
        return image, mask, axes

    def _axes_without_header(self, axes):
        """Return the axes of an array or a PNG file that is given with a file with `axes`."""
        return axes if self._axes is None else StoredAxes()

    def _spacing_of(self, volume):
        given = self._given_spacing
        if given is None or not volume.has_spacing:
            return volume.spacing_mm
        if not np.allclose(given, volume.spacing_mm, rtol=1e-4):
            raise GeometryMismatchError(
                f"'spacing_mm' says {given}, the file {volume.spacing_mm} (z, y, x). "
                "Leave 'spacing_mm' out where the file knows it."
            )
        return given


def _as_volume(source, spacing_mm=None):
    """Return the `Volume` of a file or an array; the spacing is used unless the file knows its own."""
    if not isinstance(source, Path):
        spacing_mm = spacing_mm or (1.0, 1.0, 1.0)
        return Volume(_three_axes(source), spacing_mm, np.zeros(3), np.eye(3), has_spacing=False)
    volume = read_volume(source)
    return volume if volume.has_spacing or spacing_mm is None else replace(volume, spacing_mm=spacing_mm)


def _as_source(value, name):
    if isinstance(value, str | PathLike):
        return Path(value)
    array = np.asarray(value)
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
        raise InputError(
            f"the '{name}' of a Case must be a path or an array of numbers in (z, y, x) or (y, x). "
            f"Got {type(value).__name__} of shape {array.shape} instead."
        )
    return array


def _looks_coloured(image, mask):
    if isinstance(image, Path) or image.ndim != 3 or image.shape[2] not in (3, 4):
        return False
    is_mask_of_plane = not isinstance(mask, Path) and mask.shape == image.shape[:2]
    return is_mask_of_plane or (image.dtype == np.uint8 and min(image.shape[:2]) >= 16)


def _checked_follow_up(time, event):
    if not is_positive(time):
        raise invalid("Case", "time", "a number > 0, given with 'event'", time)
    if not is_option(event, (False, True)):
        raise invalid("Case", "event", "True or False, given with 'time'", event)
    return float(time), bool(event)


def _checked_spacing(spacing_mm, image):
    try:
        spacing = tuple(float(step) for step in spacing_mm)
    except (TypeError, ValueError):
        spacing = ()
    if len(spacing) not in (2, 3) or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise invalid("Case", "spacing_mm", "2 or 3 numbers > 0 in (z, y, x) order", spacing_mm)
    if len(spacing) == 2 and not isinstance(image, Path) and image.ndim == 3:
        raise InputError(
            f"the 'spacing_mm' of an image of shape {image.shape} (z, y, x) must be 3 numbers. "
            f"Got {spacing_mm!r} instead; add the distance of the slices in front."
        )
    return (1.0, *spacing) if len(spacing) == 2 else spacing


def _three_axes(array):
    return array[np.newaxis] if array.ndim == 2 else array
