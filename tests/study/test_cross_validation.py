"""Studies: extraction once for all folds, learning in each, and nothing that fools oneself."""

import json
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    ShuffleSplit,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from radiodeep import (
    Cohort,
    DeepFeatureExtractor,
    RadiomicsExtractor,
    ReliefF,
    cross_validate_grid,
    cross_validate_models,
    cross_validated_auc,
    extract_table,
    holdout_auc,
    make_phantom_cohort,
)
from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import LeakageError, RadiodeepWarning, SingleClassError, StudyError

try:
    import cloudpickle
except ImportError:  # older releases of joblib carry it
    from joblib.externals import cloudpickle

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import the tests

COHORT = make_phantom_cohort(16, random_state=6)


class Counting(RadiomicsExtractor):
    """A RadiomicsExtractor that counts the cases that it measures."""

    measured = 0

    def transform(self, cases):
        type(self).measured += len(cases)
        return super().transform(cases)


class LearnedSize(TransformerMixin, BaseEstimator):
    """A first step that learns from cases: the volume divided by the mean volume of the training cases."""

    def fit(self, cases, y=None):
        self.mean_ = np.mean([case.roi.sum() for case in as_cases(cases)])
        return self

    def transform(self, cases):
        return np.array([[case.roi.sum() / self.mean_] for case in as_cases(cases)])


def best_of(extractor):
    return make_pipeline(extractor, StandardScaler(), ReliefF(n_features_to_select=3))


def model_with(head):
    return make_pipeline(head, GaussianNB())


@pytest.mark.parametrize(
    "model",
    [
        model_with(best_of(RadiomicsExtractor())),
        model_with(make_union(best_of(RadiomicsExtractor()), best_of(DeepFeatureExtractor()))),
        model_with(make_union(LearnedSize(), best_of(RadiomicsExtractor(families=["glcm"])))),
        VotingClassifier(
            [("a", model_with(RadiomicsExtractor(families=["shape"]))), ("b", model_with(LearnedSize()))], voting="soft"
        ),
        make_pipeline(
            GridSearchCV(
                make_pipeline(RadiomicsExtractor(), GaussianNB()),
                {"radiomicsextractor__families": [["shape"], ["glcm"]]},
                cv=2,
            )
        ),
    ],
    ids=["pipeline", "union", "learning head", "voting", "grid search over the extractor"],
)
def test_extraction_once_gives_the_numbers_of_extraction_in_every_fold(model):
    result = cross_validated_auc(model, COHORT, COHORT.labels, cv=4, n_repeats=1)
    folds = [
        (np.flatnonzero(result.predictions["fold"] != number), np.flatnonzero(result.predictions["fold"] == number))
        for number in range(4)
    ]
    plainly = cross_val_predict(model, COHORT, COHORT.labels, cv=folds, method="predict_proba")[:, 1]
    np.testing.assert_allclose(result.predictions["probability"], plainly, rtol=1e-6, atol=1e-9)


def test_each_case_is_measured_once_for_all_folds_and_models():
    Counting.measured = 0
    models = {
        str(n): model_with(best_of(Counting())).set_params(pipeline__relieff__n_features_to_select=n) for n in (1, 2)
    }
    cross_validate_models(models, COHORT, COHORT.labels)
    assert Counting.measured == 16


def test_leave_one_out_pools_the_predictions_of_all_folds():
    model = model_with(best_of(RadiomicsExtractor()))
    result = cross_validated_auc(model, COHORT, COHORT.labels)
    table = RadiomicsExtractor().transform(COHORT)
    plainly = cross_val_predict(
        make_pipeline(*model_with(best_of("passthrough"))[:]),
        table,
        COHORT.labels,
        cv=LeaveOneOut(),
        method="predict_proba",
    )[:, 1]
    np.testing.assert_allclose(result.predictions["probability"], plainly, rtol=1e-9)
    np.testing.assert_allclose(result.auc, roc_auc_score(COHORT.labels, plainly))
    assert result.predictions.index.tolist() == COHORT.ids
    assert result.accuracy == np.mean(result.predictions["prediction"] == COHORT.labels)
    assert result.cv == "leave-one-out"
    assert str(result).startswith(f"AUC {result.companion.auc:.2f} (95% CI ")
    assert result.sentence.endswith(", n=16 (8 positive)")


