"""A function and a list of cases -> an item for each case, by its position in the list, since ids may repeat.

The function is applied to chunks of cases, in this process or in workers; failures of single cases can be recorded.
"""

import multiprocessing
import os
import tempfile
import time
import warnings
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

from joblib import Parallel, delayed
from joblib.externals.loky.backend.process import LokyProcess
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import get_active_backend

from radiodeep.cases.naming import message_with_id, names_case
from radiodeep.checks import require_n_jobs, require_option
from radiodeep.exceptions import RadiodeepWarning, WorkerKilledError
from radiodeep.processes import Trial, cluster_of, computed_in_folder, in_worker, n_processes_of
from radiodeep.progress import counted

CHUNK = 8  # cases that a function of many cases gets at once
_CHUNK_S = 0.1  # time of a chunk where cases gain nothing from being computed together


def rows_by_case(function, cases, *, n_jobs=None, on_error="raise", description="", on_rows=None, trial=None):
    """Return the items of cases by position, and "ErrorName: message" of the cases that failed by position.

    `function` takes a list of cases and returns a sequence with an item for each. Its attribute `at_once` is the size
    of a chunk, 8 by default; with None, chunks are as large as a tenth of a second allows.

    With `n_jobs=-1` workers are started only where they pay (see `radiodeep.processes`). If a worker is killed, the
    rows that are finished are kept, and each case that it may have been working on is retried in a pool of its own; a
    case whose worker is killed again is a WorkerKilledError. With `on_error="raise"` the first error of a case is
    raised unchanged, with a note of its id if its message does not begin with it; "record" notes any exception.

    `on_rows` is called with rows and errors by position, whenever some are finished. Calls with parts of a long list of
    cases share a `trial`.
    """
    check_on_error(on_error)
    require_n_jobs(n_jobs, "rows_by_case")
    cases = list(cases)
    cluster = cluster_of(n_jobs)
    in_pool = cluster is None and n_processes_of(n_jobs) > 1
    with (
        counted(description, len(cases), "cases") as advance,
        tempfile.TemporaryDirectory(prefix="radiodeep-", ignore_cleanup_errors=True)
        if in_pool
        else nullcontext() as marker_dir,
    ):
        run = _Run(function, cases, n_jobs if in_pool else 1, on_error, advance, marker_dir)
        run.on_rows = on_rows
        run.trial = trial if in_pool and trial is not None else run.trial
        return run.all_rows() if cluster is None else run.all_rows_on(cluster)


def check_on_error(on_error):
    """Raise an InputError unless `on_error` is "raise" or "record"."""
    require_option(on_error, ("raise", "record"), "extraction", "on_error")


class _Run:
    """One call of `rows_by_case`.

    If a worker is killed, joblib ends the whole pool and does not say which tasks were running. Each worker therefore
    creates a file in the folder `marker_dir` before it begins a chunk, named by the chunk's first position, and removes
    it afterwards. The files that are left name the chunks in flight. Their cases are retried apart, one at a time; all
    other cases without a row go to a new pool.
    """

    def __init__(self, function, cases, n_jobs, on_error, advance, marker_dir):
        self.function = function
        self.cases = cases
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.advance = advance
        self.marker_dir = marker_dir
        self.folder = os.path.abspath("")
        self.at_once = getattr(function, "at_once", CHUNK)
        self.seconds_per_case = None
        self.on_rows = None
        self.trial = Trial(n_jobs)
        self.rows = {}
        self.errors = {}

    def all_rows(self):
        pending = self._compute_here(list(range(len(self.cases))))
        suspects = []
        while pending:
            in_flight = self._compute(pending)
            suspects += in_flight
            pending = [position for position in pending if self._lacks(position) and position not in in_flight]
        for position in sorted(suspects):
            self._compute_apart(position)
        return self.rows, dict(sorted(self.errors.items()))

    def all_rows_on(self, cluster):
        """Compute all rows on a Dask cluster, which repeats the tasks of a worker that dies.

        Dask gives up a task if several workers in turn die that had it, also if it was only waiting there. The cases of
        such tasks are computed again, one at a time.
        """
        suspects = self._computed_on(cluster, list(range(len(self.cases))))
        for position in sorted(suspects):
            if self._computed_on(cluster, [position]):
                self._give_up(position, "Give the workers more memory")
        return self.rows, dict(sorted(self.errors.items()))

    def _computed_on(self, cluster, pending):
        """Compute rows on a cluster; return the positions that Dask gave up."""
        chunks, given_up = [], []
        function = partial(_rows_and_warnings, self.function, self.on_error, None)  # sent once to each worker

        def tasks():
            for chunk in self._chunks(pending):
                chunks.append(chunk)
                yield delayed(function)(self._numbered(chunk))

        with closing(cluster.completed(tasks())) as completed:
            for number, future in completed:
                if cluster.was_killed(future):
                    given_up += chunks[number]
                else:
                    self._take(future.result())
        return given_up

    def _compute_here(self, pending):
        """Compute rows in this process until workers pay; return the positions that are left."""
        while pending and self.trial.is_open:
            chunk = pending[: self._chunk_size()]
            with self.trial.timed(len(chunk)):
                outcome = _rows_and_warnings(self.function, self.on_error, None, self._numbered(chunk))
            self._take(outcome)
            pending = pending[len(chunk) :]
            self.trial.decide(len(pending))
        return pending

    def _compute(self, pending):
        """Compute rows in a pool; return the positions that were in flight when a worker was killed."""
        chunks = {}
        tasks = (self._task(chunk, chunks) for chunk in self._chunks(pending))
        try:
            with closing(_as_completed(tasks, self.n_jobs)) as outcomes:
                for outcome in outcomes:
                    self._take(outcome)
        except TerminatedWorkerError:
            names = [path.name for path in Path(self.marker_dir).iterdir()]
            in_flight = [position for name in names for position in chunks[int(name)] if self._lacks(position)]
            for name in names:
                Path(self.marker_dir, name).unlink()
            # Without a file, the worker was killed before its first case, e.g. while it loaded the function.
            return sorted(in_flight) or [position for position in pending if self._lacks(position)]
        return []

    def _compute_apart(self, position):
        """Compute the row of a case in a pool that has no other task."""
        try:
            self._take(Parallel(n_jobs=2, backend="loky")([self._task([position], {})])[0])
        except TerminatedWorkerError:
            self._give_up(position, "Use fewer processes (n_jobs)")

    def _give_up(self, position, way_out):
        """Raise or record the error of a case whose worker was killed again when it was computed apart."""
        case_id = self.cases[position].id
        error = WorkerKilledError(
            f"{case_id}: the process that computed it was killed twice, most often because memory ran out. "
            f"{way_out}, crop or resample the image, or leave the case out."
        )
        if self.on_error == "raise":
            raise error from None
        self._take(({}, {position: _recorded(error, case_id)}, 0.0, []))

    def _chunks(self, pending):
        """Yield lists of positions, of a size that follows the time of the chunks that are finished."""
        while pending:
            size = self._chunk_size()
            yield pending[:size]
            pending = pending[size:]

    def _chunk_size(self):
        if self.at_once is not None:
            return self.at_once
        if self.seconds_per_case is None:
            return 1
        return min(CHUNK, max(1, int(_CHUNK_S / max(self.seconds_per_case, 1e-6))))

    def _task(self, chunk, chunks):
        chunks[chunk[0]] = chunk
        what = (self.function, self.on_error, self.marker_dir, self._numbered(chunk))
        return delayed(computed_in_folder)(self.folder, _rows_and_warnings, *what)

    def _numbered(self, chunk):
        return [(position, self.cases[position]) for position in chunk]

    def _take(self, outcome):
        rows, errors, seconds, texts = outcome
        for text in texts:
            warnings.warn(text, RadiodeepWarning, stacklevel=5)
        self.rows |= rows
        self.errors |= errors
        if self.on_rows is not None:
            self.on_rows(rows, errors)
        self.seconds_per_case = seconds / (len(rows) + len(errors))
        self.advance(len(rows) + len(errors))

    def _lacks(self, position):
        return position not in self.rows and position not in self.errors


