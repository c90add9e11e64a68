"""In: a manifest. Out: a `Cohort`, a sequence of cases that scikit-learn can index and split; and its files."""

import gc
import html
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from radiodeep.cases.case import Case
from radiodeep.cases.manifests.cases import ManifestCases
from radiodeep.cases.manifests.checks import CONTROL_CHARACTER, check_manifest
from radiodeep.cases.manifests.file import ManifestFile
from radiodeep.cases.manifests.manifest import manifest_of_frame
from radiodeep.cases.patient import Patient
from radiodeep.cases.reading import Reading
from radiodeep.cases.sources import is_whole
from radiodeep.checks import require
from radiodeep.exceptions import InputError, ManifestError, RadiodeepWarning

_SHOWN = 10  # cases in a notebook


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
        From a manifest: integers if all of them are whole, floats if all are numbers, else text. Accessing the
        labels is an error if a case has none.
    survival : structured ndarray of shape (n_cases,)
        Fields `event` (bool) and `time` (float), as scikit-survival takes them. Accessing it is an error if a case has
        no follow-up.
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
        kind = Patient if self._cases and isinstance(self._cases[0], Patient) else Case
        wrong = [type(case).__name__ for case in self._cases if not isinstance(case, kind)]
        if wrong:
            raise InputError(f"A Cohort takes {kind.__name__} objects. Got {wrong[0]} instead.")
        _check_ids(self.ids)
        if frame is not None and len(frame) != len(self._cases):
            raise InputError(f"The frame has {len(frame)} rows for {len(self._cases)} cases. Expected one each.")
        for case_id, row_id in zip(self.ids, [] if frame is None or "id" not in frame else frame["id"], strict=False):
            if case_id != str(row_id):
                raise InputError(f"The frame has the id '{row_id}' for the case '{case_id}'. Expected the same order.")
        self._frame = frame

    @classmethod
    def _of_manifest(cls, cases):
        """Return a cohort of `ManifestCases`, which are checked."""
        cohort = cls.__new__(cls)
        cohort._cases, cohort._frame = cases, None
        return cohort

    @classmethod
    def from_frame(cls, frame, folder=".", *, resample_mask=False, rgb=None, pet_unit="SUV", series=None):
        """Make a cohort of a DataFrame with the columns of a manifest.

        Parameters
        ----------
        frame : DataFrame
            As `read_cohort` reads it from a file; the ids may be its index. Numbers may be floats, and blank
            cells NaN or None, as pandas makes them.
        folder : path-like, default="."
            Where relative paths start.
        resample_mask, rgb, pet_unit, series : optional
            Choices in reading the files, as in `Reading`.

        Returns
        -------
        Cohort

        Raises
        ------
        ManifestError
            All problems in one message.

        Examples
        --------
        >>> import pandas as pd
        >>> from radiodeep import Cohort
        >>> rows = {"id": ["a", "b"], "image": ["a.nii", "b.nii"], "mask": ["am.nii", "bm.nii"], "label": [1.0, 0.0]}
        >>> cohort = Cohort.from_frame(pd.DataFrame(rows), folder="scans")
        >>> cohort.labels.tolist(), str(cohort[0].image)
        ([1, 0], 'scans/a.nii')
        """
        reading = Reading(resample_mask, rgb, pet_unit, series)
        with _uninterrupted():
            return _cohort_of(manifest_of_frame(frame), Path(folder), "The manifest", reading)

    def __len__(self):
        return len(self._cases)

    def __getitem__(self, key):
        if isinstance(key, int | np.integer):
            return self._cases[key]
        chosen = np.arange(len(self))[key]
        if isinstance(self._cases, ManifestCases) and len(np.unique(chosen)) == len(chosen):
            return self._of_manifest(self._cases[chosen])
        frame = None if self._frame is None else self._frame.iloc[chosen].reset_index(drop=True)
        return Cohort([self._cases[position] for position in chosen], frame)

    def __iter__(self):
        return iter(self._cases)

    def __array__(self, dtype=None, copy=None):
        """Return the cases as a column, an object array of shape (n_cases, 1), for tools that expect a table."""
        column = np.empty((len(self), 1), dtype=object)
        column[:, 0] = list(self)
        return column

    def __repr__(self):
        if self._cases and isinstance(self._cases[0], Patient):
            return f"Cohort of {len(self)} patients, {sum(len(patient.lesions) for patient in self._cases)} lesions"
        return f"Cohort of {len(self)} cases, {len(set(self.patients))} patients"

    def _repr_html_(self):
        counts = Counter("no label" if label is None else f"label {label}" for label in self._values("label"))
        listed = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
        events = [event for event in self._values("event") if event is not None]
        listed += f"; {sum(events)} events in {len(events)} cases with follow-up" if events else ""
        more = f"<p>... and {len(self) - _SHOWN} more</p>" if len(self) > _SHOWN else ""
        table = self.frame.head(_SHOWN).to_html(index=False, na_rep="")
        return f"<p>{html.escape(f'{self!r}; {listed}')}</p>{table}{more}"

    @property
    def ids(self):
        return self._values("id")

    @property
    def patients(self):
        return self._values("patient")

    def _values(self, name):
        """Return what is known of the cases by this name in a list, from the manifest if they were not made yet."""
        if isinstance(self._cases, ManifestCases):
            return self._cases.values(name)
        return [getattr(case, name) for case in self._cases]

    def by_label(self):
        """Return a cohort with a case for every label of every mask; see `Case.by_label`."""
        return Cohort([part for case in as_cases(self) for part in case.by_label()])

    def by_patient(self):
        """Return a cohort of `Patient` objects, each with all lesions, in the order of their first lesions.

        Raises
        ------
        InputError
            The lesions of a patient differ in label or follow-up.

        Examples
        --------
        >>> from radiodeep import Cohort, make_phantom_cohort
        >>> lesions = [case.replace(patient="P-1", label=0) for case in make_phantom_cohort(3, random_state=0)]
        >>> Cohort(lesions).by_patient()
        Cohort of 1 patients, 3 lesions
        """
        lesions = {}
        for case in as_cases(self):
            lesions.setdefault(case.patient, []).append(case)
        return Cohort([Patient(cases) for cases in lesions.values()])

    def of_image(self, name):
        """Return the cases with only one of their images; those that lack it are left out, with a warning.

        Raises
        ------
        MissingImageError
            No case has this image.
        """
        cases = as_cases(self)
        kept = [row for row, case in enumerate(cases) if case.image_names and case.image.get(name) is not None]
        if not kept:
            cases[0].of_image(name)
        lacking = [case.id for case in cases if case.id not in {cases[row].id for row in kept}]
        if lacking:
            warnings.warn(
                f"{len(lacking)} of {len(cases)} cases have no image '{name}' and are left out: "
                f"{', '.join(lacking[:5])}{' ...' if len(lacking) > 5 else ''}.",
                RadiodeepWarning,
                stacklevel=2,
            )
        frame = None if self._frame is None and not isinstance(self._cases, ManifestCases) else self[kept].frame
        return Cohort([_with_one_image(cases[row], name) for row in kept], frame)

    @property
    def labels(self):
        labels = self._values("label")
        missing = [case_id for case_id, label in zip(self.ids, labels, strict=True) if label is None]
        if missing:
            raise ManifestError(
                f"{len(missing)} of {len(self)} cases have no label, the first is '{missing[0]}'. "
                "A study needs a 'label' column with a value for each case; leave the others out with "
                "Cohort([case for case in cohort if case.label is not None])."
            )
        return np.array(labels)

    @property
    def survival(self):
        times = self._values("time")
        missing = [case_id for case_id, time in zip(self.ids, times, strict=True) if time is None]
        if missing:
            raise ManifestError(
                f"{len(missing)} of {len(self)} cases have no follow-up, the first is '{missing[0]}'. A study of "
                "survival needs the columns 'time' and 'event' with values for each case; leave the others out with "
                "Cohort([case for case in cohort if case.time is not None])."
            )
        pairs = zip(self._values("event"), times, strict=True)
        return np.array(list(pairs), [("event", bool), ("time", float)])

    @property
    def frame(self):
        if isinstance(self._cases, ManifestCases):
            return self._cases.frame
        if self._frame is not None:
            return self._frame.copy()
        rows = [
            {"id": case.id, "patient": case.patient, **_files(case)}
            | {"label": case.label, "time": case.time, "event": case.event, **case.clinical}
            for case in self._cases
        ]
        frame = pd.DataFrame(rows)
        return frame if any(row["time"] for row in rows) else frame.drop(columns=["time", "event"], errors="ignore")


