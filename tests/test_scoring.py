"""A row per case, the failed ones named, the others as if nothing had happened."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import radiodeep as rd
from radiodeep.exceptions import EmptyMaskError, ModelError

COHORT = rd.make_phantom_cohort(12, random_state=9)
MODEL = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB()).fit(COHORT, COHORT.labels)


def test_scores_are_the_models_probabilities_whatever_the_processes():
    for n_jobs in (None, 2):
        scores = rd.score_cohort(MODEL, COHORT, n_jobs=n_jobs)
        np.testing.assert_allclose(scores[["probability_0", "probability_1"]], MODEL.predict_proba(COHORT))
        assert scores["prediction"].tolist() == MODEL.predict(COHORT).tolist()
        assert scores["id"].tolist() == COHORT.ids
        assert set(scores["error"]) == {""}


def test_three_bad_cases_of_twelve_leave_nine_scores(tmp_path):
    stored = rd.read_cohort(rd.write_cohort(COHORT, tmp_path))
    (tmp_path / "phantom-002_image.nii.gz").write_bytes(b"no image")
    empty = COHORT[5].replace(mask=COHORT[5].mask * 0)
    other = COHORT[7].replace(mask=COHORT[7].mask[:-1])
    cases = [*list(stored[:5]), empty, stored[6], other, *list(stored[8:])]
    scores = rd.score_cohort(MODEL, cases).set_index("id")
    failed = scores[scores["error"] != ""]
    assert [text.split(":")[0] for text in failed["error"]] == [
        "FileUnreadableError", "EmptyMaskError", "GeometryMismatchError"
    ]  # fmt: skip
    assert failed["probability_1"].isna().all()
    good = [position for position in range(12) if position not in (2, 5, 7)]
    np.testing.assert_allclose(
        scores.loc[[COHORT.ids[position] for position in good], "probability_1"], MODEL.predict_proba(COHORT)[good, 1]
    )
    with pytest.raises(EmptyMaskError, match="^phantom-005"):
        rd.score_cohort(MODEL, [empty], on_error="raise")


def test_a_model_without_probabilities_says_what_to_do():
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), SVC()).fit(COHORT, COHORT.labels)
    with pytest.raises(ModelError, match="CalibratedClassifierCV"):
        rd.score_cohort(model, COHORT)
