"""In: a cohort. Out: a `CohortInspection` of what each case holds, what cannot be used, and what is odd."""

import hashlib
import math
import os
import textwrap
import warnings
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from scipy.ndimage import find_objects, label

from radiodeep.cases.cohort import Cohort, as_cases
from radiodeep.cases.masks import outlined_series
from radiodeep.cases.naming import message_with_id, naming_image
from radiodeep.cases.readers import read_labels, read_volume
from radiodeep.cases.remarks import remarks_on
from radiodeep.cases.sources import is_whole
from radiodeep.checks import require_n_jobs
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.processes import computed_in_folder
from radiodeep.progress import with_progress

_FEW_VALUES = 10  # masks rarely have more values, images do
_WHOLE_IMAGE = 0.95
_WIDTH = 80
_CELLS = ("<18", "<11", "<14", "<4", "<16", ">10", "<1")  # alignment and width in a printed line
_N_LINES = 40


@dataclass(frozen=True, eq=False)
class CohortInspection:
    """Result of `inspect_cohort`; it prints in 80 columns.

    Attributes
    ----------
    table : DataFrame
        A row per case, or for each of its images, which `image` names: `id`, `patient`, `label`, `size` and
        `spacing_mm` (z, y, x), `orientation` (where the x, y and z axes point to, "LPS"; "" if unknown), `lowest` and
        `highest` of the image, `region_median`, `volume_mm3` and `n_voxels` of the region, `region_size` of its box
        (z, y, x), `n_components`, `touches_border`, `odd` (the remarks about the case) and `error` ("" if it can be
        used).
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
        n_cases = self.table["id"].nunique()
        shown = rows if len(rows) <= _N_LINES else [row for row in rows if row["odd"] or row["error"]]
        lines = [_line("id", "size zyx", "spacing zyx mm", "axes", "intensities", "volume mm3", "")]
        lines += [_line_of(row) for row in shown[:_N_LINES]]
        if len(shown[:_N_LINES]) < len(rows):
            kind = "images" if "image" in self.table else "cases"
            lines.append(f"({len(shown[:_N_LINES])} of {len(rows)} {kind} are shown; '.table' has all)")
        lines.append("")
        for remark in self.remarks:
            lines += textwrap.wrap(f"- {remark}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        n_odd = len({row["id"] for row in rows if row["odd"] and row["id"] not in self.errors})
        remarked = f", {n_odd} of them with remarks (*)" if n_odd else ""
        lines.append(f"{n_cases - len(self.errors)} of {n_cases} cases can be used{remarked}.")
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
    - Labels: 0 in 1 case, 1 in 1 case. Every case counts as a patient of its own.
    2 of 2 cases can be used.
    """
    require_n_jobs(n_jobs, "inspect_cohort")
    cases = list(Cohort(as_cases(cohort)))  # with ids that differ
    images = [(part, name) for case in cases for name, part in case.single_images().items()]
    rows = _all_facts(images, n_jobs)
    remarks = remarks_on(cases, rows)
    for remark in remarks:
        for row in remark.rows:
            row["odd"] = f"{row['odd']}; {remark.in_table}" if row["odd"] else remark.in_table
    errors = {}
    for row in rows:
        if row["error"]:
            errors[row["id"]] = "; ".join(filter(None, [errors.get(row["id"]), row["error"]]))
    return CohortInspection(_table(rows), errors, [f"{remark.sentence}." for remark in remarks])


def _all_facts(images, n_jobs):
    """Return the facts of pairs (case, name of its image); if a process is killed, the rest is read one by one."""
    facts_of = {}
    tasks = (_task(case, name) for case, name in images)
    try:
        with closing(Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)) as finished:
            for facts in with_progress(finished, "Checking", len(images), "cases"):
                facts_of[facts["id"], facts["image"]] = facts
    except TerminatedWorkerError:
        for case, name in images:
            if (case.id, name) not in facts_of:
                facts_of[case.id, name] = _facts_apart(case, name)
    return [facts_of[case.id, name] for case, name in images]


def _task(case, name):
    return delayed(computed_in_folder)(os.path.abspath(""), _facts, case, name)


def _facts_apart(case, name):
    try:
        return Parallel(n_jobs=2, backend="loky")([_task(case, name)])[0]
    except TerminatedWorkerError:
        error = f"WorkerKilledError: {case.id}: its process was killed, most often because memory ran out."
        return _blank_facts(case, name) | {"error": error}


def _facts(case, name):
    facts = _blank_facts(case, name)
    try:
        with naming_image(case, name):
            return facts | _measured(case)
    except Exception as error:  # of any kind, so that the other cases go on
        text = f"{type(error).__name__}: {message_with_id(error, case.id)}"
        is_swapped = isinstance(error, InputError) and _look_swapped(case)
        return facts | {"error": text, "flags": {"swapped": is_swapped}}


def _look_swapped(case, voxels=None):
    """Return whether image and mask seem to be swapped, of a case that cannot be used unless its voxels are given."""
    try:
        voxels = _stored_voxels(case.image) if voxels is None else voxels
        return _is_mask_for_image(voxels, _stored_voxels(case.mask))
    except Exception:  # the first error is reported instead; contours are not voxels
        return False


def _is_same_file(case):
    return isinstance(case.image, Path) and case.image == case.mask and case.image.is_file()  # not a folder of DICOM


def _is_mask_for_image(image, mask):
    return _has_many_values(mask) and not _has_many_values(image)


