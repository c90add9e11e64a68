"""In: grey levels of a region and its mask. Out: the texture features of IBSI, in one or several aggregations.

`texture_features` computes one aggregation. `texture_features_by_aggregation` computes several at little more than the
cost of one: all of them read the same tables of pairs, runs, zones and neighbours.
"""

from functools import lru_cache

import numpy as np

from radiodeep.checks import is_count, require, require_option
from radiodeep.exceptions import EmptyMaskError, GeometryMismatchError, InputError
from radiodeep.handcrafted.ibsi.catalogue import AGGREGATIONS, TEXTURE_FAMILIES
from radiodeep.handcrafted.kernels.ibsi_texture import describe_slices, describe_volume
from radiodeep.handcrafted.kernels.ibsi_texture_tables import GLCM, GLDZM, GLRLM, GLSZM, N_FEATURES, NGLDM, NGTDM
from radiodeep.handcrafted.kernels.ibsi_texture_volumes import distances_to_border, place_levels
from radiodeep.handcrafted.neighbours import directions, group_representatives
from radiodeep.handcrafted.region import bounding_box

_ENDS = (GLCM, GLRLM, GLSZM, GLDZM, NGTDM, NGLDM, N_FEATURES)
_COLUMNS = {family: slice(*_ENDS[k : k + 2]) for k, family in enumerate(TEXTURE_FAMILIES)}
_BY_SLICE, _IN_3D = tuple(AGGREGATIONS)[:4], tuple(AGGREGATIONS)[4:]
_WIDEST = 508  # voxels, up to which distances to the border fit in 8 bits
_CHUNK = 1024  # voxels compared at a time


def texture_features(levels, n_levels, shape_mask, slice_axis, families, aggregation):
    """Texture features of IBSI in one aggregation: a dict from family to float64 (n_features,).

    See `texture_features_by_aggregation`, which takes the same parameters but several aggregations.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.ibsi.texture import texture_features
    >>> levels = np.array([[[1, 2, 2], [1, 1, 3]]])
    >>> values = texture_features(levels, 3, levels > 0, 0, ("glszm", "ngtdm"), "3D_merged")
    >>> round(float(values["glszm"][0]), 3)  # small zone emphasis: zones of 3, 2 and 1 voxels
    0.454
    """
    features = texture_features_by_aggregation(levels, n_levels, shape_mask, slice_axis, families, (aggregation,))
    return {family: features[family, aggregation] for family in families}


def texture_features_by_aggregation(levels, n_levels, shape_mask, slice_axis, families, aggregations):
    """Texture features of IBSI in several aggregations.

    Neighbours are at Chebyshev distance 1: 26 in 3-D, 8 in a slice. The GLCM is symmetric, dependences have coarseness
    0, and distance zones lie at the city-block distance of their nearest voxel to the outside of `shape_mask`, measured
    within slices in 2-D and 2.5-D.

    Parameters
    ----------
    levels : array of int (z, y, x)
        Grey levels from 1 to `n_levels` inside the intensity mask, 0 outside.
    n_levels : int, at most 65535
        Grey levels of the discretisation, by which the normalised inverse differences of the GLCM are scaled.
    shape_mask : array of bool (z, y, x)
        The morphological mask, which holds all voxels that have a level.
    slice_axis : {0, 1, 2}
        The axis across the slices.
    families : sequence of str
        Of "glcm", "glrlm", "glszm", "gldzm", "ngtdm" and "ngldm".
    aggregations : sequence of str
        Of the names of `AGGREGATIONS` in the catalogue, as "3D_merged". Families without directions have three: both
        that begin with "2D" are the same mean over slices, both with "2.5D" merge the slices.

    Returns
    -------
    dict of (family, aggregation) to ndarray of float64
        25 features of the GLCM, 16 of GLRLM, GLSZM and GLDZM, 5 of the NGTDM and 17 of the NGLDM, in the order of the
        catalogue.

    Raises
    ------
    EmptyMaskError
        No voxel has a level.
    GeometryMismatchError
        Levels and mask differ in shape, or a voxel in the box of the mask has a level but is outside the mask.
    InputError
        A setting or a level is out of range.

    Notes
    -----
    Where the standard leaves a feature undefined:

    - Slices without the region are left out. Slices and directions without any pair of neighbours are left out of the
      means of the GLCM, and slices in which no voxel has a neighbour of those of the NGTDM. If nothing is left, the
      features of these two families are NaN. All other families are defined for a single voxel.
    - Voxels without neighbours do not enter the NGTDM. They have a dependence of 1, and are runs and zones.
    - One grey level: Correlation is 1, Inverse variance is 0, both information correlations are 0 (as wherever the
      levels of a pair are independent up to rounding), Coarseness is 1e6, its largest value, and the other features of
      the NGTDM are 0. This also holds for each slice or direction that has one level only.
    - Busyness is 0 if its denominator is 0.

    References
    ----------
    IBSI reference manual, families LFYI, TP0I, 9SAK, VMDZ, IPET and REK0; aggregations BTW3, SUJT, JJUI, ZW7Z, ITBB and
    IAZD of the first two, 8QNN, 62GR and KOBO of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.ibsi.texture import texture_features_by_aggregation
    >>> levels = np.random.default_rng(0).integers(1, 5, size=(3, 6, 6))
    >>> both = ("2D_averaged", "3D_merged")
    >>> values = texture_features_by_aggregation(levels, 4, levels > 0, 0, ("glcm", "ngldm"), both)
    >>> [(*key, features.size) for key, features in values.items()]
    [('glcm', '2D_averaged', 25), ('glcm', '3D_merged', 25), ('ngldm', '2D_averaged', 17), ('ngldm', '3D_merged', 17)]
    """
    levels, inside = _checked_arrays(levels, n_levels, shape_mask, slice_axis)
    for family in families:
        require_option(family, TEXTURE_FAMILIES, "texture_features", "families")
    for aggregation in aggregations:
        require_option(aggregation, tuple(AGGREGATIONS), "texture_features", "aggregations")
    wanted = np.array([family in families for family in TEXTURE_FAMILIES])
    values = _describe(levels, int(n_levels), inside, wanted, aggregations)
    return {
        (family, aggregation): values[aggregation][_COLUMNS[family]].copy()
        for family in families
        for aggregation in aggregations
    }


