"""In: the checked rows of a manifest. Out: their cases."""

import os

import pandas as pd

from radiodeep.cases.case import Case
from radiodeep.cases.manifest import parse_event, parse_labels, parse_mask_label, parse_roi_name, parse_time

_COLUMNS = ("id", "patient", "label", "mask_label", "roi_name", "time", "event")


def cases_of(manifest, folder, reading):
    """Return a case for each row, read as a `Reading` says; relative paths begin in the folder."""
    frame = manifest.frame
    blank = [""] * len(frame)
    columns = {column: frame[column].tolist() if column in frame.columns else blank for column in _COLUMNS}
    labels = parse_labels(columns["label"])
    mask_labels = {text: parse_mask_label(text) for text in set(columns["mask_label"])}
    roi_names = {text: parse_roi_name(text) for text in set(columns["roi_name"])}
    follow_up = [columns[name] if manifest.has_follow_up else blank for name in ("time", "event")]
    cells = (columns[column] for column in ("id", "patient", "mask_label", "roi_name"))
    cases = [
        Case(
            image,
            mask,
            case_id,
            patient=patient or None,
            label=label,
            mask_label=mask_labels[mask_label],
            time=parse_time(time),
            event=parse_event(event),
            clinical=clinical,
            roi_name=roi_names[roi_name],
            reading=reading,
        )
        for image, mask, clinical, case_id, patient, mask_label, roi_name, label, time, event in zip(
            *_sources(manifest, folder),
            _clinical(frame[manifest.other_columns]),
            *cells,
            labels,
            *follow_up,
            strict=True,
        )
    ]
    return _with_repeats(cases, manifest, folder)


def _sources(manifest, folder):
    """Return lists of the images and masks of the rows: paths, or dicts of paths by name."""
    sources = []
    for columns in (manifest.images.images, manifest.images.masks):
        listed = [
            [_located(folder, text) if text else None for text in manifest.frame[column]] for column in columns.values()
        ]
        is_one = list(columns) == [""]
        sources.append(
            listed[0] if is_one else [dict(zip(columns, row, strict=True)) for row in zip(*listed, strict=True)]
        )
    return sources


def _with_repeats(cases, manifest, folder):
    """Return the cases with the repeated measurements whose files the manifest names."""
    for name, (image_column, mask_column) in manifest.images.repeats.items():
        for row, case in enumerate(cases):
            changes = {
                argument: _located(folder, manifest.frame[column].iloc[row])
                for argument, column in (("image", image_column), ("mask", mask_column))
                if column is not None and manifest.frame[column].iloc[row]
            }
            if changes:
                repeat = case.replace(repeats=None, **changes)
                cases[row] = case.replace(repeats={**case.repeats, name: repeat})
    return cases


def _clinical(frame):
    """Return a dict of the other columns for each row: texts without blanks about them, None for blank cells."""
    columns = {name: [_known(value) for value in frame[name].tolist()] for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] or [{}] * len(frame)


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
