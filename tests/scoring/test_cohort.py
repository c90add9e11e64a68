"""A row per case, the failed ones named, the others as if nothing had happened."""

import nibabel
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import radiodeep as rd
from radiodeep.exceptions import (
    AmbiguousMaskError,
    EmptyMaskError,
    FeatureSchemaError,
    InputError,
    ModelError,
    RadiodeepWarning,
    WeightsError,
)
from radiodeep.features.radiomics.measurement import Measurement
from radiodeep.model_parts import parts_of
from radiodeep.networks.architectures.registry import build_network

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


FLAT = [rd.Case(case.image[12], case.mask[12], case.id, spacing_mm=(1.0, 1.0)) for case in COHORT]


def network(cases):
    return rd.CNNClassifier(epochs=1, n_views=1).fit(cases, COHORT.labels)


def pipeline(cases):
    radiomics = rd.RadiomicsExtractor(families=["firstorder", "glcm"])
    return make_pipeline(radiomics, StandardScaler(), rd.ReliefF(5), GaussianNB()).fit(cases, COHORT.labels)


@pytest.mark.parametrize("train", [pipeline, network])
def test_cases_like_those_of_the_training_are_not_remarked_on_and_others_are(train):
    model = train(COHORT)
    same = rd.make_phantom_cohort(20, random_state=10)
    assert (rd.score_cohort(model, same)["outside_training_range"] != "").sum() <= 1
    case = COHORT[0]
    others = [
        case.replace(id="spacing", spacing_mm=(4.5, 3.0, 3.0)),
        case.replace(id="scale", image=case.image.astype(np.int32) * 8),
        case.replace(id="shift", image=case.image - 1000),
    ]
    remarks = rd.score_cohort(model, others).set_index("id")["outside_training_range"]
    assert remarks["spacing"].startswith("spacing 4.5 mm (trained on 1.5)")
    assert all(remarks[name].startswith("intensities ") for name in ("scale", "shift"))
    if train is pipeline:
        assert " of 5 features, e.g. original_" in remarks["shift"]


@pytest.mark.parametrize("train", [pipeline, network])
def test_an_image_is_an_error_of_its_case_for_a_model_of_volumes_and_the_reverse(train):
    for model, cases, message in (
        (train(COHORT), [FLAT[0], COHORT[1]], "trained on volumes, and this case is a 2-D image"),
        (train(FLAT), [COHORT[0], FLAT[1]], "trained on 2-D images, and this case is a volume"),
    ):
        scores = rd.score_cohort(model, cases)
        assert scores["error"][0].startswith(f"ModelError: phantom-000: the model was {message}")
        assert np.isnan(scores["probability_1"][0])
        assert scores["error"][1] == ""
        assert np.isfinite(scores["probability_1"][1])
        with pytest.raises(ModelError, match=message):
            rd.score_cohort(model, cases, on_error="raise")


def test_features_that_a_selector_left_out_are_not_remarked_on():
    radiomics = rd.RadiomicsExtractor(families=["shape", "firstorder"])
    chosen = ColumnTransformer([("shape", "passthrough", slice(0, 14))])
    bright = [COHORT[0].replace(image=COHORT[0].image * 2)]
    for steps, is_remarked in (((chosen, SelectKBest(k=3)), False), ((SelectKBest(k="all"),), True)):
        model = make_pipeline(radiomics, *steps, GaussianNB()).fit(COHORT, COHORT.labels)
        remark = rd.score_cohort(model, bright)["outside_training_range"][0]
        assert (" features, e.g. original_firstorder" in remark) == is_remarked


def test_all_folds_of_a_calibrated_model_are_judged_together():
    forest = make_pipeline(rd.RadiomicsExtractor(families=["firstorder"]), GaussianNB())
    model = CalibratedClassifierCV(forest, cv=3).fit(COHORT, COHORT.labels)
    remarks = rd.score_cohort(model, [*COHORT[:3], COHORT[3].replace(image=COHORT[3].image + 5000)])
    assert remarks["outside_training_range"][:3].tolist() == ["", "", ""]
    assert remarks["outside_training_range"][3].count("features, e.g.") == 1


