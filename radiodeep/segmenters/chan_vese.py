"""Image -> the region that differs most from what is around it, with a smooth outline."""

from skimage.segmentation import morphological_chan_vese

from radiodeep.checks import is_count, is_positive, require
from radiodeep.segmenters.seeded import SeededSegmenter, ball


class ChanVeseSegmenter(SeededSegmenter):
    """Move the surface of a ball until the means inside and outside explain the image best (active contour, no edges).

    In the morphological form, in which the level set is binary and works in two and three dimensions.

    Parameters
    ----------
    radius_mm : float, default=20.0
        Of the ball about the seed that the contour starts as.
    n_iterations : int, default=50
    smoothing : int, default=0
        How often the outline is smoothed in each iteration: 1 to 4 for fine voxels, which the paper has. In PET each
        smoothing takes away a good part of a lesion.
    seed : {"brightest", "centre"} or dict, default="brightest"
        As in `ThresholdSegmenter`.

    References
    ----------
    T. F. Chan, L. A. Vese, Active contours without edges, IEEE Trans Image Process 10 (2001) 266.
    P. Márquez-Neila, L. Baumela, L. Alvarez, A morphological approach to curvature-based evolution of curves and
    surfaces, IEEE Trans Pattern Anal Mach Intell 36 (2014) 2.

    Examples
    --------
    >>> import radiodeep as rd
    >>> case = rd.make_phantom_cohort(1, random_state=0)[0]
    >>> mask = rd.ChanVeseSegmenter(n_iterations=10, seed="centre").predict([case])[0]
    >>> round(float((mask & case.roi).sum() / case.roi.sum()), 1)
    1.0
    >>> rd.ChanVeseSegmenter(radius_mm=0).predict([case])
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'radius_mm' parameter of ChanVeseSegmenter must be a float > 0. Got 0 instead.
    """

    def __init__(self, radius_mm=20.0, n_iterations=50, *, smoothing=0, seed="brightest"):
        self.radius_mm = radius_mm
        self.n_iterations = n_iterations
        self.smoothing = smoothing
        self.seed = seed

    def _check(self):
        require(is_positive(self.radius_mm), self, "radius_mm", "a float > 0")
        require(is_count(self.n_iterations, 1), self, "n_iterations", "an int >= 1")
        require(is_count(self.smoothing), self, "smoothing", "an int >= 0")

    def _region(self, voxels, spacing_mm, seed):
        start = ball(voxels.shape, spacing_mm, seed, self.radius_mm)
        flat = voxels.shape[0] == 1  # morphology across one slice would wear the outline away
        image, start = (voxels[0], start[0]) if flat else (voxels, start)
        level = morphological_chan_vese(image, int(self.n_iterations), start, smoothing=int(self.smoothing)) > 0
        return level[None] if flat else level
