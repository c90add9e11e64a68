"""Images of a case that share grid and mask -> the channels of a network."""

import numpy as np

from radiodeep.cases.naming import naming_image
from radiodeep.exceptions import GeometryMismatchError


def planes_of_images(case, parts, show):
    """Return the images of a case as planes of one array; of two images the third plane is their mean.

    Parameters
    ----------
    case : Case
        Of several images.
    parts : dict from str to Case
        Its images by name, those that are shown.
    show : callable
        Takes the case of one image, returns an array (n, n_planes, ...).

    Returns
    -------
    ndarray of shape (n, n_images * n_planes, ...)

    Raises
    ------
    GeometryMismatchError
        If the images do not share a grid and one mask.
    """
    planes = []
    for name, part in parts.items():
        with naming_image(case, name):
            planes.append(show(part))
    known = [part.acquisition() for part in parts.values()] if case.shares_mask else []  # known once they were read
    if len({(each.spacing_mm, each.field_mm) for each in known}) != 1 and len(parts) > 1:
        raise GeometryMismatchError(
            f"{case.id}: the images {', '.join(parts)} must share a grid and one mask to be the channels of a "
            f"network. Bring them to one grid, radiodeep.on_one_grid(cohort, image={next(iter(parts))!r}), and give "
            "one mask, or measure each by itself."
        )
    if len(planes) == 2:
        planes.append((planes[0] + planes[1]) / 2)
    return np.concatenate(planes, axis=1)
