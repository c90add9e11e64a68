"""Table and classes -> calibrated probabilities by the best of several classifiers, or by their mean."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_consistent_length

from radiodeep.models.auto.candidates import classifiers
from radiodeep.models.auto.estimator import LEAST_SLOPE, AutoEstimator
from radiodeep.preparation.concordance import concordances
from radiodeep.preparation.tables import checked_table

_LEAST_PROBABILITY = 1e-3  # of forests
_RIDGE = 1e-3  # of the intercepts, which are determined up to a constant


class AutoClassifier(ClassifierMixin, AutoEstimator):
    """Classifier of tables that chooses among a fixed list of candidates, or takes their mean.

    Missing values are replaced by the median, constant columns left out, and values replaced by the normal quantiles of
    their ranks, all in the training part of each inner fold. The candidates are ridge logistic regression, the lasso, a
    support vector machine with radial kernel, ReliefF, symmetric uncertainty and the fast correlation filter with naive
    Bayes, a random forest and extra trees. Their settings are fixed. The outputs for the parts left out are
    standardised, averaged with equal weights and calibrated. A single candidate is chosen only if its log loss is lower
    than that of the mean by more than two standard errors, because with 50 to 100 cases the best of several is mostly
    so by chance.

    Parameters
    ----------
    candidates : list of str, optional
        Names of `scores_` to choose from; all by default.
    n_trees : int, default=200
        Trees of each forest, over all folds. 0 leaves the forests out.
    cv : int, splitter or list of (train, test), default=5
        Inner folds; fewer if a class has fewer cases (patients, if groups are given). In a study, cases of a patient
        stay together.
    random_state : int, RandomState or None, default=0
    n_jobs : int, optional
        Processes, at most one per fold; the result does not depend on their number.

    Attributes
    ----------
    chosen_ : str
        "mean" or the name of a candidate.
    scores_ : DataFrame
        For the mean and each candidate: the log loss and AUC (of several classes the mean, each against the others)
        of the cases left out, and by how much the loss is lower than that of the mean. All are calibrated on these
        cases, so the values are a little too good.
    classes_ : ndarray of shape (n_classes,)
    centre_, spread_ : ndarray of shape (n_classes,)
        Of the log-odds of the cases left out, for `ranking_scores`; the centre is the mean of the means of the classes.
    models_ : list of (NormalScores, dict of fitted candidates)
        One for each fold; predictions are means over the folds.
    standards_, limits_, calibrations_ : dict
        Mean and spread of the outputs of each candidate for the cases left out; their least and largest, beyond which
        probabilities do not go; slope and intercepts that follow.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Raises
    ------
    InputError
        A parameter is out of range, or y is continuous.
    SingleClassError
        The training cases are of one class.

    References
    ----------
    Platt, Probabilistic outputs for support vector machines, Advances in Large Margin Classifiers (1999). Breiman,
    Stacked regressions, Machine Learning 24 (1996) 49.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import AutoClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 20))
    >>> y = X[:, 0] + X[:, 1] + rng.normal(size=60) > 0
    >>> model = AutoClassifier(n_trees=20).fit(X, y)
    >>> model.chosen_, model.scores_.shape
    ('lasso', (9, 4))
    >>> model.predict_proba([[2] * 20, [-2] * 20]).argmax(axis=1).tolist()
    [1, 0]
    """

    _all_candidates = staticmethod(classifiers)
    _loss_name, _measure_name = "log loss", "AUC"

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
        X, labels, _ = checked_table(self, X, y)
        self.classes_ = np.unique(np.asarray(y))
        check_consistent_length(X, groups)
        return self._fit(X, labels, labels, groups)

    def ranking_scores(self, X):
        """Return scores by which cases of different models can be compared; studies rank the cases by them.

        They are log-odds less those of the centre of the training cases, over their spread, so that they depend neither
        on the frequencies of the classes nor on how strong the evidence of the training cases is. For two classes they
        are those of the second one, (n_cases,), for several those of each against the others, (n_cases, n_classes).
        """
        scores = (_log_odds(self._predicted(X)) - self.centre_) / self.spread_
        return scores[:, 1] if len(self.classes_) == 2 else scores

    def predict_proba(self, X):
        """Return the probability of each class, shape (n_cases, n_classes)."""
        return softmax(self._predicted(X, is_limited=True), axis=1)

    def predict(self, X):
        """Return the most probable class of each case."""
        probabilities = self._predicted(X, is_limited=True)  # an error before `fit`
        return self.classes_[probabilities.argmax(axis=1)]

    def _outputs(self, model, X):
        """Return scores like logarithms of probabilities; of classes that the fold did not hold they are the lowest."""
        if hasattr(model, "decision_function"):
            scores = model.decision_function(X).reshape(len(X), -1)
        elif hasattr(model, "predict_proba"):
            scores = np.log(np.maximum(model.predict_proba(X), _LEAST_PROBABILITY))
        else:
            scores = model.predict(X)
        if scores.shape[1] == 1:
            scores = np.hstack([-scores, scores]) / 2
        outputs = np.repeat(scores.min(axis=1, keepdims=True), len(self.classes_), axis=1)
        outputs[:, model.classes_] = scores
        return outputs - outputs.mean(axis=1, keepdims=True)

    def _calibration(self, outputs, y):
        """Return the slope and intercepts of least log loss, with Platt's smoothed targets."""
        n_classes = outputs.shape[1]
        unsure = 1 / (np.bincount(y, minlength=n_classes) + 2)[y]
        targets = np.repeat((unsure / (n_classes - 1))[:, np.newaxis], n_classes, axis=1)
        targets[np.arange(len(y)), y] = 1 - unsure

        def loss(parameters):
            slope, intercepts = parameters[0], parameters[1:]
            log_probabilities = log_softmax(slope * outputs + intercepts, axis=1)
            excess = np.exp(log_probabilities) - targets
            gradient = [(excess * outputs).sum(), *(excess.sum(axis=0) + 2 * _RIDGE * intercepts)]
            return -(targets * log_probabilities).sum() + _RIDGE * (intercepts**2).sum(), np.array(gradient)

        bounds = [(LEAST_SLOPE, None)] + [(None, None)] * n_classes
        found = minimize(loss, [1.0] + [0.0] * n_classes, jac=True, method="L-BFGS-B", bounds=bounds).x
        return found[0], found[1:]

    def _choose(self, outputs, y, is_resubstituted):
        scores = _log_odds(super()._choose(outputs, y, is_resubstituted))
        self.centre_ = np.mean([scores[y == label].mean(axis=0) for label in np.unique(y)], axis=0)
        self.spread_ = np.maximum(scores.std(axis=0), 1e-12)

    def _losses(self, predicted, y):
        return -log_softmax(predicted, axis=1)[np.arange(len(y)), y]

    def _measure(self, predicted, y):
        """Return the mean AUC of the classes, each against the others."""
        probabilities = softmax(predicted, axis=1)
        labels = range(probabilities.shape[1])
        return np.mean([concordances(y == label, 1.0 * (y != label), probabilities[:, [label]]) for label in labels])


def _log_odds(logits):
    """Return the log-odds (n_rows, n_classes) of each class against the others."""
    return np.column_stack(
        [logits[:, k] - logsumexp(np.delete(logits, k, axis=1), axis=1) for k in range(logits.shape[1])]
    )
