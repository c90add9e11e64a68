"""What a user passes to a study goes in; checked rows, labels and patients come out.

Labels, groups and sizes given as a pandas Series are matched with the rows by name, so that two tables in
different order cannot be mixed up silently.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from radiodeep.exceptions import LeakageError, SingleClassError, StudyError
from radiodeep.rows import remembered_patients

_LARGEST_FEATURE = 1e100  # beyond it, squares and products of features overflow
_COPY_OF_THE_LABEL = 0.95  # absolute correlation of a feature with the label from which a warning is given
_FEWEST_FOR_COPIES = 12  # cases; with fewer, noise reaches that correlation


@dataclass(frozen=True, eq=False)
class StudyInput:
    """The rows of a study and what is known of each.

    Attributes
    ----------
    X : list of cases, DataFrame or ndarray
    y : ndarray of shape (n_cases,)
    classes : ndarray of shape (2,)
        The negative and the positive class.
    ids : list
    patients : list or None
        None if unknown.
    groups : ndarray of str of shape (n_cases,) or None
        What must stay on one side of a fold: as given, or the patients if one of them has several cases.
    """

    X: object
    y: np.ndarray
    classes: np.ndarray
    ids: list
    patients: list | None
    groups: np.ndarray | None

    @property
    def has_cases(self):
        return not hasattr(self.X, "shape")

    @property
    def positive_column(self):
        """Column of the positive class in `predict_proba`, whose classes are sorted."""
        return int(self.classes[1] > self.classes[0])

    def take(self, rows):
        """Return the input of some rows, given as positions."""
        chosen = {
            name: None if values is None else [values[row] for row in rows]
            for name, values in (("ids", self.ids), ("patients", self.patients))
        }
        groups = None if self.groups is None else self.groups[rows]
        X = [self.X[row] for row in rows] if self.has_cases else _rows_of_table(self.X, rows)
        y, _ = _checked_labels(self.y[rows], len(rows), self.classes[1])
        return replace(self, X=X, y=y, groups=groups, **chosen)


def study_input(X, y, groups=None, positive=None, need_patients=True):
    """Check X, y and groups, and return them as a `StudyInput`.

    Parameters
    ----------
    X : Cohort, sequence of Case, object array or one-column DataFrame of Case, DataFrame or ndarray of numbers
    y, groups : array-like of shape (n_cases,)
        A Series is matched with the rows of X by its index.
    positive : optional
        The positive class; the one that sorts last if not given.
    need_patients : bool, default=True
        Whether a table whose rows are named like cases of few patients, but which does not know them, is refused.

    Raises
    ------
    StudyError
        X is not a dense table or a sequence of cases, labels are missing, of several types or of more than two
        classes, or names of rows and labels differ.
    SingleClassError
        `y` holds one class only.
    LeakageError
        A case comes twice, and `groups` does not keep its rows together.
    """
    X = _cases_or_table(X)
    ids = row_names(X)
    if not ids:
        raise StudyError("There is no case to study.")
    y, classes = _checked_labels(aligned(y, X, "y"), len(ids), positive)
    groups = checked_groups(aligned(groups, X, "groups"), len(y))
    _refuse_repeated_ids(ids, groups)
    patients = patients_of(X)
    if groups is None and patients is None and need_patients:
        _refuse_forgotten_patients(ids)
    if groups is None and patients is not None and len(set(patients)) < len(patients):
        groups = checked_groups(patients, len(y))
    return StudyInput(X, y, classes, ids, patients, groups)


def row_names(X):
    """Return the ids of cases, the row names of a DataFrame, or the positions of the rows of an array."""
    if hasattr(X, "ids"):
        return list(X.ids)
    if hasattr(X, "iloc"):
        return list(X.index)
    if not hasattr(X, "shape") and all(hasattr(case, "id") for case in X):
        return [case.id for case in X]
    return list(range(len(X)))


def patients_of(X):
    """Return the patient of each row, or None if unknown.

    Cases know theirs; a table of `extract_table` has them in ``attrs["patients"]``, by case id.
    """
    if hasattr(X, "patients"):
        return list(X.patients)
    if hasattr(X, "attrs"):
        known = X.attrs.get("patients")
        named = isinstance(known, dict) and any(name in known for name in X.index)
        return [known.get(name, name) for name in X.index] if named else None
    if not hasattr(X, "shape") and len(X) and all(hasattr(case, "patient") for case in X):
        return [case.patient for case in X]
    return None


def aligned(values, X, name):
    """Return a Series in the order of the rows of X, and anything else as it is.

    An array X, or a Series numbered from 0, names no rows: then the order is taken as it is.

    Raises
    ------
    StudyError
        The Series names other cases than X; the message gives the first that differs. Or one is numbered from 0
        and the other has these numbers in another order, so that they may be names or positions.
    """
    if not isinstance(values, pd.Series) or isinstance(X, np.ndarray) or len(values) != len(X):
        return values
    ids, index = row_names(X), values.index
    names, numbers = index.tolist(), list(range(len(ids)))
    if names == ids:
        return values.to_numpy()
    are_the_same = index.is_unique and set(names) == set(ids)
    if are_the_same and numbers in (names, ids):
        raise StudyError(
            f"X and '{name}' hold the same row numbers in different order, and one of them counts from 0 to "
            f"{len(ids) - 1}, as a new index does. Pass {name}.loc[X.index] if the numbers name the cases, or "
            f"{name}.to_numpy() if both are in the same order."
        )
    if are_the_same:
        return values.loc[ids].to_numpy()
    if names == numbers:
        return values.to_numpy()
    mine, other = next(pair for pair in zip(ids, names, strict=True) if pair[0] != pair[1])
    raise StudyError(
        f"X and '{name}' name different cases: the first that differs is {mine!r} in X and {other!r} in '{name}'. "
        f"Give both the same index, or pass {name}.to_numpy() if both are in the same order."
    )


def checked_groups(groups, n_cases):
    """Return groups as an array of text (n_cases,), or None; raise StudyError if some are missing or too many."""
    if groups is None:
        return None
    groups = list(groups)
    if len(groups) != n_cases:
        raise StudyError(f"Expected one group per case: there are {n_cases} cases and {len(groups)} groups.")
    missing = sum(group is None or group != group for group in groups)
    if missing:
        raise StudyError(f"{missing} of {n_cases} groups are missing. Give every case its patient.")
    return np.array([str(group) for group in groups])


def failed_rows(X):
    """Return, by position, why rows of a table hold no number at all: the recorded errors of `extract_table`."""
    if not hasattr(X, "attrs") or not X.shape[1]:
        return {}
    errors = X.attrs.get("errors") or {}
    empty = np.flatnonzero(X.isna().to_numpy().all(axis=1))
    return {int(row): errors.get(X.index[row], "StudyError: all its features are NaN") for row in empty}


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
    """Say in a sentence which values of a table are NaN; empty if none is."""
    missing = np.argwhere(np.isnan(values))
    if not len(missing):
        return ""
    row, column = missing[0]
    return (
        f"{len(missing)} values of the table are NaN, in {len(set(missing[:, 0]))} cases: the first is feature "
        f"{str(names[column])!r} of case {ids[row]!r}. Put sklearn.impute.SimpleImputer first in the pipeline, or "
        "leave those cases or features out."
    )


def suspicions(values, names, ids, positive):
    """Return sentences about what makes results of a table too good: equal rows, and copies of the label.

    Parameters
    ----------
    values : ndarray of shape (n_cases, n_features)
    names : sequence of n_features names
    ids : list
    positive : bool ndarray of shape (n_cases,)
    """
    found = []
    twins = _equal_rows(values)
    if twins:
        first, second = twins[0]
        found.append(
            f"{len(twins)} case{'s have' if len(twins) > 1 else ' has'} the same features as another case, e.g. "
            f"{ids[second]!r} as {ids[first]!r}. If they are the same lesion under two names, each predicts the other: "
            "keep one, or give both one patient."
        )
    copies = [repr(str(names[column])) for column in _copies_of_the_label(values, positive)]
    if copies:
        more = f" and {len(copies) - 3} more" if len(copies) > 3 else ""
        found.append(
            f"Feature{'s' if len(copies) > 1 else ''} {', '.join(copies[:3])}{more} "
            f"{'are' if len(copies) > 1 else 'is'} equal or nearly equal to the label (correlation above "
            f"{_COPY_OF_THE_LABEL}). What was made from the outcome has to be dropped: the AUC says nothing then."
        )
    return found


def rows_in_both(train, test):
    """Return pairs of positions, in the training and in the test table, of rows with equal features."""
    values = [
        table.to_numpy(dtype=np.float64, na_value=np.nan) if hasattr(table, "iloc") else np.asarray(table, np.float64)
        for table in (train, test)
    ]
    pairs = _equal_rows(np.vstack(values))
    return [(first, second - len(train)) for first, second in pairs if first < len(train) <= second]


def _cases_or_table(X):
    """Return cases as a list, and tables as they are."""
    cells = X.to_numpy() if hasattr(X, "iloc") and X.shape[1:] == (1,) else X
    if isinstance(cells, np.ndarray) and cells.dtype == object and cells.shape in ((len(cells),), (len(cells), 1)):
        listed = list(cells.ravel())
        if listed and all(hasattr(case, "id") and hasattr(case, "patient") for case in listed):
            return listed
    shape = getattr(X, "shape", (0, 0))
    if len(shape) != 2 or (hasattr(X, "toarray") and not hasattr(X, "columns")):
        raise StudyError(
            f"Expected a dense table of cases x features. Got {type(X).__name__} of shape {shape}; of one feature "
            "take X.reshape(-1, 1) or frame[[name]], of a sparse matrix X.toarray()."
        )
    columns = getattr(X, "columns", None)
    if columns is not None and not columns.is_unique:
        raise StudyError(
            f"The column {str(columns[columns.duplicated()][0])!r} comes twice, so that selected features could not be "
            "told apart. Rename one of them, e.g. with add_prefix before tables are joined."
        )
    return X


def _checked_labels(y, n_cases, positive):
    y = np.asarray(y)
    if y.ndim != 1 or len(y) != n_cases:
        raise StudyError(f"Expected one label per case: there are {n_cases} cases and labels of shape {y.shape}.")
    if pd.isna(y).any() or (y.dtype.kind == "f" and np.isinf(y).any()):
        n_missing = int(pd.isna(y).sum()) or int(np.isinf(y).sum())
        raise StudyError(f"{n_missing} of {len(y)} labels are missing. Leave those cases out.")
    try:
        classes = np.unique(y)
    except TypeError as error:
        raise StudyError("The labels are of several types, such as text and numbers. Make them all of one.") from error
    if y.dtype == object:  # numbers or texts in a column of objects, which scikit-learn would refuse
        y = np.array(y.tolist())
        classes = np.unique(y)
    if len(classes) == 1:
        raise SingleClassError(f"All {len(y)} cases have the label {classes[0]}. An AUC needs two classes.")
    if len(classes) > 2:
        raise StudyError(
            f"An AUC is defined for two classes. Got {len(classes)}: {', '.join(map(str, classes[:6]))}. "
            "Study one class against the others, e.g. y == 'large'."
        )
    if positive is None:
        return y, classes
    if not (classes == positive).any():
        raise StudyError(f"The 'positive' parameter must be one of the labels, {classes.tolist()}. Got {positive!r}.")
    return y, classes if classes[1] == positive else classes[::-1]


def _refuse_forgotten_patients(ids):
    patients = remembered_patients(ids)
    if patients is not None and len(set(patients)) < len(patients):
        repeated = next(patient for patient in patients if patients.count(patient) > 1)
        raise LeakageError(
            "The table does not know its patients, as after a join or concat of pandas, but its rows are named like "
            f"cases that do: patient {str(repeated)!r} has several of them. Pass groups, e.g. cohort.patients in the "
            "order of the rows; if these are other cases, groups=X.index."
        )


def _refuse_repeated_ids(ids, groups):
    first_row = {}
    for row, name in enumerate(ids):
        first = first_row.setdefault(name, row)
        if first != row and (groups is None or groups[first] != groups[row]):
            raise LeakageError(
                f"Case {name!r} comes twice, in rows {first} and {row}, and would be on both sides of a fold. Leave "
                "one out, rename them if they are different cases (reset_index of a DataFrame), or pass groups that "
                "keep both together."
            )


def _rows_of_table(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _equal_rows(values):
    """Return pairs of positions of rows that are equal; whole numbers and NaN alone are no sign of a copy."""
    if not values.shape[1]:
        return []
    fractional = (np.isfinite(values) & (values != np.round(values))).sum(axis=1) >= min(3, values.shape[1])
    first_row, pairs = {}, []
    for row in np.flatnonzero(fractional):
        first = first_row.setdefault(values[row].tobytes(), row)
        if first != row:
            pairs.append((int(first), int(row)))
    return pairs


def _copies_of_the_label(values, positive):
    """Return the columns that are as strongly correlated with the label as only a copy of it is."""
    if len(positive) < _FEWEST_FOR_COPIES or not values.shape[1]:
        return []
    centred_label = positive - positive.mean()
    with np.errstate(all="ignore"):  # constant columns have no correlation
        centred = values - values.mean(axis=0)
        gaps = np.flatnonzero(np.isnan(centred).any(axis=0))
        if len(gaps):  # a missing value counts as the mean of its column
            known = values[:, gaps]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
                centred[:, gaps] = np.nan_to_num(known - np.nanmean(known, axis=0))
        norms = np.sqrt(np.einsum("ij,ij->j", centred, centred) * (centred_label**2).sum())
        correlation = np.abs(centred_label @ centred) / norms
    return np.flatnonzero(correlation > _COPY_OF_THE_LABEL).tolist()
