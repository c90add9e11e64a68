"""Tables and targets that a selector cannot be fitted to are named."""

import numpy as np
import pytest

from radiodeep import FastCorrelationFilter, ReliefF, SymmetricUncertainty
from radiodeep.exceptions import InputError, SingleClassError


def test_one_class_and_continuous_targets_are_refused():
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(SingleClassError, match="one class, 1, in all 10"):
        ReliefF().fit(X, np.ones(10, int))
    with pytest.raises(InputError, match="must hold classes.*or set target='numeric'"):
        ReliefF(target="classes").fit(X, np.linspace(0, 1, 10))


@pytest.mark.parametrize(
    ("y", "n_classes"),
    [
        (np.arange(40) % 2, 2),
        (np.arange(40.0) % 10, 10),
        (np.arange(40) % 11, 0),
        (np.arange(40) % 3 + 0.5, 0),
        ((np.arange(40) % 12).astype(str), 12),
        (np.arange(40) % 2 == 0, 2),
    ],
    ids=["two", "ten", "eleven", "fractions", "text", "bools"],
)
def test_targets_are_classes_or_numbers_by_their_values(y, n_classes):
    X = np.random.default_rng(0).normal(size=(40, 3))
    for selector in (ReliefF(), SymmetricUncertainty(), FastCorrelationFilter()):
        assert selector._validated(X, y)[2] == n_classes
        if y.dtype.kind not in "U":
            assert selector.set_params(target="numeric")._validated(X, y)[2] == 0


def test_times_to_an_event_and_unknown_kinds_of_targets_are_refused():
    X = np.random.default_rng(0).normal(size=(10, 3))
    y = np.array([(True, 2.0)] * 10, dtype=[("event", bool), ("time", float)])
    with pytest.raises(InputError, match="Got a structured array of event, time; .* HorizonSelector.Symm"):
        SymmetricUncertainty().fit(X, y)
    with pytest.raises(InputError, match="The 'target' parameter of ReliefF must be one of auto, classes, numeric"):
        ReliefF(target="number").fit(X, np.arange(10) % 2)


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
