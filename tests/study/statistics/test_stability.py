"""Stability of selected features by Kuncheva's formula."""

import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import cross_validated_auc, selection_stability
from radiodeep.exceptions import StudyError


def test_stability_by_kunchevas_own_formula():
    subsets = [{"a", "b", "c"}, {"a", "b", "d"}, {"a", "e", "f"}]
    stability = selection_stability(subsets, n_candidates=20)
    k, n = 3, 20
    pairs = [(2 * n - k**2) / (k * (n - k)), (1 * n - k**2) / (k * (n - k)), (1 * n - k**2) / (k * (n - k))]
    np.testing.assert_allclose(stability.kuncheva, np.mean(pairs))
    np.testing.assert_allclose(stability.jaccard, np.mean([2 / 4, 1 / 5, 1 / 5]))
    assert selection_stability([{"a"}, {"a"}], 5).kuncheva == 1
    for subsets, message in (
        ([], "Got 0"),
        ([{"a"}], "Got 1"),
        ([{"a", "b"}, {"c"}], "3 different features were selected from only 2"),
    ):
        with pytest.raises(StudyError, match=message):
            selection_stability(subsets, 2)


def test_folds_are_compared_within_their_repeat():
    repeats = [["a", "b"], ["a", "c"]], [["x", "y"], ["x", "y"]]
    apart = [selection_stability(subsets, 10) for subsets in repeats]
    subsets = [subset for of_fold in zip(*repeats, strict=True) for subset in of_fold]
    together = selection_stability(subsets, 10, [0, 1, 0, 1])
    np.testing.assert_allclose(together.kuncheva, np.mean([stability.kuncheva for stability in apart]))
    np.testing.assert_allclose(together.jaccard, np.mean([1 / 3, 1]))
    with pytest.raises(StudyError, match="Got 1"):
        selection_stability([["a"], ["a"], ["b"]], 5, [0, 0, 1])


def test_the_jaccard_index_of_empty_and_of_repeated_subsets():
    assert selection_stability([[], []], 5).jaccard == 1
    np.testing.assert_allclose(selection_stability([["a"], ["a"], ["a"], ["b"]], 5).jaccard, 3 / 6)


def test_the_printed_stability_says_what_noise_has():
    assert "(3 folds, 9 candidates)" in str(selection_stability([["a"], ["b"], ["a"]], 9))
    subsets = [["a"], ["b"]] * 20
    leave_one_out = selection_stability(subsets, 9, [0] * 40)
    np.testing.assert_allclose(leave_one_out.shared_training, 38 / 39)
    assert "(40 folds, two with 97% of their training cases in common: noise is stable as well" in str(leave_one_out)
    halves = selection_stability(subsets, 9, np.repeat(range(20), 2))
    assert halves.shared_training == 0
    assert "Kuncheva's index of noise is about 0; 9 candidates" in str(halves)


def test_halves_of_noise_have_no_stability_and_folds_do():
    values = {2: [], 10: []}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(40, 200)), rng.permutation(np.arange(40) % 2)
        model = make_pipeline(SelectKBest(k=10), GaussianNB())
        for n_folds, found in values.items():
            found.append(cross_validated_auc(model, X, y, cv=n_folds, n_repeats=2).stability.kuncheva)
    assert abs(np.mean(values[2])) < 0.05
    assert np.mean(values[10]) > 0.3
