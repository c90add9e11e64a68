import pickle

import numpy as np
import pytest

from radiodeep import Cohort, RadiomicsExtractor, make_phantom_cohort
from radiodeep.cases.patient import Patient
from radiodeep.exceptions import InputError


def lesions(n=5, **changes):
    return [
        case.replace(
            patient=f"P{row // 2}", label=row // 2 % 2, clinical={"age": 60 + row // 2, "site": row}, **changes
        )
        for row, case in enumerate(make_phantom_cohort(n, random_state=0))
    ]


def test_a_cohort_by_patient_holds_the_lesions_of_each():
    cohort = Cohort(lesions()).by_patient()
    assert cohort.ids == cohort.patients == ["P0", "P1", "P2"]
    assert [len(patient.lesions) for patient in cohort] == [2, 2, 1]
    assert cohort.labels.tolist() == [0, 1, 0]
    assert repr(cohort) == "Cohort of 3 patients, 5 lesions"
    assert cohort[[0, 2]].ids == ["P0", "P2"]
    assert dict(cohort[1].clinical) == {"age": 61}
    assert dict(cohort[2].clinical) == {"age": 62, "site": 4}
    first = cohort[0]
    assert first.roi_size_mm == sum(lesion.roi_size_mm for lesion in first.lesions)
    assert pickle.loads(pickle.dumps(first)).lesions[1].id == first.lesions[1].id
    assert cohort.frame["id"].tolist() == cohort.ids
    with pytest.raises(AttributeError, match="A Patient is frozen"):
        first.label = 3


def test_blank_clinical_values_contradict_none():
    first, second, *_ = lesions()
    for known, blank in ((first, second), (second, first)):
        pair = [known.replace(clinical={"age": 60, "sex": None}), blank.replace(clinical={"age": None, "sex": None})]
        assert dict(Patient(pair).clinical) == dict(Patient(pair[::-1]).clinical) == {"age": 60, "sex": None}


def test_survival_of_patients_is_that_of_their_lesions():
    cohort = Cohort(lesions(time=3.0, event=True)).by_patient()
    assert np.array_equal(cohort.survival["time"], [3.0, 3.0, 3.0])


def test_lesions_that_contradict_each_other_are_refused():
    a, b, *_ = lesions()
    with pytest.raises(
        InputError, match="lesions of patient 'P0' must have the same label. Got label 0 of 'phantom-000'"
    ):
        Patient([a, b.replace(label=1)])
    with pytest.raises(InputError, match="must have the same follow-up. Got time None"):
        Cohort([a, b.replace(time=2.0, event=False)]).by_patient()
    with pytest.raises(InputError, match="must have the same patient"):
        Patient([a, b.replace(patient="P9")])
    with pytest.raises(InputError, match="lesions of patient 'P0' must have different ids"):
        Patient([a, a])
    with pytest.raises(InputError, match="A Patient needs one lesion at least"):
        Patient([])


def test_patients_are_refused_where_lesions_are_measured():
    cohort = Cohort(lesions()).by_patient()
    with pytest.raises(InputError, match="Expected cases. Got patients, .* LesionAggregator"):
        RadiomicsExtractor().fit(cohort)
    with pytest.raises(InputError, match="Expected cases. Got patients"):
        cohort.by_patient()
    with pytest.raises(InputError, match="A Cohort takes Patient objects. Got Case instead"):
        Cohort([*cohort, lesions()[0]])
