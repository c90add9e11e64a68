"""Cases and a loaded network -> the deep features of each of their images, side by side."""

from functools import partial
from typing import NamedTuple

import numpy as np

from radiodeep.exceptions import WeightsError
from radiodeep.features.deep.image_channels import measured_images
from radiodeep.features.deep.loaded_networks import read_ahead
from radiodeep.features.deep.reader import n_at_once
from radiodeep.features.deep.settings import checked_view
from radiodeep.imaging.network_view import warn_of_constant_image


class ShownCase(NamedTuple):
    """What a network is shown of a case: arrays by the name of the image, far smaller than volumes."""

    id: str
    planes: dict


class ShowsCases:
    """Of a deep extractor: cases are shown one at a time, and their features are computed together, without volumes."""

    def shown(self, case):
        """Return a `ShownCase`, all that the features of a case depend on."""
        images = measured_images(self, [case])
        return ShownCase(case.id, images.shown(checked_view(self).images, case))

    def transform_shown(self, shown):
        """Compute the features of cases as `transform` does, from a list of what `shown` returned for each."""
        return self.rows_of(shown, measured_images(self))

    def rows_of(self, cases, images):
        """Return the features of cases, or of what `shown` returned for each, from their `MeasuredImages`."""
        view = checked_view(self)
        loaded = self._inference_network()
        if getattr(self, "weights_sha256_", loaded.sha256) != loaded.sha256:
            raise WeightsError(
                f"The weights of '{self.network}' have changed since the model was fitted: their sha256 was "
                f"{self.weights_sha256_[:12]} and is {loaded.sha256[:12]}. Use the file that it was fitted with."
            )
        rows = image_rows(cases, images, view, self._reader(), loaded)
        return side_by_side(rows, len(cases), self.get_feature_names_out)


def image_rows(cases, images, view, reader, loaded):
    """Return lists of (position of the case, features) by the name of the image; missing images have no pair.

    Cases may be `ShownCase`. `images` are the `MeasuredImages` of the extractor. The network is given the images of one
    name at a time, as if there were no others.
    """
    rows = {name: [] for name in images.names}
    device = loaded.device
    pending = {name: [] for name in images.names}  # pairs (position of the case, what the network is shown)

    def compute(name):
        positions, shown = zip(*pending[name], strict=True)
        rows[name] += zip(positions, reader.rows(loaded, shown, view.n_windows), strict=True)
        pending[name] = []

    for position, shown in enumerate(read_ahead(partial(_planes, images, view), cases)):
        for name, planes in shown.items():
            if planes.min() == planes.max():
                warn_of_constant_image(images.where(cases[position], name), view.intensity_range, stacklevel=6)
            pending[name].append((position, planes))
            if sum(len(each) for _, each in pending[name]) >= n_at_once(planes, device):
                compute(name)
    for name in images.names:
        if pending[name]:
            compute(name)
    return rows


def _planes(images, view, case):
    return case.planes if isinstance(case, ShownCase) else images.shown(view.images, case)


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
