"""In: intensities of a region. Out: the same in increasing order, as float64."""

import numpy as np

from radiodeep.handcrafted.kernels.ordering import sort_float_bits, sort_integers

_FEW = 4096  # of which numpy's sort is as fast
_WIDEST = 2**20  # range of integers that are counted
_LARGEST = 2**62  # lets differences of integers stay in 64 bits


def sorted_intensities(values):
    """Return real numbers, of which none is NaN, in increasing order: float64 (n,), equal to `numpy.sort`.

    Where there are many, integers are counted and floating-point numbers sorted by their digits: 3 to 20 times as fast.
    """
    if values.size >= _FEW and values.dtype.isnative:
        if values.dtype.kind in "iu":
            lowest, highest = int(values.min()), int(values.max())
            if highest - lowest < min(_WIDEST, values.size) and -_LARGEST < lowest <= highest < _LARGEST:
                ordered = np.empty(values.size)  # by numpy, which asks for large pages of memory
                sort_integers(values, lowest, highest, ordered)
                return ordered
        elif values.dtype.itemsize in (4, 8):
            bits, n_digits = (np.uint32, 3) if values.dtype.itemsize == 4 else (np.uint64, 6)
            scratch = np.empty((2, values.size), bits)
            ordered = sort_float_bits(values.view(bits), n_digits, scratch[0], scratch[1])
            return ordered.view(values.dtype).astype(np.float64, copy=False)
    return np.sort(values).astype(np.float64)
