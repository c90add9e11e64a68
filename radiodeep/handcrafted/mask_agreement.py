"""In: two masks of one image. Out: how well they agree, as overlap, as distance of their surfaces and as volume."""

import numpy as np
from scipy import ndimage

from radiodeep.checks import is_non_negative, is_positive, is_sequence, require
from radiodeep.exceptions import InputError

MEASURES = ("dice", "jaccard", "hd95_mm", "surface_distance_mm", "surface_dice", "volume_error")
_ROUNDING = 1 + 1e-9  # of distances that are sums of squares


def compare_masks(first, second, spacing_mm, tolerance_mm=1.0):
    """Measure how well two masks of the same image agree.

    Parameters
    ----------
    first, second : ndarray of shape (z, y, x) or (y, x)
        Bools, or 0 and one other value > 0. The first is the reference, which counts for `volume_error` only.
    spacing_mm : sequence of float
        Size of a voxel in mm, in the order of the axes.
    tolerance_mm : float, default=1.0
        Distance up to which surfaces agree, for `surface_dice`.

    Returns
    -------
    dict of str to float
        `dice` and `jaccard`, the overlap, 0 to 1; `hd95_mm`, the larger one of the 95th percentiles of the distances
        from either surface to the other; `surface_distance_mm`, the mean of all these distances (average symmetric
        surface distance); `surface_dice`, the share of them within the tolerance; `volume_error`, the second volume
        less the first as a fraction of the first.

    Raises
    ------
    InputError
        The masks have different shapes or hold several values, or the spacing does not fit.

    Notes
    -----
    The surface of a mask are its voxels with a neighbour outside, across a face; those at the border of the array
    belong to it. In an image of one slice only neighbours in the slice count. All voxels of a surface count alike, also
    where voxels are not cubes, as in MONAI.

    Two empty masks agree: `dice`, `jaccard` and `surface_dice` are 1, distances and `volume_error` 0. If one is empty,
    the first three are 0 and distances infinite; `volume_error` is -1 if that is the second, infinite if the first.

    References
    ----------
    A. A. Taha, A. Hanbury, Metrics for evaluating 3D medical image segmentation, BMC Medical Imaging 15 (2015) 29.
    S. Nikolov et al., Clinically applicable segmentation of head and neck anatomy, Journal of Medical Internet
    Research 23 (2021) e26151: surface Dice.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import compare_masks
    >>> first = np.zeros((1, 8, 8), bool)
    >>> first[0, 2:6, 2:6] = True
    >>> found = compare_masks(first, np.roll(first, 1, axis=2), spacing_mm=(5, 2, 2), tolerance_mm=1)
    >>> {name: round(value, 2) for name, value in found.items()}
    {'dice': 0.75, 'jaccard': 0.6, 'hd95_mm': 2.0, 'surface_distance_mm': 1.0, 'surface_dice': 0.5, 'volume_error': 0.0}
    """
    require(is_non_negative(tolerance_mm), compare_masks, "tolerance_mm", "a number >= 0", tolerance_mm)
    first, second = (_as_bools(mask, name) for mask, name in ((first, "first"), (second, "second")))
    if first.shape != second.shape or first.ndim not in (2, 3):
        raise InputError(
            f"Masks to compare must have one shape, (z, y, x) or (y, x). Got {first.shape} and {second.shape}; "
            "resample one of them to the grid of the other."
        )
    is_spacing = is_sequence(spacing_mm) and len(spacing_mm) == first.ndim and all(map(is_positive, spacing_mm))
    require(is_spacing, compare_masks, "spacing_mm", f"{first.ndim} numbers > 0", spacing_mm)
    n_first, n_second = int(first.sum()), int(second.sum())
    n_both = int((first & second).sum())
    if n_first == n_second == 0:
        return dict(zip(MEASURES, (1.0, 1.0, 0.0, 0.0, 1.0, 0.0), strict=True))
    volume_error = (n_second - n_first) / n_first if n_first else np.inf
    if n_first == 0 or n_second == 0:
        return dict(zip(MEASURES, (0.0, 0.0, np.inf, np.inf, 0.0, volume_error), strict=True))
    there, back = surface_distances(first, second, spacing_mm)
    both = np.concatenate([there, back])
    values = (
        2 * n_both / (n_first + n_second),
        n_both / (n_first + n_second - n_both),
        max(np.percentile(there, 95), np.percentile(back, 95)),
        both.mean(),
        (both <= tolerance_mm * _ROUNDING).mean(),
        volume_error,
    )
    return dict(zip(MEASURES, map(float, values), strict=True))


def surface_distances(first, second, spacing_mm):
    """Return the distances in mm from each surface voxel of a mask to the surface of the other, and the way back.

    The masks are bool arrays of one shape with a voxel at least; see `compare_masks` for what a surface is.
    """
    box = ndimage.find_objects((first | second).view(np.uint8))[0]
    flat = tuple(axis for axis, size in enumerate(first.shape) if size == 1)
    flat = flat if len(flat) < first.ndim else ()
    kept_mm = np.delete(np.asarray(spacing_mm, dtype=float), flat)
    surfaces = [_surface(np.squeeze(mask[box], flat)) for mask in (first, second)]
    return [ndimage.distance_transform_edt(~other, sampling=kept_mm)[own] for own, other in (surfaces, surfaces[::-1])]


def _surface(mask):
    return mask & ~ndimage.binary_erosion(mask)


def _as_bools(mask, name):
    """Return a mask as bools; raise InputError if it holds several labels or numbers below 0."""
    mask = np.asarray(mask)
    if mask.dtype == bool:
        return mask
    is_binary = mask.dtype.kind in "iuf" and mask.size and bool(((mask == 0) | (mask == mask.max())).all())
    require(is_binary, compare_masks, name, "a mask of bools, or of 0 and one other value > 0", mask)
    return mask > 0
