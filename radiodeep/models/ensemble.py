"""Several classifiers -> one: the mean, the median or the vote of their probabilities."""

from collections.abc import Iterable

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from radiodeep.checks import invalid, require_option
from radiodeep.exceptions import InputError
from radiodeep.models.cnn import CNNClassifier

COMBINATIONS = ("mean", "median", "vote")


def combine_probabilities(probabilities, combine="mean"):
    """Return the combined probabilities (n_cases, n_classes) of members (n_members, n_cases, n_classes).

    "vote" is the share of the members with a class as the most probable one. Medians are scaled to add up to 1; if all
    are 0, as for three members that are each certain of another class, the mean is taken. With an odd number of members
    and two classes, median and vote always choose the same class.
    """
    require_option(combine, COMBINATIONS, "CNNEnsemble", "combine")
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
    chosen = probabilities.argmax(axis=2)
    return (chosen[:, :, np.newaxis] == np.arange(probabilities.shape[2])).mean(axis=0)


class CNNEnsemble(ClassifierMixin, BaseEstimator):
    """An ensemble of networks of several architectures and seeds, or of any other classifiers.

    Parameters
    ----------
    members : sequence of str or classifiers, or "snapshots", default=("arch1", "arch2", "arch3")
        Names of architectures, or classifiers of scikit-learn, which are all fitted to the same X. "snapshots" are the
        networks at the ends of the `n_snapshots` learning rate cycles of one training of `template`.
    combine : {"mean", "median", "vote"}, default="mean"
        How probabilities are combined; "vote" is the share of the members that predict a class.
    n_seeds : int, default=1
        Number of networks of each architecture, with consecutive random states from that of the template.
    n_snapshots : int, default=5
        Used with "snapshots" only.
    template : CNNClassifier, optional
        Parameters of the networks that are given by name.

    Attributes
    ----------
    classes_ : ndarray
    members_ : list of fitted classifiers
    member_names_ : list of str
        Names of the rows of `predict_members`.

    Raises
    ------
    InputError
        If a member is not a classifier with probabilities, or a parameter is out of range.

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
            As in `CNNClassifier.fit`; `groups` is passed to networks only.
        """
        require_option(self.combine, COMBINATIONS, self, "combine")
        self.members_ = []
        self.member_names_ = []
        for name, member in self._named_members():
            takes_groups = isinstance(member, CNNClassifier | CNNEnsemble) and groups is not None
            member.fit(X, y, **{"groups": groups} if takes_groups else {})
            self.members_.append(member)
            self.member_names_ += _names_of_rows(name, member)
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
        """Return the class of each case, decided by the members' probabilities times their class weights."""
        chosen = combine_probabilities(self._weighted(self.predict_members(X)), self.combine).argmax(axis=1)
        return self.classes_[chosen]

    def decision_weights(self):
        """Return the weight of each class in the decision of each member, shape (n_members, n_classes)."""
        check_is_fitted(self, "members_")
        rows = []
        for member in self.members_:
            has_members = isinstance(member, CNNClassifier | CNNEnsemble)
            rows.append(member.decision_weights() if has_members else [self._weights_of_last_step(member)])
        return np.concatenate(rows)

    def _weights_of_last_step(self, member):
        """Return the weight of each class in the decision of a member that gives one row, such as a pipeline."""
        while isinstance(member, Pipeline):
            member = member[-1]
        if isinstance(member, CNNEnsemble) and member.combine != "vote":  # votes are weighted already
            return member.decision_weights().mean(axis=0)
        if isinstance(member, CNNClassifier):
            return member.decision_weights()[0]
        return np.ones(len(self.classes_))

    def _weighted(self, members):
        """Return the weighted probabilities (n_members, n_cases, n_classes) by which each member decides."""
        weighted = members * self.decision_weights()[:, np.newaxis]
        return weighted / weighted.sum(axis=2, keepdims=True)

    def _named_members(self):
        """Return (name, unfitted classifier) of each member."""
        template = CNNClassifier() if self.template is None else self.template
        if not isinstance(template, CNNClassifier):
            raise invalid(self, "template", "a CNNClassifier", template)
        if isinstance(self.members, str) or not isinstance(self.members, Iterable):
            if self.members != "snapshots":
                raise invalid(self, "members", "a list of members or 'snapshots'", self.members)
            return [("snapshot", clone(template).set_params(n_snapshots=self.n_snapshots, n_seeds=1))]
        named = []
        for number, member in enumerate(self.members):
            if isinstance(member, str):
                named.append((member, clone(template).set_params(architecture=member, n_seeds=self.n_seeds)))
            elif hasattr(member, "predict_proba"):
                named.append((f"{type(member).__name__}-{number}", clone(member)))
            else:
                raise InputError(
                    "A member must be the name of an architecture or a classifier with probabilities. "
                    f"Got {member!r} instead."
                )
        if not named:
            raise InputError("An ensemble needs members. Give names of architectures, or classifiers.")
        return named


def _names_of_rows(name, member):
    """Return a name for each row of a fitted member in `predict_members`."""
    if isinstance(member, CNNEnsemble):
        return [f"{name}-{row}" for row in member.member_names_]
    n_rows = len(member.networks_) if isinstance(member, CNNClassifier) else 1
    return [name] if n_rows == 1 else [f"{name}-{number}" for number in range(n_rows)]
