"""Extractor and cases that were measured again -> the repeatability of each feature, and a filter by it."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.cohort import as_cases
from radiodeep.checks import is_number, require, require_option, require_probability
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.features.table import extract_table
from radiodeep.preparation.agreement import AGREEMENTS, agreements

CRITERIA = ("icc", "lower bound")
_FEWEST = 3  # cases that were measured again
_MOST_LISTED = 5


def repeatability(
    extractor,
    cohort,
    repeat=None,
    kind="absolute",
    confidence_level=0.95,
    n_jobs=None,
    cache_dir=None,
    on_error="raise",
):
    """Measure how well each feature repeats when the same lesions are outlined or imaged again.

    Parameters
    ----------
    extractor : RadiomicsExtractor, DeepFeatureExtractor or any stateless transformer of cases
    cohort : Cohort or sequence of Case
        With `case.repeats`, e.g. from the columns mask_reader2 or image_retest of a manifest. Cases that were not
        measured again are left out.
    repeat : str or sequence of str, optional
        Which of the repeats, e.g. "reader2", or ("reader2", "reader3") for three readers together. May be left out if
        the cases have only one.
    kind : {"absolute", "consistency"}, default="absolute"
        "absolute" is ICC(2,1), which counts a constant difference as disagreement; "consistency" is ICC(3,1).
    confidence_level : float, default=0.95
    n_jobs, cache_dir, on_error
        As in `extract_table`. With ``on_error="record"``, measurements that fail are left out.

    Returns
    -------
    DataFrame
        A row per feature: `icc` with its bounds `low` and `high`; `within_sd`, the standard deviation of the
        measurements of one lesion, and `within_cv`, the same as a fraction of their mean (NaN for features of both
        signs); `repeatability_coefficient`, which the difference of two measurements of a lesion exceeds in 5 % of
        cases; `n`, the number of lesions. ``attrs["left_out"]`` lists the ids of the cases that were not measured
        again, ``attrs["errors"]`` those that failed, ``attrs["repeat"]`` the repeats.

    Raises
    ------
    InputError
        Fewer than three cases were measured again, or they have several repeats and none is chosen.

    References
    ----------
    K. O. McGraw, S. P. Wong, Forming inferences about some intraclass correlation coefficients, Psychological Methods
    1 (1996) 30. J. M. Bland, D. G. Altman, Measuring agreement in method comparison studies, Statistical Methods in
    Medical Research 8 (1999) 135, section 2: repeatability coefficient 1.96 sqrt(2) within_sd.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(6, random_state=0)
    >>> def measured_again(case):
    ...     return case.replace(repeats={"reader2": case.replace(mask=np.roll(case.roi, 1, axis=2))})
    >>> shape = rd.RadiomicsExtractor(families=["shape", "firstorder"])
    >>> table = rd.repeatability(shape, [measured_again(case) for case in cohort])
    >>> table.loc[["original_shape_VoxelVolume", "original_firstorder_Minimum"], ["icc", "n"]].round(2)
                                  icc  n
    feature
    original_shape_VoxelVolume   1.00  6
    original_firstorder_Minimum  0.69  6
    """
    require_option(kind, AGREEMENTS, repeatability, "kind")
    require_probability(confidence_level, repeatability, "confidence_level")
    cases = as_cases(cohort)
    names = _chosen_repeats(cases, repeat)
    measured = [case for case in cases if all(name in case.repeats for name in names)]
    _check_number(len(measured), len(cases), names)
    again = [case.repeats[name].replace(id=f"{case.id}, {name}") for name in names for case in measured]
    table = extract_table(extractor, [*measured, *again], n_jobs, cache_dir, on_error)
    values = table.to_numpy().reshape(1 + len(names), len(measured), -1).swapaxes(0, 1)
    repeated = agreement_table(values, table.columns, kind, confidence_level)
    is_measured = {case.id for case in measured}
    repeated.attrs = {
        "repeat": names,
        "kind": kind,
        "left_out": [case.id for case in cases if case.id not in is_measured],
        "errors": table.attrs["errors"],
    }
    return repeated


def agreement_table(values, columns, kind="absolute", confidence_level=0.95):
    """Return the table of `repeatability`, without attrs, of values (n_cases, n_measurements, n_features)."""
    found = agreements(values, kind, confidence_level)
    table = pd.DataFrame(found._asdict(), index=columns.rename("feature"))
    table.insert(5, "repeatability_coefficient", 1.96 * 2**0.5 * found.within_sd)
    return table


def family_of(name):
    """Return the part of a feature's name that names its family, as glcm in original_glcm_Contrast."""
    parts = str(name).split("_")
    return parts[-2] if len(parts) > 1 else "features"


