"""Table and classes in, a score per feature out: the information that it shares with the class."""

import itertools

import numpy as np

from radiodeep.checks import checked_table, nominal_mask, require
from radiodeep.preparation.discretize import bin_of, compiled, mdl_cut_points, orders, plogp_of_counts
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
        with self._told_if_compiling(_score_columns):
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
            order, n_known = orders(X[:, first:last])
            for column in np.flatnonzero(nominal[first:last]):
                columns[column] = as_categories(columns[column])
            how = (n_classes, separate, logs)
            _score_columns(columns, labels, order, n_known, nominal[first:last], *how, scores[first:last])

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


@compiled
def _score_columns(columns, labels, order, n_known, nominal, n_classes, separate, logs, scores):
    """Set scores (p,) to the symmetric uncertainty of columns (p, n) with labels (n,)."""
    for column in range(len(columns)):
        values, known = columns[column], n_known[column]
        if nominal[column]:
            cuts = cuts_of_categories(values)
        else:
            cuts = mdl_cut_points(values, labels, order[column], known, n_classes, logs, True)
        if known == 0 or (len(cuts) == 0 and not (separate and known < len(values))):
            scores[column] = 0.0
            continue
        table = counts_by_bin(values, labels, cuts, n_classes)
        scores[column] = uncertainty_of_counts(table, known, separate)


@compiled
def cuts_of_categories(values):
    """Return the cuts that part the categories 0, 1, 2 ... of a column."""
    highest = -1.0
    for value in values:
        if value > highest:
            highest = value
    cuts = np.empty(max(int(highest), 0))
    for cut in range(len(cuts)):
        cuts[cut] = cut + 0.5
    return cuts


@compiled
def counts_by_bin(values, labels, cuts, n_classes):
    """Return how many rows of each class lie in each bin (n_cuts + 2, n_classes); the last is of missing values."""
    table = np.zeros((len(cuts) + 2, n_classes))
    for row in range(len(values)):
        if np.isnan(values[row]):
            table[len(cuts) + 1, labels[row]] += 1
        else:
            table[bin_of(values[row], cuts), labels[row]] += 1
    return table


@compiled
def uncertainty_of_counts(table, n_known, separate):
    """Return SU of a table of counts (n_bins + 1, n_classes) whose last row is of missing values.

    Those are spread over the bins in proportion to what is known there, or are a bin of their own.
    """
    n_bins, n_classes = table.shape[0] - 1, table.shape[1]
    n_used = n_bins + 1 if separate else n_bins
    for b in range(0 if separate else n_bins):
        in_bin = 0.0
        for c in range(n_classes):
            in_bin += table[b, c]
        for c in range(n_classes):
            table[b, c] += in_bin / n_known * table[n_bins, c]
    total, of_class, of_bin, of_both = 0.0, 0.0, 0.0, 0.0
    for c in range(n_classes):
        in_class = 0.0
        for b in range(n_used):
            in_class += table[b, c]
        total += in_class
        of_class += plogp(in_class)
    for b in range(n_used):
        in_bin = 0.0
        for c in range(n_classes):
            in_bin += table[b, c]
            of_both += plogp(table[b, c])
        of_bin += plogp(in_bin)
    whole = plogp(total)
    if abs(whole - of_class) < 1e-6 or abs(whole - of_bin) < 1e-6:
        return 0.0
    gain = (whole - of_class) - (of_bin - of_both)
    return 2 * gain / ((whole - of_class) + (whole - of_bin))


@compiled
def plogp(count):
    """Return n ln(n) of a count or share of one; 0 for nothing."""
    return 0.0 if count < 1e-6 else count * np.log(count)
