"""Table and times to an event -> hazards by the best of several models, or by their mean, and survival."""

import numpy as np
from sklearn.utils.validation import check_consistent_length

from radiodeep.models.auto.candidates import MODELS_OF_SURVIVAL, survival_models
from radiodeep.models.auto.estimator import LEAST_SLOPE, AutoEstimator
from radiodeep.models.cox import CoxRegression
from radiodeep.preparation.concordance import concordances
from radiodeep.preparation.risk_sets import RiskSets
from radiodeep.preparation.survival import event_and_time, survival_outcomes
from radiodeep.preparation.tables import checked_survival_table

_RIDGE = 1e-3  # of the calibrations, which events that are told apart perfectly would make infinite


class AutoSurvival(AutoEstimator):
    """Model of survival from tables that chooses among a fixed list of candidates, or takes their mean.

    As `AutoClassifier` for times to an event. The candidates are Cox regression with a ridge penalty, Cox regression of
    the ten best features, and the lasso, a support vector machine with radial kernel, a random forest and extra trees
    of the martingale residuals of a model without features. Cox regressions on the outputs for the cases left out
    calibrate them and give the survival. The loss is 1 - C, the fraction of wrong pairs.

    Parameters
    ----------
    candidates : list of str, optional
        Names of `scores_` to choose from; all by default.
    n_trees : int, default=200
        Trees of each forest, over all folds. 0 leaves the forests out.
    cv : int, splitter or list of (train, test), default=5
        Inner folds, stratified by event. In a study, cases of a patient stay together.
    random_state : int, RandomState or None, default=0
    n_jobs : int, optional
        Processes, at most one per fold; the result does not depend on their number.

    Attributes
    ----------
    chosen_ : str
        "mean" or the name of a candidate.
    scores_ : DataFrame
        For the mean and each candidate: loss and Harrell's C of the cases left out, and by how much the loss is lower
        than that of the mean.
    cox_ : CoxRegression
        Of the log hazards of the cases left out.
    models_, standards_, calibrations_, n_features_in_, feature_names_in_
        As in `AutoClassifier`.

    Raises
    ------
    InputError
        A parameter is out of range, or y holds no times to an event.

    References
    ----------
    Therneau, Grambsch, Fleming, Martingale-based residuals for survival models, Biometrika 77 (1990) 147.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(80, 10))
    >>> time = rng.exponential(np.exp(-X[:, 0]))
    >>> y = rd.survival_outcomes(event=time < 2, time=np.minimum(time, 2))
    >>> model = rd.AutoSurvival(n_trees=20).fit(X, y)
    >>> model.predict_survival([[2] * 10, [-2] * 10], times=[1.0]).round(1).tolist()
    [[0.0], [0.9]]
    """

    _all_candidates = staticmethod(survival_models)
    _loss_name, _measure_name = "1 - C", "C"

    def fit(self, X, y, groups=None):
        """Fit the candidates and choose.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
            NaN for missing values.
        y : structured ndarray of shape (n_cases,)
            Event and time, as `survival_outcomes` and scikit-survival make them.
        groups : array-like of shape (n_cases,), optional
            Patients, whose cases stay together in the inner folds.
        """
        X, event, time = checked_survival_table(self, X, y, allows_nan=True)
        check_consistent_length(X, groups)
        return self._fit(X, survival_outcomes(event, time), event, groups)

    def predict(self, X):
        """Return the logarithm of the hazard of each case (n_cases,) relative to the mean of the training cases."""
        predicted = self._predicted(X)
        return self.cox_.predict(predicted)

    def predict_survival(self, X, times):
        """Return the probability that no event has happened by some times, shape (n_cases, n_times)."""
        predicted = self._predicted(X)
        return self.cox_.predict_survival(predicted, times)

    def predict_survival_function(self, X, return_array=False):
        """Return the survival of each case at `cox_.unique_times_`; see `CoxRegression.predict_survival_function`."""
        predicted = self._predicted(X)
        return self.cox_.predict_survival_function(predicted, return_array)

    def score(self, X, y):
        """Return Harrell's C of the predictions."""
        event, time = event_and_time(y)
        check_consistent_length(X, event)
        return float(concordances(event, time, self.predict(X)[:, np.newaxis])[0])

    def _fit_candidate(self, name, model, X, y):
        if name in MODELS_OF_SURVIVAL:
            return model.fit(X, y)
        event, time = event_and_time(y)
        risk_sets = RiskSets(event, time, "efron")
        residuals = np.empty(len(y))
        residuals[risk_sets.order] = risk_sets.residuals(np.zeros(len(y)))
        return model.fit(X, residuals / (residuals.std() or 1.0))

    def _outputs(self, model, X):
        return model.predict(X)[:, np.newaxis]

    def _calibration(self, outputs, y):
        slope = CoxRegression(alpha=_RIDGE).fit(outputs, y).coef_[0]
        return max(slope, LEAST_SLOPE), np.zeros(1)

    def _choose(self, outputs, y, is_resubstituted):
        predicted = super()._choose(outputs, y, is_resubstituted)
        self.cox_ = CoxRegression(alpha=_RIDGE).fit(predicted, y)
        return predicted

    def _losses(self, predicted, y):
        event, time = event_and_time(y)
        is_earlier = (time[:, np.newaxis] < time) | ((time[:, np.newaxis] == time) & ~event)
        is_pair = event[:, np.newaxis] & is_earlier
        wrong = is_pair * (0.5 - 0.5 * np.sign(predicted - predicted.T))
        of_case = (wrong.sum(axis=0) + wrong.sum(axis=1)) * len(y) / (2 * is_pair.sum())
        return 2 * of_case - of_case.mean()  # a pair is of two cases, so a case moves the mean by twice its own part

    def _measure(self, predicted, y):
        return concordances(*event_and_time(y), predicted)[0]
