"""In: the neighbourhoods of a region. Out: the 16 features of its zones of equal grey level (GLSZM)."""

import numpy as np

from radiodeep.handcrafted.kernels.neighbours import find_zones
from radiodeep.handcrafted.kernels.size_tables import DESCRIPTIONS, describe_sizes, tabulate_zones
from radiodeep.handcrafted.neighbours import group_representatives

GLSZM_ORDER = [
    DESCRIPTIONS.index(name)
    for name in (
        "gray non-uniformity",
        "gray non-uniformity normalised",
        "gray variance",
        "high gray",
        "large",
        "large high gray",
        "large low gray",
        "low gray",
        "size non-uniformity",
        "size non-uniformity normalised",
        "small",
        "small high gray",
        "small low gray",
        "entropy",
        "percentage",
        "size variance",
    )
]


def glszm_features(neighbourhoods):
    """Texture from connected zones of one grey level, in the order of the catalogue.

    Voxels are connected if they share a face, an edge or a corner (26 neighbours, 8 in a slice).

    Parameters
    ----------
    neighbourhoods : Neighbourhoods

    Returns
    -------
    ndarray of float64 (16,)

    References
    ----------
    pyradiomics `glszm`; IBSI family 9SAK, aggregation KOBO (3-D). Thibault G et al. Texture indexes
    and gray level size zone matrix: application to cell nuclei classification. PRIP 140-145, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.gray_levels import discretise
    >>> from radiodeep.handcrafted.neighbours import Neighbourhoods
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[1, 1, 2, 1], [2, 2, 2, 3]]])
    >>> region = crop_region(image, image > 0, (1, 1, 1))
    >>> values = glszm_features(Neighbourhoods(region, discretise(region, bin_width=1)))
    >>> float(values[4]), float(values[14])  # LargeAreaEmphasis, ZonePercentage: zones of 2, 1, 4 and 1
    (5.5, 0.5)
    """
    table, sizes = zone_table(neighbourhoods)
    return describe_sizes(table, neighbourhoods.levels.values.astype(np.float64), sizes)[GLSZM_ORDER]


def zone_table(neighbourhoods):
    """Count the zones of each grey level by their size.

    Returns
    -------
    table : ndarray of float64 (n_present, n_sizes)
        Zones of level `levels.values[i]` with `sizes[j]` voxels.
    sizes : ndarray of float64 (n_sizes,)
        The sizes that occur, increasing.
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