def test_the_features_selected_in_each_fold_are_kept():
    union = make_union(best_of(RadiomicsExtractor()), best_of(DeepFeatureExtractor()))
    result = cross_validated_auc(model_with(union), COHORT, COHORT.labels)
    known = {*RadiomicsExtractor().get_feature_names_out(), *DeepFeatureExtractor().get_feature_names_out()}
    assert all(len(names) == 6 and set(names) <= known for names in result.folds["selected_features"])
    plain = cross_validated_auc(model_with(RadiomicsExtractor()), COHORT, COHORT.labels, cv=2)
    assert plain.folds["selected_features"].isna().all()


def test_the_settings_can_be_written_as_json():
    settings = cross_validated_auc(model_with(best_of(DeepFeatureExtractor())), COHORT, COHORT.labels, cv=2).settings
    text = json.dumps(settings)
    assert "radiodeep-mini" in text
    assert "weights_sha256" in text


def test_processes_do_not_change_the_numbers():
    model = model_with(best_of(RadiomicsExtractor(families=["shape"])))
    serial, parallel = (cross_validated_auc(model, COHORT, COHORT.labels, cv=4, n_jobs=n_jobs) for n_jobs in (None, 2))
    pd.testing.assert_frame_equal(serial.predictions, parallel.predictions)


def test_selection_inside_the_folds_finds_nothing_in_noise():
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame(rng.normal(size=(60, 3000))), np.arange(60) % 2
    honest = cross_validated_auc(make_pipeline(ReliefF(n_features_to_select=5), GaussianNB()), X, y, cv=10)
    best = ReliefF(n_features_to_select=5).fit_transform(X, y)
    fooled = cross_validated_auc(GaussianNB(), best, y, cv=10)
    assert honest.auc < 0.7 < 0.85 < fooled.auc


def test_tables_and_decision_values_work():
    X, y = make_classification(60, random_state=0)
    frame = pd.DataFrame(X, index=[f"case {n}" for n in range(60)])
    labels = np.where(y == 1, "short", "long")
    result = cross_validated_auc(make_pipeline(StandardScaler(), SVC()), frame, labels, cv=5)
    assert result.auc > 0.8
    assert result.predictions.index[3] == "case 3"
    assert set(result.predictions["prediction"]) == {"long", "short"}


def two_cases_each():
    return Cohort([case.replace(patient=f"P{number // 4}") for number, case in enumerate(COHORT)])


def test_cases_of_a_patient_stay_together_or_the_split_is_refused():
    cohort = two_cases_each()
    model = model_with(RadiomicsExtractor(families=["shape"]))
    with pytest.raises(LeakageError, match="Patient 'P.' has cases on both sides .*groups=cohort.patients"):
        cross_validated_auc(model, cohort, cohort.labels, cv=KFold(4, shuffle=True, random_state=0))
    with pytest.raises(LeakageError, match="Patient 'P.' has cases on both sides"):
        cross_validated_auc(model, cohort, cohort.labels, cv=4, groups=cohort.ids)
    for X in (cohort, list(cohort), extract_table(RadiomicsExtractor(families=["shape"]), cohort)):
        of_table = isinstance(X, pd.DataFrame)
        for cv, n_folds in (("leave-one-out", 4), (2, 2), (GroupKFold(4), 4)):
            studied = GaussianNB() if of_table else model
            result = cross_validated_auc(studied, X, cohort.labels, cv=cv, n_repeats=1)
            assert len(result.folds) == n_folds
            given = cross_validated_auc(studied, X, cohort.labels, cv=cv, groups=cohort.patients, n_repeats=1)
            pd.testing.assert_frame_equal(given.predictions, result.predictions)


