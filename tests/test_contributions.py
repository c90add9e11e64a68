"""Shapley values of lesions against orders that are gone through one by one, closed forms and their axioms."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.cases.patient import Patient
from radiodeep.exceptions import EmptyMaskError, InputError

BASE = list(rd.make_phantom_cohort(16, random_state=4))
LESIONS = [
    case.replace(patient=f"P{row // 4}", label=row // 4 % 2, clinical={"age": 50 + row // 4, "site": row})
    for row, case in enumerate(BASE)
]
PATIENTS = rd.Cohort(LESIONS).by_patient()
FEATURES = rd.RadiomicsExtractor(families={"shape": ["Sphericity", "SurfaceVolumeRatio"]})


class Counting(rd.RadiomicsExtractor):
    """A RadiomicsExtractor that remembers the lesions that it measured."""

    measured = []  # noqa: RUF012  of the class, since extractors are cloned

    def transform(self, cases):
        self.measured.extend(case.id for case in cases)
        return super().transform(cases)


def fitted(*how, last=None):
    head = rd.LesionAggregator(FEATURES, how)
    return make_pipeline(head, StandardScaler(), last or LogisticRegression()).fit(PATIENTS, PATIENTS.labels)


def of_volumes(values):
    """Return an extractor of the volume, and a patient of lesions with these volumes."""
    volume = rd.RadiomicsExtractor(families={"shape": ["VoxelVolume"]})
    cubes = []
    for number, depth in enumerate(values):
        mask = np.zeros((max(values) + 2, 4, 4), np.uint8)
        mask[1 : 1 + depth, 1:3, 1:3] = 1
        image = np.arange(mask.size).reshape(mask.shape)
        cubes.append(rd.Case(image, mask, f"cube {number}", (0.25, 1, 1), patient="P"))  # its volume is the depth
    return volume, Patient(cubes)


def volumes_model(volume, patient, *how):
    aggregator = rd.LesionAggregator(volume, how).fit([patient])
    n_columns = len(aggregator.get_feature_names_out())
    rows = np.vstack([np.zeros(n_columns), np.eye(n_columns)])
    line = LinearRegression().fit(rows, rows.sum(axis=1))
    return make_pipeline(aggregator, line)


def by_all_orders(model, patient):
    """Return contributions from the model's own predictions for patients with some of the lesions, order by order."""

    known = {}

    def score(lesions):
        ids = frozenset(lesion.id for lesion in lesions)
        if ids not in known:
            known[ids] = model.predict_proba([Patient(lesions)])[0, 1]
        return known[ids]

    added = {lesion.id: [] for lesion in patient.lesions}
    for order in permutations(patient.lesions):
        added[order[0].id].append(0.0)
        for place in range(1, len(order)):
            added[order[place].id].append(score(order[: place + 1]) - score(order[:place]))
    return [np.mean(added[lesion.id]) for lesion in patient.lesions]


@pytest.mark.parametrize(
    "model",
    [
        fitted("largest", "mean", "spread", "count"),
        fitted("max", "total volume", last=GaussianNB()),
        make_pipeline(
            make_union(rd.LesionAggregator(FEATURES, "min"), rd.LesionAggregator(FEATURES, "volume-weighted mean")),
            CalibratedClassifierCV(GaussianNB(), cv=2),
        ).fit(PATIENTS, PATIENTS.labels),
        CalibratedClassifierCV(fitted("mean"), cv=2).fit(PATIENTS, PATIENTS.labels),
    ],
)
def test_contributions_are_those_of_all_orders(model):
    patient = PATIENTS[1]
    table = rd.lesion_contributions(model, patient)
    np.testing.assert_allclose(table["contribution"], by_all_orders(model, patient), atol=1e-12)
    assert table.index.tolist() == [lesion.id for lesion in patient.lesions]
    assert table.attrs["score"] == pytest.approx(model.predict_proba([patient])[0, 1])
    assert table["contribution"].sum() == pytest.approx(table.attrs["score"] - table.attrs["reference"])
    alone = model.predict_proba([Patient([lesion]) for lesion in patient.lesions])[:, 1]
    np.testing.assert_allclose(table["score_alone"], alone)
    without = [Patient([other for other in patient.lesions if other is not lesion]) for lesion in patient.lesions]
    np.testing.assert_allclose(table["score_without"], model.predict_proba(without)[:, 1])
    assert (table["standard_error"] == 0).all()
    assert table["size"].tolist() == [lesion.roi_size_mm for lesion in patient.lesions]


def test_a_lesion_that_changes_nothing_has_no_share_and_equal_lesions_have_equal_ones():
    volume, patient = of_volumes([2, 5, 3, 5])
    largest = rd.lesion_contributions(volumes_model(volume, patient, "max"), patient)
    assert largest["contribution"].round(12).tolist() == pytest.approx([0.0, 7 / 12, 1 / 12, 7 / 12])
    count = rd.lesion_contributions(volumes_model(volume, patient, "count"), patient)
    np.testing.assert_allclose(count["contribution"], 3 / 4)
    total = rd.lesion_contributions(volumes_model(volume, patient, "total volume"), patient)
    np.testing.assert_allclose(total["contribution"], [1.5, 3.75, 2.25, 3.75])  # all but the first of four add theirs
    assert total.attrs["score"] == pytest.approx(15)


