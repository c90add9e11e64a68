"""Any classifier -> a model of the risk of an event by a time, from cases of which some are censored before."""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, has_fit_parameter

from radiodeep.checks import is_positive, require
from radiodeep.preparation.concordance import concordances
from radiodeep.preparation.survival import event_and_time, horizon_labels

_Search = GridSearchCV.__base__  # of all searches


class HorizonClassifier(MetaEstimatorMixin, BaseEstimator):
    """A classifier as a model of the risk of an event by a horizon.

    Cases with an event by the horizon are one class, cases that are followed beyond it the other. Cases that were
    censored by the horizon are left out; the others are weighted by the inverse probability of not being censored, and
    stand for them (IPCW).

    Parameters
    ----------
    classifier : classifier or Pipeline
        With `predict_proba`. The weights are passed to its `sample_weight`, or to that of the last step. If there is
        none, cases are repeated: one of the weight 1.4 is taken once or twice.
    horizon : float > 0
        In the unit of the times.
    random_state : int, optional
        Which cases are taken once more, if the classifier takes no weights.

    Attributes
    ----------
    classifier_ : fitted classifier
    classes_ : ndarray of shape (2,)
        False and True: free of the event, and with the event, at the horizon.
    n_cases_ : int
        Number of cases whose class is known.

    Raises
    ------
    InputError
        A parameter is out of range, or `y` holds no times to an event.
    SingleClassError
        No case has an event by the horizon, or none is followed beyond it.

    Notes
    -----
    The weights assume that the censoring does not depend on the features. A search inside the classifier does not
    weight the cases by which it compares settings.

    References
    ----------
    Vock et al., Adapting machine learning techniques to censored time-to-event health record data, J. Biomedical
    Informatics 61 (2016) 119.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> time, end = rng.exponential(np.exp(-X[:, 0])), rng.uniform(0, 3, size=300)
    >>> y = rd.survival_outcomes(event=time <= end, time=np.minimum(time, end))
    >>> model = rd.HorizonClassifier(LogisticRegression(), horizon=1.0).fit(X, y)
    >>> model.n_cases_, model.predict([[-2, 0], [0, 0], [2, 0]]).round(1).tolist()
    (241, [0.1, 0.7, 1.0])
    """

    def __init__(self, classifier, horizon, random_state=0):
        self.classifier = classifier
        self.horizon = horizon
        self.random_state = random_state

    def fit(self, X, y):
        """Fit the classifier to the cases whose class at the horizon is known.

        Parameters
        ----------
        X : as the classifier takes it
        y : structured ndarray of shape (n_cases,)
            Event and time, as `survival_outcomes` and scikit-survival make them.
        """
        require(is_positive(self.horizon), self, "horizon", "a number > 0")
        has_probabilities = hasattr(self.classifier, "predict_proba")
        require(has_probabilities, self, "classifier", "a classifier with predict_proba")
        check_consistent_length(X, y)
        is_event, weight = horizon_labels(y, self.horizon)
        chosen = np.flatnonzero(weight)
        self.n_cases_ = len(chosen)
        parameter = _weight_parameter(self.classifier)
        further = {}
        if parameter is not None:
            further = {parameter: weight[chosen]}
        else:
            chosen = _repeated(chosen, weight[chosen], self.random_state)
            if has_fit_parameter(self.classifier, "groups") and isinstance(X, np.ndarray):
                further = {"groups": chosen}  # lesions that are repeated are of one patient
        self.classifier_ = clone(self.classifier).fit(_safe_indexing(X, chosen), is_event[chosen], **further)
        self.classes_ = np.array([False, True])
        return self

    def predict_proba(self, X):
        """Return the probabilities (n_cases, 2) of being free of the event at the horizon, and of having it by then."""
        check_is_fitted(self)
        return self.classifier_.predict_proba(X)

    def predict(self, X):
        """Return the risk (n_cases,): the probability of the event by the horizon."""
        return self.predict_proba(X)[:, 1]

    def predict_survival(self, X, times):
        """Return the probability of no event by some times, shape (n_cases, n_times); NaN if not at the horizon."""
        at_horizon = np.asarray(times, dtype=float) == self.horizon
        return np.where(at_horizon, 1 - self.predict(X)[:, np.newaxis], np.nan)

    def score(self, X, y):
        """Return Harrell's C of the risks."""
        event, time = event_and_time(y)
        check_consistent_length(X, event)
        return float(concordances(event, time, self.predict(X)[:, np.newaxis])[0])

    @property
    def n_features_in_(self):
        """Number of columns, if the classifier takes tables."""
        return self.classifier_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns (n_features,), if the classifier was given a table with names."""
        return self.classifier_.feature_names_in_


def _weight_parameter(estimator):
    """Return the name by which `fit` takes the weights of the cases, or None; samplers would change the cases."""
    if isinstance(estimator, _Search):
        return _weight_parameter(estimator.estimator)
    if not isinstance(estimator, Pipeline):
        return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None
    if any(hasattr(step, "fit_resample") for _, step in estimator.steps):
        return None
    name, last = estimator.steps[-1]
    inside = _weight_parameter(last)
    return None if inside is None else f"{name}__{inside}"


def _repeated(chosen, weight, random_state):
    """Return positions, each as often as its weight >= 1 rounded up or down, so that the sum of the weights is kept.

    This is systematic sampling: whole numbers, shifted at random, are laid on the line of the cumulated weights.
    """
    shift = check_random_state(random_state).uniform()
    return np.repeat(chosen, np.diff(np.floor(np.cumsum(weight) + shift), prepend=np.floor(shift)).astype(int))
