"""Estimator and rows -> fitted folds: splits, shared extraction and shared selection."""
