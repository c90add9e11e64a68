"""Size of a table and a seed -> the candidates for each kind of outcome, by name.

All are fitted to normal scores. Their settings follow from the size of the table and are not searched.
"""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.svm import SVC, SVR

from radiodeep.models.cox import CoxRegression
from radiodeep.selection.fast_correlation_filter import FastCorrelationFilter
from radiodeep.selection.relieff import ReliefF
from radiodeep.selection.survival import UnivariateCox
from radiodeep.selection.symmetric_uncertainty import SymmetricUncertainty

FORESTS = ("random forest", "extra trees")
MODELS_OF_SURVIVAL = ("ridge cox", "univariate cox + cox")  # the other candidates take martingale residuals

_SIGNAL = 2.0  # a priori variance, by all features, of log-odds and log hazards, and of numbers relative to their noise
_LASSO = 0.4  # penalty relative to the least one that makes all coefficients 0
_N_SELECTED = 10
_LEAST_LEAF = 3  # cases


class RidgeLogistic(BaseEstimator):
    """Logistic regression with a ridge penalty, fitted in the space of the cases."""

    def __init__(self, C):
        self.C = C

    def fit(self, X, y):
        left, singular, self.axes_ = np.linalg.svd(X, full_matrices=False)
        solver = "newton-cholesky" if len(np.unique(y)) == 2 else "lbfgs"  # the first is slow with many coefficients
        self.model_ = LogisticRegression(C=self.C, solver=solver, max_iter=1000).fit(left * singular, y)
        self.classes_ = self.model_.classes_
        return self

    def decision_function(self, X):
        return self.model_.decision_function(X @ self.axes_.T)


class RelativeLasso(BaseEstimator):
    """Least squares with a lasso penalty that is relative to the least one that makes all coefficients 0."""

    def fit(self, X, y):
        largest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(X)
        self.model_ = Lasso(alpha=max(_LASSO * largest, 1e-12), max_iter=10_000, tol=1e-3).fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)


class LassoOfClasses(BaseEstimator):
    """A lasso of the indicator of each class; of the second one if there are two."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        labels = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        self.models_ = [RelativeLasso().fit(X, (y == label).astype(float)) for label in labels]
        return self

    def decision_function(self, X):
        return np.column_stack([model.predict(X) for model in self.models_])


class Selected(BaseEstimator):
    """A model of the features that a selector keeps: a pipeline without checks of its input."""

    def __init__(self, selector, model):
        self.selector = selector
        self.model = model

    def fit(self, X, y):
        self.selected_ = self.selector.fit(X, y).get_support(indices=True)
        self.model.fit(X[:, self.selected_], y)
        return self

    def predict(self, X):
        return self.model.predict(X[:, self.selected_])

    @property
    def classes_(self):
        return self.model.classes_


class NaiveBayes(BaseEstimator):
    """Gaussian naive Bayes, as scikit-learn's but without checks of its input."""

    def fit(self, X, y):
        self.classes_, count = np.unique(y, return_counts=True)
        parts = [X[y == label] for label in self.classes_]
        self.log_frequency_ = np.log(count / len(y))
        self.mean_ = np.array([part.mean(axis=0) for part in parts])
        least = 1e-9 * (X.var(axis=0).max() or 1.0)  # the variance is 0 if no column varies
        self.variance_ = np.array([part.var(axis=0) for part in parts]) + least
        return self

    def predict(self, X):
        """Return the logarithm of the joint probability with each class, (n_rows, n_classes)."""
        squares = (X[:, np.newaxis] - self.mean_) ** 2 / self.variance_
        return self.log_frequency_ - 0.5 * (squares + np.log(2 * np.pi * self.variance_)).sum(axis=2)


def classifiers(n_cases, n_features, n_trees, seed):
    """Return the candidates for classes; forests have `n_trees` each."""
    forest = {"n_estimators": n_trees, "min_samples_leaf": _LEAST_LEAF, "random_state": seed}
    return {
        "ridge logistic": RidgeLogistic(_SIGNAL / n_features),
        "lasso": LassoOfClasses(),
        "svm": SVC(),
        "relieff + naive bayes": Selected(ReliefF(_N_SELECTED, target="classes"), NaiveBayes()),
        "symmetric uncertainty + naive bayes": Selected(
            SymmetricUncertainty(_N_SELECTED, threshold=None, target="classes"), NaiveBayes()
        ),
        "fast correlation filter + naive bayes": Selected(
            FastCorrelationFilter(_N_SELECTED, target="classes"), NaiveBayes()
        ),
        "random forest": RandomForestClassifier(**forest),
        "extra trees": ExtraTreesClassifier(**forest),
    }


def regressors(n_cases, n_features, n_trees, seed):
    """Return the candidates for numbers of variance 1."""
    forest = {"n_estimators": n_trees, "min_samples_leaf": _LEAST_LEAF, "max_features": 1 / 3, "random_state": seed}
    return {
        "ridge": Ridge(alpha=n_features / _SIGNAL),
        "lasso": RelativeLasso(),
        "svm": SVR(),
        "relieff + ridge": Selected(ReliefF(_N_SELECTED, target="numeric"), Ridge()),
        "random forest": RandomForestRegressor(**forest),
        "extra trees": ExtraTreesRegressor(**forest),
    }


def survival_models(n_cases, n_features, n_trees, seed):
    """Return the candidates for times to an event; some are regressors, for the martingale residuals."""
    of_residuals = regressors(n_cases, n_features, n_trees, seed)
    return {
        "ridge cox": CoxRegression(alpha=n_features / (_SIGNAL * n_cases)),
        "univariate cox + cox": Selected(UnivariateCox(_N_SELECTED), CoxRegression(alpha=0.1)),
        **{name: of_residuals[name] for name in ("lasso", "svm", "random forest", "extra trees")},
    }
