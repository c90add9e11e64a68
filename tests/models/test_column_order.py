import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from radiodeep.exceptions import InputError
from radiodeep.models.column_order import (
    by_cumulative_correlation,
    correlated_clusters,
    groups_of_columns,
    members_of_groups,
    spearman_correlations,
)


def in_two_clusters():
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(60, 2))
    return np.stack([causes[:, number % 2] ** 3 + 0.2 * rng.normal(size=60) for number in range(7)], axis=1)


def test_correlations_are_those_of_scipy():
    X = in_two_clusters().round(1)  # with ties
    np.testing.assert_allclose(spearman_correlations(X), np.abs(spearmanr(X).statistic), atol=1e-12)


def test_a_constant_column_correlates_with_none():
    X = np.column_stack([np.arange(5.0), np.ones(5)])
    np.testing.assert_allclose(spearman_correlations(X), [[1, 0], [0, 0]], atol=1e-12)


def test_clusters_are_those_of_common_causes():
    X = in_two_clusters()
    X[:, 0] *= -1  # the sign says nothing
    found = members_of_groups(correlated_clusters(spearman_correlations(X), 2))
    assert [columns.tolist() for columns in found] == [[0, 2, 4, 6], [1, 3, 5]]
    assert correlated_clusters(np.eye(3), 4) == [0, 1, 2]


def test_columns_are_ordered_by_their_sum_of_correlations():
    correlations = spearman_correlations(in_two_clusters()[:, ::2])
    sums = [sum(correlations[column, other] for other in range(4) if other != column) for column in range(4)]
    expected = sorted(range(4), key=lambda column: -sums[column])
    members = np.array([10, 12, 14, 16])
    assert by_cumulative_correlation(members, correlations).tolist() == [10 + 2 * column for column in expected]
    assert by_cumulative_correlation(members, np.ones((4, 4))).tolist() == members.tolist()


def test_more_columns_than_can_be_compared_are_refused():
    with pytest.raises(InputError, match="for up to 10000 columns of a group.*Got 10001. Select columns first"):
        spearman_correlations(np.empty((2, 10_001)))


@pytest.mark.parametrize(
    ("column_groups", "names"),
    [
        ({"a": "X", "b": "1", "c": "X", "other": "2"}, ["a", "b", "c"]),
        ({0: "X", 1: "1", 2: "X"}, ["a", "b", "c"]),
        ({0: "X", 1: "1", 2: "X"}, None),
        (["X", "1", "X"], None),
        (pd.Series(["1", "X", "X"], index=["b", "c", "a"]), ["a", "b", "c"]),
        (pd.Series(["X", "1", "X"]), ["a", "b", "c"]),
        (pd.Categorical(["X", "1", "X"]), None),
    ],
)
def test_groups_are_found_by_name_index_or_place(column_groups, names):
    groups = groups_of_columns(column_groups, names, 3, "Owner")
    assert groups == ["X", "1", "X"]
    assert [columns.tolist() for columns in members_of_groups(groups)] == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("column_groups", "names", "message"),
    [
        ({"a": 1}, ["a", "b"], "'column_groups' of Owner hold no group for 1 of 2 columns: b. Add them"),
        ({"a": 1, "b": 1}, None, "X is an array, whose columns have no names: give a DataFrame"),
        (["1"], None, "must hold a group for each of 2 columns. Got 1"),
        ([1.0, float("nan")], None, "hold no group for 1 of 2 columns: 1. Add them"),
        (pd.Series(["1", None], index=["a", "b"]), ["a", "b"], "hold no group for 1 of 2 columns: b. Add them"),
        ("XX", None, "'column_groups' parameter of Owner must be None, a dict or a sequence. Got 'XX' instead"),
    ],
)
def test_columns_without_a_group_are_named(column_groups, names, message):
    with pytest.raises(InputError, match=message):
        groups_of_columns(column_groups, names, 2, "Owner")
