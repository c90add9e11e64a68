"""In: cases and their features. Out: the range that a model was trained on, and what is outside of it in a new case."""

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
    """The acquisition of a case, and the 1st, 50th and 99th percentile of the intensities of its region."""

    intensities: tuple = ()


def case_facts(case):
    """Return the `CaseFacts` of a case, which is read unless it is in memory or its facts are known.

    Those of a denoised case are of the image as it was stored, which is what scoring compares with them.
    """
    if case not in _FACTS:
        acquired = getattr(case, "as_acquired", lambda: case)()
        lesion = acquired.lesion()
        values = lesion.voxels[lesion.roi]
        every_nth = -(-values.size // _MOST_VALUES)
        percentiles = np.percentile(values[::every_nth].astype(np.float64), _PERCENTILES)
        intensities = tuple(float(value) for value in percentiles)
        _FACTS[case] = CaseFacts(**vars(lesion.acquisition()), intensities=intensities)
    return _FACTS[case]


def facts_of_images(case, names=None):
    """Return the `CaseFacts` of a case; of several images a dict of those that are there, of these names or of all."""
    if not getattr(case, "image_names", ()):
        return case_facts(case)
    return {name: case_facts(part) for name, part in case.single_images().items() if names is None or name in names}


def training_range(facts, rows=None):
    """Return the range of the cases that a model is trained on, from their `CaseFacts` and, optionally, their features.

    The dict has `n_cases`, `n_dimensions` (list of 2, 3 or both), and arrays with the lowest values in the first row
    and the highest in the second: `spacing_mm`, `intensities` (columns are the percentiles of `CaseFacts`), `spread`
    (99th less 1st percentile), `field_mm` if known of all cases and, with rows, `features`. `orientations` and `planes`
    are the lists of the orders in which files were stored and of the planes of acquisition. Of cases with several
    images it has `n_cases` and `features`, and `by_image`: the range of each image, by name.
    """
    if facts and isinstance(facts[0], dict):
        names = dict.fromkeys(name for each in facts for name in each)
        by_image = {name: training_range([each[name] for each in facts if name in each]) for name in names}
        trained = {"n_cases": len(facts), "by_image": by_image}
        return trained if rows is None else trained | {"features": _ends(np.asarray(rows, dtype=np.float64))}
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
    """Return the range of all cases of several results of `training_range`.

    The range of features is kept if all of them have the same number of features.
    """
    if any("by_image" in each for each in ranges):
        return _merged_by_image(ranges)
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


def _merged_by_image(ranges):
    names = dict.fromkeys(name for each in ranges for name in each.get("by_image", {}))
    of_image = {name: [each["by_image"][name] for each in ranges if name in each.get("by_image", {})] for name in names}
    merged = {"n_cases": max(each["n_cases"] for each in ranges)}
    merged["by_image"] = {name: merged_range(known) for name, known in of_image.items()}
    if len({np.shape(each.get("features")) for each in ranges}) == 1 and "features" in ranges[0]:
        merged["features"] = _ends(np.concatenate([each["features"] for each in ranges]))
    return merged


def acquisition_outside(facts, trained, needs=frozenset()):
    """Return a remark for each property of the `CaseFacts` of a case that is outside the range of training.

    Properties that older models did not record are not compared; orientation, plane and field of view only if features
    depend on them, by `needs` as in `mixtures`. Along each axis, the spacing must be within a factor of 1.5 of the
    range of training, or 1.1 if all training cases had the same; so must the field of view. No percentile of the
    intensities may be beyond the range of training by more than half the span from the lowest 1st to the highest 99th
    percentile of training, and the spread between the two must be within a factor of 2.5 of the range of training.
    Remarks on one of several images begin with its name.
    """
    if "by_image" in trained:
        return [
            f"{name}: {remark}"
            for name, known in trained["by_image"].items()
            for remark in (acquisition_outside(facts[name], known, needs) if name in facts else ["no image"])
        ]
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
    """Return a remark if the features of a case, an array (n_features,), are outside the range of training, else [].

    They are if more than 5 % of the features are beyond their range by more than 2 + 10 / n_cases times its width, or
    one of them by more than 100 times. The range of few cases is widened more, since new cases of the same kind are
    often beyond it. Features that are constant in training do not count: no model can have learned from them.
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
    return np.stack([np.fmin.reduce(values), np.fmax.reduce(values)])  # a missing image has NaN


def _span(low, high):
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
