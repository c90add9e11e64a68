"""In: the neighbourhoods of a region. Out: the 16 features of its zones of equal grey level (GLSZM)."""

import numpy as np

from radiodeep.handcrafted.kernels.neighbours import find_zones
from radiodeep.handcrafted.kernels.size_tables import describe_sizes, order_of, tabulate_zones
from radiodeep.handcrafted.neighbours import group_representatives

GLSZM_ORDER = order_of(
    "gray non-uniformity, gray non-uniformity normalised, gray variance, high gray, large, large high gray, "
    "large low gray, low gray, size non-uniformity, size non-uniformity normalised, small, small high gray, "
    "small low gray, entropy, percentage, size variance"
)


def glszm_features(neighbourhoods):
    """Texture from connected zones of one grey level: float64 (16,), in the order of the catalogue.

    Voxels are connected if they share a face, an edge or a corner (26 neighbours, 8 in a slice).

    References
    ----------
    pyradiomics `glszm`; IBSI family 9SAK, aggregation KOBO (3-D). Thibault G et al. Texture indexes
    and gray level size zone matrix: application to cell nuclei classification. PRIP 140-145, 2009.
    """
    table, sizes = zone_table(neighbourhoods)
    return describe_sizes(table, neighbourhoods.levels.values.astype(np.float64), sizes)[GLSZM_ORDER]


def zone_table(neighbourhoods):
    """Count the zones of each grey level by their size.

    Returns (table, sizes): the zones of level `levels.values[i]` of `sizes[j]` voxels, float64 (n_present, n_sizes),
    and the sizes that occur, float64 (n_sizes,), increasing.
    """
    region = neighbourhoods.region
    levels = neighbourhoods.levels
    zone_levels, zone_sizes = find_zones(
        levels.volume.reshape(-1),
        neighbourhoods.equal_links,
        region.positions,
        neighbourhoods.direct_offsets,
        group_representatives(region.flat_axis),
    )
    return tabulate_zones(zone_levels, zone_sizes, levels.values.size)
