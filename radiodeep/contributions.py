"""A fitted model of patients and a patient -> how much each lesion contributes to the score."""

from itertools import chain, combinations
from math import factorial

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from radiodeep.cases.patient import Patient
from radiodeep.checks import invalid, is_count, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.features.stateless import observed_rows
from radiodeep.model_parts import parts_of
from radiodeep.rows import extract_rows, traits_of
from radiodeep.scoring.outputs import outputs_of, takes_patients

MOST_EXACT = 10  # lesions, all sets of which are scored


def lesion_contributions(model, patient, positive=None, scale="probability", n_draws=30, random_state=None):
    """Divide the score of a patient among the lesions, by Shapley values.

    Parameters
    ----------
    model : fitted pipeline with a LesionAggregator
        A classifier with `predict_proba`, a regressor, or a model of survival, whose score is the risk.
    patient : Patient
        Of `Cohort.by_patient`.
    positive : optional
        The class whose probability is the score; the one that sorts last if not given.
    scale : {"probability", "log-odds"}, default="probability"
        The score of a classifier.
    n_draws : int, default=30
        Random circles of the lesions of a patient with more than ten, see Notes.
    random_state : int, RandomState or None

    Returns
    -------
    DataFrame
        Index = id of the lesion; `contribution`, its `standard_error` (0 up to ten lesions), `score_alone` of the
        patient with only this lesion, `score_without` it (NaN for a single lesion), and the `size` of its region in
        mm³, or mm² in images of one slice. ``attrs["score"]`` is the score of the patient, ``attrs["reference"]`` the
        mean of `score_alone`; the contributions sum to their difference.

    Raises
    ------
    InputError
        The model holds no `LesionAggregator`, the patient is not a `Patient`, or a log-odds is infinite.

    Notes
    -----
    The value of a set of lesions is the score of the patient with only these. A contribution is what a lesion adds to
    the value of those before it, as the mean over all orders of the lesions. A patient without lesions has no score, so
    the first lesion of an order adds nothing.
    Lesions that never change a score have the contribution 0, lesions that change all scores alike have the same, and
    that of a single lesion is 0.

    Up to ten lesions the mean is exact. For more, each draw is a random circle of the lesions, with all orders that
    begin at one of them and go round. Lesions are measured once, not once for each set; clinical facts stay those of
    the patient.

    References
    ----------
    Shapley, A value for n-person games, Contributions to the Theory of Games II (1953) 307. Castro, Gomez and Tejada,
    Polynomial calculation of the Shapley value based on sampling, Computers & Operations Research 36 (2009) 1726.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> patients = rd.make_phantom_cohort(12, random_state=0, max_lesions=3).by_patient()
    >>> texture = rd.RadiomicsExtractor(families={"glcm": ["Contrast", "Correlation"]})
    >>> model = make_pipeline(rd.LesionAggregator(texture, "mean"), StandardScaler(), LogisticRegression())
    >>> table = rd.lesion_contributions(model.fit(patients, patients.labels), patients[8])
    >>> table["contribution"].round(2).to_dict()
    {'phantom-008-0': -0.09, 'phantom-008-1': 0.03, 'phantom-008-2': 0.06}
    >>> round(table.attrs["score"], 2), round(table.attrs["reference"], 2)
    (0.46, 0.47)
    """
    require(isinstance(patient, Patient), lesion_contributions, "patient", "a Patient of cohort.by_patient()", patient)
    require(is_count(n_draws, 2), lesion_contributions, "n_draws", "an int >= 2", n_draws)
    require_option(scale, ("probability", "log-odds"), lesion_contributions, "scale")
    if not takes_patients(model):
        raise InputError(
            "lesion_contributions takes a model of patients. Put the extractor into a LesionAggregator, and fit the "
            "model to cohort.by_patient()."
        )
    n_lesions = len(patient.lesions)
    orders = None
    if n_lesions > MOST_EXACT:
        orders = _circles(n_lesions, n_draws, check_random_state(random_state))
    sets = _sets_of(n_lesions, orders)
    lesions = _Lesions(model, patient)
    scores = lesions.scores(sets, _score_of(model, positive, scale))
    value = dict(zip(sets, scores.tolist(), strict=True))
    contributions, errors = _exact(value, n_lesions) if orders is None else _sampled(value, orders)
    everyone = frozenset(range(n_lesions))
    columns = {
        "contribution": contributions,
        "standard_error": errors,
        "score_alone": [value[frozenset([lesion])] for lesion in everyone],
        "score_without": [value.get(everyone - {lesion}, np.nan) for lesion in everyone],
        "size": lesions.sizes,
    }
    table = pd.DataFrame(columns, index=pd.Index([lesion.id for lesion in patient.lesions], name="id"))
    table.attrs = {"score": value[everyone], "reference": float(table["score_alone"].mean())}
    return table


