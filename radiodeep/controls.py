"""Models and a cohort -> the same study of images whose voxels are destroyed: what the models predict without them."""

from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd

from radiodeep.cases.case import Case
from radiodeep.cases.cohort import as_items
from radiodeep.cases.patient import Patient
from radiodeep.checks import is_count, require
from radiodeep.exceptions import StudyError
from radiodeep.imaging.controls import meaning_of, negative_control
from radiodeep.study.design import StudyDesign
from radiodeep.study.execution import check_models, cross_validate_tables
from radiodeep.study.size import SIZE_BASELINE
from radiodeep.study.statistics.comparison import compare_auc

ORIGINAL = "original"
DEFAULT_CONTROLS = ("shuffled_roi", "randomized_roi", "shuffled_non_roi")
_SIGNIFICANT = 0.05
_VOXELS = {"roi": "of the region", "non_roi": "around the region", "full": "of the whole image"}
_CHANGED = {
    "shuffled": "shuffled",
    "randomized_sampled": "drawn anew from their histogram",
    "randomized": "replaced by random ones",
}
_DESTROYED_AND_KEPT = {
    "roi": ("the texture of the region", "its size, shape and histogram"),
    "non_roi": ("what surrounds the region", "the region"),
    "full": ("the intensities of the image", "the size and shape of the region"),
}
_RANDOMIZED_ROI = ("the texture and histogram of the region", "its size, shape and range of intensities")


@dataclass(frozen=True, eq=False)
class NegativeControls:
    """Studies of the original images and of negative controls; printed, a table and what follows from it.

    Attributes
    ----------
    results : dict from name of a model to dict
        That of the model: "original" and the names of the controls -> StudyResult, paired case by case.
    table : DataFrame
        A row per `model` and `study`: "original", the controls, and "size alone" if the sizes are known. `measure`,
        `cv`, `value`, `low`, `high`; `difference`, the original less this one, with its 95 % interval
        `difference_low`, `difference_high` and its `p_value` (see `compare_auc`; not corrected for the number of
        controls). Of leave-one-out the values are those of its companion.
    verdicts : dict from name of a model to list of str
        A sentence per control.
    """

    results: dict = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    verdicts: dict

    @property
    def originals(self):
        """The results of the original images: dict from name of a model to StudyResult."""
        return {model: studies[ORIGINAL] for model, studies in self.results.items()}

    def __str__(self):
        columns = ["value", "low", "high", "difference", "difference_low", "difference_high", "p_value"]
        measure = self.table["measure"].iloc[0]
        shown = self.table[columns].rename(columns={"value": measure})
        parts = [shown.to_string(float_format="{:.3f}".format, na_rep="")]
        for model, sentences in self.verdicts.items():
            parts.append("\n".join([*([model] if len(self.verdicts) > 1 else []), *sentences]))
        return "\n\n".join(parts)

    def _repr_html_(self):
        verdicts = [f"<p>{escape(text)}</p>" for sentences in self.verdicts.values() for text in sentences]
        return self.table.to_html(float_format="{:.3f}".format, na_rep="") + "".join(verdicts)


