"""Weights files of a model: stored inside the model's file, and restored when it is loaded."""

import copy
import hashlib
import os
import re
from os import PathLike
from pathlib import Path

from radiodeep.exceptions import ModelError, OutputError, WeightsError
from radiodeep.files import WEIGHTS_SUFFIXES, replacing
from radiodeep.model_parts import parts_of


def without_paths(model):
    """Return a model without paths of this machine, and the weights files that it needs.

    The model is a copy if it held a path. Of each file there is a dict with `name` and `sha256`, and its content under
    "weights-<sha256>". A file that is missing or has changed since the model was fitted is a WeightsError.
    """
    if not any(_weights_path(part) or _checkpoint_dir(part) for part in parts_of(model)):
        return model, [], {}
    model = copy.deepcopy(model)
    contents = {}
    for part in parts_of(model):
        if _checkpoint_dir(part):
            part.checkpoint_dir = None
        path = _weights_path(part)
        if path is None:
            continue
        part.weights = path.name
        if _is_needed(part):
            content = _content(path, getattr(part, "weights_sha256_", None))
            sha256 = hashlib.sha256(content).hexdigest()
            if contents.get(path.name, (sha256,))[0] != sha256:  # two files of the same name
                part.weights = f"{sha256[:12]}-{path.name}"
            contents[part.weights] = sha256, content
    recorded = [{"name": name, "sha256": sha256} for name, (sha256, _) in contents.items()]
    return model, recorded, {f"weights-{sha256}": content for sha256, content in contents.values()}


def with_paths(model, recorded, extras, folder, given):
    """Set the paths of the weights files of a loaded model, in place; `recorded` and `extras` are of `without_paths`.

    Each file is looked for in `given` (a path, or a dict from file name to path), inside the model's file (from where
    it is unpacked to the user's cache folder, under its sha256), in the `folder` of the model's file, and at the path
    that an older version recorded. A WeightsError says that a file is missing, has another content or is not needed.
    """
    known = _checked(recorded)
    needed = [(part, _weights_path(part)) for part in parts_of(model) if _weights_path(part) and _is_needed(part)]
    names = {path.name for _, path in needed}
    if given is not None and not (set(given) <= names if isinstance(given, dict) else names):
        raise WeightsError(
            f"The 'weights' parameter names a file that the model does not need. It needs {', '.join(names) or 'none'}."
        )
    for part, path in needed:
        sha256 = known.get(str(part.weights)) or getattr(part, "weights_sha256_", None)
        part.weights = str(_path_of(path, sha256, extras, folder, given))


def _path_of(path, sha256, extras, folder, given):
    chosen = given.get(path.name) if isinstance(given, dict) else given
    if chosen is not None:
        if not Path(chosen).is_file():
            raise WeightsError(f"There is no weights file '{chosen}'. Give the path of '{path.name}'.")
        if sha256 not in (None, _sha256(chosen)):
            raise WeightsError(
                f"'{chosen}' is not the weights file of the model: its sha256 begins with {_sha256(chosen)[:12]}, that "
                f"of '{path.name}' with {sha256[:12]}. Give the file that the model was trained with."
            )
        return Path(chosen).resolve()
    if f"weights-{sha256}" in extras:
        return _unpacked(path.name, sha256, extras[f"weights-{sha256}"])
    for candidate in (folder / path.name, path):
        if candidate.is_file() and sha256 in (None, _sha256(candidate)):
            return candidate.resolve()
    raise WeightsError(
        f"The model needs the weights file '{path.name}'"
        + (f" (its sha256 begins with {sha256[:12]})" if sha256 else "")
        + ", which is not in the model's file. Put it in the same folder, or use load_model(path, weights=...)."
    )


def _unpacked(name, sha256, content):
    """Return the path of a file in the cache folder with this content."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"The weights '{name}' inside the model's file are damaged. Copy it again.")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(home, "radiodeep", "weights", sha256, name)
    if path.is_file() and _sha256(path) == sha256:
        return path
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OutputError as error:
        raise OutputError(
            f"The weights inside the model's file cannot be unpacked: {error} Or name a cache folder in the "
            "environment as XDG_CACHE_HOME, or use load_model(path, weights=...) with a copy of the file."
        ) from error
    return path


def _content(path, sha256):
    if not path.is_file():
        raise WeightsError(f"There is no weights file '{path}', which the model needs. Put it there and save again.")
    content = path.read_bytes()
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise WeightsError(
            f"The weights file '{path}' has changed since the model was fitted. Restore the former file or fit the "
            "model again, then save it."
        )
    return content


def _checked(recorded):
    """Return name -> sha256; refuse names that would lead out of the cache folder."""
    try:
        known = {entry["name"]: entry["sha256"] for entry in recorded}
        plain = all(Path(name).name == name and re.fullmatch("[0-9a-f]{64}", sha256) for name, sha256 in known.items())
    except (TypeError, KeyError, AttributeError):
        plain = False
    if not plain:
        raise ModelError("The list of weights files inside the model's file is damaged. Get the file again.")
    return known


def _weights_path(part):
    weights = vars(part).get("weights") if hasattr(part, "__dict__") else None
    is_path = isinstance(weights, str | PathLike) and Path(weights).suffix.lower() in WEIGHTS_SUFFIXES
    return Path(weights) if is_path else None


def _checkpoint_dir(part):
    return hasattr(part, "__dict__") and vars(part).get("checkpoint_dir") is not None


def _is_needed(part):
    """Return whether predictions depend on the file; trained networks hold their weights themselves."""
    return not hasattr(part, "tuned_weights_") and not hasattr(part, "epochs")


def _sha256(path):
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
