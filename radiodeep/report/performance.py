"""Results -> the sections of a report on how well models predict, at all thresholds and at one."""

import numpy as np
import pandas as pd

from radiodeep.report.agreement_figure import agreement_figure
from radiodeep.report.class_figures import class_roc_figure, confusion_figure, number_of_cases, roc_figure
from radiodeep.report.figures import centre_figure, interval_figure
from radiodeep.report.section import Drawing, Section
from radiodeep.report.survival_figure import survival_figure
from radiodeep.study.statistics.roc import roc_band, roc_of
from radiodeep.study.statistics.threshold import threshold_measures

_HAND_TILL = (
    "M is the mean AUC over all pairs of classes (Hand and Till): the chance that of two cases of different classes "
    "each is ranked nearer to its own class. 0.5 is guessing, 1 is perfect."
)
_IN_WORDS = {
    "AUC": (
        "The AUC is the chance that the model ranks a randomly chosen positive case above a randomly chosen negative "
        "one: 0.5 is guessing, 1 is perfect."
    ),
    "M": _HAND_TILL,
    "C": (
        "C is the chance that of two cases the one with the earlier event was given the higher risk: 0.5 is guessing, "
        "1 is perfect."
    ),
    "Spearman": (
        "Spearman's correlation tells how well the predicted numbers are in the order of the observed ones: 0 is "
        "guessing, 1 is perfect."
    ),
}


def performance_section(results, colours):
    """Return the Section that compares models: ROC curves where there are two classes, and intervals of the measure.

    Parameters
    ----------
    results : sequence of StudyResult
        The models in the order of the report; the first has the band and the operating point. The size baseline of the
        first, if any, is drawn after them.
    colours : dict from name to colour
    """
    baseline = results[0].size_baseline
    drawn = [*results, *([] if baseline is None else [baseline])]
    shown = results[0].primary
    endpoint = shown.endpoint
    drawings = [_roc_drawing(drawn, colours)] if "roc" in endpoint.offers else []
    drawings.append(_interval_drawing(drawn, colours))
    sentences = [_IN_WORDS[endpoint.measure]] if endpoint.measure in _IN_WORDS else []
    if np.isfinite(shown.confidence_interval.low):
        sentences.append(_interval_in_words(shown))
    return Section("How well the models predict", tuple(sentences), drawings=tuple(drawings))


def _interval_in_words(result):
    """Return what an interval means, and by which method it was computed."""
    level = result.confidence_interval.level
    method = {"jackknife": "computed by leaving out one patient after the other (jackknife)"}.get(
        result.endpoint.test, f"computed from the number of pairs of cases in the right order ({result.endpoint.test})"
    )
    is_repeated = len(result.folds) > 1 and result.centres is None
    widened = ", and widened because a model of other training cases would differ" if is_repeated else ""
    return (
        f"The interval is the range of true values that fit these cases: of all such intervals {level:.0%} hold the "
        f"true value. It is {method}{widened}."
    )


def _roc_drawing(results, colours):
    """Return the ROC curves, those of the first with a band and an operating point."""
    first = results[0].primary
    band = roc_band(first)
    chosen = None if first.centres is not None else threshold_measures(first)
    point = None
    if chosen is not None:
        point = (chosen.reason, *chosen.measures.loc[["sensitivity", "specificity"], "value"])
    figure = roc_figure(results, colours, band, point)
    which = f"of repeated folds, the mean of the repeats ({first.cv})" if first.score_array.shape[0] > 1 else first.cv
    caption = f"Curves {'of unseen cases' if first.is_holdout else which}; the number is the area below the curve."
    if band["low"].notna().all():
        caption += f" Shaded: 95 % interval of the sensitivity at each specificity, {results[0].name}."
    if point is not None:
        caption += f" The diamond is {results[0].name} at {chosen.reason}, which was not chosen for its result."
    if first.centres is not None:
        caption += (
            " Curves of centres are their mean by weight. Their area may differ a little from the AUC of the table, "
            "which is averaged on the scale of log-odds."
        )
    tables = []
    for result in results:
        false_rate, true_rate = roc_of(result.primary)
        tables.append(pd.DataFrame({"model": result.name, "false_rate": false_rate, "true_rate": true_rate}))
    tables.append(band.assign(model=f"{results[0].name}, band"))
    return Drawing("ROC curves", figure, caption, pd.concat(tables, ignore_index=True))


def _interval_drawing(results, colours):
    """Return the measure of each model with its interval, in the order given."""
    rows = [
        {"model": result.name, "split": drawn.cv, "value": drawn.value}
        | {"low": drawn.confidence_interval.low, "high": drawn.confidence_interval.high}
        for result in results
        for drawn in dict.fromkeys([result.primary, result])
    ]
    measure = results[0].endpoint.measure
    caption = "Filled: the estimate with its interval."
    if any(np.isnan(row["low"]) for row in rows):
        caption += " Hollow: an estimate without a valid interval; the two must not be mixed when models are compared."
    return Drawing(f"{measure} of each model", interval_figure(results, colours), caption, pd.DataFrame(rows))


