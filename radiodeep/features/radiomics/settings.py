"""Parameters of `RadiomicsExtractor` -> checked settings and the names of the features.

`RadiomicsSettings` is the only table of these parameters: what each may be, how errors say it, and what pyradiomics
calls it. The constructor's checks, measurement, parameter files and the engine of pyradiomics read it.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache, partial
from typing import NamedTuple

import numpy as np

from radiodeep.checks import (
    did_you_mean,
    in_words,
    invalid,
    is_count,
    is_finite,
    is_flag,
    is_non_negative,
    is_option,
    is_positive,
    is_sequence,
    require,
)
from radiodeep.exceptions import InputError
from radiodeep.handcrafted.catalogue import (
    FAMILIES,
    ORIGINAL_FAMILIES,
    SHAPE_FAMILIES,
    default_families,
    feature_names,
)
from radiodeep.handcrafted.conventions import PYRADIOMICS
from radiodeep.handcrafted.neighbours import WEIGHTING_NORMS
from radiodeep.imaging.filters import IMAGE_TYPES, filter_names
from radiodeep.imaging.intensity import NORMALIZATION_PARTS, RESEGMENT_MODES
from radiodeep.imaging.resample import GRIDS, INTERPOLATORS
from radiodeep.rows import canonical

_OWNER = "RadiomicsExtractor"
_UNKNOWN = object()


def _as_tuple(value):
    return tuple(value) if is_sequence(value) else value


def _as_plain(value):
    return np.asarray(value).tolist()


@dataclass(frozen=True)
class Setting:
    """The rules of one parameter.

    `allows` tells whether a value is allowed, `allowed` says the same in words for errors, and a misspelt value is
    compared with the `options`. If `of_texture`, an image type may have its own value. `key` is the name of the setting
    in pyradiomics, and `read` and `write` convert from and to its value there; for a value of the wrong kind `read`
    returns one that `allows` refuses, or raises a ValueError that says what the value must be. A setting without a key
    has the fixed `pyradiomics_value` there. Extractors that were saved before the parameter existed have the
    `value_before`.
    """

    allows: Callable
    allowed: str
    options: tuple = ()
    of_texture: bool = False
    key: str | None = None
    read: Callable = _as_tuple
    write: Callable = _as_plain
    pyradiomics_value: object = _UNKNOWN
    value_before: object = _UNKNOWN

    def check(self, owner, name, value):
        """Raise an InputError unless a value of the owner's parameter of this name is allowed."""
        if not self.allows(value):
            raise invalid(owner, name, self.allowed, value, did_you_mean(value, self.options))


def _parameter(allows, allowed, *, optional=False, **more):
    """Return the field of a parameter; `optional` ones may be None."""
    if optional:
        allows, allowed = partial(_is_none_or, allows), f"None or {allowed}"
    return field(metadata={"setting": Setting(allows, allowed, **more)})


def _option(options, **more):
    return _parameter(partial(is_option, options=options), in_words(options), options=tuple(options), **more)


def _count(least, most=None, **more):
    allowed = f"an int >= {least}" if most is None else f"an int from {least} to {most}"
    return _parameter(partial(is_count, least=least, most=most), allowed, **more)


_flag = partial(_parameter, is_flag, "True or False")
_positive = partial(_parameter, is_positive, "a float > 0")


def _is_none_or(allows, value):
    return value is None or allows(value)


def _are_distances(value):
    return is_sequence(value) and all(is_count(step, 1, 20) for step in value)


def _is_spacing(value):
    steps = value if is_sequence(value) else [value]
    return len(steps) in (1, 3) and all(map(is_non_negative, steps))


def _are_limits(value):
    return is_sequence(value) and len(value) <= 2 and all(map(is_finite, value))


def _as_float(value):
    """Return a number, or the numbers of a sequence, as float; anything else as it is."""
    if is_sequence(value):
        return tuple(map(_as_float, value))
    return float(value) if is_finite(value) else value


