"""In: facts of the images of a cohort. Out: remarks on what is odd about it, and in which cases."""

import math
import re
from collections import Counter
from typing import NamedTuple

import numpy as np

from radiodeep.cases.acquisition import mixtures

_N_FOR_OUTLIERS = 5
_N_DEVIATIONS = 5.0
_MEDIAN_SHARE = 0.25  # smaller differences are no outliers, however similar the other cases are
_RANGE_FACTOR = 4.0
_N_NAMED = 5
_N_COLUMNS = 12
_UNLIKE = {"spacing": "spacing", "orientation": "storage order", "plane": "plane of slices", "field": "field of view"}
_PER_CASE = {
    "swapped": "image and mask look swapped (the mask holds more values than the image)",
    "same_file": "image and mask are the same",
    "constant": "all intensities of the region are equal",
    "one_voxel": "region of one voxel",
    "line": "region one voxel thick along all axes but one",
    "one_slice": "region on one slice of a volume",
    "components": "region in several pieces",
    "border": "region touches the border of the image",
    "whole": "region is (almost) the whole image",
    "not_finite": "voxels that are NaN or infinite outside of the region (most filters refuse them)",
    "no_position": "file without position (no qform, no sform), so that image and mask cannot be compared",
    "shifted": "image and mask slightly apart (less than 1/20 of a voxel)",
    "no_spacing": "file without voxel size, 1 mm is assumed",
}


class Remark(NamedTuple):
    """What is odd about a cohort, the rows of the cases concerned, and what the table says of each of them."""

    sentence: str
    rows: tuple | list = ()
    in_table: str = ""


def _remark_on(rows, text):
    return Remark(f"{_cases(len(rows))}: {text}{_named(rows)}", rows, text)


def remarks_on(cases, rows):
    """Return each `Remark` on a cohort, from the facts of its images, a dict for each."""
    remarks = []
    for name in dict.fromkeys(row["image"] for row in rows):
        of_image = [row for row in rows if row["image"] == name]
        prefix = f"{name}: " if name else ""
        remarks += [
            remark._replace(sentence=prefix + remark.sentence, in_table=remark.in_table and prefix + remark.in_table)
            for remark in _remarks_on_images(of_image)
        ]
        lacking = [{"id": case.id} for case in cases if name and case.image.get(name) is None]
        remarks += [Remark(f"{prefix}{_cases(len(lacking))}: no image{_named(lacking)}")] if lacking else []
    unusable = {row["id"] for row in rows if row["error"]}
    first = {row["id"]: row for row in reversed(rows) if row["id"] not in unusable}
    remarks += _remarks_on_outcomes([first[case.id] for case in cases if case.id in first])
    return remarks + list(_remarks_on_columns(cases))


def _remarks_on_images(rows):
    for flag, text in _PER_CASE.items():
        flagged = [row for row in rows if row["flags"].get(flag)]
        if flagged:
            yield _remark_on(flagged, text)
    rows = [row for row in rows if not row["error"]]
    yield from _remarks_on_grids(rows)
    yield from _remarks_on_intensities(rows)
    yield from _remarks_on_repeats(rows)


def _remarks_on_outcomes(rows):
    counts = Counter("no label" if row["label"] is None else str(row["label"]) for row in rows)
    events = [row["event"] for row in rows if row["event"] is not None]
    unnamed = ". Every case counts as a patient of its own"
    unnamed = unnamed if all(row["patient"] == row["id"] for row in rows) else ""
    if set(counts) != {"no label"} and rows:
        listed = ", ".join(f"{name} in {_cases(count)}" for name, count in sorted(counts.items()))
        yield Remark(f"Labels: {listed}{unnamed}")
    if events:
        without = len(events) - sum(events)
        yield Remark(f"Follow-up: event in {_cases(sum(events))}, none in {_cases(without)}{unnamed}")
    several = [count for count in Counter(row["patient"] for row in rows).values() if count > 1]
    if several:
        patients = "1 patient has" if len(several) == 1 else f"{len(several)} patients have"
        yield Remark(f"{patients} several cases (up to {max(several)}); keep them together in cross-validation")
    labels = {}
    for row in rows:
        labels.setdefault(row["patient"], set()).add(row["label"])
    mixed = [{"id": str(patient)} for patient, known in labels.items() if len(known) > 1]
    if mixed:
        patients = "1 patient has" if len(mixed) == 1 else f"{len(mixed)} patients have"
        yield Remark(f"{patients} cases with different labels, which cannot become one row{_named(mixed)}")


