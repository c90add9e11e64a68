"""Selectors by hand, against a slow plain version, and in scikit-learn's own checks."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiodeep import FastCorrelationFilter, MDLDiscretizer, ReliefF, SymmetricUncertainty
from radiodeep.exceptions import InputError, RadiodeepWarning, SingleClassError
from radiodeep.selection.ranking import weka_order


@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # the checks' noise has no signal
@parametrize_with_checks(
    [
        ReliefF(),
        ReliefF(n_samples=15, weight_by_distance=True, tie_order="weka"),
        SymmetricUncertainty(),
        FastCorrelationFilter(),
        MDLDiscretizer(),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def difference(a, b, nominal, n_values):
    if nominal:
        return 1 - 1 / n_values if np.isnan(a) or np.isnan(b) else float(a != b)
    if np.isnan(a) and np.isnan(b):
        return 1.0
    if np.isnan(a) or np.isnan(b):
        known = b if np.isnan(a) else a
        return max(known, 1 - known)
    return abs(a - b)


def plain_relieff(X, y, k, nominal):
    """ReliefF as its definition reads, one number after the other."""
    n, p = X.shape
    Z = X.copy()
    for f in range(p):
        if not nominal[f]:
            low, high = np.nanmin(X[:, f]), np.nanmax(X[:, f])
            Z[:, f] = np.where(np.isnan(X[:, f]), np.nan, 0 if high - low < 1e-6 else (X[:, f] - low) / (high - low))
    n_values = [len(np.unique(X[~np.isnan(X[:, f]), f])) for f in range(p)]
    classes, weights = np.unique(y), np.zeros(p)
    prior = {c: np.mean(y == c) for c in classes}
    for i in range(n):
        diffs = {j: [difference(Z[i, f], Z[j, f], nominal[f], n_values[f]) for f in range(p)] for j in range(n)}
        for c in classes:
            buffer = []  # of [distance, case]; a full one gives up its first worst slot, to a smaller distance only
            for j in range(n):
                if j == i or y[j] != c:
                    continue
                distance = 0.0
                for value in diffs[j]:
                    distance += value
                if len(buffer) < k:
                    buffer.append([distance, j])
                else:
                    worst = max(range(k), key=lambda q: (buffer[q][0], -q))
                    if distance < buffer[worst][0]:
                        buffer[worst] = [distance, j]
            if not buffer:
                continue
            sign = -1 if c == y[i] else 1 if len(classes) == 2 else prior[c] / (1 - prior[y[i]])
            for f in range(p):
                weights[f] += sign * sum(diffs[j][f] for _, j in buffer) / len(buffer)
    return weights / n


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("with_missing", [False, True])
def test_relieff_equals_the_slow_plain_version(n_classes, with_missing):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(47, 13))
    X[:, 3] = np.round(X[:, 3])  # ties
    X[:, 5] = 2.0  # constant
    X[:, 7] = rng.integers(0, 3, 47)  # categories
    y = rng.integers(0, n_classes, 47)
    if with_missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    nominal = np.arange(13) == 7
    scores = ReliefF(n_neighbors=4, nominal_features=[7]).fit(X, y).scores_
    np.testing.assert_allclose(scores, plain_relieff(X, y, 4, nominal), rtol=0, atol=1e-13)


def test_relieff_by_hand():
    X = np.array([[0.0, 5.0], [1.0, 5.0], [9.0, 5.0], [10.0, 5.0]])
    # Each hit is 0.1 away; the nearest misses are 0.9, 0.8, 0.8, 0.9 away: (3.4 - 0.4) / 4.
    scores = ReliefF(n_neighbors=1).fit(X, [0, 0, 1, 1]).scores_
    np.testing.assert_allclose(scores, [0.75, 0.0], atol=1e-15)


def test_relieff_sees_what_single_features_do_not():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 30))
    y = X[:, 4] * X[:, 20] > 0
    assert set(ReliefF(n_features_to_select=2).fit(X, y).get_support(indices=True)) == {4, 20}
    assert SymmetricUncertainty(threshold=None).fit(X, y).scores_[[4, 20]].max() < 0.1


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


def test_when_nothing_passes_one_is_kept_and_it_is_said():
    X = np.random.default_rng(2).normal(size=(30, 4))
    X[:, 0] = np.arange(30) // 2  # both classes at every value
    X[:, 1:] = 0
    with pytest.warns(RadiodeepWarning, match="only the first-ranked one, column 0, is kept and it means nothing"):
        selector = SymmetricUncertainty().fit(X, np.arange(30) % 2)
    assert selector.get_support().sum() == 1


def test_equal_scores_go_from_left_to_right():
    X = np.repeat(np.arange(10.0)[:, None], 4, axis=1)
    selector = ReliefF(n_features_to_select=2, n_neighbors=3).fit(X, np.arange(10) >= 5)
    assert selector.ranking_.tolist() == [1, 2, 3, 4]
    assert selector.get_support(indices=True).tolist() == [0, 1]


def test_a_fraction_and_none_choose_how_many():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 10)), np.arange(20) % 2
    assert ReliefF(n_features_to_select=0.3).fit_transform(X, y).shape == (20, 3)
    assert ReliefF(n_features_to_select=None).fit_transform(X, y).shape == (20, 10)
    assert ReliefF(n_features_to_select=99).fit_transform(X, y).shape == (20, 10)


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (ReliefF(n_features_to_select=0), "'n_features_to_select' parameter of ReliefF must be"),
        (ReliefF(n_neighbors=1.5), "'n_neighbors' parameter of ReliefF must be an int >= 1. Got 1.5"),
        (ReliefF(nominal_features=["age"]), "Got 'age' instead"),
        (SymmetricUncertainty(threshold="high"), "'threshold' parameter of SymmetricUncertainty"),
    ],
)
def test_wrong_settings_are_refused(selector, message):
    with pytest.raises(InputError, match=message):
        selector.fit(np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2)


def test_one_class_and_continuous_targets_are_refused():
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(SingleClassError, match="one class, 1, in all 10"):
        ReliefF().fit(X, np.ones(10, int))
    with pytest.raises(InputError, match="must hold classes"):
        ReliefF().fit(X, np.linspace(0, 1, 10))


def test_a_value_on_a_cut_belongs_to_the_bin_below_and_missing_stays_missing():
    discretizer = MDLDiscretizer().fit([[1.0], [2.0], [3.0], [4.0], [11.0], [12.0], [13.0], [14.0]], [0] * 4 + [1] * 4)
    bins = discretizer.transform([[7.5], [7.6], [np.nan]]).ravel()
    np.testing.assert_array_equal(bins, [0, 1, np.nan])


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr("radiodeep.selection.threads._WORTH_A_THREAD", 100)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 40)), rng.integers(0, 3, 150)
    X[rng.random(X.shape) < 0.05] = np.nan
    months = rng.random(150)
    for selector, target in (
        (ReliefF(), y),
        (ReliefF(n_samples=70), y),
        (ReliefF(target="numeric"), months),
        (SymmetricUncertainty(threshold=None), y > 0),
    ):
        one, several = (clone(selector).set_params(n_jobs=n_jobs).fit(X, target).scores_ for n_jobs in (1, 3))
        np.testing.assert_array_equal(one, several)


def test_a_block_of_rows_that_is_not_full_changes_nothing():
    rng = np.random.default_rng(1)
    for n_cases in (2, 3, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65):
        X, y = rng.normal(size=(n_cases, 37)), np.arange(n_cases) % 2
        expected = plain_relieff(X, y, 3, np.zeros(37, bool))
        np.testing.assert_allclose(ReliefF(n_neighbors=3).fit(X, y).scores_, expected, rtol=0, atol=1e-13)


def test_more_features_than_are_added_at_once():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(20, 1300)), np.arange(20) % 2
    X[3, 700] = np.nan
    expected = plain_relieff(X, y, 5, np.zeros(1300, bool))
    np.testing.assert_allclose(ReliefF(n_neighbors=5).fit(X, y).scores_, expected, rtol=0, atol=1e-12)


def test_sampling_every_case_is_no_sampling():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)), np.arange(30) % 2
    np.testing.assert_array_equal(ReliefF(n_samples=30).fit(X, y).scores_, ReliefF().fit(X, y).scores_)
    assert (ReliefF(n_samples=29).fit(X, y).scores_ != ReliefF().fit(X, y).scores_).any()


def test_a_numeric_target_must_be_asked_for_and_must_vary():
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(InputError, match="or set target='numeric'"):
        ReliefF().fit(X, np.linspace(0, 1, 10))
    with pytest.raises(InputError, match="a target that varies. Got 4 in all 10 cases"):
        ReliefF(target="numeric").fit(X, np.full(10, 4.0))


def test_columns_wider_than_a_float_are_refused():
    with pytest.raises(InputError, match="Column 1 of ReliefF spans more than a float64 holds"):
        ReliefF().fit([[0.0, -1.7e308], [1.0, 1.7e308], [2.0, 0.0]], [0, 1, 0])


def test_weights_of_cases_are_refused():
    X, y = np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2
    for selector in (ReliefF(), SymmetricUncertainty(), FastCorrelationFilter()):
        with pytest.raises(TypeError, match="unexpected keyword argument 'sample_weight'"):
            selector.fit(X, y, sample_weight=np.ones(10))


def test_names_go_in_and_come_out():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 4)), columns=["a", "b", "c", "d"])
    y = (frame["c"] > 0).to_numpy()
    for selector in (ReliefF(1), SymmetricUncertainty(1), FastCorrelationFilter(1)):
        assert list(selector.set_output(transform="pandas").fit_transform(frame, y)) == ["c"]


def test_the_order_of_weka_is_a_sorted_one():
    rng = np.random.default_rng(0)
    for n_values in range(40):
        values = rng.integers(0, 6, n_values).astype(float)
        order = weka_order(values)
        assert sorted(order) == list(range(n_values))
        assert (np.diff(values[order]) >= 0).all()


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
    one = y + np.linspace(0, 0.5, 40)
    other = one.copy()
    other[::7] = np.nan
    X = np.column_stack([one, other])
    assert FastCorrelationFilter().fit(X, y).redundant_with_.tolist() == [-1, 0]


def test_threads_are_threads_whatever_joblib_is_set_to(monkeypatch):
    monkeypatch.setattr("radiodeep.selection.threads._WORTH_A_THREAD", 100)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 40)), np.arange(60) % 2
    for selector in (ReliefF(), SymmetricUncertainty(threshold=None)):
        alone = clone(selector).fit(X, y).scores_
        with parallel_config(backend="loky", n_jobs=2):
            np.testing.assert_array_equal(clone(selector).fit(X, y).scores_, alone)


def test_a_target_that_no_neighbours_differ_in_is_refused():
    X = np.r_[np.zeros((6, 2)), np.ones((6, 2))] + 0.01 * np.arange(24).reshape(12, 2)
    with pytest.raises(InputError, match="All 2 neighbours of every case have the same target.*Raise n_neighbors"):
        ReliefF(n_neighbors=2, target="numeric").fit(X, np.repeat([0.0, 5.0], 6))
    with pytest.raises(InputError, match="the opposite extreme"):
        ReliefF(n_neighbors=1, target="numeric").fit(X[:2], [0.0, 5.0])


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


def test_a_fraction_is_what_it_looks_like():
    X, y = np.random.default_rng(0).normal(size=(20, 100)), np.arange(20) % 2
    assert ReliefF(0.29).fit(X, y).get_support().sum() == 29


def test_cuts_between_the_largest_numbers():
    X = np.r_[np.linspace(1.0, 1.2, 10), np.linspace(1.5, 1.7, 10)][:, None] * 1e308
    assert SymmetricUncertainty().fit(X, np.repeat([0, 1], 10)).scores_[0] == 1.0


@pytest.mark.parametrize(("target", "y"), [("classes", np.arange(12) % 2), ("numeric", np.linspace(0, 1, 12))])
def test_rows_without_any_number_are_refused(target, y):
    X = np.random.default_rng(0).normal(size=(12, 3))
    X[4, :2] = np.nan
    ReliefF(1, target=target).fit(X, y)  # missing values are weighed
    X[4] = np.nan
    with pytest.raises(InputError, match="Row 4 is NaN in all 3 features .1 such row.; leave out cases"):
        ReliefF(1, target=target).fit(X, y)
