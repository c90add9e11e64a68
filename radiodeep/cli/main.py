"""Runs the application; exceptions, warnings and Ctrl-C become sentences and exit codes."""

import gc
import os
import shlex
import sys
import traceback
import warnings

from radiodeep.cli.interruption import Interruption
from radiodeep.cli.terminal import say
from radiodeep.cli.words import in_command_words
from radiodeep.exceptions import RadiodeepError, RadiodeepWarning

INTERRUPTED = 130
_RARELY = 100  # collections before one that looks at all objects: those of imports made it a tenth of a short study


def main():
    """Run the command line; any error becomes a sentence and an exit code."""
    interruption = Interruption()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _RARELY)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # for letters that the terminal lacks
    warnings.simplefilter("ignore")
    warnings.simplefilter("once", RadiodeepWarning)
    warnings.showwarning = _show_warning
    try:
        from radiodeep.cli.application import app  # late: Ctrl-C is handled during the import

        code = app(prog_name="radiodeep", standalone_mode=False) or 0  # typer.Exit comes back as its exit code
    except BaseException as error:
        code = INTERRUPTED if interruption.has_come else _explained(error)
    if code == INTERRUPTED:
        _say_interrupted(sys.argv[1:])
    sys.exit(code)


def _explained(error):
    """Print an error as one sentence and return the exit code."""
    if os.environ.get("RADIODEEP_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    say(f"Error: {_sentence(error)}", err=True)
    return 1


def _sentence(error):
    if isinstance(error, RadiodeepError):
        return in_command_words(str(error))
    if hasattr(error, "format_message"):  # a usage error of click
        command = error.ctx.command_path if getattr(error, "ctx", None) else "radiodeep"
        message = error.format_message().rstrip(".")
        return f"{message}{'' if message.endswith('?') else '.'}{_origin(error)} See {command} --help."
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind in ("TerminatedWorkerError", "BrokenProcessPool"):
        return f"The memory ran out ({kind}). Use fewer processes, --jobs 1, or smaller images."
    if isinstance(error, OSError) and error.filename:
        return f"'{error.filename}': {error.strerror}. Check the path, the disk and what you may read and write."
    first_line = next(iter(str(error).splitlines()), "")
    return f"{kind}: {first_line}\nThis is a bug in radiodeep; run again with RADIODEEP_DEBUG=1 for the traceback."


def _origin(error):
    """Return " It is from the file 'study.yaml'." for a value that a file of --config gave, else ""."""
    context, name = getattr(error, "ctx", None), getattr(getattr(error, "param", None), "name", None)
    source = context and name and context.get_parameter_source(name)
    if not source or source.name != "DEFAULT_MAP":
        return ""
    return f" It is from the file '{context.params['config'].name}'."


def _show_warning(message, *_, **__):
    say(f"Warning: {in_command_words(str(message))}", err=True)


def _say_interrupted(arguments):
    say("Interrupted.", err=True)
    if not arguments or arguments[0] not in ("extract", "study", "train", "score"):
        return
    given = {argument.split("=")[0] for argument in arguments}
    if arguments[0] == "score":
        say(f"Finished rows are kept. Continue with:\n  {_command_line(arguments)}", err=True)
    elif given & {"--cache", "--config"}:
        kept = "are kept" if "--cache" in given else "are kept if the file of --config names a cache"
        say(f"Finished cases {kept}. Continue with:\n  {_command_line(arguments)}", err=True)
    else:
        say(
            "Finished cases are not kept without --cache. With it, an interrupted run can continue:\n"
            f"  {_command_line(arguments)} --cache FOLDER",
            err=True,
        )


def _command_line(arguments):
    return shlex.join(["radiodeep", *arguments])
