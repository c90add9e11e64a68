"""In: the shape of an image. Out: an error if its voxels would need more memory than allowed."""

import math
import os

from radiodeep.exceptions import ImageTooLargeError, InputError

MAX_IMAGE_GIB = 8.0  # of float64 voxels: 1024 x 1024 x 1024
_VARIABLE = "RADIODEEP_MAX_IMAGE_GIB"


def check_image_size(shape, what, way_out, copies=1):
    """Raise `ImageTooLargeError` for images of a shape (z, y, x) that need more memory than allowed, before allocation.

    Every voxel of each of the `copies` counts 8 bytes, since computations are in double precision. The limit is 8 GiB
    (1024 x 1024 x 1024 voxels), or the value of the environment variable RADIODEEP_MAX_IMAGE_GIB. The message begins
    with `what`, e.g. "'scan.nii.gz'" or "The image resampled to 0.01 mm", and ends with the `way_out`.
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
