"""A table of several scanners or sites -> the table without their shifts and scales (ComBat)."""

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import invalid, is_count, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.preparation.tables import check_names_cases

UNSEEN = ("error", "unadjusted", "estimate")


class BatchHarmonizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Remove from each feature the shift and scale of the scanner or site (ComBat).

    The shifts and scales of all features of a batch are shrunk towards their means by empirical Bayes, so
    that those of small batches are not overestimated. They are learned from the training cases and applied
    to new cases of the same batches.

    Parameters
    ----------
    batches : Series, DataFrame or dict
        From the name of a case (the table's index) to its batch: scanner, site or protocol. Of a DataFrame the
        combination of its columns is the batch, e.g. of scanner and kernel.
    reference : batch, optional
        Batch to which the others are adjusted; the mean of all batches if not given.
    n_iterations : int, default=100
        Maximum of the iterations of the empirical Bayes estimate; it ends earlier if it converges.
    covariates : DataFrame, or dict of dicts, optional
        What is known of each case by its name, such as age and sex: their effect on the features is kept, so that
        batches may differ in them. Text, bools and categories are classes, others numbers. They must be known of new
        cases, so the outcome cannot be among them.
    unseen : {"error", "unadjusted", "estimate"}, default="error"
        What is done with new cases of a batch without training cases. "unadjusted" leaves them as they are: with the
        shift 0 and scale 1 of all training cases. "estimate" learns the shift and scale from the features of those new
        cases themselves, at least two that are transformed together; their outcomes are not needed. What becomes of a
        case then depends on the others.

    Attributes
    ----------
    batches_ : ndarray
    shifts_, stretches_ : ndarray of shape (n_batches, n_features)
        Shifts in units of the pooled standard deviation, and variances in units of its square.
    mean_, standard_deviation_ : ndarray of shape (n_features,)
    covariate_classes_ : dict
        The classes of each covariate by name, None for numbers.
    covariate_effects_ : ndarray of shape (n_columns, n_features)
        If there are covariates, the change of each feature per unit of a number, or from the first class of a covariate
        to each other one.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    InputError
        The table is not a DataFrame, a case has no batch or covariate, a batch has a single training case, covariates
        follow from the batch, or a case to transform is of a batch or class that has no training case. A study checks
        the batches of all its folds before the first is fitted.

    Notes
    -----
    The labels are not used: where the proportion of the classes differs between sites, ComBat removes
    part of the signal, but using the labels would leak those of the test cases. Covariates keep what they explain.

    With the mean m, the effects b of the covariates c, and the standard deviation s of what neither explains, a value y
    of a batch becomes ((y - m - b c) / s - shift) / sqrt(stretch) s + m + b c.

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

    Extractors before it in a pipeline must make tables with names: ``pipeline.set_output(transform="pandas")``. A model
    that was saved or fitted is told the batches of new cases by ``set_params(batchharmonizer__batches=...)``.
    """

    needs_names = True  # a study passes the DataFrame, not an array
    covariates, covariate_classes_, unseen = None, {}, "error"  # of models saved before there were any

    def __init__(self, batches, reference=None, n_iterations=100, covariates=None, unseen="error"):
        self.batches = batches
        self.reference = reference
        self.n_iterations = n_iterations
        self.covariates = covariates
        self.unseen = unseen

    def fit(self, X, y=None):
        """Learn the shift and scale of each batch, and the effects of the covariates.

        Parameters
        ----------
        X : DataFrame of shape (n_cases, n_features)
            Its index names the cases.
        y : ignored
        """
        require(is_count(self.n_iterations, 1), self, "n_iterations", "an int >= 1")
        require_option(self.unseen, UNSEEN, self, "unseen")
        check_names_cases(self, X)
        batches = self._batches_of(X.index)
        values = validate_data(self, X, dtype=np.float64)
        self.batches_, member, counts = np.unique(batches, return_inverse=True, return_counts=True)
        _check_counts(self.batches_, counts)
        known = list(self.batches_)
        if self.reference is not None and self.reference not in known:
            raise invalid(self, "reference", f"a batch of the training cases: {known}", self.reference)
        self.covariate_classes_ = {}
        if self.covariates is not None:
            covariates = self._covariates_of(X.index)
            self.covariate_classes_ = _classes_of(covariates)
            coded = _as_numbers(covariates, self.covariate_classes_)
            self.covariate_effects_ = self._covariate_effects(values, member, coded)
        kept = self._kept(X.index)
        means = np.array([(values - kept)[member == batch].mean(axis=0) for batch in range(len(known))])
        if self.reference is None:
            self.mean_ = (counts / len(values)) @ means
            chosen = np.full(len(values), True)
        else:
            self.mean_ = means[known.index(self.reference)]
            chosen = member == known.index(self.reference)
        residual = (values - kept - means[member])[chosen]
        deviation = np.sqrt((residual**2).mean(axis=0))
        self._varies = deviation > 0
        self.standard_deviation_ = np.where(self._varies, deviation, 1.0)
        standard = self._standardized(values, kept)
        self.shifts_, self.stretches_ = np.zeros(means.shape), np.ones(means.shape)
        for batch, name in enumerate(known):
            if name != self.reference:
                part = standard[member == batch]
                self.shifts_[batch], self.stretches_[batch] = _pooled(part, self._varies, self.n_iterations)
        return self

    def transform(self, X):
        """Return the table without the shifts and scales, a DataFrame with the same index and columns."""
        check_is_fitted(self)
        check_names_cases(self, X)
        batches = self._batches_of(X.index)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        kept = self._kept(X.index)
        standard = self._standardized(values, kept)
        even = np.empty_like(standard)
        for batch in dict.fromkeys(batches.tolist()):
            part = batches == batch
            shift, stretch = self._shift_and_stretch(batch, standard[part])
            even[part] = (standard[part] - shift) / np.sqrt(stretch)
        return pd.DataFrame(even * self.standard_deviation_ + self.mean_ + kept, index=X.index, columns=X.columns)

    def check_split(self, training, test):
        """Raise InputError if a fold cannot be fitted or transformed, from the names of its cases alone."""
        require_option(self.unseen, UNSEEN, self, "unseen")
        known, counts = np.unique(self._batches_of(training), return_counts=True)
        _check_counts(known, counts)
        for batch, count in zip(*np.unique(self._batches_of(test), return_counts=True), strict=True):
            if batch not in known:
                self._check_unseen(batch, count, known)

    def _shift_and_stretch(self, batch, standard):
        """Return shift and stretch (n_features,) of a batch, whose standardised values are used if it is unseen."""
        known = list(self.batches_)
        if batch in known:
            return self.shifts_[known.index(batch)], self.stretches_[known.index(batch)]
        self._check_unseen(batch, len(standard), known)
        if self.unseen == "unadjusted":
            return 0.0, 1.0
        return _pooled(standard, self._varies, self.n_iterations)

    def _check_unseen(self, batch, count, known):
        """Raise InputError for a number of cases of a batch without training cases, unless `unseen` allows them."""
        if self.unseen == "error":
            raise InputError(
                f"Batch {str(batch)!r} was not among the training cases ({', '.join(map(str, known))}), so its "
                "shift is unknown. Fit with cases of this batch, leave its cases out, or choose unseen='unadjusted' or "
                "'estimate'."
            )
        if self.unseen == "estimate" and count < 2:
            raise InputError(
                f"Batch {str(batch)!r} has no training case and one case to transform, from which its scale cannot be "
                "estimated. Transform more of its cases together, or choose unseen='unadjusted'."
            )

    def _covariate_effects(self, values, member, covariates):
        """Return the effects (n_covariates, n_features): least squares with an intercept for each batch."""
        within = [covariates.copy(), values.copy()]
        for table in within:
            for batch in range(len(self.batches_)):
                table[member == batch] -= table[member == batch].mean(axis=0)
        spread = covariates.std(axis=0)
        if np.linalg.matrix_rank(within[0] / np.where(spread > 0, spread, 1.0)) < covariates.shape[1]:
            raise InputError(
                "The covariates of the training cases follow from their batches or from each other, so their effects "
                "cannot be told apart: e.g. each batch has one value. Leave such a covariate out."
            )
        return np.linalg.lstsq(*within, rcond=None)[0]

    def _kept(self, names):
        """Return what the covariates explain of the features, (n_cases, n_features), or 0 if there are none."""
        if not self.covariate_classes_:
            return 0.0
        return _as_numbers(self._covariates_of(names), self.covariate_classes_) @ self.covariate_effects_

    def _standardized(self, values, kept):
        return (values - kept - self.mean_) / self.standard_deviation_

    def _batches_of(self, names):
        batches = self.batches
        if isinstance(batches, pd.DataFrame):
            batches = batches.dropna().astype(str).agg(", ".join, axis=1)
        batches = pd.Series(batches).dropna()
        _require_names(names, batches, "batch", "batches")
        return batches.loc[names].to_numpy()

    def _covariates_of(self, names):
        if not isinstance(self.covariates, pd.DataFrame | dict):
            raise invalid(self, "covariates", "a DataFrame whose index names the cases", self.covariates)
        known = pd.DataFrame(self.covariates).dropna()
        _require_names(names, known, "covariate", "covariates")
        return known.loc[names]


def _check_counts(batches, counts):
    if counts.min() < 2:
        raise InputError(
            f"Batch {batches[counts.argmin()]} has one training case only, from which its scale cannot be "
            "estimated. Join it to a similar batch, or leave it out."
        )


def _require_names(names, known, what, parameter):
    without = [case for case in names if case not in known.index]
    if without:
        raise InputError(f"{len(without)} cases have no {what}, e.g. {without[0]!r}. Name it in '{parameter}'.")
    twice = known.index[known.index.duplicated()].intersection(names)
    if len(twice):
        raise InputError(f"{twice[0]!r} comes twice in '{parameter}'. Keep one {what} of each case.")


def _classes_of(covariates):
    """Return the sorted classes of each covariate by name, None for numbers."""
    return {
        name: None if is_numeric_dtype(column) and column.dtype != bool else sorted(set(column.tolist()))
        for name, column in covariates.items()
    }


def _as_numbers(covariates, classes_of):
    """Return covariates as float64 (n_cases, n_columns): a column per number, and per class but the first."""
    columns = [np.zeros((len(covariates), 0))]
    for name, classes in classes_of.items():
        values = covariates[name].tolist()
        unknown = [] if classes is None else [value for value in values if value not in classes]
        if unknown:
            raise InputError(
                f"The covariate {name!r} is {unknown[0]!r} in no training case, so its effect is unknown. Join it to "
                "another class, or leave its cases out."
            )
        columns += [values] if classes is None else [[value == other for value in values] for other in classes[1:]]
    return np.column_stack(columns).astype(np.float64)


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
