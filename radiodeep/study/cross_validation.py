"""Estimator, cases or table, and labels -> out-of-fold predictions with a measure and its interval.

Extractors that learn nothing run once for all folds; every step that learns is fitted in each fold to the training
cases of that fold alone. Results that are known to mislead do not come alone: repeated folds are reported with
leave-one-out, and the size of the region with every model.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from joblib import delayed, effective_n_jobs

from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.processes import results_of
from radiodeep.progress import with_progress
from radiodeep.study.description import describe
from radiodeep.study.design import StudyDesign
from radiodeep.study.evidence import Evidence
from radiodeep.study.folds.fitting import fit_folds, warn_of_folds
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.folds.shared_selection import selectors_of_folds, selectors_without_each
from radiodeep.study.inputs import rows_of, study_input
from radiodeep.study.size import known_sizes, size_baseline, warn_of_size, with_size_baseline
from radiodeep.study.table_checks import check_magnitudes, missing_values, suspicions

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
    """Estimate how well an estimator predicts cases that it has not seen.

    Parameters
    ----------
    estimator : classifier or pipeline of scikit-learn or imbalanced-learn
        Extractors that learn nothing run once for all folds; selectors, scalers, samplers and classifiers are
        fitted in every fold.
    X : Cohort, sequence of Case, DataFrame or ndarray
    y : array-like of shape (n_cases,)
        Labels of two classes. A Series is matched with the cases by its index.
    cv : "leave-one-out", "leave-pair-out", int, or a splitter of scikit-learn, default="leave-one-out"
        An int means that many stratified, shuffled folds, repeated `n_repeats` times. Leave-pair-out
        fits once for every pair of cases of different classes. With `groups`, leave-one-out leaves out
        one group (patient) and folds keep groups together.
    groups : array-like of shape (n_cases,), optional
        Cases of a group are never on both sides of a fold. By default the patients, if any of them has several
        cases: those of a cohort, or of a table made by `extract_table`.
    n_jobs : int, optional
        Processes; -1 for all cores.
    n_repeats : int, default=5
        Repeats of folds given as a number, and of the companion of leave-one-out.
    size : "auto", None or array-like of shape (n_cases,), default="auto"
        Sizes of the regions, for the baseline of size alone and for pairs of equal size. "auto" takes them from
        the cases or from a column of volume or area.
    random_state : int, default=0
        Seed of the shuffled folds.
    confidence_level : float, default=0.95
    positive : optional
        The class that scores, probabilities and the AUC refer to; the one that sorts last if not given.
    on_error : {"raise", "exclude"}, default="raise"
        "exclude" leaves out cases that cannot be read or measured, and rows of a table that hold no number;
        ``result.excluded`` names them with the reason.
    cache_dir : path-like, optional
        Stores extracted features, as in `extract_table`.

    Returns
    -------
    StudyResult
        Its `companion` is the same model under repeated stratified folds, if `cv` leaves one case out, and its
        `size_baseline` the size itself as the score. `score_size_correlation` and `equal_size_auc` tell how much
        of the AUC may be due to size.

    Raises
    ------
    SingleClassError
        `y`, or the training part of a fold, holds one class only.
    LeakageError
        A patient would be on both sides of a fold, or a case occurs twice.
    StudyError
        More than two classes, labels or sizes of other cases, infinite features, or a split that does not test all
        cases equally often.

    Warns
    -----
    RadiodeepWarning
        The scores, or features selected in most folds, follow the size of the region, a feature is a copy of the
        label, or cases have equal features.

    Notes
    -----
    Under leave-one-out the scores of all folds are pooled before the AUC is computed, as older studies
    did. That AUC is biased low: leaving a case out shifts the class balance of the training set towards the
    other class, so a model without information scores below 0.5. Repeated folds do not have this bias. Their AUC
    is the mean over the repeats, with the interval of `radiodeep.study.statistics.auc.auc_of_repeats`. Cases are
    ranked by decision values or log-odds if the model has them, since probabilities of 1.0 are ties.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(12, random_state=1)
    >>> texture = rd.RadiomicsExtractor(families=["glcm"])
    >>> model = make_pipeline(texture, rd.ReliefF(n_features_to_select=2), GaussianNB())
    >>> result = rd.cross_validated_auc(model, cohort, cohort.labels)
    >>> len(result.predictions), len(result.folds), result.companion.cv
    (12, 12, '6-fold, 5 repeats')
    >>> rd.cross_validated_auc(model, cohort, [1] * 12)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.SingleClassError: All 12 cases have the label 1. ...
    """
    name = type(estimator).__name__
    design = StudyDesign(
        cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir, "classes"
    )
    return cross_validate_tables([({name: estimator}, X)], y, design)[name]


def cross_validated_score(
    estimator,
    X,
    y,
    cv=10,
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
    outcome="auto",
    horizon=None,
):
    """Estimate how well an estimator predicts an outcome of any kind in cases that it has not seen.

    Parameters
    ----------
    estimator, X, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir
        As in `cross_validated_auc`.
    y : array-like of shape (n_cases,)
        Classes, numbers, or survival as a structured array of events (bool) and times, e.g. of `survival_outcomes`.
    outcome : {"auto", "classes", "ordered", "numbers", "survival"}, default="auto"
        "auto" takes a structured array as survival; two values, text and bools as classes, an ordered Categorical as
        ordered classes; whole numbers of 3 to 10 values, each of two cases or more, as classes; others as numbers.
    horizon : float, optional
        The time at which survival is predicted, in the unit of the times.

    Returns
    -------
    StudyResult
        Its `value` is the AUC of two classes, Hand and Till's M of several, Spearman's correlation of numbers, and the
        concordance index of survival; `measures()` gives the others of the kind.

    Raises
    ------
    StudyError
        As in `cross_validated_auc`, or the estimator does not predict this kind of outcome.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from radiodeep import cross_validated_score
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 20)
    >>> cross_validated_score(GaussianNB(), rng.normal(size=(40, 3)) + y[:, None], y).outcome
    'two classes'
    """
    name = type(estimator).__name__
    design = StudyDesign(
        cv,
        groups,
        n_jobs,
        n_repeats,
        size,
        random_state,
        confidence_level,
        positive,
        on_error,
        cache_dir,
        outcome,
        horizon,
    )
    return cross_validate_tables([({name: estimator}, X)], y, design)[name]


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
    outcome="auto",
    horizon=None,
):
    """Study several models on the same cases and folds; each extraction runs once for all of them.

    Parameters
    ----------
    models : dict from name to estimator
    X, y, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir
        As in `cross_validated_auc`.
    outcome, horizon
        As in `cross_validated_score`.

    Returns
    -------
    dict from name to StudyResult
        Paired case by case, for `compare_auc` and `compare_all`.

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
        cv,
        groups,
        n_jobs,
        n_repeats,
        size,
        random_state,
        confidence_level,
        positive,
        on_error,
        cache_dir,
        outcome,
        horizon,
    )
    return cross_validate_tables([(models, X)], y, design)


