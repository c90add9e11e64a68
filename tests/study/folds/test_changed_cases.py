"""Searches that try one step that changes cases in place of another: the same fit with and without shared tables."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline

import radiodeep as rd
from radiodeep.study.folds.changed_cases import replaces_steps_that_change_cases

STEPS = [rd.NyulNormalizer(over="image"), rd.IntensityNormalizer(over="image"), "passthrough"]
MODEL = Pipeline(
    [
        ("step", rd.IntensityNormalizer(over="image", scale=7)),
        ("radiomics", rd.RadiomicsExtractor(families=["firstorder"], bin_count=8)),
        ("bayes", GaussianNB()),
    ]
)


@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # so few cases
@pytest.mark.parametrize("grid", [{"step": STEPS}, [{"step": [make_pipeline(*STEPS[:2])]}, {"step": STEPS[2:]}]])
def test_a_search_tries_one_step_in_place_of_another(grid):
    cohort = rd.make_phantom_cohort(8, random_state=1)
    search = GridSearchCV(MODEL, grid, cv=2, error_score="raise", scoring="neg_log_loss")
    shared, _ = rd.fit_over_cases(search, cohort, cohort.labels)
    plain = clone(search).fit(list(cohort), cohort.labels)
    np.testing.assert_allclose(shared.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
    np.testing.assert_allclose(shared.predict_proba(cohort), plain.predict_proba(cohort))


def test_only_searches_over_such_steps_need_the_cases():
    assert replaces_steps_that_change_cases(RandomizedSearchCV(MODEL, {"step": STEPS[1:]}))
    for grid in ({"step": ["passthrough"]}, {"step__scale": [1, 2]}, {"bayes": [GaussianNB()]}):
        assert not replaces_steps_that_change_cases(GridSearchCV(MODEL, grid))
    assert not replaces_steps_that_change_cases(MODEL)
