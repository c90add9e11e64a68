"""Classifier of fine classes -> classifier of coarse classes, by sums of probabilities over a tree."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from radiodeep.exceptions import InputError


class CoarseFromFine(ClassifierMixin, BaseEstimator):
    """Fit a classifier to fine classes and predict the coarse classes that contain them.

    Parameters
    ----------
    estimator : classifier with probabilities
    tree : dict
        Coarse class of each fine class.
    fine : Series, optional
        Fine class of each training case, by case id or by the index of a DataFrame. `fit` then takes the coarse
        classes, so that studies score those. By default `fit` takes the fine classes.

    Attributes
    ----------
    classes_ : ndarray
        The coarse classes.
    estimator_ : classifier
        Fitted to the fine classes.

    Raises
    ------
    InputError
        If a fine class is not in the tree, a case has no fine class, or a coarse class contradicts the tree.

    References
    ----------
    A. Esteva et al., Dermatologist-level classification of skin cancer with deep neural networks, Nature 542 (2017)
    115, "inference algorithm".

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import CoarseFromFine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X = np.repeat([[0.0], [1.0], [5.0]], 4, axis=0) + np.tile([[0.0], [0.1], [0.2], [0.3]], (3, 1))
    >>> tree = {"naevus": "benign", "wart": "benign", "melanoma": "malignant"}
    >>> model = CoarseFromFine(GaussianNB(), tree).fit(X, np.repeat(["naevus", "wart", "melanoma"], 4))
    >>> model.predict([[0.5], [4.0]]).tolist()
    ['benign', 'malignant']
    """

    def __init__(self, estimator, tree, fine=None):
        self.estimator = estimator
        self.tree = tree
        self.fine = fine

    @property
    def needs_names(self):
        """Whether a study must pass DataFrames with their index, by which fine classes are found."""
        return self.fine is not None

    def fit(self, X, y):
        """Fit the estimator to the fine classes.

        Parameters
        ----------
        X : as the estimator takes it
        y : sequence of labels
            Fine classes, or coarse ones if `fine` is given.
        """
        fine = np.asarray(y) if self.fine is None else self._fine_of(X)
        unknown = sorted(str(name) for name in set(fine.tolist()) - set(self.tree))
        if unknown:
            raise InputError(f"The 'tree' names no coarse class for {', '.join(unknown)}. Add them to it.")
        coarse = np.array([self.tree[name] for name in fine.tolist()])
        if self.fine is not None:
            y = np.asarray(y)
            contradictions = np.flatnonzero(coarse.astype(str) != y.astype(str))
            if contradictions.size:
                first = contradictions[0]
                raise InputError(
                    f"Label {first} is {y[first]!r}, but its fine class {fine[first]!r} belongs to {coarse[first]!r} "
                    "in the 'tree'. Correct one of them."
                )
        self.estimator_ = clone(self.estimator).fit(X, fine)
        self.classes_ = np.unique(coarse)
        return self

    def predict_proba(self, X):
        """Return the probability of each coarse class, shape (n_cases, n_classes)."""
        check_is_fitted(self)
        coarse_of_fine = np.asarray([self.tree[name] for name in self.estimator_.classes_.tolist()])
        is_part = coarse_of_fine[:, np.newaxis] == self.classes_  # (n_fine, n_coarse)
        return self.estimator_.predict_proba(X) @ is_part

    def predict(self, X):
        """Return the most probable coarse class of each case."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _fine_of(self, X):
        """Return the fine class of each row or case."""
        fine = pd.Series(self.fine)
        if not fine.index.is_unique:
            raise InputError("The 'fine' parameter must hold one class per case. Some case ids occur twice.")
        ids = X.index if hasattr(X, "index") and hasattr(X, "columns") else [getattr(case, "id", None) for case in X]
        missing = [str(case_id) for case_id in ids if case_id not in fine.index]
        if missing:
            raise InputError(f"'fine' has no class for {len(missing)} cases: {', '.join(missing[:4])}. Add them to it.")
        return fine.loc[list(ids)].to_numpy()
