"""The command line: parse, call one function, print. Exit codes: 0 done, 1 wrong usage, 2 some cases failed."""

from radiodeep.cli.main import main

__all__ = ["main"]
