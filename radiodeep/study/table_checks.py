"""The numbers of a table -> errors and sentences about values that make its study wrong or too good to be true.

Each message names the first case and feature concerned.
"""

import warnings

import numpy as np

from radiodeep.exceptions import StudyError

_LARGEST_FEATURE = 1e100  # squares and products of larger features overflow
_COPY_CORRELATION = 0.95  # absolute correlation of a feature with the outcome from which a warning is given
_FEWEST_FOR_COPIES = 12  # cases; with fewer, noise reaches that correlation


def check_magnitudes(values, names, ids):
    """Raise StudyError if a feature is infinite or so large that computing with it overflows."""
    is_wrong = (values > _LARGEST_FEATURE) | (values < -_LARGEST_FEATURE)
    if is_wrong.any():
        wrong = np.argwhere(is_wrong)
        row, column = wrong[0]
        raise StudyError(
            f"{len(wrong)} values of the table are infinite or beyond {_LARGEST_FEATURE:g}: the first is "
            f"{values[row, column]:g}, feature {str(names[column])!r} of case {ids[row]!r}. Correct it, or leave the "
            "case or the feature out."
        )


def missing_values(values, names, ids):
    """Return a sentence about the values of a table that are NaN; empty if there are none."""
    missing = np.argwhere(np.isnan(values))
    if not len(missing):
        return ""
    row, column = missing[0]
    return (
        f"{len(missing)} values of the table are NaN, in {len(set(missing[:, 0]))} cases: the first is feature "
        f"{str(names[column])!r} of case {ids[row]!r}. Put sklearn.impute.SimpleImputer into the pipeline, "
        "after the extractor if there is one, so that it learns in each fold; or leave those cases or features out."
    )


def suspicions(values, names, ids, outcome):
    """Return sentences about equal rows and about features that are copies of the outcome.

    `values` are (n_cases, n_features); `outcome` (n_cases,) are numbers, e.g. whether a case is of the positive class.
    """
    sentences = []
    equal_rows = _equal_rows(values)
    if equal_rows:
        first, second = equal_rows[0]
        sentences.append(
            f"{len(equal_rows)} case{'s have' if len(equal_rows) > 1 else ' has'} the same features as another case, "
            f"e.g. {ids[second]!r} as {ids[first]!r}. If they are the same lesion under two names, each predicts the "
            "other: keep one, or give both one patient."
        )
    return sentences + suspected_copies(values, names, outcome)


def suspected_copies(values, names, outcome):
    """Return a list of one sentence about features (n_cases, n_features) that are copies of the outcome, or none."""
    copies = [repr(str(names[column])) for column in _copies_of_outcome(values, outcome)]
    if not copies:
        return []
    more = f" and {len(copies) - 3} more" if len(copies) > 3 else ""
    return [
        f"Feature{'s' if len(copies) > 1 else ''} {', '.join(copies[:3])}{more} "
        f"{'are' if len(copies) > 1 else 'is'} equal or nearly equal to the outcome (correlation above "
        f"{_COPY_CORRELATION}). Drop features that were made from it: with them the results mean nothing."
    ]


def rows_in_both(train, test):
    """Return (training position, test position) of equal rows; none unless both tables hold only numbers."""
    if not (train.is_numeric and test.is_numeric):
        return []
    pairs = _equal_rows(np.vstack([train.numbers()[0], test.numbers()[0]]))
    return [(first, second - len(train)) for first, second in pairs if first < len(train) <= second]


def _equal_rows(values):
    """Return pairs of positions of equal rows, without rows of whole numbers and NaN, which may agree by chance."""
    if not values.shape[1]:
        return []
    fractional = (np.isfinite(values) & (values != np.round(values))).sum(axis=1) >= min(3, values.shape[1])
    first_row, pairs = {}, []
    for row in np.flatnonzero(fractional):
        first = first_row.setdefault(values[row].tobytes(), row)
        if first != row:
            pairs.append((int(first), int(row)))
    return pairs


def _copies_of_outcome(values, outcome):
    """Return the positions of the columns that correlate with the outcome as strongly as only a copy of it does."""
    if len(outcome) < _FEWEST_FOR_COPIES or not values.shape[1]:
        return []
    centred_outcome = outcome - outcome.mean()
    with np.errstate(all="ignore"):  # constant columns have no correlation
        centred = values - values.mean(axis=0)
        gaps = np.flatnonzero(np.isnan(centred).any(axis=0))
        if len(gaps):  # a missing value counts as the mean of its column
            known = values[:, gaps]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
                centred[:, gaps] = np.nan_to_num(known - np.nanmean(known, axis=0))
        norms = np.sqrt(np.einsum("ij,ij->j", centred, centred) * (centred_outcome**2).sum())
        correlation = np.abs(centred_outcome @ centred) / norms
    return np.flatnonzero(correlation > _COPY_CORRELATION).tolist()
