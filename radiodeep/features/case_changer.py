"""`CaseChanger`, the base of steps cases -> cases whose images are changed each time they are read."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from radiodeep.cases.case import Case
from radiodeep.cases.changed import ChangedCase
from radiodeep.cases.cohort import Cohort, as_items
from radiodeep.cases.naming import naming
from radiodeep.cases.patient import Patient
from radiodeep.checks import invalid, require
from radiodeep.exceptions import InputError, MissingImageError
from radiodeep.features.several_images import MeasuredImages, checked_names
from radiodeep.imaging.mr_intensity import PARTS, is_part

_PARTS = f"one of {', '.join(PARTS)}, two percentiles of the body, or the name of an image whose region is the part"
_OWN_MASK = (
    "These cases have one image without a name. A region is given as an image with a mask of its own: Case(image="
    "{'T1': t1, 'muscle': t1}, mask={'T1': lesion, 'muscle': muscle}, ...)."
)


class CaseChanger(TransformerMixin, BaseEstimator):
    """A step for the beginning of a pipeline that returns cases for the next step to measure.

    The cases hold no voxels of their own. A class has ``_changes()``, which checks its settings and returns a function
    of lesion and mask, or a dict of them by image, that worker processes can import. The mask is None unless the
    parameter `over` is the name of another image of the case: then it is that image's region. The function leaves what
    was imaged, and how, as it was.
    """

    changes_cases = True  # studies measure what it returns, once for all folds if it learns nothing
    feature_version = 1

    def fit(self, X=None, y=None):
        """Check the settings; nothing is learned from the cases.

        Parameters
        ----------
        X : Cohort or sequence of Case or Patient
        y : ignored

        Raises
        ------
        MissingImageError
            No case has an image of a name that the parameter `image` asks for.
        """
        self._changes()
        chosen = checked_names(self)
        items = [] if X is None or chosen is None else as_items(X)
        cases = [case for item in items for case in getattr(item, "lesions", [item])]
        known = dict.fromkeys(name for case in cases for name in getattr(case, "image_names", ()))
        for name in chosen if known else ():
            if name not in known:
                raise MissingImageError(f"No case has an image {name!r}. Their images are: {', '.join(known)}.")
        return self

    def transform(self, X):
        """Return the cases, or patients, with images that are changed when they are read.

        Parameters
        ----------
        X : Cohort or sequence of Case or Patient

        Returns
        -------
        Cohort or list of Case or Patient
            A cohort for a cohort.
        """
        change = ImageChange(self._changes(), self._mask_name(), checked_names(self))
        items = [self._changed(item, change) for item in as_items(X)]
        return Cohort(items, X.frame) if isinstance(X, Cohort) else items

    def settings(self):
        """Return what the images depend on besides the cases; part of the key of cached rows."""
        return self.get_params()

    def get_feature_names_out(self, input_features=None):
        """Return ["case"], the one column that a list of cases has."""
        return np.array(["case"], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self):
        return True

    def _changes(self):
        raise NotImplementedError

    def _check_over(self):
        require(is_part(self.over) or (isinstance(self.over, str) and self.over != ""), self, "over", _PARTS)

    def _mask_name(self):
        return self.over if isinstance(self.over, str) and not is_part(self.over) else None

    def _changed(self, item, change):
        if isinstance(item, Patient):
            return Patient([self._changed(lesion, change) for lesion in item.lesions])
        if not isinstance(item, Case):
            name = type(self).__name__
            raise InputError(
                f"{name} changes cases or patients. Got {type(item).__name__} instead. read_cohort(manifest) makes a "
                "Cohort. In a search within a study, 'passthrough' may take the place of the step; other settings are "
                f"set by its parameters, e.g. {name.lower()}__{next(iter(self.get_params()))}."
            )
        MeasuredImages.of(self, [item])  # which raises if the case does not name its images as `image` does
        self._check_mask(item)
        return ChangedCase.of(item, change)

    def _check_mask(self, case):
        if self._mask_name() is not None and not case.image_names:
            raise invalid(self, "over", _PARTS, self.over, _OWN_MASK)


@dataclass(frozen=True)
class ImageChange:
    """A function of lesions that is another one of each image, see `ChangedCase`.

    Attributes
    ----------
    functions : callable or dict from name of an image to callable
        ``function(lesion, mask)`` returns a lesion.
    mask_name : str or None
        Name of the image of each case whose region is the mask.
    images : tuple of str or None
        The images that are changed; all by default.
    """

    functions: object
    mask_name: str | None = None
    images: tuple | None = None
    keeps_acquisition = True

    def __call__(self, lesion):
        return _applied(lesion, self._function(""))

    def of_image(self, name, case):
        if self.images is not None and name not in self.images:
            return None
        masked = None if self.mask_name is None else as_acquired(case.of_image(self.mask_name))
        change = partial(_applied, function=self._function(name), masked=masked)
        change.keeps_acquisition = True
        return change

    def _function(self, name):
        if not isinstance(self.functions, dict):
            return self.functions
        return self.functions.get(name) or partial(_not_learned, name=name, known=tuple(self.functions))


def as_acquired(case):
    """Return a case as it was before steps that change its image only, so that its region is read without them."""
    return case.as_acquired() if isinstance(case, ChangedCase) else case


def _not_learned(lesion, mask, name, known):
    image, *others = (f"the image {each!r}" if each else "one image without a name" for each in (name, *known))
    raise MissingImageError(
        f"{image} was not among those of the training cases: {', '.join(others)}. Fit the step to cases with the same "
        "images, or choose those that it changes by 'image'."
    )


def _applied(lesion, function, masked=None):
    with naming(lesion):
        return function(lesion, None if masked is None else masked.lesion().roi)
