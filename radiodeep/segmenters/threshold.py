"""Image -> the voxels above a share of the highest intensity, as lesions are outlined in PET."""

import numpy as np

from radiodeep.checks import is_fraction, is_positive, require
from radiodeep.exceptions import InputError
from radiodeep.segmenters.seeded import SeededSegmenter, ball


class ThresholdSegmenter(SeededSegmenter):
    """Outline what is at least as bright as a share of the maximum, and connected with the seed's maximum.

    Made for PET, where the region is the voxels of at least 41 % (or 50 %) of SUVmax. Intensities must have a zero that
    means nothing, as SUV do.

    Parameters
    ----------
    share : float, default=0.41
        > 0 and < 1.
    seed : {"brightest", "centre"} or dict, default="brightest"
        Where the lesion is: at the brightest voxel of the image, in its middle, or at a voxel (z, y, x) by case id,
        such as the click of a reader. The maximum is that of the image for "brightest", otherwise that near the seed.
    reach_mm : float, default=10.0
        Distance from the seed within which the maximum is looked for.

    References
    ----------
    R. Boellaard et al., FDG PET/CT: EANM procedure guidelines for tumour imaging, version 2.0, Eur J Nucl Med Mol
    Imaging 42 (2015) 328.

    Examples
    --------
    >>> import radiodeep as rd
    >>> case = rd.make_study_cohort("sarcoma", 1).of_image("PET")[0]
    >>> mask = rd.ThresholdSegmenter().predict([case])[0]
    >>> mask.shape == case.voxels.shape, bool(mask.any())
    (True, True)
    >>> rd.ThresholdSegmenter(share=41).predict([case])
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'share' parameter of ThresholdSegmenter must be a float > 0 and < 1. Got 41 ...
    """

    def __init__(self, share=0.41, *, seed="brightest", reach_mm=10.0):
        self.share = share
        self.seed = seed
        self.reach_mm = reach_mm

    def _check(self):
        require(is_fraction(self.share) and bool(self.share > 0), self, "share", "a float > 0 and < 1")
        require(is_positive(self.reach_mm), self, "reach_mm", "a float > 0")

    def _start(self, voxels, spacing_mm, seed):
        """Return the brightest voxel near the seed."""
        if isinstance(self.seed, str) and self.seed == "brightest":
            return seed
        near = np.where(ball(voxels.shape, spacing_mm, seed, self.reach_mm), voxels, -np.inf)
        return tuple(int(index) for index in np.unravel_index(np.argmax(near), near.shape))

    def _region(self, voxels, spacing_mm, seed):
        if voxels[seed] <= 0:
            raise InputError(
                f"the highest intensity is {voxels[seed]:g}. A share of it needs intensities above 0, such as SUV; "
                "take RegionGrowingSegmenter for CT in HU."
            )
        return voxels >= self.share * voxels[seed]
