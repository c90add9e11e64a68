"""Parameters of `RadiomicsExtractor` -> checked settings and the names of the features.

`RadiomicsSettings` is the only table of these parameters: what each may be, how errors say it, and what pyradiomics
calls it. The constructor's checks, measurement, parameter files and the engine of pyradiomics read it.
"""

import json
import pickle
from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property, lru_cache, partial

from radiodeep.checks import did_you_mean, is_count, is_finite, is_option, is_positive, is_sequence
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.convention_rules import check_convention
from radiodeep.features.radiomics.feature_sets import FEATURE_SETS
from radiodeep.features.radiomics.image_types import OWNER, Column, by_name, read_image_types, require_bins
from radiodeep.features.radiomics.parameters import (
    UNKNOWN,
    are_bounds,
    are_distances,
    are_options,
    as_float,
    count,
    flag,
    from_sitk,
    from_xyz,
    is_none_or,
    is_spacing,
    option,
    parameter,
    positive,
    to_xyz,
)
from radiodeep.handcrafted.conventions import CONVENTIONS, IBSI, PYRADIOMICS
from radiodeep.handcrafted.ibsi.catalogue import AGGREGATIONS
from radiodeep.handcrafted.neighbours import WEIGHTING_NORMS
from radiodeep.imaging.intensity import NORMALIZATION_PARTS, RESEGMENT_MODES
from radiodeep.imaging.resample import GRIDS, INTERPOLATORS
from radiodeep.rows import canonical

_MERGING = "aggregation says whether matrices are merged"


