"""The X that a user passes to a study -> checked rows, ids and patients.

Only `rows_of` decides whether X holds cases, a DataFrame or an array. Outcomes, groups and sizes given as a Series are
matched with the rows by name, so that two tables in different order cannot be mixed up silently.
"""

from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
import pandas as pd

from radiodeep.checks import invalid, is_option
from radiodeep.exceptions import LeakageError, StudyError
from radiodeep.rows import remembered_patients
from radiodeep.study.centres import checked_centres

_SHAPES = ("shape_VoxelVolume", "shape_MeshVolume", "shape2D_PixelSurface")
_SIZE_COLUMNS = ("total_volume_mm3", *(f"original_{name}" for name in _SHAPES))


class ArrayRows:
    """The rows of an array; the base class of the other kinds.

    Attributes
    ----------
    data : ndarray, DataFrame or list of cases
        What estimators are given.
    names : list
        Ids of cases, the index of a DataFrame, or the positions in an array.
    patients : list or None
        The patient of each row; None if unknown.
    are_cases : bool
    text_columns : sequence of str
        Columns that hold neither numbers nor bools.
    """

    are_cases = False
    text_columns = ()
    patients = None

    def __init__(self, data):
        self.data = data
        self.names = list(range(len(data)))

    def __len__(self):
        return len(self.names)

    @property
    def is_numeric(self):
        """Whether every column holds numbers."""
        return self.numbers() is not None

    def take(self, positions):
        """Return the rows at these positions; those of an array are numbered from 0 again."""
        return type(self)(self.data[positions])

    def aligned(self, values, name):
        """Return a Series in the order of the rows, and other values (and all for rows without names) as they are.

        `name` is the parameter's, for the message. A StudyError is raised if the Series names other cases than the
        rows; or if one is numbered from 0 and the other has these numbers in another order, so that they may be names
        or positions.
        """
        return values

    def numbers(self):
        """Return the numeric columns as float64 (n_rows, n_features) and their names; None if there are none."""
        try:
            values = np.asarray(self.data, dtype=np.float64)
        except (TypeError, ValueError):  # text or cases among the numbers
            return None
        return values, [f"x{column}" for column in range(values.shape[1])]

    def failed(self):
        """Return why rows are all NaN, by position: the errors that `extract_table` recorded."""
        return {}

    def region_sizes(self):
        """Return the sizes of the regions (n_rows,), NaN where unknown."""
        return np.full(len(self), np.nan)

    def with_columns_of(self, other):
        """Return the rows with their columns in the order of another table; raise StudyError if they differ."""
        return self

    def column_names(self):
        """Return the names of the columns as text."""
        return []

    def facts(self, name):
        """Return what is known of each row under a name besides its features; StudyError if nothing is."""
        raise StudyError(f"The rows of a table have no facts besides it. Pass one {name} per row, e.g. as a Series.")

    def columns_of_cases(self):
        """Return the columns that hold cases: dict from name to list of cases."""
        return {}


class FrameRows(ArrayRows):
    """The rows of a DataFrame. `extract_table` stores patients and errors by case id in the attrs of its table."""

    def __init__(self, data):
        self.data = data
        self.names = list(data.index)
        known = data.attrs.get("patients") or {}
        is_known = any(name in known for name in self.names)
        self.patients = [known.get(name, name) for name in self.names] if is_known else None

    @property
    def is_numeric(self):
        return all(dtype.kind in "fiub" for dtype in self.data.dtypes)

    @property
    def text_columns(self):
        return [str(name) for name in self.data.select_dtypes(exclude=["number", "bool"]).columns]

    def take(self, positions):
        return FrameRows(self.data.iloc[positions])

    def aligned(self, values, name):
        return _aligned(values, self.names, name)

    def numbers(self):
        numbers = self.data if self.is_numeric else self.data.select_dtypes(["number", "bool"])
        return numbers.to_numpy(dtype=np.float64, na_value=np.nan), [str(name) for name in numbers.columns]

    def failed(self):
        if not self.data.shape[1]:
            return {}
        errors = self.data.attrs.get("errors") or {}
        empty = np.flatnonzero(self.data.isna().to_numpy().all(axis=1))
        return {int(row): errors.get(self.names[row], "StudyError: all its features are NaN") for row in empty}

    def region_sizes(self):
        images = self.data.attrs.get("images") or []  # of cases with several, each of which may have its own mask
        for size in _SIZE_COLUMNS:
            columns = [name for name in (size, *(f"{image}_{size}" for image in images)) if name in self.data.columns]
            if columns:
                return self.data[columns].bfill(axis=1).iloc[:, 0].to_numpy(dtype=float)
        return super().region_sizes()

    def with_columns_of(self, other):
        if not other.column_names():
            return self
        columns, expected = self.data.columns, other.data.columns
        missing, added = list(expected.difference(columns)), list(columns.difference(expected))
        if missing or added:
            wrong = f"no column {missing[0]!r}" if missing else f"the column {added[0]!r}, which is new"
            raise StudyError(
                f"The tables have different columns: the test table has {wrong}. Give both the same columns."
            )
        return self if columns.equals(expected) else FrameRows(self.data[list(expected)])

    def column_names(self):
        return [str(name) for name in self.data.columns]

    def columns_of_cases(self):
        names = [name for name, dtype in self.data.dtypes.items() if dtype == "object"]
        columns = {name: list(self.data[name]) for name in names}
        return {name: cells for name, cells in columns.items() if _are_cases(cells)}


