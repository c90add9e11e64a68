"""A numeric table and classes in, bins out: the supervised MDL discretisation of Fayyad and Irani."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import require
from radiodeep.preparation.kernels.cut_points import mdl_cut_points, plogp_of_counts, row_orders
from radiodeep.preparation.tables import checked_table


class MDLDiscretizer(TransformerMixin, BaseEstimator):
    """Cut each feature where that tells the classes apart by more than the cut costs to describe.

    Weka's supervised `Discretize`.

    Parameters
    ----------
    candidates : {"distinct", "cases"}, default="distinct"
        What a cut costs grows with the number of places where it could be: between distinct values
        (Weka's better encoding, from which it computes symmetrical uncertainty), or between cases
        (Weka's own default, as its naive Bayes -D has it).

    Attributes
    ----------
    cut_points_ : list of ndarray
        Ascending, one array per feature; empty where no cut is worth it. A value equal to a cut
        belongs to the bin below.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    References
    ----------
    Fayyad, Irani, Multi-Interval Discretization of Continuous-Valued Attributes for Classification
    Learning, IJCAI 1993.

    Examples
    --------
    >>> from radiodeep.preparation.discretize import MDLDiscretizer
    >>> X = [[1.0], [2.0], [3.0], [4.0], [11.0], [12.0], [13.0], [14.0]]
    >>> discretizer = MDLDiscretizer().fit(X, [0, 0, 0, 0, 1, 1, 1, 1])
    >>> discretizer.cut_points_[0].tolist(), discretizer.transform([[5.0], [9.0]]).ravel().tolist()
    ([7.5], [0.0, 1.0])
    """

    def __init__(self, candidates="distinct"):
        self.candidates = candidates

    def fit(self, X, y):
        """Find the cut points; NaN is left out."""
        require(self.candidates in ("distinct", "cases"), self, "candidates", "'distinct' or 'cases'")
        X, labels, classes = checked_table(self, X, y)
        logs = plogp_of_counts(len(labels))
        order, n_known = row_orders(X)
        self.cut_points_ = [
            mdl_cut_points(
                column, labels, order[number], n_known[number], len(classes), logs, self.candidates == "distinct"
            )
            for number, column in enumerate(np.ascontiguousarray(X.T))
        ]
        return self

    def transform(self, X):
        """Return the number of each value's bin as float64; NaN stays NaN."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        bins = np.empty_like(X)
        for column, cuts in enumerate(self.cut_points_):
            bins[:, column] = np.searchsorted(cuts, X[:, column], side="left")
        bins[np.isnan(X)] = np.nan
        return bins

    def get_feature_names_out(self, input_features=None):
        """Return the names that came in."""
        check_is_fitted(self)
        named = getattr(self, "feature_names_in_", None)
        if input_features is None:
            input_features = [f"x{number}" for number in range(self.n_features_in_)] if named is None else named
        return np.asarray(input_features, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags
