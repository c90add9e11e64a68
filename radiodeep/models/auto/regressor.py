"""Table and numbers -> predictions by the best of several regressors, or by their mean."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_consistent_length

from radiodeep.models.auto.candidates import regressors
from radiodeep.models.auto.estimator import LEAST_SLOPE, AutoEstimator
from radiodeep.preparation.tables import checked_numeric_table


class AutoRegressor(RegressorMixin, AutoEstimator):
    """Regressor of tables that chooses among a fixed list of candidates, or takes their mean.

    As `AutoClassifier` for numbers. The candidates are ridge regression, the lasso, a support vector machine with
    radial kernel, ReliefF with ridge regression, a random forest and extra trees; the loss is the squared error,
    relative to the variance of y.

    Parameters
    ----------
    candidates : list of str, optional
        Names of `scores_` to choose from; all by default.
    n_trees : int, default=200
        Trees of each forest, over all folds. 0 leaves the forests out.
    cv : int, splitter or list of (train, test), default=5
        Inner folds. In a study, cases of a patient stay together.
    random_state : int, RandomState or None, default=0
    n_jobs : int, optional
        Processes, at most one per fold; the result does not depend on their number.

    Attributes
    ----------
    chosen_ : str
        "mean" or the name of a candidate.
    scores_ : DataFrame
        For the mean and each candidate: squared error and R2 of the cases left out, and by how much the error is lower
        than that of the mean.
    models_, standards_, calibrations_, n_features_in_, feature_names_in_
        As in `AutoClassifier`.

    Raises
    ------
    InputError
        A parameter is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import AutoRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 20))
    >>> model = AutoRegressor(n_trees=20).fit(X, 5 + X[:, 0] + X[:, 1])
    >>> model.chosen_, model.predict([[2] * 20, [-2] * 20]).round().tolist()
    ('relieff + ridge', [10.0, 1.0])
    """

    _all_candidates = staticmethod(regressors)
    _loss_name, _measure_name = "squared error", "R2"

    def fit(self, X, y, groups=None):
        """Fit the candidates and choose.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
            NaN for missing values.
        y : array-like of shape (n_cases,)
        groups : array-like of shape (n_cases,), optional
            Patients, whose cases stay together in the inner folds.
        """
        X, y = checked_numeric_table(self, X, y)
        check_consistent_length(X, groups)
        self.mean_, self.scale_ = y.mean(), y.std() or 1.0
        return self._fit(X, (y - self.mean_) / self.scale_, None, groups)

    def predict(self, X):
        """Return the number predicted for each case, (n_cases,)."""
        return self._predicted(X)[:, 0] * self.scale_ + self.mean_

    def _outputs(self, model, X):
        return model.predict(X)[:, np.newaxis]

    def _calibration(self, outputs, y):
        """Return the line of least squares, unless it falls."""
        centred = outputs[:, 0] - outputs.mean()
        slope = max(centred @ y / max(centred @ centred, 1e-12), LEAST_SLOPE)
        return slope, np.array([y.mean() - slope * outputs.mean()])

    def _losses(self, predicted, y):
        return (predicted[:, 0] - y) ** 2

    def _measure(self, predicted, y):
        return 1 - self._losses(predicted, y).mean() / (y.var() or 1.0)
