"""Rows of scores -> a file that grows row by row and survives a kill, until it is whole and gets its name.

Beside the output ``scores.csv`` stand ``scores.csv.part``, the rows so far, and ``scores.csv.part.json``, what they
were computed with. Rows are written in order, so that their number says where a run continues.
"""

import csv
import json
import time
import warnings
from itertools import islice

import numpy as np
import pandas as pd

from radiodeep.exceptions import OutputError, RadiodeepWarning
from radiodeep.files import replacing, writing
from radiodeep.rows import CHUNK

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_FLUSH_S = 0.5
_SCAN_BYTES = 2**20
_BLOCK = 8192  # rows in memory
_NO_CONTROLS = {ord("\r"): "\n", ord("\0"): None}  # which would end a row, or look like one that was cut off


class ScoreJournal:
    """The rows of an output that is not whole yet.

    Parameters
    ----------
    output : Path
        What the rows will be. The part is a .csv.
    settings : dict
        What the rows depend on, as text by name. A part of other settings is replaced, with a RadiodeepWarning.
    columns : dict from str to dtype
        Of the output.
    ids : iterable of str
        Of all rows, in their order; a part with others is replaced, with a RadiodeepWarning.
    resume : bool
        Whether to continue a part of the same settings.

    Attributes
    ----------
    n_rows : int
        The rows that are written.
    """

    def __init__(self, output, settings, columns, ids, resume=True):
        self.output = output
        self.columns = columns
        self.path = output.with_name(f"{output.name}.part")
        self._sidecar = output.with_name(f"{output.name}.part.json")
        self._waiting = []
        self._due = time.monotonic() + _FLUSH_S
        with writing(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
            self._lock()
            self.n_rows = (
                self._continue(settings, ids) if resume and self._has_same(settings) else self._begin(settings)
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with writing(self.output), self._file:
            self._flush()

    def write(self, rows):
        """Add rows, tuples in the order of the columns; they reach the file within half a second of computing."""
        self._waiting += rows
        if time.monotonic() >= self._due or len(self._waiting) >= _BLOCK:
            with writing(self.output):
                self._flush()

    def blocks(self):
        """Yield DataFrames of all rows as they were written."""
        with writing(self.output):
            self._flush()
        with self.path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if next(reader) != list(self.columns):
                raise ValueError("another header")
            rows = []
            for row in reader:
                rows.append(row)
                if len(rows) == _BLOCK:
                    yield self._frame(rows)
                    rows = []
            if rows:
                yield self._frame(rows)

    def remove(self):
        """Remove the part, when its rows are elsewhere."""
        self.path.unlink()
        self._sidecar.unlink()

    def _lock(self):
        """Refuse a second run that writes the same output; a lock ends with its process."""
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise OutputError(
                f"'{self.output}' is being written by another run. Wait for its end, or give another name."
            ) from None
        except OSError:  # a file system without locks
            return

    def _has_same(self, settings):
        try:
            known = json.loads(self._sidecar.read_text(encoding="utf-8"))
            other = [name for name in settings if known.get(name) != settings[name]]
        except (OSError, ValueError, AttributeError):  # AttributeError: a list or number
            return False
        if other and self.path.stat().st_size:
            warnings.warn(
                f"The unfinished '{self.path.name}' was computed with another {' and '.join(other)}, so that scoring "
                "begins anew.",
                RadiodeepWarning,
                stacklevel=4,
            )
        return not other

    def _begin(self, settings):
        self._file.truncate(0)
        with replacing(self._sidecar) as part:
            part.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        self._file.write(pd.DataFrame(columns=list(self.columns)).to_csv(index=False).encode())
        self._file.flush()
        return 0

    def _continue(self, settings, ids):
        """Cut off a row that was not written whole, and those of a chunk that is not whole; return the number of rows.

        Chunks are as in a run that is not interrupted, since the last bits of a prediction may depend on its chunk.
        """
        n_rows, end = _whole_rows(self.path, CHUNK)
        if n_rows < 0:
            return self._begin(settings)
        self._file.truncate(end)
        if self._has_rows_of(ids):
            return n_rows
        warnings.warn(
            f"The unfinished '{self.path.name}' was changed by another program, so that scoring begins anew.",
            RadiodeepWarning,
            stacklevel=4,
        )
        return self._begin(settings)

    def _has_rows_of(self, ids):
        ids = iter(ids)
        try:
            return all(frame["id"].tolist() == list(islice(ids, len(frame))) for frame in self.blocks())
        except (ValueError, csv.Error):  # cells that the columns cannot hold
            return False

    def _flush(self):
        rows, self._waiting = self._waiting, []
        self._due = time.monotonic() + _FLUSH_S
        if rows:
            self._file.write(self._frame(rows).to_csv(index=False, header=False).encode())
            self._file.flush()
            self.n_rows += len(rows)

    def _frame(self, rows):
        """Return rows as a DataFrame, of tuples or of cells that were read back."""
        frame = {}
        for (name, dtype), values in zip(self.columns.items(), zip(*rows, strict=True), strict=True):
            if dtype is float:
                frame[name] = np.array([np.nan if value == "" else value for value in values], dtype=float)
            elif dtype is str:
                frame[name] = [value.translate(_NO_CONTROLS) for value in values]
            else:
                frame[name] = pd.array([_as(dtype, value) for value in values], dtype=object)
        return pd.DataFrame(frame)


def _as(dtype, value):
    """Return a label, given as such or as the text of a cell; None if there is none."""
    if value is None or (isinstance(value, str) and value == ""):
        return None
    if dtype.kind == "b":
        return str(value) == "True"
    return dtype.type(value).item() if dtype.kind in "iuf" else str(value)


def _whole_rows(path, multiple):
    """Return the number of rows, a multiple, that are whole, and the byte after them; -1 without the header.

    A row ends at a line feed outside quotation marks. None is whole from the first zero byte on: a computer that loses
    power may leave such bytes at the end of a file.
    """
    n_rows, end = -1, 0
    n_lines = begin = n_quotes = 0
    with path.open("rb") as file:
        while part := file.read(_SCAN_BYTES).partition(b"\0")[0]:
            codes = np.frombuffer(part, np.uint8)
            quotes = n_quotes + np.cumsum(codes == ord('"'))
            ends = np.flatnonzero((codes == ord("\n")) & (quotes % 2 == 0))
            numbers = n_lines + np.arange(ends.size)  # the header is row 0
            is_last = numbers % multiple == 0
            if is_last.any():
                n_rows, end = int(numbers[is_last][-1]), begin + int(ends[is_last][-1]) + 1
            n_lines += ends.size
            begin += len(part)
            n_quotes = int(quotes[-1])
            if file.tell() > begin:  # a zero byte
                break
    return n_rows, end
