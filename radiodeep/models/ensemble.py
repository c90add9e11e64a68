"""Several classifiers in, one out: the mean, the median or the vote of their probabilities."""

from collections.abc import Iterable

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from radiodeep.exceptions import InputError
from radiodeep.models.cnn import CNNClassifier

COMBINATIONS = ("mean", "median", "vote")


def combine_probabilities(probabilities, combine="mean"):
    """Combine what the members of an ensemble say.

    Parameters
    ----------
    probabilities : array of shape (n_members, n_cases, n_classes)
    combine : {"mean", "median", "vote"}, default="mean"
        "vote" is the share of the members for whom a class is the most probable one. Medians are made to add up
        to 1; where all are 0, as of three members who are each sure of another class, the mean is taken. Of an odd
        number of members and two classes, median and vote always choose the same class.

    Returns
    -------
    float64 ndarray of shape (n_cases, n_classes)

    Raises
    ------
    InputError
        Another word, or an array of another shape.

    Examples
    --------
    >>> from radiodeep.models.ensemble import combine_probabilities
    >>> says = [[[0.9, 0.1]], [[0.4, 0.6]], [[0.4, 0.6]]]
    >>> [combine_probabilities(says, how)[0].round(2).tolist() for how in ("mean", "median", "vote")]
    [[0.57, 0.43], [0.4, 0.6], [0.33, 0.67]]
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 3 or not len(probabilities):
        raise InputError(
            f"Probabilities of members have the shape (n_members, n_cases, n_classes). Got {probabilities.shape}."
        )
    if combine == "mean":
        return probabilities.mean(axis=0)
    if combine == "median":
        middle = np.median(probabilities, axis=0)
        total = middle.sum(axis=1, keepdims=True)
        return np.where(total > 0, middle / np.where(total > 0, total, 1), probabilities.mean(axis=0))
    if combine == "vote":
        chosen = probabilities.argmax(axis=2)
        return (chosen[:, :, np.newaxis] == np.arange(probabilities.shape[2])).mean(axis=0)
    raise InputError(f"The 'combine' parameter must be one of {', '.join(COMBINATIONS)}. Got {combine!r} instead.")


class CNNEnsemble(ClassifierMixin, BaseEstimator):
    """Networks of several architectures and seeds, or any other classifiers, that decide together.

    Parameters
    ----------
    members : sequence of str or classifiers, or "snapshots", default=("arch1", "arch2", "arch3")
        Names of architectures; or classifiers of scikit-learn, each over the same X. "snapshots" are the ends of
        `n_snapshots` cycles of the learning rate in one training of `template`.
    combine : {"mean", "median", "vote"}, default="mean"
        Of their probabilities; "vote" is the share of the members that choose a class, as their `predict` does.
    n_seeds : int, default=1
        Trainings of each architecture, with random states 0, 1, ... after that of the template.
    n_snapshots : int, default=5
        For "snapshots" alone.
    template : CNNClassifier, optional
        The settings of the networks that are given by name.

    Attributes
    ----------
    classes_ : ndarray
    members_ : list of fitted classifiers
    member_names_ : list of str
        Of each row of `predict_members`.

    Raises
    ------
    InputError
        A member that is none, or a setting out of range.

    References
    ----------
    R. Paul, L. Hall, D. Goldgof, M. Schabath, R. Gillies, Predicting nodule malignancy using a CNN ensemble
    approach, IJCNN 2018.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(12, random_state=0)
    >>> quick = rd.CNNClassifier(epochs=1, n_views=1)
    >>> ensemble = rd.CNNEnsemble(["arch1", "arch3"], n_seeds=2, template=quick).fit(cohort, cohort.labels)
    >>> ensemble.member_names_
    ['arch1-0', 'arch1-1', 'arch3-0', 'arch3-1']
    >>> ensemble.predict_members(cohort).shape
    (4, 12, 2)
    """

    def __init__(self, members=("arch1", "arch2", "arch3"), combine="mean", n_seeds=1, n_snapshots=5, template=None):
        self.members = members
        self.combine = combine
        self.n_seeds = n_seeds
        self.n_snapshots = n_snapshots
        self.template = template

    def fit(self, X, y, groups=None):
        """Train the members.

        Parameters
        ----------
        X, y, groups
            As for `CNNClassifier`; `groups` goes to the networks alone.
        """
        if self.combine not in COMBINATIONS:
            combine_probabilities(np.zeros((1, 1, 2)), self.combine)
        self.members_, self.member_names_ = [], []
        for name, member in self._named_members():
            networks = isinstance(member, CNNClassifier | CNNEnsemble) and groups is not None
            fitted = member.fit(X, y, groups=groups) if networks else member.fit(X, y)
            self.members_.append(fitted)
            n_rows = len(getattr(fitted, "networks_", [None]))
            self.member_names_ += [name] if n_rows == 1 else [f"{name}-{number}" for number in range(n_rows)]
        self.classes_ = self.members_[0].classes_
        return self

    def predict_members(self, X):
        """Return the probabilities of each member, shape (n_members, n_cases, n_classes)."""
        check_is_fitted(self, "members_")
        return np.concatenate(
            [
                member.predict_members(X) if hasattr(member, "predict_members") else member.predict_proba(X)[np.newaxis]
                for member in self.members_
            ]
        )

    def predict_proba(self, X):
        """Return the combined probabilities, shape (n_cases, n_classes)."""
        members = self.predict_members(X)
        return combine_probabilities(self._weighted(members) if self.combine == "vote" else members, self.combine)

    def predict(self, X):
        """Return the class of each case, by the members' probabilities times their class weights."""
        chosen = combine_probabilities(self._weighted(self.predict_members(X)), self.combine).argmax(axis=1)
        return self.classes_[chosen]

    def decision_weights(self):
        """Return the weight of each class in the choice of each member, shape (n_members, n_classes)."""
        check_is_fitted(self, "members_")
        rows = []
        for member in self.members_:
            n_rows = len(getattr(member, "networks_", [None]))
            is_ensemble = isinstance(member, CNNEnsemble)
            rows.append(member.decision_weights() if is_ensemble else np.tile(self._weights_of(member), (n_rows, 1)))
        return np.concatenate(rows)

    def _weights_of(self, member):
        """Return the weight of each class in the choice of a member that gives one row, such as a pipeline."""
        while isinstance(member, Pipeline):
            member = member[-1]
        if isinstance(member, CNNEnsemble) and member.combine != "vote":  # a vote has been weighted already
            return member.decision_weights().mean(axis=0)
        return getattr(member, "class_weights_", np.ones(len(self.classes_)))

    def _weighted(self, members):
        """Return the probabilities (n_members, n_cases, n_classes) that each member decides by."""
        weighted = members * self.decision_weights()[:, np.newaxis]
        return weighted / weighted.sum(axis=2, keepdims=True)

    def _named_members(self):
        template = CNNClassifier() if self.template is None else self.template
        if not isinstance(template, CNNClassifier):
            raise InputError(f"The 'template' must be a CNNClassifier. Got {type(template).__name__} instead.")
        if isinstance(self.members, str) or not isinstance(self.members, Iterable):
            if self.members != "snapshots":
                raise InputError(f"The 'members' must be a list of members or 'snapshots'. Got {self.members!r}.")
            return [("snapshot", clone(template).set_params(n_snapshots=self.n_snapshots, n_seeds=1))]
        named = []
        for number, member in enumerate(self.members):
            if isinstance(member, str):
                one = clone(template).set_params(architecture=member, n_seeds=self.n_seeds)
                named.append((member, one))
            elif hasattr(member, "predict_proba"):
                named.append((f"{type(member).__name__}-{number}", clone(member)))
            else:
                raise InputError(
                    "A member must be the name of an architecture or a classifier with probabilities. "
                    f"Got {member!r} instead."
                )
        if not named:
            raise InputError("An ensemble needs members. Give names of architectures or classifiers.")
        return named
