"""What a network is shown of cases is one searchable object."""

import numpy as np
import pytest
from sklearn.base import clone

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.models.case_view import CaseView

COHORT = rd.make_phantom_cohort(2, random_state=4)


def test_a_view_shows_what_its_settings_show_by_their_own_names():
    settings = {"window": "crop", "size": 40, "slice": "all", "slice_axis": "sagittal", "pixel_mm": 1.5}
    settings |= {"intensity_range": "minmax"}
    view = CaseView(**settings)
    images = rd.CNNClassifier(view=view)._images(COHORT)[0]
    np.testing.assert_array_equal(images, rd.CNNClassifier(**settings)._images(COHORT)[0])
    assert images.shape != rd.CNNClassifier()._images(COHORT)[0].shape
    assert clone(view).get_params() == settings


def test_a_setting_out_of_range_is_refused_by_the_estimator():
    with pytest.raises(InputError, match="'slice_axis' parameter of CNNClassifier must be None or one of axial, coro"):
        rd.CNNClassifier(view=CaseView(slice_axis="oblique")).fit(COHORT, [0, 1])
