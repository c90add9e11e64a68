"""A case and `RadiomicsSettings` -> the row of its features by the definitions of the IBSI."""

import warnings
from functools import cache
from typing import NamedTuple

import numpy as np

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.features.radiomics.convention_rules import check_aggregation_of_slices
from radiodeep.features.radiomics.preparation import check_region_size, derived_images, prepare
from radiodeep.handcrafted.ibsi.catalogue import ibsi_columns
from radiodeep.handcrafted.ibsi.measurement import AUTOCORRELATION_TAGS, ibsi_measurer
from radiodeep.handcrafted.ibsi.region import REACH_MM, IbsiRegion, ibsi_region
from radiodeep.imaging.crop import bounding_box
from radiodeep.progress import announced_if_slow


@cache
def _load_kernels(families, aggregations):
    """Load the compiled loops of families; tell a terminal if they must be compiled, the first time on a machine."""
    image = np.arange(125.0).reshape(5, 5, 5)
    mask = np.ones(image.shape, bool)
    with announced_if_slow(
        "Compiling the loops of the features of the IBSI, once on this machine; it takes about a minute."
    ):
        measure = ibsi_measurer(
            families=families, aggregations=aggregations, bin_width=25.0, bin_count=None, max_gray_levels=1024
        )
        measure(ibsi_region(image, mask, spacing_mm=(1.0, 1.0, 1.0)), True)


class _Measurer(NamedTuple):
    """A function of `ibsi_measurer` for some families, and which of its values are chosen (None for all)."""

    measure: object
    is_chosen: np.ndarray | None

    def values(self, *arguments):
        values, n_levels = self.measure(*arguments)
        return values if self.is_chosen is None else values[self.is_chosen], n_levels


class IbsiMeasurement:
    """Features of cases with the same `RadiomicsSettings`; what does not depend on the case is prepared once."""

    def __init__(self, settings):
        self.settings = settings
        families = settings.chosen_families
        _load_kernels(tuple(families), settings.aggregations)
        once = [family for family in families if family in settings.feature_set.once_families]
        others = [family for family in families if family not in once]
        self._once = self._measurer(once) if once else None
        self._by_image = {}
        for image_type in settings.types if others else ():
            for name in image_type.images:
                self._by_image[name] = self._measurer(others, image_type, name)
        # Both in one call if the original image comes first, which puts morphology in front.
        first = settings.types[0].name == "Original"
        self._joint = self._measurer(families, settings.types[0], "original") if once and others and first else None

    def _measurer(self, families, image_type=None, image=None):
        settings = self.settings
        texture = settings.texture_settings(image_type, image)
        chosen = set(settings.names)
        measure = ibsi_measurer(
            families=families,
            aggregations=settings.aggregations,
            autocorrelation=not chosen.isdisjoint(AUTOCORRELATION_TAGS),
            **texture,
        )
        if settings.chooses_whole_families:
            return _Measurer(measure, None)
        columns = ibsi_columns(tuple(families), settings.aggregations)
        return _Measurer(measure, np.array([column.tag in chosen for column in columns]))

    def row_of(self, case, image=""):
        """Return the features of a case, float64 of shape (n_features,); messages of errors may lack its id.

        `image` is the name of its image if that is one of several.
        """
        prepared = prepare(case, self.settings)
        check_region_size(prepared, self.settings)
        if prepared.voxels.shape[0] == 1:
            check_aggregation_of_slices(self.settings)
        steps = np.ceil(REACH_MM / np.asarray(prepared.spacing_mm)).astype(int).tolist()
        prepared = prepared._replace(box=bounding_box(prepared.shape_roi, steps))
        parts = []
        flat = []
        if self._once is not None and self._joint is None:
            parts.append(self._once.values(*self._region(prepared))[0])
        for image_type in self.settings.types if self._by_image else ():
            for name, voxels in derived_images(prepared, image_type, self.settings.is_flat):
                measurer = self._joint if self._joint is not None and name == "original" else self._by_image[name]
                try:
                    values, n_levels = measurer.values(*self._region(prepared, name, voxels))
                except InputError as error:
                    if name == "original":
                        raise
                    raise type(error)(f"in the derived image '{name}': {error}") from error
                parts.append(values)
                flat += [name] if n_levels == 1 else []
        if flat:
            where = f"{case.id}: {image}" if image else case.id
            warnings.warn(
                f"{where}: all intensities of the images {', '.join(flat)} fall into one grey level, so that texture "
                "says nothing. Use a smaller bin_width (suggest_bin_width finds one), or bin_count=32.",
                RadiodeepWarning,
                stacklevel=9,
            )
        return np.concatenate(parts)

    def _region(self, prepared, name="original", voxels=None):
        """Return the arguments of a function of `ibsi_measurer` for an image in the box of the prepared case.

        Bounds of resegmentation are those of the original image, so bins of derived images begin at their minimum.
        """
        box = prepared.box
        voxels = prepared.voxels[box] if voxels is None else voxels
        region = IbsiRegion(
            np.ascontiguousarray(voxels, np.float64),
            np.ascontiguousarray(prepared.shape_roi[box]),
            np.ascontiguousarray(prepared.roi[box]),
            np.array(prepared.spacing_mm, float),
            prepared.slice_axis,
        )
        if name != "original":
            return region, False
        limits = self.settings.resegment_range
        bounds = [] if limits is None else sorted(map(float, limits))
        return region, prepared.has_integers, *bounds