def cross_validate_tables(parts, y, design):
    """Study models over several tables of the same cases: `parts` are (models, X) as of `cross_validate_models`.

    Called by functions that users call, so that the warnings name the user's line.
    """
    design.check()
    for models, _ in parts:
        check_models(models)
    studies = _inputs_of(parts, design)
    study = next((given for given in studies if given.patients is not None), studies[0])
    all_ids = study.ids
    endpoint = design.endpoint(study, y)
    plans = design.plans(study, endpoint)  # a design that cannot work is an error before hours of extraction
    shared = [
        as_row_indices(models, given.rows, design.n_jobs, on_error=design.on_error, cache_dir=design.cache_dir)
        for (models, _), given in zip(parts, studies, strict=True)
    ]
    errors = _errors(shared, studies, design.on_error)
    kept = np.array([row for row in range(len(all_ids)) if row not in errors], dtype=int)
    if errors:
        study = study.take(kept)
        endpoint = endpoint.take(kept)
        plans = design.plans(study, endpoint)
    if study.sizes is None and design.size is not None:
        study = replace(study, sizes=known_sizes(studies, kept))
    remarks = _remarks(shared, kept, study.ids, endpoint)
    for remark in remarks:
        warnings.warn(remark, RadiodeepWarning, stacklevel=3)
    subjects = _subjects(parts, shared, kept, endpoint, plans[0], design.n_jobs)
    try:
        outcomes = _run(subjects, plans, study, endpoint, design.n_jobs)
    except StudyError:
        raise
    except (TypeError, ValueError) as error:
        _explain(error, shared[0], studies[0].rows, kept, study.ids)
        raise
    excluded = {all_ids[row]: errors[row] for row in sorted(errors)}
    results = _results(subjects, outcomes, plans, Evidence(study, endpoint, design.confidence_level, excluded, remarks))
    for result in results.values():
        warn_of_size(result, stacklevel=4)
    return results


def check_models(models):
    """Raise StudyError for what is not an estimator, such as a class."""
    for name, model in models.items():
        is_class = isinstance(model, type)
        if is_class or any(getattr(model, method, None) is None for method in ("fit", "get_params")):
            got = f"the class {model.__name__}; pass {model.__name__}()" if is_class else repr(model)
            raise StudyError(
                f"The model {name!r} must be an estimator with the interface of scikit-learn. Got {got:.200}."
            )


def _inputs_of(parts, design):
    """Return the StudyInput of each part; a table without patients is accepted if another part knows them."""
    tables = [rows_of(X) for _, X in parts]
    need_patients = all(rows.patients is None for rows in tables)
    return [study_input(rows, design.groups, design.size, need_patients=need_patients) for rows in tables]


