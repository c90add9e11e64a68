"""A table of several scanners or sites in; the table without their shifts and stretches out (ComBat)."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import is_count, require
from radiodeep.exceptions import InputError


class BatchHarmonizer(TransformerMixin, BaseEstimator):
    """Take out of each feature what depends on the scanner or site: its shift and its stretch (ComBat).

    The shifts and stretches of all features of a batch are pooled by empirical Bayes, so that small
    batches are moved with care. They are learned from the training cases alone and applied to new ones
    of the same batches.

    Parameters
    ----------
    batches : Series, dict or mapping
        From the name of a case (the table's index) to its batch: scanner, site or protocol.
    reference : batch, optional
        Batch to which the others are brought; all together if not given.
    n_iterations : int, default=100
        At most, of the empirical Bayes estimate; it ends earlier when it stands still.

    Attributes
    ----------
    batches_ : ndarray
    shifts_, stretches_ : ndarray of shape (n_batches, n_features)
        In units of the pooled standard deviation, and of its square.
    mean_, standard_deviation_ : ndarray of shape (n_features,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    InputError
        The table is no DataFrame, a case has no batch, a batch has one training case only, or a case to
        transform is of a batch that was not in the training cases.

    Notes
    -----
    The label is not looked at: where sites differ in how many cases of each class they have, ComBat
    takes part of the signal away, and giving it the label would let the test labels leak.

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

    needs_names = True  # a study hands it the DataFrame, not an array

    def __init__(self, batches, reference=None, n_iterations=100):
        self.batches = batches
        self.reference = reference
        self.n_iterations = n_iterations

    def fit(self, X, y=None):
        """Learn the shift and stretch of each batch.

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
                f"Batch {self.batches_[counts.argmin()]} has one training case only, which says nothing of its "
                "stretch. Join it to a batch like it, or leave it out."
            )
        known = list(self.batches_)
        if self.reference is not None and self.reference not in known:
            raise InputError(f"The 'reference' {self.reference!r} is no batch of the training cases: {known}.")
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
        """Return the table without the shifts and stretches, a DataFrame of the same names."""
        check_is_fitted(self)
        batches = self._batches_of(X)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        known = list(self.batches_)
        unknown = [batch for batch in dict.fromkeys(batches.tolist()) if batch not in known]
        if unknown:
            raise InputError(
                f"Batch {unknown[0]!r} was not among the training cases ({', '.join(map(str, self.batches_))}), so its "
                "shift is not known. Fit with cases of it, or leave such cases out."
            )
        member = np.array([known.index(batch) for batch in batches])
        standard = (values - self.mean_) / self.standard_deviation_
        even = (standard - self.shifts_[member]) / np.sqrt(self.stretches_[member])
        return pd.DataFrame(even * self.standard_deviation_ + self.mean_, index=X.index, columns=X.columns)

    def get_feature_names_out(self, input_features=None):
        """Return the names that came in."""
        check_is_fitted(self)
        return np.asarray(self.feature_names_in_, dtype=object)

    def _batches_of(self, X):
        if not isinstance(X, pd.DataFrame):
            raise InputError(
                "BatchHarmonizer needs a DataFrame whose index names the cases, and must come before steps that make "
                f"arrays. Got {type(X).__name__} instead; extract_table makes such a table."
            )
        batches = pd.Series(self.batches)
        without = [case for case in X.index if case not in batches.index]
        if without:
            raise InputError(f"{len(without)} cases have no batch, e.g. {without[0]!r}. Name it in 'batches'.")
        return batches.loc[X.index].to_numpy()


def _pooled(standard, varies, n_iterations):
    """Return shift and stretch (p,) of one batch (n, p), each drawn to the mean of all features."""
    shift, stretch = standard.mean(axis=0), standard.var(axis=0, ddof=1)
    if varies.sum() < 2:
        return shift, np.where(stretch > 0, stretch, 1.0)
    centre, spread = shift[varies].mean(), shift[varies].var(ddof=1)
    mean, variance = stretch[varies].mean(), stretch[varies].var(ddof=1)
    if spread <= 0 or variance <= 0:
        return shift, np.where(stretch > 0, stretch, 1.0)
    # The inverse gamma distribution of those moments.
    shape, scale = (2 * variance + mean**2) / variance, (mean * variance + mean**3) / variance
    n = len(standard)
    new_shift, new_stretch = shift, stretch
    for _ in range(n_iterations):
        last_shift, last_stretch = new_shift, new_stretch
        new_shift = (n * spread * shift + last_stretch * centre) / (n * spread + last_stretch)
        squares = ((standard - new_shift) ** 2).sum(axis=0)
        new_stretch = (0.5 * squares + scale) / (n / 2 + shape - 1)
        moved = np.abs(new_shift - last_shift) / np.maximum(np.abs(last_shift), 1e-12)
        stretched = np.abs(new_stretch - last_stretch) / last_stretch.clip(1e-12)
        if max(moved[varies].max(), stretched[varies].max()) < 1e-4:
            break
    return np.where(varies, new_shift, 0.0), np.where(varies, new_stretch, 1.0)
