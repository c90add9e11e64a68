"""In: an extractor of lesions. Out: `LesionAggregator`, which turns the lesions of a patient into one row."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion
from sklearn.utils import get_tags

from radiodeep.cases.cohort import as_cases, as_items
from radiodeep.cases.patient import Patient
from radiodeep.checks import did_you_mean, invalid
from radiodeep.exceptions import InputError
from radiodeep.features.stateless import StatelessExtractor, observed_rows, with_label
from radiodeep.rows import canonical, extract_rows


def _largest(rows, sizes):
    return rows[sizes == sizes.max()].mean(axis=0)


def _weighted_mean(rows, weights):
    """Return the mean of each column over the lesions that have a value, NaN if none has."""
    is_known = ~np.isnan(rows)
    weights = is_known * np.reshape(weights, (-1, 1))
    total = weights.sum(axis=0)
    sums = (np.where(is_known, rows, 0.0) * weights).sum(axis=0)
    return np.where(total > 0, sums, np.nan) / np.where(total > 0, total, 1.0)


def _mean(rows, sizes):
    return _weighted_mean(rows, np.ones(len(rows)))


def _spread(rows, sizes):
    n_values = (~np.isnan(rows)).sum(axis=0)
    variance = _mean((rows - _mean(rows, sizes)) ** 2, sizes) * n_values / np.maximum(n_values - 1, 1)
    return np.sqrt(variance)


class Aggregation(NamedTuple):
    """A function of features (n_lesions, n_features) and sizes (n_lesions,), which returns (n_features,) or a number.

    `column` begins the names of its columns, or is the name of the only one.
    """

    column: str
    function: object
    has_one_column: bool = False


AGGREGATIONS = {
    "largest": Aggregation("largest", _largest),
    "mean": Aggregation("mean", _mean),
    "volume-weighted mean": Aggregation("volume_weighted_mean", _weighted_mean),
    "max": Aggregation("max", lambda rows, sizes: np.fmax.reduce(rows, axis=0)),  # fmax passes over NaN
    "min": Aggregation("min", lambda rows, sizes: np.fmin.reduce(rows, axis=0)),
    "spread": Aggregation("spread", _spread),
    "count": Aggregation("count", lambda rows, sizes: len(sizes), has_one_column=True),
    "total volume": Aggregation("total_volume_mm3", lambda rows, sizes: sizes.sum(), has_one_column=True),
}


class RegionSize(StatelessExtractor):
    """Cases -> the size of the region, (n_cases, 1), in mm³ or in mm² in images of one slice.

    Of several images it is the region in the first that is there, of those named in `images`; NaN if none is.
    """

    needs_batches = False
    shares_mask_ = False  # its columns do not depend on that

    def __init__(self, label=None, images=None):
        self.label = label
        self.images = images

    @property
    def image_names_(self):
        return self.images

    def fit(self, cases, y=None):
        return self

    def transform(self, cases):
        return np.array([[self._size(with_label(case, self.label))] for case in as_cases(cases)], dtype=float)

    def get_feature_names_out(self, input_features=None):
        return np.array(["size"], dtype=object)

    def _size(self, case):
        parts = case.single_images()
        named = [part for name, part in parts.items() if not name or self.images is None or name in self.images]
        return named[0].roi_size_mm if named else np.nan


class LesionAggregator(StatelessExtractor):
    """Features of the lesions of a patient, brought to one row per patient.

    A stateless transformer of the patients of `Cohort.by_patient`. Every lesion is read and measured once for all
    extractors and aggregations; in `extract_table` and in studies lesions are measured in parallel, and their rows, not
    those of patients, are kept in the cache.

    Parameters
    ----------
    extractor : RadiomicsExtractor, DeepFeatureExtractor or any stateless transformer of cases
        Or a union of several, from `sklearn.pipeline.make_union`.
    how : str, function, or sequence of them, default=("largest",)
        "largest": the features of the lesion with the largest region; the mean of several that are equally large.
        "mean", "max", "min": over the lesions.
        "volume-weighted mean": weighted by the sizes of the regions. "spread": the standard deviation between the
        lesions (n - 1 in the denominator), 0 for a single lesion. "count": the number of lesions, one column.
        "total volume": the sum of the sizes, one column. A function takes an array (n_lesions, n_features), in the
        order of `Patient.lesions`, and returns (n_features,); its name is the prefix of its columns.

    Attributes
    ----------
    extractor_ : estimator
        The extractor, fitted to the lesions, from which it learns no numbers.

    Raises
    ------
    InputError
        For an unknown or repeated aggregation, an extractor that learns from the cases, a function that returns
        another shape; in `fit` and `transform` for cases in place of patients; and by the extractor for lesions that
        cannot be measured, with the id of the lesion.

    Notes
    -----
    The columns of each aggregation follow in the order of `how`: ``largest_original_glcm_Contrast``,
    ``volume_weighted_mean_original_glcm_Contrast``, ``count``, ``total_volume_mm3`` (in mm² for images of one slice).

    A patient with a lesion that cannot be measured has a row of NaN, since the other lesions would silently give other
    numbers: ``extract_table(..., on_error="record")`` names the lesion, a study with ``on_error="exclude"`` leaves the
    patient out. To go without such a lesion, leave it out of the cohort before `by_patient`. Values of an image that a
    lesion lacks are passed over, except that "largest" and functions take them as NaN; NaN too if no lesion has a
    value. Lesions without any image that is measured do not count.

    A model with a function of your own is saved as .joblib, since .skops holds no code.

    Examples
    --------
    >>> import radiodeep as rd
    >>> lesions = rd.make_phantom_cohort(3, random_state=0)
    >>> names = ["P-1", "P-1", "P-2"]
    >>> cases = [case.replace(patient=name, label=0) for case, name in zip(lesions, names, strict=True)]
    >>> patients = rd.Cohort(cases).by_patient()
    >>> shape = rd.RadiomicsExtractor(families={"shape": ["Sphericity"]})
    >>> table = rd.extract_table(rd.LesionAggregator(shape, ["largest", "spread", "count"]), patients).round(2)
    >>> table.columns.tolist()
    ['largest_original_shape_Sphericity', 'spread_original_shape_Sphericity', 'count']
    >>> table.loc["P-1"].tolist(), table.loc["P-2"].tolist()
    ([0.62, 0.14, 2.0], [0.68, 0.0, 1.0])
    >>> rd.LesionAggregator(shape).fit(lesions)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: LesionAggregator takes patients. Got Case; cohort.by_patient() groups lesions.
    """

    def __init__(self, extractor, how=("largest",)):
        self.extractor = extractor
        self.how = how

    def fit(self, patients, y=None):
        """Check the settings, and fit the extractor to the lesions."""
        aggregations(self.how)
        extractor = self.extractor
        if not hasattr(extractor, "transform") or not hasattr(extractor, "get_params"):
            raise invalid("LesionAggregator", "extractor", "an extractor of cases", extractor)
        learning = [type(part).__name__ for part in _parts(extractor) if get_tags(part).requires_fit]
        if learning:
            raise InputError(
                f"LesionAggregator takes extractors that learn nothing from the cases. Got {learning[0]}; put steps "
                "that learn behind the LesionAggregator in a pipeline."
            )
        lesions = [lesion for patient in as_patients(patients) for lesion in patient.lesions]
        self.extractor_ = clone(extractor).fit(lesions)
        return self

    def transform(self, patients):
        """Compute the rows of patients, one lesion after the other.

        Parameters
        ----------
        patients : Cohort or sequence of Patient

        Returns
        -------
        float64 ndarray of shape (n_patients, n_columns)
        """
        patients = as_patients(patients)
        if not patients:
            return np.empty((0, len(self.get_feature_names_out())))
        with observed_rows():  # the rows of lesions are no rows of the model
            return extract_rows({"": self}, patients, compare=False)[0][""]

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns as an object array."""
        extractor = getattr(self, "extractor_", self.extractor)
        names = [str(name) for name in extractor.get_feature_names_out()]
        short = [name.rsplit("__", 1)[-1] for name in names]  # without the names of the parts of a union
        names = short if len(set(short)) == len(short) else names
        columns = []
        for how in aggregations(self.how):
            columns += [how.column] if how.has_one_column else [f"{how.column}_{name}" for name in names]
        return np.array(columns, dtype=object)

    def lesion_extractors(self, patients):
        """Return the fitted extractors that measure lesions; the first of them measures the sizes."""
        fitted = self if hasattr(self, "extractor_") else clone(self).fit(patients)
        return [fitted._region_size(), *_parts(fitted.extractor_)]

    def row_of_lesions(self, tables):
        """Return the row of a patient (n_columns,) from those of `lesion_extractors`, arrays (n_lesions, n_features).

        Lesions without a size have none of the images, and so no part in the row.
        """
        sizes = tables[0][:, 0]
        is_seen = ~np.isnan(sizes)
        rows, sizes = np.hstack(tables[1:])[is_seen], sizes[is_seen]
        parts = []
        for how in aggregations(self.how):
            shape = () if how.has_one_column else rows.shape[1:]
            values = how.function(rows, sizes) if is_seen.any() else np.full(shape, np.nan)
            parts.append(np.asarray(values, dtype=float))
            if parts[-1].shape != shape:
                raise InputError(
                    f"The function '{how.column}' of LesionAggregator must return an array of shape {shape} for one "
                    f"of {rows.shape}. Got {parts[-1].shape} instead."
                )
        return np.hstack(parts)

    def missing_images(self, patients):
        """Return which images lesions lack, as texts by the positions of their patients."""
        missing = {}
        for part in self._fitted_parts():
            for row, patient in enumerate(patients if hasattr(part, "missing_images") else ()):
                texts = part.missing_images(patient.lesions).values()
                missing.setdefault(row, {}).update(dict.fromkeys(texts))
        return {row: "; ".join(texts) for row, texts in missing.items() if texts}

    @property
    def label(self):
        """The value of the region in the mask that the extractor asks for, or None."""
        return next((part.label for part in self._fitted_parts() if getattr(part, "label", None) is not None), None)

    def facts_of_cases(self, patients):
        """Return a list of the `CaseFacts` of the lesions for each patient."""
        return [self._region_size().facts_of_cases(patient.lesions) for patient in patients]

    def note_training_range(self, cases, rows):
        facts = cases if isinstance(cases[0], list) else self.facts_of_cases(cases)
        super().note_training_range([lesion for lesions in facts for lesion in lesions], rows)
        self.training_range_["n_cases"] = len(rows)
        return self

    def acquisition_needs(self):
        parts = self._fitted_parts()
        return set().union(*(part.acquisition_needs() for part in parts if hasattr(part, "acquisition_needs")))

    def warn_of_mixed_acquisition(self, facts):
        """Warn if lesions mix acquisitions; `facts` is a dict from the ids of patients to lists of `CaseFacts`."""
        lesions = {f"{name} {row}": fact for name, listed in facts.items() for row, fact in enumerate(listed, 1)}
        super().warn_of_mixed_acquisition(lesions)

    def _compared_settings(self):
        parts = [
            part._compared_settings() if isinstance(part, StatelessExtractor) else canonical(part.get_params())
            for part in _parts(self.extractor)
        ]
        return {"extractor": parts, "how": [how.column for how in aggregations(self.how)]}

    def _region_size(self):
        images = [getattr(part, "image_names_", None) for part in self._fitted_parts()]
        named = tuple(dict.fromkeys(name for names in images for name in names)) if all(images) else None
        return RegionSize(self.label, named)

    def _fitted_parts(self):
        return _parts(getattr(self, "extractor_", self.extractor))


