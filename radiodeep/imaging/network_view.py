"""Case and settings -> array: the squares or the cube of a lesion that a network is shown.

Deep features and networks that are trained here take their input from `NetworkView` alone, so that a setting means the
same to both, and a setting that a network cannot use is refused by both.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from radiodeep.cases.memory import check_image_size
from radiodeep.cases.slice_plane import SLICE_AXES
from radiodeep.checks import is_count, is_non_negative, is_positive, require, require_option
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.imaging.crop import WINDOWS, crop_to_roi, resize_planes
from radiodeep.imaging.cube import cube_about, lesion_cube, resize_cube, share_in_cube
from radiodeep.imaging.intensity import are_limits, fill_gaps, is_intensity_range, scale_linearly, scale_to_unit
from radiodeep.imaging.planes import SLICES, lesion_planes, share_shown

VIEW_SETTINGS = ("window", "size", "slice", "intensity_range", "slice_axis", "pixel_mm")  # that all estimators have
_OPTIONS = {"window": WINDOWS, "slice": SLICES, "slice_axis": (None, *SLICE_AXES)}
_RULES = {
    "size": (lambda value: value is None or is_count(value, 1), "None or an int >= 1"),
    "intensity_range": (is_intensity_range, "None, 'minmax' or (low, high) with low < high"),
    "pixel_mm": (lambda value: value is None or is_positive(value), "None or a float > 0"),
    "margin": (is_non_negative, "a float >= 0"),
    "n_boxes": (lambda value: is_count(value, 1), "an int >= 1"),
}
_UNUSED_BY_CUBES = {"slice": "largest", "slice_axis": None, "pixel_mm": None, "margin": 0, "n_boxes": 1}


@dataclass(frozen=True)
class NetworkView:
    """What a network is shown of a lesion, the same in training and in use.

    The settings from `window` on are those of `lesion_planes`. Cubes have a `window`, a `size` and an `intensity_range`
    only, those without a spacing also a `margin`. Cubes with a spacing keep their `size`, since resizing would change
    the spacing. Those of a network without an intensity range of its own keep the intensities of the image (for example
    HU), clipped to an `intensity_range` of (low, high); others are scaled to 0..1. Cubes without a spacing are those of
    `lesion_cube`, scaled to 0..1 and resized to the side of the network. All have the axes of images; the network turns
    them to its orientation.
    """

    network_side: int  # of squares or cubes, in pixels
    dimensions: int = 2  # 2 for squares, 3 for a cube
    spacing_mm: float | None = None  # of the voxels of the network's cubes
    is_sequence: bool = False  # whether the network reads all slices of a lesion in order
    keeps_intensities: bool = False  # whether images keep the unit of the scanner, rather than being scaled to 0..1
    window: str = "exact"
    size: int | None = None
    slice: str = "largest"
    intensity_range: str | tuple | None = None
    slice_axis: str | None = None
    pixel_mm: float | None = None
    margin: float = 0.0
    n_boxes: int = 1

    @classmethod
    def for_network(cls, owner, network, specification, settings, auto=None):
        """Check the settings of an estimator and return the view of its network.

        `owner` and `network` are named in messages; `specification` is the `NetworkInput` of the network. `settings`
        are values of the view's settings by name, and `auto` what "auto" stands for, of those that may be "auto" (an
        automatic margin is 0 for crops). Without an intensity range, that of the network is taken, if it has one. Raise
        `InputError` for a setting that is out of range, or that the network cannot use.
        """
        auto = auto or {}
        automatic = {name: auto[name] for name in auto if isinstance(settings[name], str) and settings[name] == "auto"}
        for name, value in settings.items():
            if name not in automatic:
                _check_range(owner, name, value, name in auto)
        values = settings | automatic
        if values["window"] == "crop" and "margin" in automatic:
            values["margin"] = 0.0
        if values["intensity_range"] is None:
            values["intensity_range"] = specification.intensity_range
        view = cls(
            specification.size,
            specification.dimensions,
            specification.spacing_mm,
            specification.sequence,
            specification.own_units,
            **values,
        )
        view._check_use(network, specification)
        return view

    @property
    def side(self):
        """Side of the window in pixels, before it is resized to that of the network."""
        return self.size or self.network_side

    @property
    def n_windows(self):
        """Number of windows per slice."""
        return self.n_boxes if self.dimensions == 2 else 1

    def images(self, case):
        """Return what the network is shown of a case, as float32.

        The shape is (n_windows * n_slices, n_planes, network_side, network_side), all slices of the first window first;
        that of cubes (1, 1, side, side, side), with the side of the network unless they have a spacing.
        """
        if self.dimensions == 3:
            return self._cube(case)[np.newaxis, np.newaxis]
        planes = lesion_planes(
            case,
            self._slices_shown,
            self.window,
            self.side,
            self.intensity_range,
            slice_axis=self.slice_axis,
            pixel_mm=self.pixel_mm,
            margin=self.margin,
            n_boxes=self.n_boxes,
        )
        return np.stack([resize_planes(image, self.network_side) for image in planes])

    def images_of_array(self, planes):
        """Return what the network is shown of a float32 array (n_planes, height, width), which is the whole image.

        The shape is that of `images`. Without an `intensity_range`, intensities are taken to be in 0..1 already. In a
        sequence, slices that are all NaN are padding and left out.
        """
        planes = self._scaled(planes)
        if self.dimensions == 3:
            return resize_cube(planes, self.network_side)[np.newaxis, np.newaxis]
        if self.is_sequence:
            planes = planes[~np.isnan(planes).all(axis=(1, 2))]
            return resize_planes(planes, self.network_side)[:, np.newaxis]
        return resize_planes(planes, self.network_side)[np.newaxis]

    def share_shown(self, case):
        """Return the share of the region within the window, in the slices that are shown; 1 for the exact window."""
        if self.window == "exact":
            return 1.0
        if self.dimensions == 3:
            return share_in_cube(case, self.side, self.spacing_mm)
        return share_shown(case, self._slices_shown, self.side, slice_axis=self.slice_axis, pixel_mm=self.pixel_mm)

    def acquisition_needs(self):
        """Return what images must have in common for a network to see the same of them, as for `mixtures`."""
        if self.dimensions == 3:  # a box that is warped is as sharp as the voxels of its image
            return set() if self.spacing_mm is not None and self.window == "crop" else {"spacing"}
        if self.slice == "three-orthogonal":
            return {"pixels_z", "pixels_y", "pixels_x"} if self.pixel_mm is None else set()
        across = None if self.slice_axis is None else "zyx"[SLICE_AXES[self.slice_axis]]
        needs = {"plane"} if across is None else set()
        if self.pixel_mm is None:
            needs |= {"pixels"} if across is None else {f"pixels_{letter}" for letter in "zyx" if letter != across}
        if self.is_sequence or self.slice == "2.5d":
            needs.add(f"spacing_{across or 'across'}")
        return needs

    @property
    def _slices_shown(self):
        return "all" if self.is_sequence else self.slice

    def _cube(self, case):
        if self.spacing_mm is None:
            cube = lesion_cube(case, self.window, self.side, self.intensity_range, self.margin)
            return resize_cube(cube, self.network_side)
        lesion = fill_gaps(case.lesion(), self.intensity_range)
        if self.window == "crop":
            cube = cube_about(lesion, self.side, self.spacing_mm)
        else:
            cube = resize_cube(crop_to_roi(lesion).voxels, self.side)
        return self._scaled(cube)

    def _scaled(self, image):
        """Return intensities on the scale that the network is shown; NaN stays NaN."""
        limits = self.intensity_range
        if limits is None:
            return image
        if self.keeps_intensities:
            return np.clip(image, *limits)
        if isinstance(limits, str):
            return np.where(np.isnan(image), np.nan, scale_to_unit(image)).astype(np.float32)
        return scale_linearly(image, *limits)

    def _check_use(self, network, specification):
        """Raise InputError for a setting that the network would ignore, or that leaves it without an image."""
        n_channels = specification.channels
        shown = f"'{network}' is shown a cube"
        unused = []
        if self.dimensions == 3:
            unused = [name for name, unset in _UNUSED_BY_CUBES.items() if getattr(self, name) != unset]
            if self.spacing_mm is None and "margin" in unused:
                unused.remove("margin")
        if self.keeps_intensities and isinstance(self.intensity_range, str):
            shown += " in the intensities of the image"
            unused.append("intensity_range")
        if self.is_sequence and self.slice not in ("largest", "all"):
            shown = f"'{network}' is shown all slices of a lesion in order"
            unused.append("slice")
        if self.slice == "three-orthogonal" and self.slice_axis is not None:
            shown = "slice='three-orthogonal' cuts across every axis"
            unused.append("slice_axis")
        if self.window == "crop" and self.margin != 0:
            shown = "window='crop' has a fixed size"
            unused.append("margin")
        if unused:
            raise InputError(
                f"{shown}, so {unused[0]}={getattr(self, unused[0])!r} has no meaning. Leave {unused[0]} out."
            )
        if self.slice == "2.5d" and n_channels != 3:
            raise InputError(
                f"slice='2.5d' gives one slice to each of three channels. '{network}' has {n_channels}; choose another "
                "slice, or a network with three channels."
            )
        if self.spacing_mm is not None and specification.fixed_size and self.side != self.network_side:
            raise InputError(
                f"'{network}' takes cubes of {self.network_side} voxels. Got size={self.size} instead. Leave size out."
            )
        kind = "window" if self.dimensions == 2 else "cube"
        check_image_size((self.side,) * self.dimensions, f"A {kind} of size={self.size}", "Use a smaller size.")


def _check_range(owner, name, value, may_be_auto):
    """Raise InputError, in the name of the owner, for a setting that no network could use."""
    if name in _OPTIONS:
        require_option(value, ("auto", *_OPTIONS[name]) if may_be_auto else _OPTIONS[name], owner, name)
    else:
        is_allowed, allowed = _RULES[name]
        prefix = "" if not may_be_auto else "'auto', " if " or " in allowed else "'auto' or "
        require(is_allowed(value), owner, name, prefix + allowed, value)


def warn_of_constant_image(case_id, intensity_range, stacklevel=5):
    """Warn that everything a network sees of a case has the same intensity."""
    limits = f", and that intensity_range={intensity_range!r} fits the image" if are_limits(intensity_range) else ""
    warnings.warn(
        f"{case_id}: everything the network sees has the same intensity, so its features say nothing about the lesion. "
        "Check that image and mask are not swapped or empty and that the region has more than one "
        f"voxel{limits}.",
        RadiodeepWarning,
        stacklevel=stacklevel,
    )
