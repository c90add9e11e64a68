"""An endpoint and a table of features -> how strongly and in which direction each goes with the outcome by itself."""

import numpy as np
import pandas as pd
from scipy.stats import kruskal

from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.auc import auc_of_repeats
from radiodeep.study.statistics.numbers import spearman_jackknife
from radiodeep.study.statistics.uncertainty import interval

_FEWEST = 4  # cases with a value


def univariate_effects(endpoint, table, confidence_level=0.95):
    """Measure each feature by itself, as if it were the score of a model.

    Parameters
    ----------
    endpoint : Endpoint
    table : DataFrame of shape (n_cases, n_features)
        Numbers in the order of the cases; those that are not finite are left out.
    confidence_level : float, default=0.95

    Returns
    -------
    DataFrame
        `value`, `low`, `high` and `n` by feature. The value is the AUC, C or rank correlation, below chance for a
        feature that is lower in positive cases, in earlier events, or for larger numbers; of several classes without
        order the share of the variance of the ranks between the classes (epsilon squared), without bounds. NaN for a
        constant feature. Intervals do not allow for the selection of features among many.

    References
    ----------
    Newcombe, Statistics in Medicine 25 (2006) 559, for the AUC. Kelley, PNAS 21 (1935) 554, for epsilon squared.
    """
    rows = {name: _effect(endpoint, table[name].to_numpy(dtype=float), confidence_level) for name in table.columns}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high", "n"])


def effect_measure(endpoint):
    """Return the name of the measure of `univariate_effects`, and its value for a feature without information."""
    if endpoint.kind == "several classes":
        return "difference between classes", 0.0
    if endpoint.kind == "ordered classes":
        return "Spearman", 0.0
    return endpoint.measure, endpoint.chance


def _effect(endpoint, values, level):
    known = np.flatnonzero(np.isfinite(values))
    values = values[known]
    nothing = (np.nan, np.nan, np.nan, len(known))
    if len(known) < _FEWEST or np.ptp(values) == 0:
        return nothing
    if endpoint.kind == "several classes":
        groups = [values[endpoint.codes[known] == code] for code in np.unique(endpoint.codes[known])]
        if len(groups) < 2:
            return nothing
        statistic, n = kruskal(*groups).statistic, len(known)
        return max(0.0, (statistic - len(groups) + 1) / (n - len(groups))), np.nan, np.nan, n
    if endpoint.kind == "ordered classes":
        patients = np.arange(len(known)) if endpoint.patients is None else endpoint.patients[known]
        found = spearman_jackknife(endpoint.codes[known], values[np.newaxis], np.zeros(len(known), dtype=int), patients)
        return _with_bounds(found.values.item(), found.variances.item(), level, (-1.0, 1.0), len(known))
    try:
        endpoint = endpoint.take(known)
    except StudyError:  # one class only, or no comparable pair
        return nothing
    if endpoint.kind == "two classes":
        found = auc_of_repeats(endpoint.is_positive, values[np.newaxis], level, patients=endpoint.patients)
        return found.auc, found.confidence_interval.low, found.confidence_interval.high, len(known)
    value, variance = (part.item() for part in endpoint.covariance(values[np.newaxis]))
    return _with_bounds(value, variance, level, endpoint.bounds, len(known))


def _with_bounds(value, variance, level, measure_bounds, n_cases):
    bounds = interval(value, variance, level, measure_bounds, n_units=n_cases)
    return value, bounds.low, bounds.high, n_cases
