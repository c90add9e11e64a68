"""Deep feature -> handcrafted features that correlate with it, and where in the images the network looks for it."""

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

_SMOOTHING = 1 / 32  # standard deviation as a share of the image's side; unsmoothed gradients are too noisy to read


@dataclass(frozen=True)
class DeepFeatureExplanation:
    """What a deep feature may measure.

    Attributes
    ----------
    name : str
    values : Series
        Values of the feature by case id, in ascending order.
    correlations : DataFrame
        One row per handcrafted feature: `spearman`, `p` (not corrected for the number of rows) and `n`, the number of
        cases with both values; largest absolute correlation first.
    highest, lowest : list of (case id, image, map)
        The images that the network sees of the cases with the highest and lowest values (of several slices the one
        with the largest gradient), and the absolute gradient of the feature in each pixel, smoothed and scaled to
        0..1; 0 everywhere if an activation function keeps the feature at 0.
    """

    name: str
    values: pd.Series
    correlations: pd.DataFrame
    highest: list
    lowest: list

    def __str__(self):
        strongest = self.correlations.head(3)
        listed = ", ".join(f"{name} ({row.spearman:+.2f}, n={row.n:.0f})" for name, row in strongest.iterrows())
        return f"{self.name} correlates with {listed}" if listed else f"{self.name} cannot be compared with any feature"

    def figure(self):
        """Return the figure: images and maps of the highest and lowest values, and the strongest correlations."""
        return deep_feature_figure(self)

    def save(self, path):
        """Write the figure as .png, .svg or .pdf."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.figure().savefig(path, dpi=150)
        return path


def explain_deep_feature(extractor, table, name, cohort, n_cases=4):
    """Explain a deep feature by its correlations with handcrafted features, and by where the network looks.

    Parameters
    ----------
    extractor : DeepFeatureExtractor
    table : DataFrame of shape (n_cases, n_features)
        Handcrafted features by case id, from `extract_table(RadiomicsExtractor(), cohort)`.
    name : str
        One of `extractor.get_feature_names_out()`.
    cohort : Cohort or sequence of Case
    n_cases : int, default=4
        Number of cases with the highest, and with the lowest values that are shown.

    Returns
    -------
    DeepFeatureExplanation
        `print` it, or `save("feature.png")`.

    Raises
    ------
    InputError
        If there is no such feature, or the table has no row for a case.

    Notes
    -----
    A correlation does not mean that the network measures the other feature. Among hundreds of features some
    correlations are high by chance, the more so the smaller `n` is.

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
    _check_table(table, cases)
    require(is_count(n_cases, 1), "explain_deep_feature", "n_cases", "an int >= 1", n_cases)
    names = extractor.get_feature_names_out().tolist()
    if name not in names:
        raise InputError(f"There is no feature {name!r}. They are called {names[0]} to {names[-1]}.")
    features = extractor.transform(list(cases.values()))[:, names.index(name)]
    values = pd.Series(features, index=list(cases), name=name).sort_values(kind="stable")
    highest = [_image_and_map(extractor, cases[case_id], name) for case_id in values.index[::-1][:n_cases]]
    lowest = [_image_and_map(extractor, cases[case_id], name) for case_id in values.index[:n_cases]]
    return DeepFeatureExplanation(name, values, _correlations(values, table.loc[values.index]), highest, lowest)


def _check_table(table, case_ids):
    """Raise InputError unless a table is a DataFrame with exactly one row for each case."""
    received = f"a {type(table).__name__}"
    if isinstance(table, pd.DataFrame):
        missing = [case_id for case_id in case_ids if case_id not in table.index]
        repeated = table.index[table.index.duplicated()].unique()
        if not missing and repeated.empty:
            return
        listed = ", ".join(map(str, (missing or repeated)[:4]))
        received = f"no row for {listed}" if missing else f"several rows for {listed}"
    raise InputError(
        f"The 'table' must be a DataFrame with one row for every case. Got {received}; make it with "
        "extract_table(RadiomicsExtractor(), cohort)."
    )


def _correlations(values, table):
    """Return the DataFrame of `DeepFeatureExplanation`; constant features and those of two cases are left out."""
    rows = {}
    for column in table.columns[[dtype.kind in "fiub" for dtype in table.dtypes]]:
        other = table[column].to_numpy(dtype=float)
        is_known = np.isfinite(other) & np.isfinite(values.to_numpy())
        pair = values.to_numpy()[is_known], other[is_known]
        if is_known.sum() > 2 and np.ptp(pair, axis=1).all():
            spearman, p = spearmanr(*pair)
            rows[column] = (spearman, p, int(is_known.sum()))
    correlations = pd.DataFrame.from_dict(rows, orient="index", columns=["spearman", "p", "n"])
    return correlations.sort_values("spearman", key=lambda spearman: -spearman.abs(), kind="stable")


def _image_and_map(extractor, case, name):
    """Return an entry of `DeepFeatureExplanation.highest` for a case."""
    images, maps = extractor.saliency([case], name)[0]
    index = int(maps.sum(axis=(1, 2)).argmax())  # of the slice with the largest gradient
    smoothed = gaussian_filter(maps[index], maps.shape[-1] * _SMOOTHING)
    return case.id, images[index], smoothed / max(smoothed.max(), 1e-12)
