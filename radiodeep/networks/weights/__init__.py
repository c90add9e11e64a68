"""Weights files -> networks: reading, renaming and checking."""
