"""Settings of handcrafted features -> how they were measured, as facts that the IBSI's reporting guidelines ask for."""

from collections import Counter

from radiodeep.handcrafted.catalogue import FEATURES, PYRADIOMICS_FAMILIES
from radiodeep.handcrafted.ibsi.catalogue import ibsi_column
from radiodeep.report.fact import Fact, fact, joined

_IBSI_IDS = {f"{feature.family}_{feature.name}": feature.ibsi_id for feature in FEATURES}
_AGGREGATIONS = {
    "2D_averaged": "of each direction and slice, averaged",
    "2D_slice_merged": "of the matrices of each slice, merged over directions, averaged over slices",
    "2.5D_direction_merged": "of the matrices of each direction, merged over slices, averaged over directions",
    "2.5D_merged": "of one matrix, merged over directions in slices and over slices",
    "3D_averaged": "of each direction in space, averaged",
    "3D_merged": "of one matrix, merged over directions in space",
}
_BOUNDS = {"absolute": "image units", "relative": "parts of the maximum", "sigma": "standard deviations from the mean"}


def extraction_facts(radiomics, from_images):
    """Return the facts of a list of settings of RadiomicsExtractor: a dict from name to Fact, or None if unknown.

    Without such settings a study of images has no handcrafted features; what is in a table is unknown.
    """
    names = list(dict.fromkeys(name for part in radiomics for name in part["families"]))
    without = Fact("No handcrafted features were measured.", done=False) if from_images else None
    facts = {
        name: fact(joined(words(part) for part in radiomics), otherwise) if radiomics else without
        for name, (words, otherwise) in _FACTS.items()
    }
    facts |= {name: fact(words(names)) if names else without for name, words in _OF_NAMES.items()}
    steps = list(filter(None, dict.fromkeys(facts[name] for name in _STEPS)))
    text = " ".join(step.text for step in steps)
    return facts | {"preprocessing": Fact(text, any(step.done for step in steps)) if steps else None}


def _is_standard(part):
    """Return whether settings are those of the IBSI's convention; others were saved without one, too."""
    return part.get("convention") == "ibsi"


def _normalisation(part):
    if not part["normalize"]:
        return ""
    clipped = f", clipped at {part['remove_outliers']:g} standard deviations" if part["remove_outliers"] else ""
    return (
        f"intensities were scaled to mean 0 and standard deviation {part['normalize_scale']:g} of the "
        f"{part['normalize_over']}{clipped}"
    )


def _resampled(words):
    """Return a function of settings that returns `words`, of their resampling, if images were resampled."""
    return lambda part: words(part) if part["resample_mm"] is not None else ""


@_resampled
def _resampling(part):
    steps = part["resample_mm"]
    steps = " x ".join(f"{step:g}" for step in steps) if isinstance(steps, list) else f"{steps:g}"
    return f"images were resampled to voxels of {steps} mm by {part['interpolator']} interpolation"


@_resampled
def _grid(part):
    if part["resample_grid"] == "region":
        return "the new grid was centred on the box of the region"
    if part["resample_grid"] == "center":
        return "the centre of the new grid was aligned with that of the image"
    return "the new grid was aligned with the corner of the image"


@_resampled
def _anti_aliasing(part):
    return "images were smoothed by a Gaussian before resampling to larger voxels" if part["anti_alias"] else ""


@_resampled
def _extrapolation(part):
    if part["resample_grid"] == "center":
        return "no centre of a new voxel lies outside the image"
    return "new voxels whose centres lie outside the image have the intensity 0"


@_resampled
def _rounding(part):
    if _is_standard(part):
        return "interpolated intensities of images of whole numbers were rounded; those of others were not"
    return "interpolated intensities of integer images were cut off to whole numbers; others were not rounded"


@_resampled
def _mask_interpolation(part):
    return f"masks were resampled by {'linear interpolation' if _is_standard(part) else 'nearest neighbour'}"


@_resampled
def _partial_voxels(part):
    if _is_standard(part):
        return "a new voxel belongs to the region if the interpolated mask is at least 0.5; there are no partial voxels"
    return "a new voxel belongs to the region if the nearest old voxel does; there are no partial voxels"


def _resegmentation(part):
    n_deviations = part.get("resegment_outliers")
    outliers = ""
    if n_deviations is not None:
        outliers = f"voxels further than {n_deviations:g} standard deviations from the mean of the region"
    if part["resegment_range"] is None:
        return f"{outliers} were left out of intensity and texture" if outliers else ""
    bounds = " to ".join(f"{bound:g}" for bound in part["resegment_range"])
    left_out = f", and of these no {outliers}" if outliers else ""
    return f"only voxels of the region within {bounds} ({_BOUNDS[part['resegment_mode']]}) were measured{left_out}"


def _discretisation(part):
    if part["bin_count"] is not None:
        return f"intensities were discretised to {part['bin_count']} bins between the extremes of each region"
    return f"intensities were discretised in bins of the width {part['bin_width']:g}, in units of the image"


def _first_bin(part):
    if part["bin_count"] is not None:
        return "the first bin begins at the lowest intensity of each region"
    if _is_standard(part):
        bound = part["resegment_range"]
        return f"the first bin begins at {f'{min(bound):g}' if bound else 'the lowest intensity of each region'}"
    return "edges of bins are multiples of the width; the first bin begins at or below the lowest intensity"


def _image_types(part):
    return f"types of images that were measured: {', '.join(map(_image_type, part['image_types']))}"