def _from_xyz(value):
    """Return a spacing (x, y), or (x, y, z), as (z, y, x); 0 leaves an axis as it is."""
    if not (is_sequence(value) and len(value) in (2, 3) and all(map(is_non_negative, value))):
        raise ValueError("a list of two or three numbers >= 0 (x, y, z)")
    return (0.0, *_as_float(value[::-1]))[-3:]


def _to_xyz(value):
    return np.broadcast_to(np.asarray(value, dtype=float), 3)[::-1].tolist()


def _from_sitk(value):
    """Return the interpolator that a name of SimpleITK, or its number there, stands for."""
    by_value = {sitk_name: name for name, sitk_name in INTERPOLATORS.items()}
    if is_count(value):
        import SimpleITK as sitk  # late: it takes 100 MB, and numbers are rare

        by_value = {getattr(sitk, sitk_name): name for sitk_name, name in by_value.items()}
    if not is_option(value, by_value):
        raise ValueError(in_words(INTERPOLATORS.values()))
    return by_value[value]


@dataclass(frozen=True, eq=False, kw_only=True)
class RadiomicsSettings:
    """The parameters of a `RadiomicsExtractor`, which explains them, and what follows from them alone.

    `n_dimensions` is that of the images for which default families are chosen, None as long as no case was read.
    Raises an InputError for a parameter out of range.
    """

    bin_width: float | None = _parameter(
        partial(_is_none_or, is_positive), "a float > 0", key="binWidth", read=_as_float, of_texture=True
    )
    bin_count: int | None = _count(1, optional=True, key="binCount", of_texture=True)
    families: Collection | None = field()
    image_types: Collection | None = field()
    force_2d: bool = _flag(key="force2D")
    force_2d_dimension: int | None = _parameter(
        partial(is_option, options=(None, 0, 1, 2)), "None, 0, 1 or 2 (z, y, x)", key="force2Ddimension"
    )
    distances: tuple = _parameter(
        _are_distances, "a sequence of ints from 1 to 20, e.g. (1,)", key="distances", of_texture=True
    )
    symmetrical_glcm: bool = _flag(key="symmetricalGLCM", of_texture=True)
    weighting_norm: str | None = _option((None, *WEIGHTING_NORMS), key="weightingNorm", of_texture=True)
    gldm_alpha: int = _count(0, key="gldm_a", of_texture=True)
    voxel_array_shift: float = _parameter(
        is_finite, "a finite float", key="voxelArrayShift", read=_as_float, of_texture=True
    )
    max_gray_levels: int = _count(1, 65534, of_texture=True)
    normalize: bool = _flag(key="normalize")
    normalize_over: str = _option(NORMALIZATION_PARTS, pyradiomics_value="image", value_before="image")
    ring_mm: float = _positive(value_before=10.0)
    normalize_scale: float = _positive(key="normalizeScale", read=_as_float)
    remove_outliers: float | None = _positive(optional=True, key="removeOutliers", read=_as_float)
    resample_mm: float | tuple | None = _parameter(
        partial(_is_none_or, _is_spacing),
        "None, a float >= 0, or three (z, y, x)",
        key="resampledPixelSpacing",
        read=_from_xyz,
        write=_to_xyz,
    )
    interpolator: str = _option(INTERPOLATORS, key="interpolator", read=_from_sitk, write=INTERPOLATORS.get)
    anti_alias: bool = _flag(pyradiomics_value=False, value_before=False)
    resample_grid: str = _option(GRIDS, pyradiomics_value=PYRADIOMICS.resample_grid, value_before="corner")
    pre_crop: bool = _flag(key="preCrop")
    pad_distance: int = _count(0, key="padDistance")
    resegment_range: tuple | None = _parameter(
        _are_limits, "a sequence of one or two floats", optional=True, key="resegmentRange", read=_as_float
    )
    resegment_mode: str = _option(RESEGMENT_MODES, key="resegmentMode")
    resegment_shape: bool = _flag(key="resegmentShape")
    label: int | None = _count(1, optional=True, key="label")
    minimum_roi_dimensions: int = _parameter(
        partial(is_count, least=1, most=3), "1, 2 or 3", key="minimumROIDimensions"
    )
    minimum_roi_size: int | None = _count(1, optional=True, key="minimumROISize")
    axes: str = _option(("anatomical", "stored"), value_before="stored")
    engine: str = _option(("radiodeep", "pyradiomics"))
    n_dimensions: int | None = None
    definitions = PYRADIOMICS  # the only convention so far

    @classmethod
    def of(cls, extractor):
        """Return the settings of a `RadiomicsExtractor`, which may be fitted."""
        parameters = {row.name: getattr(extractor, row.name) for row in fields(cls) if row.name != "n_dimensions"}
        return cls(**parameters, n_dimensions=getattr(extractor, "n_dimensions_", None))

    def __post_init__(self):
        for name, setting in SETTINGS.items():
            setting.check(_OWNER, name, getattr(self, name))
        _require_bins(_OWNER, self.bin_width, self.bin_count)
        self._check_features()
        unmeasured = [name for name in self.chosen_families if not any(kind.measures(name) for kind in self.types)]
        if unmeasured:
            raise InputError(f"The family '{unmeasured[0]}' needs the original image: add 'Original' to image_types.")
        for image_type in self.types:
            image_type.check(self)

    @cached_property
    def names_by_family(self):
        """A dict from the chosen families to names of features in them, None for all."""
        if self.families is None:
            return dict.fromkeys(default_families(self.n_dimensions))
        allowed = f"None, a sequence of {', '.join(FAMILIES)}, or a dict from them to lists of names"
        return _by_name("families", self.families, Collection, FAMILIES, allowed)

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
        return [f"{family}_{name}" for family, name in self._chosen]

    @cached_property
    def _chosen(self):
        """Pairs (family, name) of the chosen features, in the order of the catalogue."""
        pairs = _named_pairs(tuple(self.chosen_families))
        if self.chooses_whole_families:
            return pairs
        return [(family, name) for family, name in pairs if name in (self.names_by_family[family] or [name])]

    @cached_property
    def types(self):
        """The image types with their settings, a list of `ImageType`."""
        # Names of images tell two dimensions from three, but not which axis is left out: any axis serves.
        return _read_image_types(self.image_types, 0 if self.force_2d else None)

    @cached_property
    def columns(self):
        """The columns of the table, a list of `Column`: shape, then all else by image."""
        name_of = self.definitions.column_name
        shape = [pair for pair in self._chosen if pair[0] in SHAPE_FAMILIES]
        others = [pair for pair in self._chosen if pair[0] not in SHAPE_FAMILIES]
        columns = [Column(name_of("original", *pair), *pair, None) for pair in shape]
        for image_type in self.types:
            for image in image_type.images:
                measured = [pair for pair in others if image_type.measures(pair[0])]
                columns += [Column(name_of(image, *pair), *pair, image_type) for pair in measured]
        return columns

    def without_shape(self):
        """Return the settings of all families but those of shape, or None if there is no other."""
        others = {name: names for name, names in self.names_by_family.items() if name not in SHAPE_FAMILIES}
        return replace(self, families=others) if others else None

    def texture_settings(self, image_type=None, image=None):
        """Return the keyword arguments of `region_measurer` for an image of an image type, or for shape."""
        own = {} if image_type is None else image_type.texture_of(image)
        values = {name: own.get(name, getattr(self, name)) for name in TEXTURE_SETTINGS}
        if values["bin_width"] is None:
            values["bin_width"] = 25.0  # without effect: there is a bin_count
        return values

    def _check_features(self):
        """Raise an InputError if 'families' names features that do not exist."""
        if self.chooses_whole_families:
            return
        known = feature_names(self.chosen_families)
        single = {f"{family}_{name}" for family, names in self.names_by_family.items() for name in names or []}
        unknown = sorted(single - set(known))
        if unknown:
            raise InputError(
                f"The 'families' parameter of {_OWNER} names features that do not exist: {', '.join(unknown)}. "
                f"feature_names() of radiodeep.handcrafted.catalogue lists them all.{did_you_mean(unknown, known)}"
            )