@dataclass(frozen=True, eq=False, kw_only=True)
class RadiomicsSettings:
    """The parameters of a `RadiomicsExtractor`, which explains them, and what follows from them alone.

    `n_dimensions` is that of the images for which default families are chosen, None as long as no case was read.
    Raises an InputError for a parameter out of range.
    """

    bin_width: float | None = parameter(
        partial(is_none_or, is_positive), "a float > 0", key="binWidth", read=as_float, of_texture=True
    )
    bin_count: int | None = count(1, optional=True, key="binCount", of_texture=True)
    families: Collection | None = field()
    image_types: Collection | None = field()
    force_2d: bool = flag(key="force2D", ibsi_value=False, instead="aggregation='2.5D_merged' looks at slices")
    force_2d_dimension: int | None = parameter(
        partial(is_option, options=(None, 0, 1, 2)), "None, 0, 1 or 2 (z, y, x)", key="force2Ddimension"
    )
    distances: tuple = parameter(
        are_distances, "a sequence of ints from 1 to 20, e.g. (1,)", key="distances", of_texture=True, ibsi_value=(1,)
    )
    symmetrical_glcm: bool = flag(key="symmetricalGLCM", of_texture=True, ibsi_value=True)
    weighting_norm: str | None = option(
        (None, *WEIGHTING_NORMS), key="weightingNorm", of_texture=True, ibsi_value=None, instead=_MERGING
    )
    gldm_alpha: int = count(0, key="gldm_a", of_texture=True, ibsi_value=0)
    voxel_array_shift: float = parameter(
        is_finite, "a finite float", key="voxelArrayShift", read=as_float, of_texture=True, ibsi_value=0.0
    )
    max_gray_levels: int = count(1, 65534, of_texture=True)
    normalize: bool = flag(key="normalize")
    normalize_over: str = option(NORMALIZATION_PARTS, pyradiomics_value="image", value_before="image")
    ring_mm: float = positive(value_before=10.0)
    normalize_scale: float = positive(key="normalizeScale", read=as_float)
    remove_outliers: float | None = positive(optional=True, key="removeOutliers", read=as_float)
    resample_mm: float | tuple | None = parameter(
        partial(is_none_or, is_spacing),
        "None, a float >= 0, or three (z, y, x)",
        key="resampledPixelSpacing",
        read=from_xyz,
        write=to_xyz,
    )
    interpolator: str = option(INTERPOLATORS, key="interpolator", read=from_sitk, write=INTERPOLATORS.get)
    anti_alias: bool = flag(pyradiomics_value=False, value_before=False)
    resample_grid: str | None = option((None, *GRIDS), pyradiomics_value=PYRADIOMICS.resample_grid, value_before=None)
    pre_crop: bool = flag(key="preCrop")
    pad_distance: int = count(0, key="padDistance")
    resegment_range: tuple | None = parameter(
        are_bounds, "a sequence of one or two floats", optional=True, key="resegmentRange", read=as_float
    )
    resegment_mode: str = option(
        RESEGMENT_MODES,
        key="resegmentMode",
        ibsi_value="absolute",
        instead="resegment_outliers takes standard deviations",
    )
    resegment_shape: bool = flag(key="resegmentShape", ibsi_value=False, instead="morphology keeps the outline")
    label: int | None = count(1, optional=True, key="label")
    minimum_roi_dimensions: int = parameter(partial(is_count, least=1, most=3), "1, 2 or 3", key="minimumROIDimensions")
    minimum_roi_size: int | None = count(1, optional=True, key="minimumROISize")
    axes: str = option(("anatomical", "stored"), value_before="stored")
    engine: str = option(("radiodeep", "pyradiomics"), ibsi_value="radiodeep")
    convention: str = option(tuple(CONVENTIONS), value_before=PYRADIOMICS.name)
    aggregation: str | tuple | None = parameter(
        partial(are_options, AGGREGATIONS),
        f"one of {', '.join(AGGREGATIONS)}, or a sequence of them",
        options=tuple(AGGREGATIONS),
        optional=True,
        only_ibsi=True,
    )
    resegment_outliers: float | None = positive(optional=True, only_ibsi=True)
    ivh_bin_width: float | None = positive(optional=True, only_ibsi=True, of_texture=True)
    ivh_bin_count: int | None = count(2, optional=True, only_ibsi=True, of_texture=True)
    n_dimensions: int | None = None

    @classmethod
    def of(cls, extractor, n_dimensions=None):
        """Return the settings of a `RadiomicsExtractor`; `n_dimensions` is that of its images unless it is fitted.

        Equal parameters give the same object, with all that was derived from it.
        """
        parameters = {name: getattr(extractor, name) for name in SETTINGS}
        parameters |= {"families": extractor.families, "image_types": extractor.image_types}
        parameters["n_dimensions"] = getattr(extractor, "n_dimensions_", n_dimensions)
        try:
            key = pickle.dumps(parameters)  # a copy, as lists and dicts may be changed later
        except (pickle.PicklingError, TypeError, AttributeError):
            return cls(**parameters)
        return _settings_of(key)

    def __post_init__(self):
        for name, setting in SETTINGS.items():
            setting.check(OWNER, name, getattr(self, name))
        require_bins(OWNER, self.bin_width, self.bin_count)
        check_convention(self, SETTINGS)
        self._check_features()
        unmeasured = [name for name in self.chosen_families if not any(kind.measures(name) for kind in self.types)]
        if unmeasured:
            raise InputError(f"The family '{unmeasured[0]}' needs the original image: add 'Original' to image_types.")
        for image_type in self.types:
            image_type.check(self, SETTINGS)

    @property
    def definitions(self):
        """The `Convention`."""
        return CONVENTIONS[self.convention]

    @property
    def feature_set(self):
        """The `FeatureSet` of the convention."""
        return FEATURE_SETS[self.convention]

    @property
    def grid(self):
        """The grid of resampled voxels: that of the convention unless another is asked for."""
        return self.definitions.resample_grid if self.resample_grid is None else self.resample_grid

    @property
    def is_standard(self):
        """Whether the convention is that of the IBSI."""
        return self.convention == IBSI.name

    @property
    def is_flat(self):
        """Whether texture is computed within slices only."""
        return self.force_2d or (self.is_standard and not any(name.startswith("3D") for name in self.aggregations))

    @property
    def learns_dimensions(self):
        """Whether defaults depend on the dimensions of the images."""
        return self.families is None or (self.is_standard and self.aggregation is None)

    @cached_property
    def aggregations(self):
        """The names of the aggregations, a tuple: by default merged in space, or in slices for images of one slice."""
        if self.aggregation is None:
            return ("2.5D_merged",) if self.n_dimensions == 2 else ("3D_merged",)
        return tuple(self.aggregation) if is_sequence(self.aggregation) else (self.aggregation,)

    @cached_property
    def names_by_family(self):
        """A dict from the chosen families to names of features in them, None for all."""
        known = self.feature_set.families
        if self.families is None:
            return dict.fromkeys(self.feature_set.default_families(self.n_dimensions))
        allowed = f"None, a sequence of {', '.join(known)}, or a dict from them to lists of names"
        return by_name("families", self.families, Collection, known, allowed)

    @cached_property
    def chosen_families(self):
        """The names of the families that are calculated."""
        return list(self.names_by_family)

    @property
    def chooses_whole_families(self):
        return not any(self.names_by_family.values())

    @cached_property
    def names(self):
        """The names of the chosen features, e.g. "glcm_Contrast", in the order of the catalogue."""
        return [self._name_of(family, name) for family, name in self._chosen]

    def _name_of(self, family, name):
        return self.definitions.column_name("", family, name).removeprefix("_")

    @cached_property
    def _chosen(self):
        """Pairs (family, name) of the chosen features, in the order of the catalogue."""
        triples = self.feature_set.pairs(tuple(self.chosen_families), self.aggregations)
        if self.chooses_whole_families:
            return [(family, name) for family, name, _ in triples]
        chosen = {family: names and set(names) for family, names in self.names_by_family.items()}
        return [
            (family, name) for family, name, own in triples if not chosen[family] or not chosen[family].isdisjoint(own)
        ]

    @cached_property
    def types(self):
        """The image types with their settings, a list of `ImageType`."""
        # Names of images tell two dimensions from three, but not which axis is left out: any axis serves.
        return read_image_types(self.image_types, self.feature_set, TEXTURE_SETTINGS, 0 if self.is_flat else None)

    @cached_property
    def columns(self):
        """The columns of the table, a list of `Column`: what is measured once, then all else by image."""
        name_of = self.definitions.column_name
        shape = [pair for pair in self._chosen if pair[0] in self.feature_set.once_families]
        others = [pair for pair in self._chosen if pair[0] not in self.feature_set.once_families]
        columns = [Column(name_of("original", *pair), *pair, None) for pair in shape]
        for image_type in self.types:
            for image in image_type.images:
                measured = [pair for pair in others if image_type.measures(pair[0])]
                columns += [Column(name_of(image, *pair), *pair, image_type) for pair in measured]
        return columns

    def without_shape(self):
        """Return the settings of all families but those of shape, or None if there is no other."""
        others = {
            name: names for name, names in self.names_by_family.items() if name not in self.feature_set.once_families
        }
        return replace(self, families=others) if others else None

    def texture_settings(self, image_type=None, image=None):
        """Return the settings of texture for an image of an image type, or for shape: arguments of its measurement."""
        own = {} if image_type is None else image_type.texture_of(image)
        values = {name: own.get(name, getattr(self, name)) for name in texture_settings_of(self.convention)}
        if values["bin_width"] is None:
            values["bin_width"] = 25.0  # without effect: there is a bin_count
        return values

    def _check_features(self):
        """Raise an InputError if 'families' names features that do not exist."""
        if self.chooses_whole_families:
            return
        triples = self.feature_set.pairs(tuple(self.chosen_families), self.aggregations)
        known = list(dict.fromkeys(self._name_of(family, own) for family, _, names in triples for own in names))
        single = {self._name_of(family, name) for family, names in self.names_by_family.items() for name in names or []}
        unknown = sorted(single - set(known))
        if unknown:
            raise InputError(
                f"The 'families' parameter of {OWNER} names features that do not exist: {', '.join(unknown)}. "
                f"{self.feature_set.catalogue} lists them all.{did_you_mean(unknown, known)}"
            )


