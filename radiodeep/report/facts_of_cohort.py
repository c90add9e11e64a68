"""Results and their cohort -> who was studied and how the images were acquired, as facts."""

import pandas as pd

from radiodeep.cases.cohort import as_items
from radiodeep.exceptions import InputError
from radiodeep.report.cohort_section import cohort_table
from radiodeep.report.fact import Fact, fact
from radiodeep.report.lesions import Lesions

_ACQUIRED = (
    *("scanner", "manufacturer", "vendor", "model", "modality", "field_strength", "kernel", "kvp", "tube_voltage"),
    *("protocol", "sequence", "contrast"),
)
_CENTRES = ("centre", "center", "site", "hospital", "institution")
_OF_IMAGES = ("demographics", "missing", "scanners", "centre_counts", "spacing", "slices", "readers")
_MOST_LISTED = 6
_OF_OUTCOMES = ("Cases", "Patients", "Time")  # rows of table 1 that are no clinical facts


def cohort_facts(results, cohort=None, lesions=None):
    """Return facts about cases: a dict from name to Fact, or None if unknown.

    The images of a cohort are read for their voxel size, unless its `Lesions`, which know it, are given as well.
    """
    first = next(iter(results.values()))
    endpoint = first.primary.endpoint
    horizon = "" if first.horizon is None else f", predicted at the time {first.horizon:g}"
    composition = endpoint.composition()
    patients = "" if endpoint.patients is None else f" of {endpoint.patients.max() + 1} patients"
    counted = f"{len(endpoint.y)} cases{patients}"
    facts = dict.fromkeys(_OF_IMAGES) | {
        "flow": _flow(first),
        "cases": fact(composition if composition.startswith(counted) else f"{counted}: {composition}"),
        "outcome": fact(f"the outcome is {first.outcome}{horizon}; the measure is the {endpoint.title()}"),
        "balance": fact(composition),
    }
    items = [] if cohort is None else as_items(cohort)
    items = [item for item in items if item.id in first.predictions.index] or items
    if items or lesions is not None:
        facts |= _of_items(first, items, lesions)
    return facts


def _flow(result):
    """Return how many cases were given and left out, and why."""
    n_studied, left_out = len(result.predictions), result.excluded
    if not left_out:
        return Fact(f"{n_studied} cases were given and studied; the software left out none.")
    reasons = pd.Series([str(reason).split(":", 1)[0] for reason in left_out.values()]).value_counts()
    listed = ", ".join(f"{reason} in {count}" for reason, count in reasons[:_MOST_LISTED].items())
    given = f"{n_studied + len(left_out)} cases were given and {n_studied} studied"
    verb = "was" if len(left_out) == 1 else "were"
    return Fact(f"{given}; {len(left_out)} {verb} left out ({listed}): {', '.join(map(str, left_out))}.")


def _of_items(result, items, lesions):
    cases = [case for item in items for case in getattr(item, "lesions", [item])]
    if lesions is None:
        clinical = pd.DataFrame([dict(item.clinical) for item in items], index=[item.id for item in items])
        acquired = _acquired(cases)
        of_images = {"spacing": _spacing(*_steps(acquired)), "slices": _slices(acquired)}
    else:
        clinical = lesions.clinical
        columns = [
            lesions.facts.get(name, pd.Series(dtype=float)) for name in ("Pixel size (mm)", "Slice spacing (mm)")
        ]
        of_images = {"spacing": _spacing(*(column.dropna() for column in columns))}
    return of_images | {
        "demographics": _demographics(result, clinical),
        "missing": _missing(clinical, cases),
        "scanners": _scanners(_values(clinical, _ACQUIRED)),
        "centre_counts": _centres(clinical),
        "readers": _readers(cases) if cases else None,
    }


def _acquired(cases):
    """Return the `Acquisition` of each image that can be read."""
    acquired = []
    for case in cases:
        try:
            acquired += [single.acquisition() for single in case.single_images().values()]
        except InputError:  # named in the flow
            continue
    return acquired


def _demographics(result, clinical):
    """Return each clinical column, overall and by outcome."""
    others = [name for name in clinical if str(name).lower() in (*_ACQUIRED, *_CENTRES)]
    known = Lesions(pd.DataFrame(index=clinical.index), clinical.drop(columns=others), {})
    rows = [
        f"{name} {', '.join(f'{value} ({group})' for group, value in row.items())}"
        for name, row in cohort_table(result, known).iterrows()
        if not name.startswith(_OF_OUTCOMES)
    ]
    return fact("; ".join(rows))


def _missing(clinical, cases):
    """Return how many values of each clinical column, and which images, are missing."""
    n_missing = {name: int(clinical[name].isna().sum()) for name in clinical}
    images = dict.fromkeys(name for case in cases for name in case.image_names)
    n_missing |= {f"image {name}": sum(name not in case.single_images() for case in cases) for name in images}
    if not n_missing:
        return None
    listed = ", ".join(f"{name} in {count}" for name, count in n_missing.items() if count)
    return fact(f"missing of {len(clinical)} cases: {listed}" if listed else "no value of these cases is missing")


def _values(clinical, names):
    """Return the counts of the values of the columns of some names."""
    columns = [name for name in clinical if str(name).lower() in names]
    return [f"{name}: {_counts(clinical[name])}" for name in columns]


def _counts(values):
    counts = values.value_counts()
    others = f", {len(counts) - _MOST_LISTED} others" if len(counts) > _MOST_LISTED else ""
    return ", ".join(f"{value} in {count}" for value, count in counts[:_MOST_LISTED].items()) + others


def _scanners(texts):
    return fact(f"from the manifest, {'; '.join(texts)}" if texts else "")


def _centres(clinical):
    texts = _values(clinical, _CENTRES)
    are_several = any(clinical[name].nunique() > 1 for name in clinical if str(name).lower() in _CENTRES)
    return Fact(f"Cases by {'; '.join(texts)}.", done=are_several) if texts else None


def _steps(acquired):
    """Return the pixel sizes within slices, and the distances of slices, of images in mm."""
    within, across = [], []
    for each in acquired:
        steps = list(each.spacing_mm)
        of_slices = steps.pop(each.slice_axis or 0)
        within.append(max(steps))
        across += [of_slices] if each.n_dimensions == 3 else []
    return within, across


def _spacing(within, across):
    if not len(within):
        return None
    slices = f"; distance of slices {_spread(across)} mm" if len(across) else ""
    return Fact(f"Pixel size within slices {_spread(within)} mm{slices}.")


def _spread(values):
    values = pd.Series(values)
    if values.max() - values.min() < 1e-3 * values.max():
        return f"{values.median():.3g}"
    return f"{values.min():.3g} to {values.max():.3g} (median {values.median():.3g})"


def _slices(acquired):
    if not acquired:
        return None
    planes = pd.Series([each.plane or "one slice" for each in acquired])
    return Fact(f"Plane of the slices, by voxel size: {_counts(planes)}.")


def _readers(cases):
    repeats = pd.Series([name for case in cases for name in case.repeats])
    if repeats.empty:
        return Fact("No lesion was outlined or imaged a second time.", done=False)
    counts = repeats.value_counts()
    return Fact(f"Measured again: {', '.join(f'{count} lesions ({name})' for name, count in counts.items())}.")
