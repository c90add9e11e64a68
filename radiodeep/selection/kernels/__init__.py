"""Compiled loops of the selectors: plain arrays in, scores out. Callers check the input."""
