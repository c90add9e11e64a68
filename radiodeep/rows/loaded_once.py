"""A function of cases -> the same function, which worker processes load once instead of with every chunk of cases."""

import pickle
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from joblib.externals.loky.backend.reduction import dump


class LoadedOnce:
    """A function for `rows_by_case` that is pickled into a file in a folder on the first use of a worker.

    What is pickled with a chunk is the path. The folder must exist as long as there are workers, on this machine.
    """

    def __init__(self, function, folder):
        self.function = function
        self.at_once = getattr(function, "at_once", None)
        self.path = Path(folder) / f"{uuid4().hex}.pickle"

    def __call__(self, cases):
        return self.function(cases)

    def __reduce__(self):
        if not self.path.exists():
            with self.path.open("wb") as file:
                dump(self.function, file)
        return _loaded, (str(self.path),)


@lru_cache(maxsize=1)
def _loaded(path):
    return pickle.loads(Path(path).read_bytes())