@lru_cache
def _named_pairs(families):
    """Return pairs (family, name) of all features of families, in the order of the catalogue."""
    return [tuple(name.split("_", 1)) for name in feature_names(families)]


SETTINGS = {row.name: row.metadata["setting"] for row in fields(RadiomicsSettings) if row.metadata}
TEXTURE_SETTINGS = tuple(name for name, setting in SETTINGS.items() if setting.of_texture)


class ImageType(NamedTuple):
    """An image type with the settings of its filter and its own settings of texture.

    `images` are the names of the images that it makes, e.g. "wavelet-LLH". The `bin_width` among `texture` may be a
    dict from these names to widths.
    """

    name: str
    filters: dict
    texture: dict
    images: list

    def measures(self, family):
        """Return whether the features of a family are calculated in its images."""
        return self.name == "Original" or family not in ORIGINAL_FAMILIES

    @property
    def has_widths_by_image(self):
        return isinstance(self.texture.get("bin_width"), Mapping)

    def check(self, settings):
        """Raise an InputError for a setting of texture out of range, or widths that are not those of all images."""
        owner = f"the image type {self.name}"
        for name, value in self.texture.items():
            if not (name == "bin_width" and self.has_widths_by_image):
                SETTINGS[name].check(owner, name, value)
        if self.has_widths_by_image:
            widths = self.texture["bin_width"]
            allowed = f"a float > 0, or a dict from all names of its images to floats > 0: {', '.join(self.images)}"
            fulfilled = set(widths) == set(self.images) and all(map(is_positive, widths.values()))
            require(fulfilled, owner, "bin_width", allowed, widths, did_you_mean(widths, self.images))
        bins = [self.texture.get(name, getattr(settings, name)) for name in ("bin_width", "bin_count")]
        _require_bins(owner, *bins)

    def texture_of(self, image):
        """Return the settings of texture that an image has for itself."""
        if not self.has_widths_by_image:
            return self.texture
        return {**self.texture, "bin_width": self.texture["bin_width"][image]}


