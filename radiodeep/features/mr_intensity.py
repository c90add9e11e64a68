"""Cases -> cases whose MR images are on one scale: each by itself, or on the histogram of the training cases."""

from functools import partial
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.cohort import as_items
from radiodeep.cases.naming import naming, naming_image
from radiodeep.checks import is_fraction, is_positive, is_sequence, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.features.case_changer import CaseChanger, as_acquired
from radiodeep.features.several_images import MeasuredImages
from radiodeep.imaging import mr_intensity
from radiodeep.imaging.intensity import are_limits

METHODS = ("zscore", "reference", "whitestripe")
_LANDMARKS = {}  # by voxels and settings, some hundred bytes each: every fold needs them again


class IntensityNormalizer(CaseChanger):
    """Bring each MR image to a scale of its own tissue.

    Scanners choose the scale of MR images: the same tissue may be at 300 in one exam and at 900 in the next, and
    grey levels of one width then count the scanner. This step for the beginning of a pipeline learns nothing; it
    returns cases whose images are scaled when they are read. Regions stay as they are.

    Parameters
    ----------
    method : {"zscore", "reference", "whitestripe"}, default="zscore"
        "zscore": mean 0 and standard deviation `scale` in a part of the image. "reference": a factor that brings the
        mean of a part, one tissue, to `scale`; keeps contrasts between tissues as ratios. "whitestripe": mean 0 and
        standard deviation `scale` in the voxels around one peak of the histogram: white matter in a brain, without a
        mask of it.
    over : str or (low, high), default="body"
        The part. "body": voxels brighter than the background. "image": all voxels, for crops without air. "outside":
        the body without the region, if lesions are large. "region": the region, which loses its own brightness and
        contrast. Two percentiles, e.g. (90, 99): the voxels of the body between them, such as fat on T1. Otherwise the
        name of an image of the case, whose mask on the same grid is the part: a brain, a muscle.
    scale : float, default=100
        The bin width of extractors is in its unit, see `suggest_bin_width`. White stripes have a small deviation, so
        intensities reach many times this.
    peak : {"last", "first", "largest"}, default="last"
        Of "whitestripe": on T1 white matter is the last large peak, on T2 the largest.
    width : float, default=0.05
        Of "whitestripe": share of the voxels to either side of the peak.
    image : str or tuple of str, optional
        Of cases with several images, those that are scaled; all by default.

    Raises
    ------
    InputError
        A setting out of range, a case without the image that `over` names; on reading, a part with fewer than two
        voxels, of one intensity only or, of "reference", with a mean that is not positive.

    Notes
    -----
    When not to use it: CT, PET in SUV and quantitative maps (ADC, T1 in ms) have a unit, which this removes. In crops
    "body" separates dark from bright tissue, not tissue from air: use "image", or normalise before cropping. If the
    lesion fills the image, or what is around it differs between patients, every method but a reference region takes the
    lesion for the scale. White stripes presuppose a histogram with the same peaks in each patient.

    `RadiomicsExtractor(normalize=True, normalize_over="ring")` scales by the surroundings of the lesion.

    References
    ----------
    Shinohara et al., Statistical normalization techniques for magnetic resonance imaging, NeuroImage: Clinical 6 (2014)
    9. Reinhold et al., Evaluating the impact of intensity normalization on MR image synthesis, SPIE Medical Imaging
    (2019) 109493H.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(4, random_state=0)
    >>> normalized = rd.IntensityNormalizer("zscore", over="image").fit_transform(cohort)
    >>> print(rd.suggest_bin_width(normalized))
    bin_width=20 gives ...
    >>> model = make_pipeline(rd.IntensityNormalizer("reference", over=(50, 90)), rd.RadiomicsExtractor(bin_width=5))
    >>> rd.extract_table(model, cohort).shape
    (4, 107)
    >>> rd.IntensityNormalizer("nyul").fit(cohort)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'method' parameter of IntensityNormalizer must be one of ...
    """

    libraries = ("numpy", "scipy", "scikit-image")  # the numbers depend on them

    def __init__(self, method="zscore", over="body", scale=100.0, peak="last", width=0.05, image=None):
        self.method = method
        self.over = over
        self.scale = scale
        self.peak = peak
        self.width = width
        self.image = image

    def _changes(self):
        require_option(self.method, METHODS, self, "method")
        self._check_over()
        require(is_positive(self.scale), self, "scale", "a float > 0")
        require_option(self.peak, mr_intensity.PEAKS, self, "peak")
        is_share = is_fraction(self.width) and 0 < self.width <= 0.5
        require(is_share, self, "width", "a float > 0 and <= 0.5")
        scale = float(self.scale)
        scaled = {
            "zscore": partial(mr_intensity.z_scores, scale=scale),
            "reference": partial(mr_intensity.over_reference, scale=scale),
            "whitestripe": partial(mr_intensity.white_stripe, peak=self.peak, width=float(self.width), scale=scale),
        }
        return partial(_normalized, over=self.over, scaled=scaled[self.method])


