"""In: the checked rows of a manifest. Out: their cases, each made when it is asked for."""

import os
from collections import deque
from collections.abc import Sequence
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd

from radiodeep.cases.case import Case
from radiodeep.cases.manifests.manifest import parse_event, parse_labels, parse_mask_label, parse_roi_name, parse_time
from radiodeep.cases.sources import WHOLE

OUTCOMES = ("label", "time", "event")
_KEPT = 10_000  # cases that are kept with what was read of them
_BLOCK = 512  # cases that are made at once


class ManifestCases(Sequence):
    """The cases of rows of a manifest, a sequence that keeps columns of text, not cases.

    A case stays the same object as long as somebody holds it, or it is among the last 10,000 that were made. Parts of
    the sequence share columns and cases with it.
    """

    def __init__(self, source, rows):
        self._source = source
        self._rows = rows

    @classmethod
    def of(cls, manifest, folder, reading):
        """Return the cases of all rows of a checked manifest; relative paths begin in the folder."""
        outcomes = {
            "label": _parsed(manifest.frame, "label", parse_labels),
            "time": _parsed(manifest.frame, "time", _each(parse_time)) if manifest.has_follow_up else None,
            "event": _parsed(manifest.frame, "event", _each(parse_event)) if manifest.has_follow_up else None,
        }
        outcomes = {name: values for name, values in outcomes.items() if values is not None}
        frame = manifest.frame.assign(**outcomes)
        names = (manifest.images, manifest.other_columns, tuple(outcomes))
        return cls(_Source(frame, names, folder, reading), np.arange(len(frame)))

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, key):
        if isinstance(key, int | np.integer):
            return self._source.cases(self._rows[key : key + 1 or None])[0]
        return ManifestCases(self._source, self._rows[key])

    def __iter__(self):
        for begin in range(0, len(self), _BLOCK):
            yield from self._source.cases(self._rows[begin : begin + _BLOCK])

    def __reduce__(self):
        return ManifestCases, (self._source.of_rows(self._rows), np.arange(len(self)))

    @property
    def frame(self):
        """The rows of the manifest, with numbers for its outcomes."""
        return self._source.frame.iloc[self._rows].reset_index(drop=True)

    def values(self, name):
        """Return the id, patient, label, time or event of each case in a list; the cases are not made."""
        return self._source.values(name, self._rows)


class _Source:
    """Columns of a manifest and the cases that were made of its rows."""

    def __init__(self, frame, names, folder, reading):
        self.frame = frame
        self.names = names
        self.folder = folder
        self.reading = reading
        self.made = WeakValueDictionary()
        self.recent = deque(maxlen=_KEPT)

    def of_rows(self, rows):
        return _Source(self.frame.iloc[rows].reset_index(drop=True), self.names, self.folder, self.reading)

    def __reduce__(self):
        return _Source, (self.frame, self.names, self.folder, self.reading)

    def cases(self, rows):
        """Return the cases of some rows in a list."""
        cases = [self.made.get(row) for row in rows.tolist()]
        lacking = [position for position, case in enumerate(cases) if case is None]
        if lacking:
            for position, case in zip(lacking, self._make(rows[lacking]), strict=True):
                cases[position] = self.made[int(rows[position])] = case
                self.recent.append(case)
        return cases

    def values(self, name, rows):
        outcomes = self.names[-1]
        if name in OUTCOMES and name not in outcomes:
            return [None] * len(rows)
        if name not in self.frame:
            return self.values("id", rows) if name == "patient" else [""] * len(rows)
        values = _as_list(self.frame[name].array[rows])
        if name == "patient" and "" in values:
            return [patient or case_id for patient, case_id in zip(values, self.values("id", rows), strict=True)]
        return values

    def _make(self, rows):
        images, others, _ = self.names
        columns = [self.values(name, rows) for name in ("id", "patient", "mask_label", "roi_name", *OUTCOMES)]
        sources = (self._sources(columns, rows) for columns in (images.images, images.masks))
        cases = [
            Case(
                image,
                mask,
                case_id,
                patient=patient,
                label=label,
                mask_label=parse_mask_label(mask_label),
                time=time,
                event=event,
                clinical=clinical,
                roi_name=parse_roi_name(roi_name),
                reading=self.reading,
            )
            for image, mask, clinical, case_id, patient, mask_label, roi_name, label, time, event in zip(
                *sources, self._clinical(others, rows), *columns, strict=True
            )
        ]
        for name, (image_column, mask_column) in images.repeats.items():
            paths = {"image": self._paths(image_column, rows), "mask": self._paths(mask_column, rows)}
            for position, case in enumerate(cases):
                changes = {argument: listed[position] for argument, listed in paths.items() if listed[position]}
                if changes:
                    repeat = case.replace(repeats=None, **changes)
                    cases[position] = case.replace(repeats={**case.repeats, name: repeat})
        return cases

    def _sources(self, columns, rows):
        """Return the images or masks of rows: paths, or dicts of paths by name."""
        listed = [self._paths(column, rows) for column in columns.values()]
        is_one = list(columns) == [""]
        return listed[0] if is_one else [dict(zip(columns, paths, strict=True)) for paths in zip(*listed, strict=True)]

    def _paths(self, column, rows):
        """Return the path in each row or None; all None without such a column."""
        texts = [""] * len(rows) if column is None else self.values(column, rows)
        is_mask = column is not None and column.startswith("mask")
        return [WHOLE if is_mask and text == WHOLE else _located(self.folder, text) if text else None for text in texts]

    def _clinical(self, others, rows):
        """Return a dict of the other columns for each row: texts without blanks about them, None for blank cells."""
        columns = {name: [_known(value) for value in _as_list(self.frame[name].array[rows])] for name in others}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] or [{}] * len(rows)


def _each(parse):
    return lambda texts: [parse(text) for text in texts]


def _parsed(frame, name, parse):
    """Return the parsed values of a column as a Series, None if all cells are blank; equal texts are parsed once."""
    if name not in frame or not (frame[name] != "").any():
        return None
    codes, texts = pd.factorize(frame[name])
    values = parse(texts.tolist())
    if None in values:
        return pd.Series(np.array([*values, None], dtype=object)[codes], dtype=object)
    return pd.Series(values).take(codes).reset_index(drop=True)


def _as_list(array):
    return array.to_numpy().tolist() if array.dtype.kind in "biufO" else list(array)


def _known(value):
    if isinstance(value, str):
        return value.strip() or None
    return None if pd.isna(value) else value


def _located(folder, text):
    """Return the path of a file; backslashes separate folders if that leads to an existing file."""
    path = os.path.join(folder, text)  # not a Path: making one is slow, and the Case does it
    if "\\" in text and os.sep != "\\" and not os.path.exists(path):
        converted = os.path.join(folder, text.replace("\\", "/"))
        return converted if os.path.exists(converted) else path
    return path
