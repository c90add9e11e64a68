"""Estimator, cases or table, labels in; out-of-fold predictions with AUC and interval out.

Extractors that learn nothing run once for all folds; every step that learns is fitted in each fold
on that fold's training cases alone. Nothing that is known to mislead comes alone: repeated folds stand
beside leave-one-out, and the size of the region beside every model.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.utils import _safe_indexing

from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.progress import with_progress
from radiodeep.study.description import describe
from radiodeep.study.evidence import Evidence
from radiodeep.study.folds.fitting import fit_folds, given_scores, warn_of_folds
from radiodeep.study.folds.shared_extraction import over_positions
from radiodeep.study.folds.shared_selection import shared_scores
from radiodeep.study.folds.splits import check_folds, companion_plan, plan_of
from radiodeep.study.inputs import (
    check_magnitudes,
    failed_rows,
    missing_values,
    patients_of,
    study_input,
    suspicions,
)
from radiodeep.study.size import against_size, found_sizes, given_sizes, size_result, warn_of_size

_MOST_FITS_AT_ONCE = 16


def cross_validated_auc(
    estimator,
    X,
    y,
    cv="leave-one-out",
    groups=None,
    n_jobs=None,
    *,
    n_repeats=5,
    size="auto",
    random_state=0,
    confidence_level=0.95,
    positive=None,
    on_error="raise",
    cache_dir=None,
):
    """Say how well an estimator predicts cases that it has not seen.

    Parameters
    ----------
    estimator : classifier or pipeline of scikit-learn or imbalanced-learn
        Extractors at its head that learn nothing run once for all folds; selectors, scalers, samplers
        and classifiers are fitted in every fold.
    X : Cohort, sequence of Case, DataFrame or ndarray
    y : array-like of shape (n_cases,)
        Two classes. A Series is matched with the cases by its index.
    cv : "leave-one-out", "leave-pair-out", int, or a splitter of scikit-learn, default="leave-one-out"
        An int means that many stratified, shuffled folds, repeated `n_repeats` times. Leave-pair-out
        fits once for every pair of cases of different classes. With `groups`, leave-one-out leaves out
        one group (patient) and folds keep groups together.
    groups : array-like of shape (n_cases,), optional
        Cases of one group are never on both sides. By default the patients, where one has several cases: those of a
        cohort, or of a table that `extract_table` made.
    n_jobs : int, optional
        Processes; -1 for all cores.
    n_repeats : int, default=5
        Of folds by number, and of those that stand beside leave-one-out.
    size : "auto", None or array-like of shape (n_cases,), default="auto"
        Sizes of the regions, for the model of size alone and for pairs of equal size: found in cases and in
        columns of volume or area by themselves.
    random_state : int, default=0
        Shuffles the folds.
    confidence_level : float, default=0.95
    positive : optional
        The class that scores, probabilities and the AUC are about; the one that sorts last if not given.
    on_error : {"raise", "exclude"}, default="raise"
        "exclude" studies without the cases that cannot be read or measured, and without rows of a table that hold
        no number; ``result.excluded`` names them with the reason.
    cache_dir : path-like, optional
        Keeps extracted features, as in `extract_table`.

    Returns
    -------
    StudyResult
        With `beside`, the same model under repeated stratified folds, where `cv` leaves one out, and
        with `size_alone`, the size itself as a score. `score_size_correlation` and `equal_size_auc` tell how much
        of the AUC may be size.

    Raises
    ------
    SingleClassError
        `y`, or the training part of a fold, holds one class only.
    LeakageError
        A patient would be on both sides of a fold, or a case comes twice.
    StudyError
        More than two classes, labels or sizes of other cases, infinite features, or a split that does not test all
        cases equally often.

    Warns
    -----
    RadiodeepWarning
        The scores, or features selected in most folds, go up and down with the size of the region, a feature is a
        copy of the label, or cases have equal features.

    Notes
    -----
    Under leave-one-out the scores of all folds are pooled before the AUC is computed, as the older
    studies did. That AUC is biased low (a model that has learned nothing scores below 0.5, since
    leaving a case out tilts the training set towards the other class); repeated folds are not. Their AUC
    is the mean over the repeats, with the interval of `radiodeep.study.statistics.auc.auc_of_repeats`. Cases are
    ranked by decision values or log-odds where a model has them: probabilities of 1.0 are ties.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(12, random_state=1)
    >>> texture = rd.RadiomicsExtractor(families=["glcm"])
    >>> model = make_pipeline(texture, rd.ReliefF(n_features_to_select=2), GaussianNB())
    >>> result = rd.cross_validated_auc(model, cohort, cohort.labels)
    >>> len(result.predictions), len(result.folds), result.beside.cv
    (12, 12, '6-fold, 5 repeats')
    >>> rd.cross_validated_auc(model, cohort, [1] * 12)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.SingleClassError: All 12 cases have the label 1. ...
    """
    name = type(estimator).__name__
    results = cross_validate_models(
        {name: estimator},
        X,
        y,
        cv,
        groups,
        n_jobs,
        n_repeats=n_repeats,
        size=size,
        random_state=random_state,
        confidence_level=confidence_level,
        positive=positive,
        on_error=on_error,
        cache_dir=cache_dir,
    )
    return results[name]


def cross_validate_models(
    models,
    X,
    y,
    cv="leave-one-out",
    groups=None,
    n_jobs=None,
    *,
    n_repeats=5,
    size="auto",
    random_state=0,
    confidence_level=0.95,
    positive=None,
    on_error="raise",
    cache_dir=None,
):
    """Study several models on the same cases and folds, each extraction run once for all of them.

    Parameters
    ----------
    models : dict from name to estimator
    X, y, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir
        As in `cross_validated_auc`.

    Returns
    -------
    dict from name to StudyResult
        Results are paired case by case, as `compare_auc` and `compare_all` need.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(12, random_state=1)
    >>> shape = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
    >>> texture = make_pipeline(rd.RadiomicsExtractor(families=["glcm"]), GaussianNB())
    >>> list(rd.cross_validate_models({"shape": shape, "texture": texture}, cohort, cohort.labels, cv=3))
    ['shape', 'texture']
    """
    if not isinstance(models, dict) or not models:
        raise StudyError(f"The 'models' parameter must be a dict from names to estimators. Got {models!r:.80}.")
    design = StudyDesign(
        cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir
    )
    return cross_validate_tables([(models, X)], y, design)


@dataclass(frozen=True, eq=False)
class StudyDesign:
    """The parameters of `cross_validated_auc` besides the model, the cases and their labels."""

    cv: object
    groups: object
    n_jobs: int | None
    n_repeats: int
    size: object
    random_state: int
    confidence_level: float
    positive: object
    on_error: str
    cache_dir: object


def cross_validate_tables(parts, y, design):
    """Study models over several tables of the same cases in one go, as `cross_validate_models` does over one.

    Parameters
    ----------
    parts : list of (models, X)
    y : array-like of shape (n_cases,)
    design : StudyDesign
    """
    if design.on_error not in ("raise", "exclude"):
        raise StudyError(f"The 'on_error' parameter must be 'raise' or 'exclude'. Got {design.on_error!r}.")
    for models, _ in parts:
        check_models(models)
    if design.n_jobs is not None and not (isinstance(design.n_jobs, int | np.integer) and design.n_jobs):
        raise StudyError(f"The 'n_jobs' parameter must be None or an int other than 0. Got {design.n_jobs!r}.")
    is_unknown = all(patients_of(X) is None for _, X in parts)
    given = [study_input(X, y, design.groups, design.positive, need_patients=is_unknown) for _, X in parts]
    everyone = next((one for one in given if one.patients is not None), given[0])
    sizes, n_jobs = given_sizes(design.size, everyone), design.n_jobs
    plans = _plans(everyone, design)  # a design that cannot work is an error before hours of extraction
    shared = [
        over_positions(models, study.X, n_jobs, on_error=design.on_error, cache_dir=design.cache_dir)
        for (models, _), study in zip(parts, given, strict=True)
    ]
    errors = {}
    for one, study in zip(shared, given, strict=True):
        errors |= one.errors | _failed(study, design.on_error)
    kept = np.array([row for row in range(len(everyone.ids)) if row not in errors], dtype=int)
    if not len(kept):
        raise StudyError(f"None of the {len(everyone.ids)} cases can be studied. {errors[min(errors)]}")
    study = everyone
    if errors:
        study = everyone.take(kept)
        plans = _plans(study, design)
    if sizes is not None:
        sizes = sizes[kept]
    elif isinstance(design.size, str):
        sizes = next((found for one in given if (found := found_sizes(one, kept)) is not None), None)
    remarks = [remark for one in shared for remark in _remarks(one, kept, study)]
    remarks = tuple(dict.fromkeys(remarks))
    for remark in remarks:
        warnings.warn(remark, RadiodeepWarning, stacklevel=4)

    subjects = {}
    for (models, _), one in zip(parts, shared, strict=True):
        rows = kept if one.by_position else _safe_indexing(one.rows, kept)
        known = {}
        for name, model in one.models.items():
            scores = shared_scores(model, rows, study.y, n_jobs, known) if plans[0].leaves_one_out else {}
            subjects[name] = _Subject(model, rows, describe(models[name]), scores)
    try:
        outcomes = _run(subjects, plans, replace(study, X=None), sizes, n_jobs)  # X would go to every process
    except ValueError as error:
        _explain(error, shared, kept, study.ids)
        raise

    excluded = {everyone.ids[row]: errors[row] for row in sorted(errors)}
    settle = Evidence(study, design.confidence_level, excluded, remarks, sizes)
    alone = None if sizes is None else [size_result(sizes, one, settle) for one in plans]
    if alone and len(alone) > 1:
        alone[0] = replace(alone[0], beside=alone[1])
    results = {}
    for name, subject in subjects.items():
        found = [settle.result(name, outcomes[name, which], one, subject.settings) for which, one in enumerate(plans)]
        if alone is not None:
            found = [against_size(one, size_alone) for one, size_alone in zip(found, alone, strict=True)]
        results[name] = replace(found[0], beside=found[1] if len(found) > 1 else None)
        warn_of_size(results[name])
    return results


@dataclass
class _Subject:
    """A model over rows, and its selectors' scores without each row where they were computed together."""

    model: object
    rows: object
    settings: dict
    scores: dict


