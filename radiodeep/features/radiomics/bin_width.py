"""A cohort -> a bin width that suits its regions, and the number of grey levels by bin width."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from radiodeep.cases.cohort import as_cases
from radiodeep.checks import is_count, require
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.extractor import RadiomicsExtractor
from radiodeep.features.radiomics.settings import RadiomicsSettings
from radiodeep.progress import with_progress

_STEPS = (1.0, 2.0, 2.5, 5.0)  # widths are these times a power of ten


@dataclass(frozen=True)
class BinWidthAdvice:
    """The bin width that suits a cohort.

    Attributes
    ----------
    bin_width : float
        The suggestion for the first image, which is that of the extractor's first image type ("Original" by default),
        in units of that image.
    fewest, most : int
        The numbers of grey levels aimed at.
    table : DataFrame
        A row per bin width: the `lowest`, `median` and `highest` number of grey levels of the regions, and the fraction
        of them `within` the aim. The index is `bin_width`; with several images `image` ("wavelet-LLH") and `bin_width`.
    image_types : dict from str to dict
        The image types of the extractor with their suggested bin widths; by image if a type makes several images.
        ``RadiomicsExtractor(image_types=advice.image_types)`` uses them.
    widths : dict from str to float
        The same by image: ``{"original": 5.0, "wavelet-LLH": 0.5}``.
    """

    bin_width: float
    fewest: int
    most: int
    table: pd.DataFrame
    image_types: dict
    widths: dict

    def __str__(self):
        if self.table.index.nlevels == 1:
            return self._sentence(self.table.loc[self.bin_width], self.bin_width)
        return "\n".join(
            f"{image}: {self._sentence(self.table.loc[image, width], width)}" for image, width in self.widths.items()
        )

    def _sentence(self, row, width):
        return (
            f"bin_width={width:g} gives {row['lowest']:.0f} to {row['highest']:.0f} grey levels "
            f"(median {row['median']:.0f}); {row['within']:.0%} of the regions have {self.fewest} to {self.most}"
        )


def suggest_bin_width(cohort, extractor=None, fewest=16, most=128):
    """Suggest a bin width for a cohort, by the number of grey levels that it gives.

    A region with a handful of grey levels has lost its texture, and hundreds of them mostly count noise; the authors of
    pyradiomics recommend 16 to 128.

    Parameters
    ----------
    cohort : Cohort or sequence of Case
    extractor : RadiomicsExtractor, optional
        Its normalisation, resampling, resegmentation and filters are applied first, by default none. Each of its images
        (sub-bands, sigmas) gets a bin width of its own. A pipeline may change the cases before its extractor, e.g.
        ``make_pipeline(NyulNormalizer(), RadiomicsExtractor())``.
    fewest, most : int, default=16 and 128
        The numbers of grey levels to aim at.

    Returns
    -------
    BinWidthAdvice
        Its text is a sentence; its `table` has all bin widths that were compared.

    Raises
    ------
    InputError
        If `fewest` or `most` is out of range, all regions are flat in one of the images, or a case cannot be used.

    Examples
    --------
    >>> import radiodeep as rd
    >>> advice = rd.suggest_bin_width(rd.make_phantom_cohort(10, random_state=0))
    >>> print(advice)
    bin_width=5 gives 52 to 67 grey levels (median 60); 100% of the regions have 16 to 128
    >>> rd.RadiomicsExtractor(bin_width=advice.bin_width)
    RadiomicsExtractor(bin_width=5.0)
    >>> extractor = rd.RadiomicsExtractor(image_types={"Original": {}, "LoG": {"sigma": [1.0, 4.0]}})
    >>> advice = rd.suggest_bin_width(rd.make_phantom_cohort(10, random_state=0), extractor)
    >>> print(advice)
    original: bin_width=5 gives 52 to 67 grey levels (median 60); 100% of the regions have 16 to 128
    log-sigma-1-0-mm-3D: bin_width=5 gives 27 to 44 grey levels (median 38); 100% of the regions have 16 to 128
    log-sigma-4-0-mm-3D: bin_width=2 gives 29 to 52 grey levels (median 38); 100% of the regions have 16 to 128
    >>> filtered = rd.RadiomicsExtractor(image_types=advice.image_types)
    """
    require(is_count(fewest, 2), "suggest_bin_width", "fewest", "an int >= 2", fewest)
    require(is_count(most, fewest + 1), "suggest_bin_width", "most", f"an int > fewest={fewest}", most)
    extractor = RadiomicsExtractor(families=["firstorder"]) if extractor is None else extractor
    cases = as_cases(cohort)
    if isinstance(extractor, Pipeline):
        cases, extractor = clone(extractor[:-1]).fit_transform(cases), extractor[-1]
    extractor.fit(cases)
    ranges = [extractor.intensity_ranges(case) for case in with_progress(cases, "Intensities", len(cases), "cases")]
    tables = {}
    image_types = {}
    widths = {}
    settings = RadiomicsSettings.of(extractor)
    for image_type in settings.types:
        names = image_type.images
        for name in names:
            ends = np.array([ranges_of_case[image_type.name][name] for ranges_of_case in ranges])
            tables[name] = _table(ends, _candidates(ends, name, fewest, most), fewest, most, settings.is_standard)
            widths[name] = _best(tables[name], fewest, most)
        width = {name: widths[name] for name in names} if len(names) > 1 else widths[names[0]]
        image_types[image_type.name] = {**image_type.filters, **image_type.texture, "bin_width": width}
    first = next(iter(tables))
    table = pd.concat(tables, names=["image"]) if len(tables) > 1 else tables[first]
    return BinWidthAdvice(widths[first], fewest, most, table, image_types, widths)


def _candidates(ends, image, fewest, most):
    """Return round bin widths from a twentieth to twenty times the one that gives the aim's centre, increasing."""
    spread = ends[:, 1] - ends[:, 0]
    if not (spread > 0).any():
        place = "" if image == "original" else f" in the image '{image}'"
        raise InputError(f"All regions are flat{place}: no bin width gives them more than one grey level.")
    ideal = np.median(spread[spread > 0]) / np.sqrt(fewest * most)
    power = int(np.floor(np.log10(ideal)))
    widths = sorted(step * 10.0**exponent for exponent in range(power - 2, power + 3) for step in _STEPS)
    return [float(f"{width:.3g}") for width in widths if ideal / 20 <= width <= ideal * 20]


