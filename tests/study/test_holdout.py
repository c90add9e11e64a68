"""A model of one cohort, tested on another."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import Cohort, RadiomicsExtractor, holdout_auc, make_phantom_cohort
from radiodeep.exceptions import LeakageError, RadiodeepWarning, StudyError

COHORT = make_phantom_cohort(16, random_state=6)


def model_with(head):
    return make_pipeline(head, GaussianNB())


def two_cases_each():
    return Cohort([case.replace(patient=f"P{number // 4}") for number, case in enumerate(COHORT)])


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def several_cases_each():
    return Cohort([case.replace(patient=f"P{row // 2}") for row, case in enumerate(make_phantom_cohort(12))])


SHAPE = RadiomicsExtractor(families=["shape"])


def size_twin(n_cases=80, seed=0):
    """Return a table of a feature that follows the size and noise, the labels and the sizes of two unequal classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    sizes = np.exp(rng.normal(size=n_cases) + 1.5 * y)
    X = pd.DataFrame({"texture": np.log(sizes) + 0.3 * rng.normal(size=n_cases), "noise": rng.normal(size=n_cases)})
    return X, y, sizes


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


def test_holdout_trains_on_one_side_and_tests_on_the_other():
    model = model_with(RadiomicsExtractor(families=["shape"]))
    result = holdout_auc(model, COHORT[:10], COHORT.labels[:10], COHORT[10:], COHORT.labels[10:])
    fitted = model.fit(COHORT[:10], COHORT.labels[:10])
    np.testing.assert_allclose(result.predictions["probability"], fitted.predict_proba(COHORT[10:])[:, 1])
    assert result.predictions.index.tolist() == COHORT.ids[10:]


def test_holdout_refuses_a_patient_on_both_sides():
    cohort = two_cases_each()
    with pytest.raises(LeakageError, match="1 patient is in both cohorts: 'P1'"):
        holdout_auc(GaussianNB(), cohort[:6], cohort.labels[:6], cohort[6:], cohort.labels[6:])


@pytest.mark.parametrize("knows", ["train", "test"])
def test_a_case_on_both_sides_is_found_where_one_side_knows_no_patients(knows):
    X, y = table()
    train, test = X[:30].copy(), X[29:].copy()
    (train if knows == "train" else test).attrs["patients"] = {name: f"patient of {name}" for name in X.index}
    with pytest.raises(LeakageError, match="1 patient is in both cohorts: 'case 29'"):
        holdout_auc(GaussianNB(), train, y[:30], test, y[29:])


def test_training_rows_may_share_a_name_where_they_are_tested_on_others():
    X, y = table()
    train = [*range(20), *range(4)]
    repeated = holdout_auc(GaussianNB(), X.iloc[train], y.to_numpy()[train], X[20:], y[20:])
    as_arrays = holdout_auc(
        GaussianNB(), X.to_numpy()[train], y.to_numpy()[train], X.to_numpy()[20:], y.to_numpy()[20:]
    )
    assert repeated.auc == as_arrays.auc


def test_test_cases_that_are_training_cases_under_other_names_are_pointed_out():
    X, y = table()
    renamed = X.rename(index=lambda name: f"again {name}")
    with pytest.warns(
        RadiodeepWarning, match="40 of 40 test cases have the same features as a training case, e.g. 'again"
    ):
        result = holdout_auc(GaussianNB(), X, y, renamed, y.to_numpy())
    assert len(result.remarks) == 1


def test_columns_of_a_holdout_are_matched_by_name():
    X, y = table()
    plain = holdout_auc(GaussianNB(), X[:20], y[:20], X[20:], y[20:])
    turned = holdout_auc(GaussianNB(), X[:20], y[:20], X[20:].iloc[:, ::-1], y[20:])
    pd.testing.assert_frame_equal(turned.predictions, plain.predictions)
    with pytest.raises(StudyError, match="the test table has no column 'f0'"):
        holdout_auc(GaussianNB(), X[:20], y[:20], X[20:].drop(columns="f0"), y[20:])


def test_a_holdout_stands_beside_the_size_of_the_test_cases():
    X, y, sizes = size_twin(160)
    train, test = np.arange(80), np.arange(80, 160)
    with pytest.warns(RadiodeepWarning, match="goes up with the size .*holdout"):
        given = holdout_auc(GaussianNB(), X.iloc[train], y[train], X.iloc[test], y[test], size=sizes[test])
    np.testing.assert_allclose(given.size_baseline.auc, roc_auc_score(y[test], sizes[test]))
    score = given.predictions["score"].to_numpy()
    assert (given.equal_size_auc, given.n_equal_size_pairs) == all_pairs(y[test] == 1, score, sizes[test])
    assert "size alone: AUC" in str(given)
    named = X.assign(original_shape_MeshVolume=sizes)
    with pytest.warns(RadiodeepWarning, match="goes up with the size"):
        measured = holdout_auc(GaussianNB(), named.iloc[train], y[train], named.iloc[test], y[test])
    assert measured.size_baseline.auc == given.size_baseline.auc
    unknown = holdout_auc(GaussianNB(), X.iloc[train], y[train], X.iloc[test], y[test])
    assert unknown.size_baseline is None
    cohort = make_phantom_cohort(24, random_state=3)
    model = make_pipeline(RadiomicsExtractor(families=["glcm"]), GaussianNB())
    of_cases = holdout_auc(model, cohort[:12], cohort.labels[:12], cohort[12:], cohort.labels[12:])
    assert of_cases.size_baseline is not None
