"""Predictions -> numbers: AUC, calibration, comparison, agreement and stability."""
