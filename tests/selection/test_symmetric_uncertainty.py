"""Symmetric uncertainty by hand, and what it never changes."""

import numpy as np
import pandas as pd
import pytest

from radiodeep import FastCorrelationFilter, SymmetricUncertainty
from radiodeep.exceptions import InputError
from radiodeep.selection.symmetric_uncertainty import equal_frequency_classes


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


def test_numbers_are_cut_into_classes_of_equal_size():
    assert equal_frequency_classes(np.array([5.0, 1, 9, 3, 7, 2]), 3).tolist() == [1, 0, 2, 1, 2, 0]
    assert equal_frequency_classes(np.array([0.0, 0, 0, 0, 1, 2, 3, 4]), 2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert equal_frequency_classes(np.array([0.0, 0, 0, 0, 0, 0, 1, 2]), 3).tolist() == [0, 0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("kind", [SymmetricUncertainty, FastCorrelationFilter])
@pytest.mark.parametrize("n_bins", [2, 3, 4])
def test_scores_of_numbers_are_those_of_their_quantile_groups(kind, n_bins):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(60, 12)), rng.normal(size=60)
    X[:, :4] += 2 * y[:, np.newaxis]
    by_number = kind(n_target_bins=n_bins).fit(X, y)
    by_class = kind().fit(X, pd.qcut(y, n_bins, labels=False))
    np.testing.assert_array_equal(by_number.scores_, by_class.scores_)
    np.testing.assert_array_equal(by_number.get_support(), by_class.get_support())
    assert by_number.scores_.max() > 0


def test_numbers_are_cut_into_two_classes_at_least():
    X = np.random.default_rng(0).normal(size=(20, 3))
    for n_bins in (2, 3, 7):
        for n_low in (1, 10, 19):
            assert set(equal_frequency_classes(np.arange(20) >= n_low, n_bins)) == {0, 1}
    with pytest.raises(InputError, match="The 'n_target_bins' parameter of SymmetricUncertainty must be an int >= 2"):
        SymmetricUncertainty(n_target_bins=1).fit(X, np.arange(20.0))


def test_a_selector_saved_before_it_knew_numbers_still_works():
    selector, state = SymmetricUncertainty.__new__(SymmetricUncertainty), vars(SymmetricUncertainty()).copy()
    del state["target"], state["n_target_bins"]
    selector.__setstate__(state)
    assert selector.get_params() == SymmetricUncertainty(target="classes").get_params()
