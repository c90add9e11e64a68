"""Features that each fold selected -> agreement between the folds."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from radiodeep.exceptions import StudyError


@dataclass(frozen=True)
class SelectionStability:
    """Agreement between several folds on the selected features.

    Attributes
    ----------
    kuncheva : float
        1 if all folds select the same features, about 0 if each draws them at random. Folds share most of their
        cases, so that features selected from noise are stable as well: 40 cases and 1,000 features without signal
        have 0.68 under leave-one-out, 0.45 in 10 folds and 0.29 in 5. Nogueira's generalisation for subsets of
        different sizes, which equals Kuncheva's index for equal ones.
    jaccard : float
        Mean over pairs of folds of the number of shared features divided by that of features in either; not corrected
        for chance.
    n_folds, n_candidates : int
    """

    kuncheva: float
    jaccard: float
    n_folds: int
    n_candidates: int

    def __str__(self):
        return (
            f"Kuncheva {self.kuncheva:.2f}, Jaccard {self.jaccard:.2f} "
            f"({self.n_folds} folds, {self.n_candidates} candidates)"
        )


def selection_stability(subsets, n_candidates):
    """Measure the agreement between subsets of features.

    Parameters
    ----------
    subsets : sequence of collections of names
        One per fold.
    n_candidates : int
        Number of features that they were selected from.

    Returns
    -------
    SelectionStability

    Raises
    ------
    StudyError
        There are fewer than two subsets, or more features than candidates.

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
    if len(subsets) < 2:
        raise StudyError(f"Stability compares the subsets of several folds. Got {len(subsets)}.")
    names = sorted(frozenset.union(*subsets))
    if len(names) > n_candidates:
        raise StudyError(f"{len(names)} different features were selected from only {n_candidates} candidates.")
    is_selected = np.array([[name in subset for name in names] for subset in subsets], dtype=float)
    n_folds = len(subsets)
    mean_size = is_selected.sum() / n_folds
    # 1 - the mean variance of the indicators "selected in this fold", relative to that of a random selection
    frequency = is_selected.mean(axis=0)
    variance = (frequency * (1 - frequency)).sum() * n_folds / (n_folds - 1) / n_candidates
    by_chance = mean_size / n_candidates * (1 - mean_size / n_candidates)
    kuncheva = 1 - variance / by_chance if by_chance > 0 else 1.0
    shared = is_selected @ is_selected.T
    sizes = is_selected.sum(axis=1)
    jaccard = [
        shared[a, b] / (sizes[a] + sizes[b] - shared[a, b]) if sizes[a] + sizes[b] else 1.0
        for a, b in combinations(range(n_folds), 2)
    ]
    return SelectionStability(float(kuncheva), float(np.mean(jaccard)), n_folds, int(n_candidates))
