"""Inner folds of searches and calibrators keep the cases of a patient together."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import (
    Cohort,
    HorizonClassifier,
    bootstrap_auc,
    cross_validated_auc,
    cross_validated_cindex,
    permutation_test,
    survival_outcomes,
)
from radiodeep.cases.case import Case
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


def test_a_search_for_a_horizon_keeps_its_own_folds():
    rng = np.random.default_rng(0)
    X, patients = rng.normal(size=(60, 3)), np.arange(60) // 2
    y = survival_outcomes(rng.random(60) < 0.6, rng.exponential(size=60))
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=3)
    model = HorizonClassifier(search, horizon=0.5)  # cases that are censored before are left out
    result = cross_validated_cindex(model, X, y, cv=3, n_repeats=1, groups=patients, horizon=0.5)
    assert 0 <= result.value <= 1


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


PATIENT = np.repeat(np.arange(12), 3)
SEEN = []  # patients of training and tested cases, by the spies


class Extract(TransformerMixin, BaseEstimator):
    """Makes a row of the patient and noise of each case; a table or an array stays as it is."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if isinstance(X, Cohort | list):
            return np.array([[float(case.patient.removeprefix("patient ")), case.voxels.mean()] for case in X])
        return np.asarray(X)

    def __sklearn_is_fitted__(self):
        return True


class Spy(ClassifierMixin, BaseEstimator):
    """Notes the patients of its training cases and of those it is tested on; the first column is the patient."""

    def __init__(self, setting=0):
        self.setting = setting

    def fit(self, X, y):
        self.classes_, self.patients_ = np.unique(y), set(X[:, 0])
        return self

    def predict_proba(self, X):
        SEEN.append((self.patients_, set(X[:, 0])))
        share = np.exp(X[:, 1]) / (1 + np.exp(X[:, 1]))
        return np.column_stack([1 - share, share])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def lesions(form):
    """Return lesions as a cohort, a list of cases, a table that knows its patients or an array, and the groups."""
    mask = np.zeros((2, 3, 3))
    mask[:, 1, 1] = 1
    images = np.random.default_rng(1).normal(size=(36, 2, 3, 3))
    cases = [
        Case(image, mask, f"lesion {number}", spacing_mm=(1, 1, 1), patient=f"patient {PATIENT[number]}")
        for number, image in enumerate(images)
    ]
    if form == "cohort":
        return Cohort(cases), None
    if form == "list":
        return cases, None
    rows = Extract().transform(cases)
    if form == "array":
        return rows, PATIENT
    table = pd.DataFrame(rows, index=[case.id for case in cases], columns=["patient", "noise"])
    table.attrs["patients"] = {case.id: case.patient for case in cases}
    return table, None


@pytest.mark.parametrize("form", ["cohort", "list", "table", "array"])
@pytest.mark.parametrize("inner", [2, StratifiedKFold(2, shuffle=True, random_state=0)])
def test_inner_folds_keep_patients_together_for_every_form_of_the_cases_and_when_resampled(form, inner):
    X, groups = lesions(form)
    y = PATIENT % 2
    search = GridSearchCV(Spy(), {"setting": [0, 1]}, cv=inner)
    model = make_pipeline(Extract(), search)
    for study in (
        lambda: cross_validated_auc(model, X, y, cv=3, n_repeats=2, groups=groups, size=None),
        lambda: bootstrap_auc(model, X, y, n_resamples=8, groups=groups),
        lambda: permutation_test(model, X, y, cv=3, n_permutations=2, groups=groups),
    ):
        SEEN.clear()
        study()
        n_apart = 0
        for training, tested in SEEN:
            assert not training & tested or training == tested  # a model may be applied to its own training cases
            n_apart += not training & tested
        assert n_apart > 2 * 6 * 2  # two settings and two inner folds of each outer fold, or of each resample
