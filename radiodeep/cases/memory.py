"""In: the shape of an image. Out: an error if its voxels would need more memory than allowed."""

import math
import os

from radiodeep.exceptions import ImageTooLargeError, InputError

MAX_IMAGE_GIB = 8.0  # of float64 voxels: 1024 x 1024 x 1024
_VARIABLE = "RADIODEEP_MAX_IMAGE_GIB"


def check_image_size(shape, what, way_out, copies=1):
    """Raise `ImageTooLargeError` for an image that needs more memory than allowed, before it is allocated.

    Every voxel counts 8 bytes, since computations are in double precision. The limit is 8 GiB (1024 x 1024 x 1024
    voxels), or the value of the environment variable RADIODEEP_MAX_IMAGE_GIB.

    Parameters
    ----------
    shape : sequence of numbers
        Voxels along each axis, (z, y, x).
    what : str
        Beginning of the message: "'scan.nii.gz'", "The image resampled to 0.01 mm".
    way_out : str
        End of the message: what to change.
    copies : int, default=1
        Number of arrays of this shape in memory at once.

    Raises
    ------
    ImageTooLargeError
        The image needs more than the limit.

    Examples
    --------
    >>> from radiodeep.cases.memory import check_image_size
    >>> check_image_size((2000, 2000, 2000), "The image at 0.1 mm", "Use larger voxels.")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.ImageTooLargeError: The image at 0.1 mm has 2000x2000x2000 voxels (x, y, z), 59.6 GiB ...
    """
    limit = _limit_gib()
    sizes = [float(size) for size in shape]
    gib = math.prod(sizes) * 8 * copies / 2**30
    if not gib <= limit:  # also true for NaN
        voxels = "x".join(f"{size:.0f}" if size < 1e9 else f"{size:.3g}" for size in reversed(sizes))
        held = f" ({copies} copies at once)" if copies > 1 else ""
        raise ImageTooLargeError(
            f"{what} has {voxels} voxels (x, y, z), {gib:.3g} GiB in double precision{held}. "
            f"Expected at most {limit:g} GiB. "
            f"{way_out} If the memory is there, set the environment variable {_VARIABLE} to a larger number."
        )


def _limit_gib():
    text = os.environ.get(_VARIABLE, "")
    try:
        limit = float(text) if text else MAX_IMAGE_GIB
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise InputError(f"The environment variable {_VARIABLE} must be a number > 0. Got {text!r} instead.")
    return limit