def test_masks_of_several_labels_are_judged_by_the_label_of_the_extractor(tmp_path):
    cases = [case.replace(mask=case.mask + (np.roll(case.mask, 20, axis=2) == 1)) for case in COHORT]
    cases = [case.replace(mask=np.where(case.mask > 1, 1, 2 * case.mask)) for case in cases]
    with pytest.raises(AmbiguousMaskError):
        cases[0].read()
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"], label=2), GaussianNB()).fit(cases, COHORT.labels)
    for cache_dir in (None, tmp_path):
        scores = rd.score_cohort(model, cases, cache_dir=cache_dir)
        assert set(scores["error"] + scores["outside_training_range"]) == {""}


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_scores_from_the_cache_are_the_same(tmp_path, monkeypatch, n_jobs):
    model = pipeline(COHORT)
    empty = COHORT[5].replace(mask=COHORT[5].mask * 0)
    cases = [*COHORT[:5], empty, *COHORT[6:]]
    expected = rd.score_cohort(model, cases)
    monkeypatch.setattr(model[0], "fit", None)  # the extractor of a model is not fitted again
    pd.testing.assert_frame_equal(rd.score_cohort(model, cases, n_jobs=n_jobs, cache_dir=tmp_path), expected)
    monkeypatch.setattr(Measurement, "row_of", None)  # nothing is measured again
    pd.testing.assert_frame_equal(rd.score_cohort(model, cases, cache_dir=tmp_path), expected)


