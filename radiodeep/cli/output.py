"""Outputs of commands: checks that they can be written, and lists of the cases that failed."""

import tempfile
from pathlib import Path

import pandas as pd
import typer

from radiodeep.cli.terminal import say
from radiodeep.cli.words import in_command_words
from radiodeep.exceptions import InputError, OutputError
from radiodeep.extras import require_package
from radiodeep.files import write_table

SOME_FAILED = 2


def check_file(path, *suffixes, option="--output", read=None):
    """Raise an error, before hours of work, if a file of these suffixes cannot be written to `path`.

    Its folder is created. `option` is the option that gave the path; the input `read` must not be overwritten.
    """
    path = Path(path)
    if read is not None and path.resolve() == Path(read).resolve():
        raise InputError(f"{option} '{path}' is the file that is read, and would be overwritten. Give another name.")
    if path.suffix not in suffixes:
        raise InputError(f"{option} must end in {' or '.join(suffixes)}. Got '{path.name}' instead.")
    if path.suffix == ".parquet":
        require_package("pyarrow")
    if path.is_dir():
        raise OutputError(f"{option} '{path}' is a folder. Give the name of a file.")
    check_folder(path.parent, option)


def check_folder(folder, option="--output"):
    """Create a folder, and raise an error, before hours of work, if no file can be written in it."""
    if folder is None:
        return
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{option} '{folder}' is a file. Give the name of a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        raise OutputError(
            f"{option}: nothing can be written in '{folder}': {error.strerror or error}. "
            "Free space on the disk, or choose a folder that you may write to."
        ) from error


def write_errors(errors, path):
    """Write id, error type and message of the cases that failed; without any, remove the list of an earlier run."""
    if not errors:
        Path(path).unlink(missing_ok=True)
        return
    rows = [(case_id, *_split(message)) for case_id, message in errors.items()]
    write_table(pd.DataFrame(rows, columns=["id", "error", "message"]), path, index=False)


def _split(message):
    kind, colon, rest = message.partition(": ")
    return (kind, rest) if colon and kind.isidentifier() else ("", message)


def finish(errors, path=None, n_errors=None):
    """Name the cases that failed, also in the file `path`, and end with exit code 2 if there are any.

    `errors` is a dict from case id to "ErrorName: message"; with `n_errors` it has only the first of so many, which are
    in the file already.
    """
    if path is not None and n_errors is None:
        write_errors(errors, path)
    if not errors:
        return
    n_errors = len(errors) if n_errors is None else n_errors
    listed_in = "" if path is None else f" (also in {path})"
    say(f"{n_errors} case{'s' if n_errors > 1 else ''} could not be used{listed_in}:", err=True)
    for case_id, message in errors.items():
        named = message if str(case_id) in message else f"{case_id}: {message}"
        say(f"  {in_command_words(named)}", err=True)
    if n_errors > len(errors):
        say(f"  ... and {n_errors - len(errors)} more", err=True)
    raise typer.Exit(SOME_FAILED)
