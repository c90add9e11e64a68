"""Case and settings -> array: the squares or the cube of a lesion that a network sees.

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
from radiodeep.imaging.intensity import (
    fill_gaps,
    is_intensity_range,
    is_window,
    scale_to_unit,
    window_intensities,
)
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

    Parameters
    ----------
    network_side : int
        Side of the network's squares or cubes in pixels.
    dimensions : {2, 3}, default=2
        2 for squares, 3 for a cube.
    spacing_mm : float, optional
        Voxel spacing of the network's cubes. Cubes with a spacing keep the intensities of the image (for example HU),
        clipped to an `intensity_range` of (low, high), and their `size`, since resizing would change the spacing.
        Cubes without one are those of `lesion_cube`, scaled to 0..1 and resized to the side of the network.
    is_sequence : bool, default=False
        Whether the network reads all slices of a lesion in order.
    window, size, slice, intensity_range, slice_axis, pixel_mm, margin, n_boxes
        As in `lesion_planes`. `size` is by default the side of the network. Cubes have a `window`, a `size` and an
        `intensity_range` only.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.network_view import NetworkView
    >>> view, case = NetworkView(64, window="crop", size=16), make_phantom_cohort(1, random_state=0)[0]
    >>> round(view.share_shown(case), 2)
    0.76
    """

    network_side: int
    dimensions: int = 2
    spacing_mm: float | None = None
    is_sequence: bool = False
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

        Parameters
        ----------
        owner : estimator
            Named in messages.
        network : str
            Name of the network.
        specification : NetworkInput
            Or another object with its `size`, `channels`, `dimensions`, `spacing_mm` and `sequence`.
        settings : dict
            Values of some of the last eight parameters of `NetworkView`.
        auto : dict, optional
            The values that "auto" stands for, of the settings that may be "auto".

        Returns
        -------
        NetworkView

        Raises
        ------
        InputError
            If a setting is out of range, or if the network cannot use it.
        """
        auto = auto or {}
        is_auto = {
            name: name in auto and isinstance(value, str) and value == "auto" for name, value in settings.items()
        }
        for name, value in settings.items():
            if not is_auto[name]:
                _check_range(owner, name, value, name in auto)
        values = {name: auto[name] if is_auto[name] else value for name, value in settings.items()}
        if values["window"] == "crop" and is_auto.get("margin"):
            values["margin"] = 0.0
        view = cls(
            specification.size, specification.dimensions, specification.spacing_mm, specification.sequence, **values
        )
        view._check_use(network, specification.channels)
        return view

    @property
    def side(self):
        """Side of the window in pixels, before it is resized to that of the network."""
        return self.size or self.network_side

    @property
    def n_windows(self):
        """Number of windows per slice."""
        return self.n_boxes if self.dimensions == 2 else 1

    @property
    def keeps_intensities(self):
        """Whether images keep the unit of the scanner, rather than being scaled to 0..1."""
        return self.spacing_mm is not None

    def images(self, case):
        """Return what the network sees of a case.

        Returns
        -------
        float32 ndarray
            Of shape (n_windows * n_slices, n_planes, network_side, network_side), all slices of the first window first;
            for cubes of shape (1, 1, side, side, side).
        """
        if self.dimensions == 3:
            return self._cube(case)[np.newaxis, np.newaxis]
        planes = lesion_planes(
            case,
            self._slice,
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
        """Return what the network sees of an image that is given as an array, and shown whole.

        Parameters
        ----------
        planes : float32 ndarray of shape (n_planes, height, width)
            In the range 0..1 already if `intensity_range` is None. In a sequence, slices that are all NaN are padding
            and left out.

        Returns
        -------
        float32 ndarray
            Of the shapes that `images` returns.
        """
        planes = self._scaled(planes)
        if self.dimensions == 3:
            return resize_cube(planes, self.network_side)[np.newaxis, np.newaxis]
        if self.is_sequence:
            planes = planes[~np.isnan(planes).all(axis=(1, 2))]
            return resize_planes(planes, self.network_side)[:, np.newaxis]
        return resize_planes(planes, self.network_side)[np.newaxis]

    def share_shown(self, case):
        """Return the share of the region that the network sees, of the slices that it sees; 1 for the exact window."""
        if self.window == "exact":
            return 1.0
        if self.dimensions == 3:
            return share_in_cube(case, self.side, self.spacing_mm)
        return share_shown(case, self._slice, self.side, slice_axis=self.slice_axis, pixel_mm=self.pixel_mm)

    def acquisition_needs(self):
        """Return what images must have in common for a network to see the same of them, as for `mixtures`."""
        if self.dimensions == 3:  # a box that is warped is as sharp as the voxels of its image
            return set() if self.keeps_intensities and self.window == "crop" else {"spacing"}
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
    def _slice(self):
        return "all" if self.is_sequence else self.slice

    def _cube(self, case):
        if not self.keeps_intensities:
            return resize_cube(lesion_cube(case, self.window, self.side, self.intensity_range), self.network_side)
        whole = fill_gaps(case.in_memory(), self.intensity_range)
        if self.window == "crop":
            cube = cube_about(whole, self.side, self.spacing_mm)
        else:
            cube = resize_cube(crop_to_roi(whole).voxels, self.side)
        return self._scaled(cube)

    def _scaled(self, image):
        """Return intensities as the network sees them; NaN stays NaN."""
        limits = self.intensity_range
        if limits is None:
            return image
        if self.keeps_intensities:
            return np.clip(image, *limits)
        if isinstance(limits, str):
            return np.where(np.isnan(image), np.nan, scale_to_unit(image)).astype(np.float32)
        return window_intensities(image, *limits)

    def _check_use(self, network, n_channels):
        """Raise InputError for a setting that the network would ignore, or that leaves it without an image."""
        shown = f"'{network}' is shown a cube"
        unused = []
        if self.dimensions == 3:
            unused = [name for name, unset in _UNUSED_BY_CUBES.items() if getattr(self, name) != unset]
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
        kind = "window" if self.dimensions == 2 else "cube"
        check_image_size((self.side,) * self.dimensions, f"A {kind} of size={self.size}", "Use a smaller size.")


def _check_range(owner, name, value, may_be_auto):
    if name in _OPTIONS:
        require_option(value, ("auto", *_OPTIONS[name]) if may_be_auto else _OPTIONS[name], owner, name)
    else:
        is_allowed, allowed = _RULES[name]
        require(is_allowed(value), owner, name, f"'auto', {allowed}" if may_be_auto else allowed, value)


def warn_of_constant_image(case_id, intensity_range):
    """Warn that everything a network sees of a case has the same intensity."""
    limits = f", and that intensity_range={intensity_range!r} fits the image" if is_window(intensity_range) else ""
    warnings.warn(
        f"{case_id}: everything the network sees has the same intensity, so its features say nothing about the lesion. "
        "Check that image and mask are not swapped or empty and that the region has more than one "
        f"voxel{limits}.",
        RadiodeepWarning,
        stacklevel=5,
    )
