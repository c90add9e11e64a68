"""Outcome of the cases -> how it is split, scored, measured and described; a file per kind of outcome."""
