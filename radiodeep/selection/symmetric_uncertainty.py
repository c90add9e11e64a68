"""Table and target -> a score per feature: the information that the feature shares with the class or the number."""

import itertools

import numpy as np
from scipy.stats import rankdata

from radiodeep.checks import is_count, require, require_option
from radiodeep.preparation.kernels.cut_points import plogp_of_counts, row_orders
from radiodeep.preparation.tables import checked_target, nominal_mask
from radiodeep.selection.kernels.uncertainty import score_columns, uncertainty_without
from radiodeep.selection.ranking import RankedSelector
from radiodeep.selection.threads import in_threads, n_threads_for


class SymmetricUncertainty(RankedSelector):
    """Keep the features that, each taken alone, share most information with the class.

    SU = 2 (H(class) - H(class | feature)) / (H(class) + H(feature)) after supervised MDL
    discretisation, as Weka's SymmetricalUncertAttributeEval computes it.

    Parameters
    ----------
    n_features_to_select : int, float in (0, 1] or None, default=10
        At most this count or fraction is kept; None keeps all that pass `threshold`.
    threshold : float or None, default=0
        Keep only features with a larger score. Most noise features have no cut and score exactly 0; with None they
        fill up the selection, from left to right.
    missing : {"distribute", "separate"}, default="distribute"
        Distribute missing values over the bins in proportion to the known ones, or give them a bin of their own.
    nominal_features : sequence of positions, names or bools, optional
        Columns of categories; they are not discretised.
    tie_order : {"left", "weka"}, default="left"
        Order of equal scores: from left to right, or as Weka's ranker sorts them.
    target : {"auto", "classes", "numeric"}, default="auto"
        What `y` holds; by default numbers if there are fractions or more than 10 different numbers, and else classes.
        A numeric target is cut into classes of equal numbers of training cases; equal targets are of one class.
    n_target_bins : int, default=3
        The number of these classes.
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
        The number of uncorrelated features that the selected ones are worth (`effective_number_of_features`).
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Notes
    -----
    If no score passes the threshold, only the first-ranked feature is kept, with a
    `RadiodeepWarning`, so that a leave-one-out study continues and reports it.

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

    _compiled_loops = (score_columns,)

    def __init__(
        self,
        n_features_to_select=10,
        threshold=0.0,
        *,
        missing="distribute",
        nominal_features=None,
        tie_order="left",
        target="auto",
        n_target_bins=3,
        n_jobs=None,
    ):
        self.n_features_to_select = n_features_to_select
        self.threshold = threshold
        self.missing = missing
        self.nominal_features = nominal_features
        self.tie_order = tie_order
        self.target = target
        self.n_target_bins = n_target_bins
        self.n_jobs = n_jobs

    def __setstate__(self, state):
        super().__setstate__({"target": "classes", "n_target_bins": 3} | state)  # of selectors saved without them

    def _can_share(self, n_cases):
        return type(self) is SymmetricUncertainty  # a subclass may select in another way

    def _scores_of_folds(self, X, y, n_classes, rescaled):
        if rescaled and _has_nearly_equal_values(X):
            return None
        if n_classes:
            return self._scores_without_each(X, y, n_classes)
        scores = np.empty(X.shape)
        for labels, cases in _classes_of_folds(y, self.n_target_bins):
            scores[cases] = self._scores_without_each(X, labels, labels.max() + 1)[cases]
        return scores

    def _scores_without_each(self, X, labels, n_classes):
        scores = np.zeros(X.shape)
        self._for_columns(uncertainty_without, X, labels, n_classes, scores, 250)
        scores[np.bincount(labels)[labels] == 1] = np.nan  # that fold lacks a class
        return scores

    def _validated(self, X, y):
        self._check_ranking()
        require_option(self.missing, ("distribute", "separate"), self, "missing")
        require(is_count(self.n_target_bins, 2), self, "n_target_bins", "an int >= 2")
        return checked_target(self, X, y, self.target)

    def _as_classes(self, y, n_classes):
        """Return the classes (n_cases,) and their number; those of a numeric target if `n_classes` is 0."""
        if n_classes:
            return y, n_classes
        labels = equal_frequency_classes(y, self.n_target_bins)
        return labels, labels.max() + 1

    def _scores(self, X, y, n_classes):
        scores = np.zeros(X.shape[1])
        self._for_columns(score_columns, X, *self._as_classes(y, n_classes), scores, 50)
        return scores

    def _for_columns(self, loop, X, labels, n_classes, scores, steps_per_value):
        """Call a compiled loop over parts of the columns, in threads; it writes into the last axis of `scores`.

        `steps_per_value` is the cost of one value, from which the number of threads follows.
        """
        nominal = nominal_mask(self, self.nominal_features)
        is_separate = self.missing == "separate"
        logs = plogp_of_counts(len(labels))

        def score(first, last):
            columns = np.array(X[:, first:last].T, order="C")  # a copy, in which categories are numbered
            order, n_known = row_orders(X[:, first:last])
            for column in np.flatnonzero(nominal[first:last]):
                columns[column] = as_categories(columns[column])
            is_nominal, part = nominal[first:last], scores[..., first:last]
            loop(columns, labels, order, n_known, is_nominal, n_classes, is_separate, logs, part)

        n_threads = n_threads_for(self.n_jobs, X.size * steps_per_value)
        bounds = np.linspace(0, X.shape[1], 4 * n_threads + 1).astype(int)
        in_threads(score, list(itertools.pairwise(bounds)), n_threads)


def equal_frequency_classes(y, n_bins):
    """Return classes 0, 1 ... of numbers (n,) that vary, of about the same size; equal numbers are of one class."""
    bins = np.floor((rankdata(y) - 0.5) * n_bins / len(y))
    return np.unique(bins, return_inverse=True)[1]


def _classes_of_folds(y, n_bins):
    """Return (classes of all cases, left-out cases) for each way in which y is cut without a case.

    The class of a left-out case is that of the next smaller number, so that many folds have the same classes.
    """
    order = np.argsort(y, kind="stable")
    folds = {}
    for place, case in enumerate(order):
        labels = np.insert(equal_frequency_classes(np.delete(y[order], place), n_bins), place, 0)
        labels[place] = labels[max(place - 1, 0)]
        folds.setdefault(labels.tobytes(), (labels, []))[1].append(case)
    return [(labels[np.argsort(order)], cases) for labels, cases in folds.values()]


def as_categories(values):
    """Return categories (n,) as 0, 1, 2 ...; NaN stays NaN."""
    known = ~np.isnan(values)
    numbers = np.full(len(values), np.nan)
    numbers[known] = np.unique(values[known], return_inverse=True)[1]
    return numbers


def _has_nearly_equal_values(X):
    """Return whether values of a column differ so little that shifting and scaling them may make them equal."""
    ordered = np.sort(X, axis=0)
    with np.errstate(invalid="ignore"):
        gaps = np.diff(ordered, axis=0)
        return bool(((gaps > 0) & (gaps < 1e-12 * np.nanmax(np.abs(X), axis=0, initial=0.0))).any())
