"""In: what a user gives as image, mask and spacing of a case. Out: checked paths and arrays, and their volumes."""

from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from radiodeep.cases.formats.pictures import images_by_channel
from radiodeep.cases.masks import outlined_series, read_mask
from radiodeep.cases.readers import read_volume
from radiodeep.cases.reading import AS_IT_IS, Reading
from radiodeep.cases.resampled_mask import on_grid_of
from radiodeep.cases.volume import StoredAxes, Volume, check_same_grid
from radiodeep.checks import invalid, is_option, is_positive
from radiodeep.exceptions import GeometryMismatchError, InputError, UnsupportedImageError

WHOLE = "whole"  # instead of a mask: the region is the whole image
_MASKS = ContextVar("_MASKS", default=None)


@contextmanager
def masks_read_once():
    """Keep the masks that are read within this block, as several images may share one."""
    token = _MASKS.set({})
    try:
        yield
    finally:
        _MASKS.reset(token)


def checked_sources(image, mask, spacing_mm, reading=None):
    """Return image, mask and spacing of a case as paths, arrays and tuples, by name if there are several images."""
    image = images_by_channel(image, getattr(reading, "rgb", None))
    if not isinstance(image, Mapping):
        if isinstance(mask, Mapping) or isinstance(spacing_mm, Mapping):
            raise InputError("masks or spacings by name need images by name, e.g. image={'T1': ..., 'PET': ...}.")
        image = _as_source(image, "image")
        return image, _as_source(mask, "mask"), _spacing_for(image, spacing_mm)
    names = _checked_names(image)
    for values, argument in ((mask, "mask"), (spacing_mm, "spacing_mm")):
        unknown = set(values) - set(names) if isinstance(values, Mapping) else ()
        if unknown:
            raise InputError(f"'{argument}' is given for {sorted(unknown)[0]!r}, which is not an image of {names}.")
    images, masks, spacings = {}, {}, {}
    for name in names:
        if image[name] is None:
            images[name] = masks[name] = spacings[name] = None
            continue
        images[name] = _as_source(image[name], f"image {name}")
        if isinstance(mask, Mapping):
            if mask.get(name) is None:
                raise InputError(f"the image {name!r} has no mask. Give one mask for all images, or one for each.")
            masks[name] = _as_source(mask[name], f"mask {name}")
        spacings[name] = _spacing_for(images[name], _of_name(spacing_mm, name))
    if all(source is None for source in images.values()):
        raise InputError(f"a case needs one of its images at least. {', '.join(names)} are all None.")
    spacings = spacings if any(spacings.values()) else None  # of files, which may be replaced by others
    return images, masks if isinstance(mask, Mapping) else _as_source(mask, "mask"), spacings


