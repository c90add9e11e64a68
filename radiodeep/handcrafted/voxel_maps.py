"""In: image, mask and names of features. Out: each feature in a window moving over the region, a value per voxel."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import product
from typing import NamedTuple

import numpy as np
from joblib import cpu_count, effective_n_jobs

from radiodeep.checks import did_you_mean, is_count, is_flag, require, require_n_jobs
from radiodeep.exceptions import InputError, NonFiniteIntensityError
from radiodeep.handcrafted.catalogue import LEVEL_FAMILIES, SHAPE_FAMILIES, feature_names
from radiodeep.handcrafted.gldm import GLDM_ORDER
from radiodeep.handcrafted.glrlm import GLRLM_ORDER
from radiodeep.handcrafted.glszm import GLSZM_ORDER
from radiodeep.handcrafted.gray_levels import check_bins, discretise
from radiodeep.handcrafted.kernels.voxel_maps_first_order import ORDERED, first_order_maps
from radiodeep.handcrafted.kernels.voxel_maps_glcm import PARTS, glcm_maps
from radiodeep.handcrafted.kernels.voxel_maps_sizes import gldm_maps, glrlm_maps, glszm_maps, ngtdm_maps
from radiodeep.handcrafted.neighbours import check_neighbour_settings, directions, step_lengths
from radiodeep.handcrafted.region import bounding_box, crop_region
from radiodeep.progress import announced_if_slow, counted

MAP_FAMILIES = LEVEL_FAMILIES
LARGEST_RADIUS = 5  # voxels; the pairs of a window grow with its sixth power
_CHUNK = 1024  # windows between two steps of the progress bar


def voxel_maps(
    image,
    mask,
    spacing_mm,
    names,
    *,
    radius=1,
    masked=True,
    bin_width=25.0,
    bin_count=None,
    max_gray_levels=1024,
    voxel_array_shift=0,
    distances=(1,),
    symmetrical_glcm=True,
    weighting_norm=None,
    gldm_alpha=0,
    flat_axis=None,
    n_jobs=None,
):
    """Features in a window about each voxel of a region, in the definitions of pyradiomics' voxel-based extraction.

    A window is the cube of ``2 * radius + 1`` voxels along each axis about a voxel (a square with a `flat_axis`), cut
    at the border of the image. Grey levels are those of the whole region, which is discretised once, and so are the
    number of levels that Idn and Idmn divide by; all else is computed from the voxels of the window alone. Neighbours
    and pairs are those within the window, runs and zones are cut at its border.

    Parameters
    ----------
    image, mask, spacing_mm
        As in `region_features`.
    names : sequence of str
        Of `feature_names`, e.g. "glcm_Contrast", of the families `MAP_FAMILIES`.
    radius : int from 1 to 5, default=1
    masked : bool, default=True
        Whether only voxels of the region count. If not, windows see all voxels of the image, and the grey levels are
        those of the box about the region and `radius` voxels more.
    n_jobs : int, optional
        Threads.

    All other parameters are those of `region_features`.

    Returns
    -------
    float64 ndarray of shape (n_names, n_voxels)
        The voxels of the region in the order of the image, as ``image[mask]``. NaN where a window has no value: GLCM
        without a pair of neighbours, GLRLM without a line that holds two voxels, and RobustMeanAbsoluteDeviation of two
        voxels, which is that of none.

    Raises
    ------
    InputError
        A setting is not allowed, or a feature has no map.
    GeometryMismatchError, EmptyMaskError, RoiTooSmallError, NonFiniteIntensityError, TooManyGrayLevelsError
        As in `region_features`.

    Notes
    -----
    Where pyradiomics 3.0.1 gives something else: JointAverage, which is NaN there in windows without pairs in some
    direction, and MCC, which is 0 everywhere if there is one such window, are the means over the directions with pairs
    here; with ``voxelBatch=1`` they are so there too. Rounding decides there on three values that are exact here: in a
    direction of independent levels Imc2 and MCC are 0 (there the direction may be left out), and Skewness and Kurtosis
    of a flat window are 0 (there ±1 and 1 if the mean of its intensities is not exact).

    References
    ----------
    van Griethuysen et al., Computational Radiomics System to Decode the Radiographic Phenotype, Cancer Research 77
    (2017) e104; pyradiomics, "Voxel-based extraction".

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(27.0).reshape(3, 3, 3)
    >>> mask = np.ones((3, 3, 3), bool)
    >>> maps = voxel_maps(image, mask, (1, 1, 1), ["firstorder_Mean", "glcm_Contrast"], bin_width=3)
    >>> maps.shape, float(maps[0, 13])
    ((2, 27), 13.0)
    """
    columns = _columns_by_family(names)
    is_radius = is_count(radius, 1, LARGEST_RADIUS)
    require(is_radius, "voxel_maps", "radius", f"an int from 1 to {LARGEST_RADIUS}", radius)
    for name, flag in (("masked", masked), ("symmetrical_glcm", symmetrical_glcm)):
        require(is_flag(flag), "voxel_maps", name, "True or False", flag)
    require(is_count(gldm_alpha), "voxel_maps", "gldm_alpha", "an int >= 0", gldm_alpha)
    check_neighbour_settings(distances, weighting_norm)
    bins = {"bin_width": bin_width, "bin_count": bin_count, "max_gray_levels": max_gray_levels}
    check_bins(**bins)
    require_n_jobs(n_jobs, "voxel_maps")
    region, centres = _region_and_centres(image, mask, spacing_mm, radius, masked, flat_axis)
    windows = _Windows(region, discretise(region, **bins), centres, radius, flat_axis)
    settings = {
        "firstorder": {"shift": float(voxel_array_shift)},
        "glcm": {"distances": distances, "symmetrical": symmetrical_glcm, "norm": weighting_norm},
        "glrlm": {"norm": weighting_norm},
        "gldm": {"distances": distances, "alpha": gldm_alpha},
        "ngtdm": {"distances": distances},
    }
    n_threads = 1 if n_jobs in (None, 1) else min(effective_n_jobs(n_jobs), cpu_count())
    return _rows(windows, names, columns, settings, n_threads)


def _rows(windows, names, columns, settings, n_threads):
    """Return the values of features by name, float64 (n_names, n_voxels)."""
    kernels = [_KERNELS[family](windows, columns[family], **settings.get(family, {})) for family in columns]
    computed = _computed(kernels, list(columns.values()), windows.centres, n_threads)
    next_of = {family: iter(values.T) for family, values in zip(columns, computed, strict=True)}
    rows = np.empty((len(names), windows.centres.size))
    for row, name in zip(rows, names, strict=True):
        row[:] = next(next_of[name.partition("_")[0]])
    return rows


def check_has_map(family, name):
    """Raise an InputError for a feature that has no map."""
    if family in MAP_FAMILIES:
        return
    why = "the shape of a region" if family in SHAPE_FAMILIES else f"the family {family}"
    raise InputError(
        f"'{name}' has no map: {why} is not that of a neighbourhood of voxels. Maps are of the families "
        f"{', '.join(MAP_FAMILIES)}."
    )


def _columns_by_family(names):
    """Return the places of the chosen features in their family's part of the catalogue, by family."""
    columns = {}
    for name in names:
        family, _, feature = str(name).partition("_")
        known = feature_names()
        if name not in known:
            raise InputError(f"'{name}' is not a feature with a map.{did_you_mean(str(name), known)}")
        check_has_map(family, name)
        of_family = feature_names([family])
        columns.setdefault(family, []).append(of_family.index(f"{family}_{feature}"))
    return {family: np.array(places) for family, places in columns.items()}


