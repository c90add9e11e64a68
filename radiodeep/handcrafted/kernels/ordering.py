"""In: intensities of a region. Out: the same in increasing order, in time that grows with their number only."""

import numpy as np
from numba import njit

_BITS = 11  # of a digit: its 2048 counts stay in the first-level cache


@njit(cache=True, nogil=True)
def sort_integers(values, lowest, highest, out):
    """Write integers between `lowest` and `highest` in increasing order into `out`: float64 (n,). They are counted."""
    counts = np.zeros(highest - lowest + 1, np.int64)
    for i in range(values.size):
        counts[np.int64(values[i]) - lowest] += 1
    stop = 0
    for k in range(counts.size):
        start, stop = stop, stop + counts[k]
        out[start:stop] = lowest + k


@njit(cache=True, nogil=True)
def sort_float_bits(bits, n_digits, keys, other):
    """Return the bits of floating-point numbers, none of them NaN, in increasing order of the numbers.

    A radix sort: numbers are distributed by one digit after the other, the lowest first, and numbers of one digit keep
    their order. The bits of positive numbers increase with the numbers; those of negative numbers decrease, so all of
    these are inverted, and of positive numbers only the sign. Digits that all numbers share are skipped.

    Parameters
    ----------
    bits : uint32 or uint64 (n,)
    n_digits : int, 3 for 32 bits and 6 for 64
    keys, other : as `bits`, scratch, of which one is returned
    """
    n = bits.size
    one = bits[0] - bits[0] + bits.dtype.type(1)
    sign = one << (bits.itemsize * 8 - 1)
    counts = np.zeros((n_digits, 1 << _BITS), np.int64)
    for i in range(n):
        key = ~bits[i] if bits[i] & sign else bits[i] ^ sign
        keys[i] = key
        for digit in range(n_digits):
            counts[digit, np.int64(key & ((1 << _BITS) - 1))] += 1
            key >>= _BITS
    for digit in range(n_digits):
        places = counts[digit]
        total, is_shared = 0, False
        for k in range(places.size):
            count = places[k]
            is_shared |= count == n
            places[k] = total
            total += count
        if is_shared:
            continue
        shift = digit * _BITS
        for i in range(n):
            key = keys[i]
            k = np.int64((key >> shift) & ((1 << _BITS) - 1))
            other[places[k]] = key
            places[k] += 1
        keys, other = other, keys
    for i in range(n):
        keys[i] = keys[i] ^ sign if keys[i] & sign else ~keys[i]
    return keys
