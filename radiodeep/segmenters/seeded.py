"""Image -> the voxel that a classical segmenter starts from, and masks of all cases by such a segmenter."""

import numpy as np

from radiodeep.cases.cohort import as_cases
from radiodeep.cases.naming import naming
from radiodeep.checks import is_count, require
from radiodeep.exceptions import InputError
from radiodeep.segmenters.segmenter import Segmenter, finite_voxels, largest_part, part_with

SEEDS = ("brightest", "centre")


class SeededSegmenter(Segmenter):
    """A segmenter that learns nothing and finds the connected region about a seed.

    A subclass checks its parameters in `_check` and returns in `_region` the voxels of the region, from the image
    (z, y, x), float32, its spacing in mm and the seed, three indices.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def fit(self, cases, y=None):
        """Check the parameters; nothing is learned from the cases."""
        as_cases(cases)
        self._check_parameters()
        return self

    def _check_parameters(self):
        allowed = "'brightest', 'centre' or a dict of voxels (z, y, x) by case id"
        require(
            isinstance(self.seed, dict) or (isinstance(self.seed, str) and self.seed in SEEDS), self, "seed", allowed
        )
        self._check()

    def _mask(self, case):
        self._check_parameters()
        lesion = case.lesion()
        voxels = finite_voxels(lesion.voxels)
        seed = self._start(voxels, lesion.spacing_mm, self._seed_of(lesion.id, voxels))
        with naming(case):
            mask = self._region(voxels, lesion.spacing_mm, seed)
        return part_with(mask, seed) if mask[seed] else largest_part(mask)

    def _start(self, voxels, spacing_mm, seed):
        """Return the voxel to start from, given that of the parameter `seed`."""
        return seed

    def _seed_of(self, case_id, voxels):
        if self.seed == "brightest":
            return tuple(int(index) for index in np.unravel_index(np.argmax(voxels), voxels.shape))
        if self.seed == "centre":
            return tuple(size // 2 for size in voxels.shape)
        seed = self.seed.get(case_id)
        is_voxel = np.shape(seed) == (3,) and all(
            is_count(index, 0, size - 1) for index, size in zip(seed, voxels.shape, strict=True)
        )
        if not is_voxel:
            raise InputError(
                f"{case_id}: the 'seed' parameter of {type(self).__name__} must hold three indices (z, y, x) within "
                f"the image of shape {voxels.shape}. Got {seed!r} instead."
            )
        return tuple(int(index) for index in seed)


def ball(shape, spacing_mm, centre, radius_mm):
    """Return the voxels (z, y, x) whose centres lie within a distance of that of a voxel, itself included."""
    axes = [(np.arange(size) - place) * step for size, place, step in zip(shape, centre, spacing_mm, strict=True)]
    along_z, along_y, along_x = np.ix_(*(axis**2 for axis in axes))
    return along_z + along_y + along_x <= radius_mm**2
