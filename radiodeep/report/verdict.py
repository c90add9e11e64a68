"""Results -> two sentences that a reader can quote: what predicts the outcome, how surely, and against what."""

import numpy as np

from radiodeep.report.tables import p_text
from radiodeep.study.size import SIZE_BASELINE

ORIGINAL = "original"  # the study of the images as they are, in the table of negative controls
_SIGNIFICANT = 0.05


def by_estimate(results):
    """Return results in the one order of a report: the best first by the estimate with an interval, ties as given."""
    return sorted(results, key=lambda result: -round(result.primary.value, 9))


def verdict(results, controls=None):
    """Return the verdict on the best of some results: what it predicts, and whether size or controls explain it.

    Parameters
    ----------
    results : list of StudyResult
    controls : NegativeControls, optional

    Returns
    -------
    list of two str
    """
    best = by_estimate(results)[0]
    return [_against_chance(best, len(results)), _against_others(best, controls)]


def _against_chance(best, n_models):
    shown = best.primary
    endpoint, bounds = shown.endpoint, shown.confidence_interval
    chosen = f"The best of {n_models} models, {best.name}," if n_models > 1 else f"The model {best.name}"
    estimate = f"{_measure(endpoint)} of {shown.value:.2f}"
    about = f"{_outcome(endpoint)} of unseen cases"
    count = endpoint.count().replace(" (", ", ").replace(")", "")
    basis = f"{shown.cv}; {count}{'; not corrected for choosing the best' if n_models > 1 else ''}"
    if np.isnan(bounds.low):
        return (
            f"{chosen} predicts {about} with {estimate}, for which this split gives no valid interval ({basis}): "
            f"whether that is better than chance ({endpoint.chance:g}) is not known."
        )
    interval = f"{bounds.level:.0%} interval {bounds.low:.2f} to {bounds.high:.2f}"
    if bounds.low > endpoint.chance:
        return f"{chosen} predicts {about} better than chance: {estimate} ({interval}; {basis})."
    if bounds.high < endpoint.chance:
        return f"{chosen} ranks {about} worse than chance: {estimate} ({interval}; {basis})."
    return (
        f"{chosen} is not shown to predict {about}: {estimate}, and its interval includes chance, {endpoint.chance:g} "
        f"({interval}; {basis})."
    )


def _measure(endpoint):
    """Return the measure in words, with its article."""
    words = {"AUC": "an AUC", "M": "a mean AUC of all pairs of classes (M)", "C": "a concordance (C)"}
    return words.get(endpoint.measure, f"a rank correlation ({endpoint.measure})")


def _outcome(endpoint):
    if endpoint.positive is not None:
        return f"label {endpoint.positive}"
    words = {"survival": "the time to the event", "numbers": "the outcome"}
    return words.get(endpoint.kind, f"the {len(endpoint.outputs or ())} classes")


def _against_others(best, controls):
    """Return the sentence on size and on the negative controls."""
    parts = [_against_size(best)]
    rows = [] if controls is None else controls.table.loc[best.name].iterrows()
    parts += [_control(name, row) for name, row in rows if name not in (ORIGINAL, SIZE_BASELINE)]
    return f"{'; '.join(parts)}."


def _control(name, row):
    """Return what remains of the measure in a negative control, and whether that is a difference."""
    shown = f"in the negative control {name.replace('_', ' ')} the {row['measure']} is {row['value']:.2f}"
    if np.isnan(row["p_value"]):
        return shown
    return f"{shown} (difference {row['difference']:+.2f}, p {_equals(row['p_value'])})"


def _against_size(best):
    if best.size_baseline is None:
        return "The sizes of the regions are not known, so that it was not compared with size alone"
    tested = best.compared_with_size
    baseline, compared = tested.size_baseline, tested.against_size
    alone = f"{SIZE_BASELINE} ({tested.endpoint.measure} {baseline.value:.2f}"
    if compared is None or np.isnan(compared.p_value):
        return f"Whether it is better than {alone}) cannot be tested with this split"
    test = f"{alone}; difference {compared.difference:+.2f}, p {_equals(compared.p_value)})"
    if compared.p_value >= _SIGNIFICANT:
        return f"It is not shown to be better than {test}"
    return f"It is {'better' if compared.difference > 0 else 'worse'} than {test}"


def _equals(p_value):
    text = p_text(p_value)
    return text if text.startswith("<") else f"= {text}"
