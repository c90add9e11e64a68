"""The features that each fold selected go in; how much alike they are comes out."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from radiodeep.exceptions import StudyError


@dataclass(frozen=True)
class SelectionStability:
    """How much alike the selected features of several folds are.

    Attributes
    ----------
    kuncheva : float
        1 for the same features in every fold, about 0 for features drawn at random in each. Folds share most of their
        cases, so that features selected from noise are stable as well: 40 cases and 1,000 features without signal
        have 0.68 under leave-one-out, 0.45 in 10 folds and 0.29 in 5. Of subsets of different sizes, in Nogueira's
        generalisation, which is the same for equal sizes.
    jaccard : float
        Mean over pairs of folds of shared features / features of either; not corrected for chance.
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
    """Measure how much alike subsets of features are.

    Parameters
    ----------
    subsets : sequence of collections of names
        One per fold.
    n_candidates : int
        From how many features they were selected.

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
    chosen = np.array([[name in subset for name in names] for subset in subsets], dtype=float)
    n_folds, mean_size = len(subsets), chosen.sum() / len(subsets)
    spread = (chosen.mean(axis=0) * (1 - chosen.mean(axis=0))).sum() * n_folds / (n_folds - 1) / n_candidates
    by_chance = mean_size / n_candidates * (1 - mean_size / n_candidates)
    kuncheva = 1 - spread / by_chance if by_chance > 0 else 1.0
    shared = chosen @ chosen.T
    sizes = chosen.sum(axis=1)
    jaccard = [
        shared[a, b] / (sizes[a] + sizes[b] - shared[a, b]) if sizes[a] + sizes[b] else 1.0
        for a, b in combinations(range(n_folds), 2)
    ]
    return SelectionStability(float(kuncheva), float(np.mean(jaccard)), n_folds, int(n_candidates))
