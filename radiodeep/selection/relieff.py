"""Table and target -> a score per feature: ReliefF, which sees interactions that univariate scores miss."""

import itertools

import numpy as np

from radiodeep.checks import is_count, is_number, require
from radiodeep.exceptions import InputError
from radiodeep.preparation.tables import checked_target, nominal_mask
from radiodeep.selection.kernels import relief as kernels
from radiodeep.selection.nearest_cases import class_weights, nearest_cases, scaled_table
from radiodeep.selection.ranking import RankedSelector, weka_order
from radiodeep.selection.relieff_without_each import MOST_CASES, relieff_scores_without_each
from radiodeep.selection.threads import in_threads, n_threads_for

_CLOSE = 1e-10  # difference of scores below which rounding may decide


class ReliefF(RankedSelector):
    """Keep the features that differ between near cases of different classes, or of different targets.

    Scores equal those of Weka's ReliefFAttributeEval to the last digit: differences of range-scaled
    features, the nearest `n_neighbors` of each class, misses weighted by the classes' frequencies.

    Parameters
    ----------
    n_features_to_select : int, float in (0, 1] or None, default=10
        Count or fraction of features to keep; None keeps all that pass `threshold`.
    n_neighbors : int, default=10
        Hits, and misses of each other class, for every case; fewer where a class is smaller.
    threshold : float, optional
        Keep only features with a larger score; 0 drops features that look like noise.
    target : {"auto", "classes", "numeric"}, default="auto"
        What `y` holds; by default numbers if there are fractions or more than 10 different numbers, and else classes.
        For a numeric target (RReliefF), differences of the target are scaled by its range.
    weight_by_distance : bool, default=False
        Weight neighbours by exp(-(rank / sigma)^2), so that nearer ones count more.
    sigma : int, default=2
        Used with `weight_by_distance`.
    n_samples : int, optional
        Number of cases that are drawn with replacement, each to be compared with all cases, for tables of 10,000 cases
        and more. None, or a number not below that of the cases, uses every case once.
    random_state : int, default=1
        Seed of the drawn cases; the same seed draws the same cases as in Weka.
    nominal_features : sequence of positions, names or bools, optional
        Columns of categories, which are equal or different. Columns of few distinct values are not taken for
        categories by themselves.
    tie_order : {"left", "weka"}, default="left"
        Order of equal scores: from left to right, or as Weka's ranker sorts them.
    n_jobs : int, optional
        Threads; the scores are the same, bit for bit, whatever their number.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        In -1..1; about 0 for noise.
    ranking_ : ndarray of shape (n_features,)
        1 is the best.
    n_features_above_threshold_ : int
    effective_n_features_ : float
        The number of uncorrelated features that the selected ones are worth (`effective_number_of_features`).
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Raises
    ------
    InputError
        A setting is out of range, the target is continuous while `target` is "classes", a numeric target is equal
        in all neighbours, or y is a structured array.
    SingleClassError
        The training cases are of one class.

    Notes
    -----
    NaN is a missing value: its difference is as large as it can be. A feature whose range is below
    1e-6 counts as constant. Asking for more features than there are keeps all. If no score passes
    the threshold, the best feature alone is kept with a `RadiodeepWarning`.

    References
    ----------
    Kononenko, Estimating Attributes: Analysis and Extensions of RELIEF, ECML 1994. Robnik-Sikonja,
    Kononenko, Theoretical and Empirical Analysis of ReliefF and RReliefF, Machine Learning 53 (2003) 23.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import ReliefF
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> y = X[:, 1] * X[:, 3] > 0  # neither column says anything alone
    >>> sorted(ReliefF(n_features_to_select=2).fit(X, y).get_support(indices=True).tolist())
    [1, 3]
    >>> months = 12 + 6 * X[:, 2]
    >>> ReliefF(n_features_to_select=1).fit(X, months).get_support(indices=True).tolist()
    [2]
    >>> ReliefF(n_neighbors=0).fit(X, y)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'n_neighbors' parameter of ReliefF must be an int >= 1. Got 0 instead.
    """

    _compiled_loops = (kernels.scale,)

    def __init__(
        self,
        n_features_to_select=10,
        n_neighbors=10,
        threshold=None,
        *,
        target="auto",
        weight_by_distance=False,
        sigma=2,
        n_samples=None,
        random_state=1,
        nominal_features=None,
        tie_order="left",
        n_jobs=None,
    ):
        self.n_features_to_select = n_features_to_select
        self.n_neighbors = n_neighbors
        self.threshold = threshold
        self.target = target
        self.weight_by_distance = weight_by_distance
        self.sigma = sigma
        self.n_samples = n_samples
        self.random_state = random_state
        self.nominal_features = nominal_features
        self.tie_order = tie_order
        self.n_jobs = n_jobs

    @property
    def uses_random_state(self):
        """Whether the scores depend on `random_state`: only if cases are drawn."""
        return self.n_samples is not None

    def _can_share(self, n_cases):
        is_sampled = self.n_samples is not None and self.n_samples < n_cases - 1
        is_plain = not self.weight_by_distance and not is_sampled
        return is_plain and n_cases <= MOST_CASES and type(self) is ReliefF  # a subclass may score in another way

    def _scores_of_folds(self, X, y, n_classes, rescaled):
        nominal = nominal_mask(self, self.nominal_features)
        return relieff_scores_without_each(self, X, y, n_classes, nominal, rescaled)

    def _is_decided(self, scores):
        """Return whether no two scores, or a score and the threshold, are so close that rounding would decide.

        Scores of a fold computed together with the others differ from those of `fit` by some 1e-13.
        """
        if not super()._is_decided(scores):
            return False
        ordered = np.sort(scores)[::-1]
        n_wanted = self._n_wanted(len(ordered))
        is_clear = n_wanted >= len(ordered) or ordered[n_wanted - 1] - ordered[n_wanted] > _CLOSE
        if self.threshold is None or not is_clear:
            return bool(is_clear)
        if ordered[0] <= self.threshold:  # only the best feature is kept
            is_clear = len(ordered) == 1 or ordered[0] - ordered[1] > _CLOSE
        return bool(is_clear and np.abs(ordered - self.threshold).min() > _CLOSE)

    def _validated(self, X, y):
        """Return table, class numbers (or the target scaled to 0..1) and the number of classes (or 0)."""
        self._check_ranking()
        require(is_count(self.n_neighbors, 1), self, "n_neighbors", "an int >= 1")
        require(is_number(self.sigma) and self.sigma > 0, self, "sigma", "a number > 0")
        require(self.n_samples is None or is_count(self.n_samples, 1), self, "n_samples", "an int >= 1 or None")
        require(is_count(self.random_state, 0), self, "random_state", "an int >= 0")
        X, y, n_classes = checked_target(self, X, y, self.target)
        return X, y if n_classes else (y - y.min()) / (y.max() - y.min()), n_classes

    def _scores(self, X, y, n_classes):
        table = scaled_table(self, X, nominal_mask(self, self.nominal_features))
        n_cases, n_features = table.values.shape
        labels = y if n_classes else np.zeros(n_cases, dtype=np.int64)
        sampled = self.n_samples is not None and self.n_samples < n_cases
        chosen = self._draw(n_cases) if sampled else np.arange(n_cases)
        n_neighbors = min(self.n_neighbors, n_cases)
        near = nearest_cases(table, labels, max(n_classes, 1), n_neighbors, chosen if sampled else None, self.n_jobs)
        influence = np.ones(n_neighbors)
        if self.weight_by_distance:
            influence = np.exp(-((np.arange(n_neighbors) / self.sigma) ** 2))
            _sort_by_distance(near)
        n_threads = n_threads_for(self.n_jobs, len(chosen) * max(n_classes, 1) * n_neighbors * n_features)
        bounds = np.linspace(0, n_features, n_threads + 1).astype(int)
        parts = list(itertools.pairwise(bounds))
        kinds = (table.runs, table.missing_nominal)
        if n_classes:
            scores = np.zeros(n_features)
            weights = (influence, self.weight_by_distance, class_weights(np.bincount(labels, minlength=n_classes)))
            calls = [(table.values, chosen, labels, near, *weights, *kinds, *part, scores) for part in parts]
            in_threads(kernels.add_neighbours, calls, n_threads)
            return scores * (1 / len(chosen))
        of_feature, of_both = np.zeros(n_features), np.zeros(n_features)
        calls = [(table.values, chosen, y, near, influence, *kinds, *part, of_feature, of_both) for part in parts]
        of_target = in_threads(kernels.add_numeric_neighbours, calls, n_threads)[0]
        if not 0 < of_target < len(chosen):
            kind = "the same" if of_target == 0 else "the opposite extreme of the"
            raise InputError(
                f"All {n_neighbors} neighbours of every case have {kind} target, so that ReliefF cannot score "
                "features. Raise n_neighbors, or take target='classes'."
            )
        return of_both / of_target - (of_feature - of_both) / (len(chosen) - of_target)

    def _draw(self, n_cases):
        """Return the cases that Weka draws: a linear congruential generator of 48 bits, its upper 32 used."""
        state, drawn = (self.random_state ^ 0x5DEECE66D) % 2**48, np.empty(self.n_samples, dtype=np.int64)
        for draw in range(self.n_samples):
            state = (state * 0x5DEECE66D + 0xB) % 2**48
            number = state >> 16
            drawn[draw] = (number if number < 2**31 else 2**32 - number) % n_cases
        return drawn


def _sort_by_distance(near):
    """Sort each buffer by distance, equal ones as Weka's sort leaves them, since the rank decides the weight."""
    distances, _, counts, _ = near
    order = np.argsort(distances, axis=2, kind="stable")
    ordered = np.take_along_axis(distances, order, axis=2)
    tied = np.isfinite(ordered[:, :, 1:]) & (ordered[:, :, 1:] == ordered[:, :, :-1])
    for row, group in np.argwhere(tied.any(axis=2)):
        count = counts[row, group]
        order[row, group, :count] = weka_order(distances[row, group, :count])
    for values in near[:2]:
        values[:] = np.take_along_axis(values, order, axis=2)