@pytest.mark.parametrize("n_lesions", [10, 12])
def test_contributions_to_a_mean_have_their_closed_form(n_lesions):
    values = np.random.default_rng(0).integers(2, 20, n_lesions).tolist()
    volume, patient = of_volumes(values)
    model = volumes_model(volume, patient, "mean")
    table = rd.lesion_contributions(model, patient, n_draws=20, random_state=0)
    others = [(sum(values) - value) / (n_lesions - 1) for value in values]
    harmonic = sum(1 / place for place in range(1, n_lesions + 1))
    expected = (np.array(values) - others) * (harmonic - 1) / n_lesions
    if n_lesions <= 10:
        np.testing.assert_allclose(table["contribution"], expected, atol=1e-12)
        assert (table["standard_error"] == 0).all()
    else:
        assert (np.abs(table["contribution"] - expected) < 4 * table["standard_error"]).all()
        assert 0 < table["standard_error"].max() < 0.2 * np.abs(expected).max()
        again = rd.lesion_contributions(model, patient, n_draws=20, random_state=0)
        assert again["contribution"].tolist() == table["contribution"].tolist()
    assert table["contribution"].sum() == pytest.approx(table.attrs["score"] - table.attrs["reference"])
    np.testing.assert_allclose(table["score_without"], others)


def test_lesions_are_measured_once_and_clinical_facts_stay_those_of_the_patient(monkeypatch):
    monkeypatch.setattr(Counting, "measured", [])
    aggregator = rd.LesionAggregator(Counting(families=["shape"]), ["mean", "count"])
    model = make_pipeline(make_union(aggregator, rd.ClinicalColumns(["age"])), StandardScaler(), LogisticRegression())
    model.fit(PATIENTS, PATIENTS.labels)
    Counting.measured.clear()
    table = rd.lesion_contributions(model, PATIENTS[0])
    assert Counting.measured == [lesion.id for lesion in PATIENTS[0].lesions]
    assert table.attrs["score"] == pytest.approx(model.predict_proba(PATIENTS[:1])[0, 1])


def test_the_scale_is_that_of_the_model_and_can_be_the_log_odds():
    patient = PATIENTS[2]
    model = fitted("mean")
    odds = rd.lesion_contributions(model, patient, scale="log-odds")
    assert odds.attrs["score"] == pytest.approx(model.decision_function([patient])[0])
    other = rd.lesion_contributions(model, patient, positive=0)
    np.testing.assert_allclose(other["contribution"], -rd.lesion_contributions(model, patient)["contribution"])
    single = rd.lesion_contributions(model, Patient(patient.lesions[:1]))
    assert single["contribution"].tolist() == [0.0]
    assert single["score_without"].isna().all()
    followed = [case.replace(time=10.0 + row, event=True) for row, case in enumerate(LESIONS[::4])]
    cox = make_pipeline(rd.LesionAggregator(FEATURES), StandardScaler(), rd.CoxRegression(alpha=1.0))
    cox.fit(rd.Cohort(followed).by_patient(), rd.Cohort(followed).survival)
    assert rd.lesion_contributions(cox, patient).attrs["score"] == pytest.approx(cox.predict([patient])[0])
    with pytest.raises(InputError, match="must be 'probability' for a model without classes"):
        rd.lesion_contributions(cox, patient, scale="log-odds")
    sure = fitted("mean", last=GaussianNB(var_smoothing=1e-300))
    sure[-1].var_[:] = 1e-9
    with pytest.raises(InputError, match="log-odds is infinite. Take scale='probability'"):
        rd.lesion_contributions(sure, patient, scale="log-odds")


def test_what_has_no_contributions_is_refused_with_the_way_out():
    model = fitted("mean")
    with pytest.raises(InputError, match=r"must be a Patient of cohort.by_patient\(\)"):
        rd.lesion_contributions(model, LESIONS[0])
    of_lesions = make_pipeline(FEATURES, GaussianNB()).fit(LESIONS, [case.label for case in LESIONS])
    with pytest.raises(InputError, match="takes a model of patients. Put the extractor into a LesionAggregator"):
        rd.lesion_contributions(of_lesions, PATIENTS[0])
    with pytest.raises(InputError, match="'positive' parameter of lesion_contributions must be one of 0, 1. Got 2"):
        rd.lesion_contributions(model, PATIENTS[0], positive=2)
    with pytest.raises(InputError, match="'n_draws' parameter of lesion_contributions must be an int >= 2"):
        rd.lesion_contributions(model, PATIENTS[0], n_draws=1)
    with pytest.raises(InputError, match="scale"):
        rd.lesion_contributions(model, PATIENTS[0], scale="odds")
    empty = Patient([*PATIENTS[0].lesions[:2], PATIENTS[0].lesions[2].replace(mask=BASE[2].mask * 0)])
    with pytest.raises(EmptyMaskError, match=f"^{LESIONS[2].id}"):
        rd.lesion_contributions(model, empty)
