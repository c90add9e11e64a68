"""A cohort in, the width of grey levels that suits its regions out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics import RadiomicsExtractor
from radiodeep.progress import with_progress

_STEPS = (1.0, 2.0, 2.5, 5.0)  # widths are these times a power of ten


@dataclass(frozen=True)
class BinWidthAdvice:
    """Which width of grey levels suits a cohort.

    Attributes
    ----------
    bin_width : float
        The width that is suggested, in units of the image.
    fewest, most : int
        The numbers of grey levels aimed at.
    table : DataFrame
        A row per width (the index `bin_width`): the `lowest`, `median` and `highest` number of grey
        levels of the regions, and the part of them that lies `within` the aim.
    """

    bin_width: float
    fewest: int
    most: int
    table: pd.DataFrame

    def __str__(self):
        row = self.table.loc[self.bin_width]
        return (
            f"bin_width={self.bin_width:g} gives {row['lowest']:.0f} to {row['highest']:.0f} grey levels "
            f"(median {row['median']:.0f}); {row['within']:.0%} of the regions have {self.fewest} to {self.most}"
        )


def suggest_bin_width(cohort, extractor=None, fewest=16, most=128):
    """Say which bin width gives how many grey levels on a cohort.

    A region with a handful of levels has lost its texture, one with hundreds has mostly noise in it;
    pyradiomics' authors find 16 to 128 levels good.

    Parameters
    ----------
    cohort : Cohort or sequence of Case
    extractor : RadiomicsExtractor, optional
        Its normalisation, resampling and resegmentation are applied first; defaults otherwise.
    fewest, most : int, default=16 and 128
        The numbers of grey levels to aim at.

    Returns
    -------
    BinWidthAdvice
        Printed, it is a sentence; its `table` has all widths that were looked at.

    Raises
    ------
    InputError
        If `fewest` and `most` are no such numbers, all regions are flat, or a case cannot be used.

    Examples
    --------
    >>> import radiodeep as rd
    >>> advice = rd.suggest_bin_width(rd.make_phantom_cohort(10, random_state=0))
    >>> print(advice)
    bin_width=5 gives 52 to 67 grey levels (median 60); 100% of the regions have 16 to 128
    >>> rd.RadiomicsExtractor(bin_width=advice.bin_width)
    RadiomicsExtractor(bin_width=5.0)
    """
    if not (isinstance(fewest, int) and isinstance(most, int) and 2 <= fewest < most):
        raise InputError(f"'fewest' and 'most' must be ints with 2 <= fewest < most. Got {fewest!r} and {most!r}.")
    extractor = RadiomicsExtractor(families=["firstorder"]) if extractor is None else extractor
    cases = as_cases(cohort)
    extractor.fit(cases)
    shown = with_progress(cases, "Intensities", len(cases), "cases")
    ends = np.array([extractor.intensity_range(case) for case in shown])
    spread = ends[:, 1] - ends[:, 0]
    if not (spread > 0).any():
        raise InputError("All regions are flat: no bin width gives them more than one grey level.")
    aim = np.sqrt(fewest * most)
    ideal = np.median(spread[spread > 0]) / aim
    widths = _round_widths(ideal)
    levels = np.array([np.floor(ends[:, 1] / width) - np.floor(ends[:, 0] / width) + 1 for width in widths])
    table = pd.DataFrame(
        {
            "lowest": levels.min(axis=1).astype(int),
            "median": np.median(levels, axis=1),
            "highest": levels.max(axis=1).astype(int),
            "within": ((levels >= fewest) & (levels <= most)).mean(axis=1),
        },
        index=pd.Index(widths, name="bin_width"),
    )
    distance = np.abs(np.log(table["median"] / aim))
    best = table.assign(distance=distance).sort_values(["within", "distance"], ascending=[False, True]).index[0]
    return BinWidthAdvice(float(best), fewest, most, table)


def _round_widths(ideal):
    """Round numbers from a twentieth of a width to twenty times it, increasing."""
    power = int(np.floor(np.log10(ideal)))
    widths = sorted(step * 10.0**exponent for exponent in range(power - 2, power + 3) for step in _STEPS)
    return [float(f"{width:.3g}") for width in widths if ideal / 20 <= width <= ideal * 20]
