"""Fitted models in files: .skops, which is safe to open, or .joblib, a pickle for files from trusted people."""

from radiodeep.persistence.containers import TRUSTED_TYPES
from radiodeep.persistence.models import load_model, save_model

__all__ = ["TRUSTED_TYPES", "load_model", "save_model"]
