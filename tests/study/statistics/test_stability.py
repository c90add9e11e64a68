"""Stability of selected features by Kuncheva's formula."""

import numpy as np
import pytest

from radiodeep import selection_stability
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
        ([{"a"}], "Got 1"),
        ([{"a", "b"}, {"c"}], "3 different features were selected from only 2"),
    ):
        with pytest.raises(StudyError, match=message):
            selection_stability(subsets, 2)
