"""Observed and predicted numbers -> measures of their agreement, with the delete-one-patient jackknife.

Test cases of several folds are predicted by models that may differ in level and scale. So correlations and the slope
are computed within the folds; errors, which have the unit of the outcome, over all cases.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from scipy.stats import t as student_t

from radiodeep.checks import require_probability
from radiodeep.exceptions import InputError
from radiodeep.study.statistics.auc import in_order_of
from radiodeep.study.statistics.uncertainty import interval

SPEARMAN = "Spearman"
LIMITS_OF_AGREEMENT = ("bias", "lower limit", "upper limit")
_COMPARISONS_AT_ONCE = 2**22  # of a case with a case, in memory
_ROUNDING = 1e-13  # of a sum of squares
_FEWEST_PATIENTS = 10  # of a test fold, to correlate within it
_SPREADS = norm.isf(0.025)  # standard deviations between bias and limit: 95 % of normal differences lie within

_CORRELATION, _POSITIVE, _ANY = (-1.0, 1.0), (0.0, np.inf), (-np.inf, np.inf)
BOUNDS = {
    SPEARMAN: _CORRELATION,
    "Pearson": _CORRELATION,
    "R2": (-np.inf, 1.0),
    "MAE": _POSITIVE,
    "RMSE": _POSITIVE,
    "Lin's concordance": _CORRELATION,
    "ICC": _CORRELATION,
    "calibration slope": _ANY,
    "calibration intercept": _ANY,
    **dict.fromkeys(LIMITS_OF_AGREEMENT, _ANY),
}
ERRORS = [name for name in BOUNDS if name != SPEARMAN]  # the measures of `errors_jackknife`


def regression_measures(y_true, y_pred, *, patients=None, confidence_level=0.95):
    """Measure how well predicted numbers agree with the observed ones, for predictions of one model, method or reader.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_cases,)
        Two Series are matched by their index.
    patients : array-like of shape (n_cases,), optional
        The patient of each case, if some have several.
    confidence_level : float, default=0.95

    Returns
    -------
    DataFrame
        `value`, `low` and `high` of Spearman's and Pearson's correlation; R2, the share of the squared differences from
        the mean that is explained; MAE and RMSE, the mean absolute and root mean squared error; Lin's concordance and
        ICC(A,1), the agreement in absolute terms; slope and intercept of the regression of the observed on the
        predicted numbers (1 and 0 are right); the bias, the mean of predicted minus observed; and the limits of
        agreement, between which 95 % of these differences lie if they are normal.

    Raises
    ------
    InputError
        Fewer than 3 cases, arrays of different lengths, or numbers that are not finite or all the same.

    Notes
    -----
    Variances are those of a jackknife that leaves out one patient at a time. If some errors are much larger than the
    others, the intervals of MAE, RMSE and the limits of agreement are too narrow.

    References
    ----------
    L. I. Lin, Biometrics 45 (1989) 255. J. M. Bland, D. G. Altman, Lancet 327 (1986) 307. K. O. McGraw, S. P. Wong,
    Psychological Methods 1 (1996) 30.

    Examples
    --------
    >>> from radiodeep import regression_measures
    >>> measures = regression_measures([1.0, 2.1, 3.2, 3.9, 5.1], [1.1, 2.0, 3.0, 4.2, 5.0])
    >>> measures.loc["MAE"].round(2).to_dict()
    {'value': 0.16, 'low': 0.08, 'high': 0.32}
    """
    require_probability(confidence_level, regression_measures, "confidence_level")
    y_pred, patients = (in_order_of(y_true, values) for values in (y_pred, patients))
    y, prediction = (np.asarray(values, dtype=float) for values in (y_true, y_pred))
    if y.ndim != 1 or y.shape != prediction.shape or len(y) < 3:
        raise InputError(
            f"Expected two numbers for each of 3 cases or more. Got shapes {y.shape} and {prediction.shape}."
        )
    if not (np.isfinite(y).all() and np.isfinite(prediction).all() and np.ptp(y) > 0):
        raise InputError("The numbers must be finite, and the observed ones must vary.")
    patients = np.arange(len(y)) if patients is None else pd.factorize(np.asarray(patients))[0]
    settings = prediction[np.newaxis], np.zeros(len(y), dtype=int), patients
    ranked, errors = spearman_jackknife(y, *settings), errors_jackknife(y, *settings, np.full(len(y), y.mean()))
    values, variances = np.r_[ranked.values, errors.values[0]], np.r_[ranked.variances, errors.variances[0]]
    return intervals_of_measures([SPEARMAN, *ERRORS], values, variances, patients.max() + 1, confidence_level)


def intervals_of_measures(names, values, variances, n_units, confidence_level):
    """Return a DataFrame of `value`, `low` and `high` of measures, from the number of independent patients."""
    tail = (1 - confidence_level) / 2
    student = student_t.isf(tail, max(n_units - 1, 1)) / norm.isf(tail)
    rows = []
    for name, value, variance in zip(names, values, variances, strict=True):
        is_correlation = BOUNDS[name] == _CORRELATION  # `interval` takes the number of patients into account by itself
        variance = variance if is_correlation else student**2 * variance
        if BOUNDS[name] == _POSITIVE and value > 0:  # its logarithm is nearer to normal
            found = interval(np.log(value), variance / value**2, confidence_level, _ANY)
            rows.append((value, np.exp(found.low), np.exp(found.high)))
        else:
            found = interval(value, variance, confidence_level, BOUNDS[name], n_units)
            rows.append((value, found.low, found.high))
    return pd.DataFrame(rows, index=pd.Index(names, name="measure"), columns=["value", "low", "high"], dtype=float)


@dataclass(frozen=True)
class Jackknife:
    """Measures of several score vectors, and their deviations when a patient is left out.

    Attributes
    ----------
    values : ndarray of shape (n_vectors, ...)
    deviations : ndarray of shape (n_vectors, n_patients, ...)
        Value without the patient minus the mean of these values, times the square root of (n - 1) / n, where n is the
        number of patients of the fold (of all for measures over all cases). Their sum of squares is the variance.
    """

    values: np.ndarray
    deviations: np.ndarray

    @property
    def variances(self):
        """The variances, (n_vectors, ...)."""
        return (self.deviations**2).sum(axis=1)

    @property
    def covariance(self):
        """The covariance of a single measure, (n_vectors, n_vectors)."""
        return self.deviations @ self.deviations.T


def folds_to_correlate(folds, patients):
    """Return the folds (n_cases,) within which to correlate, or one fold of all cases if one has below 10 patients.

    In simulated studies with signal, halves of 30 had a mean correlation of 0.280 within and 0.276 over both halves,
    where large samples have 0.296; folds of 6 had 0.46 within and 0.47 over all, of 0.48, and wider intervals within.
    """
    fold_of_patient = np.unique(np.column_stack([folds, patients]), axis=0)[:, 0]
    n_patients = np.unique(fold_of_patient, return_counts=True)[1]
    return folds if n_patients.min() >= _FEWEST_PATIENTS else np.zeros(len(folds), dtype=int)


def spearman_jackknife(y, scores, folds, patients):
    """Return the Jackknife of the mean of Spearman's correlation over the folds, weighted by their number of cases.

    Parameters
    ----------
    y : ndarray of shape (n_cases,)
    scores : ndarray of shape (n_vectors, n_cases)
    folds, patients : int ndarrays of shape (n_cases,)
        All cases of a patient are in the same fold.

    Notes
    -----
    A score that is the same for all cases of a fold has the correlation 0 there.
    """
    codes = np.unique(patients, return_inverse=True)[1]
    values, deviations = np.zeros(len(scores)), np.zeros((len(scores), codes.max() + 1))
    for fold in np.unique(folds):
        cases = np.flatnonzero(folds == fold)
        members, of_case = np.unique(codes[cases], return_inverse=True)
        share = len(cases) / len(y)
        whole, without = _spearman_without_each(y[cases], scores[:, cases], of_case)
        values += share * whole
        deviations[:, members] = share * _deviations(without)
    return Jackknife(values, deviations)


def _deviations(without):
    """Return scaled deviations of values (n_vectors, n_patients, ...) without each patient from their mean."""
    n_patients = without.shape[1]
    return np.sqrt((n_patients - 1) / n_patients) * (without - without.mean(axis=1, keepdims=True))


def _spearman_without_each(y, scores, patients):
    """Return the correlations of scores (n_vectors, n) with y (n,), and those without each patient.

    The rank of a case is one half plus a half for each case that ties and one for each that is below, so that the
    ranks without a patient follow by subtracting the cases of this patient.
    """
    n_patients = patients.max() + 1
    order = np.argsort(patients, kind="stable")
    starts = np.searchsorted(patients[order], np.arange(n_patients + 1))
    at_once = max(1, int(_COMPARISONS_AT_ONCE / len(y) ** 2 * n_patients))
    without = np.empty((len(scores), n_patients))
    for first in range(0, n_patients, at_once):
        left_out = starts[first : min(first + at_once, n_patients) + 1]
        rows, begins = order[left_out[0] : left_out[-1]], left_out[:-1] - left_out[0]
        is_kept = patients != np.arange(first, first + len(begins))[:, np.newaxis]
        of_y = _centred_ranks(y, rows, begins, is_kept)
        for vector, score in enumerate(scores):
            of_score = _centred_ranks(score, rows, begins, is_kept)
            without[vector, first : first + len(begins)] = _cosine(of_y, of_score)
    return _cosine(_centred(rankdata(y)), _centred(rankdata(scores, axis=1))), without


def _centred_ranks(values, rows, begins, is_kept):
    """Return the ranks (n_patients, n) of the kept cases without the `rows` of each patient, minus their mean."""
    is_above = 0.5 * (1 + np.sign(values - values[rows, np.newaxis]))  # (rows, n)
    ranks = rankdata(values) - np.add.reduceat(is_above, begins, axis=0)
    return np.where(is_kept, ranks - (is_kept.sum(axis=1, keepdims=True) + 1) / 2, 0.0)


def _centred(values):
    return values - values.mean(axis=-1, keepdims=True)


def _cosine(a, b):
    """Return the cosine of the angle between vectors along the last axis; 0 where one is 0."""
    return _ratio((a * b).sum(axis=-1), np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1)), 0.0)


def _ratio(a, b, otherwise):
    """Return a / b, and another number where b is 0."""
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, otherwise), where=b != 0)


def errors_jackknife(y, predictions, folds, patients, reference):
    """Return the Jackknife of the measures `ERRORS`, in their order along the last axis.

    Parameters
    ----------
    y : ndarray of shape (n_cases,)
    predictions : ndarray of shape (n_vectors, n_cases)
    folds, patients : int ndarrays of shape (n_cases,)
        As in `spearman_jackknife`.
    reference : ndarray of shape (n_cases,)
        What a model without information predicts: the mean of the training part. R2 = 1 - SSE / SST, where SST is the
        sum of the squared differences of y from it.

    Notes
    -----
    Every measure is a function of sums over the cases. So a patient is left out by subtracting his sums.
    """
    codes, patients = np.unique(patients, return_inverse=True)
    fold_of_patient = np.empty(len(codes), dtype=int)
    fold_codes, fold_of_patient[patients] = np.unique(folds, return_inverse=True)
    origin = y.mean()  # sums of squares of small numbers are precise
    values = np.stack([_terms(y - origin, prediction - origin, (y - reference) ** 2) for prediction in predictions])
    of_patient = _sums(values, patients, len(codes))  # (n_vectors, n_patients, n_terms)
    of_fold = _sums(of_patient, fold_of_patient, len(fold_codes))
    total, within = of_fold.sum(axis=1), _within(of_fold)
    lost = within[:, fold_of_patient] - _within(of_fold[:, fold_of_patient] - of_patient)
    whole = _measures(total, within.sum(axis=1), origin)
    without = _measures(total[:, np.newaxis] - of_patient, within.sum(axis=1)[:, np.newaxis] - lost, origin)
    return Jackknife(whole, _deviations(without))


def _terms(y, prediction, squared_deviation):
    """Return what is summed over cases, (n_cases, n_terms)."""
    error = prediction - y
    products = y * y, prediction * prediction, y * prediction
    return np.column_stack([np.ones(len(y)), y, prediction, *products, np.abs(error), error**2, squared_deviation])


def _sums(values, codes, n_codes):
    """Return the sums of values (n_vectors, n, n_terms) by code, (n_vectors, n_codes, n_terms)."""
    sums = np.zeros((len(values), n_codes, values.shape[2]))
    np.add.at(sums, (slice(None), codes), values)
    return sums


def _within(sums):
    """Return the sums of squares and of products about the means, (..., 3), of the terms of a fold."""
    n, y, prediction, y_y, p_p, y_p = np.moveaxis(sums[..., :6], -1, 0)
    n = np.maximum(n, 1)
    about_means = np.stack([y_y - y * y / n, p_p - prediction * prediction / n, y_p - y * prediction / n], axis=-1)
    squares = np.stack([y_y, p_p, np.sqrt(np.abs(y_y * p_p))], axis=-1)
    return np.where(np.abs(about_means) <= _ROUNDING * squares, 0.0, about_means)


def _measures(sums, within, origin):
    """Return the measures (..., n_measures) from sums over all cases and from sums about the means of the folds."""
    n, y, prediction, *_, absolute, squared, deviation = np.moveaxis(sums, -1, 0)
    s_yy, s_pp, s_yp = np.moveaxis(_within(sums), -1, 0)
    w_yy, w_pp, w_yp = np.moveaxis(within, -1, 0)
    bias = (prediction - y) / n
    spread = np.sqrt(np.maximum(s_yy + s_pp - 2 * s_yp, 0.0) / (n - 1))
    slope = _ratio(w_yp, w_pp, np.nan)
    # ICC(A,1) of two raters from the mean squares: of cases, of raters and of the rest
    cases, rest, raters = (s_yy + s_pp + 2 * s_yp) / 2 / (n - 1), spread**2 / 2, n * bias**2 / 2
    measures = {
        "R2": 1 - _ratio(squared, deviation, np.nan),
        "MAE": absolute / n,
        "RMSE": np.sqrt(squared / n),
        "Pearson": _ratio(w_yp, np.sqrt(w_yy * w_pp), 0.0),
        "Lin's concordance": _ratio(2 * s_yp, s_yy + s_pp + n * bias**2, 0.0),
        "ICC": _ratio(cases - rest, cases + rest + 2 * (raters - rest) / n, 0.0),
        "calibration slope": slope,
        "calibration intercept": y / n + origin - slope * (prediction / n + origin),
        "bias": bias,
        "lower limit": bias - _SPREADS * spread,
        "upper limit": bias + _SPREADS * spread,
    }
    return np.stack([measures[name] for name in ERRORS], axis=-1)
