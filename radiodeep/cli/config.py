"""A YAML file of options -> the defaults of a command, which its command line overrides.

Values are kept as the texts that the file holds, so that the command line interprets both alike.
"""

import os
from pathlib import Path

import typer

from radiodeep.checks import did_you_mean
from radiodeep.exceptions import InputError
from radiodeep.yaml_files import TextLoader, parsed_yaml

RECORD = "record"  # what a study adds to the options in its lock file
_PATHS = {"FILE", "FOLDER", "TABLE", "MODEL", "MANIFEST", "PAGE"}  # values that are paths, by the name in the help
_NO_PATH = ("pretrained",)  # values that are not, of the same options


def read_config(context: typer.Context, path: Path):
    """Make the options in a file the defaults of a command, and return its path; the callback of --config.

    Keys are the long names of options, and the names of arguments in the help, e.g. manifest. Paths are relative to
    the file. The record of a lock file is kept as ``context.obj``.
    """
    if path is not None:
        context.default_map, context.obj = parsed_yaml(
            path, "file of --config", lambda content: _defaults(content, context, Path(path).parent), TextLoader
        )
    return path and Path(path)


def keys_of(parameter):
    """Return the names of an option or argument in a file of --config, of which the first is written."""
    if parameter.param_type_name == "argument":
        return parameter.metavar.lower().split("|")
    return [name[2:] for name in parameter.opts if name.startswith("--") and name != "--config"]


def is_path(parameter, value):
    """Return whether the value of an option is the path of a file or folder; that of --dask is one, or an address."""
    if parameter.metavar == "SCHEDULER":
        return str(value).endswith(".json")
    return set((parameter.metavar or "").split("|")) <= _PATHS and value not in (None, *_NO_PATH)


def _defaults(content, context, folder):
    """Return values by the parameters of a command, and the record of a lock file or {}."""
    if not isinstance(content, dict):
        raise InputError("it must hold a line 'option: value' for each option, e.g. 'seed: 1'.")
    record = _checked_record(content.pop(RECORD, None) or {}, context.info_name)
    parameters = {key: each for each in context.command.params for key in keys_of(each)}
    defaults = {}
    for key, value in content.items():
        if key not in parameters:
            meant = did_you_mean(str(key), parameters)
            raise InputError(f"'{key}' is no option of 'radiodeep {context.info_name}'.{meant}")
        parameter = parameters[key]
        if parameter.name in defaults:
            raise InputError(f"{' and '.join(each for each in keys_of(parameter) if each in content)} are the same.")
        if value is not None:
            defaults[parameter.name] = _value(key, value, parameter, folder)
    return defaults, record


def _checked_record(record, command):
    """Return the record of a lock file; raise InputError for another record, or that of another command."""
    parts = [record.get(name, {}) for name in ("sha256", "versions")] if isinstance(record, dict) else [None]
    if not all(isinstance(part, dict) and all(isinstance(each, str) for each in part.values()) for part in parts):
        raise InputError(f"its '{RECORD}' is not as a study writes it. Leave it out, or take the file anew.")
    if record.get("command", command) != command:
        raise InputError(f"it holds the options of 'radiodeep {record['command']}', not of 'radiodeep {command}'.")
    return record


def _value(key, value, parameter, folder):
    """Return the value of an option as the command line would give it."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in values):
        raise InputError(f"'{key}' must be a value or a list of values, such as 'seed: 1' or 'drop: [age, sex]'.")
    if is_path(parameter, values[0] if values else None):
        values = [os.path.normpath(folder / os.path.expanduser(each)) for each in values]
    return values if getattr(parameter, "multiple", False) else ",".join(values)