def _run(subjects, plans, study, sizes, n_jobs):
    """Return the outcomes of all folds by (subject, number of the plan), computed in one go."""
    n_fits = sum(len(plan.folds) for plan in plans) * len(subjects)
    at_once = max(1, min(_MOST_FITS_AT_ONCE, n_fits // (8 * effective_n_jobs(n_jobs))))
    tasks = [
        (name, which, first)
        for name in subjects
        for which, plan in enumerate(plans)
        for first in range(0, len(plan.folds), at_once)
    ]

    def task(name, which, first):
        subject, folds = subjects[name], plans[which].folds[first : first + at_once]
        given = given_scores(subject.scores, plans[which], folds)
        return delayed(fit_folds)(subject.model, subject.rows, study, folds, given, sizes, first)

    finished = Parallel(n_jobs=n_jobs, return_as="generator")(task(*one) for one in tasks)
    outcomes = {(name, which): [] for name in subjects for which in range(len(plans))}
    for (name, which, _), part in zip(tasks, with_progress(finished, "Cross-validation", len(tasks)), strict=True):
        outcomes[name, which] += part
    warn_of_folds([outcome for some in outcomes.values() for outcome in some])
    return outcomes


def check_models(models):
    """Raise a StudyError for what is not an estimator, such as a class."""
    for name, model in models.items():
        if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "get_params")):
            got = f"the class {model.__name__}; pass {model.__name__}()" if isinstance(model, type) else repr(model)
            raise StudyError(f"The model {name!r} must be an estimator of scikit-learn's kind. Got {got:.200}.")


