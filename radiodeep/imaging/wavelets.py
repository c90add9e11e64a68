"""Image and box -> the sub-bands of its stationary wavelet transform inside the box."""

from functools import lru_cache
from itertools import product

import numpy as np
import pywt
from numba import njit

from radiodeep.cases.memory import check_image_size


def wavelet_subbands(image, box, wavelet, axes, levels=1, skipped_levels=0):
    """Split an image into low and high frequencies along each axis, without decimation; return its sub-bands in a box.

    They are the details of each level, "LLH" to "HHH", and last the approximation "LLL" of the last level: float32 for
    a float32 image, float64 for all others. `axes` are filtered in the order of the letters of a name. The details of
    the first `skipped_levels` are left out.

    The image is padded to even sizes and continued periodically, so that a box at one border depends on the opposite
    one. Every level filters the approximation of the level before, with the same filter. Raise `ImageTooLargeError` if
    the neighbourhood that all levels together depend on needs more memory than allowed.

    References
    ----------
    pyradiomics `imageoperations.getWaveletImage`; pywt.swtn.
    """
    kind = np.float32 if image.dtype == np.float32 else np.float64
    first, low, high = _taps(wavelet.name, kind)
    reach_before, reach_after = -first, first + low.size - 1
    n_levels = levels + skipped_levels
    around = []
    for axis, (side, size) in enumerate(zip(box, image.shape, strict=True)):
        margin = (reach_before * n_levels, reach_after * n_levels) if axis in axes else (0, 0)
        index = np.arange(side.start - margin[0], side.stop + margin[1])
        if axis in axes:
            index %= size + size % 2
            index[index == size] = 0  # an odd size is padded with the first voxel
        around.append(index)
    check_image_size(
        [index.size for index in around],
        f"The neighbourhood of the region for {n_levels} levels of the wavelet {wavelet.name}",
        "Use fewer levels or a shorter wavelet.",
        copies=9,  # eight sub-bands and what they are made of
    )
    data = image[around[0][0] : around[0][-1] + 1] if _is_run(around[0]) else image[around[0]]
    data = data[:, around[1][:, None], around[2]].astype(kind)
    out = []
    for level in range(n_levels):
        bands = {"": data}
        for axis in axes:
            bands = {
                name + letter: band
                for name, parent in bands.items()
                for letter, band in zip("LH", _split(parent, axis, low, high), strict=True)
            }
        inner = [slice(None)] * 3
        for axis in axes:
            left = n_levels - 1 - level
            size = box[axis].stop - box[axis].start
            inner[axis] = slice(reach_before * left, reach_before * left + size)
        letters = subband_letters(len(axes))
        data = bands[letters[0]]
        if level >= skipped_levels:
            out.extend(bands[letter][tuple(inner)] for letter in letters[1:])
    return [*out, data]


def subband_letters(n_axes):
    """Return the names of the sub-bands, the approximation first: for two axes "LL", "LH", "HL", "HH"."""
    return ["".join(letters) for letters in product("LH", repeat=n_axes)]


def _is_run(index):
    """Return whether indices are consecutive, so that they can be a slice."""
    return index[-1] - index[0] == index.size - 1 and bool((np.diff(index) == 1).all())


@lru_cache(maxsize=8)
def _taps(name, kind):
    """Return where the filters begin, and their weights: out[i] = sum over k of weights[k] * data[i + first + k].

    They are read off pywt's response to an impulse of the given type, since pywt has other weights in single precision
    for some wavelets.
    """
    wavelet = pywt.Wavelet(name)
    n = 2 * wavelet.dec_len + 2
    impulse = np.zeros(n, kind)
    impulse[n // 2] = 1.0
    low, high = pywt.swt(impulse, wavelet, level=1)[0]
    weights = np.stack([low, high])[:, ::-1]  # of data[i + j - (n - 1 - n // 2)] at j
    used = np.flatnonzero(weights.any(axis=0))
    first = int(used[0]) - (n - 1 - n // 2)
    used = slice(used[0], used[-1] + 1)
    first = min(first, 0)
    return first, np.ascontiguousarray(weights[0, used]), np.ascontiguousarray(weights[1, used])


def _split(data, axis, low, high):
    """Return low and high frequencies along one axis, which shortens by the length of the filter less one."""
    shape = list(data.shape)
    shape[axis] -= low.size - 1
    inner = int(np.prod(shape[axis + 1 :]))
    out = np.zeros((2, *shape), data.dtype)
    _filter(data.reshape(-1, data.shape[axis] * inner), low, high, inner, out.reshape(2, -1, shape[axis] * inner))
    return out


@njit(cache=True, nogil=True)
def _filter(data, low, high, inner, out):
    """Filter along an axis whose neighbours are `inner` entries apart in each row of `data`.

    The weights are used from last to first, as in pywt, so that sums in single precision are rounded alike.
    """
    n = out.shape[2]
    for row in range(data.shape[0]):
        for k in range(low.size - 1, -1, -1):
            a, b = low[k], high[k]
            part = data[row, k * inner : k * inner + n]
            low_row, high_row = out[0, row], out[1, row]
            for i in range(n):
                low_row[i] += a * part[i]
                high_row[i] += b * part[i]