def read_cohort(path, *, mask=None, resample_mask=False, rgb=None, pet_unit="SUV", series=None):
    """Read a manifest: a row per case, paths relative to the manifest's folder.

    Parameters
    ----------
    path : path-like
        .csv, .tsv, .txt or .parquet with the columns `id`, `image`, `mask` and, optionally, `patient`,
        `label` (the outcome), `mask_label`, `roi_name` (as in `Case`; the union of names between ``|``), `time` and
        `event` (the follow-up: a number > 0, and 1 or 0, true or false, yes or no); others are kept in `Cohort.frame`.
        Images may be folders of a DICOM series, masks RTSTRUCT or SEG files. Column names may have
        capitals and blanks about them; fields may be separated by commas, semicolons or tabs; rows that hold
        nothing are skipped. Texts stay texts: the ids ``007`` and ``NA`` are what they look like.
    mask : {None, "whole"}, default=None
        "whole" takes the whole image as the region of rows without a mask, and the column `mask` may be missing. A cell
        of that column may also hold the word whole.
    resample_mask, rgb, pet_unit, series : optional
        Choices in reading the files, as in `Reading`.

    Returns
    -------
    Cohort
        Image files are not opened yet.

    Raises
    ------
    ManifestError
        All problems of the rows in one message, e.g. blank cells and repeated ids; or why the file is not a
        manifest: missing or repeated columns, rows with too many or too few fields.

    Warns
    -----
    RadiodeepWarning
        The file is not in UTF-8 but in the encoding of western Windows, or some cases lack a patient.

    Examples
    --------
    >>> from radiodeep import read_cohort
    >>> read_cohort("cohort.xyz")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.ManifestError: The manifest 'cohort.xyz' does not exist. ...
    """
    require(mask is None or is_whole(mask), "read_cohort", "mask", "None or 'whole'", mask)
    reading = Reading(resample_mask, rgb, pet_unit, series)
    with _uninterrupted():
        file = ManifestFile(path)
        manifest = file.whole() if mask is None else file.whole().with_whole_images()
        return _cohort_of(manifest, file.path.parent, f"The manifest '{file.path.name}'", reading)


