"""Compiled loops of discretisation: plain arrays in, cut points out. Callers validate the input."""
