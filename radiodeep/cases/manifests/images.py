"""In: the columns of a manifest. Out: which of them hold the images, masks and repeated measurements of its cases."""

import re
from dataclasses import dataclass

import numpy as np

_IMAGE, _MASK = "image_", "mask_"
_REPEATED_MASK = re.compile(r"mask_(reader\d+|retest)")
_REPEATED_IMAGE = "image_retest"
_REPEAT_OF_ONE_IMAGE = re.compile(r"(image|mask)_(.*_)?(reader\d+|retest)(_.*)?", re.IGNORECASE)
_FILE = re.compile(r".*\.(nii|nii\.gz|nrrd|nhdr|mha|mhd|png|jpe?g|tiff?|bmp)", re.IGNORECASE)


@dataclass(frozen=True)
class ImageColumns:
    """The columns with the sources of a case.

    Attributes
    ----------
    images : dict from str to str
        The column of each image by its name; {"": "image"} for cases of one image.
    masks : dict from str to str
        The column of each mask by the name of its image; {"": "mask"} if all images share one.
    repeats : dict from str to (str or None, str or None)
        The columns of image and mask of the same lesion measured again, by the name of the repeat; None for those of
        the first measurement.
    """

    images: dict
    masks: dict
    repeats: dict

    @classmethod
    def of(cls, columns):
        """Return the columns of a manifest with known names in lower case."""
        columns = [column for column in columns if isinstance(column, str)]
        repeated = {column for column in columns if _REPEATED_MASK.fullmatch(column) or column == _REPEATED_IMAGE}
        repeats = {}
        for column in sorted(repeated, reverse=True):  # masks first
            name = column.split("_", 1)[1]
            image, mask = repeats.get(name, (None, None))
            repeats[name] = (column, mask) if column == _REPEATED_IMAGE else (image, column)
        images = {"": "image"} if "image" in columns else _named(columns, _IMAGE, repeated)
        has_one_mask = "mask" in columns or "image" in columns or not images
        masks = {"": "mask"} if has_one_mask else _named(columns, _MASK, {"mask_label", *repeated})
        return cls(images or {"": "image"}, masks, repeats)

    @property
    def known(self):
        """All columns that hold paths."""
        repeats = [column for pair in self.repeats.values() for column in pair if column]
        return [*self.images.values(), *self.masks.values(), *repeats]

    def contradictions(self, frame):
        """Return a sentence for every column that looks like one of images or masks and cannot be."""
        columns = [column for column in frame.columns if isinstance(column, str)]
        for prefix, used in ((_IMAGE, self.images), (_MASK, self.masks)):
            others = _named(columns, prefix, {"mask_label", *self.known}).values() if "" in used else ()
            unused = [column for column in others if any(_FILE.fullmatch(str(cell)) for cell in frame[column])]
            if unused:
                return [f"'{used['']}' and '{unused[0]}' are both columns; name all images ({prefix}T1, ...) or none"]
        repeats = [
            name for name in (*self.images.values(), *self.masks.values()) if _REPEAT_OF_ONE_IMAGE.fullmatch(name)
        ]
        if repeats:
            return [f"'{repeats[0]}': only the mask that all images share is outlined again, in mask_reader2"]
        return []

    def blank_cells(self, frame):
        """Yield e.g. "blank 'mask'", and for each row whether that is so and a problem."""
        blank = {column: (frame[column] == "").to_numpy() for column in self.known if column in frame.columns}
        yield f"blank {_listed(self.images.values())}", np.all([blank[name] for name in self.images.values()], axis=0)
        for name, column in self.masks.items():
            needed = ~blank[self.images[name]] if name in self.images else True
            yield f"blank '{column}'", blank[column] & needed

    def lacking(self, columns):
        """Return the columns that a manifest with these columns lacks."""
        needed = [*self.images.values(), *self.masks.values()]
        if not self.masks.keys() >= self.images.keys() and "" not in self.masks:
            needed += [f"{_MASK}{name}" for name in self.images]
        needed += [f"{_IMAGE}{name}" for name in self.masks if name not in self.images and name]
        return [column for column in dict.fromkeys(needed) if column not in columns]


def canonical_titles(titles):
    """Return titles of columns with those of images and masks beginning in lower case."""
    folded = [title.casefold() if isinstance(title, str) else title for title in titles]
    has_names = "image" not in folded
    renamed = []
    for title, plain in zip(titles, folded, strict=True):
        prefix = next((prefix for prefix in (_IMAGE, _MASK) if isinstance(plain, str) and plain.startswith(prefix)), "")
        is_repeat = prefix and (_REPEATED_MASK.fullmatch(plain) or plain == _REPEATED_IMAGE)
        renamed.append(plain if is_repeat else prefix + title[len(prefix) :] if prefix and has_names else title)
    return renamed


def _named(columns, prefix, excluded):
    return {
        column[len(prefix) :]: column
        for column in columns
        if column.startswith(prefix) and column != prefix and column not in excluded
    }


def _listed(columns):
    return " and ".join(f"'{column}'" for column in columns)