def _table(ends, widths, fewest, most, from_minimum):
    """Return the table of `BinWidthAdvice` for one image; `ends` (n_regions, 2) are the extremes of the regions.

    Bins begin at multiples of the width, or `from_minimum`: those below it, from the lower bound of resegmentation on,
    are empty and do not count.
    """
    # By a formula of its own, not by `n_bins` of the convention: rounding may differ for extremes on an edge of a bin.
    if from_minimum:
        levels = np.array([np.floor((ends[:, 1] - ends[:, 0]) / width) + 1 for width in widths])
    else:
        levels = np.array([np.floor(ends[:, 1] / width) - np.floor(ends[:, 0] / width) + 1 for width in widths])
    return pd.DataFrame(
        {
            "lowest": levels.min(axis=1).astype(int),
            "median": np.median(levels, axis=1),
            "highest": levels.max(axis=1).astype(int),
            "within": ((levels >= fewest) & (levels <= most)).mean(axis=1),
        },
        index=pd.Index(widths, name="bin_width"),
    )


def _best(table, fewest, most):
    """Return the width with the most regions within the aim; among equals, the median nearest to its centre."""
    distance = np.abs(np.log(table["median"] / np.sqrt(fewest * most)))
    return float(table.assign(distance=distance).sort_values(["within", "distance"], ascending=[False, True]).index[0])
