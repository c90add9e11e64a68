"""The lesions of a patient are on one side of every fold, for every function, kind of outcome and form of the cases."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep.cases.case import Case
from radiodeep.exceptions import LeakageError

N_PATIENTS, N_LESIONS = 12, 3
PATIENT = np.repeat(np.arange(N_PATIENTS), N_LESIONS)
N_CASES = N_PATIENTS * N_LESIONS
RNG = np.random.default_rng(0)
BY_PATIENT = {
    "classes": np.repeat([0, 1], N_PATIENTS // 2),
    "several classes": np.arange(N_PATIENTS) % 3,
    "numbers": RNG.normal(size=N_PATIENTS),
    "survival": np.array(
        list(zip(np.arange(N_PATIENTS) % 3 > 0, RNG.exponential(size=N_PATIENTS), strict=True)),
        dtype=[("event", bool), ("time", float)],
    ),
}
KINDS = list(BY_PATIENT)


class Codes(TransformerMixin, BaseEstimator):
    """Makes a row of the patient's number and noise of each case."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.array([[float(case.patient.removeprefix("patient ")), case.voxels.mean()] for case in X])

    def __sklearn_is_fitted__(self):
        return True


class Watching(BaseEstimator):
    """A model that refuses to be tested on a patient of its training cases; the first column is the patient."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, y):
        self.patients_ = np.asarray(X)[:, 0].round(6)  # a grid standardises them
        if y.dtype.names is None:
            self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        tested = np.asarray(X)[:, 0].round(6)
        are_training_cases = np.array_equal(tested, self.patients_)  # all of them: of thresholds and resubstitution
        assert are_training_cases or not set(tested) & set(self.patients_), "a patient is on both sides"
        return np.asarray(X)[:, 1]

    def score(self, X, y):  # of searches
        self.predict(X)
        return 0.0


class WatchingClassifier(ClassifierMixin, Watching):
    def predict(self, X):
        return self.classes_[(super().predict(X) > 0).astype(int)]

    def predict_proba(self, X):
        values = Watching.predict(self, X)
        scores = np.stack([values * (number + 1) for number in range(len(self.classes_))], axis=1)
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)

    def score(self, X, y):
        return Watching.score(self, X, y)


def cohort():
    mask = np.zeros((2, 3, 3))
    mask[:, 1, 1] = 1
    images = np.random.default_rng(1).normal(size=(N_CASES, 2, 3, 3))
    return rd.Cohort(
        Case(image, mask, f"lesion {number}", spacing_mm=(1, 1, 1), patient=f"patient {PATIENT[number]}")
        for number, image in enumerate(images)
    )


def as_cohort(model):
    return make_pipeline(Codes(), model), cohort(), {}


def as_list(model):
    return make_pipeline(Codes(), model), list(cohort()), {}


def as_table(model):
    cases = cohort()
    table = pd.DataFrame(Codes().transform(cases), index=pd.Index(cases.ids, name="id"), columns=["patient", "noise"])
    table.attrs["patients"] = dict(zip(cases.ids, cases.patients, strict=True))
    return model, table, {}


def as_array(model):
    return model, Codes().transform(cohort()), {"groups": PATIENT}


FORMS = [as_cohort, as_list, as_table, as_array]


def watching(kind):
    return WatchingClassifier() if "classes" in kind else Watching()


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__)
def form(request):
    return request.param


@pytest.fixture
def given(kind, form):
    """Return a model, its cases, outcomes and groups."""
    model, X, groups = form(watching(kind))
    return model, X, BY_PATIENT[kind][PATIENT], groups


SINGLE = {"size": None, "n_repeats": 2}


@pytest.mark.parametrize("cv", [2, 3, "leave-one-out"])
def test_of_cross_validation(given, cv):
    model, X, y, groups = given
    result = rd.cross_validated_score(model, X, y, cv=cv, **groups, **SINGLE)
    assert result.patients.max() + 1 == N_PATIENTS


def test_of_leave_pair_out(form):
    model, X, groups = form(WatchingClassifier())
    rd.cross_validated_auc(model, X, BY_PATIENT["classes"][PATIENT], cv="leave-pair-out", **groups, **SINGLE)


def test_of_the_concordance_index(form):
    model, X, groups = form(Watching())
    rd.cross_validated_cindex(model, X, BY_PATIENT["survival"][PATIENT], cv=3, **groups, **SINGLE)


def test_of_several_models(given):
    model, X, y, groups = given
    rd.cross_validate_models({"a": model, "b": model}, X, y, cv=3, **groups, **SINGLE)


def test_of_a_grid(kind):
    table, y = as_table(None)[1], BY_PATIENT[kind][PATIENT]
    assert rd.cross_validate_grid({"t": table}, {"all": None}, {"w": watching(kind)}, y, cv=3, **SINGLE)


def test_of_a_search_inside(given):
    model, X, y, groups = given
    rd.cross_validated_score(GridSearchCV(model, {}, cv=2), X, y, cv=3, **groups, **SINGLE)


def test_of_permutations(given):
    model, X, y, groups = given
    rd.permutation_test(model, X, y, cv=3, n_permutations=3, **groups)


def test_of_the_bootstrap(given):
    model, X, y, groups = given
    rd.bootstrap_auc(model, X, y, n_resamples=6, **groups)


def test_of_a_holdout(kind):
    y = BY_PATIENT[kind][PATIENT]
    for model, X, _ in (as_cohort(watching(kind)), as_table(watching(kind))):
        rows = X if isinstance(X, rd.Cohort) else X.iloc
        is_first = PATIENT % 4 < 2
        is_first[6] = True  # of patient 2, whose other lesions are in the second cohort
        first, second = np.flatnonzero(is_first), np.flatnonzero(~is_first)
        with pytest.raises(LeakageError, match="1 patient is in both cohorts: 'patient 2'"):
            rd.holdout_auc(model, rows[first], y[first], rows[second], y[second])
