"""Symmetric uncertainty by hand, and what it never changes."""

import numpy as np
import pandas as pd

from radiodeep import FastCorrelationFilter, SymmetricUncertainty


def test_symmetric_uncertainty_by_hand():
    X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]])
    perfect = SymmetricUncertainty().fit(X, [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(perfect.scores_, [1.0])
    # Three categories, classes a a | a b | b b: H(C) = 1, H(A) = log2(3), H(C|A) = 1/3.
    nominal = SymmetricUncertainty(nominal_features=[0]).fit([[0], [0], [1], [1], [2], [2]], list("aaabbb"))
    np.testing.assert_allclose(nominal.scores_, [2 * (1 - 1 / 3) / (1 + np.log2(3))])


def test_features_without_information_are_not_selected_to_fill_up():
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], 40)
    X = rng.normal(size=(80, 20))
    X[:, 6] += 3 * y
    selector = SymmetricUncertainty(n_features_to_select=5).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [6]
    assert SymmetricUncertainty(n_features_to_select=5, threshold=None).fit(X, y).get_support().sum() == 5


def test_the_table_of_the_user_is_never_written_into():
    X = np.asfortranarray(np.c_[[10.0, 20.0, 30.0] * 8, np.random.default_rng(0).normal(size=(24, 2))])
    before, y = X.copy(), np.arange(24) % 2
    frame = pd.DataFrame(before, columns=list("abc"))
    for selector in (SymmetricUncertainty, FastCorrelationFilter):
        by_number = selector(None, threshold=None, nominal_features=[0]).fit(X, y)
        np.testing.assert_array_equal(X, before)
        by_name = selector(None, threshold=None, nominal_features=["a"]).fit(frame, y)
        np.testing.assert_array_equal(by_number.scores_, by_name.scores_)
    one_column = np.ascontiguousarray(before[:, :1])
    SymmetricUncertainty(threshold=None, nominal_features=[0]).fit(one_column, y)
    np.testing.assert_array_equal(one_column, before[:, :1])


def test_cuts_between_the_largest_numbers():
    X = np.r_[np.linspace(1.0, 1.2, 10), np.linspace(1.5, 1.7, 10)][:, None] * 1e308
    assert SymmetricUncertainty().fit(X, np.repeat([0, 1], 10)).scores_[0] == 1.0
