"""A table and the same features of perturbed cases -> the features that perturbations hardly change."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import is_number, require
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.preparation.tables import check_names_cases
from radiodeep.selection.effective_number import effective_number_of_features


class StabilitySelector(SelectorMixin, BaseEstimator):
    """Keep the features that small changes of outline, position and noise hardly change.

    The intraclass correlation of a feature is the fraction of its variance that is between cases, not
    between the versions of one case; features below a limit are dropped. Only the versions of the training
    cases are used, so that in a pipeline nothing is learned from a test case.

    Parameters
    ----------
    perturbed : DataFrame
        Rows for the versions of each case, as `extract_perturbed` makes them: the index, or its level
        "id", names the cases; columns are those of the table. Versions are compared only with those of
        the same "reference", if the index has that level. Without it, all versions of a case are
        compared with each other and with its row of the table.
    limit : float, default=0.75
        Keep features with at least this intraclass correlation: 0.75 is called good, 0.9 excellent.

    Attributes
    ----------
    intraclass_correlations_ : ndarray of shape (n_features,)
        The lowest of `correlations_by_reference_`; features with NaN are not stable.
    correlations_by_reference_ : dict from str to ndarray of shape (n_features,)
        ICC(1,1) of the versions that have the same reference: "original" for changed outlines and noise,
        "translate 0.25" for moved images, as `extract_perturbed` calls them.
    effective_n_features_ : float
        The number of uncorrelated features that the stable ones are worth (`effective_number_of_features`).
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    InputError
        The table is not a DataFrame, a feature is missing in `perturbed`, or no training case has versions.

    Notes
    -----
    Interpolation smooths an image, which changes texture in one direction. A moved image compared with the original
    would therefore show how sensitive a feature is to smoothing, not to the position of the lesion on the voxel grid.

    If no feature reaches the limit, only the most stable feature is kept, with a `RadiodeepWarning`.

    References
    ----------
    Zwanenburg et al., Assessing robustness of radiomic features by image perturbation, Scientific
    Reports 9 (2019) 614. Shrout, Fleiss, Intraclass correlations, Psychological Bulletin 86 (1979) 420.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from radiodeep import StabilitySelector
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame(rng.normal(size=(20, 2)), columns=["firm", "shaky"], index=[f"c{n}" for n in range(20)])
    >>> versions = pd.concat([table + rng.normal(size=table.shape) * [0.1, 2.0] for _ in range(3)])
    >>> StabilitySelector(versions).fit(table).get_feature_names_out().tolist()
    ['firm']
    >>> StabilitySelector(versions).fit(table.to_numpy())
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: StabilitySelector needs a DataFrame whose index names the cases, ...
    """

    needs_names = True  # a study passes the DataFrame, not an array

    def __init__(self, perturbed, limit=0.75):
        self.perturbed = perturbed
        self.limit = limit

    def fit(self, X, y=None):
        """Measure how stable each feature is.

        Parameters
        ----------
        X : DataFrame of shape (n_cases, n_features)
            Its index names the cases.
        y : ignored
        """
        require(is_number(self.limit) and self.limit <= 1, self, "limit", "a number <= 1")
        require(isinstance(self.perturbed, pd.DataFrame), self, "perturbed", "a DataFrame")
        check_names_cases(self, X)
        validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        absent = [name for name in X.columns if name not in self.perturbed.columns]
        if absent:
            raise InputError(
                f"{len(absent)} features of the table are not in the perturbed one, e.g. {absent[0]!r}. "
                "Make both with the same extractor."
            )
        self.correlations_by_reference_ = self._correlations(X)
        self.intraclass_correlations_ = np.min(list(self.correlations_by_reference_.values()), axis=0)
        stable = self.intraclass_correlations_ >= self.limit
        if not stable.any():
            best = int(np.argmax(np.nan_to_num(self.intraclass_correlations_, nan=-np.inf)))
            stable[best] = True
            warnings.warn(
                f"No feature has an intraclass correlation of {self.limit:g}; only the most stable one, "
                f"{X.columns[best]!r} ({self.intraclass_correlations_[best]:.2f}), is kept. Lower the limit.",
                RadiodeepWarning,
                stacklevel=2,
            )
        self.support_ = stable
        self.effective_n_features_ = effective_number_of_features(X.to_numpy(np.float64, na_value=np.nan)[:, stable])
        return self

    def _correlations(self, X):
        """Return the intraclass correlations of each group of versions with the same reference."""
        versions, columns = self.perturbed, list(X.columns)
        ids = versions.index.get_level_values("id" if "id" in versions.index.names else 0)
        is_known = ids.isin(X.index)
        if not is_known.any():
            raise InputError(
                f"None of the {len(X)} cases, e.g. {X.index[0]!r}, is in the perturbed table. "
                "Its index, or the level 'id' of it, must hold the names of the cases."
            )
        versions, ids = versions.loc[is_known, columns], ids[is_known]
        if "reference" not in versions.index.names:
            unperturbed = X.loc[X.index.isin(ids)]
            values = np.vstack([unperturbed.to_numpy(float, na_value=np.nan), versions.to_numpy(float)])
            return {"table": intraclass_correlations(values, np.concatenate([unperturbed.index, ids]))}
        references = versions.index.get_level_values("reference")
        values = versions.to_numpy(float)
        correlations = {}
        for reference in dict.fromkeys(references):
            is_of_group = references == reference
            if ids[is_of_group].has_duplicates:  # a reference without versions cannot be compared
                correlations[str(reference)] = intraclass_correlations(values[is_of_group], ids[is_of_group])
        if not correlations:
            raise InputError(
                "The perturbed table has only references and no other versions. Pass perturbations to "
                "extract_perturbed."
            )
        return correlations

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_


def intraclass_correlations(values, cases):
    """Return ICC(1,1) of each column of values (n_measurements, n_features), of which NaN is left out.

    `cases` (n_measurements,) are the cases that were measured. NaN is returned where no case was measured twice, or all
    values are equal. With the mean squares between and within cases, and k measurements of each case (averaged as for
    unequal numbers),

        ICC(1,1) = (between - within) / (between + (k - 1) * within)
    """
    _, member = np.unique(np.asarray(cases, dtype=str), return_inverse=True)
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    centre = np.divide(filled.sum(axis=0), known.sum(axis=0), out=np.zeros(values.shape[1]), where=known.any(axis=0))
    filled = np.where(known, values - centre, 0.0)
    shape = (member.max() + 1, values.shape[1])
    counts, sums = np.zeros(shape), np.zeros(shape)
    np.add.at(counts, member, known)
    np.add.at(sums, member, filled)
    n_cases, n_values = (counts > 0).sum(axis=0), counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(counts > 0, sums / counts, 0.0)
        grand = sums.sum(axis=0) / n_values
        between = (counts * (means - grand) ** 2).sum(axis=0) / (n_cases - 1)
        within = (filled**2).sum(axis=0) - (counts * means**2).sum(axis=0)
        within = np.maximum(within, 0.0) / (n_values - n_cases)
        per_case = (n_values - (counts**2).sum(axis=0) / n_values) / (n_cases - 1)
        return (between - within) / (between + (per_case - 1) * within)
