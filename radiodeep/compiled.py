"""Compile loops over arrays to machine code: the one decorator of selection, preparation and study."""

from numba import njit

# Cached beside the file of the function. The cache does not notice a change in a function of another file that it
# calls: delete __pycache__ after such a change.
compiled = njit(cache=True, nogil=True, error_model="numpy")
