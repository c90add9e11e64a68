"""Features that each fold selected -> agreement between the folds."""

from dataclasses import dataclass

import numpy as np

from radiodeep.exceptions import StudyError


@dataclass(frozen=True)
class SelectionStability:
    """Agreement between several folds on the selected features.

    Attributes
    ----------
    kuncheva : float
        1 if all folds select the same features, about 0 if each draws them at random. Nogueira's generalisation for
        subsets of different sizes, which equals Kuncheva's index for equal ones.
    jaccard : float
        Mean over pairs of folds of the number of shared features divided by that of features in either; not corrected
        for chance.
    n_folds, n_candidates : int
        Numbers of all subsets, and of features that they were selected from.
    n_repeats : int or None
        Number of repeats of the folds, whose indices are averaged; None if the subsets are not of cross-validation.
    """

    kuncheva: float
    jaccard: float
    n_folds: int
    n_candidates: int
    n_repeats: int | None = None

    @property
    def shared_training(self):
        """The fraction of its training cases that a fold shares with another of its repeat, or None if unknown."""
        if self.n_repeats is None:
            return None
        n_folds = self.n_folds / self.n_repeats
        return (n_folds - 2) / (n_folds - 1)

    def __str__(self):
        words = f"Kuncheva {self.kuncheva:.2f}, Jaccard {self.jaccard:.2f} ({self.n_folds} folds, "
        if self.shared_training is None:
            return f"{words}{self.n_candidates} candidates)"
        chance = "without a common case: Kuncheva's index of noise is about 0"
        if self.shared_training > 0:
            chance = f"two with {self.shared_training:.0%} of their training cases in common: noise is stable as well"
        return f"{words}{chance}; {self.n_candidates} candidates)"


def selection_stability(subsets, n_candidates, repeats=None):
    """Measure the agreement between subsets of features.

    Parameters
    ----------
    subsets : sequence of collections of names
        One per fold.
    n_candidates : int
        Number of features that they were selected from.
    repeats : sequence of int, optional
        The repeat of cross-validation that each fold belongs to. Folds are compared within their repeat.

    Returns
    -------
    SelectionStability

    Raises
    ------
    StudyError
        There are fewer than two subsets in a repeat, or more features than candidates.

    Notes
    -----
    Folds share most of their training cases, so that features selected from noise are stable as well: of 40 cases and
    1,000 features without signal, ReliefF's best ten have a Kuncheva index of 0.68 under leave-one-out, 0.45 in ten
    folds and 0.29 in five. Only the two halves of 2-fold cross-validation share no case: there it is about 0 without
    signal. `permutation_test` gives the index with shuffled outcomes for any split.

    References
    ----------
    Kuncheva, A Stability Index for Feature Selection, AIAP 2007. Nogueira, Sechidis, Brown, On the
    Stability of Feature Selection Algorithms, JMLR 18 (2018) 174, equation 4.

    Examples
    --------
    >>> from radiodeep import selection_stability
    >>> print(selection_stability([["a", "b"], ["a", "c"], ["a", "b"]], n_candidates=10))
    Kuncheva 0.58, Jaccard 0.56 (3 folds, 10 candidates)
    """
    subsets = [frozenset(subset) for subset in subsets]
    repeat_of_fold = np.zeros(len(subsets), dtype=int) if repeats is None else np.asarray(repeats)
    names = sorted(frozenset().union(*subsets))
    if len(names) > n_candidates:
        raise StudyError(f"{len(names)} different features were selected from only {n_candidates} candidates.")
    is_selected = np.array([[name in subset for name in names] for subset in subsets], dtype=float)
    numbers = [0] if repeats is None else np.unique(repeat_of_fold)
    indices = [_indices(is_selected[repeat_of_fold == number], n_candidates) for number in numbers]
    n_repeats = None if repeats is None else len(numbers)
    return SelectionStability(*np.mean(indices, axis=0).tolist(), len(subsets), int(n_candidates), n_repeats)


def _indices(is_selected, n_candidates):
    """Return the indices of Kuncheva and Jaccard of bools (n_folds, n_features)."""
    n_folds = len(is_selected)
    if n_folds < 2:
        raise StudyError(f"Stability compares the subsets of several folds. Got {n_folds}.")
    mean_size = is_selected.sum() / n_folds
    # 1 - the mean variance of the indicators "selected in this fold", relative to that of a random selection
    frequency = is_selected.mean(axis=0)
    variance = (frequency * (1 - frequency)).sum() * n_folds / (n_folds - 1) / n_candidates
    by_chance = mean_size / n_candidates * (1 - mean_size / n_candidates)
    kuncheva = 1 - variance / by_chance if by_chance > 0 else 1.0
    different, counts = np.unique(is_selected, axis=0, return_counts=True)
    shared = different @ different.T
    sizes = different.sum(axis=1)
    either = sizes + sizes[:, np.newaxis] - shared
    overlap = np.divide(shared, either, out=np.ones_like(shared), where=either > 0)
    jaccard = (counts @ overlap @ counts - n_folds) / (n_folds * (n_folds - 1))  # without a fold and itself
    return kuncheva, jaccard
