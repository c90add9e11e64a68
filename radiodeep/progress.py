"""Long work goes in; where a person watches a terminal, it is shown that something happens."""

import sys
from contextlib import contextmanager
from threading import Timer

from rich.console import Console
from rich.progress import track


def with_progress(items, description, total):
    """Yield the items; draw a bar on standard error where a person watches it.

    Parameters
    ----------
    items : iterable
    description : str
    total : int
        How many items will come.
    """
    return track(
        items,
        description=description,
        total=total,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


@contextmanager
def announced_if_slow(message, seconds=1.0):
    """Write a message on the terminal if what is done inside takes longer than some seconds."""
    timer = Timer(seconds, print, [message], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