def _stored_voxels(source):
    return read_volume(source).voxels if isinstance(source, Path) else source


def _blank_facts(case, name):
    known = {"id": case.id, "image": name, "patient": case.patient, "label": case.label, "event": case.event}
    return known | {"odd": "", "error": "", "flags": {}}


def _measured(case):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RadiodeepWarning)
        voxels, roi, spacing_mm = case.read()
    box = find_objects(roi.view(np.uint8))[0]
    values = voxels[box][roi[box]]
    finite = _finite_voxels(voxels)
    sides = zip(box, voxels.shape, strict=True)
    facts = {
        "size": voxels.shape,
        "spacing_mm": spacing_mm,
        "orientation": "",
        "lowest": float(finite.min()),
        "highest": float(finite.max()),
        "region_median": float(np.median(values)),
        "volume_mm3": float(values.size * np.prod(spacing_mm)),
        "n_voxels": int(values.size),
        "region_size": tuple(side.stop - side.start for side in box),
        "n_components": int(label(roi[box], np.ones((3, 3, 3)))[1]),
        "touches_border": any(size > 1 and (side.start == 0 or side.stop == size) for side, size in sides),
        "acquisition": case.acquisition(),
        "image_hash": _image_hash(voxels),
        "region_hash": hashlib.blake2b(np.packbits(roi).tobytes(), digest_size=16).hexdigest(),
    }
    facts["flags"] = _flags_of_region(facts, voxels.size) | {
        "not_finite": finite is not voxels,
        "swapped": case.mask_label is not None and _look_swapped(case, voxels),
        "same_file": case.image is case.mask or _is_same_file(case),
        "constant": values.size > 1 and values.min() == values.max(),
        "shifted": any("lying on one grid" in str(warning.message) for warning in caught),
    }
    if is_whole(case.mask):
        facts["flags"]["whole"] = False  # as it was asked for
    if isinstance(case.image, Path):
        grid = _grid_on_disk(case)
        facts["orientation"] = grid.orientation if grid.has_spacing else ""
        facts["flags"]["no_position"] = not grid.has_position
        facts["flags"]["no_spacing"] = not grid.has_spacing and spacing_mm == (1.0, 1.0, 1.0)
    return facts


def _flags_of_region(facts, n_voxels):
    n_axes = sum(size > 1 for size in facts["region_size"])
    fills_image = facts["n_voxels"] / n_voxels >= _WHOLE_IMAGE
    return {
        "one_voxel": facts["n_voxels"] == 1,
        "line": n_axes == 1,
        "one_slice": n_axes == 2 and facts["size"][0] > 1,
        "components": facts["n_components"] > 1,
        "border": facts["touches_border"] and not fills_image,
        "whole": fills_image,
    }


def _grid_on_disk(case):
    """Return a `Volume` on the grid of a case on disk: its mask if that has a spacing, since it is read faster."""
    if isinstance(case.mask, Path):
        with suppress(InputError):  # contours, or a folder of organs
            mask = read_labels(case.mask)
            if mask.has_spacing:
                return mask
        return read_volume(outlined_series(case.image, case.mask, case.roi_name, case.reading), case.reading)
    return read_volume(case.image, case.reading)


def _finite_voxels(voxels):
    """Return the finite intensities, or the image itself if all are finite."""
    is_finite = math.isfinite(voxels.min()) and math.isfinite(voxels.max())
    return voxels if is_finite else voxels[np.isfinite(voxels)]


def _has_many_values(voxels):
    sample = voxels.reshape(-1)[:: max(1, voxels.size // 10_000)]
    return np.unique(sample).size > _FEW_VALUES or np.unique(voxels).size > _FEW_VALUES


def _image_hash(voxels):
    """Return a digest of the intensities, whatever type they are stored in."""
    digest = hashlib.blake2b(str(voxels.shape).encode(), digest_size=16)
    for plane in voxels:
        digest.update(np.ascontiguousarray(plane, dtype=np.float64))
    return digest.hexdigest()


def _table(rows):
    columns = [
        "id", "image", "patient", "label", "size", "spacing_mm", "orientation", "lowest", "highest", "region_median",
        "volume_mm3", "n_voxels", "region_size", "n_components", "touches_border", "odd", "error",
    ]  # fmt: skip
    table = pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=columns)
    return table if any(row["image"] for row in rows) else table.drop(columns="image")


def _line_of(row):
    if row["error"]:
        return _shortened(f"{_shortened(_id_of(row), 18):<18} {row['error']}", _WIDTH)
    return _line(
        _id_of(row),
        "x".join(map(str, row["size"])),
        "x".join(f"{step:.3g}" for step in row["spacing_mm"]),
        row["orientation"] or "-",
        " to ".join(f"{value:.{3 if abs(value) < 1000 else 5}g}" for value in (row["lowest"], row["highest"])),
        f"{row['volume_mm3']:.0f}" if row["volume_mm3"] >= 10 else f"{row['volume_mm3']:.2g}",
        "*" if row["odd"] else "",
    )


def _id_of(row):
    return f"{row['id']} {row['image']}" if "image" in row else row["id"]


def _line(*cells):
    texts = [f"{_shortened(cell, int(form[1:])):{form}}" for cell, form in zip(cells, _CELLS, strict=True)]
    return " ".join(texts).rstrip()


def _shortened(text, width):
    return text if len(text) <= width else f"{text[: width - 3]}..."
