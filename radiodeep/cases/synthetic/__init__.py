"""Synthetic lesions and cohorts whose truth is known."""