def test_weights_that_have_changed_are_an_error_with_a_cache_too(tmp_path):
    def write(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            safetensors.torch.save_file(build_network("radiodeep-mini", 1, 0).state_dict(), tmp_path / "w.safetensors")

    write(0)
    extractor = rd.DeepFeatureExtractor(weights=str(tmp_path / "w.safetensors"))
    model = make_pipeline(extractor, GaussianNB()).fit(COHORT, COHORT.labels)
    write(1)
    with pytest.raises(WeightsError, match="have changed since the model was fitted"):
        rd.score_cohort(model, COHORT, cache_dir=tmp_path / "cache")


def test_repeated_ids_are_refused():
    with pytest.raises(InputError, match="ids of the cases must differ, .* Repeated: 'phantom-000'"):
        rd.score_cohort(MODEL, [COHORT[0], COHORT[1], COHORT[2].replace(id="phantom-000")])


def test_any_exception_of_a_case_is_recorded(monkeypatch):
    def out_of_memory(case):
        if case.id == "phantom-001":
            raise MemoryError("Unable to allocate 8 TiB")
        return case

    monkeypatch.setattr(rd.Case, "in_memory", out_of_memory)
    errors = rd.score_cohort(MODEL, COHORT[:3])["error"]
    assert errors.tolist() == ["", "MemoryError: phantom-001: Unable to allocate 8 TiB", ""]


def test_a_model_of_tables_says_that_it_takes_a_table():
    model = GaussianNB().fit(np.arange(24.0).reshape(12, 2), COHORT.labels)
    with pytest.raises(ModelError, match=r"takes a table of 2 features, not cases\. .*extract_table.*predict_proba"):
        rd.score_cohort(model, COHORT)


def test_a_model_that_noted_nothing_gives_a_warning(tmp_path):
    extractor = rd.RadiomicsExtractor(families=["shape"])
    rows = extractor.fit(COHORT).transform(COHORT)
    model = Pipeline([("extractor", extractor), ("classifier", GaussianNB().fit(rows, COHORT.labels))])
    with pytest.warns(RadiodeepWarning, match="has no record of its training cases"):
        scores = rd.score_cohort(model, COHORT[:2], cache_dir=tmp_path)
    assert scores["outside_training_range"].tolist() == ["", ""]
    assert len(list(tmp_path.glob("*.row"))) == 2
    extractor.note_training_range(extractor.facts_of_cases(COHORT), rows)
    rd.score_cohort(model, COHORT[:2])
    assert not hasattr(clone(extractor), "training_range_")


def test_settings_changed_after_training_are_refused():
    cohort = rd.make_phantom_cohort(10, random_state=0)
    model = make_pipeline(rd.RadiomicsExtractor(families=["glcm"], bin_count=32), GaussianNB())
    model.fit(cohort, cohort.labels)
    model[0].set_params(bin_count=8)
    with pytest.raises(FeatureSchemaError, match=r"changed after the model was trained: bin_count=8 \(was 32\)"):
        rd.score_cohort(model, cohort[:2])
    model[0].set_params(bin_count=np.int64(32), engine="radiodeep")
    assert (rd.score_cohort(model, cohort[:2])["error"] == "").all()


def test_a_spacing_that_no_training_case_had_is_remarked_on_where_they_all_had_one():
    cohort = rd.make_phantom_cohort(12, random_state=0)
    model = make_pipeline(rd.RadiomicsExtractor(families=["firstorder"]), GaussianNB()).fit(cohort, cohort.labels)
    near, far = (cohort[0].replace(id=name, spacing_mm=(1.5 * step, 1, 1)) for name, step in (("a", 1.05), ("b", 1.2)))
    remarks = rd.score_cohort(model, [near, far])["outside_training_range"]
    assert remarks[0] == ""
    assert remarks[1].startswith("spacing 1.8 mm (trained on 1.5)")


def test_a_path_in_place_of_a_model_is_refused():
    with pytest.raises(ModelError, match="Got the path 'model.skops': load it with load_model first"):
        rd.score_cohort("model.skops", rd.make_phantom_cohort(1))


def test_another_field_of_view_is_remarked_on_where_features_depend_on_it():
    inner = [case.replace(image=case.image[2:-2, 6:-6, 6:-6], mask=case.mask[2:-2, 6:-6, 6:-6]) for case in COHORT[:2]]
    for settings, expected in (({"normalize": True}, "field of view 32 mm (trained on 44)"), ({}, "")):
        extractor = rd.RadiomicsExtractor(families=["shape", "firstorder"], **settings)
        chosen = ColumnTransformer([("shape", "passthrough", slice(0, 14))])
        model = make_pipeline(extractor, chosen, GaussianNB()).fit(COHORT, COHORT.labels)
        remarks = rd.score_cohort(model, inner)["outside_training_range"]
        assert [remark.split(";")[0] for remark in remarks] == [expected] * 2


def test_new_cases_are_compared_with_the_training_cases_only(tmp_path):
    cases = [COHORT[0], COHORT[1].replace(spacing_mm=(2.0, 1.0, 1.0))]
    for cache_dir in (None, tmp_path):
        scores = rd.score_cohort(MODEL, cases, cache_dir=cache_dir)
        assert scores["outside_training_range"][1].startswith("spacing 2 mm (trained on 1.5)")


def test_scores_do_not_depend_on_how_a_file_stores_its_axes(tmp_path):
    case, affine = COHORT[0], np.diag([-1.0, -1.0, 1.5, 1.0])
    sagittal = nibabel.orientations.axcodes2ornt(("P", "S", "R"))
    change = nibabel.orientations.ornt_transform(nibabel.orientations.io_orientation(affine), sagittal)
    for name, array in (("i", case.image), ("m", case.mask)):
        file = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine).as_reoriented(change)
        nibabel.save(file, tmp_path / f"{name}.nii")
    scores = rd.score_cohort(MODEL, [case, rd.Case(tmp_path / "i.nii", tmp_path / "m.nii", "sagittal")])
    np.testing.assert_array_equal(scores["probability_1"][0], scores["probability_1"][1])
    assert scores["outside_training_range"].tolist() == ["", ""]


