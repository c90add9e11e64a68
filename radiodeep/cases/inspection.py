"""In: a cohort. Out: a `CohortInspection` of what each case holds, what cannot be used, and what is odd."""

import hashlib
import math
import textwrap
import warnings
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from scipy.ndimage import find_objects, label

from radiodeep.cases.acquisition import mixtures
from radiodeep.cases.cohort import Cohort, as_cases
from radiodeep.cases.naming import message_with_id
from radiodeep.cases.readers import read_volume
from radiodeep.checks import require_n_jobs
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.progress import with_progress

_FEW_VALUES = 10  # masks rarely have more values, images do
_WHOLE_IMAGE = 0.95
_N_FOR_OUTLIERS = 5
_N_DEVIATIONS = 5.0
_MEDIAN_SHARE = 0.25  # smaller differences are no outliers, however similar the other cases are
_RANGE_FACTOR = 4.0
_WIDTH = 80
_N_LINES = 40
_N_NAMED = 5
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


@dataclass(frozen=True, eq=False)
class CohortInspection:
    """Result of `inspect_cohort`; it prints in 80 columns.

    Attributes
    ----------
    table : DataFrame
        A row per case: `id`, `patient`, `label`, `size` and `spacing_mm` (z, y, x), `orientation` (where the x, y
        and z axes point to, "LPS"; "" if unknown), `lowest` and `highest` of the image, `region_median`,
        `volume_mm3` and `n_voxels` of the region, `region_size` of its box (z, y, x), `n_components`,
        `touches_border`, `odd` (the remarks about the case) and `error` ("" if it can be used).
    errors : dict from id to str
        "ErrorName: message" of the cases that cannot be used.
    remarks : list of str
        What is odd about the cohort, and in which cases.
    """

    table: pd.DataFrame
    errors: dict
    remarks: list = field(default_factory=list)

    def __str__(self):
        rows = self.table.to_dict("records")
        shown = rows if len(rows) <= _N_LINES else [row for row in rows if row["odd"] or row["error"]]
        lines = [_line(["id", "size zyx", "spacing zyx mm", "axes", "intensities", "volume mm3"])]
        lines += [_line_of(row) for row in shown[:_N_LINES]]
        if len(shown[:_N_LINES]) < len(rows):
            lines.append(f"({len(shown[:_N_LINES])} of {len(rows)} cases are shown; '.table' has all)")
        lines.append("")
        for remark in self.remarks:
            lines += textwrap.wrap(f"- {remark}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        n_odd = sum(bool(row["odd"]) for row in rows if not row["error"])
        remarked = f", {n_odd} of them with remarks (*)" if n_odd else ""
        lines.append(f"{len(rows) - len(self.errors)} of {len(rows)} cases can be used{remarked}.")
        return "\n".join(lines)


def inspect_cohort(cohort, n_jobs=None):
    """Read every case, describe it, and remark on what is odd about the cohort.

    Parameters
    ----------
    cohort : Cohort or sequence of Case
    n_jobs : int, optional
        Processes; -1 for all cores.

    Returns
    -------
    CohortInspection

    Raises
    ------
    InputError
        If `cohort` does not hold cases, or `n_jobs` is 0. Errors of single cases are recorded instead.

    Notes
    -----
    A case is an outlier in intensity if, among at least 5 cases, the median of its region differs from the median
    of those medians by more than 5 scaled median absolute deviations and a quarter of the typical range of an image,
    or if the logarithm of its image's range differs so from the others and by more than a factor of 4.

    Examples
    --------
    >>> from radiodeep import inspect_cohort, make_phantom_cohort
    >>> print(inspect_cohort(make_phantom_cohort(2, random_state=0)))
    id                 size zyx    spacing zyx mm axes intensities      volume mm3
    phantom-000        24x44x44    1.5x1x1        -    -47 to 236             4828
    phantom-001        24x44x44    1.5x1x1        -    -54 to 247             7010
    <BLANKLINE>
    - Labels: 0 in 1 case, 1 in 1 case. No patients are named: every case counts as a
      patient of its own.
    2 of 2 cases can be used.
    """
    require_n_jobs(n_jobs, "inspect_cohort")
    cases = list(Cohort(as_cases(cohort)))  # with ids that differ
    rows = _all_facts(cases, n_jobs)
    remarks = []
    for sentence, about, short in _remarks(rows):
        remarks.append(f"{sentence}.")
        for row in about if short else []:
            row["odd"] = f"{row['odd']}; {short}" if row["odd"] else short
    errors = {row["id"]: row["error"] for row in rows if row["error"]}
    return CohortInspection(_table(rows), errors, remarks)


def _all_facts(cases, n_jobs):
    """Return the facts of each case; if a process is killed, the rest is read in one process per case."""
    facts_of = {}
    tasks = (delayed(_facts)(position, case) for position, case in enumerate(cases))
    try:
        with closing(Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)) as finished:
            for position, facts in with_progress(finished, "Checking", len(cases), "cases"):
                facts_of[position] = facts
    except TerminatedWorkerError:
        for position, case in enumerate(cases):
            if position not in facts_of:
                facts_of[position] = _facts_apart(position, case)
    return [facts_of[position] for position in range(len(cases))]