def _checked_arrays(levels, n_levels, shape_mask, slice_axis):
    """Return levels, int32, and the mask, uint8, in the box of the mask, with the slices along the first axis."""
    levels, shape_mask = np.asarray(levels), np.asarray(shape_mask, bool)
    require(is_count(n_levels, 1, 65535), "texture_features", "n_levels", "an int from 1 to 65535", n_levels)
    require(is_count(slice_axis, 0, 2), "texture_features", "slice_axis", "0, 1 or 2 (z, y, x)", slice_axis)
    if levels.ndim != 3 or levels.dtype.kind not in "iu":
        raise InputError(
            f"The grey levels must be an array of integers (z, y, x). Got {levels.ndim} dimensions of {levels.dtype}."
        )
    if levels.shape != shape_mask.shape:
        shapes = f"{levels.shape} and {shape_mask.shape}"
        raise GeometryMismatchError(f"Grey levels and mask must have one shape (z, y, x). Got {shapes}.")
    box = bounding_box(shape_mask)
    if slice_axis:
        return (np.moveaxis(array[box], slice_axis, 0) for array in (levels, shape_mask))
    return levels[box], shape_mask[box]


def _describe(levels, n_levels, inside, wanted, aggregations):
    """Return the features of each aggregation, a dict to float64 (N_FEATURES,), NaN if not wanted."""
    levels = np.ascontiguousarray(levels, np.int32)
    inside = np.ascontiguousarray(inside).view(np.uint8)
    nz, ny, nx = levels.shape
    is_wide = n_levels > 255 or min(ny, nx) > _WIDEST  # two sets of types only, each of which is compiled
    gray = np.zeros((nz + 2, ny + 2, nx + 2), np.uint16 if is_wide else np.uint8)
    counts, highest, n_present, n_voxels, n_wrong, n_stray = place_levels(levels, inside, n_levels, gray)
    _check_levels(n_levels, n_voxels, n_wrong, n_stray)
    volume, present = _numbered(gray, counts, highest, n_present)
    scratch = np.empty(min(_CHUNK, gray.size), np.uint32 if is_wide else np.uint16)
    values = {}
    by_slice = [aggregation in aggregations for aggregation in _BY_SLICE]
    if any(by_slice):
        slices = (array.reshape(nz + 2, -1)[1:-1] for array in (gray, _distances(inside, True, gray, wanted)))
        neighbours = _offsets(ny, nx, 0), group_representatives(0)
        settings = max(2, ny, nx), scratch, n_levels, wanted, np.array(by_slice)
        values.update(zip(_BY_SLICE, describe_slices(*slices, n_voxels, present, *neighbours, *settings), strict=True))
    in_3d = [aggregation in aggregations for aggregation in _IN_3D]
    if any(in_3d):
        volumes = (array.reshape(-1) for array in (volume, gray, _distances(inside, False, gray, wanted)))
        neighbours = _offsets(ny, nx, None), group_representatives(None)
        settings = max(2, nz, ny, nx), scratch, n_levels, wanted, np.array(in_3d)
        found = describe_volume(*volumes, present, counts[present], *neighbours, *settings)
        values.update(zip(_IN_3D, found, strict=True))
    return values


def _check_levels(n_levels, n_voxels, n_wrong, n_stray):
    if n_wrong:
        raise InputError(
            f"The grey levels must lie from 1 to n_levels={n_levels}, 0 outside the region. "
            f"Got {n_wrong} voxels with others."
        )
    if n_stray:
        raise GeometryMismatchError(
            f"{n_stray} voxels outside the morphological mask have a grey level. "
            "The intensity mask must be a part of the morphological mask."
        )
    if not n_voxels:
        raise EmptyMaskError("The grey levels hold no voxel of the region. Expected at least one that is not 0.")


def _distances(inside, within_slices, gray, wanted):
    """Return the distances to the border, like `gray`, that distance zones need, otherwise zeros."""
    distances = np.zeros_like(gray)
    if wanted[TEXTURE_FAMILIES.index("gldzm")]:
        distances_to_border(inside, within_slices, distances)
    return distances


def _numbered(gray, counts, highest, n_present):
    """Return the volume with the numbers, from 1, of those levels that get a row in tables, and these levels.

    All levels up to the highest get one, unless most of them do not occur.
    """
    if highest <= 2 * n_present:
        return gray, np.arange(1, highest + 1)
    return np.cumsum(counts > 0).astype(gray.dtype)[gray] * (gray > 0), np.flatnonzero(counts)


@lru_cache(maxsize=64)
def _offsets(ny, nx, flat_axis):
    """Return the steps to half of the neighbours in a flattened and padded volume: int64 (n_directions,)."""
    return directions((1,), flat_axis) @ np.array([(ny + 2) * (nx + 2), nx + 2, 1])
