"""In: files or arrays of an image and its mask. Out: a `Case`, read on first use."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from radiodeep.cases.lesion import Lesion
from radiodeep.cases.masks import regions_of
from radiodeep.cases.naming import naming, naming_image
from radiodeep.cases.picture import case_html
from radiodeep.cases.reading import AS_IT_IS
from radiodeep.cases.sources import (
    checked_choices,
    checked_follow_up,
    checked_sources,
    masks_read_once,
    read_sources,
    refuse_colours,
)
from radiodeep.checks import invalid, is_count
from radiodeep.exceptions import AmbiguousImageError, InputError, MissingImageError

_ARGUMENTS = (
    "image", "mask", "id", "spacing_mm", "patient", "label", "mask_label", "axes", "time", "event", "clinical",
    "repeats", "roi_name", "reading",
)  # fmt: skip
_CHOSEN = {"mask_label": None, "roi_name": None}  # of a mask that is the region


class Case:
    """One or several images of a lesion with its region of interest. Frozen: `replace` gives a changed copy.

    Parameters
    ----------
    image, mask : path-like or ndarray of shape (z, y, x) or (y, x), or dict of them by name
        Files, and folders of a DICOM series, are read on first use. Every voxel of the mask that is not 0 belongs to
        the region, unless the mask holds several labels or negative values: then `mask_label` chooses one; the mask
        "whole" is the whole image. An array given with a file is in the order of the file. Several images are by name,
        ``{"T1": ..., "PET": ...}``, None for one that the patient lacks; they share one mask on the same grid, or have
        masks by the same names.
    id : str
        Name of the case; every message about it begins with the id.
    spacing_mm : sequence of floats, optional
        Size of a voxel in the order of the array's axes: three numbers, or two for an image of shape (y, x).
        Needed for arrays; read from the file otherwise (a picture has none: 1 mm is assumed unless it is given).
        If the file knows it, the two are compared, in anatomical order. A dict for images that differ.
    patient : str, optional
        Cases of one patient stay together in cross-validation. The id by default.
    label : optional
        The outcome, e.g. 0 or 1.
    mask_label : int or "any", optional
        The value of the region in a mask of several labels; "any" takes all regions together as one. A negative
        value belongs to a region only if it is named here.
    time : float, optional
        Follow-up of the patient, > 0, until the event or until it ended without one; in any unit.
    event : bool, optional
        Whether the event happened; given with `time`.
    clinical : dict, optional
        What else is known of the patient, e.g. ``{"age": 63, "stage": "II"}``; None for a value that is unknown.
    repeats : dict from str to Case, optional
        The same lesion measured again, e.g. outlined by ``"reader2"`` or imaged in a ``"retest"``.
    roi_name : str or list of str, optional
        Name of the region in a mask file that holds regions by name: a structure set (RTSTRUCT) or segmentation (SEG)
        in DICOM, a mask with a table of labels, or a folder with a mask per organ. ``*`` and ``?`` stand for any
        letters. Of a list the union is taken. Given instead of `mask_label`; may be left out if there is only one.
    reading : Reading, optional
        Choices in reading the files, e.g. ``Reading(resample_mask=True)``.

    Attributes
    ----------
    image_names : tuple of str
        The names of several images; empty for a case of one.
    shares_mask : bool
        Whether one mask serves all images.
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
    Image and mask may be stored in different orders. Arrays and pictures are used as they are. `stored_axes` brings
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
        self, image, mask, id, spacing_mm=None, patient=None, label=None, mask_label=None, time=None, event=None,
        clinical=None, repeats=None, roi_name=None, reading=None,
    ):  # fmt: skip
        known = (patient, label, mask_label, None, time, event, clinical, repeats, roi_name, reading)
        self._set(image, mask, id, spacing_mm, *known)
        refuse_colours(self.image, self.mask, id)

    def _set(
        self, image, mask, id, spacing_mm, patient, label, mask_label, axes=None, time=None, event=None, clinical=None,
        repeats=None, roi_name=None, reading=None,
    ):  # fmt: skip
        if not isinstance(id, str) or not id:
            raise invalid("Case", "id", "a non-empty str", id)
        self.__dict__["id"] = id
        try:
            image, mask, spacing_mm = checked_sources(image, mask, spacing_mm, reading)
            if not (mask_label is None or mask_label == "any" or is_count(mask_label, -np.inf)):
                raise invalid("Case", "mask_label", "an int or 'any'", mask_label)
            if time is not None or event is not None:
                time, event = checked_follow_up(time, event)
            for name, value in (("clinical", clinical), ("repeats", repeats)):
                if not isinstance(value, Mapping | None):
                    raise invalid("Case", name, "a dict", value)
            if roi_name is not None or reading is not None:
                roi_name = checked_choices(roi_name, reading, mask, mask_label)
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
            "clinical": MappingProxyType(dict(clinical or {})),
            "repeats": MappingProxyType(dict(repeats or {})),
            "roi_name": roi_name,
            "reading": reading or AS_IT_IS,
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
        source = (
            f"array {self.image.shape}" if isinstance(self.image, np.ndarray) else getattr(self.image, "name", None)
        )
        source = self.image_names if source is None else source
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
    def image_names(self):
        return tuple(self.image) if isinstance(self.image, dict) else ()

    @property
    def shares_mask(self):
        return not isinstance(self.mask, dict)

    def of_image(self, name):
        """Return the case with only one of its images, and all else that is known of it.

        Raises
        ------
        MissingImageError
            The case has no image of this name, or it is None.

        Examples
        --------
        >>> import numpy as np
        >>> from radiodeep import Case
        >>> images = {"T1": np.eye(3), "PET": None}
        >>> case = Case(images, np.eye(3) > 0, "n-7", spacing_mm=(1, 1))
        >>> case.of_image("T1").voxels.shape
        (1, 3, 3)
        >>> case.of_image("PET")
        Traceback (most recent call last):
        ...
        radiodeep.exceptions.MissingImageError: n-7: there is no image 'PET'; it has T1.
        """
        there = [known for known in self.image_names if self.image[known] is not None]
        if name not in there:
            known = ", ".join(there) or "one image without a name"
            raise MissingImageError(f"{self.id}: there is no image {name!r}; it has {known}.")
        parts = self.__dict__["_lesion"] = self._lesion or {}  # kept, so that what is learned of a part is
        if name not in parts:
            by_name = ("image", "mask", "spacing_mm", "axes")
            arguments = self._arguments()
            changes = {key: arguments[key][name] for key in by_name if isinstance(arguments[key], dict)}
            parts[name] = self._restored(**{**arguments, **changes, "reading": self.reading.of_image(name)})
        return parts[name]

    @property
    def roi_size_mm(self):
        """Volume of the region in mm³, or its area in mm² in an image of one slice; of several images the first."""
        return next(iter(self.single_images().values())).lesion().roi_size_mm

    def single_images(self):
        """Return the cases of its images that are there, by name; {"": case} for a case of one image."""
        if not self.image_names:
            return {"": self}
        return {name: self.of_image(name) for name in self.image_names if self.image[name] is not None}

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

        A case on disk is read for it. The axes of arrays, and of pictures, are those of the case.

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
        """Return a case for every region of the mask, with the id ``<id>-label<number>`` or ``<id>-<name>``.

        Returns
        -------
        list of Case
            In the order of the labels, or that of the names in a structure set, a DICOM segmentation or a folder of
            organs; of those that `roi_name` chooses if it is given. Voxels are shared if this case is in memory.

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
            masks = [self.mask] if self.shares_mask else [mask for mask in self.mask.values() if mask is not None]
            parts = regions_of(masks, self.roi_name, self.reading)
        return [self.replace(id=f"{self.id}-{part}", patient=self.patient, **choice) for part, choice in parts.items()]

    def in_memory(self, images=None):
        """Return the case as checked arrays, of several images those named; a case on disk keeps no voxels behind."""
        if not self.image_names:
            return self._holding(self.lesion())
        with masks_read_once():
            chosen = {name: part for name, part in self.single_images().items() if images is None or name in images}
            parts = {name: naming_image(self, name)(part.in_memory)() for name, part in chosen.items()}
        arguments = {name: part._arguments() for name, part in parts.items()}
        changes = {
            key: {name: arguments[name][key] if name in parts else None for name in self.image_names}
            for key in ("image", "mask", "spacing_mm", "axes")
        }
        regions = [part.roi for part in parts.values()]  # contours may have been drawn on images of several grids
        if self.shares_mask and all(np.array_equal(regions[0], other) for other in regions[1:]):
            changes["mask"] = regions[0]
        case = self.replace(**changes, **_CHOSEN)
        case.__dict__["_lesion"] = parts
        return case

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
        if self.image_names:
            return "".join(f"{name}:{part.content_hash()}" for name, part in self.single_images().items())
        return self.lesion().content_hash()

    @classmethod
    def _restored(cls, *arguments, **named):
        """Return a case without looking for colour images, whose shape a crop of a volume may have."""
        case = object.__new__(cls)
        case._set(*arguments, **named)
        return case

    def _arguments(self):
        values = {name: self.__dict__.get(name) for name in _ARGUMENTS}
        own = {"spacing_mm": self._given_spacing, "axes": self._axes}
        return values | own | {"clinical": dict(self.clinical), "repeats": dict(self.repeats)}

    def _holding(self, lesion):
        """Return the case in memory, with a lesion that needs no further check."""
        axes = lesion.axes if lesion.axes.orientation else None
        case = self.replace(image=lesion.voxels, mask=lesion.roi, spacing_mm=lesion.spacing_mm, axes=axes, **_CHOSEN)
        case.__dict__["_lesion"] = lesion
        return case

    def _kept_lesion(self):
        if self._lesion is None or self.image_names:
            self.__dict__["_lesion"] = self._read()
        return self._lesion

    def _read(self):
        if self.image_names:
            raise AmbiguousImageError(
                f"{self.id}: the case has {len(self.image_names)} images, {', '.join(self.image_names)}. Choose one: "
                f"case.of_image('{self.image_names[0]}'), cohort.of_image('{self.image_names[0]}'), or image= of an "
                "extractor."
            )
        with naming(self):
            chosen = (self.id, self.roi_name or (() if self.mask_label == "any" else None), self.reading)
            image, mask, axes = read_sources(self.image, self.mask, self._given_spacing, self._axes, *chosen)
            lesion = Lesion.checked(image.voxels, mask.voxels, image.spacing_mm, self.id, axes, self.mask_label)
        if isinstance(self.image, Path):  # known after the voxels are gone
            self.__dict__["_acquisition"] = lesion.acquisition()
        return lesion