def _plans(study, design):
    """Return the split that was asked for and what stands beside it, checked."""
    plan = plan_of(design.cv, study.y, study.groups, design.n_repeats, design.random_state, study.classes)
    plans = [plan]
    if plan.leaves_one_out or plan.name == "leave-one-group-out":
        companion = companion_plan(study.y, study.groups, design.n_repeats, design.random_state)
        plans += [] if companion is None else [companion]
    for one in plans:
        check_folds(one, study.y, study.ids, study.groups, study.patients)
    return plans


def _failed(study, on_error):
    """Return why rows of a table hold no number; an error unless such rows are excluded."""
    failed = failed_rows(study.X)
    if failed and on_error == "raise":
        row, reason = next(iter(failed.items()))
        raise StudyError(
            f"{len(failed)} rows of the table hold no number, the first is {study.ids[row]!r} ({reason}). Study the "
            "others with on_error='exclude', or drop those rows."
        )
    return failed


def _remarks(shared, kept, study):
    """Return what is suspicious about the numbers that the models see; infinite ones are an error."""
    found = []
    for values, names in shared.tables:
        values = values[kept]
        check_magnitudes(values, names, study.ids)
        found += suspicions(values, names, study.ids, study.y == study.classes[1])
    return found


def _explain(error, shared, kept, ids):
    """Raise a StudyError that names the missing values or texts, if the estimator failed because of them."""
    if isinstance(error, StudyError):
        return
    if "Expected 2D array" in str(error) and not shared[0].tables:
        raise StudyError(
            "The model takes a table, not cases. Put an extractor first in its pipeline, or study the table that "
            "extract_table makes."
        ) from error
    table = shared[0].rows
    if "could not convert string" in str(error) and hasattr(table, "select_dtypes"):
        texts = ", ".join(repr(str(name)) for name in table.select_dtypes(exclude=["number", "bool"]).columns)
        raise StudyError(f"The columns {texts} of the table hold text. Drop or encode them first.") from error
    if "NaN" not in str(error):
        return
    for values, names in shared[0].tables:
        sentence = missing_values(values[kept], names, ids)
        if sentence:
            raise StudyError(f"{sentence} (The estimator says: {str(error).splitlines()[0]})") from error