class Column(NamedTuple):
    """A column of the table: its title, the feature, and the image type (None for shape)."""

    title: str
    family: str
    name: str
    image_type: ImageType | None


def complete_saved_state(state):
    """Return the state of an extractor with the parameters that it was saved without, so that it computes as it did."""
    state = {"image": None, **state}
    old = {name: setting.value_before for name, setting in SETTINGS.items() if setting.value_before is not _UNKNOWN}
    missing = {name: value for name, value in old.items() if name not in state}
    if missing and "training_settings_" in state:
        trained = {**canonical(missing), **json.loads(state["training_settings_"])}
        missing["training_settings_"] = json.dumps(trained, sort_keys=True)
    return {**state, **missing}


def _require_bins(owner, bin_width, bin_count):
    require(bin_width is not None or bin_count is not None, owner, "bin_width", "a float > 0", None)


def _by_name(parameter, value, kinds, options, allowed):
    """Return a collection of options, or a dict from them, as a dict; raise an InputError for anything else."""
    is_listed = isinstance(value, kinds) and not isinstance(value, str)
    if not is_listed or len(value) == 0 or not all(is_option(name, options) for name in value):
        hint = did_you_mean(value, options)
        if isinstance(value, str):  # a name in place of a list
            hint = hint.replace(" mean ", " mean [").replace("?", "]?")
        raise invalid(_OWNER, parameter, allowed, value, hint)
    return value if isinstance(value, Mapping) else dict.fromkeys(value)


def _read_image_types(image_types, flat_axis):
    """Return the list of `ImageType` that the parameter 'image_types' asks for."""
    if image_types is None:
        image_types = ("Original",)
    allowed = f"None, or a sequence or dict of {', '.join(IMAGE_TYPES)}"
    types = []
    for name, settings in _by_name("image_types", image_types, (list, tuple, Mapping), IMAGE_TYPES, allowed).items():
        texture = {key: value for key, value in (settings or {}).items() if key in TEXTURE_SETTINGS}
        filters = {key: value for key, value in (settings or {}).items() if key not in TEXTURE_SETTINGS}
        types.append(ImageType(name, filters, texture, filter_names(name, filters, flat_axis)))
    return types
