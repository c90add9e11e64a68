"""The size of the region: as the baseline of every model, in its scores and in its features."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import (
    RadiomicsExtractor,
    ReliefF,
    cross_validate_grid,
    cross_validate_models,
    cross_validated_auc,
    holdout_auc,
    make_phantom_cohort,
    size_table,
)
from radiodeep.exceptions import RadiodeepWarning, StudyError


def table(n_cases=40, n_features=30, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    X = rng.normal(size=(n_cases, n_features)) + effect * y[:, None] * (np.arange(n_features) < 3)
    return pd.DataFrame(X, columns=[f"f{n}" for n in range(n_features)], index=[f"case {n}" for n in range(n_cases)]), y


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


def size_twin(n_cases=80, seed=0):
    """Return a table of a feature that follows the size and noise, the labels and the sizes of two unequal classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    sizes = np.exp(rng.normal(size=n_cases) + 1.5 * y)
    X = pd.DataFrame({"texture": np.log(sizes) + 0.3 * rng.normal(size=n_cases), "noise": rng.normal(size=n_cases)})
    return X, y, sizes


def test_a_study_tells_how_its_score_follows_the_size_and_what_is_left_at_equal_size():
    X, y, sizes = size_twin()
    with pytest.warns(RadiodeepWarning, match="score of GaussianNB goes up with the size .*Among the .* pairs"):
        result = cross_validated_auc(GaussianNB(), X, y, cv=5, n_repeats=3, size=sizes)
    scores = result.scores.to_numpy().T
    slowly = [all_pairs(y == 1, score, sizes) for score in scores]
    np.testing.assert_allclose(result.equal_size_auc, np.mean([auc for auc, _ in slowly]))
    assert result.n_equal_size_pairs == slowly[0][1]
    correlations = [spearmanr(score, sizes).statistic for score in scores]
    np.testing.assert_allclose(result.score_size_correlation, np.mean(correlations))
    np.testing.assert_allclose(result.size_baseline.equal_size_auc, all_pairs(y == 1, sizes, sizes)[0])
    np.testing.assert_allclose(result.size_baseline.score_size_correlation, 1.0)
    assert (
        f"at equal size: AUC {result.equal_size_auc:.2f}, size alone {result.size_baseline.equal_size_auc:.2f} "
        f"({result.n_equal_size_pairs} pairs within 10 %); rank correlation of the score with size "
        f"{result.score_size_correlation:.2f} (5-fold, 3 repeats)"
    ) in str(result)


def test_under_leave_one_out_the_numbers_printed_are_those_of_the_repeated_folds_beside():
    X, y, sizes = size_twin()
    with pytest.warns(RadiodeepWarning, match="2-fold, 50 repeats"):
        result = cross_validated_auc(GaussianNB(), X, y, size=sizes)
    assert result.equal_size_auc == all_pairs(y == 1, result.scores[0].to_numpy(), sizes)[0]
    assert result.compared_with_size is result.companion
    assert f"at equal size: AUC {result.companion.equal_size_auc:.2f}, " in str(result)


def test_under_leave_pair_out_the_pairs_left_out_are_those_of_equal_size():
    X, y, sizes = size_twin(30)
    sizes = sizes**0.1  # more pairs of equal size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RadiodeepWarning)
        result = cross_validated_auc(GaussianNB(), X, y, cv="leave-pair-out", size=sizes)
    ratio = sizes[y == 0][:, None] / sizes[y == 1]
    equal = np.maximum(ratio, 1 / ratio) <= 1.1
    assert result.n_equal_size_pairs == equal.sum() >= 30
    np.testing.assert_allclose(result.equal_size_auc, result.pairs[equal].mean())
    correlation = spearmanr(result.predictions["score"], sizes).statistic
    np.testing.assert_allclose(result.score_size_correlation, correlation)


def test_scores_that_do_not_follow_the_size_are_not_warned_of():
    X, y = table(60, 5)
    sizes = np.exp(np.random.default_rng(0).normal(size=60))
    result = cross_validated_auc(GaussianNB(), X, y, cv=5, size=sizes)
    assert abs(result.score_size_correlation) < 0.4
    assert result.equal_size_auc > 0.7


@pytest.mark.slow
def test_noise_and_phantoms_are_not_warned_of():
    for seed in range(20):
        X, y = table(30, 200, effect=0, seed=seed)
        sizes = np.exp(np.random.default_rng(seed).normal(size=30))
        cross_validated_auc(make_pipeline(ReliefF(5), GaussianNB()), X, y, cv=5, n_repeats=2, size=sizes)
    cohort = make_phantom_cohort(40, random_state=0)
    texture = RadiomicsExtractor(families=["glcm", "firstorder"])
    model = make_pipeline(texture, StandardScaler(), ReliefF(5), LogisticRegression())
    assert cross_validated_auc(model, cohort, cohort.labels, cv=5).score_size_correlation is not None


def test_smaller_regions_that_speak_for_the_positive_class_are_warned_of_as_well():
    X, y, sizes = size_twin()
    with pytest.warns(RadiodeepWarning, match="goes down with the size of the region .rank correlation -0"):
        result = cross_validated_auc(GaussianNB(), X, 1 - y, cv=5, size=sizes)
    assert result.score_size_correlation < -0.7


def test_a_correlation_that_chance_gives_in_few_cases_is_not_warned_of():
    train, _, _ = size_twin(40)
    X = pd.DataFrame({"texture": [0.1, 0.5, 0.2, 0.9, 0.4, 0.8], "noise": 0.0})
    result = holdout_auc(
        GaussianNB(), train, np.arange(40) % 2, X, [0, 1, 0, 1, 0, 1], size=np.exp(X["texture"].to_numpy())
    )
    assert result.score_size_correlation > 0.7


