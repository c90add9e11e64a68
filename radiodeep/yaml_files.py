"""A YAML file -> what it holds, as plain Python values; a key that is given twice is an error."""

from pathlib import Path

import yaml

from radiodeep.exceptions import InputError


class _StrictLoader(yaml.SafeLoader):
    """Raise an error for a key that is given twice, of which YAML would silently take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            line = node.start_mark.line + 1
            raise InputError(f"line {line}: the key '{repeated[0]}' is given twice. Keep one of them.")
        return super().construct_mapping(node, deep=deep)


def parsed_yaml(path, kind, interpret):
    """Return ``interpret(content)`` of a YAML file; any problem is an InputError that names the file and its kind.

    `kind` is that of the file in words, e.g. "parameter file of pyradiomics".
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"The {kind} '{path}' does not exist. Check the path.")
    try:
        return interpret(yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader))
    except (InputError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"The {kind} '{path.name}' cannot be used: {error}") from error
    except RecursionError as error:
        raise InputError(f"The {kind} '{path.name}' is nested too deeply.") from error
