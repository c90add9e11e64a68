"""Options and record of a study -> its lock file, without dates, so that a repetition gives the same file."""

import hashlib
import os
import platform
import textwrap
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import yaml

import radiodeep as rd
from radiodeep.cli.config import RECORD, is_path, keys_of
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.extras import version_of
from radiodeep.files import replacing

LOCK = "settings.lock.yaml"
_PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "SimpleITK", "numba", "torch", "timm")
_NO_SETTINGS = ("config", "output", "cache", "jobs", "dask")  # where and how fast; the results are the same
_HEADING = """\
# All settings of this study, those left at their defaults included. The same study again:
#   radiodeep study --config settings.lock.yaml -o FOLDER
# Paths are relative to this file; if the data have moved, give the manifest or table on the command line too.
# The record below says what the settings came to; it is compared when they are used again. Left out, since the results
# do not depend on them: output, cache and processes.
"""


@dataclass(frozen=True)
class Settings:
    """The options of a command, as given or by default, and the record of the lock file that they come from.

    `options` are values by long name, `paths` those of them that are paths, `comments` their help, and `overridden`
    those that a file of --config gives too; a file that has only moved since its record is none of them.
    """

    command: str
    options: dict = field(default_factory=dict)
    paths: tuple = ()
    comments: dict = field(default_factory=dict)
    overridden: tuple = ()
    locked: dict = field(default_factory=dict)

    @property
    def sha256(self):
        """The sha256 of the files among the options."""
        files = {name: Path(self.options[name]) for name in self.paths}
        return {name: sha256_of(path) for name, path in files.items() if path.is_file()}

    def check_record(self):
        """Raise InputError if a file is not that of the record, and warn of other versions of packages."""
        record = self.locked.get("sha256", {})
        for name, digest in self.sha256.items():
            if name not in self.overridden and record.get(name, digest) != digest:
                raise InputError(
                    f"'{Path(self.options[name]).name}' has changed since the lock file was written: its sha256 begins "
                    f"with {digest[:12]}, that of the {name} then with {record[name][:12]}. Restore it; or give it on "
                    "the command line too, to study it as it is now."
                )
        then = self.locked.get("versions", {})
        other = [f"{name} {then[name]} (now {now})" for name, now in versions().items() if then.get(name, now) != now]
        if other:
            message = f"The lock file was written with {', '.join(other)}. Numbers may differ."
            warnings.warn(message, RadiodeepWarning, stacklevel=2)

    def check_features(self, digest):
        """Warn if the same settings gave other features than those of the record."""
        if not self.overridden and self.locked.get("features_sha256", digest) != digest:
            warnings.warn(
                "The features differ from those of the lock file, although the settings are the same: the images or "
                "masks have changed, or the packages or the machine compute in another way.",
                RadiodeepWarning,
                stacklevel=2,
            )

    def write(self, record, folder):
        """Write the lock file of a study into its folder."""
        lines = [_HEADING] if self.options else []
        for name, value in self.options.items():
            if name in self.paths:
                value = _relative(value, folder)
            lines.append(textwrap.fill(self.comments[name], 118, initial_indent="# ", subsequent_indent="# "))
            lines.append(f"{name}:" if value is None else _yaml({name: value}, default_flow_style=False))
        overridden = list(self.overridden) or self.locked.get("overridden") or []
        record = {"command": self.command, "versions": versions(), "sha256": self.sha256} | record
        lines += ["# What the settings came to.", _yaml({RECORD: record | {"overridden": overridden}})]
        with replacing(Path(folder) / LOCK) as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings_of(context, **keys):
    """Return the `Settings` of a command from the context of its call; `keys` are other names of its arguments."""
    options, comments, paths, overridden = {}, {}, [], []
    for parameter in context.command.params:
        if parameter.name in _NO_SETTINGS:
            continue
        name = keys.get(parameter.name, keys_of(parameter)[0])
        value = _plain(context.params[parameter.name])
        options[name] = value
        comments[name] = parameter.help
        if is_path(parameter, value):
            paths.append(name)
        is_given = context.get_parameter_source(parameter.name).name == "COMMANDLINE"
        if is_given and parameter.name in (context.default_map or {}):
            overridden.append(name)
    settings = Settings(context.info_name, options, tuple(paths), comments, tuple(overridden), context.obj or {})
    moved = settings.sha256.items() & settings.locked.get("sha256", {}).items()
    return replace(settings, overridden=tuple(name for name in overridden if name not in dict(moved)))


def versions():
    """Return the versions of radiodeep, Python and the packages that numbers depend on."""
    installed = {name: version_of(name) for name in _PACKAGES}
    known = {name: version for name, version in installed.items() if version is not None}
    return {"radiodeep": rd.__version__, "python": platform.python_version(), **known}


def sha256_of(path):
    """Return the sha256 of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_table(table):
    """Return the sha256 of the names and numbers of a table."""
    digest = hashlib.sha256(repr([*map(str, table.columns), *map(str, table.index)]).encode())
    digest.update(np.ascontiguousarray(table.to_numpy(dtype=float)))
    return digest.hexdigest()


def _plain(value):
    """Return the value of an option as YAML can write it."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value] or None
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _relative(path, folder):
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return Path(path).absolute().as_posix()


def _yaml(content, default_flow_style=None):
    style = {"default_flow_style": default_flow_style, "width": 118}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, **style).rstrip()
