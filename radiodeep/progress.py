"""Progress of long work: a bar on a terminal, occasional lines in a log, nothing for short work."""

import multiprocessing
import os
import sys
import time
from contextlib import contextmanager
from threading import Timer

_FIRST_LINE_S = 10.0  # work that takes less leaves no line in a log
_NEXT_LINE_S = 30.0
_SWITCH = "RADIODEEP_PROGRESS"  # 0 in the environment: neither bar nor lines


def with_progress(items, description, total, unit=""):
    """Yield the items, of which there are `total`, and show how many are done; `unit` names them, e.g. "cases"."""
    with counted(description, total, unit) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def counted(description, total, unit=""):
    """Show progress while the block runs; yield ``advance(count=1)``, which adds to the number of items that are done.

    On a terminal, a bar is drawn on standard error. If standard error is a file or a pipe, a line is written after 10
    seconds and then every 30 seconds. Nothing is shown inside another block, in worker processes, or if the
    environment has RADIODEEP_PROGRESS=0.
    """
    if counted.is_shown or _is_switched_off():
        yield lambda count=1: None
        return
    counted.is_shown = True
    try:
        with (_bar if sys.stderr.isatty() else _lines)(description, total, unit) as advance:
            yield advance
    finally:
        counted.is_shown = False


counted.is_shown = False  # two bars at once would overwrite each other


def _is_switched_off():
    in_pool = multiprocessing.parent_process() is not None
    return in_pool or sys.stderr is None or os.environ.get(_SWITCH) == "0"


@contextmanager
def _bar(description, total, unit):
    from rich.console import Console  # late: only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed}} of {{task.total}} {unit}".rstrip()),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda count=1: progress.advance(task, count)


@contextmanager
def _lines(description, total, unit):
    done = 0
    due = time.monotonic() + _FIRST_LINE_S

    def advance(count=1):
        nonlocal done, due
        done += count
        if time.monotonic() >= due and done < total:
            due = time.monotonic() + _NEXT_LINE_S
            print(f"{description}: {done} of {total} {unit}".rstrip(), file=sys.stderr, flush=True)

    yield advance


@contextmanager
def announced_if_slow(message, seconds=1.0):
    """Write a message on the terminal if the block takes longer than `seconds`."""
    timer = Timer(seconds, print, [message], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
