"""MDL discretisation in scikit-learn's checks, and its bins. Its cut points are compared in test_weka_golden.py."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiodeep import MDLDiscretizer
from radiodeep.exceptions import InputError


@parametrize_with_checks([MDLDiscretizer(), MDLDiscretizer("cases")])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_a_value_on_a_cut_belongs_to_the_bin_below_and_missing_stays_missing():
    discretizer = MDLDiscretizer().fit([[1.0], [2.0], [3.0], [4.0], [11.0], [12.0], [13.0], [14.0]], [0] * 4 + [1] * 4)
    bins = discretizer.transform([[7.5], [7.6], [np.nan]]).ravel()
    np.testing.assert_array_equal(bins, [0, 1, np.nan])


def test_bins_have_the_names_of_their_columns():
    frame = pd.DataFrame({"age": np.arange(8.0), "size": np.arange(8.0)[::-1]})
    discretizer = MDLDiscretizer().fit(frame, [0] * 4 + [1] * 4)
    assert discretizer.get_feature_names_out().tolist() == ["age", "size"]
    assert MDLDiscretizer().fit(frame.to_numpy(), [0] * 4 + [1] * 4).get_feature_names_out().tolist() == ["x0", "x1"]


def test_other_candidates_are_refused():
    with pytest.raises(InputError, match="'candidates' parameter of MDLDiscretizer must be one of distinct, cases"):
        MDLDiscretizer("distinkt").fit([[0.0], [1.0]], [0, 1])
