"""Results -> what the models predict and how well that is tested, as facts."""

import numpy as np
import pandas as pd

from radiodeep.report.fact import Fact, by_model, fact
from radiodeep.report.figures import selection_counts
from radiodeep.report.repeatability_figure import repeatability_sentence
from radiodeep.study.statistics.calibration import decision_curve
from radiodeep.study.statistics.comparison import compare_all
from radiodeep.study.statistics.sample_size import sample_size

_MOST_NAMED = 5  # features, failures
_CALIBRATION = ("calibration slope", "calibration in the large", "O:E", "Brier score", "scaled Brier score")
_CLINICAL = "clinical"


def evidence_facts(results, controls=None, repeatability=None, subgroups=None):
    """Return facts about predictions: a dict from name to Fact, or None if unknown."""
    first = next(iter(results.values()))
    shown = {name: result.primary for name, result in results.items()}
    return {
        **_design_facts(first, shown),
        **_measure_facts(shown),
        **_selection_facts(shown),
        "size": fact(by_model({name: result.size_sentence for name, result in results.items()})),
        "chance": _chance(shown),
        "controls": None if controls is None else fact(by_model(_verdicts(controls))),
        "comparison": _comparison(results),
        "clinical_comparison": _clinical_comparison(results),
        "repeatability": None if repeatability is None else _repeatability(repeatability),
        "subgroups": None if subgroups is None else fact(" ".join(str(subgroups).split())),
        "failures": fact(by_model({name: _failures(result) for name, result in shown.items()})),
        "suspicions": fact(" ".join(dict.fromkeys(text for result in results.values() for text in result.remarks))),
    }


def _design_facts(first, shown):
    result = next(iter(shown.values()))
    fewest, most = result.folds["n_train"].agg(["min", "max"])
    learned = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    if first.is_holdout:
        split = f"models were fitted to {learned} cases of another cohort and tested once on {len(first.predictions)}"
    else:
        both = "" if first.companion is None else f", read together with {first.cv}"
        split = f"cross-validation ({result.cv}{both}): models learn from {learned} cases and are tested on the others"
    together = "cases of a patient are never in training and test at the same time"
    if first.patients is None:
        together = "no patient is known to have several cases: every case counts as a patient of its own"
    inside = "whatever a model learns (imputation, scaling, selection, the predictor) it learns from its training cases"
    of_images = "the study began with the images, so no feature was chosen before the split"
    return {
        "validation": fact(split),
        "patients_together": fact(together),
        "learned_inside": fact(inside),
        "begins_with_images": fact(of_images if first.source == "images" else ""),
        "internal_test": fact("" if first.is_holdout else split, "There was no internal test; see the other cohort."),
        "other_cohort": fact(split if first.is_holdout else "", "The models were not tested on another cohort."),
        "centres": _centres(shown),
        "numbers": fact(f"{learned} cases train each model, and {len(first.predictions)} are tested in all"),
    }


def _centres(shown):
    if all(result.centres is None for result in shown.values()):
        return Fact("Models were not tested on centres that they had not seen.", done=False)
    texts = {}
    for name, result in shown.items():
        values = ", ".join(f"{centre} {row.value:.2f} (n={row.n})" for centre, row in result.centres.iterrows())
        texts[name] = f"each centre was left out in turn, {result.endpoint.measure} {values}; {result.random_effects}"
    return fact(by_model(texts))


def _measure_facts(shown):
    endpoint = next(iter(shown.values())).endpoint
    measures = {name: result.measures() for name, result in shown.items()}
    calibrated = {name: _rows(table.loc[table.index.str.startswith(_CALIBRATION)]) for name, table in measures.items()}
    methods = {
        name: f"{result.confidence_interval.level:.0%} interval: {result.interval_method}"
        for name, result in shown.items()
        if not np.isnan(result.confidence_interval.low)
    }
    benefits = {name: _net_benefit(result) for name, result in shown.items() if calibrated[name]}
    return {
        "performance": fact(by_model({name: f"{result.sentence} ({result.cv})" for name, result in shown.items()})),
        "measures": fact(by_model({name: _rows(table) for name, table in measures.items()})),
        "measures_named": fact(
            ", ".join([endpoint.measure, *dict.fromkeys(row for table in measures.values() for row in table.index)])
        ),
        "uncertainty": fact(by_model(methods), "The split gives no valid interval."),
        "calibration": fact(by_model(calibrated), "Calibration was not measured."),
        "decision_curve": fact(
            by_model(benefits) if benefits else "",
            "There is no decision curve: no model gives probabilities of two classes.",
        ),
        "confusion": fact(by_model({name: _confusion(result) for name, result in shown.items()})),
        "cutoff": _cutoff(endpoint),
        "output": _output(endpoint, shown),
    }


