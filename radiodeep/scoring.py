"""Model and cohort in, a row per case out, those that failed included."""

import numpy as np
import pandas as pd

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError, ModelError
from radiodeep.rows import rows_by_case


def score_cohort(model, cohort, on_error="record", n_jobs=None):
    """Score new cases with a fitted model.

    Parameters
    ----------
    model : fitted classifier or pipeline over cases
        With `predict_proba`.
    cohort : Cohort or sequence of Case
    on_error : {"record", "raise"}, default="record"
        "record" gives a case that cannot be read or measured a row with its error.
    n_jobs : int, optional
        Processes; -1 for all cores.

    Returns
    -------
    DataFrame
        `id`, one column `probability_<class>` per class, `prediction`, `error` (empty where all went
        well), in the order of the cohort.

    Raises
    ------
    ModelError
        The model gives no probabilities.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(8, random_state=0)
    >>> model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
    >>> rd.score_cohort(model.fit(cohort, cohort.labels), cohort[:2]).columns.tolist()
    ['id', 'probability_0', 'probability_1', 'prediction', 'error']
    """
    if on_error not in ("raise", "record"):
        raise InputError(f"The 'on_error' parameter must be 'raise' or 'record'. Got {on_error!r} instead.")
    if not hasattr(model, "predict_proba"):
        raise ModelError(
            f"{type(model).__name__} gives no probabilities. Wrap its classifier in "
            "sklearn.calibration.CalibratedClassifierCV and fit it again."
        )
    cases = as_cases(cohort)
    rows, errors = rows_by_case(model.predict_proba, cases, n_jobs=n_jobs, on_error=on_error, description="Scoring")
    classes = np.asarray(model.classes_)
    probabilities = np.full((len(cases), len(classes)), np.nan)
    predictions = np.full(len(cases), None, dtype=object)
    for number in range(len(cases)):
        if number in rows:
            probabilities[number] = rows[number]
            predictions[number] = classes[int(np.argmax(rows[number]))]
    columns = {"id": [case.id for case in cases]}
    columns |= {f"probability_{name}": probabilities[:, number] for number, name in enumerate(classes)}
    columns |= {"prediction": predictions, "error": [errors.get(number, "") for number in range(len(cases))]}
    return pd.DataFrame(columns)
