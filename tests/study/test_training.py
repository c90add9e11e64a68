"""Models trained over cases: extraction is shared, and the fitted model takes cases again."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import CNNEnsemble, CoarseFromFine, Cohort, RadiomicsExtractor, ReliefF, make_phantom_cohort
from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.training import fit_over_cases

COHORT = make_phantom_cohort(14, random_state=3)


def pipeline():
    return make_pipeline(RadiomicsExtractor(families=["shape"]), GaussianNB())


MODELS = [
    pipeline(),
    VotingClassifier([("a", pipeline()), ("dropped", "drop")], voting="soft"),
    StackingClassifier([("a", pipeline())], LogisticRegression(), cv=2),
    CalibratedClassifierCV(pipeline(), cv=2),
    GridSearchCV(pipeline(), {"gaussiannb__var_smoothing": [1e-9, 1e-3]}, cv=2),
    CoarseFromFine(pipeline(), {0: "low", 1: "high"}),
    CNNEnsemble([pipeline(), pipeline()]),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_model_of_any_composition_scores_cases_as_one_fitted_without_sharing(model):
    fitted, excluded = fit_over_cases(model, COHORT, COHORT.labels)
    plain = model.fit(list(COHORT), COHORT.labels)
    assert excluded == {}
    np.testing.assert_array_equal(fitted.predict_proba(COHORT[:5]), plain.predict_proba(list(COHORT[:5])))
    assert "Shared" not in str(vars(fitted))
    assert "OverRowNumbers" not in str(vars(fitted))


def test_a_bag_takes_tables_only_and_is_refused():
    with pytest.raises(StudyError, match="A BaggingClassifier accepts tables only.*Put the extractor before it"):
        fit_over_cases(BaggingClassifier(pipeline(), n_estimators=2), COHORT, COHORT.labels)


def test_cases_of_one_class_or_none_at_all_cannot_be_learned_from():
    with pytest.raises(SingleClassError, match="The 14 cases that could be measured hold one class only"):
        fit_over_cases(pipeline(), COHORT, [1] * 14)
    lost = Cohort([case.replace(image="nowhere.nii.gz", mask="nowhere.nii.gz") for case in COHORT])
    with pytest.raises(StudyError, match="None of the 14 cases can be used. FileUnreadableError"):
        fit_over_cases(pipeline(), lost, COHORT.labels, on_error="exclude")


def test_a_model_of_numbers_tunes_in_folds_of_patients_and_its_selector_takes_numbers():
    cohort = Cohort([case.replace(patient=f"P{row // 2}") for row, case in enumerate(COHORT)])
    grades = np.repeat([1, 2, 5, 1, 2, 5, 2], 2)
    model = make_pipeline(RadiomicsExtractor(families=["shape"]), StandardScaler(), ReliefF(3), Ridge())
    fitted, _ = fit_over_cases(GridSearchCV(model, {"ridge__alpha": [1, 10]}, cv=3), cohort, grades, outcome="numbers")
    plain = model.set_params(relieff__target="numeric", **fitted.best_params_).fit(list(cohort), grades.astype(float))
    np.testing.assert_allclose(fitted.predict(cohort), plain.predict(list(cohort)))
