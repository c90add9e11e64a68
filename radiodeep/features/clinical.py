"""Cases or patients -> a table of what is known of them besides their images, such as age, sex and stage."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.cohort import as_items
from radiodeep.checks import did_you_mean, is_sequence, require
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.features.stateless import with_ids

_KINDS = ("auto", "number", "category")
_MOST_CODES = 10  # different values of a column that is taken as categories without being asked


class ClinicalColumns(TransformerMixin, BaseEstimator):
    """Clinical facts of cases or patients as a table of numbers that any model takes.

    All is learned in `fit`, and so in each fold of a study: the categories, and what stands for missing values.

    Parameters
    ----------
    columns : sequence of str
        Columns of the manifest, the names in ``case.clinical``.
    kinds : dict, optional
        By column "number", "category", or a list: the values of an ordinal column from lowest to highest, which
        become 0, 1, 2, ... Columns that are not named are "auto": numbers if all known values of the training cases
        are, else categories.

    Attributes
    ----------
    kinds_ : dict
        The kind of each column, without "auto".
    encoder_ : ColumnTransformer
        scikit-learn's imputers and encoders of the columns.
    missing_ : list of str
        The columns with values missing in the training cases.
    ranges_ : dict
        Lowest and highest value of each column of numbers in the training cases.

    Raises
    ------
    InputError
        A case lacks a column (give None for a value that is unknown), a column holds no value, a number has a decimal
        comma, a value is none of an ordinal column, or a column that might be numbers or texts names no kind.

    Warns
    -----
    RadiodeepWarning
        A case has a category that no training case has: all columns of this one are 0 for it.

    Notes
    -----
    Missing numbers and ordinal values become the median of the training cases, missing categories the most frequent
    one. A column that was missing in some training case has another one, ``<column>_missing``, of 0 and 1. A category
    has a column per value, ``<column>_<value>``; of two values only the last in order has one. No image is read.

    Tables work as well: a DataFrame with these columns.

    Examples
    --------
    >>> from radiodeep import ClinicalColumns, Cohort, make_phantom_cohort
    >>> facts = [{"age": "63", "stage": "II"}, {"age": None, "stage": "I"}, {"age": "51", "stage": "II"}]
    >>> cohort = make_phantom_cohort(3, random_state=0)
    >>> cohort = Cohort([case.replace(clinical=known) for case, known in zip(cohort, facts)])
    >>> columns = ClinicalColumns(["age", "stage"], kinds={"stage": ["I", "II", "III"]})
    >>> columns.fit_transform(cohort).tolist()
    [[63.0, 1.0, 0.0], [57.0, 0.0, 1.0], [51.0, 1.0, 0.0]]
    >>> columns.get_feature_names_out().tolist()
    ['age', 'stage', 'age_missing']
    >>> ClinicalColumns(["Stage"]).fit(cohort)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: There is no clinical column 'Stage'. There are age, stage. Did you mean 'stage'?
    """

    reads_images = False  # studies need not check that the images of its cases can be read

    def __init__(self, columns, kinds=None):
        self.columns = columns
        self.kinds = kinds

    def fit(self, X, y=None):
        """Learn the kinds, the categories and the imputed values.

        Parameters
        ----------
        X : Cohort, sequence of Case or Patient, or DataFrame
        """
        self._check_settings()
        table = self._read(X)
        kinds = dict(self.kinds or {})
        self.kinds_ = {name: _kind_of(table[name].dropna(), kinds.get(name, "auto"), name) for name in self.columns}
        values = self._values(table)
        self.missing_ = [name for name in self.columns if values[name].isna().any()]
        numbers = [name for name, kind in self.kinds_.items() if kind == "number"]
        self.ranges_ = {name: [float(values[name].min()), float(values[name].max())] for name in numbers}
        encoders = [
            (name, _categories() if self.kinds_[name] == "category" else SimpleImputer(strategy="median"), [name])
            for name in self.columns
        ]
        self.encoder_ = ColumnTransformer(encoders, verbose_feature_names_out=False).fit(values)
        return self

    def transform(self, X):
        """Return the columns as a float64 ndarray of shape (n_cases, n_columns) without NaN."""
        check_is_fitted(self)
        values = self._values(self._read(X))
        for name, kind in self.kinds_.items():
            if kind == "category":
                self._warn_of_unknown(name, values[name].dropna())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found unknown categories")
            known = self.encoder_.transform(values)
        return np.hstack([known, values[self.missing_].isna()]).astype(np.float64)

    def outside_training(self, cases):
        """Return for each case a list of remarks on its values that are unlike those of the training cases.

        They are categories that no training case has, numbers beyond their range by more than half its width, and
        values that are unknown, or differ among the lesions of a patient, if they are known of all training cases.
        """
        values = self._values(self._read(cases))
        remarks = [[] for _ in range(len(values))]
        for name, kind in self.kinds_.items():
            low, high = self.ranges_.get(name, (-np.inf, np.inf))
            margin = (high - low) / 2
            known = self._categories_of(name) if kind == "category" else kind
            trained = f"{low:.4g} to {high:.4g}" if kind == "number" else ", ".join(map(_text, known))
            for remarks_of_case, value in zip(remarks, values[name], strict=True):
                is_odd = value not in known if kind == "category" else not low - margin <= value <= high + margin
                if pd.isna(value):
                    remarks_of_case += [] if name in self.missing_ else [f"{name} unknown (trained on {trained})"]
                elif is_odd:
                    shown = value if kind == "category" else f"{value:.4g}"
                    remarks_of_case.append(f"{name} {shown} (trained on {trained})")
        return remarks

    def table_of(self, cases):
        """Return the columns of cases (n_cases, n_columns) and their names, all learned from these cases."""
        fitted = clone(self).fit(cases)
        return fitted.transform(cases), list(fitted.get_feature_names_out())

    def get_feature_names_out(self, input_features=None):
        check_is_fitted(self)
        missing = [f"{name}_missing" for name in self.missing_]
        return np.array([*self.encoder_.get_feature_names_out(), *missing], dtype=object)

    def _check_settings(self):
        is_listed = is_sequence(self.columns) and all(isinstance(name, str) for name in self.columns)
        allowed = "a list of different names of columns"
        require(is_listed and len(set(self.columns)) == len(self.columns), self, "columns", allowed)
        allowed = f"a dict from columns to {', '.join(_KINDS)} or a list of values from lowest to highest"
        is_dict = self.kinds is None or isinstance(self.kinds, dict)
        require(is_dict and all(_is_kind(kind) for kind in (self.kinds or {}).values()), self, "kinds", allowed)
        others = [name for name in self.kinds or {} if name not in self.columns]
        require(not others, self, "kinds", f"about its columns, {', '.join(self.columns)}", others)

    def _read(self, X):
        """Return the columns as a DataFrame of objects, None or NaN for unknown values; index = case id."""
        if isinstance(X, pd.DataFrame) and not (X.shape[1] == 1 and hasattr(X.iat[0, 0], "clinical")):
            self._require_columns(dict.fromkeys(X.columns))
            return X[list(self.columns)].astype(object).map(_known)
        items = as_items(X)
        if not all(hasattr(item, "clinical") for item in items):
            raise InputError(f"ClinicalColumns takes cases, patients or a DataFrame. Got {type(X).__name__} instead.")
        self._require_columns({name: None for item in items for part in _parts(item) for name in part.clinical})
        for name in self.columns:
            lacking = [item.id for item in items if not any(name in part.clinical for part in _parts(item))]
            if lacking:
                raise InputError(
                    f"{lacking[0]}: it has no column '{name}', which {len(lacking)} of {len(items)} cases lack. Give "
                    "None for a value that is unknown."
                )
        rows = [[_known(item.clinical.get(name)) for name in self.columns] for item in items]
        index = pd.Index([item.id for item in items], name="id")
        return pd.DataFrame(rows, index, list(self.columns), dtype=object)

    def _require_columns(self, present):
        lacking = [name for name in self.columns if name not in present]
        if lacking:
            raise InputError(
                f"There is no clinical column '{lacking[0]}'. There are {', '.join(map(str, present)) or 'none'}."
                f"{did_you_mean(lacking[0], present)}"
            )

    def _values(self, table):
        """Return the columns as floats, codes of ordinal values, and texts; NaN for unknown values."""
        columns = {}
        for name, kind in self.kinds_.items():
            if kind == "category":
                values = [np.nan if pd.isna(value) else _text(value) for value in table[name]]
            else:
                order = None if kind == "number" else {_text(value): code for code, value in enumerate(kind)}
                values = [_code(value, order, name, case_id) for case_id, value in table[name].items()]
            columns[name] = pd.Series(values, table.index, dtype=object if kind == "category" else float)
        return pd.DataFrame(columns, index=table.index)

    def _categories_of(self, name):
        return self.encoder_.named_transformers_[name][-1].categories_[0]

    def _warn_of_unknown(self, name, values):
        known = self._categories_of(name)
        unknown = values[~values.isin(known)]
        same = f", as for '{known[0]}'" if len(known) == 2 else ""
        if len(unknown):
            warnings.warn(
                f"ClinicalColumns: no training case has some values of '{name}': '{unknown.iloc[0]}' of "
                f"{unknown.index[0]}. Its columns are 0{same}. Known are {', '.join(known)}.",
                RadiodeepWarning,
                stacklevel=5,
            )


def clinical_outside(parts, cases):
    """Return for each case the different remarks of fitted `ClinicalColumns` on it."""
    remarks = [[] for _ in cases]
    for columns in parts:
        for known, others in zip(remarks, columns.outside_training(cases), strict=True):
            known += [text for text in others if text not in known]
    return remarks


ClinicalColumns.transform = with_ids(ClinicalColumns.transform)  # after scikit-learn has wrapped it


def _categories():
    return make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False),
    )


def _is_kind(kind):
    """Return whether a kind is one of the names, or a list of at least two different values."""
    return (
        kind in _KINDS if isinstance(kind, str) else is_sequence(kind) and len(set(map(_text, kind))) == len(kind) > 1
    )


def _kind_of(values, kind, name):
    """Return the kind of the known values of the training cases; InputError if "auto" cannot decide."""
    if values.empty:
        raise InputError(f"The column '{name}' holds no value in the training cases. Leave it out.")
    if kind != "auto":
        return kind
    is_number = values.map(lambda value: _number(value, name) is not None)
    if is_number.all():
        return "number"
    texts = values.map(_text)
    if texts[is_number].nunique() > _MOST_CODES or texts.nunique() > max(_MOST_CODES, len(texts) / 2):
        raise InputError(
            f"The column '{name}' holds {texts.nunique()} different values in {len(texts)} cases, e.g. "
            f"'{texts[~is_number].iloc[0]}', which is not a number. Leave cells blank whose value is unknown, or take "
            f"the values as categories with kinds={{'{name}': 'category'}}."
        )
    return "category"


def _code(value, order, name, case_id):
    """Return a number, or the place of an ordinal value in its order; NaN if unknown, and an error for others."""
    if pd.isna(value):
        return np.nan
    number = _number(value, name) if order is None else order.get(_text(value))
    if number is None:
        expected = "a number" if order is None else f"one of {', '.join(order)}"
        raise InputError(
            f"{case_id}: the column '{name}' must hold {expected}. Got '{value}' instead. Leave the cell blank "
            f"if its value is unknown, or name another kind, e.g. kinds={{'{name}': 'category'}}."
        )
    return number


def _number(value, name):
    """Return a value as a finite float, or None; raise InputError for a decimal comma."""
    try:
        number = float(_text(value))
    except ValueError:
        whole, comma, fraction = _text(value).partition(",")
        if comma and whole.lstrip("+-").isdigit() and fraction.isdigit():
            raise InputError(
                f"The column '{name}' holds '{value}', a number with a decimal comma. Write {whole}.{fraction}, or "
                f"take the values as categories with kinds={{'{name}': 'category'}}."
            ) from None
        return None
    return number if np.isfinite(number) else None


def _text(value):
    """Return a value as text: 2 and 2.0 become the same."""
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value).strip()


def _known(value):
    """Return a value, or None if it is blank or NaN."""
    return None if pd.isna(value) is True or (isinstance(value, str) and not value.strip()) else value


def _parts(item):
    """Return a case or patient, and the lesions of the patient: values that differ among them are unknown."""
    return (item, *getattr(item, "lesions", ()))
