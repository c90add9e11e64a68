"""Compiled loops only, one file per family: plain arrays in, tables and numbers out.

Each loop is compiled by numba on its first call and kept on disk; each has one signature, so that
compiling stays short. Nothing here checks its input: the callers do.
"""