def refuse_colours(image, mask, id):
    """Raise UnsupportedImageError if an array is more likely a colour image (y, x, channels) than a volume."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] not in (3, 4):
        return
    is_mask_of_plane = isinstance(mask, np.ndarray) and mask.shape == image.shape[:2]
    if is_mask_of_plane or (image.dtype == np.uint8 and min(image.shape[:2]) >= 16):
        raise UnsupportedImageError(
            f"{id}: an array of shape {image.shape} and type {image.dtype} looks like a colour image "
            "(y, x, channels). Give one channel, or their mean: image.mean(axis=2). If it is a volume (z, y, x), "
            "give it as int16: image.astype('int16')."
        )


def checked_follow_up(time, event):
    """Return a time of follow-up as a float and whether the event happened as a bool."""
    if not is_positive(time):
        raise invalid("Case", "time", "a number > 0, given with 'event'", time)
    if not is_option(event, (False, True)):
        raise invalid("Case", "event", "True or False, given with 'time'", event)
    return float(time), bool(event)


def checked_choices(roi_name, reading, mask, mask_label=None):
    """Return the name of a region as a str, or several as a tuple; raise InputError unless they and a reading fit."""
    if not isinstance(reading, Reading | None):
        raise invalid("Case", "reading", "a Reading", reading)
    names = (roi_name,) if isinstance(roi_name, str) else roi_name
    is_names = isinstance(names, list | tuple) and names and all(isinstance(n, str) and n.strip() for n in names)
    if not (names is None or is_names):
        raise invalid("Case", "roi_name", "a name or a list of names", roi_name)
    if names and not all(isinstance(part, str | PathLike) and part != WHOLE for part in _listed(mask)):
        raise InputError("'roi_name' names a region in a file. Give the mask as a path, or leave 'roi_name' out.")
    if names and mask_label not in (None, "any"):
        raise InputError(
            f"'roi_name' and 'mask_label' both choose the region: {roi_name!r} and {mask_label}. Leave one of them out."
        )
    return roi_name if isinstance(roi_name, str | None) else tuple(roi_name)


def _listed(values):
    return [value for value in values.values() if value is not None] if isinstance(values, Mapping) else [values]


def read_sources(image, mask, spacing_mm, axes, id, roi_name=None, reading=AS_IT_IS):
    """Return image and mask as volumes in anatomical order, and the `StoredAxes`.

    Arrays and pictures know no axes: they are in the order of the file that they are given with, or of `axes` if they
    come from `Case.in_memory`. `spacing_mm` is the given one; it is compared with that of the file.
    """
    if isinstance(image, Path) and isinstance(mask, Path):
        image = outlined_series(image, mask, roi_name, reading)
    image_volume = _as_volume(image, reading, spacing_mm)
    mask_volume = _mask_volume(mask, image_volume, roi_name, reading, image if isinstance(image, Path) else None)
    known_axes = axes
    if image_volume.has_spacing:
        axes = image_volume.stored_axes()
        image_volume = image_volume.turned(axes)
        is_placed = mask_volume.has_spacing
        mask_volume = mask_volume.turned(
            mask_volume.stored_axes(image_volume) if is_placed else _axes_without_header(axes, known_axes)
        )
    elif mask_volume.has_spacing:
        axes = mask_volume.stored_axes()
        image_volume = image_volume.turned(_axes_without_header(axes, known_axes))
        mask_volume = mask_volume.turned(axes)
    if isinstance(image, Path) and isinstance(mask, Path):
        if reading.resample_mask:
            mask_volume = on_grid_of(image_volume, mask_volume, id)
        check_same_grid(image_volume, mask_volume, id)
    elif image_volume.voxels.shape != mask_volume.voxels.shape:
        raise GeometryMismatchError(
            f"image and mask differ in size: the image has shape {image_volume.voxels.shape}, "
            f"the mask {mask_volume.voxels.shape} (z, y, x). Check that they belong together, and that an array beside "
            "a file is in the order of the file."
        )
    if spacing_mm is not None and image_volume.has_spacing:
        if not np.allclose(spacing_mm, image_volume.spacing_mm, rtol=1e-4):
            raise GeometryMismatchError(
                f"'spacing_mm' says {spacing_mm}, the file {image_volume.spacing_mm} (z, y, x). "
                "Leave 'spacing_mm' out where the file knows it."
            )
        image_volume = replace(image_volume, spacing_mm=spacing_mm)
    return image_volume, mask_volume, axes or StoredAxes()


def _axes_without_header(axes, known_axes):
    """Return the axes of an array or a picture that is given with a file with `axes`."""
    return axes if known_axes is None else StoredAxes()


def _as_volume(source, reading, spacing_mm=None):
    """Return the `Volume` of a file or an array; the spacing is used unless the file knows its own."""
    if not isinstance(source, Path):
        spacing_mm = spacing_mm or (1.0, 1.0, 1.0)
        return Volume(_three_axes(source), spacing_mm, np.zeros(3), np.eye(3), has_spacing=False)
    volume = read_volume(source, reading)
    return volume if volume.has_spacing or spacing_mm is None else replace(volume, spacing_mm=spacing_mm)


def _mask_volume(mask, image, roi_name, reading, image_path):
    if is_whole(mask):
        return replace(image, voxels=np.ones(image.voxels.shape, bool))
    if not isinstance(mask, Path):
        return _as_volume(mask, reading)
    known = _MASKS.get()
    if known is None:
        return read_mask(mask, image, roi_name, reading, image_path)
    place = (image.voxels.shape, image.spacing_mm, image.origin_mm.tobytes(), image.direction.tobytes())
    key = (mask, roi_name, reading, place)
    if key not in known:
        known[key] = read_mask(mask, image, roi_name, reading, image_path)
    return known[key]


def _checked_names(image):
    names = list(image)
    wrong = [name for name in names if not isinstance(name, str) or not name.strip()]
    if wrong or not names:
        raise invalid("Case", "image", "a dict from names of images, e.g. 'T1', to files or arrays", image)
    return names


def _of_name(values, name):
    return values.get(name) if isinstance(values, Mapping) else values


def is_whole(mask):
    """Return whether a mask of a case stands for the whole image."""
    return isinstance(mask, str) and mask == WHOLE


def _as_source(value, name):
    if is_whole(value) and name.startswith("mask"):
        return WHOLE
    if isinstance(value, str | PathLike):
        return Path(value)
    array = np.asarray(value)
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
        raise InputError(
            f"the '{name}' of a Case must be a path or an array of numbers in (z, y, x) or (y, x). "
            f"Got {type(value).__name__} of shape {array.shape} instead."
        )
    return array


def _spacing_for(image, spacing_mm):
    if spacing_mm is not None:
        return _checked_spacing(spacing_mm, image)
    if not isinstance(image, Path):
        raise InputError("an image given as an array needs 'spacing_mm', the size of its voxels in (z, y, x) order.")
    return None


def _checked_spacing(spacing_mm, image):
    try:
        spacing = tuple(float(step) for step in spacing_mm)
    except (TypeError, ValueError):
        spacing = ()
    if len(spacing) not in (2, 3) or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise invalid("Case", "spacing_mm", "2 or 3 numbers > 0 in (z, y, x) order", spacing_mm)
    if len(spacing) == 2 and not isinstance(image, Path) and image.ndim == 3:
        raise InputError(
            f"the 'spacing_mm' of an image of shape {image.shape} (z, y, x) must be 3 numbers. "
            f"Got {spacing_mm!r} instead; add the distance of the slices in front."
        )
    return (1.0, *spacing) if len(spacing) == 2 else spacing


def _three_axes(array):
    return array[np.newaxis] if array.ndim == 2 else array