class CaseRows(ArrayRows):
    """A list of cases, or of other objects for the user's own transformers; those are named by their positions."""

    are_cases = True
    is_numeric = False

    def __init__(self, data):
        self.data = data
        ids = _attributes(data, "id")
        self.names = list(range(len(data))) if ids is None else ids
        self.patients = None if ids is None else _attributes(data, "patient") or None

    def take(self, positions):
        return CaseRows([self.data[position] for position in positions])

    def aligned(self, values, name):
        return _aligned(values, self.names, name)

    def facts(self, name):
        facts = [getattr(case, "clinical", {}) for case in self.data]
        if not any(name in known for known in facts):
            columns = ", ".join(dict.fromkeys(column for known in facts for column in known)) or "none"
            raise StudyError(f"The cases have no column {name!r}. Theirs are: {columns}. Or pass one value per case.")
        return [known.get(name) for known in facts]

    def numbers(self):
        return None

    def region_sizes(self):
        return np.array([getattr(case, "roi_size_mm", np.nan) for case in self.data], dtype=float)


@dataclass(frozen=True, eq=False)
class StudyInput:
    """The rows of a study with the ids, patients, groups, region sizes and centres (None if unknown), but no outcome.

    Rows of one group stay on one side of a fold; groups are those given, or the patients if one has several cases.
    """

    rows: ArrayRows
    ids: list
    patients: list | None
    groups: np.ndarray | None
    sizes: np.ndarray | None = None
    centres: np.ndarray | None = None

    def __len__(self):
        return len(self.ids)

    @property
    def clusters(self):
        """The patient of each row, if one has several, or else the groups, or None: rows of a cluster are dependent."""
        if self.patients is not None and len(set(self.patients)) < len(self.patients):
            return np.asarray(self.patients)
        return self.groups

    def aligned(self, values, name):
        """Return a Series in the order of the rows, and other values as they are."""
        return self.rows.aligned(values, name)

    def take(self, positions):
        """Return the input of some rows, given as positions."""
        return replace(
            self,
            rows=self.rows.take(positions),
            ids=[self.ids[position] for position in positions],
            patients=None if self.patients is None else [self.patients[position] for position in positions],
            groups=None if self.groups is None else self.groups[positions],
            sizes=None if self.sizes is None else self.sizes[positions],
            centres=None if self.centres is None else self.centres[positions],
        )


def study_input(X, groups=None, size=None, centres=None, *, need_patients=True):
    """Check X, groups, sizes and centres, and return them as a `StudyInput`.

    `X` is as in `rows_of`. A Series of `groups`, `size` or `centres` is matched with its rows by the index; "auto" and
    None are no sizes; `centres` may name a fact of the cases. With `need_patients`, a table without patients whose rows
    are named like cases of few patients is refused.

    Raises
    ------
    StudyError
        X is neither a dense table nor a sequence of cases, or groups or sizes are missing or name other rows.
    LeakageError
        A case comes twice, and `groups` does not keep its rows together.
    """
    rows = rows_of(X)
    if not len(rows):
        raise StudyError("There is no case to study.")
    groups = checked_groups(rows.aligned(groups, "groups"), len(rows))
    _refuse_repeated_ids(rows.names, groups)
    if groups is None and rows.patients is None and need_patients:
        _refuse_forgotten_patients(rows.names)
    if groups is None and rows.patients is not None and len(set(rows.patients)) < len(rows.patients):
        groups = checked_groups(rows.patients, len(rows))
    sizes, centres = _checked_sizes(size, rows), checked_centres(centres, rows)
    return StudyInput(rows, rows.names, rows.patients, groups, sizes, centres)