class _Lesions:
    """The lesions of a patient, measured once for all aggregators of a model; they give the rows of any set."""

    def __init__(self, model, patient):
        self.model = model
        self.patient = patient
        self.keys = {}  # of the extractors of each aggregator
        parts = {}
        for aggregator in [part for part in parts_of(model) if hasattr(part, "lesion_extractors")]:
            inside = aggregator.lesion_extractors([patient])
            keys = [(traits.settings, traits.labels) for traits in map(traits_of, inside)]
            parts |= dict(zip(keys, inside, strict=True))
            self.keys[aggregator] = keys
        widths = [len(part.get_feature_names_out()) for part in parts.values()]
        self.tables, _ = extract_rows(parts, patient.lesions, n_features=widths, compare=False)
        self.sizes = self.tables[keys[0]][:, 0]

    def scores(self, sets, score):
        """Return the scores (n_sets,) of the patient with the lesions of each set only."""
        members = [sorted(chosen) for chosen in sets]
        known = [
            (aggregator, {str(number): self._row(aggregator, keys, rows) for number, rows in enumerate(members)})
            for aggregator, keys in self.keys.items()
        ]
        lesions = self.patient.lesions
        patients = [
            Patient([lesions[row].replace(patient=str(number), clinical=self.patient.clinical) for row in rows])
            for number, rows in enumerate(members)
        ]
        with observed_rows(known):
            return score(self.model, patients)

    def _row(self, aggregator, keys, rows):
        return aggregator.row_of_lesions([self.tables[key][rows] for key in keys])


def _score_of(model, positive, scale):
    """Return a function of the model and patients, which returns their scores (n_patients,)."""
    outputs = outputs_of(model, None)
    if not outputs.has_labels:
        allowed = "'probability' for a model without classes"
        require(scale == "probability", lesion_contributions, "scale", allowed, scale)
        return lambda model, patients: outputs.numbers(model, patients)[:, 0]
    classes = model.classes_.tolist()
    if positive is not None and positive not in classes:
        raise invalid(lesion_contributions, "positive", f"one of {', '.join(map(repr, classes))}", positive)
    column = len(classes) - 1 if positive is None else classes.index(positive)

    def score(model, patients):
        probability = outputs.numbers(model, patients)[:, column]
        if scale == "probability":
            return probability
        if ((probability <= 0) | (probability >= 1)).any():
            raise InputError("A probability is 0 or 1, so its log-odds is infinite. Take scale='probability'.")
        return np.log(probability / (1 - probability))

    return score


def _circles(n_lesions, n_draws, random_state):
    """Return orders of the lesions as an int array (n_draws, n_lesions, n_lesions): all rotations of each draw."""
    rotations = (np.arange(n_lesions)[:, np.newaxis] + np.arange(n_lesions)) % n_lesions
    return np.stack([random_state.permutation(n_lesions)[rotations] for _ in range(n_draws)])


def _sets_of(n_lesions, orders):
    """Return the sets that are scored: all but the empty one, or the beginnings of orders and those of the columns."""
    everyone = range(n_lesions)
    if orders is None:
        return [frozenset(chosen) for size in everyone for chosen in combinations(everyone, size + 1)]
    beginnings = (frozenset(order[:end].tolist()) for order in orders.reshape(-1, n_lesions) for end in everyone[1:])
    named = [frozenset(everyone), *(frozenset([lesion]) for lesion in everyone)]
    without = (named[0] - {lesion} for lesion in everyone)
    return list(dict.fromkeys(chain(named, without, beginnings)))


def _exact(value, n_lesions):
    """Return contributions and their standard errors of 0, from the values of all sets."""
    contributions = np.zeros(n_lesions)
    for chosen in value:
        for lesion in set(range(n_lesions)) - chosen:  # a share of all orders have the set right before the lesion
            share = factorial(len(chosen)) * factorial(n_lesions - len(chosen) - 1) / factorial(n_lesions)
            contributions[lesion] += share * (value[chosen | {lesion}] - value[chosen])
    return contributions, np.zeros(n_lesions)


def _sampled(value, orders):
    """Return contributions and their standard errors, from the values of the beginnings of orders."""
    n_draws, n_lesions, _ = orders.shape
    added = np.zeros((n_draws, n_lesions))
    for number, order in enumerate(orders.reshape(-1, n_lesions).tolist()):
        before = value[frozenset(order[:1])]
        for place, lesion in enumerate(order[1:], start=1):
            after = value[frozenset(order[: place + 1])]
            added[number // n_lesions, lesion] += (after - before) / n_lesions
            before = after
    return added.mean(axis=0), added.std(axis=0, ddof=1) / np.sqrt(n_draws)
