"""In: cases and their features. Out: the range that a model was trained on, and what of a new case is outside of it."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from radiodeep.cases.acquisition import Acquisition
from radiodeep.model_parts import parts_of

SPACING_FACTOR = 1.5
SAME_SPACING_FACTOR = 1.1  # if all training cases had one spacing
INTENSITY_MARGIN = 0.5
SPREAD_FACTOR = 2.5
# Measured on phantoms with handcrafted and deep features: after training on 12 to 40 lesions, 0.3 % of new lesions of
# the same kind are outside, and at most 1.1 % in any of the 36 settings tried (5 to 20 selected features).
FEATURE_MARGIN = 2.0
FEATURE_SHARE = 0.05
EXTREME = 100.0
_PERCENTILES = (1, 50, 99)
_MOST_VALUES = 10_000  # of a region: enough for percentiles, and quick
_FACTS = WeakKeyDictionary()  # by case: a Case never changes, and the extractors of a model ask for the same ones


@dataclass(frozen=True)
class CaseFacts(Acquisition):
    """What a model notes about the cases that it was trained on.

    Attributes
    ----------
    intensities : tuple of three floats
        1st, 50th and 99th percentile of the region.
    n_dimensions, spacing_mm, orientation, field_mm, scale, slice_axis
        See `Acquisition`.
    """

    intensities: tuple = ()


def case_facts(case):
    """Return the `CaseFacts` of a case, which is read unless it is in memory or its facts are known."""
    if case not in _FACTS:
        lesion = case.lesion()
        values = lesion.voxels[lesion.roi]
        every_nth = -(-values.size // _MOST_VALUES)
        percentiles = np.percentile(values[::every_nth].astype(np.float64), _PERCENTILES)
        intensities = tuple(float(value) for value in percentiles)
        _FACTS[case] = CaseFacts(**vars(case.acquisition()), intensities=intensities)
    return _FACTS[case]


def training_range(facts, rows=None):
    """Return the range of the cases that a model is trained on.

    Parameters
    ----------
    facts : sequence of CaseFacts
    rows : array of shape (n_cases, n_features), optional
        Their features.

    Returns
    -------
    dict
        `n_cases`, `n_dimensions` (list of 2, 3 or both), and arrays with the lowest values in the first
        row and the highest in the second: `spacing_mm`, `intensities` (columns are the 1st, 50th and 99th
        percentile of the region), `spread` (99th less 1st percentile), `field_mm` if known of all cases and, with
        rows, `features`. `orientations` and `planes` are the lists of the orders in which files were stored and of
        the planes of acquisition.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.cases.training_range import case_facts, training_range
    >>> training_range([case_facts(case) for case in make_phantom_cohort(3, random_state=0)])["spacing_mm"].tolist()
    [[1.5, 1.0, 1.0], [1.5, 1.0, 1.0]]
    """
    trained = {
        "n_cases": len(facts),
        "n_dimensions": sorted({each.n_dimensions for each in facts}),
        "spacing_mm": _ends([each.spacing_mm for each in facts]),
        "intensities": _ends([each.intensities for each in facts]),
        "spread": _ends([[each.intensities[-1] - each.intensities[0]] for each in facts]),
        "orientations": sorted({each.orientation for each in facts} - {""}),
        "planes": sorted({each.plane for each in facts} - {None}),
    }
    if all(each.field_mm for each in facts):
        trained["field_mm"] = _ends([each.field_mm for each in facts])
    if rows is not None:
        trained["features"] = _ends(np.asarray(rows, dtype=np.float64))
    return trained


def noted_parts(model):
    """Return the parts of a model, in its steps or folds, that noted which cases they were trained on."""
    return [part for part in parts_of(model) if hasattr(part, "training_range_")]


def merged_range(ranges):
    """Return the range of all cases of several ranges; with that of the features if all have as many.

    Parameters
    ----------
    ranges : non-empty list of dict
        From `training_range`.

    Returns
    -------
    dict
    """
    merged = {
        "n_cases": max(each["n_cases"] for each in ranges),
        "n_dimensions": sorted({number for each in ranges for number in each["n_dimensions"]}),
        **{
            name: sorted({kind for each in ranges for kind in each.get(name, [])})
            for name in ("orientations", "planes")
        },
    }
    widths = {np.shape(each.get("features")) for each in ranges}
    names = ["spacing_mm", "intensities", "spread"]
    names += ["field_mm"] if all("field_mm" in each for each in ranges) else []
    names += ["features"] if len(widths) == 1 and widths != {()} else []
    for name in names:
        merged[name] = _ends(np.concatenate([each[name] for each in ranges]))
    return merged


def acquisition_outside(facts, trained, needs=frozenset()):
    """Return remarks on what of the acquisition of a case is outside the range of training.

    Parameters
    ----------
    facts : CaseFacts
    trained : dict
        From `training_range`. Entries that older models lack are not compared.
    needs : set of str
        What the features depend on. "orientation", "plane" and "field" (of view) are compared only if named.

    Returns
    -------
    list of str
        Empty if all of these hold. Along each axis, the spacing is within a factor of 1.5 of the range of training, or
        1.1 if all training cases had the same; so is the field of view. No percentile of the region's intensities is
        beyond the range of training by more than half the span from the lowest 1st to the highest 99th percentile of
        training. The spread between the 1st and 99th percentile is within a factor of 2.5 of the range of training.
    """
    remarks = _lengths_outside(facts, facts.spacing_mm, trained["spacing_mm"], "spacing")
    if "field" in needs and facts.field_mm and "field_mm" in trained:
        remarks += _lengths_outside(facts, facts.field_mm, trained["field_mm"], "field of view")
    orders = trained.get("orientations")
    if "orientation" in needs and orders and facts.orientation and facts.orientation not in orders:
        remarks.append(f"axes stored as {facts.orientation} (trained on {', '.join(orders)})")
    planes = trained.get("planes")
    if "plane" in needs and planes and facts.plane and facts.plane not in planes:
        remarks.append(f"slices {facts.plane} (trained on {', '.join(planes)})")
    low, high = np.asarray(trained["intensities"])
    margin = INTENSITY_MARGIN * (high[-1] - low[0])
    values = np.asarray(facts.intensities)
    least, most = np.ravel(trained["spread"])
    is_shifted = (values < low - margin).any() or (values > high + margin).any()
    if is_shifted or not least / SPREAD_FACTOR <= values[-1] - values[0] <= most * SPREAD_FACTOR:
        remarks.append(f"intensities {_span(values[0], values[-1])} (trained on {_span(low[0], high[-1])})")
    return remarks


def _lengths_outside(facts, lengths, ends, name):
    """Return a remark on the length in mm that is farthest outside its range, if any; one slice has no thickness."""
    first_axis = 1 if facts.n_dimensions == 2 else 0
    low, high = np.asarray(ends)[:, first_axis:]
    lengths = np.asarray(lengths[first_axis:])
    ratio = np.maximum(lengths / high, low / lengths)
    excess = ratio / np.where(high <= 1.01 * low, SAME_SPACING_FACTOR, SPACING_FACTOR)
    if excess.max() <= 1:
        return []
    axis = int(excess.argmax())
    return [f"{name} {lengths[axis]:.4g} mm (trained on {_span(low[axis], high[axis])})"]


def features_outside(row, names, trained):
    """Return a remark if features of a case are outside the range of training.

    Parameters
    ----------
    row : array of shape (n_features,)
    names : sequence of str
    trained : dict
        `n_cases` and `features`, as in `training_range`.

    Returns
    -------
    list of str
        Empty unless more than 5 % of the features are beyond their range by more than 2 + 10 / n_cases times its
        width, or one of them by more than 100 times. The range of few cases is widened more, since new cases of the
        same kind are often beyond it. Features that are constant in training do not count: no model can have learned
        from them.
    """
    low, high = trained["features"]
    width = high - low
    usable = np.isfinite(width) & (width > 0)
    beyond = np.maximum(np.maximum(row - high, low - row), 0)
    beyond = np.nan_to_num(np.where(usable, beyond / np.where(usable, width, 1), 0.0))
    outside = beyond > FEATURE_MARGIN + 10 / trained["n_cases"]
    if outside.sum() <= FEATURE_SHARE * len(beyond) and not (beyond > EXTREME).any():
        return []
    return [f"{outside.sum()} of {len(beyond)} features, e.g. {names[int(beyond.argmax())]}"]


def _ends(values):
    values = np.asarray(values, dtype=np.float64)
    return np.stack([values.min(axis=0), values.max(axis=0)])


def _span(low, high):
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
