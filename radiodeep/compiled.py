"""The decorator that compiles loops over arrays to machine code, for selection, preparation and study."""

from numba import njit

# The machine code is cached next to the file of the function. The cache does not detect a change in a function of
# another file that is called: delete __pycache__ after such a change.
compiled = njit(cache=True, nogil=True, error_model="numpy")
