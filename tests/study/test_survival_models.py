"""The models and selectors for times to an event in a whole study."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.study.folds.inner_folds import keep_groups_together

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(90, 20))).add_prefix("f")
TIME, END = RNG.exponential(np.exp(-X["f0"] - X["f1"])), RNG.uniform(0, 4, size=90)
Y = rd.survival_outcomes(TIME <= END, np.minimum(TIME, END))
AT_HORIZON = {"AUC at 1", "Brier score at 1", "IPA at 1", "O/E at 1", "calibration slope at 1"}


@pytest.mark.parametrize(
    ("selector", "model", "measures"),
    [
        (rd.UnivariateCox(3), rd.CoxRegression(), AT_HORIZON | {"integrated Brier score"}),
        (rd.ConcordanceSelector(3), rd.CoxRegression(0.1), AT_HORIZON | {"integrated Brier score"}),
        (rd.HorizonSelector(rd.ReliefF(3), 1.0), rd.HorizonClassifier(LogisticRegression(), 1.0), AT_HORIZON),
        (rd.UnivariateCox(3), rd.HorizonClassifier(LogisticRegression(), 0.9), {"AUC at 1"}),
    ],
)
def test_a_signal_is_found_and_measured(selector, model, measures):
    pipeline = make_pipeline(StandardScaler(), selector, model)
    result = rd.cross_validated_cindex(pipeline, X, Y, cv=3, n_repeats=2, horizon=1.0)
    assert result.confidence_interval.low > 0.5
    assert set(result.measures().index) == measures | {"Uno's C"}
    assert result.measures()["value"].between(0.05, 1.5).all()


def test_the_folds_that_choose_a_penalty_keep_patients_together():
    model, patients = make_pipeline(StandardScaler(), rd.CoxRegression("cv")), np.arange(90) // 3
    keep_groups_together(model, Y["event"], patients)
    assert len(model[-1].cv) == 5
    assert not any(set(patients[train]) & set(patients[test]) for train, test in model[-1].cv)
    assert model.fit(X, Y)[-1].alpha_ > 0
