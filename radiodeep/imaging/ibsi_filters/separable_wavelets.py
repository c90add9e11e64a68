"""Image and box -> a sub-band of the undecimated separable wavelet transform inside the box."""

import pywt

from radiodeep.imaging.ibsi_filters.rotations import rotated_responses
from radiodeep.imaging.ibsi_filters.separable import line_filter


def separable_wavelet_response(image, sides, axes, wavelet, subband, level, pooling, boundary):
    """Return a sub-band of an undecimated wavelet transform inside a box: float64 of the box's shape.

    The letters of the sub-band are the filters along x, y and z. Before the filters of the last level come the
    low-pass filters of those before it along all axes ("à trous": each level doubles the distance of the weights).
    Each rotation that is pooled rotates the filters of all levels.

    Parameters
    ----------
    wavelet : str
        The name of a discrete wavelet of pywt.
    subband : str
        "LLH", ..., or of two letters in a plane.
    level : int
        From 1.

    References
    ----------
    Image Biomarker Standardisation Initiative, convolutional filters: separable wavelets (25BO).
    """
    wavelet = pywt.Wavelet(wavelet)
    low_passes = tuple(line_filter(wavelet.dec_lo, 2**step) for step in range(level - 1))
    spacing = 2 ** (level - 1)
    last = {"L": line_filter(wavelet.dec_lo, spacing), "H": line_filter(wavelet.dec_hi, spacing)}
    chains = tuple((*low_passes, last[letter]) for letter in subband)
    return rotated_responses(image, sides, chains, axes, boundary, pooling)


def wavelet_reach(wavelet, level):
    """Return how many voxels a sub-band of a level depends on, one way round or rotated."""
    return pywt.Wavelet(wavelet).dec_len // 2 * (2**level - 1)
