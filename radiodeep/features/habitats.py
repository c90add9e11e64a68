"""Cases -> habitats: parts of lesions with alike intensities, learned in `fit`, and what is measured of each."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.cohort import as_cases
from radiodeep.cases.naming import naming
from radiodeep.checks import in_words, invalid, is_count, is_option, is_sequence, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.features.habitat_clusters import METHODS, Clusters
from radiodeep.features.habitat_regions import HabitatRegion, moments_of
from radiodeep.features.several_images import MeasuredImages, learn_images
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.handcrafted.habitats import FEATURES, habitat_names, measure_habitats

SCALES = ("lesion", "cohort")
_MOST_HABITATS = 20
_LARGEST_SEED = 2**32 - 1  # of scikit-learn


class HabitatExtractor(StatelessExtractor):
    """Divide lesions into habitats, parts with alike intensities in one or several images, and measure each.

    `fit` pools voxels of the training lesions and learns the centres of their clusters, so studies learn them anew in
    every fold. A voxel belongs to the nearest centre. Habitats are numbered by ascending mean of the first image, and
    those less than a quarter of a standard deviation apart there by that of the next, so that ``habitat1`` means the
    same in every fold.

    Parameters
    ----------
    image : str or tuple of str, optional
        Of cases with several images, those whose intensities are clustered together; all by default. They need one grid
        and one mask, see `on_one_grid`. The first one orders the habitats.
    n_habitats : int, default=3
    method : {"kmeans", "gaussian"}, default="kmeans"
        k-means, or a mixture of Gaussians with full covariances.
    scale : {"lesion", "cohort"} or dict from name of an image to one of them, default="lesion"
        How intensities are z-scored, so that all images count alike. "lesion": by the mean and standard deviation of
        each lesion, for images without a unit (MR, ultrasound): habitats are dark and bright relative to the rest of
        their lesion. "cohort": by those of the training voxels, for images with a unit (CT, PET in SUV), so that a
        lesion may consist of one habitat.
    features : sequence of str, default=("share", "parts", "firstorder", "border", "lbp")
        What is measured, see Notes.
    max_voxels : int, default=500
        Voxels of each training lesion that are drawn for clustering, so that large lesions do not decide alone.
    random_state : int, default=0
        Seed of the drawn voxels and of the clustering. The same lesion has the same drawn voxels in every fold.

    Attributes
    ----------
    centres_ : ndarray of shape (n_habitats, n_images)
        In z-scores.
    deviations_ : ndarray of shape (n_habitats, n_images)
        Standard deviation within each habitat.
    weights_ : ndarray of shape (n_habitats,)
        Share of each habitat in the drawn voxels.
    covariances_ : ndarray of shape (n_habitats, n_images, n_images) or None
        Of a mixture of Gaussians.
    cohort_scale_ : ndarray of shape (n_images, 2)
        Mean and standard deviation of the training voxels of each image; 0 and 1 for "lesion".
    image_names_ : tuple of str
        The images, in the order of the columns; empty for cases of one.

    Raises
    ------
    InputError
        A setting out of range, no training case with all images, or fewer different voxels than habitats.
    GeometryMismatchError
        The images of a case have different grids or masks.

    Notes
    -----
    A case that lacks an image has no habitats: it is left out of `fit`, and its row is NaN. For a habitat that a case
    lacks, shares, numbers, borders and histograms are 0, and mean and standard deviation are those of the habitat in
    the training voxels, so that rows never hold NaN otherwise.

    =============  =================================================================================================
    "share"        ``habitat1_Share``: part of the voxels of the region
    "parts"        ``habitat1_PartCount``: parts that do not touch, not even by a corner; ``habitat1_LargestPartShare``
    "firstorder"   ``T1_habitat1_Mean``, ``T1_habitat1_StandardDeviation``, in z-scores
    "border"       ``habitat1_habitat2_BorderDensity``: area of the faces between voxels of both, per volume of the
                   region (in one slice length per area), 1/mm
    "lbp"          ``T1_habitat1_lbp2D_P8R1Uniform0`` to ``8`` and ``NonUniform``: histogram of local binary patterns in
                   slices, as in the family "lbp2D", of the habitat's voxels whose 8 neighbours lie in the region,
                   in any habitat
    =============  =================================================================================================

    Choices that are ours: the studies found habitats within each tumour, by thresholds of each image, and compared
    shares; here centres are learned from all training lesions, so that a habitat means the same in each. Z-scores,
    drawing, order, and the definitions above are ours too.

    A table by ``extract_table`` learns the habitats from all of its cases. For evidence put the extractor into the
    model, which learns them inside each fold. The voxels of regions stay in memory between folds, up to 1 GiB.

    References
    ----------
    Gatenby, Grove, Gillies, Quantitative imaging in cancer evolution and ecology, Radiology 269 (2013) 8.
    Zhou et al., Radiologically defined ecological dynamics and clinical outcomes in glioblastoma multiforme,
    Translational Oncology 7 (2014) 5. Zhou et al., Identifying spatial imaging biomarkers of glioblastoma multiforme
    for survival group prediction, Journal of Magnetic Resonance Imaging 46 (2017) 115. Ojala, Pietikäinen, Mäenpää,
    IEEE Transactions on Pattern Analysis and Machine Intelligence 24 (2002) 971 (local binary patterns).

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(4, random_state=0)
    >>> habitats = rd.HabitatExtractor(n_habitats=2, features=["share", "border"]).fit(cohort)
    >>> habitats.get_feature_names_out().tolist()
    ['habitat1_Share', 'habitat2_Share', 'habitat1_habitat2_BorderDensity']
    >>> habitats.transform(cohort)[:, :2].sum(axis=1).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> habitats.habitat_map(cohort[0]).shape
    (24, 44, 44)
    >>> rd.HabitatExtractor(n_habitats=1).fit(cohort)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'n_habitats' parameter of HabitatExtractor must be an int from 2 to 20. ...
    """

    libraries = ("numpy", "scipy", "scikit-learn")  # the numbers depend on them
    needs_batches = False

    def __init__(
        self,
        image=None,
        n_habitats=3,
        method="kmeans",
        scale="lesion",
        features=FEATURES,
        max_voxels=500,
        random_state=0,
    ):
        self.image = image
        self.n_habitats = n_habitats
        self.method = method
        self.scale = scale
        self.features = features
        self.max_voxels = max_voxels
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "centres_")

    def fit(self, cases, y=None):
        """Learn the habitats from the voxels of cases.

        Parameters
        ----------
        cases : Cohort or sequence of Case
        """
        self._check_settings()
        cases = as_cases(cases)
        images = learn_images(self, cases)
        by_lesion = self._is_scaled_by_lesion(images)
        samples = []
        for case in cases:
            if not images.missing(case):
                region = self._region(case, images)
                samples.append(region.scaled(by_lesion, region.sample(self.max_voxels, self.random_state)))
        require(len(cases) > 0, "fit", "cases", "at least one case", [])
        if not samples:
            raise InputError(f"No case of {len(cases)} has all images that habitats need, {_listed(images)}.")
        values = np.concatenate(samples)
        moments = np.array([moments_of(column) for column in values.T])
        moments[moments[:, 1] == 0, 1] = 1.0
        self.cohort_scale_ = np.where(np.array(by_lesion)[:, np.newaxis], [0.0, 1.0], moments)
        values = self._standardized(values)
        n_different = len(np.unique(values, axis=0))
        if n_different < self.n_habitats:
            raise InputError(
                f"The training lesions have {n_different} different intensities, fewer than n_habitats="
                f"{self.n_habitats}. Use fewer habitats."
            )
        found = Clusters.of(values, self.n_habitats, self.method, self.random_state)
        self.centres_, self.deviations_, self.weights_, self.covariances_ = found
        return self

    def transform(self, cases):
        """Measure the habitats of cases.

        Parameters
        ----------
        cases : Cohort or sequence of Case

        Returns
        -------
        float64 ndarray of shape (n_cases, n_features)
        """
        check_is_fitted(self)
        cases = as_cases(cases)
        images = MeasuredImages.of(self, cases)
        rows = np.full((len(cases), len(self.get_feature_names_out())), np.nan)
        absent = np.stack([self.centres_, self.deviations_], axis=-1)
        for row, case in zip(rows, cases, strict=True):
            if not images.missing(case):
                divided = self._divided(case, images)
                with naming(case):
                    row[:] = measure_habitats(
                        self.features,
                        divided.habitat_map,
                        divided.values.T,
                        divided.region.patterns,
                        divided.region.spacing_mm,
                        absent,
                    )
        return rows

    def habitat_map(self, case):
        """Return the habitat of each voxel of a case.

        Parameters
        ----------
        case : Case

        Returns
        -------
        uint8 ndarray of shape (z, y, x)
            On the grid of the images, in the order of ``case.voxels``: 0 outside the region, otherwise the number of
            the habitat from 1. ``case.stored_axes().to_stored(map)`` is in the order of the file.

        Raises
        ------
        MissingImageError
            The case lacks one of the images.
        """
        check_is_fitted(self)
        images = MeasuredImages.of(self, [case])
        for name in images.names if images.missing(case) else ():
            case.of_image(name)  # which raises for the one that is missing
        divided = self._divided(case, images)
        habitat_map = np.zeros(divided.region.shape, np.uint8)
        habitat_map[divided.region.box] = divided.habitat_map
        return habitat_map

    def get_feature_names_out(self, input_features=None):
        """Return names such as ``habitat1_Share`` and ``T1_habitat1_Mean``, as an object array."""
        self._check_settings()
        return np.array(habitat_names(self.features, self.n_habitats, MeasuredImages.of(self).names), dtype=object)

    def acquisition_needs(self):
        """Return what cases must have in common for features to be comparable, as for `mixtures`."""
        needs = {"spacing"} if {"parts", "border", "lbp"} & set(self.features) else set()
        needs |= {"plane"} if "lbp" in self.features else set()
        scales = self.scale.values() if isinstance(self.scale, dict) else [self.scale]
        return needs | ({"intensity_unit"} if "cohort" in scales else set())

    def settings(self):
        """Return everything that the features depend on, for reports and caches; what was learned included."""
        learned = ("centres_", "deviations_", "weights_", "covariances_", "cohort_scale_")
        known = {name: getattr(self, name) for name in learned if hasattr(self, name)}
        return {"extractor": type(self).__name__, **self.get_params(), **MeasuredImages.of(self).settings(), **known}

    def _check_settings(self):
        require(is_count(self.n_habitats, 2, _MOST_HABITATS), self, "n_habitats", f"an int from 2 to {_MOST_HABITATS}")
        require_option(self.method, METHODS, self, "method")
        require(is_count(self.max_voxels, 1), self, "max_voxels", "an int >= 1")
        is_seed = is_count(self.random_state, 0, _LARGEST_SEED)
        require(is_seed, self, "random_state", f"an int >= 0 and <= {_LARGEST_SEED}")
        is_listed = is_sequence(self.features) and all(is_option(feature, FEATURES) for feature in self.features)
        if not is_listed or len(set(self.features)) < len(self.features):
            raise invalid(self, "features", f"a list of different ones, each {in_words(FEATURES)}", self.features)
        for scale in self.scale.values() if isinstance(self.scale, dict) else [self.scale]:
            require_option(scale, SCALES, self, "scale")

    def _is_scaled_by_lesion(self, images):
        """Return for each image whether its intensities are scaled within each lesion."""
        if not isinstance(self.scale, dict):
            return [self.scale == "lesion"] * len(images.names)
        if set(self.scale) != set(images.names):
            raise invalid(self, "scale", f"{in_words(SCALES)}, or a dict with the images {_listed(images)}", self.scale)
        return [self.scale[name] == "lesion" for name in images.names]

    def _region(self, case, images):
        with naming(case):
            return HabitatRegion.of(case, images, "lbp" in self.features)

    def _standardized(self, values):
        mean, deviation = self.cohort_scale_.T
        return (values - mean) / deviation

    def _divided(self, case, images):
        """Return the region of a case and the habitat of each of its voxels."""
        region = self._region(case, images)
        values = self._standardized(region.scaled(self._is_scaled_by_lesion(images)))
        clusters = Clusters(self.centres_, self.deviations_, self.weights_, self.covariances_)
        habitat_map = np.zeros(region.roi.shape, np.uint8)
        habitat_map[region.roi] = clusters.nearest(values) + 1
        return _Divided(region, values, habitat_map)


class _Divided(NamedTuple):
    """A region, its scaled intensities (n_voxels, n_images), and the habitat of each voxel of its box, 0 outside."""

    region: HabitatRegion
    values: np.ndarray
    habitat_map: np.ndarray


def _listed(images):
    return " and ".join(map(repr, images.names))