def _region_and_centres(image, mask, spacing_mm, radius, masked, flat_axis):
    """Return the region of which voxels count, with a border of the radius, and the places of the windows' centres."""
    if masked:
        region = crop_region(image, mask, spacing_mm, margin=radius, flat_axis=flat_axis)
        return region, region.positions
    inside = crop_region(image, mask, spacing_mm, margin=radius, flat_axis=flat_axis)  # checks both arrays
    mask = np.asarray(mask) != 0
    box = tuple(
        slice(max(side.start - radius, 0), min(side.stop + radius, size))
        for side, size in zip(bounding_box(mask), mask.shape, strict=True)
    )
    values = np.asarray(image)[box]
    if not np.isfinite(values).all():
        raise NonFiniteIntensityError(
            f"The image is NaN or infinite within {radius} voxels of the region's box. Windows with masked=False see "
            "those voxels too; repair the image, or use masked=True."
        )
    region = crop_region(values, np.ones(values.shape, bool), inside.spacing_mm, margin=radius, flat_axis=flat_axis)
    return region, np.flatnonzero(np.pad(mask[box], radius))


class _Windows(NamedTuple):
    """The windows about all centres: a region, its `GrayLevels`, the places of the centres, and the window's size."""

    region: object
    levels: object
    centres: np.ndarray
    radius: int
    flat_axis: int | None

    def volume(self):
        return self.levels.volume.reshape(-1).astype(np.int32)

    def gray(self):
        """The grey level of each number in the volume, of which 0 is none: float64 (n_present + 1,)."""
        return np.concatenate([[0.0], self.levels.values])

    def offsets(self):
        """Steps to the voxels of a window in the flattened volume: int64 (n_window,)."""
        _, rows, columns = self.region.mask.shape
        return _window(self.radius, self.flat_axis) @ np.array([rows * columns, columns, 1])

    def weights(self, steps, norm):
        return np.empty(0) if norm is None else step_lengths(steps, self.region.spacing_mm, norm)