def _errors(shared, studies, on_error):
    """Return the errors of all parts by position; raise for rows without numbers unless they are excluded."""
    errors = {}
    for part, study in zip(shared, studies, strict=True):
        failed = study.rows.failed()
        if failed and on_error == "raise":
            row, reason = next(iter(failed.items()))
            raise StudyError(
                f"{len(failed)} rows of the table hold no number, the first is {study.ids[row]!r} ({reason}). Study "
                "the others with on_error='exclude', or drop those rows."
            )
        errors |= part.errors | failed
    n_cases = len(studies[0].ids)
    if len(errors) == n_cases:
        raise StudyError(f"None of the {n_cases} cases can be studied. {errors[min(errors)]}")
    return errors


def _remarks(shared, kept, ids, endpoint):
    """Return suspicions about the numbers that the models see, without repetition; infinite ones are an error."""
    remarks = []
    for part in shared:
        for values, names in part.tables:
            check_magnitudes(values[kept], names, ids)
            remarks += suspicions(values[kept], names, ids, endpoint.as_numbers)
    return tuple(dict.fromkeys(remarks))


@dataclass
class _Subject:
    """A model, the rows it takes, its settings, and its selectors fitted without each row if they share the work."""

    model: object
    rows: object
    settings: dict
    selectors: dict | None


def _subjects(parts, shared, kept, endpoint, plan, n_jobs):
    """Return a _Subject for each model of all parts, by name."""
    subjects = {}
    for (models, _), part in zip(parts, shared, strict=True):
        rows = part.at(kept)
        known = {}
        for name, model in part.models.items():
            selectors = None
            if plan.leaves_one_out:
                selectors = selectors_without_each(model, rows, endpoint.y, n_jobs, known)
            subjects[name] = _Subject(model, rows, describe(models[name]), selectors)
    return subjects


def _run(subjects, plans, study, endpoint, n_jobs):
    """Return the outcomes of all folds by (subject, number of the plan), computed in parallel."""
    n_fits = sum(len(plan.folds) for plan in plans) * len(subjects)
    batch = max(1, min(_MOST_FITS_AT_ONCE, n_fits // (8 * effective_n_jobs(n_jobs))))
    tasks = [
        (name, number, first)
        for name in subjects
        for number, plan in enumerate(plans)
        for first in range(0, len(plan.folds), batch)
    ]

    def task(name, number, first):
        subject = subjects[name]
        folds = plans[number].folds[first : first + batch]
        return delayed(fit_folds)(
            subject.model,
            subject.rows,
            endpoint,
            folds,
            groups=study.groups,
            selectors=selectors_of_folds(subject.selectors, plans[number], folds),
            sizes=study.sizes,
            first=first,
        )

    finished = results_of((task(*key) for key in tasks), n_jobs, len(tasks))
    outcomes = {(name, number): [] for name in subjects for number in range(len(plans))}
    for (name, number, _), batch_outcomes in zip(
        tasks, with_progress(finished, "Cross-validation", len(tasks)), strict=True
    ):
        outcomes[name, number] += batch_outcomes
    warn_of_folds([outcome for plan_outcomes in outcomes.values() for outcome in plan_outcomes])
    return outcomes


def _results(subjects, outcomes, plans, evidence):
    """Return the result of each model by name, with its companion and compared with the size if it is known."""
    baselines = []
    if evidence.study.sizes is not None:
        baselines = [size_baseline(plan, evidence) for plan in plans]
        baselines[0] = _with_companion(baselines)
    results = {}
    for name, subject in subjects.items():
        by_plan = [
            evidence.result(name, outcomes[name, number], plan, subject.settings) for number, plan in enumerate(plans)
        ]
        if baselines:
            by_plan = [with_size_baseline(*pair) for pair in zip(by_plan, baselines, strict=True)]
        results[name] = _with_companion(by_plan)
    return results


def _with_companion(by_plan):
    """Return the first result, with the second as its companion if there is one."""
    return replace(by_plan[0], companion=by_plan[1]) if len(by_plan) > 1 else by_plan[0]


def _explain(error, part, rows, kept, ids):
    """Raise a StudyError that names the missing values or texts, if the estimator failed because of them."""
    message = str(error)
    if ("Expected 2D array" in message or "not 'Case'" in message) and not part.tables:
        raise StudyError(
            "The model takes a table, not cases. Put an extractor first in its pipeline, or study the table that "
            "extract_table makes."
        ) from error
    if "could not convert string" in message and rows.text_columns:
        texts = ", ".join(repr(name) for name in rows.text_columns)
        raise StudyError(f"The columns {texts} of the table hold text. Drop or encode them first.") from error
    if "NaN" not in message:
        return
    for values, names in part.tables:
        sentence = missing_values(values[kept], names, ids)
        if sentence:
            raise StudyError(f"{sentence} (The estimator says: {message.splitlines()[0]})") from error