def _remarks_on_columns(cases):
    repeats = Counter(name for case in cases for name in case.repeats)
    if repeats:
        listed = ", ".join(f"{name} of {_cases(count)}" for name, count in repeats.items())
        yield Remark(f"Measured again, not checked here: {listed}")
    known = Counter(name for case in cases for name, value in case.clinical.items() if value is not None)
    blank = {name: len(cases) - known[name] for name in dict.fromkeys(name for case in cases for name in case.clinical)}
    listed = [f"{name} ({count} blank)" if count else str(name) for name, count in blank.items()]
    if listed:
        more = f" and {len(listed) - _N_COLUMNS} more" if len(listed) > _N_COLUMNS else ""
        yield Remark(f"Other columns: {', '.join(listed[:_N_COLUMNS])}{more}")
    with_commas = [name for name in blank if any(_has_decimal_comma(case.clinical.get(name)) for case in cases)]
    if with_commas:
        yield Remark(f"Numbers with decimal commas are words, not numbers; write points: {', '.join(with_commas)}")


def _has_decimal_comma(value):
    return isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+,\d+\s*", value) is not None


def _remarks_on_grids(rows):
    dimensions = Counter(row["acquisition"].n_dimensions for row in rows).most_common()
    if len(dimensions) > 1:
        unlike = [row for row in rows if row["acquisition"].n_dimensions != dimensions[0][0]]
        listed = ", ".join(f"{number}-D in {_cases(count)}" for number, count in dimensions)
        yield Remark(f"2-D and 3-D images are mixed ({listed}){_named(unlike)}", unlike, "2-D or 3-D unlike most")
    for mixture in mixtures({row["id"]: row["acquisition"] for row in rows}, set(_UNLIKE)):
        unlike = [row for row in rows if row["id"] in mixture.ids]
        yield Remark(mixture.sentence, unlike, f"{_UNLIKE[mixture.need]} unlike others")


def _remarks_on_intensities(rows):
    if len(rows) < _N_FOR_OUTLIERS:
        return
    medians = np.array([row["region_median"] for row in rows])
    ranges = np.array([row["highest"] - row["lowest"] for row in rows])
    for values, least, text in (
        (medians, _MEDIAN_SHARE * np.median(ranges), "region much brighter or darker than the others"),
        (np.log(np.maximum(ranges, 1e-300)), math.log(_RANGE_FACTOR), "range of intensities unlike the others"),
    ):
        distances = np.abs(values - np.median(values))
        limit = max(_N_DEVIATIONS * 1.4826 * np.median(distances), least)
        outliers = [row for row, distance in zip(rows, distances, strict=True) if distance > limit]
        if outliers:
            yield _remark_on(outliers, text)


def _remarks_on_repeats(rows):
    by_image = {}
    for row in rows:
        by_image.setdefault(row["image_hash"], []).append(row)
    for same in by_image.values():
        regions = Counter(row["region_hash"] for row in same)
        twice = [row for row in same if regions[row["region_hash"]] > 1]
        if twice:
            sentence = f"The same image and region under several ids{_named(twice)}"
            yield Remark(sentence, twice, "same image and region as another")
        elif len({row["patient"] for row in same}) > 1:
            yield Remark(f"The same image in several patients{_named(same)}", same, "same image as another patient")


def _named(rows):
    ids = [row["id"] for row in rows]
    more = f" and {len(ids) - _N_NAMED} more" if len(ids) > _N_NAMED else ""
    return f": {', '.join(ids[:_N_NAMED])}{more}"


def _cases(count):
    return f"{count} case{'' if count == 1 else 's'}"
