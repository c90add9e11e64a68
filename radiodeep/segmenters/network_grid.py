"""Case -> image and mask as a segmentation network takes them: voxel size, orientation of slices, intensities."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from radiodeep.cases.slice_plane import acquisition_axis, across
from radiodeep.exceptions import InputError
from radiodeep.imaging.intensity import are_limits, scale_linearly
from radiodeep.imaging.resample import blur_in_voxels, smoothed
from radiodeep.segmenters.segmenter import finite_voxels


@dataclass(frozen=True)
class NetworkGrid:
    """Voxel size and intensities of the images that a network is trained on.

    `spacing_mm` is (z, y, x), 0 for an axis that keeps its own. Images of slices are turned so that the axis across
    the slices of acquisition is in front.
    """

    spacing_mm: tuple
    intensity_range: object
    is_volume: bool

    def lesions(self, case, names):
        """Return the lesions of the images of a case by these names, or of its one image, and the axis of their slices.

        They lie on one grid, of which that axis is in front; in volumes it is z.
        """
        parts = [case] if names is None else [case.of_image(name) for name in names]
        lesions = [part.lesion() for part in parts]
        first = lesions[0]
        for lesion in lesions:
            if lesion.roi.shape != first.roi.shape or not np.allclose(lesion.spacing_mm, first.spacing_mm, rtol=1e-3):
                raise InputError(
                    f"{case.id}: the images {', '.join(names)} lie on different grids. Bring them to one with "
                    "rd.on_one_grid."
                )
        if self.is_volume:
            if 1 in first.roi.shape:
                raise InputError(f"{case.id}: the image has shape {first.roi.shape}, one slice. Take dimensions=2.")
            return lesions, 0
        axis = acquisition_axis(first.roi.shape, first.spacing_mm)
        return [across(lesion, axis) for lesion in lesions], axis

    def image(self, lesions):
        """Return the images of a case as the channels of a float32 tensor (channels, z, y, x)."""
        return torch.cat([self._channel(lesion) for lesion in lesions])

    def mask(self, lesion):
        """Return the region of a lesion on the grid of the network: voxels of which at least half belong to it."""
        old = np.array(lesion.spacing_mm)
        share = smoothed(lesion.roi, blur_in_voxels(old, self._new_spacing(old)))
        return interpolated(share, self._size(lesion))[0] >= 0.5

    def _channel(self, lesion):
        voxels = finite_voxels(lesion.voxels)
        if are_limits(self.intensity_range):
            voxels = scale_linearly(voxels, *self.intensity_range)
        else:
            spread = voxels.std(dtype=np.float64)
            voxels = (voxels - voxels.mean(dtype=np.float64)) / (spread if spread > 0 else 1.0)
        old = np.array(lesion.spacing_mm)
        return interpolated(smoothed(voxels, blur_in_voxels(old, self._new_spacing(old))), self._size(lesion))

    def _new_spacing(self, old):
        return np.where(self.spacing_mm, self.spacing_mm, old)

    def _size(self, lesion):
        """Return the number of voxels that cover the image, to the nearest whole one along each axis."""
        old = np.array(lesion.spacing_mm)
        return tuple(np.maximum(np.round(lesion.roi.shape * old / self._new_spacing(old)), 1).astype(int).tolist())


def interpolated(values, size):
    """Return values (z, y, x) on a grid of another size over the same field of view, linearly, as (1, z, y, x)."""
    values = torch.as_tensor(values, dtype=torch.float32)[None, None]
    if tuple(values.shape[2:]) != size:
        values = functional.interpolate(values, size=size, mode="trilinear", align_corners=False)
    return values[0]
