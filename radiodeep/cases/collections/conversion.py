"""In: the patients of a downloaded collection, and a function that converts one. Out: NIfTI files and a manifest.

A patient's record, written after all of its files, lets a later run keep them: what a killed run has converted is not
converted again.
"""

import hashlib
import json
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from radiodeep.cases.writing import safe_name, write_image
from radiodeep.checks import is_non_negative, require, require_option
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.files import replacing, write_table
from radiodeep.progress import with_progress

MANIFEST, LEFT_OUT, IMAGES = "manifest.csv", "left_out.csv", "images"
_RECORDS = "converted"


def check_options(owner, margin_mm, on_error):
    """Raise InputError for options that all collections have."""
    is_margin = margin_mm is None or is_non_negative(margin_mm)
    require(is_margin, owner, "margin_mm", "None or a number >= 0", margin_mm)
    require_option(on_error, ("raise", "record"), owner, "on_error")


def by_patient(items, patient_of):
    """Return lists of items by their patient, in the order of the patients' names."""
    patients = {}
    for item in items:
        patients.setdefault(patient_of(item), []).append(item)
    return dict(sorted(patients.items()))


def convert_patients(patients, convert, output, settings, on_error):
    """Convert every patient of a collection; return their rows and what was left out, as two lists of dicts.

    `patients` maps names to ``(source, paths)``: what ``convert(name, source)`` takes, and the files that it reads.
    That returns the rows of the manifest, whose cells that begin with the folder `IMAGES` are files it has written
    in `output`, and sentences about what it left out. A patient whose files, and the settings, are those of an earlier
    run is not converted again. With ``on_error="record"`` an InputError of a patient becomes such a sentence; if no
    patient can be converted, the first one is raised.
    """
    _check_names(patients)
    rows, left_out, errors = [], [], []
    for name, (source, paths) in with_progress(patients.items(), "Converting", len(patients), "patients"):
        record = Path(output) / _RECORDS / f"{safe_name(name)}.json"
        key = _fingerprint(settings, paths)
        kept = _kept(record, key, output)
        if kept is None:
            try:
                kept = convert(name, source)
            except InputError as error:
                if on_error == "raise":
                    raise type(error)(f"{name}: {error}") from error
                errors.append(type(error)(f"{name}: {error}"))
                kept = [], [str(error)]
            else:
                _write_record(record, key, kept, output)
        rows += kept[0]
        left_out += [{"patient": name, "reason": reason} for reason in kept[1]]
    if not rows and errors:
        raise errors[0]
    return rows, left_out


def write_collection(table, left_out, output):
    """Write a table as the manifest, and what was left out beside it; return the path of the manifest.

    Warns of what was left out; raises InputError if the table has no row.
    """
    output = Path(output)
    write_table(pd.DataFrame(left_out, columns=["patient", "reason"]), output / LEFT_OUT, index=False)
    if not len(table):
        reason = f" The first reason: {left_out[0]['patient']}: {left_out[0]['reason']}" if left_out else ""
        raise InputError(f"The collection gives no case. See '{output / LEFT_OUT}'.{reason}")
    write_table(table, output / MANIFEST, index=False)
    if left_out:
        n = len({entry["patient"] for entry in left_out})
        warnings.warn(
            f"Something was left out of {n} patient{'s' if n > 1 else ''}; the reasons are in '{output / LEFT_OUT}'. "
            f"The first: {left_out[0]['patient']}: {left_out[0]['reason']}",
            RadiodeepWarning,
            stacklevel=3,
        )
    return output / MANIFEST


def box_around(low, high, grid, margin_mm):
    """Return the slices (z, y, x) of the voxels from `low` to `high` and a margin, or of all voxels if that is None."""
    if margin_mm is None:
        return tuple(slice(0, size) for size in grid.shape)
    margin = np.ceil(np.divide(margin_mm, grid.spacing_mm)).astype(int)
    first, last = np.maximum(low - margin, 0), np.minimum(high + margin + 1, grid.shape)
    return tuple(slice(int(start), int(stop)) for start, stop in zip(first, last, strict=True))


def save_volume(volume, name, output):
    """Write a volume as NIfTI; return its path from the manifest's folder."""
    path = f"{IMAGES}/{safe_name(name)}.nii.gz"
    voxels = volume.voxels.astype(np.uint8) if volume.voxels.dtype == bool else volume.voxels
    write_image(voxels, Path(output) / path, volume.spacing_mm, volume.origin_mm, volume.direction)
    return path


def _check_names(patients):
    names = Counter(safe_name(name).casefold() for name in patients)
    same = [name for name in patients if names[safe_name(name).casefold()] > 1]
    if same:
        raise InputError(f"The patients {', '.join(map(repr, same))} give the same file name. Convert them apart.")


def _fingerprint(settings, paths):
    """Return a hash of the settings and of the names, sizes and times of the files."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(json.dumps([settings, files], default=str).encode()).hexdigest()


def _kept(record, key, output):
    """Return the rows and sentences of an earlier run, or None if there are none or one of their files has changed."""
    try:
        found = json.loads(record.read_text())
        sizes = {path: (Path(output) / path).stat().st_size for path in found["sizes"]}
        return (found["rows"], found["left_out"]) if (found["key"], found["sizes"]) == (key, sizes) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_record(record, key, converted, output):
    rows, left_out = converted
    files = {cell for row in rows for cell in row.values() if str(cell).startswith(f"{IMAGES}/")}
    sizes = {path: (Path(output) / path).stat().st_size for path in sorted(files)}
    with replacing(record) as part:
        part.write_text(json.dumps({"key": key, "sizes": sizes, "rows": rows, "left_out": left_out}))