def _as_completed(tasks, n_jobs):
    """Yield results as they are completed; a backend of joblib without generators yields all at the end."""
    if n_jobs == 1:
        yield from (function(*args, **kwargs) for function, args, kwargs in tasks)
        return
    backend, _ = get_active_backend()
    return_as = "generator_unordered" if backend.supports_return_generator else "list"
    yield from Parallel(n_jobs=n_jobs, return_as=return_as)(tasks)


def _rows_and_warnings(function, on_error, marker_dir, numbered):
    """Return rows, errors, seconds, and the texts of radiodeep's warnings, which a worker would only print."""
    if not in_worker():
        return *_rows_of_chunk(function, on_error, marker_dir, numbered), []
    with warnings.catch_warnings(record=True) as caught:
        outcome = _rows_of_chunk(function, on_error, marker_dir, numbered)
    texts = []
    for warning in caught:
        if issubclass(warning.category, RadiodeepWarning):
            texts.append(str(warning.message))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return *outcome, texts


def _rows_of_chunk(function, on_error, marker_dir, numbered):
    """Return rows and errors by position, and seconds; if a chunk fails, its cases are retried one at a time."""
    marker = _prepare_worker(marker_dir, numbered[0][0])
    begin_s = time.perf_counter()
    positions, cases = zip(*numbered, strict=True)
    rows, errors = {}, {}
    try:
        rows = dict(zip(positions, _uninterrupted(function, list(cases)), strict=True))
    except Exception as error:
        if len(cases) > 1:
            rows, errors = _rows_one_at_a_time(function, numbered, on_error)
        else:
            errors = {positions[0]: _handled(error, cases[0].id, on_error)}
    if marker is not None:
        marker.unlink(missing_ok=True)
    return rows, errors, time.perf_counter() - begin_s


def _rows_one_at_a_time(function, numbered, on_error):
    rows, errors = {}, {}
    for position, case in numbered:
        try:
            rows[position] = _uninterrupted(function, [case])[0]
        except Exception as error:
            errors[position] = _handled(error, case.id, on_error)
    return rows, errors


def _handled(error, case_id, on_error):
    """Return the text that is recorded of an error, or raise the error with a note of its case."""
    if on_error == "record":
        return _recorded(error, case_id)
    if not names_case(error, case_id):
        error.add_note(f"It was raised by the case '{case_id}'.")
    raise error


def _recorded(error, case_id):
    return f"{type(error).__name__}: {message_with_id(error, case_id)}"


def _uninterrupted(function, cases):
    """Call a function; turn the SystemError that numba makes of Ctrl-C back into a KeyboardInterrupt."""
    try:
        return function(cases)
    except SystemError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def _prepare_worker(marker_dir, position):
    """In a worker: exit if the parent is gone, create the chunk's file and return its path."""
    process = multiprocessing.current_process()
    if marker_dir is None or not isinstance(process, LokyProcess):  # None: a run within a task of another run
        return None
    if os.getppid() != multiprocessing.parent_process().pid:
        os._exit(1)
    marker = Path(marker_dir, str(position))
    try:
        marker.touch()
    except OSError:  # the folder is gone with the parent, or the disk is full
        return None
    return marker
