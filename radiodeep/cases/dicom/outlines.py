"""In: DICOM series. Out: which image each RTSTRUCT or SEG file outlines, and what the images of a case are called."""

import re

import pandas as pd

from radiodeep.exceptions import InputError

_IMAGE_NAME = re.compile(r"(?!reader|retest|label)[A-Za-z0-9]+", re.IGNORECASE)


def outlined_image(source, images):
    """Return the UID of the image a file belongs to: the one it names, else the only one of its frame of reference.

    `source` is a `StructureSet` or `Segmentation`, `images` maps UIDs to `DicomSeries`. None if there is no such image.
    """
    named = [uid for uid in source.series_uids if uid in images]
    if not source.series_uids:
        named = [uid for uid, image in images.items() if image.frame_of_reference in source.frames]
    return named[0] if len(named) == 1 else None


def outlined_images(source, images, names=None):
    """Return, for each region of a file, the UID of the image that it was drawn on, see `outlined_image`, or None.

    Of several images that a region refers to, the one whose description is asked for in `names` counts.
    """
    uids = []
    for series_uids, frames in source.drawn_on:
        named = [uid for uid in dict.fromkeys(series_uids) if uid in images]
        if not series_uids:
            named = [uid for uid, image in images.items() if image.frame_of_reference in frames]
        if names and len(named) > 1:
            named = [uid for uid in named if names_matching(images[uid].description, names)]
        uids.append(named[0] if len(named) == 1 else None)
    return tuple(uids)


def is_image_name(value):
    """Return whether a value can stand behind ``image_`` in the title of a column."""
    return isinstance(value, str) and bool(_IMAGE_NAME.fullmatch(value))


def images_by_name(images, names):
    """Return {name in the manifest: image}; images without a name are left out.

    `names` maps names to descriptions or parts of them; without any the name of an image is its modality. Raises
    InputError for an image of two names, and for two images of one.
    """
    named = {}
    for image in images:
        matching = names_matching(image.description, names) if names else [image.modality]
        if len(matching) > 1:
            raise InputError(f"The {image.name} is {' and '.join(matching)}. Name more of its description.")
        for name in matching:
            named.setdefault(name, []).append(image)
    for name, several in named.items():
        if len(several) > 1:
            listed = " and ".join(repr(image.description) for image in several)
            raise InputError(
                f"{len(several)} outlined series are called {name}: {listed}. Give each a name by a part of its "
                "description."
            )
    return {name: several[0] for name, several in named.items()}


def names_matching(description, names):
    """Return the names whose text is the description, or else those whose text is a part of it."""
    description = description.casefold()
    whole = [name for name, text in names.items() if text.casefold() == description]
    return whole or [name for name, text in names.items() if text.casefold() in description]


def with_image_columns(rows):
    """Return rows as a table; `image` and `mask` are the columns if all rows have the same one image."""
    table = pd.DataFrame(rows)
    columns = [column for column in table if column.startswith("image_")]
    if len(columns) == 1:
        name = columns[0].removeprefix("image_")
        table = table.rename(columns={f"image_{name}": "image", f"mask_{name}": "mask"})
    return table
