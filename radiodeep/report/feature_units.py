"""Name of a feature -> its unit, in UCUM, and its code: that of IBSI, or its name."""

from radiodeep.report.feature_meaning import HANDCRAFTED, feature_meaning, standard_feature

INTENSITY_UNITS = ("HU", "SUV", "none")
PRIVATE_SCHEME = "99RADIODEEP"
_IN_UCUM = {"HU": "[hnsf'U]{power}", "SUV": "g{power}/ml{power}{{SUVbw}}"}
_MEANINGS = {
    "1": "no units",
    "mm": "millimeter",
    "mm2": "square millimeter",
    "mm3": "cubic millimeter",
    "/mm": "per millimeter",
    "[hnsf'U]": "Hounsfield unit",
    "g/ml{SUVbw}": "Standardized Uptake Value body weight",
}
_LENGTHS = {  # powers of mm
    **dict.fromkeys(("MeshVolume", "VoxelVolume"), 3),
    **dict.fromkeys(("SurfaceArea", "MeshSurface", "PixelSurface"), 2),
    **dict.fromkeys(("SurfaceVolumeRatio", "PerimeterSurfaceRatio"), -1),
    **dict.fromkeys(("Elongation", "Flatness", "Sphericity"), 0),
}
_FIRST_ORDER = {  # powers of the unit of the image
    **dict.fromkeys(("Energy", "TotalEnergy", "Variance"), 2),
    **dict.fromkeys(("Entropy", "Uniformity", "Skewness", "Kurtosis"), 0),
}
_STANDARD = {  # powers of the unit of the image and of mm
    **dict.fromkeys(("morph_volume", "morph_vol_approx"), (0, 3)),
    "morph_area_mesh": (0, 2),
    "morph_av": (0, -1),
    **dict.fromkeys(("morph_com", "morph_diam"), (0, 1)),
    **dict.fromkeys(("morph_pca_maj_axis", "morph_pca_min_axis", "morph_pca_least_axis"), (0, 1)),
    "morph_integ_int": (1, 3),
    **dict.fromkeys(("stat_var", "stat_energy"), (2, 0)),
    **dict.fromkeys(("stat_skew", "stat_kurt", "stat_cov", "stat_qcod"), (0, 0)),
}
_LEVELS_OF_VOLUME = ("ivh_i10", "ivh_i90", "ivh_diff_i10_i90")  # intensities, or numbers of bins
_STANDARD_FAMILIES = {"local_intensity": (1, 0), "intensity_statistics": (1, 0)}
_MARGIN = {  # powers of the unit of the image and of mm
    **dict.fromkeys(("Contrast", "SigmoidContrast"), (1, 0)),
    **dict.fromkeys(
        ("GradientMean", "GradientStandardDeviation", "Gradient10Percentile", "Gradient90Percentile"), (1, -1)
    ),
    **dict.fromkeys(("SigmoidOffset", "SigmoidWidth"), (0, 1)),
    "RelativeGradient": (0, -1),
}


def feature_code(name, is_shifted=False):
    """Return value, scheme and meaning of the code of a feature, and the name of the image it was measured in.

    The code is that of the IBSI reference manual, if it has one: IBSI defines features of any image, filtered or not.
    Otherwise it is the name, in a scheme of radiodeep. `is_shifted` is of intensities under a `voxel_array_shift`,
    whose energy IBSI does not define.

    >>> feature_code("wavelet-LLH_glcm_Contrast")
    (('ACUI', 'IBSI', 'glcm_Contrast'), 'wavelet-LLH')
    >>> feature_code("original_glcm_MCC")
    (('glcm_MCC', '99RADIODEEP', 'glcm_MCC'), 'original')
    """
    standard = standard_feature(name)
    if standard is not None:
        image, column = standard
        return (column.feature.ibsi_id, "IBSI", column.tag), image
    meaning = feature_meaning(name)
    if meaning.kind != HANDCRAFTED:
        return (name, PRIVATE_SCHEME, name[-64:]), ""
    image, _, own = name.rpartition(f"{meaning.family}_")
    own = f"{meaning.family}_{own}"
    is_defined = meaning.ibsi_id and not (is_shifted and own in ("firstorder_Energy", "firstorder_RootMeanSquared"))
    code = (meaning.ibsi_id, "IBSI", own[-64:]) if is_defined else (own, PRIVATE_SCHEME, own[-64:])
    return code, image.rstrip("_")


def feature_unit(name, intensity_unit, settings=()):
    """Return value, scheme and meaning of the unit of a feature in UCUM, from one of `INTENSITY_UNITS` of its image.

    Filters keep the unit of the image, but for gradients, in that unit per mm, and binary patterns, which have none.
    `settings`, a list of those of extractors, tell whether intensity-volume histograms count intensities or bins.

    >>> feature_unit("original_firstorder_TotalEnergy", "HU")[0], feature_unit("original_shape_SurfaceArea", "HU")[0]
    ("[hnsf'U]2.mm3", 'mm2')
    """
    standard = standard_feature(name)
    if standard is not None:
        image, column = standard
        feature = column.feature
        intensity, length = _STANDARD.get(feature.tag, _STANDARD_FAMILIES.get(feature.family, (0, 0)))
        intensity += feature.tag in _LEVELS_OF_VOLUME and _counts_intensities(image, intensity_unit, settings)
    else:
        meaning = feature_meaning(name)
        image, _, own = name.rpartition(f"{meaning.family}_")
        intensity, length = _powers(meaning.family, own)
    if image.endswith("gradient_"):
        length -= intensity
    if "lbp" in image:
        intensity = 0
    text = ""
    if intensity and intensity_unit in _IN_UCUM:
        text = _IN_UCUM[intensity_unit].format(power=intensity if intensity > 1 else "")
    if length:
        text += ("." if length > 0 else "/") + "mm" + (str(abs(length)) if abs(length) > 1 else "")
    text = text.lstrip(".") or "1"
    return text, "UCUM", _MEANINGS.get(text, text)


def _counts_intensities(image, intensity_unit, settings):
    """Return whether the intensity-volume histogram of an image is of intensities, not of numbered bins.

    By default it is that of whole numbers, as in CT, but not of filtered images.
    """
    known = {}
    for part in settings:
        if part.get("convention") == "ibsi":
            own = [texture for kind, texture in part["image_types"] if kind.casefold() in image]
            known = {**part, **(own[0] if own else {})}
    if known.get("ivh_bin_count") is not None:
        return False
    return known.get("ivh_bin_width") is not None or (image.endswith("original") and intensity_unit == "HU")


def _powers(family, name):
    """Return the powers of the unit of the image and of mm in the unit of a feature."""
    if family in ("shape", "shape2D"):
        return 0, _LENGTHS.get(name, 1)
    if family == "firstorder":
        return _FIRST_ORDER.get(name, 1), 3 if name == "TotalEnergy" else 0
    if family == "margin":
        return _MARGIN.get(name, (0, 0))
    return int(family in ("laws", "laws2D")), int(name == "LargestConcavityDepth")
