"""Manifest -> `Cohort`, a sequence of cases that scikit-learn can index and split; and back to disk."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from radiodeep.cases.case import Case
from radiodeep.exceptions import InputError, ManifestError

REQUIRED_COLUMNS = ("id", "image", "mask")
OPTIONAL_COLUMNS = ("patient", "label", "mask_label", "roi_name")
_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


class Cohort(Sequence):
    """An immutable sequence of cases with their manifest.

    Parameters
    ----------
    cases : iterable of Case
        Their ids must differ.
    frame : DataFrame, optional
        The manifest, one row per case in the same order; made from the cases unless given.

    Attributes
    ----------
    ids, patients : list of str
    labels : ndarray of shape (n_cases,)
        Integers where all of them are whole numbers, else as given.
    frame : DataFrame
        The manifest.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> cohort = make_phantom_cohort(6, random_state=0)
    >>> len(cohort), cohort.ids[0], len(cohort[:4]), len(cohort[[0, 2]])
    (6, 'phantom-000', 4, 2)
    """

    def __init__(self, cases, frame=None):
        self._cases = tuple(cases)
        wrong = [type(case).__name__ for case in self._cases if not isinstance(case, Case)]
        if wrong:
            raise InputError(f"A Cohort takes Case objects. Got {wrong[0]} instead.")
        repeated = _repeated(self.ids)
        if repeated:
            raise ManifestError(f"The ids of a Cohort must differ. Repeated: {', '.join(repeated)}.")
        if frame is not None and len(frame) != len(self._cases):
            raise InputError(f"The frame has {len(frame)} rows for {len(self._cases)} cases. Expected one each.")
        self._frame = frame

    def __len__(self):
        return len(self._cases)

    def __getitem__(self, key):
        if isinstance(key, int | np.integer):
            return self._cases[key]
        chosen = np.arange(len(self))[key]
        frame = None if self._frame is None else self._frame.iloc[chosen].reset_index(drop=True)
        return Cohort([self._cases[position] for position in chosen], frame)

    def __repr__(self):
        return f"Cohort of {len(self)} cases, {len(set(self.patients))} patients"

    @property
    def ids(self):
        return [case.id for case in self._cases]

    @property
    def patients(self):
        return [case.patient for case in self._cases]

    def by_label(self):
        """Return a cohort with a case for every label of every mask; see `Case.by_label`."""
        return Cohort([part for case in self._cases for part in case.by_label()])

    @property
    def labels(self):
        missing = [case.id for case in self._cases if case.label is None]
        if missing:
            raise ManifestError(
                f"{len(missing)} of {len(self)} cases have no label, the first is '{missing[0]}'. "
                "A study needs a 'label' column with a value for each case."
            )
        return np.array([case.label for case in self._cases])

    @property
    def frame(self):
        if self._frame is not None:
            return self._frame.copy()
        rows = [
            {"id": case.id, "patient": case.patient, "image": _name(case.image), "mask": _name(case.mask)}
            | {"label": case.label}
            for case in self._cases
        ]
        return pd.DataFrame(rows)


def read_cohort(path):
    """Read a manifest: a row per case, paths relative to the manifest's folder.

    Parameters
    ----------
    path : path-like
        .csv, .tsv or .parquet with the columns `id`, `image`, `mask` and, as wanted, `patient`,
        `label` (the outcome), `mask_label`, `roi_name`; others are kept in `Cohort.frame`.
        Texts stay texts: the ids ``007`` and ``NA`` are what they look like.

    Returns
    -------
    Cohort
        Image files are not opened yet.

    Raises
    ------
    ManifestError
        All problems of the manifest in one message: missing columns, blank cells, repeated ids,
        labels given for some cases only.

    Examples
    --------
    >>> from radiodeep import read_cohort
    >>> read_cohort("cohort.xyz")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.ManifestError: The manifest 'cohort.xyz' does not exist. ...
    """
    path = Path(path)
    frame = _read_frame(path)
    problems = _problems(frame)
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise ManifestError(f"The manifest '{path.name}' cannot be used:\n{listed}")
    labels = _parsed_labels(frame)
    columns = {name: frame[name] for name in frame.columns}
    cases = [
        Case(
            path.parent / columns["image"].iloc[row],
            path.parent / columns["mask"].iloc[row],
            columns["id"].iloc[row],
            patient=_cell(columns, "patient", row),
            label=None if labels is None else labels[row],
            mask_label=_mask_label(_cell(columns, "mask_label", row)),
        )
        for row in range(len(frame))
    ]
    return Cohort(cases, frame if labels is None else frame.assign(label=labels))


def write_cohort(cohort, folder):
    """Write a cohort's images and masks as .nii.gz with a `manifest.csv` beside them.

    Parameters
    ----------
    cohort : Cohort
    folder : path-like
        Made if it does not exist; files of the same names are replaced.

    Returns
    -------
    pathlib.Path
        The manifest, ready for `read_cohort`.

    Examples
    --------
    >>> import tempfile
    >>> from radiodeep import make_phantom_cohort, read_cohort, write_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_cohort(write_cohort(make_phantom_cohort(3, random_state=0), folder))
    Cohort of 3 cases, 3 patients
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    frame = cohort.frame
    names = [re.sub(r"[^A-Za-z0-9._-]", "_", case_id) for case_id in cohort.ids]
    if _repeated(names):
        raise ManifestError(f"These ids give the same file name: {', '.join(_repeated(names))}. Rename them.")
    frame["image"] = [f"{name}_image.nii.gz" for name in names]
    frame["mask"] = [f"{name}_mask.nii.gz" for name in names]
    for case, image_name, mask_name in zip(cohort, frame["image"], frame["mask"], strict=True):
        loaded = case.in_memory()
        for array, name in ((loaded.voxels, image_name), (loaded.roi.astype(np.uint8), mask_name)):
            volume = sitk.GetImageFromArray(array)
            volume.SetSpacing(loaded.spacing_mm[::-1])
            sitk.WriteImage(volume, str(folder / name), useCompression=True, compressionLevel=9)
    manifest = folder / "manifest.csv"
    frame.to_csv(manifest, index=False)
    return manifest


