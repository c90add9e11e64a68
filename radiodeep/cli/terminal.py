"""Text on the terminal."""

import contextlib
import os
import sys
import textwrap


def say(text, err=False):
    """Print a text; if its reader is gone, as with ``| head -1``, continue without."""
    stream = sys.stderr if err else sys.stdout
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def aligned(header, rows, widest=19):
    """Return rows of text as aligned columns; long headers are wrapped."""
    heads = [[line for part in text.split("\n") for line in textwrap.wrap(part, widest)] for text in header]
    height = max(map(len, heads))
    heads = [[""] * (height - len(lines)) + lines for lines in heads]
    table = [*zip(*heads, strict=True), *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([*lines[:height], "-" * max(map(len, lines)), *lines[height:]])
