"""Cases that are changed when they are read: several changes in turn, and another one of each image."""

import pickle
from functools import partial

import numpy as np
import pytest

from radiodeep.cases.case import Case
from radiodeep.cases.changed import ChangedCase


class ByImage:
    """Add what is known of each image; the images of the case before the change are noted."""

    keeps_acquisition = True

    def __init__(self, added):
        self.added = added

    def __call__(self, lesion):
        return plus(lesion, self.added[""])

    def of_image(self, name, case):
        if name not in self.added:
            return None
        return partial(plus, added=self.added[name] + case.of_image("PET").voxels.max())


def plus(lesion, added):
    return lesion.replace(image=lesion.voxels + added)


def times(lesion, factor):
    return lesion.replace(image=lesion.voxels * factor)


@pytest.fixture
def case():
    images = {"T1": np.full((3, 4), 2.0), "PET": np.full((3, 4), 10.0), "T2": None}
    return Case(images, np.ones((3, 4), bool), "P-7", spacing_mm=(1, 1))


def first(case, name):
    return case.of_image(name).voxels.ravel()[0]


def test_each_image_has_its_own_change_and_others_stay(case):
    changed = ChangedCase.of(case, ByImage({"T1": 1.0}))
    assert (first(changed, "T1"), first(changed, "PET")) == (13, 10)
    assert (first(changed, "T1"), first(changed, "PET")) == (13, 10)  # asked again
    assert changed.in_memory().of_image("T1").voxels.max() == 13


def test_changes_in_turn_see_the_images_as_those_before_have_left_them(case):
    changed = ChangedCase.of(ChangedCase.of(case, partial(times, factor=3.0)), ByImage({"T1": 1.0}))
    assert (first(changed, "T1"), first(changed, "PET")) == (6 + 1 + 30, 30)
    other = ChangedCase.of(ChangedCase.of(case, ByImage({"T1": 1.0})), partial(times, factor=3.0))
    assert (first(other, "T1"), first(other, "PET")) == (39, 30)
    sent = pickle.loads(pickle.dumps(changed))
    assert first(sent, "T1") == 37


def test_repeats_are_changed_by_their_own_images(case):
    images = {"T1": np.full((3, 4), 2.0), "PET": np.full((3, 4), 20.0)}
    again = Case(images, np.ones((3, 4), bool), "P-7-again", spacing_mm=(1, 1))
    changed = ChangedCase.of(case.replace(repeats={"again": again}), ByImage({"T1": 1.0}))
    assert first(changed.repeats["again"], "T1") == 23


def test_the_acquisition_is_that_of_the_image_as_it_was_if_all_changes_keep_it(case):
    plain = case.of_image("T1")
    keeping, other = ByImage({"": 1.0}), partial(times, factor=3.0)
    assert first_of(ChangedCase.of(plain, keeping).as_acquired()) == 2
    assert first_of(ChangedCase.of(ChangedCase.of(plain, keeping), keeping).as_acquired()) == 2
    assert first_of(ChangedCase.of(ChangedCase.of(plain, keeping), other).as_acquired()) == 9
    part = ChangedCase.of(case, keeping).of_image("PET")  # which the change leaves
    assert type(part.as_acquired()) is Case


def first_of(case):
    return case.voxels.ravel()[0]
