"""A case and what was measured of it in; warnings of regions whose grey levels say little out."""

import warnings

from radiodeep.exceptions import RadiodeepWarning


def warn_of_flat_region(case, images, values):
    where = "all intensities" if images[0] == "original" else f"all intensities of the images {', '.join(images)}"
    also = f"; so do the images {', '.join(images[1:])}" if images[0] == "original" and images[1:] else ""
    span = f" ({float(values.min()):.4g} to {float(values.max()):.4g})" if images[0] == "original" else ""
    warnings.warn(
        f"{case.id}: {where}{span} fall into one grey level{also}, so that texture says nothing. "
        "Use a smaller bin_width (suggest_bin_width finds one), or bin_count=32.",
        RadiodeepWarning,
        stacklevel=7,
    )


def warn_of_two_levels(case, values):
    warnings.warn(
        f"{case.id}: all intensities ({float(values.min()):.4g} to {float(values.max()):.4g}) fall into two grey "
        "levels, so that texture says little. Use a smaller bin_width (suggest_bin_width finds one), or bin_count=32.",
        RadiodeepWarning,
        stacklevel=7,
    )
