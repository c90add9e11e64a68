"""Cases in, handcrafted features out: shape, first order and texture under pyradiomics' names."""

from functools import cache

import numpy as np
from sklearn.base import clone

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.features.pyradiomics_engine import pyradiomics_row
from radiodeep.features.pyradiomics_parameters import read_parameters
from radiodeep.features.radiomics_defaults import (
    check_dimensions,
    default_families,
    dimensions_and_spacing,
    n_dimensions_of,
    warn_of_flat_images,
)
from radiodeep.features.radiomics_plan import MeasurementPlan
from radiodeep.features.radiomics_settings import RULES, check_families, did_you_mean, image_types_of
from radiodeep.features.radiomics_warnings import warn_of_flat_region, warn_of_two_levels
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.handcrafted.catalogue import (
    SHAPE_FAMILIES,
    feature_names,
    region_features,
)
from radiodeep.handcrafted.region import bounding_box
from radiodeep.imaging.crop import bounding_box as box_with_margin
from radiodeep.imaging.filters import filter_names, filtered_images
from radiodeep.imaging.intensity import normalize_intensities, resegment
from radiodeep.imaging.resample import resample
from radiodeep.progress import announced_if_slow


class RadiomicsExtractor(StatelessExtractor):
    """Handcrafted features of the region of interest, in pyradiomics' definitions.

    A stateless transformer: `fit` checks the settings and learns nothing of the values. With the same settings the
    values are those of pyradiomics 3.0.1, to about 1e-10; see `from_pyradiomics` for its parameter files.

    Parameters
    ----------
    bin_width : float or None, default=25
        Width of a grey level in units of the image (25 suits Hounsfield units; PET in SUV wants
        about 0.25; `suggest_bin_width` looks at a cohort). Ignored where `bin_count` is given.
    bin_count : int, optional
        Fixed number of grey levels between each region's minimum and maximum, for images without a
        physical scale.
    families : sequence of str, or dict from str to a list of names, optional
        Of "shape", "shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm". By default all but
        "shape2D", or for 2-D images (one slice) all but "shape"; which of the two the first case that can be
        read decides, in `fit` or else in `transform`. "shape2D" needs a region on one slice.
        A dict chooses single features: ``{"glcm": ["Contrast"], "shape": None}``.
    image_types : sequence of str, or dict from str to dict, optional
        Of "Original", "Wavelet", "LoG", "Square", "SquareRoot", "Logarithm", "Exponential",
        "Gradient", "LBP2D", "LBP3D"; only "Original" by default. A dict gives each its settings, as
        ``{"Original": {}, "LoG": {"sigma": [1, 3]}}`` (sigma in mm); `bin_width` and the other settings
        of texture may differ by image type. Shape is calculated once.
    force_2d : bool, default=False
        Look at texture slice by slice, e.g. for thick slices.
    force_2d_dimension : {0, 1, 2}, default=0
        The axis across the slices, in (z, y, x).
    distances : sequence of int, default=(1,)
        Distances of the neighbours in GLCM, GLDM and NGTDM, in voxels.
    symmetrical_glcm : bool, default=True
        Count each pair of the GLCM in both orders.
    weighting_norm : {None, "infinity", "euclidean", "manhattan", "no_weighting"}, default=None
        Weights for adding up the directions of GLCM and GLRLM; None averages the features instead.
    gldm_alpha : int, default=0
        Largest difference of grey levels that the GLDM counts as dependent.
    voxel_array_shift : float, default=0
        Added to the intensities for energy, total energy and root mean squared only, so that they
        do not mix signs.
    max_gray_levels : int, default=1024
        More grey levels than this are an error, not a full memory.
    normalize : bool, default=False
        Bring the whole image to mean 0 and standard deviation `normalize_scale` first.
    normalize_scale : float, default=100
        With 100 a bin width of 5 to 25 is useful.
    remove_outliers : float, optional
        After `normalize`, set values beyond this many standard deviations to that bound.
    resample_mm : float or three floats, optional
        Voxel size in (z, y, x) order to resample to; 0 keeps an axis, and an axis along which the
        region has one voxel is always kept.
    interpolator : str, default="bspline"
        "bspline", "linear", "nearest" or another of `radiodeep.imaging.resample.INTERPOLATORS`.
    pre_crop : bool, default=False
        Crop to the region and `pad_distance` voxels before the filters, which then see the border of
        the crop as that of the image.
    pad_distance : int, default=5
        Voxels kept around the region by `resample_mm` and `pre_crop`.
    resegment_range : sequence of one or two floats, optional
        Keep only the voxels of the region from the lower to the upper bound.
    resegment_mode : {"absolute", "relative", "sigma"}, default="absolute"
        Bounds in units of the image, as parts of the region's maximum, or in standard deviations from
        the region's mean.
    resegment_shape : bool, default=False
        Whether shape is that of the region after resegmentation. If not, it is that of the region
        before, cut to the box of the region after it, as in pyradiomics.
    label : int, optional
        Which value of the mask is the region, for cases that do not say so themselves (`mask_label`).
    minimum_roi_dimensions : {1, 2, 3}, default=2
        Axes along which the region must have more than one voxel.
    minimum_roi_size : int, optional
        A region must have more voxels than this.
    engine : {"radiodeep", "pyradiomics"}, default="radiodeep"
        "pyradiomics" runs the original, where it is installed, for cross-checking: the same table.

    Attributes
    ----------
    n_dimensions_ : {2, 3}
        Of the images that the default families are for; only where `families` is None and a case could be read.

    Raises
    ------
    InputError
        For a setting out of range, or any image problem; its message begins with the case id. With the default
        families also for a 2-D image among 3-D ones.

    Warns
    -----
    RadiodeepWarning
        In `fit`, if the default families are those for 2-D images.

    Notes
    -----
    A region that falls into a single grey level has no texture; a `RadiodeepWarning` names it.
    Resampled images keep the type of their intensities: those of integers are cut off, not rounded,
    as pyradiomics does it.

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
    (3, 107)
    >>> filtered = RadiomicsExtractor(families=["firstorder"], image_types={"LoG": {"sigma": [2.0]}})
    >>> filtered.get_feature_names_out()[0]
    'log-sigma-2-0-mm-3D_firstorder_10Percentile'
    >>> RadiomicsExtractor(bin_width=0).fit(make_phantom_cohort(1))
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'bin_width' parameter of RadiomicsExtractor must be ...
    """

    libraries = ("numpy", "scipy", "SimpleITK", "PyWavelets", "numba", "pyradiomics")  # the numbers depend on them
    needs_batches = False  # several cases at once are no faster than one after the other

    # More parameters than a constructor should have: each is a setting of pyradiomics that people name in their
    # papers, and scikit-learn can search and clone flat ones only.
    def __init__(
        self,
        bin_width=25.0,
        bin_count=None,
        families=None,
        image_types=None,
        force_2d=False,
        force_2d_dimension=0,
        distances=(1,),
        symmetrical_glcm=True,
        weighting_norm=None,
        gldm_alpha=0,
        voxel_array_shift=0.0,
        max_gray_levels=1024,
        normalize=False,
        normalize_scale=100.0,
        remove_outliers=None,
        resample_mm=None,
        interpolator="bspline",
        pre_crop=False,
        pad_distance=5,
        resegment_range=None,
        resegment_mode="absolute",
        resegment_shape=False,
        label=None,
        minimum_roi_dimensions=2,
        minimum_roi_size=None,
        engine="radiodeep",
    ):
        self.bin_width = bin_width
        self.bin_count = bin_count
        self.families = families
        self.image_types = image_types
        self.force_2d = force_2d
        self.force_2d_dimension = force_2d_dimension
        self.distances = distances
        self.symmetrical_glcm = symmetrical_glcm
        self.weighting_norm = weighting_norm
        self.gldm_alpha = gldm_alpha
        self.voxel_array_shift = voxel_array_shift
        self.max_gray_levels = max_gray_levels
        self.normalize = normalize
        self.normalize_scale = normalize_scale
        self.remove_outliers = remove_outliers
        self.resample_mm = resample_mm
        self.interpolator = interpolator
        self.pre_crop = pre_crop
        self.pad_distance = pad_distance
        self.resegment_range = resegment_range
        self.resegment_mode = resegment_mode
        self.resegment_shape = resegment_shape
        self.label = label
        self.minimum_roi_dimensions = minimum_roi_dimensions
        self.minimum_roi_size = minimum_roi_size
        self.engine = engine

    @classmethod
    def from_pyradiomics(cls, params):
        """Make an extractor with the settings of a pyradiomics parameter file.

        Parameters
        ----------
        params : path-like
            YAML or JSON, with `setting`, `imageType` and `featureClass`. What the file leaves out has
            pyradiomics' default (its `normalizeScale` is 1, where the default here is 100).

        Returns
        -------
        RadiomicsExtractor

        Raises
        ------
        InputError
            For an unknown key, a value of the wrong kind, or a setting that is not supported; the
            message names it.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "params.yaml")
        >>> _ = path.write_text("setting: {binWidth: 10, resampledPixelSpacing: [1, 1, 3]}")
        >>> RadiomicsExtractor.from_pyradiomics(path)
        RadiomicsExtractor(bin_width=10.0, normalize_scale=1.0, resample_mm=(3.0, 1.0, 1.0))
        """
        return cls(**read_parameters(params))

    def fit(self, cases, y=None):
        """Check the settings; with the default families, look whether the first case is 2-D or 3-D."""
        self._check_settings()
        vars(self).pop("n_dimensions_", None)
        if self.families is None:
            self._note_dimensions(as_cases(cases))
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
        extractor = self
        if self.families is None and not hasattr(self, "n_dimensions_"):
            extractor = clone(self).fit(listed)
        return extractor._rows(listed)

    def _rows(self, cases):
        names = self.get_feature_names_out()
        plan = None if self.engine == "pyradiomics" else MeasurementPlan(self)
        if plan is not None:
            _load_kernels()
        rows = np.empty((len(cases), len(names)))
        for row, case in zip(rows, cases, strict=True):
            case = self._with_label(case)
            try:
                row[:] = self._pyradiomics_row(case, names) if plan is None else self._row(case, plan)
            except InputError as error:
                named = str(error).startswith(f"{case.id}:")
                raise (error if named else type(error)(f"{case.id}: {error}")) from error
        return rows

    def get_feature_names_out(self, input_features=None):
        """Return pyradiomics' names, e.g. ``original_glcm_Contrast``, as an object array."""
        shape = [name for name in self.chosen_names() if name.startswith(SHAPE_FAMILIES)]
        others = [name for name in self.chosen_names() if not name.startswith(SHAPE_FAMILIES)]
        images = [
            image
            for image_type, (filter_settings, _) in image_types_of(self.image_types).items()
            for image in filter_names(image_type, filter_settings, self.flat_axis())
        ]
        names = [f"original_{name}" for name in shape] + [f"{image}_{name}" for image in images for name in others]
        return np.array(names, dtype=object)

    def settings(self):
        """Return everything that the numbers depend on, for reports and caches."""
        types = [[name, {**filters, **own}] for name, (filters, own) in image_types_of(self.image_types).items()]
        chosen = {"families": self.chosen_names(), "image_types": types}  # a list: their order is that of the columns
        if self.bin_count is not None and not any("bin_count" in settings for _, settings in types):
            chosen["bin_width"] = None  # without effect
        return {"extractor": type(self).__name__, **self.get_params(), **chosen}

    def chosen_families(self):
        """Return the names of the families that are calculated."""
        return default_families(getattr(self, "n_dimensions_", 3)) if self.families is None else list(self.families)

    def intensity_range(self, case):
        """Return the lowest and the highest intensity of a case's region, after all that is done before binning."""
        voxels, _, roi, _ = self._prepared(self._with_label(case))
        values = voxels[roi]
        return float(values.min()), float(values.max())

    def chosen_names(self):
        """Return the names of the chosen features, "glcm_Contrast", in the order of the catalogue."""
        names = feature_names(self.chosen_families())
        if not isinstance(self.families, dict):
            return names
        wanted = {f"{family}_{name}" for family, listed in self.families.items() for name in listed or []}
        whole = tuple(f"{family}_" for family, listed in self.families.items() if not listed)
        unknown = sorted(wanted - set(names))
        if unknown:
            raise InputError(
                f"The 'families' parameter of RadiomicsExtractor names features that do not exist: "
                f"{', '.join(unknown)}. feature_names() of radiodeep.handcrafted.catalogue lists them all."
                f"{did_you_mean(unknown, names)}"
            )
        return [name for name in names if name in wanted or name.startswith(whole)]

    def flat_axis(self):
        """Return the axis that texture does not look along, None in 3-D."""
        return self.force_2d_dimension if self.force_2d else None

    def _with_label(self, case):
        return case.replace(mask_label=self.label) if self.label is not None and case.mask_label is None else case

    def _note_dimensions(self, cases):
        """Remember whether the first case that can be read is 2-D or 3-D."""
        for case in cases:
            try:
                self.n_dimensions_, spacing_mm = dimensions_and_spacing(case, self._with_label(case))
            except Exception:  # `transform` reports it, whatever it is
                continue
            if self.n_dimensions_ == 2:
                warn_of_flat_images(case, spacing_mm)
            return

    def _check_dimensions(self, case_id, voxels):
        if self.families is None and hasattr(self, "n_dimensions_"):
            check_dimensions(case_id, n_dimensions_of(voxels), self.n_dimensions_)

    def _pyradiomics_row(self, case, names):
        self._check_dimensions(case.id, case.read()[0])
        return pyradiomics_row(case, self, names)

    def _row(self, case, plan):
        voxels, shape_roi, roi, spacing_mm = self._prepared(case)
        box = bounding_box(roi)
        self._check_size(box, roi)
        roi_in_box, parts, flat_images = roi[box], [], []
        together = plan.together is not None and shape_roi is roi  # one crop serves shape and the first image
        if plan.shape is not None and not together:
            parts.append(plan.shape(voxels[box], shape_roi[box], spacing_mm)[0])
        first = together
        for image_type, filter_settings, measure in plan.image_types:
            if image_type == "Original":
                images = (("original", voxels[box]),)
            else:
                images = filtered_images(
                    voxels, box, spacing_mm, image_type, filter_settings, self.flat_axis(), roi_in_box
                )
            for name, image in images:
                try:
                    values, n_levels = (plan.together if first else measure)(image, roi_in_box, spacing_mm)
                except InputError as error:
                    if name == "original":
                        raise
                    raise type(error)(f"in the derived image '{name}': {error}") from error
                first = False
                parts.append(values)
                if n_levels == 1:
                    flat_images.append(name)
                elif n_levels == 2 and name == "original" and self.bin_count is None:
                    warn_of_two_levels(case, voxels[box][roi_in_box])
        if flat_images:
            warn_of_flat_region(case, flat_images, voxels[box][roi_in_box])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _prepared(self, case):
        """Return the voxels that filters may see, the regions of shape and of all else, and the spacing."""
        if self.normalize:
            case = normalize_intensities(case, scale=self.normalize_scale, outlier_sd=self.remove_outliers)
        if self.resample_mm is not None:
            case = case.in_memory()  # the image is asked for its dimensions before it is cropped
            self._check_dimensions(case.id, case.voxels)
            case = resample(case, self.resample_mm, self.interpolator, self.pad_distance)
        voxels, roi, spacing_mm = case.read()
        if self.resample_mm is None:
            self._check_dimensions(case.id, voxels)
        if self.pre_crop and self.resample_mm is None:
            around = box_with_margin(roi, [self.pad_distance] * 3)
            voxels, roi = voxels[around], roi[around]
        if self.resegment_range is None:
            return voxels, roi, roi, spacing_mm
        kept = resegment(voxels, roi, self.resegment_range, self.resegment_mode)
        return voxels, kept if self.resegment_shape else roi, kept, spacing_mm

    def _check_size(self, box, roi):
        sizes = [side.stop - side.start for side in box]
        if sum(size > 1 for size in sizes) < self.minimum_roi_dimensions and max(sizes) > 1:
            raise RoiTooSmallError(
                f"The region spans {' x '.join(map(str, sizes))} voxels (z, y, x). Expected more than one voxel along "
                f"{self.minimum_roi_dimensions} axes; outline more of the lesion or lower minimum_roi_dimensions."
            )
        if self.minimum_roi_size is not None and np.count_nonzero(roi[box]) <= self.minimum_roi_size:
            raise RoiTooSmallError(
                f"The region has {np.count_nonzero(roi[box])} voxels. Expected more than minimum_roi_size="
                f"{self.minimum_roi_size}; outline more of the lesion or lower that parameter."
            )

    def _check_settings(self):
        self._require({name: (holds(getattr(self, name), self), allowed) for name, (holds, allowed) in RULES.items()})
        check_families(self.families)
        image_types_of(self.image_types)
        self.chosen_names()


@cache
def _load_kernels():
    """Load the compiled loops; the first time on a machine they are compiled, which a terminal is told."""
    image = np.arange(60.0).reshape(3, 4, 5)
    message = "Compiling the loops of the handcrafted features, once on this machine; it takes about 20 seconds."
    with announced_if_slow(message):
        region_features(image, image >= 0, (1.0, 1.0, 1.0))
