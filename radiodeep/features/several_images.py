"""Cases with several images -> those that an extractor measures, their parts of a row, and the names of its columns."""

from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiodeep.cases.naming import naming_image
from radiodeep.checks import invalid
from radiodeep.exceptions import InputError, MissingImageError


@dataclass(frozen=True)
class MeasuredImages:
    """The images that an extractor measures of each case.

    A case of one image without a name has the image "", whose columns have no prefix.

    Attributes
    ----------
    names : tuple of str
    share_mask : bool
        Whether one mask serves all images of a case.
    """

    names: tuple = ("",)
    share_mask: bool = False

    @classmethod
    def of(cls, extractor, cases=None):
        """Return the images of a fitted extractor, or else those that its parameter `image` or the cases name.

        Raises
        ------
        InputError
            `image` is not a name or a sequence of names; some cases have names for their images and others do not; or a
            case does not fit those that the extractor was fitted to.
        """
        chosen = checked_names(extractor)
        learned = getattr(extractor, "image_names_", None)
        if cases and learned is None:
            return cls._of_cases(cases, chosen)
        names = chosen or learned or ("",)
        images = cls(names, len(names) > 1 and getattr(extractor, "shares_mask_", True))
        for case in cases or ():
            images._check(case)
        return images

    @classmethod
    def _of_cases(cls, cases, chosen):
        several = [case for case in cases if _names_of(case)]
        plain = next((case for case in cases if not _names_of(case)), None)
        if several and plain is not None:
            raise InputError(
                f"Cases of one image and cases of several are mixed: '{plain.id}' has one image without a name, "
                f"'{several[0].id}' has {', '.join(several[0].image_names)}. Name the images of all of them."
            )
        names = chosen or tuple(dict.fromkeys(name for case in several for name in case.image_names)) or ("",)
        images = cls(names, len(names) > 1 and all(case.shares_mask for case in several))
        for case in cases:
            images._check(case)
        return images

    @property
    def are_named(self):
        return self.names != ("",)

    def parts(self, case):
        """Return the plain cases of the images that are there, by name; a mask that they share is read once."""
        if not self.are_named:
            return {"": case}
        there = [name for name in self.names if case.image.get(name) is not None]
        is_read_twice = len(there) > 1 and case.shares_mask and isinstance(case.mask, Path)
        held = case.in_memory(there) if is_read_twice else case
        return {name: held.of_image(name) for name in there}

    def part(self, case, number):
        """Return the plain case of an image, given by its position in `names`."""
        return case.of_image(self.names[number]) if self.are_named else case

    def first_parts(self, cases):
        """Yield a plain case for each case that has one of the images: the first that is there."""
        for case in cases:
            names = [name for name in self.names if self.are_named and case.image.get(name) is not None]
            if names or not self.are_named:
                yield case.of_image(names[0]) if names else case

    def settings(self):
        """Return what features depend on, for reports and caches; nothing for cases of one image."""
        return {"image": [*self.names, self.share_mask]} if self.are_named else {}

    def missing(self, case):
        """Return "MissingImageError: ..." with the names of the images that a case lacks, or ""."""
        lacking = [name for name in self.names if self.are_named and case.image.get(name) is None]
        if not lacking:
            return ""
        there = ", ".join(name for name in case.image_names if case.image[name] is not None)
        listed = " and ".join(map(repr, lacking))
        return f"MissingImageError: {case.id}: there is no image {listed}; it has {there}."

    def where(self, case, name):
        """Return where a warning is about: the id of a case, and the name of its image if it has several."""
        return f"{case.id}: {name}" if name else case.id

    def shown(self, show, case):
        """Return show(part) of each image that is there, by name."""
        shown = {}
        for name, part in self.parts(case).items():
            with naming_image(case, name):
                shown[name] = show(part)
        return shown

    def titles(self, columns, n_shared=0):
        """Return the names of the columns of all images; the first `n_shared` belong to no single one."""
        prefixes = [f"{name}_" if name else "" for name in self.names]
        own = [f"{prefix}{column}" for prefix in prefixes for column in columns[n_shared:]]
        return [*columns[:n_shared], *own]

    def row(self, case, measures, width, n_shared=0):
        """Return the row of a case, float64 (width,), NaN in the columns of images that it lacks.

        `measures` are functions of a plain case and the name of its image: that of the first image that is there, whose
        first `n_shared` values belong to no single image, and that of the others.
        """
        row = np.full(width, np.nan)
        n_own = (width - n_shared) // len(self.names)
        for number, (name, part) in enumerate(self.parts(case).items()):
            with naming_image(case, name):
                values = measures[min(number, 1)](part, name)
            if number == 0:
                row[:n_shared] = values[:n_shared]
                values = values[n_shared:]
            begin = n_shared + n_own * self.names.index(name)
            row[begin : begin + n_own] = values
        return row

    def _check(self, case):
        """Raise an InputError for a case with other images than these, or masks where one is expected."""
        if self.are_named and not _names_of(case):
            raise MissingImageError(
                f"{case.id}: there is no image {self.names[0]!r}; the case has one image without a name. Leave 'image' "
                "out, or name the images: Case(image={'T1': ...}), or image_T1 in place of image in the manifest."
            )
        if self.share_mask and not case.shares_mask:
            raise InputError(
                f"{case.id}: each image has its own mask, but those of the first cases share one, which decided on the "
                "columns of shape. Give all cases masks of one kind."
            )


def learn_images(extractor, cases):
    """Let an extractor remember the images of the cases it is fitted to, and return them as `MeasuredImages`.

    Raise a MissingImageError if no case has one that it is asked for.
    """
    for learned in ("image_names_", "shares_mask_"):
        vars(extractor).pop(learned, None)
    images = MeasuredImages.of(extractor, cases)
    known = dict.fromkeys(name for case in cases for name in _names_of(case))
    for name in images.names if known else ():
        if name not in known:
            raise MissingImageError(f"No case has an image {name!r}. Their images are: {', '.join(known)}.")
    if cases:
        extractor.image_names_ = images.names if known else ()
        extractor.shares_mask_ = images.share_mask
    return images


def by_image(extractor):
    """Return copies of a fitted extractor, one for each of several images, whose rows side by side are its own."""
    names = getattr(extractor, "image_names_", ())
    copies = [extractor] if len(names) < 2 else []
    for name in names if len(names) > 1 else ():
        part = copy(extractor)
        part.image, part.image_names_, part.shares_mask_ = name, (name,), False
        copies.append(part)
    return copies


def checked_names(extractor):
    """Return the names that the parameter `image` of an extractor asks for, or None."""
    image = getattr(extractor, "image", None)
    if image is None:
        return None
    names = (image,) if isinstance(image, str) else image
    is_listed = isinstance(names, list | tuple) and all(isinstance(name, str) and name for name in names)
    if not is_listed or not names or len(set(names)) < len(names):
        raise invalid(extractor, "image", "None, the name of an image, or a tuple of names that differ", image)
    return tuple(names)


def _names_of(case):
    return getattr(case, "image_names", ())
