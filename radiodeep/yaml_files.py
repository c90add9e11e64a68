"""A YAML file -> what it holds, as plain Python values; a key that is given twice is an error."""

import re
from collections import Counter
from collections.abc import Hashable
from pathlib import Path

import yaml

from radiodeep.exceptions import InputError

MAX_BYTES = 4 * 2**20  # YAML is read at about a megabyte per second


class _StrictLoader(yaml.SafeLoader):
    """Raise an error for a key that is given twice, of which YAML would silently take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        counts = Counter(key for key in keys if isinstance(key, Hashable))  # others are an error of PyYAML
        repeated = sorted(str(key) for key, count in counts.items() if count > 1)
        if repeated:
            line = node.start_mark.line + 1
            raise InputError(f"line {line}: the key '{repeated[0]}' is given twice. Keep one of them.")
        return super().construct_mapping(node, deep=deep)


class TextLoader(_StrictLoader):
    """Read every scalar as the text that is written: YAML would make 10 of 012, False of no and a text of 1e-3.

    An empty value, ~ and null are None.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's name for a table of the class)


TextLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])


def parsed_yaml(path, kind, interpret, loader=_StrictLoader):
    """Return ``interpret(content)`` of a YAML file; any problem is an InputError that names the file and its kind.

    `kind` is that of the file in words, e.g. "parameter file of pyradiomics".
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"The {kind} '{path}' does not exist. Check the path.")
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MAX_BYTES:
            raise InputError(f"it has {n_bytes} bytes; at most {MAX_BYTES} are read. Is it the right file?")
        return interpret(_loaded(path.read_bytes(), loader))
    except (InputError, yaml.YAMLError) as error:
        raise InputError(f"The {kind} '{path.name}' cannot be used: {error}") from error
    except RecursionError as error:
        raise InputError(f"The {kind} '{path.name}' is nested too deeply.") from error


def _loaded(content, loader):
    """Return what YAML holds; raise InputError for another encoding or a value that is none, e.g. a day 99."""
    try:
        return yaml.load(content.decode("utf-8"), Loader=loader)
    except UnicodeDecodeError as error:
        raise InputError("it is not in UTF-8. Save it again in this encoding.") from error
    except InputError:
        raise
    except (ValueError, LookupError) as error:  # of PyYAML, without the line
        raise InputError(f"it has a date, a number or a tag that cannot be read: {error}.") from error