class RepeatableFeatures(TransformerMixin, BaseEstimator):
    """An extractor that keeps only features that repeat well in the training cases that were measured again.

    In a pipeline it is fitted in each fold, so that nothing is learned from a test case. New cases need no repeat.

    Parameters
    ----------
    extractor : RadiomicsExtractor, DeepFeatureExtractor or any stateless transformer of cases
    threshold : float, default=0.75
        Keep features whose intraclass correlation is at least this: 0.75 is called good, 0.9 excellent.
    on : {"icc", "lower bound"}, default="icc"
        What must reach the threshold, the estimate or the lower bound of its 95 % interval.
    repeat : str or sequence of str, optional
        As in `repeatability`. By default features must repeat well in each of the repeats that the cases have.
    kind : {"absolute", "consistency"}, default="absolute"
        As in `repeatability`.

    Attributes
    ----------
    extractor_ : fitted extractor
    icc_, lower_bounds_ : ndarray of shape (n_features,)
        Of all features of the extractor, the lowest of all repeats; NaN for features that do not differ between
        cases, which are dropped.
    support_ : bool ndarray of shape (n_features,)
    n_repeated_ : int
        The number of training cases that were measured again; the lowest of all repeats.
    n_features_in_ : int
        The number of features of the extractor.

    Raises
    ------
    InputError
        Fewer than three training cases were measured again.

    Warns
    -----
    RadiodeepWarning
        No feature reaches the threshold, and only the most repeatable one is kept.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> def measured_again(case):
    ...     return case.replace(repeats={"reader2": case.replace(mask=np.roll(case.roi, 1, axis=2))})
    >>> cohort = [measured_again(case) for case in rd.make_phantom_cohort(6, random_state=0)]
    >>> extractor = rd.RadiomicsExtractor(families=["firstorder"])
    >>> repeatable = rd.RepeatableFeatures(extractor, threshold=0.9).fit(cohort)
    >>> repeatable.n_features_in_, repeatable.transform(cohort).shape
    (18, (6, 3))
    """

    reads_images = False  # by itself
    measures_repeats = True  # studies compute the features of the repeats once for all folds

    def __init__(self, extractor, threshold=0.75, on="icc", repeat=None, kind="absolute"):
        self.extractor = extractor
        self.threshold = threshold
        self.on = on
        self.repeat = repeat
        self.kind = kind

    def fit(self, X, y=None):
        """Measure the training cases and their repeats, and choose the features to keep.

        Parameters
        ----------
        X : Cohort or sequence of Case
        y : outcomes, for extractors that learn
        """
        self._fit(X, y)
        return self

    def fit_transform(self, X, y=None):
        """Fit, and return the features that are kept, (n_cases, n_kept)."""
        return self._fit(X, y)[:, self.support_]

    def transform(self, X):
        """Return the features that are kept, (n_cases, n_kept)."""
        check_is_fitted(self)
        return np.asarray(self.extractor_.transform(X))[:, self.support_]

    def get_support(self, indices=False):
        """Return which features of the extractor are kept, as a mask or as positions."""
        check_is_fitted(self)
        return np.flatnonzero(self.support_) if indices else self.support_

    def get_feature_names_out(self, input_features=None):
        check_is_fitted(self)
        return np.asarray(self.extractor_.get_feature_names_out(), dtype=object)[self.support_]

    def _fit(self, X, y):
        """Fit, and return all features of the training cases."""
        require(is_number(self.threshold) and self.threshold <= 1, self, "threshold", "a number <= 1")
        require_option(self.on, CRITERIA, self, "on")
        require_option(self.kind, AGREEMENTS, self, "kind")
        cases = as_cases(X)
        known = _known_repeats(cases)
        compared = [[name] for name in known] if self.repeat is None else [_chosen_repeats(cases, self.repeat)]
        self.extractor_ = clone(self.extractor)
        rows = np.asarray(self.extractor_.fit_transform(cases, y), dtype=np.float64)
        found = [self._agreements(cases, rows, names) for names in compared]
        self.icc_ = np.min([each.icc for each in found], axis=0)
        self.lower_bounds_ = np.min([np.where(each.icc == 1, 1.0, each.low) for each in found], axis=0)
        self.n_repeated_ = min(int(each.n.max()) for each in found)
        self.n_features_in_ = rows.shape[1]
        reached = self.icc_ if self.on == "icc" else self.lower_bounds_
        self.support_ = reached >= self.threshold
        if not self.support_.any():
            self._keep_most_repeatable(reached)
        return rows

    def _agreements(self, cases, rows, names):
        """Return the `Agreements` of the features of cases, `rows`, with those of their repeats of these names."""
        chosen = [row for row, case in enumerate(cases) if all(name in case.repeats for name in names)]
        again = [self.extractor_.transform([cases[row].repeats[name] for row in chosen]) for name in names]
        found = agreements(np.stack([rows[chosen], *again], axis=1).astype(np.float64), self.kind)
        _check_number(found.n.max(), len(cases), names)
        return found

    def _keep_most_repeatable(self, reached):
        best = int(np.argmax(np.nan_to_num(reached, nan=-np.inf)))
        self.support_[best] = True
        warnings.warn(
            f"No feature of {type(self.extractor_).__name__} has an {self.on} of {self.threshold:g}; only the most "
            f"repeatable one, {self.get_feature_names_out()[0]!r} ({reached[best]:.2f}), is kept. Lower the threshold.",
            RadiodeepWarning,
            stacklevel=4,
        )


def _known_repeats(cases):
    """Return the names of all repeats of cases; raise InputError if there are none."""
    known = list(dict.fromkeys(name for case in cases for name in case.repeats))
    if not known:
        raise InputError(
            f"None of the {len(cases)} cases was measured again. Give the manifest a column mask_reader2 or "
            "image_retest, or cases repeats={'reader2': case.replace(mask=...)}."
        )
    return known


def _chosen_repeats(cases, repeat):
    """Return the names of the repeats to compare, those given or the only one that the cases have."""
    known = _known_repeats(cases)
    names = known if repeat is None else [repeat] if isinstance(repeat, str) else list(repeat)
    if repeat is None and len(known) > 1:
        raise InputError(f"The cases have the repeats {', '.join(known)}. Choose with repeat='{known[0]}'.")
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InputError(f"No case has the repeat {(unknown or [''])[0]!r}. They have {', '.join(known)}.")
    return names


def _check_number(n_measured, n_cases, names):
    if n_measured < _FEWEST:
        raise InputError(
            f"Repeatability needs {_FEWEST} cases or more that were measured again. Got {n_measured} of {n_cases} with "
            f"{', '.join(names)}."
        )