def outcome_section(result, colour):
    """Return the Section of what one model predicts for the cases of each outcome, or None if there is nothing."""
    shown = result.primary
    offers = shown.endpoint.offers
    drawings = []
    if shown.centres is not None:
        drawings.append(Drawing("Centres", centre_figure(shown, colour), _CENTRES, shown.centres))
    if "roc by class" in offers:
        caption = f"Each class against all others ({shown.cv}); the number is the area below the curve."
        drawings.append(Drawing("ROC curve of each class", class_roc_figure(shown, colour), caption))
    tables = shown.tables()
    if "agreement" in offers:
        limits = tables["Limits of agreement"]
        drawings.append(Drawing("Predicted and observed", agreement_figure(shown, limits, colour), _AGREEMENT, limits))
    if "survival curves" in offers:
        curves = shown.endpoint.survival_curves(shown)
        p_value = tables["Log-rank test of the risk groups"]["p_value"].iloc[0]
        figure = survival_figure(curves, shown.endpoint.horizon, p_value, colour)
        drawings.append(Drawing("Survival by predicted risk", figure, _SURVIVAL, curves))
    return Section(f"Predictions and outcomes: {result.name}", drawings=tuple(drawings)) if drawings else None


_CENTRES = (
    "Each centre was predicted by a model of all other centres. Squares are larger with more weight; the diamond is "
    "the mean over centres."
)
_AGREEMENT = (
    "Above: points on the line are right. Below: differences of predicted and observed numbers (Bland and Altman); "
    "95 % of them lie between the dashed limits."
)
_SURVIVAL = (
    "Kaplan and Meier's survival of the cases with a predicted risk above and below the median of the training cases, "
    "with intervals; below, the cases still under observation. The vertical line is the horizon of the study."
)


_MEASURES = {
    "sensitivity": "of the positive cases, those called positive",
    "specificity": "of the negative cases, those called negative",
    "PPV": "of the cases called positive, those that are positive",
    "NPV": "of the cases called negative, those that are negative",
    "accuracy": "of all cases, those called right",
    "balanced accuracy": "mean of sensitivity and specificity; 50 % is guessing, however rare a class is",
    "prevalence": "of all cases, those that are positive",
}


def threshold_section(result, colour, threshold=None):
    """Return the Section on how often one model is right when its probabilities become calls; None without classes.

    Parameters
    ----------
    result : StudyResult
    colour : colour of the model
    threshold : float, optional
        As of `threshold_measures`; several classes have none: the class that the model predicts is counted.
    """
    shown = result.primary
    if "sensitivity" in shown.endpoint.offers:
        return _of_two_classes(result.name, shown, colour, threshold)
    if "roc by class" not in shown.endpoint.offers:
        return None
    tables = shown.tables()
    counts = next(table for title, table in tables.items() if title.startswith("Predicted classes"))
    mean = _mean_of_repeats(shown)
    drawing = Drawing(
        "True and predicted classes", confusion_figure(counts, colour), f"Numbers of cases{mean}.", counts
    )
    right = np.trace(counts.to_numpy()) / counts.to_numpy().sum()
    sentence = f"{result.name} names the right class for {right:.0%} of the cases{mean}."
    return Section(f"Right and wrong calls: {result.name}", (sentence,), drawings=(drawing,))


def _of_two_classes(name, result, colour, threshold):
    measured = threshold_measures(result, threshold)
    counts, values = measured.counts, measured.measures
    negative, positive = counts.index
    (right, false_calls), (missed, found) = counts.to_numpy()
    mean = _mean_of_repeats(result)
    sentences = [
        f"Cases are called {positive!r} from {measured.reason}." if np.isfinite(measured.threshold)
        else f"Cases are called by {measured.reason}.",
        f"{name} finds {number_of_cases(found)} of the {number_of_cases(found + missed)} cases of {positive!r} and "
        f"misses {number_of_cases(missed)}; of the "
        f"{number_of_cases(right + false_calls)} others it calls {number_of_cases(false_calls)} {positive!r} by "
        f"mistake{mean}.",
    ]  # fmt: skip
    if np.isfinite(values.loc["PPV", "value"]):
        sentences.append(
            f"A call of {positive!r} is right in {values.loc['PPV', 'value']:.0%} of the cases"
            + (
                f", one of {negative!r} in {values.loc['NPV', 'value']:.0%}"
                if found + false_calls < len(result.predictions)
                else ""
            )
            + f", where {values.loc['prevalence', 'value']:.0%} of all cases are {positive!r}."
        )
    figure = confusion_figure(counts, colour)
    drawing = Drawing("True and predicted classes", figure, f"Numbers of cases{mean}.", counts.reset_index())
    tables = {"At this threshold": _in_words(values)}
    folded = {f"At a probability of {other:.2g}": _in_words(threshold_measures(result, other).measures)
              for other in _other_thresholds(result, measured)}  # fmt: skip
    notes = (
        "The threshold was not chosen for its result. One that is chosen on the same cases, such as that of the "
        "largest sum of sensitivity and specificity, looks better than it will be for new cases.",
        "How often calls are right (PPV and NPV) depends on how frequent the outcome is: it holds for such cases.",
    )
    return Section(f"Right and wrong calls: {name}", tuple(sentences), (), (drawing,), tables, folded, notes)


def _mean_of_repeats(result):
    n_repeats = len(result.score_array)
    return f" (mean of {n_repeats} repeats)" if n_repeats > 1 else ""


def _other_thresholds(result, measured):
    """Return the usual thresholds that were not taken."""
    if np.isnan(measured.threshold):
        return []
    usual = {0.5, round(float(result.endpoint.is_positive.mean()), 4)}
    return sorted(value for value in usual if abs(value - measured.threshold) > 0.005)


def _in_words(values):
    """Return measures as a table of texts, in per cent."""
    rows = [
        {
            "measure": name,
            "value": "-" if np.isnan(value) else f"{value:.0%}",
            "95 % interval": "-" if np.isnan(low) else f"{100 * low:.0f} to {high:.0%}",
            "meaning": _MEASURES[name],
        }
        for name, value, low, high in values.itertuples()
    ]
    return pd.DataFrame(rows).set_index("measure")