@lru_cache(maxsize=32)
def _window(radius, flat_axis):
    """Return the steps (z, y, x) to the voxels of a window, int64 (n_window, 3)."""
    reach = [0 if axis == flat_axis else radius for axis in range(3)]
    return np.array(list(product(*(range(-far, far + 1) for far in reach))))


def _places(radius, flat_axis):
    """Return the number of each voxel of a window, int64 (z, y, x)."""
    sides = [1 if axis == flat_axis else 2 * radius + 1 for axis in range(3)]
    return np.arange(np.prod(sides)).reshape(sides)


@lru_cache(maxsize=32)
def _pairs(radius, flat_axis, distances):
    """Return the pairs of neighbours in a window direction by direction, int64 (n_pairs, 2), and where each begins."""
    places = _places(radius, flat_axis)
    pairs, starts = [], [0]
    for step in directions(distances, flat_axis).tolist():
        axes = list(zip(step, places.shape, strict=True))
        here = tuple(slice(max(-far, 0), max(size - max(far, 0), 0)) for far, size in axes)
        there = tuple(slice(max(far, 0), max(size + min(far, 0), 0)) for far, size in axes)
        pairs.append(np.stack([places[here].ravel(), places[there].ravel()], axis=1))
        starts.append(starts[-1] + len(pairs[-1]))
    return np.concatenate(pairs), np.array(starts)


@lru_cache(maxsize=32)
def _walks(radius, flat_axis):
    """Return the voxels of a window line after line along each direct direction, and where lines begin."""
    steps = _window(radius, flat_axis)
    inside = {tuple(step): number for number, step in enumerate(steps.tolist())}
    walks, begins = [], []
    for direction in directions((1,), flat_axis).tolist():
        walk, starts = [], []
        for step in inside:
            if tuple(np.subtract(step, direction).tolist()) in inside:
                continue
            starts.append(len(walk))
            while step in inside:
                walk.append(inside[step])
                step = tuple(np.add(step, direction).tolist())
        walks.append(walk)
        begins.append(np.isin(np.arange(len(walk)), starts))
    return np.array(walks), np.array(begins)


def _logs(highest):
    """Return n log2(n) of 0 ... highest."""
    counts = np.arange(highest + 1.0)
    return counts * np.log2(np.maximum(counts, 1.0))


def _first_order(windows, columns, shift):
    region, offsets = windows.region, windows.offsets()
    intensities = np.zeros(region.mask.size)
    intensities[region.positions] = region.values
    arguments = (windows.gray(), _logs(offsets.size), shift, float(region.spacing_mm.prod()))
    needs_order = bool(np.isin(columns, ORDERED).any())
    volume = windows.volume()
    return lambda centres, out: first_order_maps(
        volume, intensities, centres, offsets, *arguments, needs_order, columns, out
    )


