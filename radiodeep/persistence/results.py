"""Saves results of studies to one file, and loads them: JSON and arrays in a zip, which run no code when opened."""

import io
import json
import zipfile
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from radiodeep import __version__
from radiodeep.exceptions import InputError, RadiodeepError
from radiodeep.files import replacing

_HOMES = {  # of the classes that a file may name
    "StudyResult": "study.result",
    "FeatureSetComparison": "study.feature_sets",
    "LearningCurve": "study.learning",
    "NegativeControls": "controls",
    "AddedValue": "study.statistics.added_value",
    "Comparison": "study.statistics.comparison",
    "ConfidenceInterval": "study.statistics.uncertainty",
    "RandomEffects": "study.statistics.meta_analysis",
    "SelectionStability": "study.statistics.stability",
    "Lesions": "report.lesions",
}
_KINDS = ("tuple", "set", "frozenset", "dict", "scalar", "array", "objects_array", "frame", "series", "object")
_FORMAT = 1
_CONTENT = "results.json"
_TEXTS = ("str", "string", "boolean")  # types of pandas that are restored; other columns hold Python's objects
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # no date, so that equal results make equal files
_MOST_UNPACKED, _MOST_GROWTH = 2**28, 100


def save_results(results, path):
    """Save results of studies to one file, whole or not at all, e.g. to write another report of them later.

    Parameters
    ----------
    results : StudyResult, FeatureSetComparison, NegativeControls, DataFrame, or dict or list of such
        Numbers, texts, arrays and None may be among them, and learning curves; of enumerations the values are saved.
    path : path-like
        Ending in .zip.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        The name ends otherwise, or an object is of another kind.
    OutputError
        The disk is full, or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X = np.random.default_rng(0).normal(size=(20, 2))
    >>> result = rd.cross_validated_auc(GaussianNB(), X, np.arange(20) % 2, cv=2, n_repeats=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     loaded = rd.load_results(rd.save_results({"bayes": result}, f"{folder}/results.zip"))
    >>> str(loaded["bayes"]) == str(result)
    True
    """
    path = Path(path)
    _check_name(path)
    writer = _Writer()
    content = {"radiodeep": __version__, "format": _FORMAT, "value": writer.plain(results), "objects": writer.objects}
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, _CONTENT, json.dumps(content).encode())
        for name, array in writer.arrays.items():
            file = io.BytesIO()
            np.save(file, array, allow_pickle=False)
            _write(archive, name, file.getvalue())
    return path


def load_results(path):
    """Load what `save_results` wrote. No code of the file is run.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    object
        What was saved.

    Raises
    ------
    InputError
        The file is missing, damaged, of a newer version, or was not written by `save_results`.
    """
    path = Path(path)
    _check_name(path)
    if not path.is_file():
        raise InputError(f"The results '{path}' do not exist. Check the path; save_results or a study writes them.")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > max(_MOST_UNPACKED, _MOST_GROWTH * path.stat().st_size):
                raise ValueError(f"it would unpack to {unpacked / 2**20:.0f} MiB")
            content = json.loads(archive.read(_CONTENT))
            if content["format"] > _FORMAT:
                raise InputError(
                    f"'{path.name}' was saved by radiodeep {content['radiodeep']}, which is newer than {__version__} "
                    "here. Update radiodeep, or run the study again."
                )
            return _Reader(archive, content["objects"]).built(content["value"])
    except RadiodeepError:
        raise
    except Exception as error:
        raise InputError(
            f"'{path.name}' is damaged or was not written by save_results ({type(error).__name__}: {error}). Copy it "
            "again, or run the study again."
        ) from error


def _check_name(path):
    if path.suffix != ".zip":
        raise InputError(f"Results are saved as .zip. Got '{path.name}' instead.")


def _write(archive, name, data):
    archive.writestr(zipfile.ZipInfo(name, _EARLIEST), data, zipfile.ZIP_DEFLATED)


