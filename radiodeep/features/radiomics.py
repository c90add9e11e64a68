"""Cases in, handcrafted features out: first order, shape and texture under pyradiomics' names."""

import warnings

import numpy as np

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.handcrafted.catalogue import FAMILIES, feature_names, region_features
from radiodeep.imaging.crop import crop_to_roi
from radiodeep.imaging.intensity import normalize_intensities
from radiodeep.imaging.resample import resample


class RadiomicsExtractor(StatelessExtractor):
    """Handcrafted features of the region of interest, in pyradiomics' definitions.

    A stateless transformer: `fit` checks the settings and learns nothing.

    Parameters
    ----------
    bin_width : float or None, default=25
        Width of a grey level in units of the image (25 suits Hounsfield units; PET in SUV wants
        about 0.25). Ignored where `bin_count` is given.
    bin_count : int, optional
        Fixed number of grey levels between each region's minimum and maximum, for images without a
        physical scale.
    families : sequence of {"shape", "firstorder", "glcm"}, optional
        All by default.
    resample_mm : float or three floats, optional
        Voxel size in (z, y, x) order to resample to first; 0 keeps an axis.
    interpolator : {"bspline", "linear", "nearest"}, default="bspline"
    normalize : bool, default=False
        Bring the whole image to mean 0 and standard deviation `normalize_scale` first.
    normalize_scale : float, default=100
        With 100 a bin width of 5 to 25 is useful.
    voxel_array_shift : float, default=0
        Added to the intensities for energy, total energy and root mean squared only, so that they
        do not mix signs.

    Raises
    ------
    InputError
        For a setting out of range, or any image problem; its message begins with the case id.

    Notes
    -----
    A region that falls into a single grey level has no texture; a `RadiodeepWarning` names it.

    References
    ----------
    van Griethuysen et al., Computational Radiomics System to Decode the Radiographic Phenotype,
    Cancer Research 77 (2017) e104. Zwanenburg et al., Image Biomarker Standardisation Initiative.

    Examples
    --------
    >>> from radiodeep import RadiomicsExtractor, make_phantom_cohort
    >>> radiomics = RadiomicsExtractor(bin_width=25)
    >>> radiomics.get_feature_names_out()[:2].tolist()
    ['original_shape_Elongation', 'original_shape_Flatness']
    >>> radiomics.fit_transform(make_phantom_cohort(3, random_state=0)).shape
    (3, 56)
    >>> RadiomicsExtractor(bin_width=0).fit(make_phantom_cohort(1))
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'bin_width' parameter of RadiomicsExtractor must be ...
    """

    def __init__(
        self,
        bin_width=25.0,
        bin_count=None,
        families=None,
        resample_mm=None,
        interpolator="bspline",
        normalize=False,
        normalize_scale=100.0,
        voxel_array_shift=0.0,
    ):
        self.bin_width = bin_width
        self.bin_count = bin_count
        self.families = families
        self.resample_mm = resample_mm
        self.interpolator = interpolator
        self.normalize = normalize
        self.normalize_scale = normalize_scale
        self.voxel_array_shift = voxel_array_shift

    def fit(self, cases, y=None):
        """Check the settings; nothing is learned."""
        self._check_settings()
        return self

    def transform(self, cases):
        """Compute the features of cases.

        Parameters
        ----------
        cases : Cohort or sequence of Case

        Returns
        -------
        float64 ndarray of shape (n_cases, n_features)
        """
        self._check_settings()
        listed = as_cases(cases)
        rows = [self._row(case) for case in listed]
        return np.array(rows, dtype=np.float64).reshape(len(listed), len(self.get_feature_names_out()))

    def get_feature_names_out(self, input_features=None):
        """Return pyradiomics' names, e.g. ``original_glcm_Contrast``, as an object array."""
        return np.array([f"original_{name}" for name in feature_names(self._families())], dtype=object)

    def settings(self):
        """Return everything that the numbers depend on, for reports and caches."""
        return {"extractor": type(self).__name__, **self.get_params(), "families": list(self._families())}

    def _families(self):
        return FAMILIES if self.families is None else tuple(self.families)

    def _row(self, case):
        if self.normalize:
            case = normalize_intensities(case, scale=self.normalize_scale)
        case = crop_to_roi(case) if self.resample_mm is None else self._resampled(case)
        try:
            values = region_features(
                case.voxels,
                case.roi,
                case.spacing_mm,
                families=self._families(),
                bin_width=25.0 if self.bin_width is None else self.bin_width,
                bin_count=self.bin_count,
                voxel_array_shift=self.voxel_array_shift,
            )
        except InputError as error:
            raise type(error)(f"{case.id}: {error}") from error
        self._warn_if_flat(case)
        return values

    def _resampled(self, case):
        return crop_to_roi(resample(case, self.resample_mm, self.interpolator))

    def _warn_if_flat(self, case):
        inside = case.voxels[case.roi]
        low, high = float(inside.min()), float(inside.max())
        if "glcm" not in self._families() or (self.bin_count is not None and high > low):
            return
        if high == low or np.floor(low / self.bin_width) == np.floor(high / self.bin_width):
            warnings.warn(
                f"{case.id}: all intensities ({low:.4g} to {high:.4g}) fall into one grey level, so its texture "
                "says nothing. Use a smaller bin_width, or bin_count=32.",
                RadiodeepWarning,
                stacklevel=4,
            )

    def _check_settings(self):
        rules = {
            "bin_width": (_positive(self.bin_width) or self.bin_count is not None, "a float > 0"),
            "bin_count": (
                self.bin_count is None or (_positive(self.bin_count) and self.bin_count == int(self.bin_count)),
                "None or an int >= 1",
            ),
            "families": (
                not isinstance(self.families, str) and set(self._families()) <= set(FAMILIES) and self._families(),
                f"None or a sequence of {', '.join(FAMILIES)}",
            ),
            "normalize_scale": (_positive(self.normalize_scale), "a float > 0"),
        }
        self._require(rules)


def _positive(value):
    return isinstance(value, int | float | np.integer | np.floating) and np.isfinite(value) and value > 0
