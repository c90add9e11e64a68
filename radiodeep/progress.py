"""An iterable goes in, the same items come out, with a progress bar beside them on a terminal."""

import sys

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
