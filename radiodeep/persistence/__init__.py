"""Fitted model <-> file: .skops (safe to open) or .joblib (a pickle, opened by trust only)."""

from radiodeep.persistence.containers import TRUSTED_TYPES
from radiodeep.persistence.models import load_model, save_model

__all__ = ["TRUSTED_TYPES", "load_model", "save_model"]
