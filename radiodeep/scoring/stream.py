"""Model and manifest -> a file of scores, row by row: of any number of cases, resumable, in little memory."""

import hashlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from radiodeep import __version__
from radiodeep.cases.manifests.cases import ManifestCases
from radiodeep.cases.manifests.checks import check_manifest
from radiodeep.cases.manifests.file import ManifestFile
from radiodeep.cases.patient import Patient
from radiodeep.cases.reading import Reading
from radiodeep.checks import require_n_jobs
from radiodeep.exceptions import InputError
from radiodeep.extras import require_package
from radiodeep.files import errors_file, replacing, without_formulas
from radiodeep.processes import Trial, cluster_of, n_processes_of
from radiodeep.progress import counted
from radiodeep.rows import CHUNK, LoadedOnce, Shard, check_on_error, rows_by_case
from radiodeep.scoring.cohort import check_model
from radiodeep.scoring.fingerprint import fingerprint
from radiodeep.scoring.journal import ScoreJournal
from radiodeep.scoring.outputs import outputs_of, takes_patients
from radiodeep.scoring.scorer import Scorer

_AT_ONCE = 256 * CHUNK  # cases whose rows may wait for the row of one before them
_NAMED = 20  # failures, and
_SHOWN = 5  # cases outside the range of the training cases


@dataclass(frozen=True)
class ScoredFile:
    """What `score_to_file` wrote.

    Attributes
    ----------
    path : Path
    n_cases, n_failed, n_outside : int
        Rows, those with an error, and those outside the range of the training cases.
    failures : dict from str to str
        The errors of the first 20 cases that failed, by id. All of them are in the file `<name>.errors.csv`.
    outside : list of str
        The ids of the first five cases outside the range.
    """

    path: Path
    n_cases: int = 0
    n_failed: int = 0
    n_outside: int = 0
    failures: dict = field(default_factory=dict)
    outside: list = field(default_factory=list)


def score_to_file(
    model,
    manifest,
    output,
    *,
    on_error="record",
    n_jobs=None,
    cache_dir=None,
    horizon=None,
    resume=True,
    shard=None,
    resample_mask=False,
    rgb=None,
    pet_unit="SUV",
    series=None,
):
    """Score the cases of a manifest with a fitted model and write a row for each as soon as it is computed.

    The manifest is read in blocks and rows are not kept, so that a million cases need no more memory than a thousand. A
    run that is killed at any moment continues where it was, and the file becomes the same.

    Parameters
    ----------
    model : fitted estimator or pipeline over cases
        As in `score_cohort`. For a model of patients, all rows of the manifest are in memory, a quarter of a kilobyte
        each, as the lesions of a patient may stand anywhere; the voxels are those of one patient per process.
    manifest : path-like
        As in `read_cohort`. Labels and follow-up are checked and not used.
    output : path-like
        .csv or .parquet, with the columns of `score_cohort`, in the order of the manifest. It appears when it is whole;
        until then its rows are in `<output>.part`. The cases that failed are listed in `<name>.errors.csv`.
    on_error : {"record", "raise"}, default="record"
        "record" gives a case that cannot be read or measured a row with its error.
    n_jobs, cache_dir, horizon : optional
        As in `score_cohort`. The model is loaded once by each process.
    resume : bool, default=True
        Continue an unfinished output of the same model, manifest, settings and version of radiodeep. The images are
        taken to be the same, too.
    shard : (int, int), optional
        (k, n): score only the k-th of n blocks of cases, or of patients; k begins with 1. The rows of all blocks, one
        after the other, are those of a run without shards.
    resample_mask, rgb, pet_unit, series : optional
        Choices in reading the files, as in `Reading`.

    Returns
    -------
    ScoredFile

    Raises
    ------
    ManifestError
        All problems of the manifest, before any case is scored.
    InputError, ModelError
        As `score_cohort`.
    OutputError
        The output cannot be written, or another run is writing it.

    Warns
    -----
    RadiodeepWarning
        An unfinished output is of another model, manifest or setting, and begins anew.

    Examples
    --------
    >>> import tempfile
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(8, random_state=0)
    >>> model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB()).fit(cohort, cohort.labels)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = rd.write_cohort(cohort, folder)
    ...     scored = rd.score_to_file(model, manifest, f"{folder}/scores.csv")
    ...     print(scored.n_cases, scored.path.read_text().splitlines()[0])
    8 id,probability_0,probability_1,prediction,outside_training_range,error
    """
    check_on_error(on_error)
    require_n_jobs(n_jobs, "score_to_file")
    output = _checked_output(output, manifest)
    outputs = outputs_of(model, horizon)
    check_model(model)
    reading = Reading(resample_mask, rgb, pet_unit, series)
    file = ManifestFile(manifest)
    shard = None if shard is None else Shard.of(shard)
    n_rows = check_manifest(file, f"The manifest '{file.path.name}'")
    settings = {
        "model": fingerprint(model),
        "manifest": _digest(file.path),
        "horizon": repr(horizon),
        "reading of files": repr(reading),
        "version of radiodeep": __version__,
        "shard": repr(shard and tuple(shard)),
    }
    listed = _Patients(file, reading) if takes_patients(model) else _Cases(file, reading, n_rows)
    listed = listed if shard is None else _Block(listed, shard)
    scorer = Scorer(model, outputs, cache_dir)
    with ScoreJournal(output, settings, _columns(model, outputs), listed.ids(), resume) as journal:
        _write_rows(scorer, listed, journal, n_jobs, on_error)
        return _finish(output, journal)