@pytest.mark.parametrize(
    ("y", "cv", "error", "message"),
    [
        ([1] * 16, "leave-one-out", SingleClassError, "All 16 cases have the label 1"),
        ([1] + [0] * 15, "leave-one-out", SingleClassError, "fold 0 .tested: phantom-000. holds the label 0 only"),
        (COHORT.labels, 9, StudyError, "between 2 and 8"),
        (COHORT.labels, "loo", StudyError, "'leave-one-centre-out', an int >= 2 or a splitter. Got 'loo'"),
        (COHORT.labels, ShuffleSplit(4, random_state=0), StudyError, "does not test every case equally often"),
        (COHORT.labels[:5], 2, StudyError, "16 cases and outcomes of shape"),
        ([None, *COHORT.labels[1:]], 2, StudyError, "1 of 16 labels are missing"),
    ],
)
def test_a_study_that_means_nothing_is_refused(y, cv, error, message):
    with pytest.raises(error, match=message):
        cross_validated_auc(model_with(RadiomicsExtractor(families=["shape"])), COHORT, y, cv=cv)


class Worried(GaussianNB):
    """Warns in every fold as extractors and networks do, of other cases each time."""

    def fit(self, X, y):
        warnings.warn(
            f"Mine: Spacings differ: from 1 mm (a{len(X)}) to {y.sum()} mm (b)", RadiodeepWarning, stacklevel=2
        )
        warnings.warn(
            f"Mine: the loss of {X[0, 0]:.3g} of 2 networks rose (from {X[0, 1]:.3g}). Do less.",
            RadiodeepWarning,
            stacklevel=2,
        )
        warnings.warn(f"case-{len(X) % 2}: is odd", RadiodeepWarning, stacklevel=2)
        if X[0, 0] > 1e6:
            raise ValueError("too large")
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_study_warns_once_of_what_every_fold_warns_of(n_jobs):
    X, y = make_classification(31, random_state=0)
    with pytest.warns(RadiodeepWarning, match="Mine|is odd") as caught:
        cross_validated_auc(Worried(), X, y, cv=3, n_repeats=2, n_jobs=n_jobs)
    texts = [str(warning.message) for warning in caught]
    assert [text[:14] for text in texts] == ["Mine: Spacings", "Mine: the loss", "case-0: is odd", "case-1: is odd"]
    assert all(text.endswith("Other folds of this study warn of the same.") for text in texts[:2])
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize(
    "study",
    [
        lambda X, y, size: cross_validated_auc(LogisticRegression(), X, y, cv=3, n_repeats=1, size=size),
        lambda X, y, size: cross_validate_models({"a": LogisticRegression()}, X, y, cv=3, n_repeats=1, size=size),
        lambda X, y, size: cross_validate_grid(
            {"t": X}, {"all": None}, {"a": LogisticRegression()}, y, cv=3, n_repeats=1, size=size
        ),
        lambda X, y, size: holdout_auc(LogisticRegression(), X[:15], y[:15], X[15:], y[15:], size=size[15:]),
    ],
)
def test_warnings_name_the_line_of_the_user_whichever_function_is_called(study):
    y = np.arange(30) % 2
    size = np.arange(1, 31) + 10 * y
    with pytest.warns(RadiodeepWarning, match="The score of .* the size of the region") as caught:
        study(pd.DataFrame({"diameter": np.log(size)}), y, size)
    assert {warning.filename for warning in caught} == {__file__}


def test_warnings_of_a_fold_that_fails_are_shown():
    X, y = make_classification(31, random_state=0)
    with pytest.warns(RadiodeepWarning, match="Mine|case-0: is odd"), pytest.raises(ValueError, match="too large"):
        cross_validated_auc(Worried(), X + 1e7, y, cv=3, n_repeats=1)
