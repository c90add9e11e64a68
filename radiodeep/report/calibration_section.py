"""A result -> the section of a report on whether its probabilities are risks, and on the benefit of acting on them."""

import numpy as np

from radiodeep.report.class_figures import calibration_figure, decision_figure
from radiodeep.report.section import Drawing, Section
from radiodeep.study.statistics.calibration import calibration, decision_curve
from radiodeep.study.statistics.risks import doubts_about_risks, has_few_events

_FEWEST_TREATED = 5  # cases at the last threshold of the decision curve
_MANY_EVENTS = 50  # of the rarer class, for twice as many groups
_CURVE = (
    "Points on the diagonal: what is predicted happens as often as predicted. Points are groups of cases of similar "
    "probability, with their numbers above (those of neighbours together) and the interval of the observed frequency. "
    "Below: how many cases have which prediction."
)
_BENEFIT = (
    "Who would act from a risk of 20 % on accepts four needless actions for one that is needed. At each such threshold "
    "the highest line is the best policy: the model is useful where it lies above both others. It holds where the "
    "outcome is as frequent as in these cases."
)


def calibration_section(result, colour):
    """Return the Section on calibration, with a decision curve only if the probabilities can be read as risks.

    None if the outcome has no calibration or the model predicts no probabilities.
    """
    shown = result.primary
    title = f"Are the probabilities risks? {result.name}"
    if np.isnan(shown.probability_array).any():
        return None
    if "survival curves" in shown.endpoint.offers:
        return _of_survival(title, shown, colour)
    if "calibration" not in shown.endpoint.offers:
        return None
    positive = shown.endpoint.is_positive
    n_groups = 10 if min(positive.sum(), (~positive).sum()) >= _MANY_EVENTS else 5
    measured = calibration(shown, n_groups)
    doubts = doubts_about_risks(shown, measured)
    figure = calibration_figure(measured.curve, shown.probability_array, colour, (measured.intercept, measured.slope))
    drawings = [Drawing("Calibration", figure, _CURVE, measured.curve)]
    sentences = list(_sentences(measured, shown))
    if not doubts:
        benefit = decision_curve(shown, _thresholds(shown))
        drawings.append(Drawing("Decision curve", decision_figure(benefit, colour), _BENEFIT, benefit))
    else:
        sentences.append("No decision curve is drawn, since it takes the probabilities as risks.")
    warnings = [*doubts]
    if has_few_events(shown):
        n_rarer = min(positive.sum(), (~positive).sum())
        warnings.append(f"The rarer class has {n_rarer} cases: too few to judge whether probabilities are right.")
    return Section(title, tuple(sentences), tuple(warnings), tuple(drawings))


def _thresholds(result):
    """Return the thresholds that some cases reach: beyond them the benefit is that of a few."""
    highest = np.quantile(result.probability_array, 1 - min(_FEWEST_TREATED / len(result.predictions), 0.5))
    thresholds = np.arange(1, 100) / 100
    return thresholds[thresholds <= max(highest, 0.1)]


def _sentences(measured, result):
    """Yield level and slope of the calibration in words."""
    mean, prevalence = result.probability_array.mean(), result.endpoint.is_positive.mean()
    ratio = _with_bounds(*measured.measures.loc["O:E"])
    yield (
        f"Level: the mean prediction is {mean:.0%}, and {prevalence:.0%} of the cases are positive (observed divided "
        f"by expected {ratio}; 1 is right)."
    )
    if np.isfinite(measured.slope):
        slope, intercept = (
            _with_bounds(*measured.measures.loc[name]) for name in ("slope", "calibration in the large")
        )
        yield (
            f"Spread: the calibration slope is {slope}; 1 is right, below 1 the predictions are too extreme. The level "
            f"on the scale of log-odds (calibration in the large) is off by {intercept}; 0 is right."
        )
    brier = measured.measures.loc["Brier score", "value"]
    yield (
        f"Mean squared error of the probabilities (Brier score): {brier:.3f}; predicting the prevalence for every case "
        f"gives {prevalence * (1 - prevalence):.3f}."
    )


def _with_bounds(value, low, high):
    return f"{value:.2f}" + ("" if np.isnan(low) else f" ({low:.2f} to {high:.2f})")


def _of_survival(title, result, colour):
    """Return the Section of the event probabilities at the horizon."""
    tables = result.tables()
    found = [next((table for name, table in tables.items() if name.startswith(start)), None) for start in _TABLES]
    if found[0] is None:
        return None
    curve, benefit = found
    curve = curve.rename(columns={"observed low": "low", "observed high": "high"})
    risks = 1 - result.probability_array[..., -1]
    horizon = result.endpoint.horizon
    sentence = (
        f"Predicted is the probability of an event by {horizon:.4g}; observed frequencies allow for cases whose "
        f"observation ended before (pseudo-values). The mean prediction is {risks.mean():.0%}."
    )
    drawings = (
        Drawing("Calibration", calibration_figure(curve, risks, colour), _CURVE, curve),
        Drawing("Decision curve", decision_figure(benefit, colour), _BENEFIT, benefit),
    )
    return Section(title, (sentence,), drawings=drawings)


_TABLES = ("Calibration at", "Net benefit at")