@singledispatch
def rows_of(X):
    """Return X as `CaseRows`, `FrameRows` or `ArrayRows`; rows that this function returned are returned as they are.

    X is a Cohort, a sequence, object array or one-column DataFrame of cases, or a DataFrame or ndarray of numbers. A
    sparse or one-dimensional table, or one with two columns of the same name, raises StudyError.
    """
    try:
        shape = X.shape
    except AttributeError:
        return CaseRows(list(X))
    array = np.asarray(X)
    is_dense = array.shape == shape  # numpy does not open a sparse matrix
    cases = _cases_in(array) if is_dense else None
    if cases is not None:
        return cases
    if not is_dense or array.ndim != 2:
        raise StudyError(
            f"Expected a dense table of cases x features. Got {type(X).__name__} of shape {shape}; take "
            "X.reshape(-1, 1) or frame[[name]] of one feature, X.toarray() of a sparse matrix."
        )
    return ArrayRows(array)


@rows_of.register
def _(X: ArrayRows):
    return X


@rows_of.register
def _(X: pd.DataFrame):
    cases = _cases_in(X.to_numpy()) if X.shape[1] == 1 else None
    if cases is not None:
        return cases
    if not X.columns.is_unique:
        raise StudyError(
            f"The column {str(X.columns[X.columns.duplicated()][0])!r} comes twice, so selected features could not be "
            "distinguished. Rename one of them, e.g. with add_prefix before tables are joined."
        )
    return FrameRows(X)


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


def _cases_in(array):
    """Return the cases in a vector or column of objects as `CaseRows`, or None if it holds something else."""
    is_column = array.dtype == object and array.shape[1:] in ((), (1,))
    return CaseRows(list(array.ravel())) if is_column and _are_cases(array.ravel()) else None


def _checked_sizes(size, rows):
    if is_option(size, (None, "auto")):
        return None
    if np.ndim(size) == 0:
        raise invalid("a study", "size", "'auto', None or one size per case", size, error=StudyError)
    sizes = np.asarray(rows.aligned(size, "size"), dtype=float)
    if sizes.shape != (len(rows),) or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise StudyError(f"The 'size' parameter must hold a number > 0 for each of the {len(rows)} cases.")
    return sizes


def _attributes(cases, name):
    """Return one attribute of all cases as a list, or None if some of them lack it."""
    try:
        return [getattr(case, name) for case in cases]
    except AttributeError:
        return None


def _are_cases(values):
    """Return whether values are cases: whether each has an id and a patient, and there is one."""
    return _attributes(values, "id") is not None and bool(_attributes(values, "patient"))


def _aligned(values, ids, name):
    """Return a Series in the order of ids; a Series numbered from 0 has no names, so its order is kept."""
    if not isinstance(values, pd.Series) or len(values) != len(ids):
        return values
    names, numbers = values.index.tolist(), list(range(len(ids)))
    if names == ids:
        return _unnamed(values)
    are_same = values.index.is_unique and set(names) == set(ids)
    if are_same and numbers in (names, ids):
        raise StudyError(
            f"X and '{name}' hold the same row numbers in different order, and one of them counts from 0 to "
            f"{len(ids) - 1}, as a new index does. Pass {name}.loc[X.index] if the numbers name the cases, or "
            f"{name}.to_numpy() if both are in the same order."
        )
    if are_same:
        return _unnamed(values.loc[ids])
    if names == numbers:
        return _unnamed(values)
    id_of_row, id_of_value = next(pair for pair in zip(ids, names, strict=True) if pair[0] != pair[1])
    raise StudyError(
        f"X and '{name}' name different cases: the first that differs is {id_of_row!r} in X and {id_of_value!r} in "
        f"'{name}'. Give both the same index, or pass {name}.to_numpy() if both are in the same order."
    )


def _unnamed(values):
    """Return the values of a Series; ordered categories keep their order."""
    return values.array if isinstance(values.dtype, pd.CategoricalDtype) else values.to_numpy()


def _refuse_forgotten_patients(ids):
    """Raise LeakageError if the table names no patients, but cases of the same ids had the same patient before."""
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
