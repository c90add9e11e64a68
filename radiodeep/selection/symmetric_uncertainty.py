"""Table and classes in, a score per feature out: the information that it shares with the class."""

import itertools

import numpy as np

from radiodeep.checks import require
from radiodeep.preparation.kernels.cut_points import plogp_of_counts, row_orders
from radiodeep.preparation.tables import checked_table, nominal_mask
from radiodeep.selection.kernels.uncertainty import score_columns
from radiodeep.selection.ranking import RankedSelector
from radiodeep.selection.threads import in_threads, n_threads_for


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
    tie_order : {"left", "weka"}, default="left"
        Of equal scores the column further left goes first, or they go as Weka's ranker leaves them.
    n_jobs : int, optional
        Threads.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        In 0..1.
    ranking_ : ndarray of shape (n_features,)
        1 is the best.
    n_features_above_threshold_ : int
    effective_n_features_ : float
        As how many uncorrelated features the selected ones count (`effective_number_of_features`).
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

    def __init__(
        self,
        n_features_to_select=10,
        threshold=0.0,
        *,
        missing="distribute",
        nominal_features=None,
        tie_order="left",
        n_jobs=None,
    ):
        self.n_features_to_select = n_features_to_select
        self.threshold = threshold
        self.missing = missing
        self.nominal_features = nominal_features
        self.tie_order = tie_order
        self.n_jobs = n_jobs

    def fit(self, X, y):
        """Score the features.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
            NaN for missing values.
        y : array-like of shape (n_cases,)
            Classes.
        """
        X, labels, n_classes = self._checked(X, y)
        with self._told_if_compiling(score_columns):
            scores = self._scores(X, labels, n_classes)
        self._keep_best(scores)
        self._count_effective(X)
        return self

    def _checked(self, X, y):
        """Return table, class numbers and the number of classes."""
        self._check_how_many()
        require(self.missing in ("distribute", "separate"), self, "missing", "'distribute' or 'separate'")
        X, labels, classes = checked_table(self, X, y)
        return X, labels, len(classes)

    def _scores(self, X, labels, n_classes):
        nominal = nominal_mask(self, self.nominal_features)
        scores = np.zeros(X.shape[1])
        separate, logs = self.missing == "separate", plogp_of_counts(len(labels))

        def score(first, last):
            columns = np.array(X[:, first:last].T, order="C")  # a copy: categories are numbered in it
            order, n_known = row_orders(X[:, first:last])
            for column in np.flatnonzero(nominal[first:last]):
                columns[column] = as_categories(columns[column])
            how = (n_classes, separate, logs)
            score_columns(columns, labels, order, n_known, nominal[first:last], *how, scores[first:last])

        n_threads = n_threads_for(self.n_jobs, X.size * 50)
        bounds = np.linspace(0, X.shape[1], 4 * n_threads + 1).astype(int)
        in_threads(score, list(itertools.pairwise(bounds)), n_threads)
        return scores


def as_categories(values):
    """Return categories (n,) as 0, 1, 2 ...; NaN stays NaN."""
    known = ~np.isnan(values)
    numbers = np.full(len(values), np.nan)
    numbers[known] = np.unique(values[known], return_inverse=True)[1]
    return numbers