def test_too_few_pairs_are_said_so():
    X, y, sizes = size_twin(24)
    sizes = sizes**20  # no two are of equal size
    with pytest.warns(RadiodeepWarning, match="too few pairs .* among them, 0, so it is not known"):
        result = cross_validated_auc(GaussianNB(), X, y, cv=4, size=sizes)
    assert result.equal_size_auc is None
    assert f"at equal size: too few pairs for the AUC ({result.n_equal_size_pairs} within 10 %)" in str(result)
    assert np.isnan(size_table({"twin": result}).loc["twin", "equal_size_auc"])


def test_sizes_that_are_all_the_same_have_no_correlation():
    X, y = table(40, 5)
    result = cross_validated_auc(GaussianNB(), X, y, cv=4, n_repeats=1, size=np.full(40, 5.0))
    assert result.score_size_correlation is None
    np.testing.assert_allclose(result.equal_size_auc, result.auc)
    assert "rank correlation of the score with size is not defined" in str(result)


def test_without_sizes_nothing_is_said_of_them():
    X, y = table(40, 5)
    result = cross_validated_auc(GaussianNB(), X, y, cv=4)
    assert (result.score_size_correlation, result.equal_size_auc, result.n_equal_size_pairs) == (None, None, None)
    assert "size" not in str(result)
    assert size_table({"all": result})["auc"].tolist() == [result.auc]


def test_a_table_lists_the_models_of_a_grid_and_size_baseline():
    X, y, sizes = size_twin()
    selectors, classifiers = {"all": None, "one": ReliefF(1)}, {"naive Bayes": GaussianNB()}
    with pytest.warns(RadiodeepWarning, match="goes up with the size"):
        results = cross_validate_grid({"t": X}, selectors, classifiers, y, cv=5, n_repeats=2, size=sizes)
    listed = size_table(results)
    assert listed.index.tolist() == [*results, "size alone"]
    for name, result in results.items():
        assert listed.loc[name, "equal_size_auc"] == result.equal_size_auc
        assert listed.loc[name, "score_size_correlation"] == result.score_size_correlation


def test_the_size_of_the_region_stands_beside_every_model():
    cohort = make_phantom_cohort(20, random_state=2)
    models = {
        "texture": make_pipeline(RadiomicsExtractor(families=["glcm"]), StandardScaler(), ReliefF(2), GaussianNB())
    }
    result = cross_validate_models(models, cohort, cohort.labels)["texture"]
    sizes = np.array([case.roi_size_mm for case in cohort])
    by_hand = roc_auc_score(cohort.labels, sizes)
    np.testing.assert_allclose(result.size_baseline.auc, max(by_hand, 1 - by_hand))
    assert result.against_size is None  # leave-one-out gives no valid test
    np.testing.assert_allclose(result.companion.against_size.value_b, result.companion.size_baseline.auc)
    assert result.companion.size_baseline.cv == result.companion.cv
    assert "size alone: AUC" in str(result)
    assert result.size_correlations


def test_size_comes_from_a_column_or_from_the_user_or_not_at_all():
    X, y = table()
    assert cross_validated_auc(GaussianNB(), X, y, cv=5).size_baseline is None
    volume = np.exp(np.random.default_rng(0).normal(size=40) + y)
    given = cross_validated_auc(GaussianNB(), X, y, cv=5, size=volume)
    measured = cross_validated_auc(GaussianNB(), X.assign(original_shape_MeshVolume=volume), y, cv=5)
    assert given.size_baseline.auc == measured.size_baseline.auc
    assert cross_validated_auc(GaussianNB(), X, y, cv=5, size=None).size_baseline is None
    for size, message in (
        (volume[:3], "a number > 0 for each of the 40"),
        ("big", "'auto', None or one size per case"),
    ):
        with pytest.raises(StudyError, match=message):
            cross_validated_auc(GaussianNB(), X, y, cv=5, size=size)


def test_features_that_are_the_size_in_disguise_are_pointed_out():
    X, y = table(effect=0)
    volume = np.exp(np.random.default_rng(0).normal(size=40) + 2 * y)
    X["diameter"] = volume ** (1 / 3)
    model = make_pipeline(ReliefF(3), GaussianNB())
    with pytest.warns(
        RadiodeepWarning,
        match="1 of the . features that .* has a rank .* diameter .1.00.*Compare its AUC with that of size alone",
    ):
        result = cross_validated_auc(model, X, y, size=volume)
    np.testing.assert_allclose(result.size_correlations["diameter"], 1.0)


def test_smaller_regions_may_speak_for_the_last_class():
    X, y = table()
    volume = np.exp(np.random.default_rng(0).normal(size=40) - 2 * y)
    alone = cross_validated_auc(GaussianNB(), X, y, cv=4, size=volume).size_baseline
    np.testing.assert_allclose(alone.auc, roc_auc_score(y, -volume))
    assert alone.settings["1"] == "smaller regions"
    np.testing.assert_allclose(alone.accuracy, np.mean((volume < np.median(volume)) == y))


def test_features_selected_in_few_folds_are_not_held_against_the_size():
    X, y = table(60, 400, effect=0)
    result = cross_validated_auc(make_pipeline(ReliefF(5), GaussianNB()), X, y, cv=5, size=np.exp(X["f9"]).to_numpy())
    looked_at = result.folds["selected_features"][::8]
    counts = pd.Series([name for names in looked_at for name in names]).value_counts()
    assert set(result.size_correlations) == set(counts[counts >= len(looked_at) / 2].index)
    two = cross_validated_auc(
        make_pipeline(ReliefF(5), GaussianNB()), X, y, cv=5, n_jobs=2, size=np.exp(X["f9"]).to_numpy()
    )
    assert two.size_correlations == result.size_correlations
