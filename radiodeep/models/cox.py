"""Table and times to an event -> hazards relative to each other and survival: Cox's proportional hazards model."""

import warnings

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from radiodeep.checks import (
    invalid,
    is_count,
    is_flag,
    is_non_negative,
    is_number,
    is_positive,
    require,
    require_option,
    require_probability,
)
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.models.cox_path import (
    alphas_of_path,
    centred,
    coefficients_along,
    cross_validated_deviance,
    newton_maximum,
)
from radiodeep.preparation.concordance import concordances
from radiodeep.preparation.risk_sets import RiskSets
from radiodeep.preparation.survival import event_and_time
from radiodeep.preparation.tables import checked_survival_table

_LEAST_SINGULAR = 1e-10  # relative to the largest singular value; smaller ones are linear dependence
_UNBOUNDED = 1e-3  # last step of a coefficient, per standard deviation, that has no maximum
_LARGEST = 500.0  # log hazard; the survival with a larger one is 0 as well
_WIDE = 100.0  # spread of log hazards to which only coefficients without a maximum lead


class SurvivalFunction:
    """The survival of a case as a function of time, with the interface of scikit-survival's step functions.

    Attributes
    ----------
    x, y : ndarray of shape (n_times,)
        Ascending times, and the survival from each on. It is 1 before the first and constant after the last one.
    domain : tuple of float
    """

    def __init__(self, x, y):
        self.x = x
        self.y = y
        self.domain = (0.0, float(x[-1]))

    def __call__(self, times):
        """Return the survival at times of any shape."""
        return np.concatenate([[1.0], self.y])[np.searchsorted(self.x, times, side="right")]