RARE = (np.arange(12) % 4 == 0).astype(int)
WEIGHTED = rd.CNNClassifier(epochs=1, n_views=1, validation_fraction=0, n_threads=1)


@pytest.mark.parametrize(
    "unfitted",
    [
        WEIGHTED,
        rd.CNNEnsemble([clone(WEIGHTED).set_params(n_seeds=2), WEIGHTED]),
        Pipeline([("all", "passthrough"), ("network", WEIGHTED)]),
        Pipeline([("all", FunctionTransformer()), ("ensemble", rd.CNNEnsemble([WEIGHTED], combine="vote"))]),
    ],
)
def test_predictions_of_networks_are_those_of_the_model_that_keeps_its_class_weights(unfitted):
    model = unfitted.fit(COHORT, RARE)
    scores = rd.score_cohort(model, COHORT)
    assert scores["prediction"].tolist() == model.predict(COHORT).tolist()
    np.testing.assert_array_equal(scores[["probability_0", "probability_1"]], model.predict_proba(COHORT))
    assert 1 in scores["prediction"].tolist()
    networks = [part for part in parts_of(model) if hasattr(part, "class_weights_")]
    for network in networks:
        del network.class_weights_  # as it was saved before
    assert rd.score_cohort(model, COHORT)["prediction"].tolist() == model.predict(COHORT).tolist()


def test_networks_see_each_case_once_for_its_probability_and_its_prediction(monkeypatch):
    model = clone(WEIGHTED).fit(COHORT, RARE)
    calls, outputs = [], rd.CNNClassifier._outputs
    monkeypatch.setattr(rd.CNNClassifier, "_outputs", lambda self, X: calls.append(len(X)) or outputs(self, X))
    rd.score_cohort(model, COHORT)
    assert sum(calls) == len(COHORT)


def test_features_are_computed_once_for_probabilities_and_the_predictions_of_a_threshold(monkeypatch):
    threshold = FixedThresholdClassifier(GaussianNB(), threshold=1e-9, response_method="predict_proba")
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), threshold).fit(COHORT, COHORT.labels)
    predicted = model.predict(COHORT)
    measured = []
    row_of = Measurement.row_of

    def recorded(self, case, image):
        measured.append(case.id)
        return row_of(self, case, image)

    monkeypatch.setattr(Measurement, "row_of", recorded)
    scores = rd.score_cohort(model, COHORT)
    assert scores["prediction"].tolist() == predicted.tolist()
    assert (scores["probability_1"] < 0.5).sum() > (predicted == 0).sum()
    assert measured == COHORT.ids


@pytest.mark.parametrize("kind", ["network", "deep", "radiomics"])
def test_networks_of_before_remark_on_files_that_are_turned_now(kind, tmp_path):
    extractor = rd.DeepFeatureExtractor() if kind == "deep" else rd.RadiomicsExtractor(families=["shape"])
    model = clone(WEIGHTED) if kind == "network" else make_pipeline(extractor, GaussianNB())
    model.fit(COHORT, RARE)
    cases = []
    for order, turn in (("LPS", (-1, -1)), ("RAS", (1, 1))):
        for name, array in (("i", COHORT[0].image), ("m", COHORT[0].mask)):
            file = nibabel.Nifti1Image(array.transpose(2, 1, 0)[:: -turn[0], :: -turn[1]], np.diag([*turn, 1.5, 1.0]))
            nibabel.save(file, tmp_path / f"{order}-{name}.nii")
        cases.append(rd.Case(tmp_path / f"{order}-i.nii", tmp_path / f"{order}-m.nii", order))
    cases.append(COHORT[0])
    assert rd.score_cohort(model, cases)["outside_training_range"].tolist() == ["", "", ""]
    for name in ("orientations", "field_mm"):  # which models saved before lack
        del (model if kind == "network" else model[0]).training_range_[name]
    remark = "axes stored as RAS (this model was trained before images were reoriented)"
    expected = ["", "" if kind == "radiomics" else remark, ""]
    assert rd.score_cohort(model, cases)["outside_training_range"].tolist() == expected