def _rows(table):
    """Return measures with their intervals as text, without those that these cases do not define."""
    texts = []
    for name, row in table.dropna(subset="value").iterrows():
        bounds = "" if np.isnan(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"
        texts.append(f"{name} {row['value']:.2f}{bounds}")
    return ", ".join(texts)


def _net_benefit(result):
    """Return at which thresholds acting on the probabilities is better than on all cases or none."""
    if "calibration" not in result.endpoint.offers:
        return ""
    curve = decision_curve(result)
    better = curve["threshold"][curve["model"] > curve[["treat_all", "treat_none"]].max(axis=1)]
    if better.empty:
        return "at no threshold is the net benefit above that of treating all or none"
    within = f"from {better.min():.2f} to {better.max():.2f}"
    return f"the net benefit is above that of treating all and none at {len(better)} of 99 thresholds, {within}"


def _confusion(result):
    """Return how often which class was predicted, of classes."""
    if "classes" not in result.outcome:
        return ""
    counts = result.predictions.groupby(["label", "prediction"], observed=True).size()
    listed = ", ".join(f"{count} of label {label} as {predicted}" for (label, predicted), count in counts.items())
    return f"predicted were {listed}"


def _cutoff(endpoint):
    if "sensitivity" not in endpoint.offers:
        return None
    return Fact(
        "Classes are assigned by the rule of each fitted model (the probability 0.5 if it has probabilities), which "
        "no test case has influenced; sensitivity and specificity refer to it."
    )


def _output(endpoint, shown):
    probable = [name for name, result in shown.items() if _has_probabilities(result)]
    meaning = endpoint.reference() or endpoint.high_score
    also = f", and probabilities: {', '.join(probable)}" if probable else ""
    return fact(f"models give a score ({meaning}){also}")


def _has_probabilities(result):
    columns = result.predictions.filter(like="probability")
    return columns.shape[1] > 0 and not columns.isna().to_numpy().any()


def _selection_facts(shown):
    counts = {name: selection_counts(result) for name, result in shown.items()}
    named = {}
    for name, count in counts.items():
        n_folds = len(shown[name].folds)
        texts = [] if count is None else [f"{feature} ({n} of {n_folds} folds)" for feature, n in count.items()]
        named[name] = f"most often selected: {', '.join(texts[:_MOST_NAMED])}" if texts else ""
    candidates = {name: _n_candidates(result) for name, result in shown.items()}
    candidates = {name: f"{count} candidate features" if count else "" for name, count in candidates.items()}
    return {
        "selected": fact(by_model(named)),
        "candidates": fact(by_model(candidates)),
        "n_selected": fact(by_model({name: result.selection_sentence for name, result in shown.items()})),
        "stability": fact(
            by_model(
                {
                    n: f"agreement of the selections of the folds: {r.stability}"
                    for n, r in shown.items()
                    if r.stability is not None
                }
            )
        ),
        "sample_size": fact(by_model({name: _sample_size(result) for name, result in shown.items()})),
        "size_of_features": fact(by_model({name: _like_size(result) for name, result in shown.items()})),
    }


def _n_candidates(result):
    """Return the number of features that the selectors selected from; 0 if that is unknown."""
    counts = result.folds["n_candidates"].dropna() if "n_candidates" in result.folds else ()
    return int(max(counts, default=0))


def _like_size(result):
    pairs = [f"{feature} {value:.2f}" for feature, value in result.size_correlations.items()]
    return f"rank correlation with the size of the region: {', '.join(pairs)}" if pairs else ""


def _sample_size(result):
    """Return what Riley's criteria say of the cases and the candidate features of a model, or ""."""
    n_candidates = _n_candidates(result)
    if not n_candidates:
        return ""
    settings = {"n_features": n_candidates, "n_cases": len(result.predictions)}
    if result.outcome == "two classes":
        return str(sample_size(prevalence=(result.predictions["label"] == result.positive).mean(), **settings))
    if result.outcome == "survival":
        time, event = result.predictions["time"], result.predictions["event"]
        rate = event.sum() / time.sum()
        return str(sample_size(event_rate=rate, follow_up=time.mean(), horizon=result.endpoint.horizon, **settings))
    return ""


def _chance(shown):
    """Return whether the intervals exclude chance."""
    texts = {}
    for name, result in shown.items():
        low, chance = result.confidence_interval.low, result.endpoint.chance
        if not np.isnan(low):
            relation = "excludes" if low > chance else "includes"
            texts[name] = f"the interval {relation} {chance:g}, the {result.endpoint.measure} of chance"
    return fact(by_model(texts))


def _verdicts(controls):
    return {name: " ".join(sentences) for name, sentences in controls.verdicts.items()}


def _comparison(results):
    if len(results) < 2:
        return Fact("A single model was studied.", done=False)
    rows = compare_all(results).dropna(subset="p_value")
    test = next(iter(results.values())).endpoint.test
    texts = [
        f"{row.model} against {row.against}: difference {row.difference:+.2f}, p = {row.p_holm:.2g}"
        for row in rows.itertuples()
    ]
    return fact(f"{'; '.join(texts)} (paired {test} test, p corrected by Holm)" if texts else "")


def _clinical_comparison(results):
    if _CLINICAL not in results or len(results) < 2:
        return Fact("No model of clinical data alone was studied to compare with.", done=False)
    rows = compare_all(results, _CLINICAL)
    texts = [f"{row.model}: {row.difference:+.2f}, p = {row.p_holm:.2g}" for row in rows.itertuples()]
    return fact(f"difference from the clinical model alone: {'; '.join(texts)}")


def _repeatability(tables):
    tables = {"": tables} if isinstance(tables, pd.DataFrame) else tables
    return fact(" ".join(repeatability_sentence(table) for table in tables.values()))


def _failures(result):
    """Return the cases whose classes were predicted wrong, the surest errors of two classes first; "" of others."""
    rows = result.predictions
    if "classes" not in result.outcome:
        return ""
    is_wrong = (rows["prediction"] != rows["label"]).to_numpy()
    if not is_wrong.any():
        return "no case was misclassified"
    order = np.arange(len(rows))
    if result.outcome == "two classes":
        order = np.argsort(-(rows["score"].rank() - len(rows) / 2).abs().to_numpy(), kind="stable")
    worst = rows["label"].iloc[order[is_wrong[order]][:_MOST_NAMED]]
    named = ", ".join(f"{name} (label {label})" for name, label in worst.items())
    return f"{is_wrong.sum()} of {len(rows)} cases were misclassified, among them {named}"
