"""The parameter `image_types` of `RadiomicsExtractor` -> its image types with their settings."""

from collections.abc import Mapping
from typing import NamedTuple

from radiodeep.checks import did_you_mean, invalid, is_option, is_positive, require
from radiodeep.features.radiomics.feature_sets import FeatureSet

OWNER = "RadiomicsExtractor"


class ImageType(NamedTuple):
    """An image type with the settings of its filter and its own settings of texture.

    `images` are the names of the images that it makes, e.g. "wavelet-LLH". The `bin_width` among `texture` may be a
    dict from these names to widths. `feature_set` is that of the convention.
    """

    name: str
    filters: dict
    texture: dict
    images: list
    feature_set: FeatureSet

    def measures(self, family):
        """Return whether the features of a family are calculated in its images."""
        return self.name == "Original" or family not in self.feature_set.original_families

    @property
    def has_widths_by_image(self):
        return isinstance(self.texture.get("bin_width"), Mapping)

    def check(self, settings, rules):
        """Raise an InputError for a setting of texture out of range, or widths that are not those of all images.

        `rules` are the `Setting` of each parameter by name.
        """
        owner = f"the image type {self.name}"
        for name, value in self.texture.items():
            if not (name == "bin_width" and self.has_widths_by_image):
                rules[name].check(owner, name, value)
        if self.has_widths_by_image:
            widths = self.texture["bin_width"]
            allowed = f"a float > 0, or a dict from all names of its images to floats > 0: {', '.join(self.images)}"
            fulfilled = set(widths) == set(self.images) and all(map(is_positive, widths.values()))
            require(fulfilled, owner, "bin_width", allowed, widths, did_you_mean(widths, self.images))
        bins = [self.texture.get(name, getattr(settings, name)) for name in ("bin_width", "bin_count")]
        require_bins(owner, *bins)

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


def require_bins(owner, bin_width, bin_count):
    """Raise an InputError unless there is a width or a number of bins."""
    require(bin_width is not None or bin_count is not None, owner, "bin_width", "a float > 0", None)


def by_name(parameter, value, kinds, options, allowed):
    """Return a collection of options, or a dict from them, as a dict; raise an InputError for anything else."""
    is_listed = isinstance(value, kinds) and not isinstance(value, str)
    if not is_listed or len(value) == 0 or not all(is_option(name, options) for name in value):
        hint = did_you_mean(value, options)
        if isinstance(value, str):  # a name in place of a list
            hint = hint.replace(" mean ", " mean [").replace("?", "]?")
        raise invalid(OWNER, parameter, allowed, value, hint)
    return value if isinstance(value, Mapping) else dict.fromkeys(value)


def read_image_types(image_types, feature_set, texture_settings, flat_axis):
    """Return the list of `ImageType` that the parameter 'image_types' asks for."""
    if image_types is None:
        image_types = ("Original",)
    known = feature_set.image_types
    allowed = f"None, or a sequence or dict of {', '.join(known)}"
    types = []
    for name, settings in by_name("image_types", image_types, (list, tuple, Mapping), known, allowed).items():
        settings = {} if settings is None else settings
        is_named = isinstance(settings, Mapping) and all(isinstance(key, str) for key in settings)
        require(is_named, OWNER, f'image_types["{name}"]', "None, or a dict from names of settings to values", settings)
        texture = {key: value for key, value in settings.items() if key in texture_settings}
        filters = {key: value for key, value in settings.items() if key not in texture_settings}
        images = feature_set.filter_names(name, filters, flat_axis)
        types.append(ImageType(name, filters, texture, images, feature_set))
    return types
