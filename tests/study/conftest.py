"""Fixtures of the tests of studies."""

import numpy as np
import pandas as pd
import pytest

from radiodeep import StudyResult
from radiodeep.study.statistics.auc import auc_with_confidence


def _result(label, score, prediction=None, index=None, prefix="", patients=None):
    label, score = np.asarray(label), np.asarray(score, dtype=float)
    index = [f"{prefix}{number}" for number in range(len(label))] if index is None else index
    columns = {
        "label": label,
        "score": score,
        "probability": score,
        "prediction": label if prediction is None else np.asarray(prediction),
    }
    predictions = pd.DataFrame(columns, index=index)
    estimate = auc_with_confidence(label, score, patients=patients)
    return StudyResult(
        name="model",
        auc=estimate.auc,
        confidence_interval=estimate.confidence_interval,
        accuracy=float((predictions["prediction"] == label).mean()),
        predictions=predictions,
        folds=pd.DataFrame({"repeat": [0], "test_ids": [list(index)]}),
        cv="holdout",
        settings={},
        variance=estimate.variance,
        scores=predictions[["score"]],
        patients=patients,
    )


@pytest.fixture
def result_of():
    """A function that returns the StudyResult of labels and scores."""
    return _result