def _filters(part):
    filtered = [_image_type(pair) for pair in part["image_types"] if pair[0] != "Original"]
    return f"filtered images: {', '.join(filtered)}" if filtered else ""


def _image_type(pair):
    name, settings = pair
    own = ", ".join(f"{key} {value}" for key, value in settings.items())
    return f"{name} ({own})" if own else name


def _counted(names):
    return Counter(map(_family_of, names))


def _family_of(name):
    column = ibsi_column(name)
    return name.split("_", 1)[0] if column is None else column.feature.family


def _families(names):
    counts = ", ".join(f"{family} ({count})" for family, count in _counted(names).items())
    return f"{len(names)} handcrafted features of each image: {counts}"


def _ibsi(names):
    standard = [name for name in names if ibsi_column(name) is not None]
    if len(standard) == len(names):
        return f"all {len(names)} features follow the definitions of the IBSI reference manual and have its identifiers"
    own = [name for name in names if name.split("_", 1)[0] not in PYRADIOMICS_FAMILIES and name not in standard]
    n_known = sum(_IBSI_IDS.get(name) is not None for name in names) + len(standard)
    others = f", {len(own)} those of radiodeep" if own else ""
    others += f", {len(standard)} those of the IBSI reference manual" if standard else ""
    n_of_pyradiomics = len(names) - len(own) - len(standard)
    return (
        f"{n_of_pyradiomics} features follow the definitions of pyradiomics 3.0.1{others}; {n_known} of "
        f"{len(names)} have an identifier of the IBSI reference manual"
    )


def _dimensions(part):
    is_flat = part["force_2d"]
    if _is_standard(part):
        is_flat = not any(name.startswith("3D") for name in part["aggregation"])
    how = "slice by slice" if is_flat else "in all directions of the image"
    return f"texture was measured {how}"


def _of_texture(*families):
    """Return a decorator: the words apply only if one of the families was measured."""

    def decorate(words):
        return lambda part: words(part) if any(_counted(part["families"])[family] for family in families) else ""

    return decorate


@_of_texture("glcm", "glrlm")
def _aggregation(part):
    if _is_standard(part):
        return f"features of GLCM and GLRLM are those {', and '.join(map(_AGGREGATIONS.get, part['aggregation']))}"
    if part["weighting_norm"] is None:
        return "features of GLCM and GLRLM were computed for each direction and averaged"
    return "the GLCM and GLRLM of all directions were summed before their features were computed"


@_of_texture("glcm", "glrlm")
def _weighting(part):
    norm = part["weighting_norm"]
    return "directions were not weighted" if norm in (None, "no_weighting") else f"directions were weighted ({norm})"


@_of_texture("glcm")
def _symmetry(part):
    return f"co-occurrence matrices were {'symmetric' if part['symmetrical_glcm'] else 'not symmetric'}"


def _distances(part):
    return ", ".join(map(str, part["distances"]))


@_of_texture("glcm")
def _glcm_distance(part):
    return f"co-occurrence at the Chebyshev distance {_distances(part)}"


@_of_texture("glszm", "gldzm")
def _zones(part):
    return "zones of equal grey level link voxels at the Chebyshev distance 1"


@_of_texture("ngtdm")
def _ngtdm(part):
    return f"NGTDM neighbours at the Chebyshev distance {_distances(part)}"


@_of_texture("gldm", "ngldm")
def _gldm(part):
    return f"GLDM (NGLDM) neighbours at the Chebyshev distance {_distances(part)}"


@_of_texture("gldm", "ngldm")
def _alpha(part):
    return f"GLDM (NGLDM) coarseness parameter {part['gldm_alpha']}"


_STEPS = ("normalisation", "resampling", "resegmentation")
_FACTS = {  # by name the words of settings, and what is the case if there are none
    "normalisation": (_normalisation, "Intensities were not normalised."),
    "resampling": (_resampling, "Images were not resampled."),
    "interpolation_grid": (_grid, "Images were not resampled, so there is no new grid."),
    "anti_aliasing": (_anti_aliasing, "Images were not smoothed before resampling."),
    "extrapolation": (_extrapolation, "Images were not resampled, so nothing was extrapolated."),
    "rounding": (_rounding, "Images were not resampled, so no intensity was rounded."),
    "mask_interpolation": (_mask_interpolation, "Masks were not resampled."),
    "partial_voxels": (_partial_voxels, "Masks were not resampled, so no voxel is partly inside."),
    "resegmentation": (_resegmentation, "The region was not re-segmented by intensity."),
    "discretisation": (_discretisation, None),
    "first_bin": (_first_bin, None),
    "image_types": (_image_types, None),
    "filters": (_filters, "No filtered images were measured."),
    "dimensions": (_dimensions, None),
    "texture_aggregation": (_aggregation, "No GLCM or GLRLM was computed."),
    "distance_weighting": (_weighting, "No GLCM or GLRLM was computed."),
    "glcm_symmetry": (_symmetry, "No GLCM was computed."),
    "glcm_distance": (_glcm_distance, "No GLCM was computed."),
    "zone_linkage": (_zones, "No GLSZM was computed."),
    "ngtdm_distance": (_ngtdm, "No NGTDM was computed."),
    "gldm_distance": (_gldm, "No GLDM (NGLDM) was computed."),
    "gldm_alpha": (_alpha, "No GLDM (NGLDM) was computed."),
}
_OF_NAMES = {"families": _families, "ibsi": _ibsi}  # of the names of features
