"""Models, their tables and a design -> a result for each model; extraction, folds and size baseline are shared."""

import warnings
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from joblib import delayed, effective_n_jobs

from radiodeep.exceptions import InputError, RadiodeepWarning, StudyError
from radiodeep.processes import results_of
from radiodeep.progress import with_progress
from radiodeep.study.description import describe
from radiodeep.study.evidence import Evidence
from radiodeep.study.folds.estimator_tree import descendants, offers
from radiodeep.study.folds.fitting import fit_folds, warn_of_folds
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.folds.shared_selection import selectors_of_folds, selectors_without_each
from radiodeep.study.inputs import rows_of, study_input
from radiodeep.study.size import known_sizes, size_baseline, warn_of_size, with_size_baseline
from radiodeep.study.table_checks import check_magnitudes, missing_values, suspected_copies, suspicions

_MOST_FITS_AT_ONCE = 16


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
    _check_splits(parts, plans, all_ids)
    shared = [
        as_row_indices(
            {name: endpoint.prepared(model) for name, model in models.items()},
            given.rows,
            design.n_jobs,
            on_error=design.on_error,
            cache_dir=design.cache_dir,
        )
        for (models, _), given in zip(parts, studies, strict=True)
    ]
    errors = _errors(shared, studies, design.on_error)
    kept = np.array([row for row in range(len(all_ids)) if row not in errors], dtype=int)
    if errors:
        study = study.take(kept)
        endpoint = endpoint.studied(kept)
        plans = design.plans(study, endpoint)
        _check_splits(parts, plans, study.ids)
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


def _check_splits(parts, plans, ids):
    """Raise StudyError if a step that offers `check_split` refuses the cases of a fold."""
    steps = [step for models, _ in parts for model in models.values() for step in descendants(model)]
    steps = [step for step in steps if offers(step, "check_split")]
    for plan in plans if steps else []:
        for number, (train, test) in enumerate(plan.folds):
            training, tested = ([ids[row] for row in rows] for rows in (train, test))
            for step in steps:
                try:
                    step.check_split(training, tested)
                except InputError as error:
                    where = f"No model was fitted, since fold {number} ({plan.name}) fails"
                    raise StudyError(f"{where}: {error}") from error


def _inputs_of(parts, design):
    """Return the StudyInput of each part; a table without patients is accepted if another part knows them."""
    tables = [rows_of(X) for _, X in parts]
    need_patients = all(rows.patients is None for rows in tables)
    given = design.groups, design.size, design.centres
    return [study_input(rows, *given, need_patients=need_patients) for rows in tables]


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
        for values, names in part.facts:
            remarks += suspected_copies(values[kept], names, endpoint.as_numbers)
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

    given = {"groups": study.groups, "sizes": study.sizes}
    fit = {name: partial(fit_folds, each.model, each.rows, endpoint, **given) for name, each in subjects.items()}

    def task(name, number, first):
        folds = plans[number].folds[first : first + batch]
        selectors = selectors_of_folds(subjects[name].selectors, plans[number], folds)
        return delayed(fit[name])(folds, selectors=selectors, first=first)

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
    if "void-scalar" in message or "dtype([(" in message:  # of a structured array
        raise StudyError(
            "The model does not take times to an event. Use a model of survival, such as CoxRegression, or put a "
            "classifier into a HorizonClassifier."
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
