"""A table of several scanners or sites -> the table without their shifts and scales (ComBat)."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import invalid, is_count, require
from radiodeep.exceptions import InputError
from radiodeep.preparation.tables import check_names_cases


class BatchHarmonizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Remove from each feature the shift and scale of the scanner or site (ComBat).

    The shifts and scales of all features of a batch are shrunk towards their means by empirical Bayes, so
    that those of small batches are not overestimated. They are learned from the training cases and applied
    to new cases of the same batches.

    Parameters
    ----------
    batches : Series, dict or mapping
        From the name of a case (the table's index) to its batch: scanner, site or protocol.
    reference : batch, optional
        Batch to which the others are adjusted; the mean of all batches if not given.
    n_iterations : int, default=100
        Maximum of the iterations of the empirical Bayes estimate; it ends earlier if it converges.

    Attributes
    ----------
    batches_ : ndarray
    shifts_, stretches_ : ndarray of shape (n_batches, n_features)
        Shifts in units of the pooled standard deviation, and variances in units of its square.
    mean_, standard_deviation_ : ndarray of shape (n_features,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    InputError
        The table is not a DataFrame, a case has no batch, a batch has a single training case, or a case to
        transform is of a batch that has no training case.

    Notes
    -----
    The labels are not used: where the proportion of the classes differs between sites, ComBat removes
    part of the signal, but using the labels would leak those of the test cases.

    References
    ----------
    Johnson, Li, Rabinovic, Adjusting batch effects in microarray expression data using empirical Bayes
    methods, Biostatistics 8 (2007) 118. Orlhac et al., A guide to ComBat harmonization of imaging
    biomarkers in multicenter studies, J. Nuclear Medicine 63 (2022) 172.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from radiodeep import BatchHarmonizer
    >>> rng = np.random.default_rng(0)
    >>> site = pd.Series(["A", "B"] * 30, index=[f"c{n}" for n in range(60)])
    >>> table = pd.DataFrame(rng.normal(size=(60, 40)), index=site.index, columns=[f"f{n}" for n in range(40)])
    >>> table[site == "B"] = table[site == "B"] * 2 + 3
    >>> even = BatchHarmonizer(site).fit_transform(table)
    >>> round(float((table[site == "B"] - table[site == "A"].mean()).mean().mean()), 1)
    3.0
    >>> bool(abs((even[site == "B"] - even[site == "A"].mean()).mean().mean()) < 0.05)
    True
    """

    needs_names = True  # a study passes the DataFrame, not an array

    def __init__(self, batches, reference=None, n_iterations=100):
        self.batches = batches
        self.reference = reference
        self.n_iterations = n_iterations

    def fit(self, X, y=None):
        """Learn the shift and scale of each batch.

        Parameters
        ----------
        X : DataFrame of shape (n_cases, n_features)
            Its index names the cases.
        y : ignored
        """
        require(is_count(self.n_iterations, 1), self, "n_iterations", "an int >= 1")
        batches = self._batches_of(X)
        values = validate_data(self, X, dtype=np.float64)
        self.batches_, member, counts = np.unique(batches, return_inverse=True, return_counts=True)
        if counts.min() < 2:
            raise InputError(
                f"Batch {self.batches_[counts.argmin()]} has one training case only, from which its scale cannot be "
                "estimated. Join it to a similar batch, or leave it out."
            )
        known = list(self.batches_)
        if self.reference is not None and self.reference not in known:
            raise invalid(self, "reference", f"a batch of the training cases: {known}", self.reference)
        means = np.array([values[member == batch].mean(axis=0) for batch in range(len(known))])
        if self.reference is None:
            self.mean_ = (counts / len(values)) @ means
            residual = values - means[member]
        else:
            self.mean_ = means[known.index(self.reference)]
            chosen = member == known.index(self.reference)
            residual = values[chosen] - self.mean_
        deviation = np.sqrt((residual**2).mean(axis=0))
        self.standard_deviation_ = np.where(deviation > 0, deviation, 1.0)
        standard = (values - self.mean_) / self.standard_deviation_
        self.shifts_, self.stretches_ = np.zeros(means.shape), np.ones(means.shape)
        for batch, name in enumerate(known):
            if name != self.reference:
                part = standard[member == batch]
                self.shifts_[batch], self.stretches_[batch] = _pooled(part, deviation > 0, self.n_iterations)
        return self

    def transform(self, X):
        """Return the table without the shifts and scales, a DataFrame with the same index and columns."""
        check_is_fitted(self)
        batches = self._batches_of(X)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        known = list(self.batches_)
        unknown = [batch for batch in dict.fromkeys(batches.tolist()) if batch not in known]
        if unknown:
            raise InputError(
                f"Batch {unknown[0]!r} was not among the training cases ({', '.join(map(str, self.batches_))}), so its "
                "shift is unknown. Fit with cases of this batch, or leave its cases out."
            )
        member = np.array([known.index(batch) for batch in batches])
        standard = (values - self.mean_) / self.standard_deviation_
        even = (standard - self.shifts_[member]) / np.sqrt(self.stretches_[member])
        return pd.DataFrame(even * self.standard_deviation_ + self.mean_, index=X.index, columns=X.columns)

    def _batches_of(self, X):
        check_names_cases(self, X)
        batches = pd.Series(self.batches).dropna()
        without = [case for case in X.index if case not in batches.index]
        if without:
            raise InputError(f"{len(without)} cases have no batch, e.g. {without[0]!r}. Name it in 'batches'.")
        return batches.loc[X.index].to_numpy()


def _pooled(standard, varies, n_iterations):
    """Return the shift and variance (p,) of one batch (n, p), shrunk towards the mean over all features.

    Johnson et al.: the shifts of all features are drawn from a normal distribution and the variances from an inverse
    gamma distribution, whose parameters are the moments of the estimates per feature. The posterior means of shift and
    variance depend on each other, so they are computed in turn until neither changes by more than 1e-4. Features that
    do not vary (`varies` is False) keep the shift 0 and the variance 1.
    """
    shift, variance = standard.mean(axis=0), standard.var(axis=0, ddof=1)
    if varies.sum() < 2:
        return shift, np.where(variance > 0, variance, 1.0)
    prior_shift, prior_spread = shift[varies].mean(), shift[varies].var(ddof=1)
    mean, spread = variance[varies].mean(), variance[varies].var(ddof=1)
    if prior_spread <= 0 or spread <= 0:
        return shift, np.where(variance > 0, variance, 1.0)
    # The inverse gamma distribution of those moments.
    shape, scale = (2 * spread + mean**2) / spread, (mean * spread + mean**3) / spread
    n = len(standard)
    new_shift, new_variance = shift, variance
    for _ in range(n_iterations):
        last_shift, last_variance = new_shift, new_variance
        new_shift = (n * prior_spread * shift + last_variance * prior_shift) / (n * prior_spread + last_variance)
        squares = ((standard - new_shift) ** 2).sum(axis=0)
        new_variance = (0.5 * squares + scale) / (n / 2 + shape - 1)
        shift_change = np.abs(new_shift - last_shift) / np.maximum(np.abs(last_shift), 1e-12)
        variance_change = np.abs(new_variance - last_variance) / last_variance.clip(1e-12)
        if max(shift_change[varies].max(), variance_change[varies].max()) < 1e-4:
            break
    return np.where(varies, new_shift, 0.0), np.where(varies, new_variance, 1.0)