def aggregations(how):
    """Return the `how` of a LesionAggregator as a list of `Aggregation`; raise InputError for an unknown one."""
    given = [how] if isinstance(how, str) or callable(how) else list(how)
    if not given:
        raise invalid("LesionAggregator", "how", f"one or more of {', '.join(AGGREGATIONS)}", how)
    chosen = [_aggregation(each) for each in given]
    columns = [each.column for each in chosen]
    repeated = [column for column in columns if columns.count(column) > 1]
    if repeated:
        raise InputError(f"The 'how' parameter of LesionAggregator names '{repeated[0]}' twice. Leave one out.")
    return chosen


def _aggregation(how):
    if callable(how):
        name = getattr(how, "__name__", "")
        if not name.isidentifier():  # a lambda or a partial
            raise InputError(
                "A function of LesionAggregator needs a name, with which its columns begin: write def name(rows): ... "
                f"Got {how!r}."
            )
        return Aggregation(name, lambda rows, sizes: how(rows))
    if how not in AGGREGATIONS:
        raise InputError(
            f"The 'how' parameter of LesionAggregator takes {', '.join(AGGREGATIONS)}, or a function. Got {how!r}."
            f"{did_you_mean(how, AGGREGATIONS)}"
        )
    return AGGREGATIONS[how]


def as_patients(patients):
    """Return patients as a list; raise InputError for cases and for anything else."""
    listed = as_items(patients)
    wrong = [type(item).__name__ for item in listed if not isinstance(item, Patient)]
    if wrong:
        raise InputError(f"LesionAggregator takes patients. Got {wrong[0]}; cohort.by_patient() groups lesions.")
    return listed


def _parts(extractor):
    """Return the extractors of a union, or the extractor itself; the columns are those of the parts side by side."""
    if not isinstance(extractor, FeatureUnion):
        return [extractor]
    parts = [part for _, part in extractor.transformer_list]
    if extractor.transformer_weights is not None or any(isinstance(part, str) for part in parts):
        raise InputError("A union in a LesionAggregator takes extractors only: no weights, 'drop' or 'passthrough'.")
    return [inner for part in parts for inner in _parts(part)]
