"""A numeric table and classes -> bins: the supervised MDL discretisation of Fayyad and Irani."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import require_option
from radiodeep.preparation.kernels.cut_points import mdl_cut_points, plogp_of_counts, row_orders
from radiodeep.preparation.tables import checked_table


class MDLDiscretizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Cut each feature where a cut separates the classes by more than the cut costs to describe.

    This is Weka's supervised `Discretize`.

    Parameters
    ----------
    candidates : {"distinct", "cases"}, default="distinct"
        The cost of a cut grows with the number of places where it could be: between distinct values
        (Weka's better encoding, from which it computes symmetrical uncertainty), or between cases
        (Weka's default, also in its naive Bayes -D).

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
        require_option(self.candidates, ("distinct", "cases"), self, "candidates")
        X, labels, n_classes = checked_table(self, X, y)
        logs = plogp_of_counts(len(labels))
        is_distinct = self.candidates == "distinct"
        self.cut_points_ = [
            mdl_cut_points(column, labels, order, n_known, n_classes, logs, is_distinct)
            for column, order, n_known in zip(np.ascontiguousarray(X.T), *row_orders(X), strict=True)
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags
