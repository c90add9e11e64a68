"""In: the grey levels of a large region. Out: co-occurrence tables, of all directions."""

import numpy as np
from numba import njit

_CODES = 4096  # per direction, which stay in the second-level cache
_WIDEST_GAP = 16  # places outside the region that a span may hold


@njit(cache=True, nogil=True)
def _count_codes(codes, n_codes, tables):
    """Count the codes of each direction. Two directions take turns, so that no step waits for the one before."""
    for k in range(0, codes.shape[0], 2):
        a, in_a = codes[k, :n_codes], tables[k]
        if k + 1 == codes.shape[0]:
            for i in range(n_codes):
                in_a[np.uint64(a[i])] += np.uint32(1)
            return
        b, in_b = codes[k + 1, :n_codes], tables[k + 1]
        for i in range(n_codes):
            in_a[np.uint64(a[i])] += np.uint32(1)
            in_b[np.uint64(b[i])] += np.uint32(1)


@njit(cache=True, nogil=True)
def count_pairs_in_spans(volume, positions, offsets, n, tables):
    """Count the pairs of grey levels in every direction, as `count_pairs`, but for row 0 of the tables.

    The entry of a pair is calculated for many voxels at once (SIMD), and entries are counted afterwards. This takes
    places in spans, in which a few may lie outside the region: their pairs are counted in row 0.

    Parameters
    ----------
    volume : uint8 (n_places,)
    positions : int64 (n_voxels,), increasing
    offsets, tables : as in `count_pairs`
    n : int, n_present + 1, up to 256
    """
    codes = np.empty((offsets.size, _CODES), np.uint16)
    n_codes = 0
    i = 0
    while i < positions.size:
        start = stop = positions[i]
        while i < positions.size and positions[i] - stop < _WIDEST_GAP and positions[i] - start < _CODES:
            stop = positions[i]
            i += 1
        size = stop + 1 - start
        if n_codes + size > _CODES:
            _count_codes(codes, n_codes, tables)
            n_codes = 0
        here = volume[start : start + size]
        for k in range(offsets.size):
            there, out = volume[start + offsets[k] :][:size], codes[k, n_codes : n_codes + size]
            for j in range(size):
                out[j] = np.uint16(here[j]) * np.uint16(n) + np.uint16(there[j])
        n_codes += size
    _count_codes(codes, n_codes, tables)
