"""FCBF against a slow plain version."""

import numpy as np

from radiodeep import FastCorrelationFilter, MDLDiscretizer


def plain_uncertainty(a, b):
    """SU of two rows of categories as its definition reads."""

    def entropy(*columns):
        _, counts = np.unique(np.stack(columns), axis=1, return_counts=True)
        shares = counts / counts.sum()
        return -(shares * np.log(shares)).sum()

    both = entropy(a) + entropy(b)
    return 2 * (both - entropy(a, b)) / both if both > 0 else 0.0


def plain_fcbf(X, y):
    """FCBF as its definition reads: down the ranking, each kept feature drops what it says as well."""
    bins = MDLDiscretizer().fit_transform(X, y)
    relevance = [plain_uncertainty(column, y) for column in bins.T]
    left = [f for f in np.argsort(-np.array(relevance), kind="stable") if relevance[f] > 0]
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [f for f in left if plain_uncertainty(bins[:, best], bins[:, f]) < relevance[f]]
    return sorted(kept)


def test_fcbf_equals_the_slow_plain_version():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 3, 120)
        X = rng.normal(size=(120, 40)) + y[:, None] * rng.random(40) * 1.5
        X[:, 20:30] = X[:, :10] + 0.1 * rng.normal(size=(120, 10))
        selector = FastCorrelationFilter().fit(X, y)
        assert selector.get_support(indices=True).tolist() == plain_fcbf(X, y)
        repeated = selector.redundant_with_ >= 0
        assert selector.support_[selector.redundant_with_[repeated]].all()
        most = FastCorrelationFilter(2).fit(X, y)
        assert most.get_support().sum() == min(2, selector.get_support().sum())


def test_fcbf_compares_on_the_cases_that_both_know():
    y = np.repeat([0, 1], 20)
    complete = y + np.linspace(0, 0.5, 40)
    with_gaps = complete.copy()
    with_gaps[::7] = np.nan
    X = np.column_stack([complete, with_gaps])
    assert FastCorrelationFilter().fit(X, y).redundant_with_.tolist() == [-1, 0]