def _read_frame(path):
    if not path.is_file():
        raise ManifestError(f"The manifest '{path}' does not exist. Expected a .csv, .tsv or .parquet file.")
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            return frame.astype(object).where(frame.notna(), "").astype(str)
        if path.suffix not in _SEPARATORS:
            raise ManifestError(f"The manifest '{path.name}' ends in '{path.suffix}'. Expected .csv, .tsv or .parquet.")
        return pd.read_csv(path, sep=_SEPARATORS[path.suffix], dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ManifestError(f"The manifest '{path.name}' is not a table that can be read: {error}") from error


def _problems(frame):
    missing = [name for name in REQUIRED_COLUMNS if name not in frame.columns]
    if missing:
        return [
            f"missing column '{name}'; expected {', '.join(REQUIRED_COLUMNS)} and, as wanted, "
            f"{', '.join(OPTIONAL_COLUMNS)}; the file has {', '.join(frame.columns)}"
            for name in missing
        ]
    if not len(frame):
        return ["it has no rows"]
    problems = [
        f"blank '{name}' in line {line}"
        for name in REQUIRED_COLUMNS
        for line in np.flatnonzero(frame[name].str.strip() == "") + 2
    ]
    for case_id in _repeated(frame["id"][frame["id"] != ""]):
        lines = ", ".join(str(line) for line in np.flatnonzero(frame["id"] == case_id) + 2)
        problems.append(f"the id '{case_id}' stands in lines {lines}; every case needs its own")
    if "label" in frame.columns:
        blank = np.flatnonzero(frame["label"].str.strip() == "")
        if 0 < len(blank) < len(frame):
            lines = ", ".join(str(line) for line in blank + 2)
            problems.append(f"no label in line {lines}; give one to every case, or leave the whole column out")
    if "mask_label" in frame.columns:
        for line, text in enumerate(frame["mask_label"], start=2):
            if text.strip() and not re.fullmatch(r"\d+|any", text.strip()):
                problems.append(f"the mask_label '{text}' in line {line} is neither a whole number nor 'any'")
    return problems


def _parsed_labels(frame):
    if "label" not in frame.columns or (frame["label"].str.strip() == "").all():
        return None
    texts = frame["label"].str.strip()
    if texts.str.fullmatch(r"[+-]?\d+(\.0+)?").all():
        return [int(float(text)) for text in texts]
    return texts.tolist()


def _cell(columns, name, row):
    text = columns[name].iloc[row].strip() if name in columns else ""
    return text or None


def _mask_label(text):
    return text if text in (None, "any") else int(text)


def _repeated(values):
    counts = pd.Series(list(values), dtype=object).value_counts()
    return sorted(str(value) for value in counts[counts > 1].index)


def _name(source):
    return str(source) if isinstance(source, Path) else ""


def as_cases(cases):
    """Return a cohort or list of cases as a list; anything else is an `InputError` that says what to pass."""
    if isinstance(cases, Case):
        raise InputError("Expected a Cohort or a list of cases. Got one Case instead; put it in a list: [case].")
    listed = list(cases) if isinstance(cases, Sequence | np.ndarray) else [cases]
    wrong = [type(item).__name__ for item in listed if not isinstance(item, Case)]
    if wrong:
        raise InputError(
            f"Expected a Cohort or a list of cases. Got {type(cases).__name__} holding {wrong[0]} instead. "
            "read_cohort(manifest) makes a Cohort; Case(image, mask, id) makes a case."
        )
    return listed
