"""Table -> normal scores of its columns, without missing values and columns that do not vary."""

import numpy as np
from scipy.special import ndtri
from sklearn.base import BaseEstimator


class NormalScores(BaseEstimator):
    """Replace each value by the normal quantile of its rank among the training cases.

    Missing values are replaced by the median first. Columns that do not vary among the training cases are left out;
    if none varies, the first is kept.
    """

    def fit(self, X):
        columns = np.ascontiguousarray(X.T)
        is_known = ~np.isnan(columns).all(axis=1)
        self.median_ = np.zeros(len(columns))
        self.median_[is_known] = np.nanmedian(columns[is_known], axis=1)
        columns = np.sort(np.where(np.isnan(columns), self.median_[:, np.newaxis], columns), axis=1)
        varies = columns[:, 0] < columns[:, -1]
        self.kept_ = np.flatnonzero(varies) if varies.any() else np.array([0])
        self.sorted_ = columns[self.kept_]  # (n_kept, n_cases)
        return self

    def transform(self, X):
        columns = X.T[self.kept_]
        columns = np.where(np.isnan(columns), self.median_[self.kept_, np.newaxis], columns)
        position = np.empty(columns.shape)  # the number of lower training cases and that of those not higher
        for known, values, found in zip(self.sorted_, columns, position, strict=True):
            found[:] = known.searchsorted(values) + known.searchsorted(values, side="right")
        return ndtri((position.T + 1) / (2 * self.sorted_.shape[1] + 2))
