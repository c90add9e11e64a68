"""Tables and paths -> files: written completely or not at all, and without formulas in text cells."""

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from radiodeep.exceptions import OutputError
from radiodeep.extras import require_package

WEIGHTS_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".torch", ".mat")  # of files of network weights
_FORMULA = re.compile(r"[=+\-@\t\r\n\0]")  # how a cell begins that a spreadsheet would evaluate
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@contextmanager
def replacing(path):
    """Yield a temporary path, of the same suffix, whose file replaces `path` if the block succeeds.

    Readers see the old file or the new one, never a part: the new content is flushed to the disk before it gets its
    name, and removed if the block fails. The folder is created if it does not exist. Raises an OutputError if the disk
    is full, or the folder or file cannot be written.
    """
    path = Path(path)
    part = None
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(21, "it is a folder")
            suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix  # writers go by .nii.gz
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=suffix)
            os.close(handle)
            part = Path(name)
            yield part
            part.chmod(_usual_mode())
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            if part is not None:
                part.unlink(missing_ok=True)


@contextmanager
def writing(path):
    """Turn an error of the disk within the block into an OutputError about `path`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        reason = error.strerror or str(error)
        raise OutputError(
            f"'{path}' cannot be written: {reason}. Free space on the disk, or choose a folder that you may write to."
        ) from error


def errors_file(output):
    """Return the name of the file that lists the cases that failed: features.csv -> features.errors.csv."""
    return Path(output).with_suffix(".errors.csv")


def write_table(frame, path, index=True):
    """Write a DataFrame as .csv or .parquet, completely or not at all; `index` writes the row names as first column.

    In a .csv, text cells that a spreadsheet would evaluate as a formula get an apostrophe in front, as OWASP
    recommends; numbers are never changed.
    """
    with replacing(path) as part:
        if part.suffix == ".parquet":
            require_package("pyarrow")
            frame.to_parquet(part, index=index)
        else:
            without_formulas(frame).to_csv(part, index=index)


def without_formulas(frame):
    """Return a copy of a table in which no text, header or row name begins like a formula."""
    frame = frame.copy()
    for position, dtype in enumerate(frame.dtypes):
        if dtype.kind not in "biufcmM":
            cells = [_guarded(cell) for cell in frame.iloc[:, position]]
            frame.isetitem(position, pd.array(cells, dtype=object))  # else 1 beside None would become 1.0
    frame.columns = frame.columns.map(_guarded)
    frame.index = frame.index.map(_guarded) if len(frame) else frame.index
    return frame


def _guarded(value):
    if isinstance(value, tuple):
        return tuple(_guarded(item) for item in value)
    is_formula = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def _usual_mode():
    """Return the mode that a new file has here (mkstemp makes files that only their owner may read)."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
