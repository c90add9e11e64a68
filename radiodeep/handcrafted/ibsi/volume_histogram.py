"""In: a region. Out: the 7 features of its intensity-volume histogram."""

import numpy as np

from radiodeep.checks import is_count, is_finite, require
from radiodeep.exceptions import InputError
from radiodeep.handcrafted.ibsi.statistics import value_counts
from radiodeep.handcrafted.kernels.ibsi_intensity import volume_curve_features

_MOST_STEPS = 1_000_000


def intensity_volume_histogram(region, *, bin_width=None, bin_count=None, lowest=None, highest=None):
    """Features of the intensity-volume histogram of a region: float64 (7,), in the order of the catalogue.

    The histogram gives, for every intensity i from the least to the greatest, the fraction of the volume with at least
    i, and the intensity fraction, i's place between the two. Features are the volume fractions at 10 % and at 90 % of
    the intensity (V10, V90), the intensities at 10 % and at 90 % of the volume (I10, I90), V10 - V90, I10 - I90, and
    the area under the curve by the trapezoidal rule. With more than 10 % of the volume in the greatest intensity, I10
    is one step above that. With one step only, as in a region of one intensity without `lowest` and `highest`, V10 and
    V90 are 1 and the area is 0.

    Parameters
    ----------
    region : IbsiRegion
    bin_width : float > 0, optional
        For calibrated continuous intensities as in PET: intensities become the centres of bins of this width that begin
        at `lowest`. By default, and without `bin_count`, intensities are taken as they are: in steps of 1 if all are
        whole numbers as in CT, else in steps from one that occurs to the next.
    bin_count : int from 1 to 1,000,000, optional
        For arbitrary intensities as in MR, e.g. 1000: intensities become the numbers 1 to `bin_count` of bins of equal
        width over the range of the region. Goes before `bin_width`.
    lowest, highest : float, optional
        Bounds of resegmentation, by default the least and the greatest intensity of the region. Not used with
        `bin_count`.

    Raises
    ------
    InputError
        A setting is out of range, or the width makes more than a million bins.

    References
    ----------
    IBSI family P88C.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.ibsi.region import ibsi_region
    >>> from radiodeep.handcrafted.ibsi.volume_histogram import intensity_volume_histogram
    >>> image = np.arange(1.0, 101.0).reshape(1, 10, 10)
    >>> region = ibsi_region(image, np.ones(image.shape, bool), spacing_mm=(1.0, 1.0, 1.0))
    >>> volume_at_10, volume_at_90, *_ = intensity_volume_histogram(region)
    >>> round(float(volume_at_10), 2), round(float(volume_at_90), 2)
    (0.9, 0.1)
    """
    _check_settings(bin_width, bin_count, lowest, highest)
    values, counts = value_counts(region.values)
    if bin_count is not None and values[0] < values[-1]:
        steps, counts = _numbered_bins(values, counts, int(bin_count))
    elif bin_count is not None:
        steps, counts = np.ones(1), counts.sum(keepdims=True)
    elif bin_width is not None:
        steps, counts = _wide_bins(values, counts, float(bin_width), lowest, highest)
    else:
        steps, counts = _own_steps(values, counts, lowest, highest)
    return volume_curve_features(steps, counts)


def _check_settings(bin_width, bin_count, lowest, highest):
    owner = "intensity_volume_histogram"
    is_width = bin_width is None or (is_finite(bin_width) and bin_width > 0)
    require(is_width, owner, "bin_width", "None or a float > 0", bin_width)
    is_number = bin_count is None or is_count(bin_count, 1, _MOST_STEPS)
    require(is_number, owner, "bin_count", f"None or an int from 1 to {_MOST_STEPS}", bin_count)
    for name, bound in (("lowest", lowest), ("highest", highest)):
        require(bound is None or is_finite(bound), owner, name, "None or a finite float", bound)


def _numbered_bins(values, counts, n_bins):
    numbers = np.minimum(n_bins * (values - values[0]) / (values[-1] - values[0]), n_bins - 1).astype(int)
    return np.arange(1.0, n_bins + 1), np.bincount(numbers, counts, n_bins)


def _wide_bins(values, counts, width, lowest, highest):
    lowest = values[0] if lowest is None else lowest
    highest = values[-1] if highest is None else highest
    n_bins = max(np.ceil((highest - lowest) / width - 1e-9), 1)
    if not n_bins <= _MOST_STEPS:
        raise InputError(
            f"bin_width={width:g} on intensities from {lowest:g} to {highest:g} makes {n_bins:.0f} bins of the "
            f"intensity-volume histogram. Expected at most {_MOST_STEPS}; take a larger bin_width."
        )
    n_bins = int(n_bins)
    numbers = np.clip(np.floor((values - lowest) / width), 0, n_bins - 1).astype(int)
    return lowest + (np.arange(n_bins) + 0.5) * width, np.bincount(numbers, counts, n_bins)


def _own_steps(values, counts, lowest, highest):
    lowest = values[0] if lowest is None else min(lowest, values[0])
    highest = values[-1] if highest is None else max(highest, values[-1])
    if not (values == np.rint(values)).all() or highest - lowest > _MOST_STEPS:
        steps = np.union1d(values, [lowest, highest])
        table = np.zeros(steps.size)
        table[np.searchsorted(steps, values)] = counts
        return steps, table
    steps = np.arange(np.floor(lowest), np.ceil(highest) + 1)
    return steps, np.bincount((values - steps[0]).astype(int), counts, steps.size)
