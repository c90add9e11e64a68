"""Image -> the voxels about a seed that are as bright as those found so far."""

from radiodeep.checks import is_count, is_positive, require
from radiodeep.segmenters.seeded import SeededSegmenter


class RegionGrowingSegmenter(SeededSegmenter):
    """Grow a region from a seed over connected voxels of similar intensity (confidence connected).

    The image is smoothed, keeping edges. The region begins as the cube about the seed; then it is all voxels, connected
    with the seed by faces, within `multiplier` standard deviations of the mean of the region so far, `n_iterations`
    times. The defaults are those of the ITK Software Guide.

    Parameters
    ----------
    multiplier : float, default=2.5
        > 0; of the standard deviations.
    n_iterations : int, default=5
    radius : int, default=2
        Of the first cube, in voxels.
    n_smoothing : int, default=5
        Steps of curvature flow before; 0 for none.
    seed : {"brightest", "centre"} or dict, default="brightest"
        As in `ThresholdSegmenter`.

    References
    ----------
    H. J. Johnson, M. M. McCormick, L. Ibáñez, The ITK Software Guide, Book 2, section 4.1.3 (ConfidenceConnected).

    Examples
    --------
    >>> import radiodeep as rd
    >>> case = rd.make_phantom_cohort(1, random_state=0)[0]
    >>> mask = rd.RegionGrowingSegmenter(seed="centre").predict([case])[0]
    >>> rd.RegionGrowingSegmenter(multiplier=-1).predict([case])
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'multiplier' parameter of RegionGrowingSegmenter must be a float > 0. Got ...
    """

    def __init__(self, multiplier=2.5, n_iterations=5, *, radius=2, n_smoothing=5, seed="brightest"):
        self.multiplier = multiplier
        self.n_iterations = n_iterations
        self.radius = radius
        self.n_smoothing = n_smoothing
        self.seed = seed

    def _check(self):
        require(is_positive(self.multiplier), self, "multiplier", "a float > 0")
        for name in ("n_iterations", "radius", "n_smoothing"):
            require(is_count(getattr(self, name)), self, name, "an int >= 0")

    def _region(self, voxels, spacing_mm, seed):
        import SimpleITK as sitk  # late: a cohort is read without it

        image = sitk.GetImageFromArray(voxels)  # of unit spacing: the step is that of the guide
        if self.n_smoothing:
            image = sitk.CurvatureFlow(image, timeStep=0.125, numberOfIterations=int(self.n_smoothing))
        index = [[int(place) for place in reversed(seed)]]
        grown = sitk.ConfidenceConnected(
            image,
            seedList=index,
            numberOfIterations=int(self.n_iterations),
            multiplier=float(self.multiplier),
            initialNeighborhoodRadius=int(self.radius),
        )
        return sitk.GetArrayFromImage(grown) > 0
