"""The AUC at equal size against a look at every pair."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from radiodeep.study.statistics.equal_size import auc_at_equal_size, several_classes_at_equal_size


def all_pairs(positive, score, sizes):
    """Return the AUC among pairs of equal size and their number, by looking at every pair."""
    wins, n_pairs = 0.0, 0
    for case in np.flatnonzero(positive):
        for other in np.flatnonzero(~positive):
            smaller, larger = sorted((sizes[case], sizes[other]))
            if larger <= 1.1 * smaller or np.isclose(larger, 1.1 * smaller, rtol=1e-12):
                n_pairs += 1
                wins += (score[case] > score[other]) + 0.5 * (score[case] == score[other])
    return wins / n_pairs, n_pairs


@pytest.mark.parametrize("kind", ["continuous", "ties", "whole numbers", "one size"])
def test_pairs_of_equal_size_are_those_that_a_look_at_every_pair_finds(kind):
    rng = np.random.default_rng(1)
    positive, scores = rng.random(120) < 0.4, rng.normal(size=(3, 120))
    sizes = np.exp(rng.normal(size=120) + positive)
    if kind == "ties":
        scores = np.round(scores)
    if kind == "whole numbers":  # 10 and 11, 20 and 22: exactly 10 %
        sizes = rng.integers(8, 24, 120).astype(float)
    if kind == "one size":
        sizes = np.full(120, 7.0)
    slowly = [all_pairs(positive, score, sizes) for score in scores]
    auc, n_pairs = auc_at_equal_size(positive, scores, sizes)
    np.testing.assert_allclose(auc, np.mean([slow_auc for slow_auc, _ in slowly]), rtol=1e-12)
    assert n_pairs == slowly[0][1]
    if kind == "one size":
        np.testing.assert_allclose(auc, np.mean([roc_auc_score(positive, score) for score in scores]))


def test_a_pair_ten_percent_apart_counts_as_equal_and_not_one_further_apart():
    positive = np.repeat([True, False], [1, 40])
    for size, n_pairs in ((11.0, 40), (11.001, 0), (10 / 1.1, 40), (9.09, 0)):
        sizes = np.array([size] + [10.0] * 40)
        assert auc_at_equal_size(positive, np.zeros((1, 41)), sizes)[1] == n_pairs, size


def test_few_pairs_give_no_auc():
    positive = np.repeat([True, False], [1, 30])
    assert auc_at_equal_size(positive, np.zeros((1, 31)), np.ones(31)) == (0.5, 30)
    assert auc_at_equal_size(positive[:-1], np.zeros((1, 30)), np.ones(30)) == (None, 29)


def test_twenty_thousand_cases_take_no_table_of_all_pairs():
    rng = np.random.default_rng(0)
    positive = rng.random(20_000) < 0.5
    auc, n_pairs = auc_at_equal_size(positive, rng.normal(size=(5, 20_000)), np.exp(rng.normal(size=20_000)))
    assert abs(auc - 0.5) < 0.01
    assert n_pairs > 1_000_000


def test_pairs_of_several_classes_are_compared_by_the_scores_of_both():
    rng = np.random.default_rng(0)
    codes, sizes = rng.integers(0, 3, 60), np.exp(rng.normal(size=60))
    scores = rng.normal(size=(2, 60, 3)).round(1)
    scores[:, np.arange(60), codes] += 1
    wins, n_pairs = 0.0, 0
    for case in range(60):
        for other in range(case):
            if codes[case] == codes[other] or max(sizes[case] / sizes[other], sizes[other] / sizes[case]) > 1.1:
                continue
            n_pairs += 1
            for score in scores:
                of_case = score[case, codes[case]] - score[other, codes[case]]
                of_other = score[other, codes[other]] - score[case, codes[other]]
                wins += np.heaviside([of_case, of_other], 0.5).mean() / 2
    value, n_found = several_classes_at_equal_size(codes, scores, sizes)
    assert n_found == n_pairs >= 30
    np.testing.assert_allclose(value, wins / n_pairs)
    assert several_classes_at_equal_size(codes[:20], scores[:, :20], sizes[:20])[0] is None
