"""The parameters of `RadiomicsExtractor` in; checked settings and the names of its features out.

`RadiomicsSettings` is the one table of these parameters: what each may be, how errors say it, and what pyradiomics
calls it. The check of the constructor, the plan of measurement, parameter files and the engine of pyradiomics read it.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
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
from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES, FAMILIES, SHAPE_FAMILIES, feature_names
from radiodeep.handcrafted.conventions import PYRADIOMICS
from radiodeep.handcrafted.neighbours import WEIGHTING_NORMS
from radiodeep.imaging.filters import IMAGE_TYPES, filter_names
from radiodeep.imaging.intensity import NORMALIZATION_PARTS, RESEGMENT_MODES
from radiodeep.imaging.resample import GRIDS, INTERPOLATORS
from radiodeep.rows import canonical

_OWNER = "RadiomicsExtractor"
_UNKNOWN = object()
AXES = ("anatomical", "stored")
ENGINES = ("radiodeep", "pyradiomics")


def _as_tuple(value):
    return tuple(value) if is_sequence(value) else value


def _as_plain(value):
    return np.asarray(value).tolist()


@dataclass(frozen=True)
class Setting:
    """A row of the table: one parameter.

    Attributes
    ----------
    allows : callable
        Whether a value may be given.
    allowed : str
        The same in words, for errors.
    options : sequence of str
        The values that a misspelt one is compared with.
    of_texture : bool
        Whether an image type may have a value of its own, which `region_measurer` is given.
    key : str or None
        Name of the setting in parameter files of pyradiomics, and for its extractor.
    read, write : callable
        From the value in a parameter file to that of the parameter, and back. For a value of the wrong kind `read`
        returns something that `allows` refuses, or raises a ValueError that says in words what it must be.
    only : object
        The only value that pyradiomics has of a setting without a `key`.
    before : object
        What extractors did that were saved before the parameter existed.
    """

    allows: Callable
    allowed: str
    options: tuple = ()
    of_texture: bool = False
    key: str | None = None
    read: Callable = _as_tuple
    write: Callable = _as_plain
    only: object = _UNKNOWN
    before: object = _UNKNOWN

    def check(self, name, value):
        """Raise an InputError unless a value of the parameter of this name is allowed."""
        if not self.allows(value):
            raise invalid(_OWNER, name, self.allowed, value, did_you_mean(value, self.options))


def _row(allows, allowed, *, optional=False, **more):
    """Return the field of a parameter; `optional` ones may be None."""
    if optional:
        return field(metadata={"setting": Setting(partial(_is_none_or, allows), f"None or {allowed}", **more)})
    return field(metadata={"setting": Setting(allows, allowed, **more)})


def _option(options, **more):
    return _row(partial(is_option, options=options), in_words(options), options=tuple(options), **more)


def _count(least, most=None, **more):
    allowed = f"an int >= {least}" if most is None else f"an int from {least} to {most}"
    return _row(partial(is_count, least=least, most=most), allowed, **more)


_flag = partial(_row, is_flag, "True or False")
_positive = partial(_row, is_positive, "a float > 0")


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
    """The parameters of a `RadiomicsExtractor`, checked, and what follows from them alone.

    The parameters have the names that the extractor gives them; its docstring explains them. `n_dimensions` is that of
    the images for which default families are chosen, None where that is open.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """

    bin_width: float | None = _row(
        partial(_is_none_or, is_positive), "a float > 0", key="binWidth", read=_as_float, of_texture=True
    )
    bin_count: int | None = _count(1, optional=True, key="binCount", of_texture=True)
    families: Collection | None = field()
    image_types: Collection | None = field()
    force_2d: bool = _flag(key="force2D")
    force_2d_dimension: int | None = _row(
        partial(is_option, options=(None, 0, 1, 2)), "None, 0, 1 or 2 (z, y, x)", key="force2Ddimension"
    )
    distances: tuple = _row(
        _are_distances, "a sequence of ints from 1 to 20, e.g. (1,)", key="distances", of_texture=True
    )
    symmetrical_glcm: bool = _flag(key="symmetricalGLCM", of_texture=True)
    weighting_norm: str | None = _option((None, *WEIGHTING_NORMS), key="weightingNorm", of_texture=True)
    gldm_alpha: int = _count(0, key="gldm_a", of_texture=True)
    voxel_array_shift: float = _row(is_finite, "a finite float", key="voxelArrayShift", read=_as_float, of_texture=True)
    max_gray_levels: int = _count(1, 65534, of_texture=True)
    normalize: bool = _flag(key="normalize")
    normalize_over: str = _option(NORMALIZATION_PARTS, only="image", before="image")
    ring_mm: float = _positive(before=10.0)
    normalize_scale: float = _positive(key="normalizeScale", read=_as_float)
    remove_outliers: float | None = _positive(optional=True, key="removeOutliers", read=_as_float)
    resample_mm: float | tuple | None = _row(
        partial(_is_none_or, _is_spacing),
        "None, a float >= 0, or three (z, y, x)",
        key="resampledPixelSpacing",
        read=_from_xyz,
        write=_to_xyz,
    )
    interpolator: str = _option(INTERPOLATORS, key="interpolator", read=_from_sitk, write=INTERPOLATORS.get)
    anti_alias: bool = _flag(only=False, before=False)
    resample_grid: str = _option(GRIDS, only=PYRADIOMICS.resample_grid, before="corner")
    pre_crop: bool = _flag(key="preCrop")
    pad_distance: int = _count(0, key="padDistance")
    resegment_range: tuple | None = _row(
        _are_limits, "a sequence of one or two floats", optional=True, key="resegmentRange", read=_as_float
    )
    resegment_mode: str = _option(RESEGMENT_MODES, key="resegmentMode")
    resegment_shape: bool = _flag(key="resegmentShape")
    label: int | None = _count(1, optional=True, key="label")
    minimum_roi_dimensions: int = _row(partial(is_count, least=1, most=3), "1, 2 or 3", key="minimumROIDimensions")
    minimum_roi_size: int | None = _count(1, optional=True, key="minimumROISize")
    axes: str = _option(AXES, before="stored")
    engine: str = _option(ENGINES)
    n_dimensions: int | None = None
    definitions = PYRADIOMICS  # the only convention so far

    @classmethod
    def of(cls, extractor):
        """Return the settings of a `RadiomicsExtractor`, which may be fitted."""
        parameters = {row.name: getattr(extractor, row.name) for row in fields(cls) if row.name != "n_dimensions"}
        return cls(**parameters, n_dimensions=getattr(extractor, "n_dimensions_", None))

    def __post_init__(self):
        for name, setting in SETTINGS.items():
            setting.check(name, getattr(self, name))
        require(self.bin_width is not None or self.bin_count is not None, _OWNER, "bin_width", "a float > 0", None)
        _check_families(self.families)
        for image_type in self.types:
            image_type.check()

    @cached_property
    def chosen_families(self):
        """The names of the families that are calculated."""
        return default_families(self.n_dimensions) if self.families is None else list(self.families)

    @cached_property
    def names(self):
        """The names of the chosen features, e.g. "glcm_Contrast", in the order of the catalogue."""
        names = feature_names(self.chosen_families)
        if not isinstance(self.families, Mapping):
            return names
        whole = tuple(f"{family}_" for family, listed in self.families.items() if not listed)
        single = _single_features(self.families)
        return [name for name in names if name in single or name.startswith(whole)]

    @cached_property
    def types(self):
        """The image types with their settings, a list of `ImageType`."""
        return _read_image_types(self.image_types, 0 if self.force_2d else None)

    @cached_property
    def columns(self):
        """The columns of the table, a list of `Column`: shape, then all else by image."""
        pairs = [name.split("_", 1) for name in self.names]
        name_of = self.definitions.column_name
        shape = [Column(name_of("original", *pair), *pair, None) for pair in pairs if pair[0] in SHAPE_FAMILIES]
        return shape + [
            Column(name_of(image, *pair), *pair, image_type)
            for image_type in self.types
            for image in image_type.images
            for pair in pairs
            if pair[0] not in SHAPE_FAMILIES
        ]

    def texture_settings(self, image_type=None, image=None):
        """Return the keyword arguments of `region_measurer` for an image of an image type."""
        own = {} if image_type is None else image_type.own_texture(image)
        values = {name: own.get(name, getattr(self, name)) for name in TEXTURE_SETTINGS}
        if values["bin_width"] is None:
            values["bin_width"] = 25.0  # without effect: there is a bin_count
        return values


SETTINGS = {row.name: row.metadata["setting"] for row in fields(RadiomicsSettings) if row.metadata}
TEXTURE_SETTINGS = tuple(name for name, setting in SETTINGS.items() if setting.of_texture)


class ImageType(NamedTuple):
    """An image type and its settings.

    Attributes
    ----------
    name : str
    filters : dict
        Settings of the filter.
    texture : dict
        Settings of texture that this image type has for itself; `bin_width` perhaps a dict by image.
    images : list of str
        Names of the images that it makes, e.g. "wavelet-LLH".
    """

    name: str
    filters: dict
    texture: dict
    images: list

    @property
    def has_widths_by_image(self):
        return isinstance(self.texture.get("bin_width"), Mapping)

    def check(self):
        """Raise an InputError for a setting of texture out of range, or widths that are not those of all images."""
        owner = f"the image type {self.name}"
        for name, value in self.texture.items():
            setting = SETTINGS[name]
            if value is None or (name == "bin_width" and self.has_widths_by_image):
                continue
            require(setting.allows(value), owner, name, setting.allowed, value, did_you_mean(value, setting.options))
        if self.has_widths_by_image:
            widths = self.texture["bin_width"]
            allowed = f"a float > 0, or a dict from all names of its images to floats > 0: {', '.join(self.images)}"
            fulfilled = set(widths) == set(self.images) and all(map(is_positive, widths.values()))
            require(fulfilled, owner, "bin_width", allowed, widths, did_you_mean(widths, self.images))

    def own_texture(self, image):
        """Return the settings of texture that one of the images has for itself."""
        if not self.has_widths_by_image:
            return self.texture
        return {**self.texture, "bin_width": self.texture["bin_width"][image]}


class Column(NamedTuple):
    """A column of the table: its title, the feature, and the image type (None for shape)."""

    title: str
    family: str
    name: str
    image_type: ImageType | None


def default_families(n_dimensions):
    """Return all families but the shape of the other dimension; None stands for three dimensions."""
    return ["shape2D" if n_dimensions == 2 and family == "shape" else family for family in DEFAULT_FAMILIES]


def complete_saved_state(state):
    """Return the state of an extractor with the parameters that it was saved without, so that it computes as it did."""
    before = {name: setting.before for name, setting in SETTINGS.items() if setting.before is not _UNKNOWN}
    missing = {name: value for name, value in before.items() if name not in state}
    if missing and "training_settings_" in state:
        trained = {**canonical(missing), **json.loads(state["training_settings_"])}
        missing["training_settings_"] = json.dumps(trained, sort_keys=True)
    return {**state, **missing}


def _check_families(families):
    """Raise an InputError unless `families` is None, some families, or a dict from them to names of features."""
    if families is None:
        return
    is_listed = isinstance(families, Collection) and not isinstance(families, str)
    if not is_listed or len(families) == 0 or not all(is_option(family, FAMILIES) for family in families):
        allowed = f"None, a sequence of {', '.join(FAMILIES)}, or a dict from them to lists of names"
        raise invalid(_OWNER, "families", allowed, families, _lists_meant(families, FAMILIES))
    known = feature_names(families)
    unknown = sorted(_single_features(families) - set(known))
    if unknown:
        raise InputError(
            f"The 'families' parameter of {_OWNER} names features that do not exist: {', '.join(unknown)}. "
            f"feature_names() of radiodeep.handcrafted.catalogue lists them all.{did_you_mean(unknown, known)}"
        )


def _lists_meant(value, options):
    """Return what `did_you_mean` does; a name that stands where a list should is put into one."""
    hint = did_you_mean(value, options)
    return hint.replace(" mean ", " mean [").replace("?", "]?") if isinstance(value, str) else hint


def _single_features(families):
    """Return the features that `families` names one by one, e.g. {"glcm_Contrast"}."""
    if not isinstance(families, Mapping):
        return set()
    return {f"{family}_{name}" for family, names in families.items() for name in names or []}


def _read_image_types(image_types, flat_axis):
    """Return the list of `ImageType` that the parameter 'image_types' asks for."""
    if image_types is None:
        image_types = ("Original",)
    listed = dict.fromkeys(image_types) if isinstance(image_types, list | tuple) else image_types
    if not isinstance(listed, Mapping) or not listed or not all(name in IMAGE_TYPES for name in listed):
        allowed = f"None, or a sequence or dict of {', '.join(IMAGE_TYPES)}"
        raise invalid(_OWNER, "image_types", allowed, image_types, _lists_meant(image_types, IMAGE_TYPES))
    types = []
    for name, given in listed.items():
        texture = {key: value for key, value in (given or {}).items() if key in TEXTURE_SETTINGS}
        filters = {key: value for key, value in (given or {}).items() if key not in TEXTURE_SETTINGS}
        types.append(ImageType(name, filters, texture, filter_names(name, filters, flat_axis)))
    return types
