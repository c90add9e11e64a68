"""A deep feature in; what it measures out: the handcrafted features it goes with, and where the network looks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from radiodeep.cases.cohort import as_cases
from radiodeep.checks import is_count, require
from radiodeep.exceptions import InputError
from radiodeep.report.figures import deep_feature_figure

_SMOOTHING = 1 / 32  # of the image's side: a gradient of single pixels is too grainy to look at


@dataclass(frozen=True)
class DeepFeatureExplanation:
    """What is known of one deep feature.

    Attributes
    ----------
    name : str
    values : Series
        Of the feature, by case id, lowest first.
    correlations : DataFrame
        A row per handcrafted feature: `spearman`, `p` (of one test; there are as many as rows) and `n`, the cases
        that have both; highest absolute correlation first.
    highest, lowest : list of (case id, image, map)
        What the network was shown of the cases with the highest and lowest values (of several slices the one
        where the gradient is largest), and the absolute gradient of the feature in each pixel, smoothed, of 0..1;
        0 everywhere for a feature that a rectifier keeps at 0.
    """

    name: str
    values: pd.Series
    correlations: pd.DataFrame
    highest: list
    lowest: list

    def __str__(self):
        best = self.correlations.head(3)
        listed = ", ".join(f"{name} ({row.spearman:+.2f}, n={row.n:.0f})" for name, row in best.iterrows())
        return f"{self.name} goes with {listed}" if listed else f"{self.name} goes with nothing that can be compared"

    def figure(self):
        """Return the figure: images and maps of both ends, and the strongest correlations."""
        return deep_feature_figure(self)

    def save(self, path):
        """Write the figure as .png, .svg or .pdf."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.figure().savefig(path, dpi=150)
        return path


def explain_deep_feature(extractor, table, name, cohort, n_cases=4):
    """Say what a deep feature may be: its correlations with handcrafted ones, and where the network looks.

    Parameters
    ----------
    extractor : DeepFeatureExtractor
    table : DataFrame of shape (n_cases, n_features)
        Handcrafted features by case id, from `extract_table(RadiomicsExtractor(), cohort)`.
    name : str
        One of `extractor.get_feature_names_out()`.
    cohort : Cohort or sequence of Case
    n_cases : int, default=4
        How many cases of each end are shown.

    Returns
    -------
    DeepFeatureExplanation
        `print` it, or `save("feature.png")`.

    Raises
    ------
    InputError
        There is no such feature, or the table has no row for a case.

    Notes
    -----
    A correlation says that two numbers go together in these cases, not that the network measures the other; with
    hundreds of features some are high by chance. Read it beside n.

    References
    ----------
    K. Simonyan, A. Vedaldi, A. Zisserman, Deep inside convolutional networks, arXiv:1312.6034 (2013), section 3.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(12, random_state=0)
    >>> table = rd.extract_table(rd.RadiomicsExtractor(), cohort)
    >>> explanation = rd.explain_deep_feature(rd.DeepFeatureExtractor(), table, "radiodeep-mini_pool_0007", cohort)
    >>> explanation.correlations.columns.tolist(), len(explanation.highest)
    (['spearman', 'p', 'n'], 4)
    """
    cases = {case.id: case for case in as_cases(cohort)}
    if not isinstance(table, pd.DataFrame) or not set(cases) <= set(table.index) or not table.index.is_unique:
        missing = ", ".join(sorted(set(cases) - set(getattr(table, "index", ())))[:4])
        raise InputError(
            "The 'table' must be a DataFrame with one row for every case. Got "
            f"{f'none for {missing}' if missing else 'several for some'}; "
            "make it with extract_table(RadiomicsExtractor(), cohort)."
        )
    require(is_count(n_cases, 1), "explain_deep_feature", "n_cases", "an int >= 1", n_cases)
    names = extractor.get_feature_names_out().tolist()
    if name not in names:
        raise InputError(f"There is no feature {name!r}. They are called {names[0]} to {names[-1]}.")
    features = extractor.transform(list(cases.values()))[:, names.index(name)]
    values = pd.Series(features, index=list(cases), name=name).sort_values(kind="stable")
    ends = list(values.index[::-1][:n_cases]), list(values.index[:n_cases])
    highest, lowest = ([_shown(extractor, cases[one], name) for one in end] for end in ends)
    return DeepFeatureExplanation(name, values, _correlations(values, table.loc[values.index]), highest, lowest)


def _correlations(values, table):
    rows = {}
    for column in table.columns[[dtype.kind in "fiub" for dtype in table.dtypes]]:
        other = table[column].to_numpy(dtype=float)
        both = np.isfinite(other) & np.isfinite(values.to_numpy())
        if both.sum() > 2 and np.ptp(other[both]) > 0 and np.ptp(values.to_numpy()[both]) > 0:
            spearman, p = spearmanr(values.to_numpy()[both], other[both])
            rows[column] = (spearman, p, int(both.sum()))
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["spearman", "p", "n"])
    return found.sort_values("spearman", key=lambda one: -one.abs(), kind="stable")


def _shown(extractor, case, name):
    images, maps = extractor.saliency([case], name)[0]
    which = int(maps.sum(axis=(1, 2)).argmax())
    smooth = gaussian_filter(maps[which], maps.shape[-1] * _SMOOTHING)
    return case.id, images[which], smooth / max(smooth.max(), 1e-12)
