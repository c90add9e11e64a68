"""A fitted model in, all objects inside it out."""

from types import ModuleType

import numpy as np

_ATOMS = (str, bytes, int, float, complex, type, ModuleType, type(None))


def parts_of(model):
    """Yield a model and every object inside it, each once.

    Parameters
    ----------
    model : object

    Yields
    ------
    object
        Estimators, containers, arrays; what is inside a class or a module is left out.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from radiodeep.model_parts import parts_of
    >>> [part for part in parts_of(make_pipeline(StandardScaler())) if hasattr(part, "fit")]
    [Pipeline(steps=[('standardscaler', StandardScaler())]), StandardScaler()]
    """
    seen, waiting = set(), [model]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _ATOMS) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += part
        elif isinstance(part, np.ndarray):
            waiting += part.ravel().tolist() if part.dtype == object else []
        elif hasattr(part, "__dict__"):
            waiting += vars(part).values()
