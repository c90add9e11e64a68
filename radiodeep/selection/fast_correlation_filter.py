"""Table and target -> a few features, none of which repeats a better one (FCBF)."""

import numpy as np

from radiodeep.preparation.kernels.cut_points import mdl_cut_points, plogp_of_counts, row_orders
from radiodeep.preparation.tables import nominal_mask
from radiodeep.selection.kernels.uncertainty import first_repeated
from radiodeep.selection.symmetric_uncertainty import SymmetricUncertainty, as_categories


class FastCorrelationFilter(SymmetricUncertainty):
    """Keep the features that share most information with the class, except those that repeat a better one.

    In the order of the ranking of `SymmetricUncertainty`, each feature that is kept drops all later features
    that share at least as much information with it as with the class (FCBF). Texture and deep
    features come in large families of near copies, of which one is kept.

    Parameters
    ----------
    n_features_to_select : int, float in (0, 1] or None, default=None
        At most this count or fraction is kept; None keeps all that are not redundant.
    threshold : float or None, default=0
        Only features with a larger score are candidates; with None all are.
    missing : {"distribute", "separate"}, default="distribute"
        As in `SymmetricUncertainty` for the class. Two features are compared on the cases in which both are known,
        or with missing values as a bin of their own.
    nominal_features, tie_order, target, n_target_bins, n_jobs
        As in `SymmetricUncertainty`.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        Symmetric uncertainty with the class, in 0..1.
    ranking_ : ndarray of shape (n_features,)
        1 is the best, by the score.
    redundant_with_ : int ndarray of shape (n_features,)
        The kept column that a dropped one repeats; -1 for all others.
    n_features_above_threshold_ : int
    effective_n_features_ : float
        The number of uncorrelated features that the selected ones are worth (`effective_number_of_features`).
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    References
    ----------
    Yu, Liu, Feature Selection for High-Dimensional Data: A Fast Correlation-Based Filter Solution,
    ICML 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import FastCorrelationFilter
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 30)
    >>> first, second = rng.normal(size=(2, 60)) + 2.5 * y
    >>> X = np.column_stack([first, 10 * first + 1, second, rng.normal(size=60)])
    >>> selector = FastCorrelationFilter().fit(X, y)
    >>> selector.get_support(indices=True).tolist(), selector.redundant_with_.tolist()
    ([0, 2], [-1, 0, -1, -1])
    """

    def __init__(
        self,
        n_features_to_select=None,
        threshold=0.0,
        *,
        missing="distribute",
        nominal_features=None,
        tie_order="left",
        target="auto",
        n_target_bins=3,
        n_jobs=None,
    ):
        super().__init__(
            n_features_to_select,
            threshold,
            missing=missing,
            nominal_features=nominal_features,
            tie_order=tie_order,
            target=target,
            n_target_bins=n_target_bins,
            n_jobs=n_jobs,
        )

    def _deselect(self, X, y, n_classes):
        """Drop the features that repeat a better one."""
        labels, n_classes = self._as_classes(y, n_classes)
        above = self.scores_ > (-np.inf if self.threshold is None else self.threshold)
        self.redundant_with_ = np.full(X.shape[1], -1)
        if not above.any():  # the best feature is kept, with a warning
            return
        order = np.argsort(self.ranking_)
        candidates = order[above[order]]
        bins = self._bins(X[:, candidates], labels, n_classes, nominal_mask(self, self.nominal_features)[candidates])
        repeats = first_repeated(bins, self.scores_[candidates], self._n_wanted(X.shape[1]))
        self.support_ = np.zeros(X.shape[1], dtype=bool)
        kept = candidates[repeats == -1][: self._n_wanted(X.shape[1])]
        self.support_[kept] = True
        self.redundant_with_[candidates] = np.where(repeats >= 0, candidates[repeats], -1)

    def _bins(self, X, labels, n_classes, nominal):
        """Return the bins of each column (n_features, n_cases); missing values are -1, or a separate bin."""
        logs = plogp_of_counts(len(labels))
        order, n_known = row_orders(X)
        bins = np.empty(X.T.shape, dtype=np.int64)
        for column, values in enumerate(np.ascontiguousarray(X.T)):
            known = ~np.isnan(values)
            if nominal[column]:
                bins[column, known] = as_categories(values)[known]
            else:
                cuts = mdl_cut_points(values, labels, order[column], n_known[column], n_classes, logs, True)
                bins[column] = np.searchsorted(cuts, values, side="left")
            bins[column, ~known] = bins[column, known].max(initial=-1) + 1 if self.missing == "separate" else -1
        return bins
