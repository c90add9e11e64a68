"""Tables and paths in, files out: written completely or not at all, and without formulas in text cells."""

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from radiodeep.exceptions import OutputError
from radiodeep.extras import require_package

WEIGHTS_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".torch", ".mat")  # of files of network weights
_FORMULA = re.compile(r"[=+\-@\t\r\n\0]")  # how a cell begins that a spreadsheet would evaluate
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@contextmanager
def replacing(path):
    """Yield a temporary path in the folder of `path` that replaces `path` if the block succeeds.

    Readers see the old file or the new one, never a part: the new content is flushed to the disk before
    it gets its name, and removed if the block fails.

    Parameters
    ----------
    path : path-like
        Its folder is created if it does not exist.

    Yields
    ------
    pathlib.Path
        A name that no other process uses, with the same suffix.

    Raises
    ------
    OutputError
        The disk is full, or the folder or file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from radiodeep.files import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/settings.json") as part:
    ...         _ = part.write_text("{}")
    ...     [file.name for file in Path(folder).iterdir()]
    ['settings.json']
    """
    path = Path(path)
    part = None
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
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        reason = error.strerror or str(error)
        raise OutputError(
            f"'{path}' cannot be written: {reason}. Free space on the disk, or choose a folder that you may write to."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def write_table(frame, path, index=True):
    """Write a table as .csv or .parquet, completely or not at all.

    In a .csv, text cells that a spreadsheet would evaluate as a formula get an apostrophe in front, as
    OWASP recommends; numbers are never changed.

    Parameters
    ----------
    frame : DataFrame
    path : path-like
    index : bool, default=True
        Whether the row names are written as the first column.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from radiodeep.files import write_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(pd.DataFrame({"id": ["=1+1", "n-7"], "volume": [-1.5, 2]}), f"{folder}/t.csv", index=False)
    ...     print(Path(f"{folder}/t.csv").read_text())
    id,volume
    '=1+1,-1.5
    n-7,2.0
    <BLANKLINE>
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
