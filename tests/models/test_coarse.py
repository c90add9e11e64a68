"""Fine classes are learned, coarse ones told."""

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep.exceptions import InputError

TREE = {"a1": 0, "a2": 0, "b": 1}


def table():
    rng = np.random.default_rng(0)
    fine = np.repeat(["a1", "a2", "b"], 20)
    X = pd.DataFrame(rng.normal(size=(60, 2)), index=[f"case {number}" for number in range(60)], columns=["u", "v"])
    X["u"] += np.repeat([0.0, 8.0, 4.0], 20)  # one coarse class lies on both sides of the other
    return X, pd.Series(fine, index=X.index)


def test_probabilities_are_sums_over_the_tree():
    X, fine = table()
    model = rd.CoarseFromFine(GaussianNB(), TREE).fit(X, fine)
    of_fine = GaussianNB().fit(X, fine).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), np.stack([of_fine[:, :2].sum(axis=1), of_fine[:, 2]], axis=1))
    assert model.classes_.tolist() == [0, 1]


def test_a_study_judges_by_the_coarse_classes():
    X, fine = table()
    coarse = fine.map(TREE).to_numpy()
    result = rd.cross_validated_auc(rd.CoarseFromFine(GaussianNB(), TREE, fine=fine), X, coarse, cv=5)
    assert result.auc > 0.95


def test_cases_know_their_fine_class_by_their_id(tmp_path):
    cohort = rd.make_phantom_cohort(12, random_state=0)
    fine = pd.Series([f"{'a' if label == 0 else 'b'}{number % 2}" for number, label in enumerate(cohort.labels)])
    fine.index = cohort.ids
    tree = {name: int(name[0] == "b") for name in fine}
    base = make_pipeline(rd.RadiomicsExtractor(families=["firstorder"]), GaussianNB())
    model = rd.CoarseFromFine(base, tree, fine=fine).fit(cohort, cohort.labels)
    assert set(model.predict(cohort)) <= {0, 1}
    with pytest.raises(InputError, match="'fine' has no class for 1 cases: phantom-011"):
        rd.CoarseFromFine(base, tree, fine=fine[:-1]).fit(cohort, cohort.labels)
    rd.save_model(model.set_params(fine=None), tmp_path / "coarse.skops")
    loaded = rd.load_model(tmp_path / "coarse.skops")
    np.testing.assert_array_equal(loaded.predict_proba(cohort), model.predict_proba(cohort))


def test_a_tree_that_does_not_fit_is_refused():
    X, fine = table()
    with pytest.raises(InputError, match="names no coarse class for b"):
        rd.CoarseFromFine(GaussianNB(), {"a1": 0, "a2": 0}).fit(X, fine)
    with pytest.raises(InputError, match="names no coarse class for 1, 2"):
        rd.CoarseFromFine(GaussianNB(), {"1": 0, "2": 1}).fit(X, np.repeat([1, 2], 30))
    with pytest.raises(InputError, match="must hold one class per case. Some case ids occur twice"):
        rd.CoarseFromFine(GaussianNB(), TREE, fine=pd.concat([fine, fine[:1]])).fit(X, fine.map(TREE))
    wrong = fine.map(TREE).to_numpy(copy=True)
    wrong[3] = 1
    with pytest.raises(InputError, match="Label 3 is .*1.*, but its fine class 'a1' belongs to"):
        rd.CoarseFromFine(GaussianNB(), TREE, fine=fine).fit(X, wrong)
