"""Estimator, cases or table, and outcomes -> out-of-fold predictions with a measure and its interval.

Extractors that learn nothing run once for all folds; every step that learns is fitted in each fold to the training
cases of that fold alone. Results that are known to mislead do not come alone: splits without a valid interval are
reported with repeated halves, and every model with the size of the region.
"""

from radiodeep.exceptions import StudyError
from radiodeep.study.design import StudyDesign
from radiodeep.study.execution import cross_validate_tables


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
    centres=None,
):
    """Estimate how well a classifier predicts cases that it has not seen.

    Parameters
    ----------
    estimator : classifier or pipeline of scikit-learn or imbalanced-learn
        Extractors that learn nothing run once for all folds; selectors, scalers, samplers and classifiers are
        fitted in every fold.
    X : Cohort, sequence of Case, DataFrame or ndarray
    y : array-like of shape (n_cases,)
        Labels of two classes, or of several, whose AUC is Hand and Till's M. A Series is matched with the cases by its
        index.
    cv : "leave-one-out", "leave-pair-out", "leave-one-centre-out", int, or a splitter of scikit-learn
        An int means that many stratified, shuffled folds, repeated `n_repeats` times. Leave-pair-out
        fits once for every pair of cases of different classes. With `groups`, leave-one-out leaves out
        one group (patient) and folds keep groups together. Leave-one-centre-out tests each of the `centres` by a model
        of all others: the AUC is their mean by random effects.
    groups : array-like of shape (n_cases,), optional
        Cases of a group are never on both sides of a fold. By default the patients, if any of them has several
        cases: those of a cohort, or of a table made by `extract_table`.
    n_jobs : int, optional
        Processes; -1 for all cores.
    n_repeats : int, default=5
        Repeats of folds given as a number. The halves of a companion are repeated ten times as often.
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
    centres : str or array-like of shape (n_cases,), optional
        For leave-one-centre-out the centre (hospital, scanner) of each case, or the name of a column of the manifest;
        of a table one value per row.

    Returns
    -------
    StudyResult
        Its `companion` is the same model under repeated halves, unless `cv` repeats folds: other splits have no valid
        interval. Leave-one-centre-out has one: that of the mean of a population of centres, and `centres` has a row for
        each. Its `size_baseline` is the size itself as the score. `score_size_correlation` and `equal_size_auc`
        tell how much of the AUC may be due to size.

    Raises
    ------
    SingleClassError
        `y`, or the training part of a fold, holds one class only.
    LeakageError
        A patient would be on both sides of a fold, or a case occurs twice.
    StudyError
        Labels or sizes of other cases, infinite features, or a split that does not test all cases equally often.

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
    is the mean over the repeats, with the interval of `radiodeep.study.statistics.uncertainty`: it is that of models
    trained on as many cases as those of the folds. Cases are ranked by decision values or log-odds if the model has
    them, since probabilities of 1.0 are ties.

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
    (12, 12, '2-fold, 50 repeats')
    >>> rd.cross_validated_auc(model, cohort, [1] * 12)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.SingleClassError: All 12 cases have the label 1. ...
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
        "classes",
        centres=centres,
    )
    return cross_validate_tables([({name: estimator}, X)], y, design)[name]


def cross_validated_score(
    estimator,
    X,
    y,
    cv=5,
    groups=None,
    n_jobs=None,
    *,
    n_repeats=10,
    size="auto",
    random_state=0,
    confidence_level=0.95,
    positive=None,
    on_error="raise",
    cache_dir=None,
    outcome="auto",
    horizon=None,
    centres=None,
):
    """Estimate how well an estimator predicts an outcome of any kind in cases that it has not seen.

    Parameters
    ----------
    estimator, X, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error
        As in `cross_validated_auc`.
    cache_dir, centres
        As in `cross_validated_auc`.
    y : array-like of shape (n_cases,)
        Classes, numbers, or survival as a structured array of events (bool) and times, e.g. of `survival_outcomes`.
    outcome : {"auto", "classes", "ordered", "numbers", "survival"}, default="auto"
        "auto" takes a structured array as survival; two values, text and bools as classes, an ordered Categorical as
        ordered classes; whole numbers of 3 to 10 values, each of two cases or more, as classes; others as numbers.
    horizon : float, optional
        The time at which survival is predicted, in the unit of the times. By default the median follow-up, or the last
        time beyond which a fifth of the cases are followed if that is earlier.

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
        centres,
    )
    return cross_validate_tables([({name: estimator}, X)], y, design)[name]


def cross_validated_cindex(
    estimator,
    X,
    y,
    cv=5,
    groups=None,
    n_jobs=None,
    *,
    n_repeats=10,
    size="auto",
    random_state=0,
    confidence_level=0.95,
    on_error="raise",
    cache_dir=None,
    horizon=None,
    centres=None,
):
    """Estimate how well an estimator orders the survival of cases that it has not seen, by the concordance index.

    Parameters
    ----------
    estimator : survival model or pipeline
        Of radiodeep or scikit-survival: `predict` gives a risk, which is higher for earlier events.
    X, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, on_error, cache_dir, centres
        As in `cross_validated_auc`; folds are stratified by event.
    y : structured array of shape (n_cases,)
        Events (bool) and times, e.g. ``cohort.survival`` or of `survival_outcomes`.
    horizon : float, optional
        The time at which survival is predicted, in the unit of the times. By default the median follow-up, or the last
        time beyond which a fifth of the cases are followed if that is earlier.

    Returns
    -------
    StudyResult
        Its `value` is Harrell's C of pairs of cases of the same test fold; `measures()` gives Uno's C, and the AUC and
        the Brier score at the horizon.

    Raises
    ------
    StudyError
        As in `cross_validated_auc`, or there is no event.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import CoxRegression, cross_validated_cindex, survival_outcomes
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 2))
    >>> y = survival_outcomes(event=rng.random(60) < 0.7, time=rng.exponential(np.exp(-X[:, 0])))
    >>> result = cross_validated_cindex(CoxRegression(), X, y)
    >>> result.outcome, bool(result.value > 0.6)
    ('survival', True)
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
        None,
        on_error,
        cache_dir,
        "survival",
        horizon,
        centres,
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
    centres=None,
):
    """Study several models on the same cases and folds; each extraction runs once for all of them.

    Parameters
    ----------
    models : dict from name to estimator
    X, y, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir, centres
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
        centres,
    )
    return cross_validate_tables([(models, X)], y, design)