def _cohort_of(manifest, folder, name, reading):
    check_manifest([manifest], name)
    return Cohort._of_manifest(ManifestCases.of(manifest, str(folder), reading))


@contextmanager
def _uninterrupted():
    """Pause garbage collection, which takes half of the time of reading 100,000 cases."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check_ids(ids):
    repeated = _repeated(ids)
    if repeated:
        raise ManifestError(f"The ids of a Cohort must differ. Repeated: {', '.join(repeated)}.")
    for case_id in ids:
        if case_id != case_id.strip() or CONTROL_CHARACTER.search(case_id):
            raise ManifestError(
                f"The id {case_id!r} begins or ends with a blank or holds a control character, so that it cannot be "
                "told from others or written to a table. Rename it."
            )


def _repeated(values):
    return sorted(str(value) for value, count in Counter(values).items() if count > 1)


def _files(item):
    """Return the names of the files of a case in the columns of a manifest, or the number of lesions of a patient."""
    if isinstance(item, Patient):
        return {"lesions": len(item.lesions)}
    return {
        f"{kind}_{name}" if name else kind: str(source) if isinstance(source, Path | str) else ""
        for kind, sources in (("image", item.image), ("mask", item.mask))
        for name, source in (sources if isinstance(sources, dict) else {"": sources}).items()
    }


def _with_one_image(case, name):
    """Return a case with one of its images, and its repeats with the same one; those without it are left out."""
    if not case.repeats:
        return case.of_image(name)
    repeats = {
        key: repeat.of_image(name) if repeat.image_names else repeat
        for key, repeat in case.repeats.items()
        if not repeat.image_names or repeat.image.get(name) is not None
    }
    return case.of_image(name).replace(repeats=repeats)


def as_cases(cases):
    """Return cases as a list.

    They may be a Cohort, a sequence of Case, or one column of them: an object array of shape (n,) or (n, 1), a Series,
    or a DataFrame of one column, which scikit-learn's tools for tables pass to the steps of a pipeline. Anything else
    is an InputError.
    """
    if isinstance(cases, Case):
        raise InputError("Expected a Cohort or a list of cases. Got one Case instead; put it in a list: [case].")
    listed = as_items(cases)
    wrong = [type(item).__name__ for item in listed if not isinstance(item, Case)]
    if wrong == ["Patient"] * len(listed) and wrong:
        raise InputError(
            "Expected cases. Got patients, whose lesions must be brought to one row: "
            "LesionAggregator(extractor, how=['largest']) does so."
        )
    if wrong:
        raise InputError(
            f"Expected a Cohort or a list of cases. Got {type(cases).__name__} holding {wrong[0]} instead. "
            "read_cohort(manifest) makes a Cohort; Case(image, mask, id) makes a case."
        )
    return listed


def as_items(cases):
    """Return cases or patients as a list, from what `as_cases` takes; other items are not refused."""
    column = cases.to_numpy() if isinstance(cases, pd.DataFrame | pd.Series) else cases
    if isinstance(column, np.ndarray) and column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    return list(column) if isinstance(column, Sequence | np.ndarray) else [column]
