"""Cases and their features in, the range that a model was trained on out; and what of a new case is outside of it."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from radiodeep.cases.acquisition import plane_of
from radiodeep.model_parts import parts_of

SPACING_FACTOR, SAME_SPACING_FACTOR = 1.5, 1.1  # the second where all training cases had one spacing
INTENSITY_MARGIN = 0.5
SPREAD_FACTOR = 2.5
# Measured on phantoms, handcrafted and deep features: of new lesions of the same kind 0.3 % are outside after training
# on 12 to 40, and at most 1.1 % in any of the 36 settings tried (5 to 20 selected features).
FEATURE_MARGIN, FEATURE_SHARE, EXTREME = 2.0, 0.05, 100.0
_PERCENTILES = (1, 50, 99)
_MOST_VALUES = 10_000  # of a region: enough for percentiles, and quick
_FACTS = WeakKeyDictionary()  # a Case never changes, and two extractors of one model ask for the same


class CaseFacts(NamedTuple):
    """What a model has to know of the cases that it was trained on.

    Attributes
    ----------
    n_dimensions : int
        2 for an image of one slice.
    spacing_mm : tuple of three floats
        In (z, y, x) order.
    intensities : tuple of three floats
        1st, 50th and 99th percentile of the region.
    orientation : str
        Where the x, y and z axes of the file point to, e.g. "RAS"; "" if unknown.
    field_mm : tuple of three floats, or None if unknown
        Extent of the image in (z, y, x) order.
    scale : float or None
        Of an image without a known unit, see `Acquisition`.
    slice_axis : {0, 1, 2} or None
        The axis across the slices, see `Acquisition`.
    """

    n_dimensions: int
    spacing_mm: tuple
    intensities: tuple
    orientation: str = ""
    field_mm: tuple | None = None
    scale: float | None = None
    slice_axis: int | None = None


def case_facts(case):
    """Return the `CaseFacts` of a case, which is read unless it is in memory or was asked before."""
    if case not in _FACTS:
        voxels, roi, _ = case.read()
        values = voxels[roi]
        every = -(-values.size // _MOST_VALUES)
        percentiles = np.percentile(values[::every].astype(np.float64), _PERCENTILES)
        acquired = case.acquisition()
        _FACTS[case] = CaseFacts(
            acquired.n_dimensions,
            acquired.spacing_mm,
            tuple(float(value) for value in percentiles),
            acquired.orientation,
            acquired.field_mm,
            acquired.scale,
            acquired.slice_axis,
        )
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
    noted = {
        "n_cases": len(facts),
        "n_dimensions": sorted({one.n_dimensions for one in facts}),
        "spacing_mm": _ends([one.spacing_mm for one in facts]),
        "intensities": _ends([one.intensities for one in facts]),
        "spread": _ends([[one.intensities[-1] - one.intensities[0]] for one in facts]),
        "orientations": sorted({one.orientation for one in facts} - {""}),
        "planes": sorted({plane_of(one) for one in facts if one.slice_axis is not None}),
    }
    if all(one.field_mm for one in facts):
        noted["field_mm"] = _ends([one.field_mm for one in facts])
    if rows is not None:
        noted["features"] = _ends(np.asarray(rows, dtype=np.float64))
    return noted


def noted_parts(model):
    """Return the parts of a model that noted which cases they were trained on, in its steps or folds."""
    return [part for part in parts_of(model) if hasattr(part, "training_range_")]


def merged_range(ranges):
    """Return the range of all cases of several ranges; that of features if they are the same features.

    Parameters
    ----------
    ranges : non-empty list of dict
        From `training_range`.

    Returns
    -------
    dict
    """
    merged = {
        "n_cases": max(one["n_cases"] for one in ranges),
        "n_dimensions": sorted({number for one in ranges for number in one["n_dimensions"]}),
        **{name: sorted({kind for one in ranges for kind in one.get(name, [])}) for name in ("orientations", "planes")},
    }
    widths = {np.shape(one.get("features")) for one in ranges}
    names = ["spacing_mm", "intensities", "spread"]
    names += ["field_mm"] if all("field_mm" in one for one in ranges) else []
    names += ["features"] if len(widths) == 1 and widths != {()} else []
    for name in names:
        merged[name] = _ends(np.concatenate([one[name] for one in ranges]))
    return merged


def acquisition_outside(facts, trained, needs=frozenset()):
    """Say what of the acquisition of a case is outside the range of training.

    Parameters
    ----------
    facts : CaseFacts
    trained : dict
        From `training_range`; what those of older models lack is not compared.
    needs : set of str
        What the features depend on. "orientation", "plane" and "field" of view are compared only if they are in it.

    Returns
    -------
    list of str
        Empty if the spacing is at most 1.5 times (or at least 1 / 1.5 of) that of any training case along
        each axis, 1.1 times if all of them had the same; no percentile of the region's intensities is
        beyond those of training by more than half the span of the training intensities, from the lowest 1st
        to the highest 99th percentile; and the spread between those of the case is at most 2.5 times (or at
        least 1 / 2.5 of) that in training. The field of view is compared as the spacing is.
    """
    remarks = _lengths_outside(facts, facts.spacing_mm, trained["spacing_mm"], "spacing")
    if "field" in needs and facts.field_mm and "field_mm" in trained:
        remarks += _lengths_outside(facts, facts.field_mm, trained["field_mm"], "field of view")
    orders = trained.get("orientations")
    if "orientation" in needs and orders and facts.orientation and facts.orientation not in orders:
        remarks.append(f"axes stored as {facts.orientation} (trained on {', '.join(orders)})")
    planes = trained.get("planes")
    if "plane" in needs and planes and facts.slice_axis is not None and plane_of(facts) not in planes:
        remarks.append(f"slices {plane_of(facts)} (trained on {', '.join(planes)})")
    low, high = np.asarray(trained["intensities"])
    margin = INTENSITY_MARGIN * (high[-1] - low[0])
    values = np.asarray(facts.intensities)
    least, most = np.ravel(trained["spread"])
    is_moved = (values < low - margin).any() or (values > high + margin).any()
    if is_moved or not least / SPREAD_FACTOR <= values[-1] - values[0] <= most * SPREAD_FACTOR:
        remarks.append(f"intensities {_span(values[0], values[-1])} (trained on {_span(low[0], high[-1])})")
    return remarks


def _lengths_outside(facts, lengths, ends, name):
    """Say which of the three lengths in mm is outside of its range most, if one is; one slice has no thickness."""
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
    """Say which features of a case are outside the range of training.

    Parameters
    ----------
    row : array of shape (n_features,)
    names : sequence of str
    trained : dict
        `n_cases` and `features`, as in `training_range`.

    Returns
    -------
    list of str
        Empty unless more than 5 % of the features are beyond their range by more than 2 + 10 / n_cases
        times its width, or one of them by more than 100 times. A range of few cases is widened more, since
        new ones of the same kind are often beyond it. Features that are constant in training do not
        count: no model can have learned from them.
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
