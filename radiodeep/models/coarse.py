"""A classifier of fine classes in, one of coarse classes out: their probabilities summed over a tree."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from radiodeep.exceptions import InputError


class CoarseFromFine(ClassifierMixin, BaseEstimator):
    """Learns fine classes (of which more can be learned) and tells the coarse ones that they belong to.

    Parameters
    ----------
    estimator : classifier with probabilities
    tree : dict
        From each fine class to its coarse one.
    fine : Series, optional
        The fine class of each training case, by case id or by the index of a DataFrame. Then `fit` takes the
        coarse classes, so that studies judge by them. By default `fit` takes the fine ones.

    Attributes
    ----------
    classes_ : ndarray
        The coarse classes.
    estimator_ : classifier
        Fitted to the fine classes.

    Raises
    ------
    InputError
        A fine class that is not in the tree, a case without a fine class, or coarse classes that contradict the tree.

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
        """Whether a study must hand over DataFrames as they are: fine classes are found by their index."""
        return self.fine is not None

    def fit(self, X, y):
        """Fit the estimator to the fine classes.

        Parameters
        ----------
        X : as the estimator takes it
        y : sequence of labels
            Fine, or coarse where `fine` is given.
        """
        fine = np.asarray(y) if self.fine is None else self._fine_of(X)
        unknown = sorted({str(one) for one in fine} - {str(one) for one in self.tree})
        if unknown:
            raise InputError(f"The 'tree' names no coarse class for {', '.join(unknown)}. Add them to it.")
        coarse = np.array([self.tree[one] for one in fine.tolist()])
        if self.fine is not None and not np.array_equal(coarse.astype(str), np.asarray(y).astype(str)):
            where = int(np.flatnonzero(coarse.astype(str) != np.asarray(y).astype(str))[0])
            raise InputError(
                f"Label {where} is {np.asarray(y)[where]!r}, but its fine class {fine[where]!r} belongs to "
                f"{coarse[where]!r} in the 'tree'. Mend one of them."
            )
        self.estimator_ = clone(self.estimator).fit(X, fine)
        self.classes_ = np.unique(coarse)
        return self

    def predict_proba(self, X):
        """Return the probability of each coarse class, shape (n_cases, n_classes)."""
        check_is_fitted(self)
        of_fine = [self.tree[one] for one in self.estimator_.classes_.tolist()]
        belongs = np.asarray(of_fine)[:, np.newaxis] == self.classes_
        return self.estimator_.predict_proba(X) @ belongs

    def predict(self, X):
        """Return the most probable coarse class of each case."""
        chosen = self.predict_proba(X).argmax(axis=1)
        return self.classes_[chosen]

    def _fine_of(self, X):
        fine = pd.Series(self.fine)
        ids = X.index if hasattr(X, "index") and hasattr(X, "columns") else [getattr(case, "id", None) for case in X]
        missing = [str(one) for one in ids if one not in fine.index]
        if missing:
            raise InputError(f"'fine' has no class for {len(missing)} cases: {', '.join(missing[:4])}. Add them to it.")
        return fine.loc[list(ids)].to_numpy()
