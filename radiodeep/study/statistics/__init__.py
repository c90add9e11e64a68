"""Predictions -> statistics: AUC, calibration, comparison, agreement and stability."""
