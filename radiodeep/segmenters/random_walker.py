"""Image -> the voxels from which a random walker reaches the seed before the border of the image."""

import numpy as np
from skimage.segmentation import random_walker

from radiodeep.cases.memory import check_image_size
from radiodeep.checks import is_positive, require
from radiodeep.imaging.intensity import scale_intensities
from radiodeep.segmenters.seeded import SeededSegmenter, ball

_COPIES = 80  # of the image, 8 bytes a voxel, that its equations need at once
_TOLERANCE = 1e-5  # of the linear equations; with 1e-3, probabilities leave 0..1


class RandomWalkerSegmenter(SeededSegmenter):
    """Give each voxel to the seed or the border of the image, whichever a random walker would reach first.

    A step between voxels is the less likely, the more their intensities differ. Voxels near the seed belong to the
    region, those at the border of the image do not. It needs 640 bytes a voxel; an image for which that is more than
    is allowed, 8 GiB unless changed, is an ImageTooLargeError.

    Parameters
    ----------
    beta : float, default=130.0
        > 0; how much differences of intensity, which are scaled to 0..1, hinder a step. That of scikit-image.
    radius_mm : float, default=15.0
        Distance from the seed within which voxels belong to the region. From a small ball in a large image
        a walker hardly ever returns.
    seed : {"brightest", "centre"} or dict, default="brightest"
        As in `ThresholdSegmenter`.

    References
    ----------
    L. Grady, Random walks for image segmentation, IEEE Trans Pattern Anal Mach Intell 28 (2006) 1768.

    Examples
    --------
    >>> import radiodeep as rd
    >>> case = rd.make_study_cohort("sarcoma", 1).of_image("PET")[0]
    >>> mask = rd.RandomWalkerSegmenter(seed="centre").predict([case])[0]
    >>> round(float((mask & case.roi).sum() / case.roi.sum()))
    1
    >>> rd.RandomWalkerSegmenter(beta=0).predict([case])
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'beta' parameter of RandomWalkerSegmenter must be a float > 0. Got 0 instead.
    """

    def __init__(self, beta=130.0, *, radius_mm=15.0, seed="brightest"):
        self.beta = beta
        self.radius_mm = radius_mm
        self.seed = seed

    def _check(self):
        for name in ("beta", "radius_mm"):
            require(is_positive(getattr(self, name)), self, name, "a float > 0")

    def _region(self, voxels, spacing_mm, seed):
        check_image_size(voxels.shape, "the image", "Crop it about the lesion, or take another segmenter.", _COPIES)
        labels = np.full(voxels.shape, 2, np.uint8)
        labels[tuple(slice(1, -1) if size > 2 else slice(None) for size in voxels.shape)] = 0
        labels[ball(voxels.shape, spacing_mm, seed, self.radius_mm)] = 1
        image = scale_intensities(voxels)
        if image.max() == image.min() or not (labels == 2).any():
            return labels == 1
        return random_walker(image, labels, self.beta, tol=_TOLERANCE, mode="cg_j", spacing=spacing_mm) == 1
