"""What all segmenters have in common: cases -> masks, one after the other."""

import numpy as np
from scipy import ndimage
from sklearn.base import BaseEstimator

from radiodeep.cases.cohort import as_cases
from radiodeep.progress import with_progress

_TOUCHING = np.ones((3, 3, 3), bool)  # voxels that share a face, an edge or a corner


class Segmenter(BaseEstimator):
    """`predict` of a segmenter, whose `_mask` returns the mask of one case."""

    def predict(self, cases):
        """Return the mask of each case.

        Parameters
        ----------
        cases : Cohort or sequence of Case
            Their own masks are not used; ``mask="whole"`` stands for a case without one.

        Returns
        -------
        list of bool ndarray of shape (z, y, x)
            On the voxels of the case's image. A mask is empty if no region is found.
        """
        cases = as_cases(cases)
        return [self._mask(case) for case in with_progress(cases, "Segmenting", len(cases), "cases")]


def image_of_masks(segmenter):
    """Return the name of the image on whose voxels the masks of a segmenter lie, None for cases of one image."""
    names = getattr(segmenter, "image", None)
    return names if names is None or isinstance(names, str) else names[0]


def on_voxels_of(case, image):
    """Return a case of one image: that of this name, or the case itself for None."""
    return case if image is None else case.of_image(image)


def finite_voxels(voxels):
    """Return voxels as float32, with the lowest finite intensity in place of NaN and infinities."""
    is_finite = np.isfinite(voxels)
    lowest = voxels[is_finite].min() if is_finite.any() else 0
    return np.where(is_finite, voxels, lowest).astype(np.float32)


def largest_part(mask):
    """Return the largest connected part of a mask (z, y, x)."""
    parts, n_parts = ndimage.label(mask, _TOUCHING)
    return mask if n_parts < 2 else parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])


def part_with(mask, voxel):
    """Return the connected part of a mask (z, y, x) that holds a voxel, or an empty mask if the voxel is outside."""
    parts, _ = ndimage.label(mask, _TOUCHING)
    return (parts == parts[voxel]) & mask