class NyulNormalizer(CaseChanger):
    """Map the histogram of each MR image to the mean histogram of the training cases.

    `fit` learns a standard scale: percentiles of each training image, mapped linearly to one range and averaged.
    Images are then mapped piecewise linearly so that their own percentiles come to the standard ones (Nyúl and Udupa).
    Inside a study the scale is learned anew in every fold, from its training cases only. Features are computed anew in
    each fold then, which takes longer than after an `IntensityNormalizer`.

    Parameters
    ----------
    over : str or (low, high), default="body"
        The part of the image whose histogram is mapped, as of `IntensityNormalizer`.
    percentiles : sequence of float, default=(1, 10, 20, ..., 90, 99)
        The landmarks, increasing.
    output_range : (low, high), default=(0, 1000)
        Where the first and the last landmark come to.
    image : str or tuple of str, optional
        Of cases with several images, those that are mapped, each to a scale of its own; all by default.

    Attributes
    ----------
    standard_scale_ : dict from str to ndarray of shape (n_landmarks,)
        By the name of the image, "" for cases of one image.
    percentiles_ : tuple of float
        The landmarks that the scale was learned at, by which images are mapped.

    Raises
    ------
    InputError
        A setting out of range, or no training case with an image; on reading, an image whose scale was not learned, or
        whose part is flat.

    Notes
    -----
    When not to use it: images with a unit (CT, SUV, ADC). It makes histograms alike, so where the share of tissues
    differs between patients, the same tissue comes to different intensities: large lesions, crops around the lesion,
    fields of view that differ. A lesion that fills a third of the image is mapped to the tissue that others have there.

    A table by ``extract_table`` learns the scale from all of its cases. For evidence put the step into the model.

    References
    ----------
    Nyúl, Udupa, On standardizing the MR image intensity scale, Magnetic Resonance in Medicine 42 (1999) 1072. Nyúl,
    Udupa, Zhang, New variants of a method of MRI scale standardization, IEEE Transactions on Medical Imaging 19 (2000)
    143.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(6, random_state=0)
    >>> nyul = rd.NyulNormalizer(over="image").fit(cohort[:4])
    >>> nyul.standard_scale_[""].shape
    (11,)
    >>> nyul.transform(cohort[4:]).ids
    ['phantom-004', 'phantom-005']
    >>> rd.NyulNormalizer(percentiles=[50]).fit(cohort)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'percentiles' parameter of NyulNormalizer must be ...
    """

    libraries = ("numpy", "scikit-image")

    def __init__(self, over="body", percentiles=mr_intensity.NYUL_PERCENTILES, output_range=(0.0, 1000.0), image=None):
        self.over = over
        self.percentiles = percentiles
        self.output_range = output_range
        self.image = image

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "standard_scale_")

    def fit(self, X, y=None):
        """Learn the standard scale of each image.

        Parameters
        ----------
        X : Cohort or sequence of Case or Patient
        y : ignored
        """
        self._check()
        items = as_items(X)
        cases = [lesion for item in items for lesion in getattr(item, "lesions", [item])]
        require(len(cases) > 0, "fit", "X", "at least one case", [])
        images = MeasuredImages.of(self, cases)
        by_image = {}
        for case in cases:
            for name, landmarks in self._landmarks(case, images).items():
                by_image.setdefault(name, []).append(landmarks)
        missing = [name for name in images.names if name not in by_image]
        if missing:
            raise InputError(f"None of {len(cases)} cases has the image {missing[0]!r}, whose scale is to be learned.")
        scales = {name: mr_intensity.nyul_scale(rows, self.output_range) for name, rows in by_image.items()}
        self.standard_scale_ = {name: scales[name] for name in images.names}
        self.percentiles_ = tuple(map(float, self.percentiles))
        return self

    def settings(self):
        """Return what the images depend on besides the cases, the standard scale included."""
        learned = {name: getattr(self, f"{name}_", None) for name in ("standard_scale", "percentiles")}
        return self.get_params() | learned

    def _changes(self):
        check_is_fitted(self)
        self._check()
        options = {"over": self.over, "percentiles": self.percentiles_}
        return {name: partial(_on_scale, scale=scale, **options) for name, scale in self.standard_scale_.items()}

    def _landmarks(self, case, images):
        """Return the landmarks of each image of a case."""
        mask = None
        if self._mask_name() is not None:
            self._check_mask(case)
            mask = as_acquired(case.of_image(self._mask_name())).lesion().roi
        landmarks = {}
        for name, part in images.parts(case).items():
            with naming(case), naming_image(case, name):
                landmarks[name] = self._landmarks_of(part.lesion(), mask)
        return landmarks

    def _landmarks_of(self, lesion, mask):
        """Return the landmarks of an image, which are kept by its voxels."""
        part = b"" if mask is None else repr(mask.shape).encode() + np.packbits(mask).tobytes()
        settings = repr((self.over, tuple(self.percentiles), lesion.content_hash())).encode()
        key = blake2b(settings + part).digest()
        if key not in _LANDMARKS:
            values = mr_intensity.part_values(lesion, self.over, mask)
            _LANDMARKS[key] = mr_intensity.nyul_landmarks(values, self.percentiles)
        return _LANDMARKS[key]

    def _check(self):
        self._check_over()
        listed = list(self.percentiles) if is_sequence(self.percentiles) else []
        are_increasing = len(listed) > 1 and all(map(are_limits, pairwise(listed)))
        is_inside = are_increasing and listed[0] >= 0 and listed[-1] <= 100
        require(is_inside, self, "percentiles", "at least two increasing numbers from 0 to 100")
        require(are_limits(self.output_range), self, "output_range", "two numbers, the lower one first")


def _normalized(lesion, mask, over, scaled):
    values = mr_intensity.part_values(lesion, over, mask)
    more = {"id": lesion.id} if scaled.func is mr_intensity.white_stripe else {}
    return lesion.replace(image=scaled(lesion.voxels, values, **more))


def _on_scale(lesion, mask, over, percentiles, scale):
    landmarks = mr_intensity.nyul_landmarks(mr_intensity.part_values(lesion, over, mask), percentiles)
    return lesion.replace(image=mr_intensity.on_nyul_scale(lesion.voxels, landmarks, scale))