def negative_controls(
    models,
    cohort,
    y,
    cv=5,
    groups=None,
    n_jobs=None,
    *,
    controls=DEFAULT_CONTROLS,
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
    """Study models on the images and on negative controls, to see what remains without texture or surroundings.

    Models are trained and tested on the changed images, with the same folds and seeds. A model that does as well as
    before has learned from what the control keeps: of a shuffled region its size, its shape and its histogram.

    Parameters
    ----------
    models : estimator, or dict from name to estimator
        Over cases (or patients): the images are changed before any feature is measured.
    cohort : Cohort or sequence of Case or Patient
    y, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir
        As in `cross_validated_auc`. The random state also seeds the controls; a case that fails in one study is left
        out of all.
    controls : sequence of str
        As in `radiodeep.imaging.controls.negative_control`, e.g. "shuffled_roi". Each takes as long as the study of
        the originals.
    outcome, horizon, centres
        As in `cross_validated_score`.

    Returns
    -------
    NegativeControls

    Raises
    ------
    InputError
        Unknown or repeated control, or a random state that is not an int >= 0.
    StudyError
        As in `cross_validated_auc`, or the cohort is a table of features.

    Notes
    -----
    Resampling and filters smooth the noise that shuffling leaves, so that the histogram of what they make is no longer
    that of the original; read those results as "without texture and histogram". A difference that is not significant
    does not prove that there is none: the interval says how large it may be.

    References
    ----------
    Welch et al., Vulnerabilities of radiomic signature development: the need for safeguards, Radiotherapy and Oncology
    130 (2019) 2.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(20, random_state=0)
    >>> model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
    >>> found = rd.negative_controls(model, cohort, cohort.labels, controls=["shuffled_roi"], n_repeats=2)
    >>> float(found.table["difference"].loc["Pipeline", "shuffled_roi"])
    0.0
    >>> print(found.verdicts["Pipeline"][0].partition(": ")[2])
    the scores are the same, so the model uses nothing of the texture of the region.
    """
    require(is_count(random_state, 0), negative_controls, "random_state", "an int >= 0", random_state)
    names = _checked_controls(controls)
    models = models if isinstance(models, dict) else {type(models).__name__: models}
    check_models(models)
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
    items = _checked_items(cohort)
    cohorts = {ORIGINAL: items}
    cohorts |= {name: [negative_control(item, name, random_state) for item in items] for name in names}
    parts = [
        ({_study_name(model, control): estimator for model, estimator in models.items()}, changed)
        for control, changed in cohorts.items()
    ]
    found = cross_validate_tables(parts, y, design)
    return _compared({model: {control: found[_study_name(model, control)] for control in cohorts} for model in models})


def _study_name(model, control):
    return model if control == ORIGINAL else f"{model}, {control}"


def _checked_controls(controls):
    names = [controls] if isinstance(controls, str) else list(controls)
    for name in names:
        meaning_of(name)
    is_allowed = names and len(set(names)) == len(names)
    require(is_allowed, negative_controls, "controls", "names of different controls, at least one", controls)
    return names


def _checked_items(cohort):
    items = as_items(cohort)
    if not all(isinstance(item, Case | Patient) for item in items):
        raise StudyError(
            f"Negative controls change images, so they need a Cohort or a list of cases. Got {type(cohort).__name__}."
        )
    return items


def _compared(results):
    """Return the `NegativeControls` of results by model and study."""
    rows, verdicts = [], {}
    for model, studies in results.items():
        original = studies[ORIGINAL].primary
        compared = {ORIGINAL: (original, None)}
        for control, study in studies.items():
            if control != ORIGINAL:
                compared[control] = study.primary, compare_auc(original, study.primary)
        if original.size_baseline is not None:
            compared[SIZE_BASELINE] = original.size_baseline, original.against_size
        rows += [_row(model, name, *pair) for name, pair in compared.items()]
        verdicts[model] = [_verdict(name, original, *pair) for name, pair in compared.items() if pair[1] is not None]
    return NegativeControls(results, pd.DataFrame(rows).set_index(["model", "study"]), verdicts)


def _row(model, name, result, comparison):
    interval = result.confidence_interval
    row = {"model": model, "study": name, "measure": result.endpoint.measure, "cv": result.cv}
    row |= {"value": result.value, "low": interval.low, "high": interval.high}
    difference = dict.fromkeys(["difference", "difference_low", "difference_high", "p_value"], np.nan)
    if comparison is not None:
        bounds = comparison.confidence_interval
        values = (comparison.difference, bounds.low, bounds.high, comparison.p_value)
        difference = dict(zip(difference, values, strict=True))
    return row | difference


def _verdict(name, original, result, comparison):
    """Return a sentence on what the difference between the original and a control, or size alone, says."""
    start, more, same, less = _words(name)
    bounds = comparison.confidence_interval
    endpoint = original.endpoint
    if np.allclose(original.score_array, result.score_array, rtol=1e-9, atol=1e-12):
        conclusion = same
    elif np.isnan(comparison.p_value):
        conclusion = "the difference has no variance, so that it cannot be tested"
    elif comparison.p_value < _SIGNIFICANT and comparison.difference < 0:
        conclusion = less
    elif original.confidence_interval.low <= endpoint.chance:  # even if the control is lower still
        conclusion = (
            f"no conclusion, since the interval of the original images is not all above {endpoint.chance:g}, chance"
        )
    elif comparison.p_value < _SIGNIFICANT:
        conclusion = more
    else:
        conclusion = f"no evidence that {more} (worth {bounds.high:.2f} at most, by the interval)"
    return (
        f"{start} the {endpoint.measure} is {comparison.value_b:.2f} instead of {comparison.value_a:.2f} (difference "
        f"{comparison.difference:+.2f}, {bounds.level:.0%} CI {bounds.low:+.2f} to {bounds.high:+.2f}, "
        f"p = {comparison.p_value:.2g}): {conclusion}."
    )


def _words(name):
    """Return how the verdict of a control begins, and its ends for a worse, the same and a better control."""
    if name == SIZE_BASELINE:
        more = "the model knows more than the size"
        return "With the size alone", more, "the model knows the size only", "the model does worse than the size"
    change, part = meaning_of(name)
    destroyed, kept = _RANDOMIZED_ROI if name == "randomized_roi" else _DESTROYED_AND_KEPT[part]
    return (
        f"With the voxels {_VOXELS[part]} {_CHANGED[change]}",
        f"the model learns from {destroyed} what {kept} {'does' if part == 'non_roi' else 'do'} not tell",
        f"the scores are the same, so the model uses nothing of {destroyed}",
        f"the model does better without {destroyed}",
    )