def test_a_regressor_predicts_numbers():
    sizes = np.log([case.roi.sum() for case in COHORT])
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), StandardScaler(), Ridge()).fit(COHORT, sizes)
    scores = rd.score_cohort(model, [*COHORT[:2], COHORT[2].replace(mask=COHORT[2].mask * 0)])
    assert scores.columns.tolist() == ["id", "prediction", "outside_training_range", "error"]
    np.testing.assert_allclose(scores["prediction"][:2], model.predict(COHORT[:2]))
    assert np.isnan(scores["prediction"][2])
    with pytest.raises(InputError, match="A horizon is for models of survival until any time. Got a Ridge"):
        rd.score_cohort(model, COHORT, horizon=24)


FOLLOWED = rd.make_phantom_cohort(20, random_state=9, survival=True)


def test_a_model_of_survival_predicts_risk_and_survival_until_a_horizon():
    cox = rd.CoxRegression(alpha=0.1)
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), StandardScaler(), cox)
    model.fit(FOLLOWED, FOLLOWED.survival)
    scores = rd.score_cohort(model, FOLLOWED, horizon=24)
    assert scores.columns.tolist() == ["id", "risk", "survival_24", "outside_training_range", "error"]
    np.testing.assert_allclose(scores["risk"], model.predict(FOLLOWED))
    np.testing.assert_allclose(scores["survival_24"], cox.predict_survival(model[:-1].transform(FOLLOWED), [24])[:, 0])
    assert scores["risk"].rank().tolist() == (-scores["survival_24"]).rank().tolist()
    assert rd.score_cohort(model, FOLLOWED[:2]).columns.tolist()[:2] == ["id", "risk"]
    assert "survival_24" not in rd.score_cohort(model, FOLLOWED[:2])
    beyond = rd.score_cohort(model, FOLLOWED[:2], horizon=1000)
    assert beyond["survival_1000"].isna().all()
    assert beyond["risk"].notna().all()
    with pytest.raises(InputError, match="'horizon' parameter of score_cohort must be None or a number > 0. Got 0"):
        rd.score_cohort(model, FOLLOWED, horizon=0)


@pytest.mark.parametrize(("is_risk", "sign"), [(True, 1), (False, -1)])
def test_risks_of_scikit_survivals_models_are_higher_for_earlier_events(is_risk, sign):
    class Predicted(BaseEstimator):
        _predict_risk_score = is_risk  # otherwise predict returns times

        def fit(self, X, y):
            self.fitted_ = True
            return self

        def predict(self, X):
            return X[:, 0]

    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), StandardScaler(), Predicted())
    scores = rd.score_cohort(model.fit(FOLLOWED, FOLLOWED.survival), FOLLOWED[:3])
    assert scores.columns.tolist() == ["id", "risk", "outside_training_range", "error"]
    np.testing.assert_allclose(scores["risk"], sign * model.predict(FOLLOWED[:3]))
    with pytest.raises(InputError, match="A horizon is for models of survival until any time. Got a Predicted"):
        rd.score_cohort(model, FOLLOWED, horizon=24)


def test_a_classifier_at_a_horizon_predicts_risk_and_survival_until_it():
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), rd.HorizonClassifier(GaussianNB(), 24))
    scores = rd.score_cohort(model.fit(FOLLOWED, FOLLOWED.survival), FOLLOWED)
    assert scores.columns.tolist() == ["id", "risk", "survival_24", "outside_training_range", "error"]
    np.testing.assert_allclose(scores["risk"], model.predict(FOLLOWED))
    np.testing.assert_allclose(scores["risk"] + scores["survival_24"], 1)
