"""Case and settings -> array: what a network is shown of a lesion, squares or a cube."""

import warnings
from dataclasses import dataclass

import numpy as np

from radiodeep.cases.slice_plane import SLICE_AXES
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.imaging.crop import crop_to_roi, resize_planes
from radiodeep.imaging.cube import cube_about, lesion_cube, resize_cube, share_in_cube
from radiodeep.imaging.intensity import is_window, without_gaps
from radiodeep.imaging.planes import lesion_planes, share_shown

# What "auto" stands for. The margin and the values before the last rectifier were chosen by how much of the features a
# voxel more or less of the outline leaves alone, and by AUC on real lesions; data/README.md has the figures.
_SUITABLE = {"radiodeep-mini": {"pixel_mm": 1.0, "margin": 0.25, "n_boxes": 1, "activation": "pre"}}
_ELSEWHERE = {"pixel_mm": None, "margin": 0.0, "n_boxes": 1, "activation": "post"}


def suitable(network, name, value):
    """Return the value of a setting, where "auto" asks for what suits a network.

    Parameters
    ----------
    network : str
        A name that `radiodeep.networks.build_network` knows.
    name : {"pixel_mm", "margin", "n_boxes", "activation"}
    value : "auto" or a value of that setting

    Returns
    -------
    float, int, str or None
        Networks that nothing is known of are shown the image's own pixels, once, without a margin.

    Examples
    --------
    >>> from radiodeep.imaging.network_view import suitable
    >>> suitable("radiodeep-mini", "margin", "auto"), suitable("resnet18", "margin", "auto")
    (0.25, 0.0)
    """
    return _SUITABLE.get(network, _ELSEWHERE)[name] if isinstance(value, str) and value == "auto" else value


@dataclass(frozen=True)
class NetworkView:
    """What a network is shown of cases, the same way wherever it is trained or asked.

    Parameters
    ----------
    network_side : int
        Side of the network's images or cubes.
    dimensions : {2, 3}, default=2
        3: a cube.
    spacing_mm : float, optional
        Of the network's cubes, which then keep the image's own intensities and are only cut off at an
        `intensity_range` of (low, high). Cubes without it are `lesion_cube`, of 0..1.
    size : int, optional
        Side of the window in pixels; by default that of the network.
    window, slice, intensity_range, slice_axis, pixel_mm, margin, n_boxes
        As for `lesion_planes`. For cubes `window` and `intensity_range` alone.

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
    size: int | None = None
    window: str = "exact"
    slice: str = "largest"
    intensity_range: str | tuple | None = None
    slice_axis: str | None = None
    pixel_mm: float | None = None
    margin: float = 0.0
    n_boxes: int = 1

    @property
    def side(self):
        return self.size or self.network_side

    @property
    def n_windows(self):
        """How many times the slices of a case are shown, each time in another window."""
        return self.n_boxes if self.dimensions == 2 else 1

    def images(self, case):
        """Return float32 (n_windows * n_slices, n_planes, network_side, network_side), or a cube.

        Cubes have the shape (1, 1, side, side, side).
        """
        if self.dimensions == 3:
            return self._cube(case)[np.newaxis, np.newaxis]
        planes = lesion_planes(
            case,
            self.slice,
            self.window,
            self.side,
            self.intensity_range,
            slice_axis=self.slice_axis,
            pixel_mm=self.pixel_mm,
            margin=self.margin,
            n_boxes=self.n_boxes,
        )
        return np.stack([resize_planes(image, self.network_side) for image in planes])

    def share_shown(self, case):
        """Return which share of the region is shown, in the slices that are; 1 for the exact window."""
        if self.window == "exact":
            return 1.0
        if self.dimensions == 3:
            return share_in_cube(case, self.side, self.spacing_mm)
        return share_shown(case, self.slice, self.side, slice_axis=self.slice_axis, pixel_mm=self.pixel_mm)

    def acquisition_needs(self, is_sequence=False):
        """Return what images must have in common for a network to be shown the same of them, as for `mixtures`.

        `is_sequence`: the network reads neighbouring slices, as it does of "2.5d".
        """
        if self.dimensions == 3:  # a box that is warped keeps the sharpness of the image's own voxels
            return set() if self.spacing_mm is not None and self.window == "crop" else {"spacing"}
        if self.slice == "three-orthogonal":
            return {"pixels_z", "pixels_y", "pixels_x"} if self.pixel_mm is None else set()
        across = None if self.slice_axis is None else "zyx"[SLICE_AXES[self.slice_axis]]
        needs = {"plane"} if across is None else set()
        if self.pixel_mm is None:
            needs |= {"pixels"} if across is None else {f"pixels_{letter}" for letter in "zyx" if letter != across}
        if is_sequence or self.slice == "2.5d":
            needs.add(f"spacing_{across or 'across'}")
        return needs

    def _cube(self, case):
        if self.spacing_mm is None:
            return lesion_cube(case, self.window, self.side, self.intensity_range)
        whole = without_gaps(case.in_memory(), self.intensity_range)
        if self.window == "crop":
            cube = cube_about(whole, self.side, self.spacing_mm)
        else:
            cube = resize_cube(crop_to_roi(whole).voxels, self.side)
        return np.clip(cube, *self.intensity_range) if is_window(self.intensity_range) else cube


def warn_of_one_intensity(case_id, intensity_range):
    """Warn that images are constant."""
    limits = f", and that intensity_range={intensity_range!r} fits the image" if is_window(intensity_range) else ""
    warnings.warn(
        f"{case_id}: all that the network is shown has one intensity, so that its features say nothing about the "
        f"lesion. Check that image and mask are not swapped or empty and that the region has more than one "
        f"voxel{limits}.",
        RadiodeepWarning,
        stacklevel=5,
    )
