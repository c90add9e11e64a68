"""Cases and a loaded network -> the deep features of each of their images, side by side."""

from functools import partial

import numpy as np

from radiodeep.features.deep.loaded_networks import read_ahead
from radiodeep.features.deep.reader import n_at_once
from radiodeep.imaging.network_view import warn_of_constant_image


def image_rows(cases, images, view, reader, loaded):
    """Return lists of (position of the case, features) by the name of the image; missing images have no pair.

    `images` are the `MeasuredImages` of the extractor. The network is given the images of one name at a time, as if
    there were no others.
    """
    rows = {name: [] for name in images.names}
    pending = {name: [] for name in images.names}  # pairs (position of the case, what the network is shown)

    def compute(name):
        positions, shown = zip(*pending[name], strict=True)
        rows[name] += zip(positions, reader.rows(loaded, shown, view.n_windows), strict=True)
        pending[name] = []

    for position, shown in enumerate(read_ahead(partial(images.shown, view.images), cases)):
        for name, planes in shown.items():
            if planes.min() == planes.max():
                warn_of_constant_image(images.where(cases[position], name), view.intensity_range, stacklevel=6)
            pending[name].append((position, planes))
            if sum(len(each) for _, each in pending[name]) >= n_at_once(planes, loaded.device):
                compute(name)
    for name in images.names:
        if pending[name]:
            compute(name)
    return rows


def side_by_side(rows, n_cases, names_of_columns):
    """Return the result of `image_rows` as float64 (n_cases, n_columns), NaN where an image is missing.

    The function `names_of_columns`, which takes time, is asked only if there is no row.
    """
    if not any(rows.values()):
        return np.full((n_cases, len(names_of_columns())), np.nan)
    n_features = next(len(row) for of_image in rows.values() for _, row in of_image)
    table = np.full((n_cases, len(rows), n_features), np.nan)
    for number, of_image in enumerate(rows.values()):
        for position, row in of_image:
            table[position, number] = row
    return table.reshape(n_cases, -1)