@lru_cache(maxsize=32)
def _settings_of(parameters):
    return RadiomicsSettings(**pickle.loads(parameters))


SETTINGS = {row.name: row.metadata["setting"] for row in fields(RadiomicsSettings) if row.metadata}
TEXTURE_SETTINGS = tuple(name for name, setting in SETTINGS.items() if setting.of_texture)


@cache
def texture_settings_of(convention):
    """Return the names of the settings of texture that a convention has."""
    return tuple(name for name in TEXTURE_SETTINGS if SETTINGS[name].applies_to(convention))


def effective_settings(settings, parameters):
    """Return what the features depend on, by name, from `RadiomicsSettings` and the parameters that they are made of.

    Defaults are written out as the convention has them; parameters of another convention are left out.
    """
    unused = [name for name, setting in SETTINGS.items() if not setting.applies_to(settings.convention)]
    if settings.convention == PYRADIOMICS.name:
        known = {name: value for name, value in parameters.items() if name not in unused}
    else:  # those that the standard does not have keep their values, which say what was done
        known = {**parameters, "aggregation": list(settings.aggregations)}
    types = [[image_type.name, {**image_type.filters, **image_type.texture}] for image_type in settings.types]
    known |= {"families": settings.names, "image_types": types}  # lists: their order is that of the columns
    known["resample_grid"] = settings.grid
    if settings.bin_count is not None and not any("bin_count" in own for _, own in types):
        known["bin_width"] = None  # without effect
    return known


def complete_saved_state(state):
    """Return the state of an extractor with the parameters that it was saved without, so that it computes as it did."""
    state = {"image": None, **state}
    old = {name: setting.value_before for name, setting in SETTINGS.items() if setting.value_before is not UNKNOWN}
    missing = {name: value for name, value in old.items() if name not in state}
    if missing and "training_settings_" in state:
        trained = {**canonical(missing), **json.loads(state["training_settings_"])}
        missing["training_settings_"] = json.dumps(trained, sort_keys=True)
    return {**state, **missing}