def _checked_output(output, manifest):
    output = Path(output)
    if output.suffix not in (".csv", ".parquet"):
        raise InputError(f"score_to_file writes .csv or .parquet. Got '{output.name}' instead.")
    if output.resolve() == Path(manifest).resolve():
        raise InputError(f"'{output}' is the manifest, and would be overwritten. Give another name.")
    return output


def _digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def _columns(model, outputs):
    """Return the columns of scores with their kinds: float, str, or the dtype of the labels of a classifier."""
    labels = {"prediction": np.asarray(model.classes_).dtype} if outputs.has_labels else {}
    return {"id": str, **dict.fromkeys(outputs.names, float), **labels, "outside_training_range": str, "error": str}


class _Cases:
    """The cases of a manifest, which are read block by block."""

    def __init__(self, file, reading, n_rows):
        self.file = file
        self.reading = reading
        self.n_rows = n_rows

    def __len__(self):
        return self.n_rows

    def ids(self):
        return (case_id for block in self.file for case_id in block.frame["id"])

    def after(self, n_done):
        for block in self.file:
            cases = ManifestCases.of(_without_outcomes(block), str(self.file.path.parent), self.reading)
            yield from cases[n_done:]
            n_done = max(n_done - len(cases), 0)


class _Patients:
    """The patients of a manifest, in the order of their first lesions."""

    def __init__(self, file, reading):
        self.cases = ManifestCases.of(_without_outcomes(file.whole()), str(file.path.parent), reading)
        codes, _ = pd.factorize(np.array(self.cases.values("patient"), dtype=object))
        self.order = np.argsort(codes, kind="stable")
        self.ends = np.cumsum(np.bincount(codes))

    def __len__(self):
        return len(self.ends)

    def ids(self):
        return dict.fromkeys(self.cases.values("patient"))

    def after(self, n_done):
        begins = np.concatenate([[0], self.ends])
        for begin, end in zip(begins[n_done:-1], self.ends[n_done:], strict=True):
            yield Patient(self.cases[self.order[begin:end]])


class _Block:
    """The cases or patients of a shard."""

    def __init__(self, listed, shard):
        self.listed = listed
        self.positions = shard.positions(len(listed))

    def __len__(self):
        return len(self.positions)

    def ids(self):
        return islice(self.listed.ids(), self.positions.start, self.positions.stop)

    def after(self, n_done):
        left = self.positions[n_done:]
        return islice(self.listed.after(left.start), len(left))


def _without_outcomes(manifest):
    outcomes = ["label", *(("time", "event") if manifest.has_follow_up else ())]
    return replace(manifest, frame=manifest.frame.drop(columns=outcomes, errors="ignore"))


