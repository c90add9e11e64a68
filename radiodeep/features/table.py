"""Extractor and cohort -> table with a row per case: in parallel, cached, and with failures recorded."""

import warnings
from collections import Counter

import pandas as pd
from sklearn.utils import get_tags

from radiodeep.cases.cohort import as_cases, as_items
from radiodeep.cases.patient import Patient
from radiodeep.checks import invalid
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.features.case_changer import CaseChanger
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.model_parts import parts_of
from radiodeep.rows import check_on_error, extract_rows, remember_patients


def extract_table(extractor, cohort, n_jobs=None, cache_dir=None, on_error="raise"):
    """Compute the features of a cohort as a table.

    Parameters
    ----------
    extractor : RadiomicsExtractor, DeepFeatureExtractor or any stateless transformer of cases
    cohort : Cohort or sequence of Case
        Their ids must differ. For a `LesionAggregator` a cohort by patient, whose table has a row per patient.
    n_jobs : int, optional
        Processes; -1 for as many as cores, started only once they save more time than their start takes. The numbers
        do not depend on it.
    cache_dir : path-like, optional
        Rows are kept here under a hash of the voxels that were read, of all settings, and of the versions of
        radiodeep and the libraries that compute them. Each is written as soon as it is computed, so that a run that
        was killed can continue; several runs with one folder share the work; damaged rows are computed again.
    on_error : {"raise", "record"}, default="raise"
        "record" leaves NaN in the row of a case that fails, whatever the error, and puts "ErrorName: message"
        in ``table.attrs["errors"]``.

    Returns
    -------
    DataFrame of shape (n_cases, n_features)
        Float64, index = case id. ``table.attrs["patients"]`` is a dict from case id to patient,
        ``table.attrs["errors"]`` one from the ids of cases that failed or lack an image to messages, and
        ``table.attrs["constant_columns"]`` a list of the features with the same value in all cases, which a model
        cannot use.

    Raises
    ------
    InputError
        Two cases have the same id.
    Exception
        Unless `on_error="record"`, the error of the first case that fails. Its message begins with the case id,
        or a note of the exception names it.
    WorkerKilledError
        Unless `on_error="record"`: the process of a case was killed, and killed again when it was retried.
    OutputError
        The cache folder cannot be created.

    Warns
    -----
    RadiodeepWarning
        If rows could not be written to the cache folder (the table is complete), or if the cases differ in ways of
        acquisition (spacing, field of view) that the features depend on; or if an extractor learns from the cases.

    Examples
    --------
    >>> import radiodeep as rd
    >>> table = rd.extract_table(rd.RadiomicsExtractor(), rd.make_phantom_cohort(3, random_state=0))
    >>> table.shape, table.index.tolist()
    ((3, 107), ['phantom-000', 'phantom-001', 'phantom-002'])
    """
    return extract_tables({"": extractor}, cohort, n_jobs, cache_dir, on_error)[""]


def extract_tables(extractors, cohort, n_jobs=None, cache_dir=None, on_error="raise"):
    """Compute several tables of one cohort, e.g. of several settings, and read every case once.

    Parameters
    ----------
    extractors : dict from str to extractor
    cohort, n_jobs, cache_dir, on_error
        As in `extract_table`.

    Returns
    -------
    dict from str to DataFrame
        Under the names of the extractors.

    Raises
    ------
    InputError, WorkerKilledError, OutputError
        As `extract_table`; a case that one extractor refuses is recorded in all tables.

    Examples
    --------
    >>> import radiodeep as rd
    >>> widths = {f"width {width}": rd.RadiomicsExtractor(bin_width=width) for width in (10, 25, 50)}
    >>> tables = rd.extract_tables(widths, rd.make_phantom_cohort(3, random_state=0))
    >>> [float(table["original_glcm_JointEntropy"].mean().round(1)) for table in tables.values()]
    [7.9, 5.4, 3.6]
    """
    check_on_error(on_error)
    if any(getattr(part, "reads_images", True) is False for part in parts_of(extractors)):
        raise InputError(
            "A table holds what is measured of images, and ClinicalColumns learns from the cases. Put it into a model "
            "that is fitted or studied, or join the columns: table.join(cohort.frame.set_index('id')[['age']])."
        )
    if not extractors or not all(hasattr(extractor, "transform") for extractor in dict(extractors).values()):
        raise invalid("extract_tables", "extractors", "a dict from names to extractors", extractors)
    cases = as_items(cohort)
    if not any(isinstance(case, Patient) for case in cases):
        cases = as_cases(cohort)
    ids = [case.id for case in cases]
    repeated = [case_id for case_id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(
            f"Every case of a table needs its own id. Got {ids.count(repeated[0])} cases with the id "
            f"'{repeated[0]}'; case.replace(id=...) gives a renamed copy, case.by_label() a case per label of a mask."
        )
    for extractor in extractors.values():
        extractor.fit(cases)
    _warn_of_learning(extractors)
    columns = {key: [str(name) for name in extractor.get_feature_names_out()] for key, extractor in extractors.items()}
    values, errors = extract_rows(
        extractors,
        cases,
        n_jobs=n_jobs,
        cache_dir=cache_dir,
        on_error=on_error,
        n_features=list(map(len, columns.values())),
    )
    tables = {}
    remember_patients(cases)
    for key, names in columns.items():
        tables[key] = pd.DataFrame(values[key], index=pd.Index(ids, name="id"), columns=names)
        tables[key].attrs["patients"] = {case.id: case.patient for case in cases}
        missing = _missing_images(extractors[key], cases)
        tables[key].attrs["errors"] = {ids[position]: text for position, text in sorted((missing | errors).items())}
        if getattr(extractors[key], "image_names_", ()):
            tables[key].attrs["images"] = list(extractors[key].image_names_)
        tables[key].attrs["constant_columns"] = _constant_columns(tables[key])
    return tables


def _warn_of_learning(extractors):
    for part in parts_of(extractors):
        if isinstance(part, StatelessExtractor | CaseChanger) and get_tags(part).requires_fit:
            name = type(part).__name__
            warnings.warn(
                f"{name} learns from all cases of the table, so a study of this table would have seen its test cases. "
                f"For evidence put the {name} into the model, which is fitted in each fold.",
                RadiodeepWarning,
                stacklevel=4,
            )


def _missing_images(extractor, cases):
    """Return the texts of an extractor, or of those in a union, about the cases that lack an image, by position."""
    parts = [part for _, part in getattr(extractor, "transformer_list", [("", extractor)])]
    texts = [part.missing_images(cases) for part in parts if hasattr(part, "missing_images")]
    return {position: text for of_part in texts for position, text in of_part.items()}


def _constant_columns(table):
    if table.notna().any(axis=1).sum() < 2:  # all columns of a single case are constant
        return []
    return table.columns[(table.max() == table.min()).to_numpy()].tolist()
