"""Models saved by version 0.1.0, before its classes moved, load and give the scores they gave then.

The files in `saved/` were written by `save_model` of version 0.1.0 on 2026-11-21. Models of cases were fitted to 16
phantoms (`make_phantom_cohort(16, random_state=10)`), models of tables to 24 synthetic rows; `table.csv` has the first
six. To keep the files small, network weights were rounded to two binary digits after the leading one before scoring,
and the .skops archives were compressed. `scores.csv` holds what that version predicted: for classifiers the probability
(of a support vector machine the decision value) of class 1, for the regressor its number.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd

SAVED = Path(__file__).parent / "saved"
SCORES = pd.read_csv(SAVED / "scores.csv", index_col=["model", "id"])
OF_NETWORKS = ("ensemble", "network", "regressor", "tuned", "union")
# scikit-learn warns of its own newer versions, which this test does not guard.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")


@pytest.mark.parametrize("file", sorted(path.name for path in SAVED.iterdir() if path.suffix != ".csv"))
def test_a_model_saved_before_the_classes_moved_predicts_as_it_did(file):
    name, _, suffix = file.partition(".")
    model = rd.load_model(SAVED / file, trusted=suffix == "joblib", allow_other_versions=True)
    expected = SCORES.loc[name]
    is_of_cases = expected.index[0].startswith("phantom")
    cases = (
        rd.make_phantom_cohort(4, random_state=11) if is_of_cases else pd.read_csv(SAVED / "table.csv", index_col="id")
    )
    tolerance = 1e-6 if name in OF_NETWORKS else 1e-12
    np.testing.assert_allclose(model.predict(cases), expected["prediction"], rtol=tolerance)
    np.testing.assert_allclose(scores_of(model, cases), expected["score"], rtol=tolerance)


def test_a_model_saved_before_the_classes_moved_scores_a_cohort():
    model = rd.load_model(SAVED / "bayes.skops", allow_other_versions=True)
    table = rd.score_cohort(model, rd.make_phantom_cohort(4, random_state=11))
    np.testing.assert_allclose(table["probability_1"], SCORES.loc["bayes", "score"], rtol=1e-12)


def test_every_saved_model_has_scores():
    assert {path.name.partition(".")[0] for path in SAVED.iterdir()} - {"scores", "table"} == set(
        SCORES.index.unique(0)
    )


def scores_of(model, cases):
    """Return probabilities or decision values of class 1, or predicted numbers."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(cases)[:, 1]
    return model.decision_function(cases) if hasattr(model, "decision_function") else model.predict(cases)
