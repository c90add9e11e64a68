"""Labels, scores and predicted labels of several classes -> Hand and Till's M, agreement, and error of probabilities.

Classes are given as codes 0 to n_classes - 1, ndarrays of shape (n_cases,); patients as codes too, or as None if every
patient has one case.
"""

from itertools import combinations

import numpy as np

from radiodeep.study.statistics.auc import auc_influence
from radiodeep.study.statistics.uncertainty import covariance_of_influence


def hand_till(codes, scores, patients=None, folds=None):
    """Return Hand and Till's M of several models and its covariance, with the models fixed and patients as the units.

    Parameters
    ----------
    codes : ndarray of int of shape (n_cases,)
    scores : ndarray of shape (n_models, n_cases, n_classes)
        Higher means more likely of that class.
    patients : ndarray of int of shape (n_cases,) or None
    folds : ndarray of shape (n_cases,), optional
        Only cases of the same fold are compared.

    Returns
    -------
    values : ndarray of shape (n_models,)
        The mean over pairs of classes of (A(i|j) + A(j|i)) / 2, where A(i|j) is the probability that a case of class i
        has a higher score of class i than one of class j; ties count one half.
    covariance : ndarray of shape (n_models, n_models)

    References
    ----------
    Hand, Till, A Simple Generalisation of the Area Under the ROC Curve for Multiple Class Classification Problems,
    Machine Learning 45 (2001) 171, equation 7.
    """
    values, influence = pairwise_aucs(codes, scores, folds)
    return values.mean(axis=1), covariance_of_influence(influence.mean(axis=1), codes, patients)


def pairwise_aucs(codes, scores, folds=None):
    """Return (A(i|j) + A(j|i)) / 2 of each pair of classes i < j, and the influence of each case on it.

    Scores are (n_models, n_cases, n_classes), the values (n_models, n_pairs), the influences (n_models, n_pairs,
    n_cases): without a case of a class of n, a value is less by n / (n - 1) times the influence of the case.
    """
    pairs = list(combinations(range(scores.shape[2]), 2))
    values = np.zeros((len(scores), len(pairs)))
    influence = np.zeros((len(scores), len(pairs), len(codes)))
    for number, pair in enumerate(pairs):
        rows = np.flatnonzero(np.isin(codes, pair))
        of_rows = None if folds is None else folds[rows]
        for positive in pair:
            aucs, of_cases = auc_influence(codes[rows] == positive, scores[:, rows, positive], of_rows)
            values[:, number] += aucs / 2
            influence[:, number, rows] += of_cases / 2
    return values, influence


def confusion_tables(codes, predicted, units, n_classes):
    """Return the number of cases of each unit by true (row) and predicted class: (n_units, n_classes, n_classes).

    Codes, predicted codes and units, such as patients, have the shape (n_cases,).
    """
    n_units = int(units.max()) + 1
    cells = (units * n_classes + codes) * n_classes + predicted
    return np.bincount(cells, minlength=n_units * n_classes**2).reshape(n_units, n_classes, n_classes)


def balanced_accuracy(tables):
    """Return the mean over the classes of the fraction that is predicted right, of tables (..., n_classes, n_classes).

    Classes without cases are left out.
    """
    n_cases = tables.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.nanmean(np.diagonal(tables, axis1=-2, axis2=-1) / n_cases, axis=-1)


def cohen_kappa(tables, power=0):
    """Return Cohen's kappa of tables (..., n_classes, n_classes).

    A confusion of classes i and j weighs |i - j|^power: 0 for labels without order, 1 for linear and 2 for quadratic
    weights. NaN if all cases are of one class, and predicted so.

    References
    ----------
    Cohen, Weighted Kappa, Psychological Bulletin 70 (1968) 213.
    """
    distance = np.abs(np.subtract.outer(*2 * [np.arange(tables.shape[-1])]))
    weights = np.where(distance, distance.astype(float) ** power, 0.0)
    n_cases = tables.sum(axis=(-2, -1))
    expected = np.einsum("...i,ij,...j->...", tables.sum(axis=-1), weights, tables.sum(axis=-2)) / n_cases
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - (weights * tables).sum(axis=(-2, -1)) / expected


def brier_scores(codes, probabilities):
    """Return the squared error of the probabilities (..., n_cases, n_classes) of each case, (..., n_cases).

    It is the mean over the classes, so that the mean over cases is the usual Brier score if there are two.
    """
    return ((probabilities - np.eye(probabilities.shape[-1])[codes]) ** 2).mean(axis=-1)


def jackknife_variance(without):
    """Return the variance of a value from those without one unit, (..., n_units)."""
    n_units = without.shape[-1]
    return (n_units - 1) * without.var(axis=-1)