def _glcm(windows, columns, distances, symmetrical, norm):
    pairs, starts = _pairs(windows.radius, windows.flat_axis, tuple(distances))
    steps = directions(tuple(distances), windows.flat_axis)
    weights = windows.weights(steps, norm)
    if norm not in (None, "no_weighting"):
        weights = np.exp(weights.min() ** 2 - weights**2)  # in proportion, so that those of long steps do not vanish
    apart = np.arange(float(windows.levels.highest))
    share = apart / windows.levels.highest
    terms = [1 / (1 + apart), 1 / (1 + apart**2), 1 / (1 + share**2), 1 / (1 + share), 1 / np.maximum(apart, 1) ** 2]
    terms[-1][0] = 0.0
    of_difference = np.stack(terms, axis=1)
    logs = np.empty(0) if norm else _logs(2 * np.diff(starts).max(initial=0))
    needs = np.array([np.isin(columns, part).any() for part in PARTS])
    arguments = (pairs, starts, weights, windows.gray(), of_difference, logs, bool(symmetrical), needs, columns)
    return partial(_run, glcm_maps, windows.volume(), windows.offsets(), arguments)


def _glrlm(windows, columns, norm):
    walks, begins = _walks(windows.radius, windows.flat_axis)
    weights = windows.weights(directions((1,), windows.flat_axis), norm)
    logs = np.empty(0) if norm else _logs(walks.shape[1])
    arguments = (walks, begins, weights, windows.gray(), logs, np.array(GLRLM_ORDER)[columns])
    return partial(_run, glrlm_maps, windows.volume(), windows.offsets(), arguments)


def _glszm(windows, columns):
    pairs, _ = _pairs(windows.radius, windows.flat_axis, (1,))
    offsets = windows.offsets()
    arguments = (pairs, windows.gray(), _logs(offsets.size), np.array(GLSZM_ORDER)[columns])
    return partial(_run, glszm_maps, windows.volume(), offsets, arguments)


def _gldm(windows, columns, distances, alpha):
    pairs, _ = _pairs(windows.radius, windows.flat_axis, tuple(distances))
    offsets = windows.offsets()
    arguments = (pairs, windows.gray(), int(alpha), _logs(offsets.size), np.array(GLDM_ORDER)[columns])
    return partial(_run, gldm_maps, windows.volume(), offsets, arguments)


def _ngtdm(windows, columns, distances):
    pairs, _ = _pairs(windows.radius, windows.flat_axis, tuple(distances))
    return partial(_run, ngtdm_maps, windows.volume(), windows.offsets(), (pairs, windows.gray(), columns))


def _run(kernel, volume, offsets, arguments, centres, out):
    kernel(volume, centres, offsets, *arguments, out)


_KERNELS = {
    "firstorder": _first_order,
    "glcm": _glcm,
    "glrlm": _glrlm,
    "glszm": _glszm,
    "gldm": _gldm,
    "ngtdm": _ngtdm,
}


def _computed(kernels, columns, centres, n_threads):
    """Return the values of each kernel, float64 (n_voxels, n_columns), by threads that take chunks of the voxels."""
    outs = [np.empty((centres.size, len(of_family))) for of_family in columns]
    with announced_if_slow("Compiling the loops of the maps, once on this machine; it takes up to 20 seconds."):
        for kernel, out in zip(kernels, outs, strict=True):
            kernel(centres[:1], out[:1])

    def compute(start):
        chunk = slice(start, start + _CHUNK)
        for kernel, out in zip(kernels, outs, strict=True):
            kernel(centres[chunk], out[chunk])
        return centres[chunk].size

    with counted("Map", centres.size, "voxels") as advance, ThreadPoolExecutor(n_threads) as pool:
        run = map if n_threads == 1 else pool.map
        for n_done in run(compute, range(0, centres.size, _CHUNK)):
            advance(n_done)
    return outs
