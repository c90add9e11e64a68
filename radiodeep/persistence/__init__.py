"""Fitted models in files: .skops, which is safe to open, or .joblib, a pickle for trusted people; results in .zip."""

from radiodeep.persistence.containers import TRUSTED_TYPES
from radiodeep.persistence.models import load_model, save_model
from radiodeep.persistence.results import load_results, save_results

__all__ = ["TRUSTED_TYPES", "load_model", "load_results", "save_model", "save_results"]