class CoxRegression(BaseEstimator):
    """Cox's proportional hazards model, with a ridge, lasso or elastic net penalty if wanted.

    The hazard of a case with the features x is h0(t) exp(x' b). The coefficients b minimise

    -(log partial likelihood) / n_cases + alpha (l1_ratio sum abs(b) + (1 - l1_ratio) / 2 sum b^2).

    Without penalty these are the coefficients of R's ``survival::coxph``. A ridge penalty is that of its
    ``ridge(..., theta=n_cases * alpha, scale=FALSE)``. With ``ties="breslow"``, penalised coefficients are those of
    ``glmnet(family="cox")``, whose lambda is `alpha` and whose alpha is `l1_ratio`.

    Parameters
    ----------
    alpha : float >= 0 or "cv", default=0.0
        Strength of the penalty. "cv" chooses among 50 values the one of the least cross-validated deviance.
    l1_ratio : float in 0..1, default=0.0
        0 is ridge, which shrinks coefficients; 1 is the lasso, which selects features.
    ties : {"efron", "breslow"}, default="efron"
        How events at the same time are treated.
    standardize : bool, default=False
        Penalise the coefficients of features in units of their standard deviation, as glmnet does by default; this is
        not needed after a `StandardScaler`. Coefficients are always given in the units of the features.
    cv : int, splitter or list of (train, test), default=5
        Folds for ``alpha="cv"``, stratified by event if given as a number.
    max_iter : int, default=100
        Most steps of Newton's method, for each penalty.
    tol : float, default=1e-10
        The fit ends when a step would raise the log likelihood by less.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Logarithms of the hazard ratios per unit of the features.
    standard_errors_ : ndarray of shape (n_features,)
        NaN for penalised coefficients, and where a coefficient is not determined.
    mean_ : ndarray of shape (n_features,)
        Means of the training cases, to which the hazards are relative.
    log_likelihood_, null_log_likelihood_ : float
        Log partial likelihood with the coefficients and with zeros.
    event_times_, cumulative_baseline_hazard_ : ndarray of shape (n_event_times,)
        Cumulative hazard of a case with the features `mean_`, by Breslow's or Efron's estimator as chosen in `ties`.
    unique_times_ : ndarray of shape (n_times,)
        The times of all training cases, ascending.
    alpha_ : float
    alphas_, deviance_ : ndarray of shape (50,)
        With ``alpha="cv"`` only: the penalties, and the deviance per event of the cases left out.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Raises
    ------
    InputError
        A parameter is out of range, `y` holds no times to an event, or there are not more cases than features although
        `alpha` is 0.

    Warns
    -----
    RadiodeepWarning
        Some coefficients grow without bound, since the events can be told apart perfectly; features are linearly
        dependent; or the fit has not converged.

    Notes
    -----
    A feature that is constant in the training cases has the coefficient 0. Intervals and p-values hold for features
    that were not selected by the same cases.

    References
    ----------
    Cox, Regression Models and Life-Tables, J. Royal Statistical Society B 34 (1972) 187. Efron, J. American Statistical
    Association 72 (1977) 557. Simon, Friedman, Hastie, Tibshirani, Regularization Paths for Cox's Proportional Hazards
    Model via Coordinate Descent, J. Statistical Software 39 (2011) 5.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> time = rng.exponential(np.exp(-X[:, 1]))  # the hazard rises e-fold per unit of the second feature
    >>> y = rd.survival_outcomes(event=time < 2, time=np.minimum(time, 2))
    >>> model = rd.CoxRegression().fit(X, y)
    >>> model.coef_.round(1).tolist(), round(model.score(X, y), 2)
    ([0.1, 0.9, 0.0], 0.73)
    >>> model.predict_survival(X[:2], times=[0.5, 1.0]).shape
    (2, 2)
    >>> rd.CoxRegression(alpha=0.1, l1_ratio=1.0).fit(X, y).coef_.round(1).tolist()
    [0.0, 0.7, 0.0]
    """

    def __init__(self, alpha=0.0, l1_ratio=0.0, *, ties="efron", standardize=False, cv=5, max_iter=100, tol=1e-10):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.ties = ties
        self.standardize = standardize
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X, y):
        """Estimate the coefficients and the baseline hazard.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
        y : structured ndarray of shape (n_cases,)
            Event and time, as `survival_outcomes` and scikit-survival make them.
        """
        self._check_settings()
        X, event, time = checked_survival_table(self, X, y)
        risk_sets = RiskSets(event, time, self.ties)
        self.alpha_ = self._best_alpha(X, event, time) if self.alpha == "cv" else float(self.alpha)
        sorted_X = X[risk_sets.order]
        table, self.mean_, scale = centred(sorted_X, self.standardize or self.alpha_ == 0)
        self.standard_errors_ = np.full(X.shape[1], np.nan)
        if self.alpha_ == 0:
            coef = self._fit_without_penalty(risk_sets, table, scale)
        else:
            along, is_converged = coefficients_along(
                risk_sets, table, [self.alpha_], self.l1_ratio, self.max_iter, self.tol
            )
            coef = along[0]
            self._warn_unless(is_converged)
        self.coef_ = coef / scale
        eta = table @ coef
        self.null_log_likelihood_ = risk_sets.log_likelihood(np.zeros(len(X)))
        self.log_likelihood_ = risk_sets.log_likelihood(eta)
        self.event_times_, self.unique_times_ = risk_sets.event_times, np.unique(time)
        self.cumulative_baseline_hazard_ = risk_sets.baseline_hazard(eta)
        return self

    def predict(self, X):
        """Return the logarithm of the hazard of each case (n_cases,) relative to the mean of the training cases."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return (X - self.mean_) @ self.coef_

    def predict_survival(self, X, times):
        """Return the probability that no event has happened by some times, shape (n_cases, n_times).

        It is constant after the last event of the training cases, about which they say nothing.
        """
        hazard = np.exp(np.minimum(self.predict(X), _LARGEST))
        steps = np.searchsorted(self.event_times_, np.asarray(times, dtype=float), side="right")
        return np.exp(-np.outer(hazard, np.concatenate([[0.0], self.cumulative_baseline_hazard_])[steps]))

    def predict_survival_function(self, X, return_array=False):
        """Return the survival of each case at `unique_times_`, in the form of scikit-survival's estimators.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
        return_array : bool, default=False

        Returns
        -------
        ndarray of shape (n_cases,) of SurvivalFunction
            Or of shape (n_cases, n_times) if `return_array`.
        """
        survival = self.predict_survival(X, self.unique_times_)
        if return_array:
            return survival
        functions = np.empty(len(survival), dtype=object)
        functions[:] = [SurvivalFunction(self.unique_times_, row) for row in survival]
        return functions

    def score(self, X, y):
        """Return Harrell's C of the predictions."""
        event, time = event_and_time(y)
        check_consistent_length(X, event)
        return float(concordances(event, time, self.predict(X)[:, np.newaxis])[0])

    def summary(self, confidence_level=0.95):
        """Return a table of the coefficients, hazard ratios, their intervals (Wald) and p-values.

        Intervals and p-values are NaN for penalised coefficients, which are biased towards 0.

        Returns
        -------
        DataFrame
            Index: the names of the features. Columns `coefficient`, `standard_error`, `hazard_ratio`, `low`, `high`,
            `p_value`.
        """
        check_is_fitted(self)
        require_probability(confidence_level, "summary", "confidence_level")
        names = getattr(self, "feature_names_in_", [f"x{column}" for column in range(self.n_features_in_)])
        half_width = norm.isf((1 - confidence_level) / 2) * self.standard_errors_
        columns = {
            "coefficient": self.coef_,
            "standard_error": self.standard_errors_,
            "hazard_ratio": np.exp(self.coef_),
            "low": np.exp(self.coef_ - half_width),
            "high": np.exp(self.coef_ + half_width),
            "p_value": 2 * norm.sf(np.abs(self.coef_) / self.standard_errors_),
        }
        return pd.DataFrame(columns, index=pd.Index(names, name="feature"))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _check_settings(self):
        is_allowed = (isinstance(self.alpha, str) and self.alpha == "cv") or is_non_negative(self.alpha)
        require(is_allowed, self, "alpha", "a float >= 0 or 'cv'")
        require(is_number(self.l1_ratio) and 0 <= self.l1_ratio <= 1, self, "l1_ratio", "a float from 0 to 1")
        require_option(self.ties, ("efron", "breslow"), self, "ties")
        require(is_flag(self.standardize), self, "standardize", "True or False")
        require(is_count(self.max_iter, 1), self, "max_iter", "an int >= 1")
        require(is_positive(self.tol), self, "tol", "a float > 0")

    def _best_alpha(self, X, event, time):
        """Return the penalty of the least deviance of cases that are left out."""
        cv = self.cv
        if is_count(cv):
            require(
                2 <= cv <= event.sum(), self, "cv", f"a number of folds from 2 to that of the events, {event.sum()}"
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class")  # of few censored cases
            folds = list(check_cv(cv, event, classifier=True).split(X, event))
        if not all(event[train].any() for train, _ in folds):
            raise invalid(self, "cv", "folds whose training parts hold events", cv)
        risk_sets = RiskSets(event, time, self.ties)
        table, _, _ = centred(X[risk_sets.order], self.standardize)
        self.alphas_ = alphas_of_path(risk_sets, table, self.l1_ratio)
        settings = self.get_params()
        self.deviance_ = cross_validated_deviance(X, event, time, folds, self.alphas_, self.l1_ratio, settings)
        return float(self.alphas_[np.argmin(self.deviance_)])

    def _fit_without_penalty(self, risk_sets, table, scale):
        """Return the coefficients (n_features,) of a standardised table; set `standard_errors_`.

        Newton's equations are solved in the space of the rows, so that dependent columns share their coefficient.
        """
        n_cases, n_features = table.shape
        if n_features >= n_cases:
            raise InputError(
                f"CoxRegression without penalty needs more cases than features. Got {n_cases} cases and {n_features} "
                "features. Set alpha (e.g. alpha='cv'), or select features first."
            )
        left, singular, right = np.linalg.svd(table, full_matrices=False)
        kept = singular > _LEAST_SINGULAR * singular.max(initial=0.0)
        rotated, right = (left * singular)[:, kept], right[kept]
        start = np.zeros(kept.sum())
        coef, step, is_converged = newton_maximum(risk_sets, rotated, 0.0, start, self.max_iter, self.tol)
        eta = rotated @ coef
        unbounded = np.abs(step @ right) > _UNBOUNDED
        if unbounded.any() and (is_converged or np.ptp(eta) > _WIDE):
            self._warn(
                f"the coefficients of {self._names(unbounded)} grow without bound, because the features tell events "
                f"apart perfectly; the values are those at which the fit ended. Select fewer features for "
                f"{len(risk_sets.events)} events, or set alpha > 0."
            )
        else:
            self._warn_unless(is_converged)
        varies = np.isfinite(scale)
        if kept.sum() < varies.sum():
            self._warn(
                "some features are linear combinations of others, so the coefficients are not unique. Leave some out."
            )
        else:
            covariance = right.T @ np.linalg.pinv(risk_sets.information(eta, rotated), hermitian=True) @ right
            errors = np.sqrt(np.diag(covariance).clip(0.0))
            self.standard_errors_ = np.where(varies, errors / scale, np.nan)
        return coef @ right

    def _names(self, chosen):
        names = getattr(self, "feature_names_in_", [f"column {column}" for column in range(self.n_features_in_)])
        listed = [str(names[column]) for column in np.flatnonzero(chosen)]
        return ", ".join(listed[:5]) + (f" and {len(listed) - 5} others" if len(listed) > 5 else "")

    def _warn_unless(self, is_converged):
        if not is_converged:
            self._warn(f"the fit has not converged within {self.max_iter} steps. Raise max_iter or alpha.")

    def _warn(self, finding):
        warnings.warn(f"CoxRegression: {finding}", RadiodeepWarning, stacklevel=4)