def _write_rows(scorer, listed, journal, n_jobs, on_error):
    """Score the cases or patients that have no row yet, and write their rows in order."""
    trial = Trial(n_jobs)
    in_workers = cluster_of(n_jobs) is None and n_processes_of(n_jobs) > 1
    with (
        counted("Scoring", len(listed), "cases") as advance,
        tempfile.TemporaryDirectory(prefix="radiodeep-", ignore_cleanup_errors=True) as folder,
    ):
        function = LoadedOnce(scorer, folder) if in_workers else scorer
        n_done = journal.n_rows
        advance(n_done)
        items = listed.after(n_done)
        while part := list(islice(items, _AT_ONCE)):
            n_done += len(part)
            trial.n_later = len(listed) - n_done
            writer = _OrderedRows([item.id for item in part], scorer.outputs, journal, advance)
            rows_by_case(function, part, n_jobs=n_jobs, on_error=on_error, on_rows=writer.add, trial=trial)


class _OrderedRows:
    """Rows that come in any order and are written in the order of their ids."""

    def __init__(self, ids, outputs, journal, advance):
        self.ids = ids
        self.outputs = outputs
        self.journal = journal
        self.advance = advance
        self.n_written = 0
        self.waiting = {}

    def add(self, rows, errors):
        """Take rows and errors by position, and write all rows before which none is lacking."""
        self.advance(len(rows) + len(errors))
        self.waiting |= {position: (*row, "") for position, row in rows.items()}
        failed = ([np.nan] * len(self.outputs.names), None, "")
        self.waiting |= {position: (*failed, text) for position, text in errors.items()}
        ready = []
        while self.n_written in self.waiting:
            numbers, label, *texts = self.waiting.pop(self.n_written)
            labels = [label] if self.outputs.has_labels else []
            ready.append((self.ids[self.n_written], *numbers, *labels, *texts))
            self.n_written += 1
        self.journal.write(ready)


def _finish(output, journal):
    """Write the output and the list of the cases that failed, if there are any; return what is there."""
    n_cases = n_outside = n_failed = 0
    failures, outside = {}, []
    listed = errors_file(output)
    with (
        replacing(output) as part,
        _table(part, journal.columns) as add,
        replacing(listed) as errors_part,
        _table(errors_part, dict.fromkeys(("id", "error", "message"), str)) as add_errors,
    ):
        for frame in journal.blocks():
            add(frame)
            n_cases += len(frame)
            is_outside = frame["outside_training_range"] != ""
            n_outside += int(is_outside.sum())
            outside += frame.loc[is_outside, "id"].tolist()[: _SHOWN - len(outside)]
            failed = frame.loc[frame["error"] != "", ["id", "error"]]
            n_failed += len(failed)
            failures |= dict(failed.iloc[: _NAMED - len(failures)].itertuples(index=False))
            rows = [(case_id, *_split(text)) for case_id, text in failed.itertuples(index=False)]
            add_errors(pd.DataFrame(rows, columns=["id", "error", "message"]))
    if not n_failed:
        listed.unlink()
    journal.remove()
    return ScoredFile(output, n_cases, n_failed, n_outside, failures, outside)


@contextmanager
def _table(path, columns):
    """Yield a function that adds a DataFrame with these columns, of kinds as in `_columns`, to a .csv or .parquet."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(without_formulas(pd.DataFrame(columns=list(columns))).to_csv(index=False))
            yield lambda frame: file.write(without_formulas(frame).to_csv(index=False, header=False))
        return
    require_package("pyarrow")
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    kinds = {float: pyarrow.float64(), "f": pyarrow.float64(), "i": pyarrow.int64(), "u": pyarrow.int64()}
    kinds |= {"b": pyarrow.bool_()}
    by_column = {name: getattr(dtype, "kind", dtype) for name, dtype in columns.items()}
    schema = pyarrow.schema([(name, kinds.get(kind, pyarrow.string())) for name, kind in by_column.items()])
    with ParquetWriter(path, schema) as writer:
        yield lambda frame: writer.write_table(pyarrow.Table.from_pandas(frame, schema, preserve_index=False))


def _split(text):
    kind, colon, message = text.partition(": ")
    return (kind, message) if colon and kind.isidentifier() else ("", text)