def _facts_apart(position, case):
    try:
        return Parallel(n_jobs=2, backend="loky")([delayed(_facts)(position, case)])[0][1]
    except TerminatedWorkerError:
        error = f"WorkerKilledError: {case.id}: its process was killed, most often because memory ran out."
        return _blank_facts(case) | {"error": error}


def _facts(position, case):
    facts = _blank_facts(case)
    try:
        return position, facts | _measured(case)
    except Exception as error:  # of any kind, so that the other cases go on
        text = f"{type(error).__name__}: {message_with_id(error, case.id)}"
        is_swapped = isinstance(error, InputError) and _look_swapped(case)
        return position, facts | {"error": text, "flags": {"swapped": is_swapped}}


def _look_swapped(case):
    """Return whether image and mask of a case that cannot be used seem to be swapped."""
    try:
        image, mask = (
            read_volume(source).voxels if isinstance(source, Path) else source for source in (case.image, case.mask)
        )
    except Exception:  # the first error is reported instead
        return False
    return _has_many_values(mask) and not _has_many_values(image)


def _blank_facts(case):
    return {"id": case.id, "patient": case.patient, "label": case.label, "odd": "", "error": "", "flags": {}}


def _measured(case):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RadiodeepWarning)
        voxels, roi, spacing_mm = case.read()
    placed, mask = _placed(case)
    box = find_objects(roi.view(np.uint8))[0]
    values = voxels[box][roi[box]]
    extent = tuple(side.stop - side.start for side in box)
    touches = any(
        size > 1 and (side.start == 0 or side.stop == size) for side, size in zip(box, voxels.shape, strict=True)
    )
    share = values.size / voxels.size
    axes = sum(size > 1 for size in extent)
    n_components = int(label(roi[box], np.ones((3, 3, 3)))[1])
    lowest, highest, is_finite = _finite_range(voxels)
    flags = {
        "not_finite": not is_finite,
        "swapped": mask is not None and _has_many_values(mask) and not _has_many_values(voxels),
        "same_file": case.image is case.mask or (isinstance(case.image, Path) and case.image == case.mask),
        "constant": values.size > 1 and values.min() == values.max(),
        "one_voxel": values.size == 1,
        "line": axes == 1,
        "one_slice": axes == 2 and voxels.shape[0] > 1,
        "components": n_components > 1,
        "border": touches and share < _WHOLE_IMAGE,
        "whole": share >= _WHOLE_IMAGE,
        "no_position": placed is not None and not placed.has_position,
        "shifted": any("lying on one grid" in str(warning.message) for warning in caught),
        "no_spacing": placed is not None and not placed.has_spacing and spacing_mm == (1.0, 1.0, 1.0),
    }
    return {
        "size": voxels.shape,
        "spacing_mm": spacing_mm,
        "orientation": placed.orientation if placed is not None and placed.has_spacing else "",
        "lowest": lowest,
        "highest": highest,
        "region_median": float(np.median(values)),
        "volume_mm3": float(values.size * np.prod(spacing_mm)),
        "n_voxels": int(values.size),
        "region_size": extent,
        "n_components": n_components,
        "touches_border": touches,
        "flags": flags,
        "acquisition": case.acquisition(),
        "image_hash": _image_hash(voxels),
        "region_hash": hashlib.blake2b(np.packbits(roi).tobytes(), digest_size=16).hexdigest(),
    }


def _placed(case):
    """Return a volume on the grid of a case, None if it is in memory; and the mask if one of its labels is chosen.

    The mask is read again for the grid, since it is smaller than the image.
    """
    placed = read_volume(case.mask) if isinstance(case.mask, Path) else None
    mask = case.mask if placed is None else placed.voxels
    if isinstance(case.image, Path) and (placed is None or not placed.has_spacing):
        placed = read_volume(case.image)
    return placed if isinstance(case.image, Path) else None, None if case.mask_label is None else mask


