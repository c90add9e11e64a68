"""In: what a folder of images holds. Out: rows of a manifest, what is left out, and the regions asked for by name."""

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from radiodeep.checks import did_you_mean
from radiodeep.exceptions import AmbiguousMaskError, LabelNotFoundError

_MOST_LISTED = 30


@dataclass
class FolderTable:
    """What a folder gives.

    Attributes
    ----------
    rows : list of dict
        Of the manifest; images and masks are paths.
    left_out : list of dict
        With patient, series, files (their number), path and reason.
    patient_ids : dict from str to str
        The PatientID of each patient by the name in the rows; of DICOM files.
    dicom_files : set of Path
        Those that belong to a series.
    """

    rows: list = field(default_factory=list)
    left_out: list = field(default_factory=list)
    patient_ids: dict = field(default_factory=dict)
    dicom_files: set = field(default_factory=set)

    def leave_out(self, paths, reason, patient="", series=""):
        """Say why files are left out; of several their common folder is named."""
        path = paths[0] if len(paths) == 1 else Path(os.path.commonpath([path.parent for path in paths]))
        self.left_out.append(
            {"patient": patient, "series": series, "files": len(paths), "path": path, "reason": reason}
        )


def number_cases(rows):
    """Put a number behind the ids that several rows have."""
    counts = Counter(row["id"] for row in rows)
    numbers = Counter()
    for row in rows:
        case_id = row["id"]
        numbers[case_id] += 1
        row["id"] = f"{case_id}-{numbers[case_id]}" if counts[case_id] > 1 else case_id


def regions_asked(named, roi):
    """Return, for each mask, the positions of the regions asked for, and the name or pattern that they match.

    `named` is a list of (patient, names of the regions). `roi` is a list of names, of which the first counts that a
    mask has: exactly, else whatever its capital letters, else with ``*`` and ``?`` for any letters; or None if all
    regions have one name. Raises AmbiguousMaskError or LabelNotFoundError, which list the names and the number of their
    patients.
    """
    patients = defaultdict(set)
    spelling = {}
    for patient, names in named:
        for name in names:
            patients[spelling.setdefault(name.casefold(), name)].add(patient)
    if roi is None and len(patients) > 1:
        often = max(patients, key=lambda name: len(patients[name]))
        raise AmbiguousMaskError(
            f"The regions have {len(patients)} names: {_counted(patients)}. Name the one to use, e.g. roi={often!r}; "
            "roi='*' makes every region a case of its own."
        )
    asked = [_positions(names, roi or ["*"]) for _, names in named]
    if named and not any(positions for positions, _ in asked):
        hint = did_you_mean(roi, list(patients)) if patients and roi else ""
        raise LabelNotFoundError(
            f"No region is called {' or '.join(map(repr, roi or ['*']))}. The regions are {_counted(patients)}.{hint}"
        )
    return asked


def _positions(names, wanted):
    for pattern in wanted:
        for matches in (
            str.__eq__,
            lambda name, asked: name.casefold() == asked.casefold(),
            lambda name, asked: fnmatchcase(name.casefold(), asked.casefold()),
        ):
            positions = [position for position, name in enumerate(names) if matches(name, pattern)]
            if positions:
                return positions, pattern
    return [], None


def _counted(patients):
    """Return names with the number of their patients, the most frequent first."""
    names = sorted(patients, key=lambda name: (-len(patients[name]), name))
    listed = ", ".join(
        f"'{name}' ({len(patients[name])} patient{'s' if len(patients[name]) > 1 else ''})"
        for name in names[:_MOST_LISTED]
    )
    return (listed or "none") + (f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else "")
