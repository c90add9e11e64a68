"""Settings by which a network sees cases, as one object that grid searches can reach into."""

from dataclasses import dataclass

from sklearn.base import BaseEstimator


@dataclass(repr=False, eq=False)
class CaseView(BaseEstimator):
    """What a network is shown of cases, for `CNNClassifier` and `CNNRegressor`.

    A grid search reaches its settings as ``view__window`` and so on. They are checked by the estimator's `fit`, since
    which of them apply depends on the network.

    Parameters
    ----------
    window : {"auto", "exact", "crop"}, default="auto"
        "exact" warps the bounding box of the region to the image, "crop" cuts `size` pixels around its centre. "auto"
        is "crop" for networks of cubes with a spacing of their own, and "exact" for all others.
    size : int, optional
        Side of the window in pixels, by default that of the network.
    slice : {"largest", "all", "three-orthogonal", "2.5d"}, default="largest"
        As in `DeepFeatureExtractor`. Each of several slices is an example, and the probability of a case is their mean.
    intensity_range : None, "minmax" or (low, high), default=None
        As in `DeepFeatureExtractor`. Images of an array must be in the range 0..1 if it is None.
    slice_axis : {"axial", "coronal", "sagittal"}, optional
        Plane of the slices, by default that of acquisition.
    pixel_mm : float, optional
        Side of the square pixels that cases are resampled to before the window is cut, so that the network sees the
        same of fine and coarse scans. None keeps the pixels of each image.

    Examples
    --------
    >>> from radiodeep import CaseView, CNNClassifier
    >>> CNNClassifier(view=CaseView(window="crop")).set_params(view__pixel_mm=1.0).view
    CaseView(pixel_mm=1.0, window='crop')
    """

    window: str = "auto"
    size: int | None = None
    slice: str = "largest"
    intensity_range: str | tuple | None = None
    slice_axis: str | None = None
    pixel_mm: float | None = None