def _has_many_values(voxels):
    sample = voxels.reshape(-1)[:: max(1, voxels.size // 10_000)]
    return np.unique(sample).size > _FEW_VALUES or np.unique(voxels).size > _FEW_VALUES


def _finite_range(voxels):
    """Return the lowest and the highest finite intensity, and whether all are finite."""
    lowest, highest = float(voxels.min()), float(voxels.max())  # NaN if a voxel is
    if math.isfinite(lowest) and math.isfinite(highest):
        return lowest, highest, True
    finite = voxels[np.isfinite(voxels)]
    return float(finite.min()), float(finite.max()), False


def _image_hash(voxels):
    """Return a digest of the intensities, whatever type they are stored in."""
    digest = hashlib.blake2b(str(voxels.shape).encode(), digest_size=16)
    for plane in voxels:
        digest.update(np.ascontiguousarray(plane, dtype=np.float64))
    return digest.hexdigest()


def _remarks(rows):
    """Yield (sentence, rows that it concerns, their remark in the table or "")."""
    for flag, sentence in _PER_CASE.items():
        about = [row for row in rows if row["flags"].get(flag)]
        if about:
            yield f"{_cases(len(about))}: {sentence}{_named(about)}", about, sentence
    rows = [row for row in rows if not row["error"]]
    yield from _remarks_on_grids(rows)
    yield from _remarks_on_intensities(rows)
    yield from _remarks_on_repeats(rows)
    counts = Counter("no label" if row["label"] is None else str(row["label"]) for row in rows)
    if set(counts) != {"no label"} and rows:
        listed = ", ".join(f"{name} in {_cases(count)}" for name, count in sorted(counts.items()))
        is_unnamed = all(row["patient"] == row["id"] for row in rows)
        alone = ". No patients are named: every case counts as a patient of its own" if is_unnamed else ""
        yield f"Labels: {listed}{alone}", [], ""
    several = [count for count in Counter(row["patient"] for row in rows).values() if count > 1]
    if several:
        patients = "1 patient has" if len(several) == 1 else f"{len(several)} patients have"
        yield f"{patients} several cases (up to {max(several)}); keep them together in cross-validation", [], ""


def _remarks_on_grids(rows):
    dimensions = Counter(row["acquisition"].n_dimensions for row in rows).most_common()
    if len(dimensions) > 1:
        about = [row for row in rows if row["acquisition"].n_dimensions != dimensions[0][0]]
        listed = ", ".join(f"{number}-D in {_cases(count)}" for number, count in dimensions)
        yield f"2-D and 3-D images are mixed ({listed}){_named(about)}", about, "2-D or 3-D unlike most"
    for mixture in mixtures({row["id"]: row["acquisition"] for row in rows}, set(_UNLIKE)):
        about = [row for row in rows if row["id"] in mixture.ids]
        yield mixture.sentence, about, f"{_UNLIKE[mixture.need]} unlike others"


def _remarks_on_intensities(rows):
    if len(rows) < _N_FOR_OUTLIERS:
        return
    medians = np.array([row["region_median"] for row in rows])
    ranges = np.array([row["highest"] - row["lowest"] for row in rows])
    for values, least, sentence in (
        (medians, _MEDIAN_SHARE * np.median(ranges), "region much brighter or darker than the others"),
        (np.log(np.maximum(ranges, 1e-300)), math.log(_RANGE_FACTOR), "range of intensities unlike the others"),
    ):
        distances = np.abs(values - np.median(values))
        limit = max(_N_DEVIATIONS * 1.4826 * np.median(distances), least)
        about = [row for row, distance in zip(rows, distances, strict=True) if distance > limit]
        if about:
            yield f"{_cases(len(about))}: {sentence}{_named(about)}", about, sentence


def _remarks_on_repeats(rows):
    by_image = {}
    for row in rows:
        by_image.setdefault(row["image_hash"], []).append(row)
    for same in by_image.values():
        regions = Counter(row["region_hash"] for row in same)
        twice = [row for row in same if regions[row["region_hash"]] > 1]
        if twice:
            yield (
                f"The same image and region under several ids{_named(twice)}",
                twice,
                "same image and region as another",
            )
        elif len({row["patient"] for row in same}) > 1:
            yield f"The same image in several patients{_named(same)}", same, "same image as another patient"


def _named(rows):
    ids = [row["id"] for row in rows]
    if not ids:
        return ""
    more = f" and {len(ids) - _N_NAMED} more" if len(ids) > _N_NAMED else ""
    return f": {', '.join(ids[:_N_NAMED])}{more}"


def _cases(count):
    return f"{count} case{'' if count == 1 else 's'}"


def _table(rows):
    columns = [
        "id", "patient", "label", "size", "spacing_mm", "orientation", "lowest", "highest", "region_median",
        "volume_mm3", "n_voxels", "region_size", "n_components", "touches_border", "odd", "error",
    ]  # fmt: skip
    return pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=columns)


def _line_of(row):
    if row["error"]:
        return _shortened(f"{_shortened(row['id'], 18):<18} {row['error']}", _WIDTH)
    return _line(
        [
            row["id"],
            "x".join(map(str, row["size"])),
            "x".join(f"{step:.3g}" for step in row["spacing_mm"]),
            row["orientation"] or "-",
            f"{row['lowest']:.5g} to {row['highest']:.5g}",
            f"{row['volume_mm3']:.0f}" if row["volume_mm3"] >= 10 else f"{row['volume_mm3']:.2g}",
            "*" if row["odd"] else "",
        ]
    )


def _line(cells):
    widths = (18, 11, 14, 4, 16, 10, 1)
    texts = [_shortened(cell, width) for cell, width in zip(cells, widths, strict=False)]
    texts = [
        f"{text:>{width}}" if width == 10 else f"{text:<{width}}" for text, width in zip(texts, widths, strict=False)
    ]
    return " ".join(texts).rstrip()


def _shortened(text, width):
    return text if len(text) <= width else f"{text[: width - 3]}..."
