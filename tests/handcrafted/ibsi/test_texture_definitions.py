"""Texture features of IBSI against a slow plain version of the definitions in the reference manual."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt, gaussian_filter, label

from radiodeep.handcrafted.ibsi.catalogue import AGGREGATIONS, DIRECTED_FAMILIES, TEXTURE_FAMILIES
from radiodeep.handcrafted.ibsi.texture import texture_features

STEPS = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]  # half of the 26 neighbours
SLICE_STEPS = [step for step in STEPS if step[0] == 0]


# ---- the definitions of the reference manual, written out; tables are Counters, volumes (slice, row, column)


def plain_pairs(levels, step):
    """Pairs of grey levels, in both orders."""
    pairs = Counter()
    for place in np.argwhere(levels):
        other = place + step
        if (other >= 0).all() and (other < levels.shape).all() and levels[tuple(other)]:
            i, j = int(levels[tuple(place)]), int(levels[tuple(other)])
            pairs.update([(i, j), (j, i)])
    return pairs


def plain_runs(levels, step):
    """Runs by grey level and length."""
    runs = Counter()
    padded = np.pad(levels, 1)
    for place in np.argwhere(padded):
        level = padded[tuple(place)]
        if padded[tuple(place - step)] == level:
            continue  # not the first voxel of its run
        length = 1
        while padded[tuple(place + length * np.array(step))] == level:
            length += 1
        runs[int(level), length] += 1
    return runs


def plain_zones(levels, distances):
    """Zones by grey level and size, and by grey level and distance."""
    sizes, nearest = Counter(), Counter()
    for level in np.unique(levels[levels > 0]).tolist():
        zones, n_zones = label(levels == level, np.ones((3, 3, 3)))
        for zone in range(1, n_zones + 1):
            sizes[level, int((zones == zone).sum())] += 1
            nearest[level, int(distances[zones == zone].min())] += 1
    return sizes, nearest


def plain_neighbours(levels, steps):
    """Voxels by level and dependence; voxels with neighbours and sums of differences by level."""
    dependences, voxels, differences = Counter(), Counter(), Counter()
    padded = np.pad(levels, 1)
    for place in np.argwhere(padded):
        level = int(padded[tuple(place)])
        around = [int(padded[tuple(place + sign * np.array(step))]) for step in steps for sign in (1, -1)]
        around = [other for other in around if other]
        dependences[level, 1 + around.count(level)] += 1
        if around:
            voxels[level] += 1
            differences[level] += abs(level - np.mean(around))
    return dependences, voxels, differences


def entropy(p):
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def plain_glcm_features(pairs, n_levels):
    if not pairs:
        return np.full(25, np.nan)
    p = np.zeros((n_levels + 1, n_levels + 1))
    for place, count in pairs.items():
        p[place] = count
    p /= p.sum()
    i, j = np.indices(p.shape)
    k = np.arange(2 * n_levels + 1)
    of_sum = np.bincount((i + j).ravel(), p.ravel())
    of_difference = np.bincount(abs(i - j).ravel(), p.ravel())
    px = p.sum(axis=1)
    mean = (i * p).sum()
    variance = ((i - mean) ** 2 * p).sum()
    sum_mean, difference_mean = (k * of_sum).sum(), (k[: n_levels + 1] * of_difference).sum()
    product_p = np.outer(px, px)
    hx, hxy = entropy(px), entropy(p)
    hxy1 = -(p[product_p > 0] * np.log2(product_p[product_p > 0])).sum()
    is_flat = len(np.flatnonzero(px)) == 1
    apart = i != j
    return np.array(
        [
            p.max(),
            mean,
            variance,
            hxy,
            difference_mean,
            ((k[: n_levels + 1] - difference_mean) ** 2 * of_difference).sum(),
            entropy(of_difference),
            sum_mean,
            ((k - sum_mean) ** 2 * of_sum).sum(),
            entropy(of_sum),
            (p**2).sum(),
            ((i - j) ** 2 * p).sum(),
            (abs(i - j) * p).sum(),
            (p / (1 + abs(i - j))).sum(),
            (p / (1 + abs(i - j) / n_levels)).sum(),
            (p / (1 + (i - j) ** 2)).sum(),
            (p / (1 + (i - j) ** 2 / n_levels**2)).sum(),
            (p[apart] / (i - j)[apart] ** 2).sum(),
            1.0 if is_flat else ((i - mean) * (j - mean) * p).sum() / variance,
            (i * j * p).sum(),
            ((i + j - 2 * mean) ** 2 * p).sum(),
            ((i + j - 2 * mean) ** 3 * p).sum(),
            ((i + j - 2 * mean) ** 4 * p).sum(),
            0.0 if is_flat else (hxy - hxy1) / hx,
            np.sqrt(max(0.0, 1 - np.exp(-2 * (entropy(product_p) - hxy)))),
        ]
    )


def plain_size_features(table, n_voxels):
    counts = np.array(list(table.values()), float)
    i, j = np.array(list(table), float).T
    n = counts.sum()
    p = counts / n
    by_gray = np.bincount(i.astype(int), counts)
    by_size = np.bincount(j.astype(int), counts)
    return np.array(
        [
            (p / j**2).sum(),
            (p * j**2).sum(),
            (p / i**2).sum(),
            (p * i**2).sum(),
            (p / (i * j) ** 2).sum(),
            (p * i**2 / j**2).sum(),
            (p * j**2 / i**2).sum(),
            (p * (i * j) ** 2).sum(),
            (by_gray**2).sum() / n,
            (by_gray**2).sum() / n**2,
            (by_size**2).sum() / n,
            (by_size**2).sum() / n**2,
            n / n_voxels,
            (p * (i - (p * i).sum()) ** 2).sum(),
            (p * (j - (p * j).sum()) ** 2).sum(),
            entropy(p),
        ]
    )


def plain_ngtdm_features(voxels, differences):
    if not voxels:
        return np.full(5, np.nan)
    n = sum(voxels.values())
    levels = sorted(voxels)
    p = {i: voxels[i] / n for i in levels}
    s = differences
    both = [(i, j) for i in levels for j in levels if i != j]
    weighted = sum(p[i] * s[i] for i in levels)
    total = sum(s[i] for i in levels)
    between = sum(abs(i * voxels[i] - j * voxels[j]) for i, j in both) / n
    ng = len(levels)
    spread = sum(p[i] * p[j] * (i - j) ** 2 for i, j in both)
    return np.array(
        [
            1 / weighted if weighted > 1e-6 else 1e6,
            spread / (ng * (ng - 1)) * total / n if ng > 1 else 0.0,
            weighted / between if between > 0 else 0.0,
            sum(abs(i - j) * (p[i] * s[i] + p[j] * s[j]) / (p[i] + p[j]) for i, j in both) / n,
            sum((p[i] + p[j]) * (i - j) ** 2 for i, j in both) / total if total > 0 else 0.0,
        ]
    )


def plain_rest(family, zones, neighbours, n_voxels):
    """Features of a family without directions."""
    if family in ("glszm", "gldzm"):
        return plain_size_features(zones[family == "gldzm"], n_voxels)
    dependences, voxels, differences = neighbours
    if family == "ngtdm":
        return plain_ngtdm_features(voxels, differences)
    counts = np.array(list(dependences.values())) / n_voxels
    return np.append(plain_size_features(dependences, n_voxels), (counts**2).sum())


def added(counters):
    total = Counter()
    for counter in counters:
        total.update(counter)
    return total


def mean_over(rows):
    """The mean over tables that are not empty."""
    rows = [row for row in rows if not np.isnan(row[0])]
    return np.mean(rows, axis=0)


def plain_features(levels, n_levels, inside, family, aggregation):
    """Features of a family, from the definitions."""
    in_3d = aggregation.startswith("3D")
    steps = STEPS if in_3d else SLICE_STEPS
    volumes = [levels] if in_3d else [levels[s : s + 1] for s in range(len(levels))]
    outlines = [inside] if in_3d else [inside[s : s + 1] for s in range(len(levels))]
    outlines = [outline for volume, outline in zip(volumes, outlines, strict=True) if volume.any()]
    volumes = [volume for volume in volumes if volume.any()]
    sizes = [np.count_nonzero(volume) for volume in volumes]
    n_voxels = sum(sizes)
    if family in DIRECTED_FAMILIES:
        count = plain_pairs if family == "glcm" else plain_runs
        tables = [[count(volume, step) for step in steps] for volume in volumes]

        def describe(counters, n):
            total = added(counters)
            return plain_glcm_features(total, n_levels) if family == "glcm" else plain_size_features(total, n)

        if aggregation in ("2D_averaged", "3D_averaged"):
            groups = [([table], size) for row, size in zip(tables, sizes, strict=True) for table in row]
        elif aggregation in ("2D_slice_merged", "3D_merged"):
            groups = [(row, size * len(steps)) for row, size in zip(tables, sizes, strict=True)]
        elif aggregation == "2.5D_direction_merged":
            groups = [(column, n_voxels) for column in zip(*tables, strict=True)]
        else:
            groups = [([table for row in tables for table in row], n_voxels * len(steps))]
        return mean_over([describe(*group) for group in groups])
    outside = [np.pad(outline, 1) for outline in outlines]
    distances = [
        distance_transform_cdt(padded, "taxicab")[1:-1, 1:-1, 1:-1]
        if in_3d
        else distance_transform_cdt(padded[1], "taxicab")[np.newaxis, 1:-1, 1:-1]
        for padded in outside
    ]
    zones = [plain_zones(volume, away) for volume, away in zip(volumes, distances, strict=True)]
    neighbours = [plain_neighbours(volume, steps) for volume in volumes]
    if aggregation.startswith("2.5D"):
        zones = [[added(column) for column in zip(*zones, strict=True)]]
        neighbours = [[added(column) for column in zip(*neighbours, strict=True)]]
        sizes = [n_voxels]
    return mean_over([plain_rest(family, *three) for three in zip(zones, neighbours, sizes, strict=True)])


# ---- regions


def random_region(seed, shape, n_levels, fraction, hole=0.15):
    """Grey levels, some of them smooth, and a ragged mask of several parts that is larger than the region."""
    generator = np.random.default_rng(seed)
    noise = gaussian_filter(generator.normal(size=shape), 0.6)
    levels = 1 + np.floor((n_levels - 1e-9) * (noise - noise.min()) / np.ptp(noise)).astype(np.int32)
    inside = generator.random(shape) < fraction
    levels[~inside | (generator.random(shape) < hole)] = 0
    inside.flat[0] = True
    levels.flat[0] = n_levels
    return levels, inside


REGIONS = [
    ((3, 5, 6), 4, 0.9),
    ((4, 6, 5), 300, 1.0),
    ((2, 9, 9), 3, 0.97),
    ((5, 4, 4), 6, 0.3),
    ((1, 7, 8), 5, 0.8),
    ((6, 1, 5), 3, 0.7),
    ((4, 8, 7), 12, 0.6),
]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("family", TEXTURE_FAMILIES)
@pytest.mark.parametrize("region", REGIONS, ids=str)
def test_features_match_their_definitions(region, family, aggregation):
    shape, n_levels, fraction = region
    levels, inside = random_region(3, shape, n_levels, fraction)
    values = texture_features(levels, n_levels, inside, 0, (family,), aggregation)[family]
    expected = plain_features(levels, n_levels, inside, family, aggregation)
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("slice_axis", [0, 1, 2])
@pytest.mark.parametrize("n_levels", [5, 40])
def test_features_of_larger_regions_match_their_definitions(n_levels, slice_axis, aggregation):
    levels, inside = random_region(5, (13, 15, 17), n_levels, 0.97, hole=0.03)
    values = texture_features(levels, n_levels, inside, slice_axis, TEXTURE_FAMILIES, aggregation)
    levels, inside = np.moveaxis(levels, slice_axis, 0), np.moveaxis(inside, slice_axis, 0)
    for family in TEXTURE_FAMILIES:
        expected = plain_features(levels, n_levels, inside, family, aggregation)
        np.testing.assert_allclose(values[family], expected, rtol=1e-9, atol=1e-9)
