"""Models of patients score patients, whether they come as such or as lesions, and live in files."""

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.exceptions import FeatureSchemaError, InputError, ModelError, RadiodeepWarning, WeightsError
from radiodeep.networks.architectures.registry import build_network
from radiodeep.persistence.canary import canary_of

LESIONS = [
    case.replace(patient=f"P{row // 2}", label=row // 2 % 2, clinical={"age": 50 + row // 2})
    for row, case in enumerate(rd.make_phantom_cohort(16, random_state=6))
]
PATIENTS = rd.Cohort(LESIONS).by_patient()
SHAPE = rd.RadiomicsExtractor(families=["shape"])
AGGREGATOR = rd.LesionAggregator(SHAPE, ["largest", "spread", "count"])
MODEL = make_pipeline(AGGREGATOR, StandardScaler(), GaussianNB()).fit(PATIENTS, PATIENTS.labels)


def test_lesions_are_grouped_by_a_model_of_patients(tmp_path):
    scores = rd.score_cohort(MODEL, PATIENTS)
    assert scores["id"].tolist() == PATIENTS.ids
    np.testing.assert_allclose(scores[["probability_0", "probability_1"]], MODEL.predict_proba(PATIENTS))
    assert (scores["outside_training_range"] == "").all()
    unlabelled = [case.replace(label=row, id=f"new {row}") for row, case in enumerate(LESIONS)]
    for options in ({}, {"cache_dir": tmp_path}, {"cache_dir": tmp_path}):
        pd.testing.assert_frame_equal(rd.score_cohort(MODEL, unlabelled, **options), scores)
    assert len(list(tmp_path.glob("*.row"))) == 2 * len(LESIONS)  # features and sizes of lesions
    single = make_pipeline(SHAPE, GaussianNB()).fit(LESIONS, [case.label for case in LESIONS])
    with pytest.raises(InputError, match="Expected cases. Got patients"):
        rd.score_cohort(single, PATIENTS)


def test_lesions_outside_the_training_range_and_lesions_that_fail_are_named():
    coarse = LESIONS[0].replace(spacing_mm=(4.5, 3, 3), id="coarse")
    empty = LESIONS[2].replace(mask=LESIONS[2].mask * 0)
    scores = rd.score_cohort(MODEL, [coarse, *LESIONS[1:2], empty, *LESIONS[3:6]]).set_index("id")
    remark = scores.loc["P0", "outside_training_range"]
    assert remark.startswith("coarse: spacing 4.5 mm (trained on 1.5); ")
    assert "of 29 features, e.g. spread_original_shape_" in remark
    assert scores.loc["P1", "error"].startswith("EmptyMaskError: P1: phantom-002: the mask outlines no voxel")
    assert np.isnan(scores.loc["P1", "probability_1"])
    assert scores.loc["P2", "error"] == ""
    slices = [rd.Case(case.image[12], case.mask[12], case.id, (1, 1), patient="flat") for case in LESIONS[:2]]
    error = rd.score_cohort(MODEL, slices)["error"][0]
    assert "phantom-000: the model was trained on volumes, and this case is a 2-D image" in error


def test_clinical_values_outside_the_training_range_are_named_once():
    known = rd.ClinicalColumns(["age"])
    other = [case.replace(clinical={"age": 90}) for case in LESIONS[:2]]
    for features in (known, make_union(AGGREGATOR, known), make_union(AGGREGATOR, known, known)):
        scored = rd.Cohort([*other, *LESIONS[2:4]])
        scored = scored[::2] if features is known else scored.by_patient()
        model = make_pipeline(features, GaussianNB()).fit(PATIENTS, PATIENTS.labels)
        assert rd.score_cohort(model, scored)["outside_training_range"].tolist() == ["age 90 (trained on 50 to 57)", ""]


def test_an_unknown_category_is_warned_of_once_per_patient():
    staged = [case.replace(clinical={"stage": "I" if row % 4 < 2 else "II"}) for row, case in enumerate(LESIONS)]
    patients = rd.Cohort(staged).by_patient()
    model = make_pipeline(make_union(AGGREGATOR, rd.ClinicalColumns(["stage"])), GaussianNB())
    model.fit(patients, patients.labels)
    with pytest.warns(RadiodeepWarning, match="'IV' of P0") as caught:
        rd.score_cohort(model, [case.replace(clinical={"stage": "IV"}) for case in staged[:2]])
    assert len(caught) == 1


def test_images_that_a_model_does_not_measure_are_not_read(tmp_path):
    pairs = rd.make_phantom_cohort(4, random_state=0, images=("T1", "PET"))
    stored = list(rd.read_cohort(rd.write_cohort(pairs, tmp_path)))
    lesions = [case.replace(patient=f"P{row // 2}", label=row // 2) for row, case in enumerate(stored)]
    extractor = rd.RadiomicsExtractor(families=["shape"], image="T1")
    cohort = rd.Cohort(lesions).by_patient()
    model = make_pipeline(rd.LesionAggregator(extractor, ["mean", "count"]), GaussianNB()).fit(cohort, cohort.labels)
    expected = rd.score_cohort(model, lesions)
    assert (expected["error"] == "").all()
    (tmp_path / "unreadable.nii").write_bytes(b"no image")
    broken = lesions[0].replace(image={**lesions[0].image, "PET": tmp_path / "unreadable.nii"})
    pd.testing.assert_frame_equal(rd.score_cohort(model, [broken, *lesions[1:]]), expected)
    unseen = lesions[1].replace(
        image={**lesions[1].image, "T1": None}, mask={**lesions[1].mask, "T1": None}, patient="P0", id="unseen"
    )
    more = rd.score_cohort(model, [*lesions, unseen])
    assert more["outside_training_range"].tolist() == ["unseen: T1: no image", ""]
    np.testing.assert_allclose(more["probability_1"], expected["probability_1"])


def test_more_lesions_than_in_training_are_outside_the_range():
    many = [case.replace(patient="many") for case in LESIONS[:8]]
    counted = make_pipeline(rd.LesionAggregator(SHAPE, ["count", "total volume"]), GaussianNB())
    uneven = rd.Cohort([*LESIONS[:8], *LESIONS[9:]]).by_patient()
    scores = rd.score_cohort(counted.fit(uneven, uneven.labels), many)
    assert scores["outside_training_range"].tolist() == ["1 of 2 features, e.g. count"]


@pytest.mark.parametrize("suffix", [".skops", ".joblib"])
def test_a_saved_model_of_patients_gives_the_same_scores(tmp_path, suffix):
    path = rd.save_model(MODEL, tmp_path / f"model{suffix}")
    loaded = rd.load_model(path, trusted=True)
    pd.testing.assert_frame_equal(rd.score_cohort(loaded, LESIONS), rd.score_cohort(MODEL, PATIENTS))
    facts, _ = canary_of(loaded)
    assert facts["kind"] == "cases"
    assert np.shape(facts["predictions"]) == (2, 2)
    loaded.set_params(lesionaggregator__extractor__bin_width=3)
    with pytest.raises(FeatureSchemaError, match="LesionAggregator was changed after the model was trained"):
        rd.score_cohort(loaded, LESIONS)


def lowest(rows):
    return rows.min(axis=0)


def test_a_model_with_a_function_of_the_user_is_a_joblib_file(tmp_path):
    model = make_pipeline(rd.LesionAggregator(SHAPE, lowest), GaussianNB()).fit(PATIENTS, PATIENTS.labels)
    with pytest.raises(ModelError, match="lowest"):
        rd.save_model(model, tmp_path / "model.skops")
    loaded = rd.load_model(rd.save_model(model, tmp_path / "model.joblib"), trusted=True)
    pd.testing.assert_frame_equal(rd.score_cohort(loaded, LESIONS), rd.score_cohort(model, LESIONS))


def test_a_model_trained_with_shared_extraction_knows_its_patients(tmp_path):
    union = make_union(AGGREGATOR, rd.ClinicalColumns(["age"]))
    unfitted = make_pipeline(union, StandardScaler(), GaussianNB())
    empty = [case.replace(mask=case.mask * 0) if row == 3 else case for row, case in enumerate(LESIONS)]
    cohort = rd.Cohort(empty).by_patient()
    model, excluded = rd.fit_over_cases(unfitted, cohort, cohort.labels, cache_dir=tmp_path, on_error="exclude")
    assert list(excluded) == ["P1"]
    kept = [row for row in range(8) if row != 1]
    direct = make_pipeline(union, StandardScaler(), GaussianNB()).fit(PATIENTS[kept], PATIENTS.labels[kept])
    pd.testing.assert_frame_equal(rd.score_cohort(model, PATIENTS), rd.score_cohort(direct, PATIENTS))
    result = rd.cross_validated_auc(unfitted, cohort, cohort.labels, cv=2, on_error="exclude", size=None)
    assert list(result.excluded) == ["P1"]


@pytest.mark.slow
def test_weights_of_a_network_inside_an_aggregator_travel_with_the_model(tmp_path):
    def write(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            safetensors.torch.save_file(build_network("radiodeep-mini", 1, 0).state_dict(), weights)

    weights = tmp_path / "mini.safetensors"
    write(seed=0)
    deep = rd.LesionAggregator(rd.DeepFeatureExtractor(weights=str(weights)), "max")
    model = make_pipeline(deep, GaussianNB()).fit(PATIENTS, PATIENTS.labels)
    expected = rd.score_cohort(model, LESIONS)
    path = rd.save_model(model, tmp_path / "model.skops")
    write(seed=1)
    for options in ({}, {"cache_dir": tmp_path / "cache"}):
        with pytest.raises(WeightsError, match="have changed since"):
            rd.score_cohort(model, LESIONS, on_error="raise", **options)
    weights.unlink()
    pd.testing.assert_frame_equal(rd.score_cohort(rd.load_model(path), LESIONS), expected)
