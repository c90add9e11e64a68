"""Table and classes in, a score per feature out: the information that it shares with the class."""

import numpy as np

from radiodeep.selection.discretize import mdl_cut_points
from radiodeep.selection.inputs import checked_table, nominal_mask, require
from radiodeep.selection.ranking import RankedSelector


class SymmetricUncertainty(RankedSelector):
    """Keep the features that share most information with the class, each alone.

    SU = 2 (H(class) - H(class | feature)) / (H(class) + H(feature)) after supervised MDL
    discretisation, as Weka's SymmetricalUncertAttributeEval computes it.

    Parameters
    ----------
    n_features_to_select : int, float in (0, 1] or None, default=10
        At most this count or fraction; None keeps all that pass `threshold`.
    threshold : float or None, default=0
        Keep only scores above it. Most noise features get no cut and score exactly 0; None fills up
        with them, further left first.
    missing : {"distribute", "separate"}, default="distribute"
        Missing values are spread over the bins as the known ones are, or are a bin of their own.
    nominal_features : sequence of positions, names or bools, optional
        Columns of categories; they are not discretised.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        In 0..1.
    ranking_ : ndarray of shape (n_features,)
        1 is the best; of equal scores the column further left goes first.
    n_features_above_threshold_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Notes
    -----
    If no score passes the threshold, the first-ranked feature alone is kept with a
    `RadiodeepWarning`, so that a leave-one-out study goes on and says what happened.

    References
    ----------
    Press et al., Numerical Recipes in C, section 14.4. Fayyad, Irani, IJCAI 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import SymmetricUncertainty
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 30)
    >>> X = rng.normal(size=(60, 5)) + 2.0 * y[:, None] * [0, 1, 0, 0, 0]
    >>> SymmetricUncertainty().fit(X, y).get_support(indices=True).tolist()
    [1]
    >>> SymmetricUncertainty(missing="mean").fit(X, y)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'missing' parameter of SymmetricUncertainty must be ...
    """

    def __init__(self, n_features_to_select=10, threshold=0.0, missing="distribute", nominal_features=None):
        self.n_features_to_select = n_features_to_select
        self.threshold = threshold
        self.missing = missing
        self.nominal_features = nominal_features

    def fit(self, X, y):
        """Score the features.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
            NaN for missing values.
        y : array-like of shape (n_cases,)
            Classes.
        """
        self._check_how_many()
        require(self.missing in ("distribute", "separate"), self, "missing", "'distribute' or 'separate'")
        X, labels, classes = checked_table(self, X, y)
        nominal = nominal_mask(self, self.nominal_features)
        scores = np.zeros(X.shape[1])
        for column, values in enumerate(X.T):
            scores[column] = self._score(values, labels, len(classes), nominal[column])
        self._keep_best(scores)
        return self

    def _score(self, values, labels, n_classes, is_nominal):
        known = ~np.isnan(values)
        if not known.any():
            return 0.0
        if is_nominal:
            bins = np.unique(values[known], return_inverse=True)[1]
        else:
            bins = np.searchsorted(mdl_cut_points(values, labels, n_classes), values[known], side="left")
        table = np.zeros((bins.max() + 1, n_classes))
        np.add.at(table, (bins, labels[known]), 1.0)
        missing = np.bincount(labels[~known], minlength=n_classes).astype(float)
        if missing.any():
            if self.missing == "separate":
                table = np.vstack([table, missing])
            else:
                table = table + (table.sum(axis=1) / known.sum())[:, np.newaxis] * missing
        return _symmetric_uncertainty(table)


def _symmetric_uncertainty(table):
    """Return SU of a table of counts (n_bins, n_classes); 0 where either side has no entropy."""
    total = _plogp(np.array([table.sum()])).sum()
    of_class = total - _plogp(table.sum(axis=0)).sum()
    of_bin = total - _plogp(table.sum(axis=1)).sum()
    if abs(of_class) < 1e-6 or abs(of_bin) < 1e-6:
        return 0.0
    of_class_given_bin = _plogp(table.sum(axis=1)).sum() - _plogp(table).sum()
    return 2 * (of_class - of_class_given_bin) / (of_class + of_bin)


def _plogp(counts):
    return np.where(counts < 1e-6, 0.0, counts * np.log(np.maximum(counts, 1e-300)))
