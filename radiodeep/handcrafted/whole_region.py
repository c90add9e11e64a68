"""In: a region and settings. Out: its shape, first order and texture, measured by one compiled function."""

import numpy as np

from radiodeep.handcrafted.first_order import KURTOSIS, has_usual_span
from radiodeep.handcrafted.gldm import GLDM_ORDER
from radiodeep.handcrafted.glrlm import GLRLM_ORDER
from radiodeep.handcrafted.glszm import GLSZM_ORDER
from radiodeep.handcrafted.gray_levels import bin_edges
from radiodeep.handcrafted.kernels.whole_region import MOST_LEVELS, N_FIRST_ORDER, N_SHAPE, N_TEXTURE, describe_region
from radiodeep.handcrafted.marching_cubes import AREA_VECTOR, CROSSES, TRIPLE
from radiodeep.handcrafted.neighbours import directions, group_representatives
from radiodeep.handcrafted.ordering import sorted_intensities
from radiodeep.handcrafted.shape import sphericity

_MESH = (CROSSES, TRIPLE, AREA_VECTOR)
_MOST_EDGES = MOST_LEVELS + 2  # which are fewer than 256
_SPHERICITY, _VOLUME, _AREA = 10, 8, 11  # their places among the features of shape
_KURTOSIS = N_SHAPE + KURTOSIS
_NO_EDGES = np.zeros(1)


_TEXTURE = ("glcm", "glrlm", "glszm", "gldm", "ngtdm")
_SIZES = {"shape": N_SHAPE, "firstorder": N_FIRST_ORDER, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14, "ngtdm": 5}


def families_at_once(families):
    """Return those of some families that `WholeRegion` measures: texture only if all its families are among them."""
    has_texture = set(_TEXTURE) <= set(families)
    return [family for family in families if family in _SIZES and (has_texture or family not in _TEXTURE)]


class WholeRegion:
    """Measures shape, first order and all texture families, or some of these three groups, with the usual settings.

    In small regions the steps between the families take longer than the families themselves. The settings are those of
    `region_measurer`, with direct neighbours and no weights.
    """

    def __init__(self, families, bins, convention, shift, symmetrical, alpha, flat_axis):
        self._wanted = ("shape" in families, "firstorder" in families, "glcm" in families)
        self._bins = (bins["bin_width"], bins["bin_count"], bins["max_gray_levels"], convention)
        self._excess = 3.0 - convention.kurtosis_of_normal
        self._texture = (float(shift), bool(symmetrical), int(alpha))
        self._neighbours = (directions((1,), flat_axis), group_representatives(flat_axis))
        self._places = _places(*self._wanted)
        self._families = families

    def __call__(self, region):
        """Return the values in the order of the catalogue and the number of grey levels of a `CutRegion`.

        Return None if it has to be measured family by family: if a value is undefined, in which case the functions of
        the families say so, if it has more than 64 grey levels, or no neighbours along some direction.
        """
        values = region.values
        edges = ordered = _NO_EDGES
        if self._wanted[1] or self._wanted[2]:
            edges = bin_edges(values.min(), values.max(), *self._bins)
            if edges.size > _MOST_EDGES:
                return None
            if self._wanted[1]:
                ordered = sorted_intensities(values)
                if values.size < 3 or not has_usual_span(ordered):
                    return None
        out = np.empty(N_SHAPE + N_FIRST_ORDER + N_TEXTURE)
        levels = (edges, *self._neighbours)
        settings = (_MESH, self._wanted, *self._texture)
        values = values.astype(np.float64, copy=False)
        n_levels = describe_region(ordered, values, region.mask, region.spacing_mm, *levels, *settings, out)
        if n_levels < 0:
            return None
        if self._wanted[0]:
            out[_SPHERICITY] = sphericity(float(out[_AREA]), float(out[_VOLUME]))
        if self._wanted[1] and self._excess:
            out[_KURTOSIS] -= self._excess
        return out[self._places], n_levels

    def by_family(self, values):
        """Return a dict from families to their part of the values."""
        ends = np.cumsum([_SIZES[family] for family in self._families])
        return dict(zip(self._families, np.split(values, ends[:-1]), strict=True))


def _places(shape, first_order, texture):
    """Return the places of the features that are wanted in what `describe_region` fills."""
    begin = N_SHAPE + N_FIRST_ORDER
    of_texture = [
        *range(begin, begin + 24),
        *(begin + 24 + place for place in GLRLM_ORDER),
        *(begin + 40 + place for place in GLSZM_ORDER),
        *(begin + 56 + place for place in GLDM_ORDER),
        *range(begin + 72, begin + 77),
    ]
    of_shape, of_first_order = range(N_SHAPE), range(N_SHAPE, begin)
    return np.array([*of_shape] * shape + [*of_first_order] * first_order + of_texture * texture)
