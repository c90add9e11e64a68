"""A fitted model -> a text that is the same for the same model, however often it was saved and loaded."""

import hashlib

import joblib
import numpy as np
from sklearn.base import BaseEstimator


def fingerprint(model):
    """Return a digest of all that a model consists of.

    joblib hashes the bytes of its parts. Those of trees hold gaps between their numbers that differ each time, so that
    records of numbers are hashed field by field.
    """
    return hashlib.blake2b(_text(model).encode(), digest_size=16).hexdigest()


def _text(part):
    if isinstance(part, BaseEstimator) or hasattr(part, "node_count"):
        return f"{type(part).__name__}{_text(part.__getstate__())}"
    if isinstance(part, dict):
        return f"{{{','.join(sorted(f'{_text(name)}:{_text(value)}' for name, value in part.items()))}}}"
    if isinstance(part, list | tuple):
        return f"[{','.join(map(_text, part))}]"
    if isinstance(part, np.ndarray) and part.dtype.names:
        return _text({name: np.ascontiguousarray(part[name]) for name in part.dtype.names})
    if isinstance(part, np.ndarray) and part.dtype == object:
        return _text(part.ravel().tolist())
    return joblib.hash(part)
