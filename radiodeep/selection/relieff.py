"""Table and classes in, a quality per feature out: ReliefF, which sees interactions that single-feature scores miss."""

import numpy as np

from radiodeep.selection import relief_kernels as kernels
from radiodeep.selection.inputs import checked_table, is_count, is_number, nominal_mask, require
from radiodeep.selection.ranking import RankedSelector

_SMALLEST_RANGE = 1e-6  # absolute, as in Weka: a narrower feature counts as constant


class ReliefF(RankedSelector):
    """Keep the features that tell near cases of different classes apart.

    Scores are those of Weka's ReliefFAttributeEval to the last digit: differences of range-scaled
    features, the nearest `n_neighbors` of each class, misses weighted by the classes' frequencies.

    Parameters
    ----------
    n_features_to_select : int, float in (0, 1] or None, default=10
        Count or fraction of features to keep; None keeps all that pass `threshold`.
    n_neighbors : int, default=10
        Hits, and misses of each other class, for every case; fewer where a class is smaller.
    threshold : float, optional
        Keep only scores above it; 0 drops what looks like noise.
    weight_by_distance : bool, default=False
        Near neighbours count more: exp(-(rank / sigma)^2).
    sigma : int, default=2
        For `weight_by_distance`.
    nominal_features : sequence of positions, names or bools, optional
        Columns of categories, equal or different. Nothing is guessed from few distinct values.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        In -1..1; about 0 for noise.
    ranking_ : ndarray of shape (n_features,)
        1 is the best; of equal scores the column further left goes first.
    n_features_above_threshold_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Raises
    ------
    InputError
        For a setting out of range or a continuous target.
    SingleClassError
        The training cases are of one class.

    Notes
    -----
    NaN is a missing value: its difference is as large as it can be. A feature whose range is below
    1e-6 counts as constant. Asking for more features than there are keeps all. If no score passes
    the threshold, the best feature alone is kept with a `RadiodeepWarning`.

    References
    ----------
    Kononenko, Estimating Attributes: Analysis and Extensions of RELIEF, ECML 1994. Robnik-Sikonja,
    Kononenko, Theoretical and Empirical Analysis of ReliefF and RReliefF, Machine Learning 53 (2003) 23.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import ReliefF
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> y = X[:, 1] * X[:, 3] > 0  # neither column says anything alone
    >>> sorted(ReliefF(n_features_to_select=2).fit(X, y).get_support(indices=True).tolist())
    [1, 3]
    >>> ReliefF(n_neighbors=0).fit(X, y)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'n_neighbors' parameter of ReliefF must be an int >= 1. Got 0 instead.
    """

    def __init__(
        self,
        n_features_to_select=10,
        n_neighbors=10,
        threshold=None,
        weight_by_distance=False,
        sigma=2,
        nominal_features=None,
    ):
        self.n_features_to_select = n_features_to_select
        self.n_neighbors = n_neighbors
        self.threshold = threshold
        self.weight_by_distance = weight_by_distance
        self.sigma = sigma
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
        require(is_count(self.n_neighbors, 1), self, "n_neighbors", "an int >= 1")
        require(is_number(self.sigma) and self.sigma > 0, self, "sigma", "a number > 0")
        X, labels, classes = checked_table(self, X, y)
        nominal = nominal_mask(self, self.nominal_features)
        table = _scaled(X, nominal)
        self._keep_best(self._scores(table, labels, len(classes), nominal))
        return self

    def _scores(self, table, labels, n_classes, nominal):
        n_cases, n_features = table.shape
        runs, missing_nominal = _kinds(table, nominal)
        row_cases = np.arange(n_cases)
        near = _nearest(table, labels, n_classes, min(self.n_neighbors, n_cases), runs, missing_nominal)
        influence = np.ones(near[0].shape[2])
        if self.weight_by_distance:
            kernels.sort_by_distance(near)
            influence = np.exp(-((np.arange(len(influence)) / self.sigma) ** 2))
        scores = np.zeros(n_features)
        kernels.add_neighbours(
            table,
            labels,
            row_cases,
            near,
            influence,
            _class_weights(labels, n_classes),
            runs,
            missing_nominal,
            0,
            n_features,
            scores,
        )
        return scores / n_cases


def _scaled(X, nominal):
    """Scale numeric columns to 0..1 over their known values; a column of almost no range becomes 0."""
    known = np.isfinite(X)
    low = np.min(X, axis=0, where=known, initial=np.inf)
    span = np.max(X, axis=0, where=known, initial=-np.inf) - low
    flat = ~(span >= _SMALLEST_RANGE) & ~nominal
    with np.errstate(invalid="ignore", divide="ignore"):
        table = (X - low) / span
    table[:, flat] = np.where(known[:, flat], 0.0, np.nan)
    table[:, nominal] = X[:, nominal]
    return np.ascontiguousarray(table)


def _kinds(table, nominal):
    """Return runs of columns of one kind (n_runs, 3), and the difference of a missing category."""
    kinds = np.where(np.isnan(table).any(axis=0), kernels.WITH_MISSING, kernels.PLAIN)
    kinds[nominal] = kernels.NOMINAL
    starts = np.flatnonzero(np.r_[True, kinds[1:] != kinds[:-1]])
    runs = np.column_stack([starts, np.r_[starts[1:], len(kinds)], kinds[starts]]).astype(np.int64)
    missing = np.zeros(table.shape[1])
    for column in np.flatnonzero(nominal):
        values = np.unique(table[:, column][~np.isnan(table[:, column])])
        missing[column] = 1 - 1 / max(len(values), 1)
    return runs, missing


def _nearest(table, labels, n_classes, n_neighbors, runs, missing_nominal):
    """Return the buffers of the nearest cases: distances, cases, counts and worst slots by (case, class)."""
    n_cases = len(table)
    packed = kernels.pack(table)
    near = (
        np.full((n_cases, n_classes, n_neighbors), np.inf),
        np.zeros((n_cases, n_classes, n_neighbors), dtype=np.int64),
        np.zeros((n_cases, n_classes), dtype=np.int64),
        np.zeros((n_cases, n_classes), dtype=np.int64),
    )
    strip = np.empty((len(packed), kernels.LANES, kernels.LANES))
    row_cases = np.arange(n_cases)
    for block in range(len(packed)):
        kernels.measure_strip(
            packed[block], packed, block, len(packed), labels, runs, missing_nominal, strip, block, near
        )
        kernels.search_strip(strip, block, block * kernels.LANES, row_cases, labels, near)
    return near


def _class_weights(labels, n_classes):
    prior = np.bincount(labels, minlength=n_classes) / len(labels)
    weights = np.ones((n_classes, n_classes)) if n_classes == 2 else prior[np.newaxis] / (1 - prior[:, np.newaxis])
    np.fill_diagonal(weights, -1.0)
    return weights
