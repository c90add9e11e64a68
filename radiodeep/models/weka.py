"""Table and classes -> probabilities: the classifiers of Weka that older studies used.

Weka's naive Bayes has no equivalent in scikit-learn and is implemented here. Its forest and its support vector machine
are scikit-learn's with other settings, which two functions choose.
"""

import math

import numpy as np
from scipy.special import ndtr
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import is_count, require
from radiodeep.exceptions import SingleClassError

_LEAST_DENSITY = 1e-75
_PRECISION_OF_ONE_VALUE = 0.01


class WekaNaiveBayes(ClassifierMixin, BaseEstimator):
    """Naive Bayes as Weka computes it, to reproduce a study.

    Each feature is rounded to its precision, the mean difference between its consecutive values. The likelihood of a
    value is the mass of a normal distribution within that precision; its standard deviation is at least a sixth of the
    precision. Class frequencies are smoothed by one case each. For new studies use scikit-learn's `GaussianNB`.

    Parameters
    ----------
    discretizer : transformer, optional
        Fitted to the training cases first; features are then categories with smoothed frequencies.
        ``radiodeep.MDLDiscretizer(candidates="cases")`` is Weka's option -D.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    class_log_prior_ : ndarray of shape (n_classes,)
    precision_ : ndarray of shape (n_features,)
        Without `discretizer` only, as are the next two.
    mean_, standard_deviation_ : ndarray of shape (n_classes, n_features)
    frequencies_ : list of ndarray of shape (n_classes, n_bins)
        With `discretizer` only, one array per feature.
    discretizer_ : transformer
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Raises
    ------
    InputError
        If the target is continuous.
    SingleClassError
        If all training cases belong to one class.

    Notes
    -----
    NaN is ignored in training and in prediction. Weka multiplies probabilities, which become 0 or 1 if there are many
    features. Here logarithms are added, and `decision_function` returns the log-odds, which rank cases whose
    probability is rounded to 1. An AUC of the probabilities that Weka prints counts those as ties.

    References
    ----------
    John, Langley, Estimating Continuous Distributions in Bayesian Classifiers, UAI 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import WekaNaiveBayes
    >>> X = np.array([[1.0], [2.0], [3.0], [7.0], [8.0], [9.0]])
    >>> model = WekaNaiveBayes().fit(X, [0, 0, 0, 1, 1, 1])
    >>> model.predict([[2.5], [7.5]]).tolist(), model.precision_.tolist()
    ([0, 1], [1.6])
    """

    def __init__(self, discretizer=None):
        self.discretizer = discretizer

    def fit(self, X, y):
        """Estimate the distributions.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
            NaN for missing values.
        y : array-like of shape (n_cases,)
            Classes.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise SingleClassError(
                f"WekaNaiveBayes must be fitted to at least two classes. Got one class, {self.classes_[0]}, in all "
                f"{len(y)} training cases."
            )
        counts = np.bincount(labels)
        self.class_log_prior_ = np.log((counts + 1) / (len(y) + len(counts)))
        if self.discretizer is not None:
            self.discretizer_ = clone(self.discretizer).fit(X, y)
            bins = self.discretizer_.transform(X)
            n_bins = np.nanmax(bins, axis=0, initial=0).astype(np.int64) + 1
            self.frequencies_ = [
                _smoothed_frequencies(bins[:, column], labels, len(counts), n_bins[column])
                for column in range(X.shape[1])
            ]
            return self
        self.precision_ = np.array([_precision(column) for column in X.T])
        rounded = self._rounded(X)
        shape = (len(counts), X.shape[1])
        self.mean_, self.standard_deviation_ = np.zeros(shape), np.tile(self.precision_ / 6, (len(counts), 1))
        for label in range(len(counts)):
            for column, values in enumerate(rounded[labels == label].T):
                values = values[~np.isnan(values)]
                if not len(values):
                    continue
                total, squares = float(values.sum()), float((values * values).sum())
                mean = total / len(values)
                deviation = math.sqrt(abs(squares - mean * total) / len(values))
                self.mean_[label, column] = mean
                if deviation > 1e-10:
                    self.standard_deviation_[label, column] = max(deviation, self.precision_[column] / 6)
        return self

    def predict_joint_log_proba(self, X):
        """Return the logarithm of prior times likelihood, shape (n_cases, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        known = ~np.isnan(X)
        joint = np.tile(self.class_log_prior_, (len(X), 1))
        if self.discretizer is not None:
            bins = np.where(known, self.discretizer_.transform(X), 0).astype(np.int64)
            for column, frequencies in enumerate(self.frequencies_):
                joint += np.where(known[:, column, None], np.log(frequencies[:, bins[:, column]]).T, 0.0)
            return joint
        rounded = np.where(known, self._rounded(X), 0.0)
        for label in range(len(self.classes_)):
            distance = rounded - self.mean_[label]
            half = self.precision_ / 2
            deviation = self.standard_deviation_[label]
            mass = ndtr((distance + half) / deviation) - ndtr((distance - half) / deviation)
            density = np.log(np.maximum(mass / self.precision_, _LEAST_DENSITY))
            joint[:, label] += np.where(known, density, 0.0).sum(axis=1)
        return joint

    def predict_log_proba(self, X):
        """Return the logarithms of the probabilities, (n_cases, n_classes)."""
        joint = self.predict_joint_log_proba(X)
        return joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)

    def predict_proba(self, X):
        """Return the probabilities of the classes, (n_cases, n_classes)."""
        return np.exp(self.predict_log_proba(X))

    def decision_function(self, X):
        """Return the log-odds of the class that sorts last, (n_cases,); of several classes, all joint logarithms."""
        joint = self.predict_joint_log_proba(X)
        return joint[:, 1] - joint[:, 0] if len(self.classes_) == 2 else joint

    def predict(self, X):
        """Return the most likely class of each case, (n_cases,)."""
        joint = self.predict_joint_log_proba(X)
        return self.classes_[np.argmax(joint, axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _rounded(self, X):
        return np.rint(X / self.precision_) * self.precision_


def _precision(values):
    """Return the mean difference between the consecutive distinct values of a feature."""
    distinct = np.unique(values[~np.isnan(values)])
    return (distinct[-1] - distinct[0]) / (len(distinct) - 1) if len(distinct) > 1 else _PRECISION_OF_ONE_VALUE


def _smoothed_frequencies(bins, labels, n_classes, n_bins):
    """Return the frequency of each bin in each class, (n_classes, n_bins), with one case more in every bin."""
    known = ~np.isnan(bins)
    counts = np.ones((n_classes, n_bins))
    np.add.at(counts, (labels[known], bins[known].astype(np.int64)), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def weka_random_forest(n_features, n_trees=200, random_state=1):
    """Return scikit-learn's forest with the settings of Weka's.

    Weka considers floor(log2(n_features)) + 1 features at each node, which scikit-learn has no name for. Its trees are
    randomized differently, so an AUC agrees only within the spread between seeds.

    Parameters
    ----------
    n_features : int
        Number of features that the forest is fitted to, after selection.
    n_trees : int, default=200
        As in the studies of Hall's group; Weka's default is 100 (10 before version 3.7).
    random_state : int, default=1

    Returns
    -------
    RandomForestClassifier

    Examples
    --------
    >>> from radiodeep import weka_random_forest
    >>> weka_random_forest(n_features=10).max_features
    4
    """
    require(is_count(n_features, 1), "weka_random_forest", "n_features", "an int >= 1", n_features)
    return RandomForestClassifier(n_trees, max_features=int(math.log2(n_features)) + 1, random_state=random_state)


def weka_smo(C=1.0):
    """Return scikit-learn's linear support vector machine with the preprocessing of Weka's SMO.

    Missing values are replaced by the mean, and features are scaled to 0..1 on the training cases. The labels are those
    of SMO. SMO without -M prints 0 and 1 as probabilities, whose AUC is far too low; studies here rank cases by
    `decision_function`.

    Parameters
    ----------
    C : float, default=1.0

    Returns
    -------
    Pipeline

    Examples
    --------
    >>> from radiodeep import weka_smo
    >>> weka_smo().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]).predict([[0.2], [2.8]]).tolist()
    [0, 1]
    """
    return make_pipeline(SimpleImputer(keep_empty_features=True), MinMaxScaler(), SVC(kernel="linear", C=C))