class _Writer:
    """Turns values into JSON. Arrays go to files of their own, and an object that is met again is a reference."""

    def __init__(self):
        self.arrays = {}
        self.objects = []
        self._known = {}  # id -> number of the object, which is kept so that the id stays its own
        self._kept = []

    def plain(self, value):
        """Return what JSON can hold of a value: a dict with "kind" for all but numbers, texts and lists."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, Enum):
            return self.plain(value.value)
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, tuple | set | frozenset):
            return {"kind": type(value).__name__, "items": [self.plain(item) for item in value]}
        if isinstance(value, dict):
            return {"kind": "dict", "items": [[self.plain(key), self.plain(item)] for key, item in value.items()]}
        if isinstance(value, np.generic):
            return {"kind": "scalar", "array": self._array(np.asarray(value))}
        if isinstance(value, np.ndarray) and value.dtype.kind != "O":
            return {"kind": "array", "array": self._array(value)}
        if isinstance(value, np.ndarray):
            return {
                "kind": "objects_array",
                "shape": list(value.shape),
                "items": [self.plain(item) for item in value.flat],
            }
        if isinstance(value, pd.DataFrame):
            columns = [self._column(value.iloc[:, position]) for position in range(value.shape[1])]
            return {"kind": "frame", "columns": self._index(value.columns), "index": self._index(value.index)} | {
                "values": columns
            }
        if isinstance(value, pd.Series):
            return {"kind": "series", "index": self._index(value.index), "name": self.plain(value.name)} | {
                "values": self._column(value)
            }
        if is_dataclass(value) and type(value).__name__ in _HOMES:
            return {"kind": "object", "number": self._object(value)}
        raise InputError(f"Results hold {type(value).__name__}, which cannot be saved. Leave it out.")

    def _array(self, array):
        name = f"arrays/{len(self.arrays)}.npy"
        self.arrays[name] = array
        return name

    def _column(self, column):
        values = column.to_numpy()
        if values.dtype.kind in "biuf":
            return {"dtype": None, "values": self.plain(values)}
        return {"dtype": str(column.dtype), "values": [self.plain(item) for item in column.tolist()]}

    def _index(self, index):
        if isinstance(index, pd.RangeIndex):
            return {"range": [index.start, index.stop, index.step], "names": self.plain(list(index.names))}
        labels = index.to_numpy() if index.nlevels == 1 and index.dtype.kind in "biuf" else index.tolist()
        return {"labels": self.plain(labels), "names": self.plain(list(index.names)), "levels": index.nlevels}

    def _object(self, value):
        if id(value) not in self._known:
            self._known[id(value)] = len(self.objects)
            self._kept.append(value)
            self.objects.append(None)
            known = {field.name: self.plain(getattr(value, field.name)) for field in fields(value)}
            self.objects[self._known[id(value)]] = {"class": type(value).__name__, "fields": known}
        return self._known[id(value)]


class _Reader:
    """Turns JSON back into values."""

    def __init__(self, archive, objects):
        self._archive = archive
        self._objects = objects
        self._built = {}

    def built(self, value):
        if isinstance(value, list):
            return [self.built(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value["kind"] not in _KINDS:
            raise ValueError(f"a value is of the kind {value['kind']!r}")
        return getattr(self, f"_{value['kind']}")(value)

    def _tuple(self, value):
        return tuple(self.built(value["items"]))

    def _set(self, value):
        return set(self.built(value["items"]))

    def _frozenset(self, value):
        return frozenset(self.built(value["items"]))

    def _dict(self, value):
        return {self.built(key): self.built(item) for key, item in value["items"]}

    def _array(self, value):
        return np.load(io.BytesIO(self._archive.read(value["array"])), allow_pickle=False)

    def _scalar(self, value):
        return self._array(value)[()]

    def _objects_of(self, items):
        array = np.empty(len(items), dtype=object)
        for position, item in enumerate(items):
            array[position] = self.built(item)
        return array

    def _objects_array(self, value):
        return self._objects_of(value["items"]).reshape(value["shape"])

    def _series(self, value):
        return pd.Series(self._column(value["values"]), self._index(value["index"]), name=self.built(value["name"]))

    def _frame(self, value):
        columns, index = self._index(value["columns"]), self._index(value["index"])
        by_position = {position: self._column(column) for position, column in enumerate(value["values"])}
        return pd.DataFrame(by_position, index=index, columns=range(len(columns))).set_axis(columns, axis=1)

    def _column(self, column):
        if column["dtype"] is None:
            return self.built(column["values"])
        values = self._objects_of(column["values"])
        return pd.array(values, dtype=column["dtype"]) if column["dtype"] in _TEXTS else values

    def _index(self, index):
        names = self.built(index["names"])
        if "range" in index:
            return pd.RangeIndex(*index["range"], name=names[0])
        labels = self.built(index["labels"])
        if index["levels"] > 1:
            return pd.MultiIndex.from_tuples(labels, names=names)
        return pd.Index(labels, name=names[0])

    def _object(self, value):
        number = value["number"]
        if number not in self._built:
            saved = self._objects[number]
            home = import_module(f"radiodeep.{_HOMES[saved['class']]}")
            known = {name: self.built(item) for name, item in saved["fields"].items()}
            self._built[number] = getattr(home, saved["class"])(**known)
        return self._built[number]
