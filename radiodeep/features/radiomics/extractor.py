"""Cases -> handcrafted features: shape, intensity and texture in the definitions of pyradiomics or of the IBSI."""

import numpy as np

from radiodeep.cases.cohort import as_cases
from radiodeep.cases.naming import naming
from radiodeep.features.radiomics.description import RadiomicsDescription
from radiodeep.features.radiomics.measurement import image_measures, n_shared_features
from radiodeep.features.radiomics.preparation import first_n_dimensions, read_first
from radiodeep.features.radiomics.presets import preset_parameters
from radiodeep.features.radiomics.pyradiomics_parameters import read_parameters
from radiodeep.features.radiomics.settings import RadiomicsSettings, complete_saved_state
from radiodeep.features.several_images import MeasuredImages, by_image, learn_images
from radiodeep.features.stateless import StatelessExtractor, with_label


class RadiomicsExtractor(RadiomicsDescription, StatelessExtractor):
    """Handcrafted features of the region of interest, in the definitions of pyradiomics or of the IBSI.

    A stateless transformer: `fit` checks the settings and learns nothing from the values. With the same settings the
    features equal those of pyradiomics 3.0.1 to about 1e-10; `from_pyradiomics` reads its parameter files. Under
    ``convention="ibsi"`` they meet all published reference values of the standard.

    Parameters
    ----------
    bin_width : float or None, default=25
        Width of a grey level in units of the image (25 suits Hounsfield units; PET in SUV wants
        about 0.25; `suggest_bin_width` finds one for a cohort). Ignored if `bin_count` is given.
    bin_count : int, optional
        Fixed number of grey levels between each region's minimum and maximum, for images without a
        physical scale.
    families : sequence of str, or dict from str to a list of names, optional
        Of "shape", "shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm", and of those that pyradiomics
        does not have, see Notes. By default the first eight but "shape2D", or for 2-D images (one slice) but "shape";
        the first readable case decides which, in `fit` or else in `transform`. "shape2D" needs a region on one slice. A
        dict selects single features: ``{"glcm": ["Contrast"], "shape": None}``. Under "ibsi" of
        `radiodeep.handcrafted.ibsi.catalogue.IBSI_FAMILIES`, all by default: ``{"glcm": ["cm_contrast"]}``.
    image_types : sequence of str, or dict from str to dict, optional
        Of "Original", "Wavelet", "LoG", "Square", "SquareRoot", "Logarithm", "Exponential",
        "Gradient", "LBP2D", "LBP3D"; only "Original" by default. A dict gives the settings of each, e.g.
        ``{"Original": {}, "LoG": {"sigma": [1, 3]}}`` (sigma in mm); `bin_width` and the other texture settings
        may differ by image type, `bin_width` also by image: ``{"wavelet-LLL": 5.0, ...}``. "LoG" and
        "Gradient" take ``"in_plane": True``, "Square", "SquareRoot", "Logarithm" and "Exponential"
        ``"scale_by": "region"`` or a number (see Notes). Shape is calculated once.
        Under "ibsi" the filters of `radiodeep.imaging.ibsi_filters`: ``{"laplacian_of_gaussian": {"sigma_mm": 3}}``.
    force_2d : bool, default=False
        Compute texture and wavelets slice by slice, e.g. for thick slices. As in pyradiomics, "LoG" and "Gradient"
        still use the neighbouring slices unless their settings have ``"in_plane": True``.
    force_2d_dimension : {None, 0, 1, 2}, default=None
        The axis across the slices, in (z, y, x) of `axes`, for `force_2d` and all families and filters of slices.
        None is the plane in which each image was acquired: that of square pixels, axial where all spacings are equal
        (within 5 %), across the axis of the largest spacing where no two are. pyradiomics' default is 0.
    distances : sequence of int, default=(1,)
        Distances of the neighbours in GLCM, GLDM and NGTDM, in voxels.
    symmetrical_glcm : bool, default=True
        Count each pair of the GLCM in both orders.
    weighting_norm : {None, "infinity", "euclidean", "manhattan", "no_weighting"}, default=None
        Weights of the directions when their GLCM and GLRLM are summed; None averages the features instead.
    gldm_alpha : int, default=0
        Largest difference of grey levels between dependent voxels of the GLDM.
    voxel_array_shift : float, default=0
        Added to the intensities for energy, total energy and root mean squared only, e.g. to make all of them
        positive.
    max_gray_levels : int, default=1024
        More grey levels than this raise an error before they fill the memory.
    normalize : bool, default=False
        Scale the image to mean 0 and standard deviation `normalize_scale` first.
    normalize_over : {"image", "percentiles", "body", "ring", "region"}, default="image"
        The voxels from which `normalize` takes mean and standard deviation: all of the image (as in pyradiomics), those
        between its 1st and 99th percentile, those brighter than the background, those within `ring_mm` of the region,
        or those of the region. Only the last two do not depend on the field of view.
    ring_mm : float, default=10
        Width of the ring around the region for ``normalize_over="ring"``.
    normalize_scale : float, default=100
        With 100 a bin width of 5 to 25 is useful.
    remove_outliers : float, optional
        After `normalize`, clip values at this many standard deviations.
    resample_mm : float or three floats, optional
        Voxel size in (z, y, x) order to resample to; 0 keeps an axis, and an axis along which the
        region has one voxel is always kept.
    interpolator : str, default="bspline"
        "bspline", "linear", "nearest" or another of `radiodeep.imaging.resample.INTERPOLATORS`.
    anti_alias : bool, default=False
        Before resampling to larger voxels, smooth the image as such voxels would have done, and clip interpolated
        values to the range of the source. pyradiomics does neither, so noise finer than the new voxels remains.
    resample_grid : {None, "corner", "region", "center"}, default=None
        Where the new voxels lie: aligned with the corner of the image, as in pyradiomics, so that another crop of the
        same image moves them; centred on the bounding box of the region; or with the centre of the image, as in the
        standard. None is that of the convention.
    pre_crop : bool, default=False
        Crop to the region and `pad_distance` voxels around it before filtering; filters then treat the border of the
        crop as that of the image.
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
        The value of the region in the mask, for cases without a `mask_label`.
    minimum_roi_dimensions : {1, 2, 3}, default=2
        Axes along which the region must have more than one voxel.
    minimum_roi_size : int, optional
        A region must have more voxels than this.
    axes : {"anatomical", "stored"}, default="anatomical"
        The order of axes of images from files. "anatomical": towards superior, posterior and left, so that a lesion has
        the same features however its file is stored. "stored": as in the file, which is pyradiomics' order. They
        differ for files that are not stored as LPS, see Notes.
    engine : {"radiodeep", "pyradiomics"}, default="radiodeep"
        "pyradiomics" runs pyradiomics itself, if installed, on the same arrays, for cross-checking. Settings that it
        does not have are refused.
    image : str or tuple of str, optional
        Of cases with several images, that which is measured, or those; all by default. Columns begin with its name:
        ``T1_original_glcm_Contrast``. An image that a case lacks has NaN. The shape of a mask that several images share
        is measured once and has no prefix, unless `resegment_range` makes it depend on the image.
    convention : {"pyradiomics", "ibsi"}, default="pyradiomics"
        Whose definitions, names and defaults, see Notes. Parameters that the standard does not have are refused.
    aggregation : str or sequence of str, optional
        Only "ibsi", of texture: "2D_averaged", "2D_slice_merged", "2.5D_direction_merged", "2.5D_merged",
        "3D_averaged" and "3D_merged", the default (for images of one slice "2.5D_merged").
    resegment_outliers : float, optional
        Only "ibsi": leave out voxels further than this many standard deviations from the mean of the whole region, and
        those outside `resegment_range`.
    ivh_bin_width, ivh_bin_count : float, int, optional
        Only "ibsi": bins of the intensity-volume histogram. By default whole numbers are counted one by one, other
        intensities in 1000 bins.

    Attributes
    ----------
    image_names_ : tuple of str
        The images of cases with several, in the order of the columns; empty for cases of one.
    shares_mask_ : bool
        Whether one mask serves all of them.
    n_dimensions_ : {2, 3}
        Dimensions of the images that the default families are for; only if `families` is None and a case could be read.

    Raises
    ------
    InputError
        For a setting out of range, or any image problem; its message begins with the case id. With the default
        families also for a 2-D image among 3-D ones.

    Warns
    -----
    RadiodeepWarning
        In `fit`, if the default families are those for 2-D images. In `transform`, if a region falls into one or two
        grey levels, or the image ends within the ring that normalises it.

    Notes
    -----
    **Two conventions.** They differ in

    - bins of a width: from multiples of it, or from the lower bound of `resegment_range` (else the lowest intensity);
    - kurtosis: that of a normal distribution is 3, or 0;
    - resampling: aligned by corner, masks by nearest voxel, integers cut off; or by centre, linearly, and rounded;
    - resegmentation: shape is cut to the box of what remains, or keeps the outline;
    - texture: features of all directions are averaged, or those of one merged matrix;
    - features, filters and names: 107, or 174 with the identifiers that `ibsi_ids` returns.

    To compare with most published radiomics and models made with pyradiomics: "pyradiomics". To report standardised
    values or to compare with IBSI-compliant software: "ibsi". Never mix both in one model.

    **More families.** "spiculation" and "spiculation2D" are concavities and radial distances of the outline, in space
    and in the largest slice, "margin" the change of intensities across it, of the original image within 5 mm. "laws"
    and "laws2D" are Laws' texture energy in space and slices, "lbp3D" and "lbp2D" the shares of rotation-invariant
    uniform local binary patterns. Bins and `force_2d` are not used, nor, but for "margin", the image outside the
    region. Energy has the unit of the image; voxels of one size make it and the patterns comparable.

    **Order of axes.** For files that are not stored as LPS, anatomical order differs from pyradiomics in what is named
    after an axis: Maximum2DDiameterSlice, -Row and -Column and the sub-bands of wavelets ("LLH" has high frequencies
    along z) change places, and `force_2d_dimension` counts other axes. What depends on the direction of an axis in
    pyradiomics differs too: wavelets, whose filters are not symmetric, the corner where resampling begins, ties of
    "LBP2D", and the area of the mesh, by about 0.1 %. All other features are equal but for rounding.

    **Field of view.** By definition, and in pyradiomics too, some features depend on what the image shows far from the
    lesion, and on single bright voxels there: all under ``normalize=True``, and those of "Square", "SquareRoot",
    "Logarithm" and "Exponential", which are scaled by the largest magnitude in the image. Features of cases with
    different fields of view, or of a crop and the whole image, are then not comparable. To avoid this, use
    ``normalize_over="ring"`` or "region", and ``"scale_by": "region"`` or a fixed number, the intensity that these
    filters leave as it is (1000 for Hounsfield units), for each of the four image types. With `resample_mm` the grid
    depends on where the image begins unless ``resample_grid="region"``. "LoG" and "Wavelet" see a few sigma or voxels.

    **Units.** With `bin_width` all texture depends on the unit of the images, and MR, ultrasound and photographs have
    none; with `bin_count` it does not, but most first-order features still do. `unit_bound_features` lists them.

    References
    ----------
    van Griethuysen et al., Computational Radiomics System to Decode the Radiographic Phenotype, Cancer Research 77
    (2017) e104. Zwanenburg et al., Image Biomarker Standardisation Initiative, arXiv:1612.07003; Radiology 295 (2020)
    328.

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
    >>> RadiomicsExtractor(convention="ibsi").get_feature_names_out()[0]
    'original_morph_volume'
    >>> RadiomicsExtractor(bin_width=0).fit(make_phantom_cohort(1))
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'bin_width' parameter of RadiomicsExtractor must be ...
    """

    libraries = ("numpy", "scipy", "SimpleITK", "PyWavelets", "numba", "pyradiomics")  # the numbers depend on them
    needs_batches = False  # several cases at once are no faster than one at a time

    # More parameters than a constructor should have, but papers report each of them by its name in pyradiomics, and
    # users of scikit-learn search and clone flat parameters.
    def __init__(
        self,
        bin_width=25.0,
        bin_count=None,
        families=None,
        image_types=None,
        force_2d=False,
        force_2d_dimension=None,
        distances=(1,),
        symmetrical_glcm=True,
        weighting_norm=None,
        gldm_alpha=0,
        voxel_array_shift=0.0,
        max_gray_levels=1024,
        normalize=False,
        normalize_over="image",
        ring_mm=10.0,
        normalize_scale=100.0,
        remove_outliers=None,
        resample_mm=None,
        interpolator="bspline",
        anti_alias=False,
        resample_grid=None,
        pre_crop=False,
        pad_distance=5,
        resegment_range=None,
        resegment_mode="absolute",
        resegment_shape=False,
        label=None,
        minimum_roi_dimensions=2,
        minimum_roi_size=None,
        axes="anatomical",
        engine="radiodeep",
        image=None,
        convention="pyradiomics",
        aggregation=None,
        resegment_outliers=None,
        ivh_bin_width=None,
        ivh_bin_count=None,
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
        self.normalize_over = normalize_over
        self.ring_mm = ring_mm
        self.normalize_scale = normalize_scale
        self.remove_outliers = remove_outliers
        self.resample_mm = resample_mm
        self.interpolator = interpolator
        self.anti_alias = anti_alias
        self.resample_grid = resample_grid
        self.pre_crop = pre_crop
        self.pad_distance = pad_distance
        self.resegment_range = resegment_range
        self.resegment_mode = resegment_mode
        self.resegment_shape = resegment_shape
        self.label = label
        self.minimum_roi_dimensions = minimum_roi_dimensions
        self.minimum_roi_size = minimum_roi_size
        self.axes = axes
        self.engine = engine
        self.image = image
        self.convention = convention
        self.aggregation = aggregation
        self.resegment_outliers = resegment_outliers
        self.ivh_bin_width = ivh_bin_width
        self.ivh_bin_count = ivh_bin_count

    def __setstate__(self, state):
        super().__setstate__(complete_saved_state(state))

    @classmethod
    def from_pyradiomics(cls, params):
        """Make an extractor with the settings of a pyradiomics parameter file.

        Parameters
        ----------
        params : path-like
            YAML or JSON, with `setting`, `imageType` and `featureClass`. Settings that the file leaves out have the
            defaults of pyradiomics: `normalize_scale` is 1, `force_2d_dimension` is 0, and axes are those of the files.

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
        RadiomicsExtractor(axes='stored', bin_width=10.0, force_2d_dimension=0,
                           normalize_scale=1.0, resample_mm=(3.0, 1.0, 1.0))
        """
        return cls(**read_parameters(params))

    @classmethod
    def preset(cls, name, **parameters):
        """Make an extractor of a set of features: "study-219", or "study-219-2d" for images of one slice.

        219 features in the spirit of studies of lung cancer, chosen by radiodeep: size, shape, spiculation and margin
        of the original image, and intensity, GLCM, run length and Laws' energy of it and its wavelets (in a slice also
        of a LoG). Other `parameters` of the extractor have their defaults. InputError for a name that is not a preset.

        Examples
        --------
        >>> len(RadiomicsExtractor.preset("study-219", bin_width=10).get_feature_names_out())
        219
        """
        return cls(**{**preset_parameters(name), **parameters})

    def fit(self, cases, y=None):
        """Check the settings; for the default families, find out whether the first readable case is 2-D or 3-D."""
        vars(self).pop("n_dimensions_", None)
        settings = RadiomicsSettings.of(self)
        cases = as_cases(cases)
        images = learn_images(self, cases)
        if settings.learns_dimensions:
            n_dimensions = first_n_dimensions(images.first_parts(cases), settings)
            if n_dimensions is not None:
                self.n_dimensions_ = n_dimensions
                RadiomicsSettings.of(self)
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
        settings = RadiomicsSettings.of(self)
        cases = as_cases(cases)
        images = MeasuredImages.of(self, cases)
        in_memory = {}
        if settings.learns_dimensions and settings.n_dimensions is None:
            in_memory = read_first(cases, self.label)
            n_dimensions = first_n_dimensions(images.first_parts(cases), settings, in_memory)
            settings = RadiomicsSettings.of(self, n_dimensions)
        n_shared = n_shared_features(settings, images)
        measures = image_measures(settings, n_shared)
        rows = np.empty((len(cases), n_shared + len(images.names) * (len(settings.columns) - n_shared)))
        for row, case in zip(rows, cases, strict=True):
            with naming(case):
                read = in_memory.pop(case) if case in in_memory else with_label(case, self.label)
                row[:] = images.row(read, measures, row.size, n_shared)
        return rows

    def get_feature_names_out(self, input_features=None):
        """Return the names of the convention, e.g. ``original_glcm_Contrast``, as an object array."""
        settings = RadiomicsSettings.of(self)
        images = MeasuredImages.of(self)
        titles = images.titles([column.title for column in settings.columns], n_shared_features(settings, images))
        return np.array(titles, dtype=object)

    def by_image(self):
        """Return extractors of one image each, or this one if they share features of shape."""
        settings, images = RadiomicsSettings.of(self), MeasuredImages.of(self)
        return [self] if n_shared_features(settings, images) else by_image(self)
