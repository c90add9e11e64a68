"""Tables and targets that a selector cannot be fitted to are named."""

import numpy as np
import pytest

from radiodeep import ReliefF
from radiodeep.exceptions import InputError, SingleClassError


def test_one_class_and_continuous_targets_are_refused():
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(SingleClassError, match="one class, 1, in all 10"):
        ReliefF().fit(X, np.ones(10, int))
    with pytest.raises(InputError, match="must hold classes"):
        ReliefF().fit(X, np.linspace(0, 1, 10))


@pytest.mark.parametrize(("target", "y"), [("classes", np.arange(12) % 2), ("numeric", np.linspace(0, 1, 12))])
def test_rows_without_any_number_are_refused(target, y):
    X = np.random.default_rng(0).normal(size=(12, 3))
    X[4, :2] = np.nan
    ReliefF(1, target=target).fit(X, y)  # missing values are weighed
    X[4] = np.nan
    with pytest.raises(InputError, match="Row 4 is NaN in all 3 features .1 such row.; leave out cases"):
        ReliefF(1, target=target).fit(X, y)


@pytest.mark.parametrize("nominal", [[5], ["size"], [True, False], "size", [1.0]], ids=repr)
def test_nominal_features_that_are_not_columns_are_refused(nominal):
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(InputError, match="names of columns, positions from 0 to 2, or a bool for each column"):
        ReliefF(nominal_features=nominal).fit(X, np.arange(10) % 2)


def test_positions_and_bools_name_the_same_nominal_features():
    X = np.column_stack([np.arange(20) % 3, np.random.default_rng(0).normal(size=(20, 2))])
    scores = [
        ReliefF(nominal_features=nominal).fit(X, np.arange(20) % 2).scores_
        for nominal in (0, [0], [1 == 1, 0 == 1, False])
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
