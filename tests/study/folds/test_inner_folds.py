"""Inner folds of searches and calibrators keep the cases of a patient together."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import cross_validated_auc
from radiodeep.exceptions import LeakageError
from radiodeep.study.folds.inner_folds import keep_groups_together


def test_inner_folds_of_a_search_keep_patients_together():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(48, 5))).add_prefix("f")
    patients = np.arange(48) // 3
    y = patients % 2
    seen = []

    class Spying(GaussianNB):
        def fit(self, X, y):
            seen.append(set(self.patients[X.index]))
            return super().fit(X, y)

    Spying.patients = pd.Series(patients, index=X.index)
    for cv in (4, GroupKFold(4), None):
        seen.clear()
        search = GridSearchCV(Spying(), {"var_smoothing": [1e-9, 1e-3]}, cv=cv)
        cross_validated_auc(search, X, y, cv=4, n_repeats=2, groups=patients)
        n_inner = 5 if cv is None else 4
        assert {len(training) for training in seen} == {
            12,
            *(12 - len(part) for part in np.array_split(range(12), n_inner)),
        }
    with pytest.raises(LeakageError, match="on both sides of fold"):
        cross_validated_auc(GaussianNB(), X, y, cv=StratifiedKFold(4, shuffle=True, random_state=0), groups=patients)


def test_a_search_inside_what_draws_other_rows_keeps_its_own_folds():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(48, 5))).add_prefix("f")
    patients = np.arange(48) // 3
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=3)
    half = BaggingClassifier(search, n_estimators=2, max_samples=0.5, random_state=0)
    result = cross_validated_auc(half, X, patients % 2, cv=4, groups=patients)
    assert 0 <= result.auc <= 1
    given = GridSearchCV(CalibratedClassifierCV(GaussianNB(), cv=3), {}, cv=[(np.arange(20), np.arange(20, 30))])
    model = make_pipeline(given)
    keep_groups_together(model, patients % 2, patients)
    assert (model[0].cv, model[0].estimator.cv) == (given.cv, 3)


@pytest.mark.parametrize("cv", [KFold(4), StratifiedKFold(4, shuffle=True, random_state=0)])
def test_splitters_of_k_folds_inside_keep_patients_together(cv):
    patients = np.arange(48) // 3
    search = GridSearchCV(GaussianNB(), {}, cv=cv)
    keep_groups_together(search, patients % 2, patients)
    assert len(search.cv) == 4
    for train, test in search.cv:
        assert not set(patients[train]) & set(patients[test])
    search.cv = ShuffleSplit(3, random_state=0)  # taken as it is, without the warning of scikit-learn
    keep_groups_together(search, patients % 2, patients)
    assert len(search.cv) == 3
