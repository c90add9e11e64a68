"""A model -> all objects inside it."""

from types import ModuleType

import numpy as np

_ATOMS = (str, bytes, int, float, complex, type, ModuleType, type(None))


def parts_of(model):
    """Yield a model and every object inside it (estimators, containers, arrays), each once.

    What is inside a class or a module is left out.
    """
    seen = set()
    waiting = [model]
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
