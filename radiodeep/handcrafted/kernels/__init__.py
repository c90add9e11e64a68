"""Compiled loops only, a file per family. In: plain arrays. Out: tables and numbers.

numba compiles each loop on its first call and caches it on disk. Each loop is called with one signature, so that
compilation stays short. The callers check the input.
"""
