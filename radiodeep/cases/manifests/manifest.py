"""In: the rows of a manifest or a DataFrame. Out: known columns as plain text, and what their cells say."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from radiodeep.cases.manifests.images import ImageColumns, canonical_titles
from radiodeep.exceptions import InputError, ManifestError

REQUIRED = ("id", "image", "mask")
OPTIONAL = ("patient", "label", "mask_label", "roi_name", "time", "event")
KNOWN = (*REQUIRED, *OPTIONAL)
_FOLLOW_UP = {"time", "event"}  # columns of their own unless both are there: "time" may be that of the scan
# "1,0" is what Excel writes for 1.0 in much of Europe; "1,000" could be a thousand and is not taken for 1.
WHOLE_NUMBER = re.compile(r"[+-]?\d+(\.0*|,0{1,2})?")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_EVENTS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, eq=False)
class Manifest:
    """The rows of a manifest.

    `frame` has the known columns as stripped text, "" if a cell is blank, and the other columns as given. `row_names`
    are the lines of the rows in the file, or their names in the DataFrame, and `unit` is "line" or "row". The `hint`,
    e.g. that the separator is uncertain, is added to errors about missing columns.
    """

    frame: pd.DataFrame
    row_names: Sequence
    unit: str
    hint: str = ""

    def with_whole_images(self):
        """Return the manifest with the whole image as the region of each row without a mask."""
        frame, images = self.frame, self.images
        of_each = any(images.masks)  # several images may each have a mask
        for name in [f"mask_{image}" for image in images.images] if of_each else ["mask"]:
            masks = frame[name].replace("", "whole") if name in frame else "whole"
            frame = frame.assign(**{name: pd.Series(masks, frame.index, dtype=str)})
        return replace(self, frame=frame)

    @property
    def images(self):
        return ImageColumns.of(self.frame.columns)

    @property
    def other_columns(self):
        """The columns that say something else of the patients."""
        known = known_among(self.frame.columns)
        return [name for name in self.frame.columns if name not in known]

    @property
    def has_follow_up(self):
        return set(self.frame.columns) >= _FOLLOW_UP


def manifest_of_frame(frame):
    """Return the rows of a DataFrame, whose index may hold the ids."""
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"Cohort.from_frame takes a DataFrame. Got {type(frame).__name__} instead.")
    if "id" not in frame.columns and frame.index.name == "id":
        frame = frame.reset_index()
    columns = renamed(list(frame.columns))
    frame = frame.set_axis(columns, axis=1)
    known = [name for name in columns if name in known_among(columns)]
    for name in known:
        frame[name] = pd.Series([_text(value) for value in frame[name].tolist()], frame.index, dtype=str)
    kept = (frame[known] != "").any(axis=1).to_numpy() if known else np.ones(len(frame), bool)
    return Manifest(frame[kept].reset_index(drop=True), frame.index[kept].tolist(), "row")


def parse_labels(texts):
    """Return labels as ints if all are whole, as floats if all are numbers, else as text; None if blank."""
    given = [text for text in texts if text]
    if all(WHOLE_NUMBER.fullmatch(text) for text in given):
        return [int(re.split("[.,]", text)[0]) if text else None for text in texts]
    if all(_DECIMAL.fullmatch(text) for text in given):
        return [float(text) if text else None for text in texts]
    return [text or None for text in texts]


def parse_time(text):
    """Return a time of follow-up as a float, None if blank, or NaN if it is not a finite number > 0."""
    if not text:
        return None
    whole = re.split("[.,]", text)[0] if WHOLE_NUMBER.fullmatch(text) else text
    time = float(whole) if _DECIMAL.fullmatch(whole) else np.nan
    return time if 0 < time < np.inf else np.nan


def parse_event(text):
    """Return whether the event happened as a bool, None if blank, or NaN if the text does not say so."""
    whole = re.split("[.,]", text)[0] if WHOLE_NUMBER.fullmatch(text) else text
    return _EVENTS.get(whole.casefold(), np.nan) if text else None


def parse_mask_label(text):
    """Return the mask label of a checked cell: an int, "any" or None."""
    return text or None if text in ("", "any") else int(re.split("[.,]", text)[0])


def parse_roi_name(text):
    """Return the name of a region, a list of names that stand between ``|``, or None if blank."""
    names = [name.strip() for name in text.split("|") if name.strip()]
    return names if len(names) > 1 else (names or [None])[0]


def renamed(titles):
    """Return column names, known ones in lower case without blanks; raise an error if two become the same."""
    plain = canonical_titles([title.strip() if isinstance(title, str) else title for title in titles])
    known = known_among(title.casefold() for title in plain if isinstance(title, str)) & set(KNOWN)
    names = [title.casefold() if isinstance(title, str) and title.casefold() in known else title for title in plain]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        same = [repr(title) for title, name in zip(titles, names, strict=True) if name == repeated[0]]
        raise ManifestError(
            f"The columns {' and '.join(same)} of the manifest are both '{repeated[0]}'. Rename one or leave it out."
        )
    return names


def known_among(names):
    """Return the known columns among names in lower case; `time` and `event` are known together only."""
    names = list(names)
    known = set(names) & {*KNOWN, *ImageColumns.of(names).known}
    return known if known >= _FOLLOW_UP else known - _FOLLOW_UP


def _text(value):
    """Return the cell of a DataFrame as in a .csv file; whole floats without ".0"."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        return str(int(value)) if float(value).is_integer() else str(float(value))
    return str(value).strip()
