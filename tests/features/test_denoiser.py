"""Denoised cases are measured as if their images had been denoised before; studies measure them once."""

import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning, StudyError, WeightsError
from radiodeep.features import denoiser
from radiodeep.imaging.denoise import noise_level, wiener
from radiodeep.networks.weights.denoisers import PACKAGED_DENOISERS
from radiodeep.study.folds.changed_cases import SharedChange

few_cases = pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # so few say what is wrong


def noisy_cohort(n_cases=12):
    """Small lesions with noise of deviation 8, a little brighter in half of them."""
    rng = np.random.default_rng(0)
    cases = []
    for number in range(n_cases):
        image = rng.normal(0, 8, (20, 24))
        roi = np.zeros(image.shape, bool)
        roi[5:15, 6:18] = True
        image[8:12, 8:14] += rng.normal(40 + 6 * (number % 2), 10)
        cases.append(rd.Case(image, roi, f"c{number}", spacing_mm=(1, 1), label=number % 2))
    return rd.Cohort(cases)


def before(cohort):
    """The same cases, denoised in advance."""
    return rd.Cohort([case.replace(image=wiener(case.voxels[0], noise_level(case.voxels))) for case in cohort])


def radiomics():
    return rd.RadiomicsExtractor(families=["firstorder"])


@pytest.fixture
def denoised_images(monkeypatch):
    """The ids of the images that are denoised, in order."""
    ids = []
    compute = denoiser._denoised_lesion

    def counted(lesion, settings):
        ids.append(lesion.id)
        return compute(lesion, settings)

    monkeypatch.setattr(denoiser, "_denoised_lesion", counted)
    return ids


@pytest.mark.parametrize("method", denoiser.METHODS)
def test_every_method_removes_noise_and_keeps_region_and_spacing(method):
    case = noisy_cohort(1)[0]
    changed = rd.Denoiser(method).fit_transform([case])[0]
    assert noise_level(changed.voxels) < 0.7 * noise_level(case.voxels)
    np.testing.assert_array_equal(changed.roi, case.roi)
    assert (changed.id, changed.label, changed.spacing_mm) == (case.id, case.label, case.spacing_mm)
    np.testing.assert_array_equal(changed.voxels, rd.Denoiser(method).fit_transform([case])[0].voxels)


def test_a_table_is_that_of_images_denoised_before_and_its_cache_notices_the_settings(tmp_path, denoised_images):
    cohort = noisy_cohort(4)
    model = make_pipeline(rd.Denoiser("wiener"), radiomics())
    table = rd.extract_table(model, cohort, cache_dir=tmp_path)
    expected = rd.extract_table(radiomics(), before(cohort))
    np.testing.assert_allclose(table, expected)
    denoised_images.clear()
    np.testing.assert_array_equal(rd.extract_table(model, cohort, cache_dir=tmp_path), table)
    assert denoised_images == []  # the rows are found by the images as stored
    for changes in ({"denoiser__strength": 0.5}, {"denoiser__method": "tv"}, {"denoiser__sigma": 3.0}):
        other = rd.extract_table(clone(model).set_params(**changes), cohort, cache_dir=tmp_path)
        assert not np.allclose(other, table)


def test_the_cache_notices_other_weights(tmp_path):
    cohort = noisy_cohort(2)
    file = tmp_path / "own.safetensors"
    model = make_pipeline(rd.Denoiser("dncnn", weights=file), radiomics())
    tables = []
    for factor in (1.0, 0.5):
        state = safetensors.torch.load_file(PACKAGED_DENOISERS)
        safetensors.torch.save_file({name: value * factor for name, value in state.items()}, file)
        tables.append(rd.extract_table(clone(model), cohort, cache_dir=tmp_path / "cache"))
    assert not np.allclose(*tables)
    model.fit(cohort)
    safetensors.torch.save_file({name: value * 0.25 for name, value in state.items()}, file)
    with pytest.raises(WeightsError, match=r"'own.safetensors' is not the weights file that Denoiser was fitted with"):
        model.transform(cohort)


@few_cases
def test_a_study_denoises_each_image_once_for_all_folds_and_extractors(denoised_images):
    cohort = noisy_cohort()
    after = make_pipeline(make_union(radiomics(), rd.RadiomicsExtractor(families=["glcm"])), StandardScaler())
    model = make_pipeline(rd.Denoiser("wiener"), *[step for _, step in after.steps], GaussianNB())
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=3, size=None)
    assert len(denoised_images) <= 2 * len(cohort)  # once for each extractor
    plain = make_pipeline(*[clone(step) for _, step in after.steps], GaussianNB())
    expected = rd.cross_validated_auc(plain, before(cohort), cohort.labels, cv=3, size=None)
    np.testing.assert_allclose(result.score_array, expected.score_array)


@few_cases
def test_a_search_over_the_denoiser_fits_what_it_says():
    cohort = noisy_cohort()
    model = make_pipeline(rd.Denoiser("wiener"), radiomics(), StandardScaler(), LogisticRegression())
    search = GridSearchCV(model, {"denoiser__method": ["wiener", "tv"], "denoiser__strength": [1.0, 0.5]}, cv=2)
    fitted, _ = rd.fit_over_cases(search, cohort, cohort.labels)
    best = fitted.best_estimator_
    assert best.get_params()["denoiser__method"] == fitted.best_params_["denoiser__method"]
    assert isinstance(best[0], rd.Denoiser)
    expected = clone(model).set_params(**fitted.best_params_).fit(cohort, cohort.labels).predict_proba(cohort)
    np.testing.assert_allclose(best.predict_proba(cohort), expected)


@pytest.mark.slow
def test_methods_without_a_network_need_no_torch():
    code = """
import sys
class Without:
    def find_spec(name, *others):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)
sys.meta_path.insert(0, Without)
import radiodeep as rd
case = rd.make_phantom_cohort(1, random_state=0)[0]
print(rd.Denoiser("tv").fit_transform([case])[0].voxels.dtype)
rd.Denoiser("dncnn").fit_transform([case])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "float32\n"
    assert re.search(r"MissingExtraError: .*pip install .*deep", done.stderr)


@few_cases
@pytest.mark.parametrize(
    "steps",
    [
        [rd.Denoiser("wiener"), rd.Denoiser("tv", sigma=4), radiomics()],
        [rd.Denoiser("tv"), make_union(make_pipeline(rd.Denoiser("wiener", sigma=4), radiomics()), radiomics())],
    ],
)
def test_changes_in_turn_are_all_made_in_a_study(steps, denoised_images):
    cohort = noisy_cohort(4)
    table = rd.extract_table(make_pipeline(*steps), cohort)
    denoised_images.clear()
    fitted, _ = rd.fit_over_cases(make_pipeline(*steps, StandardScaler(), GaussianNB()), cohort, cohort.labels)
    assert len(denoised_images) <= 3 * len(cohort)  # for each extractor its changes, and not again in folds
    np.testing.assert_allclose(fitted[-2].mean_, table.mean())


@few_cases
def test_a_search_may_leave_the_denoiser_out_or_put_another_step_in_its_place(denoised_images):
    cohort = noisy_cohort(6)
    model = make_pipeline(rd.Denoiser("wiener"), radiomics(), StandardScaler(), GaussianNB())
    search = GridSearchCV(model, {"denoiser": ["passthrough"]}, cv=2, error_score="raise")
    fitted, _ = rd.fit_over_cases(search, cohort, cohort.labels)
    np.testing.assert_allclose(fitted.best_estimator_[-2].mean_, rd.extract_table(radiomics(), cohort).mean())
    search.set_params(param_grid={"denoiser": [rd.Denoiser("tv")]})
    fitted, _ = rd.fit_over_cases(search, cohort, cohort.labels)
    expected = rd.extract_table(make_pipeline(rd.Denoiser("tv"), radiomics()), cohort).mean()
    np.testing.assert_allclose(fitted.best_estimator_[-2].mean_, expected)


def test_rows_keep_their_change_in_other_processes():
    rows = SharedChange(rd.Denoiser("tv")).transform(np.arange(3))
    assert pickle.loads(pickle.dumps(rows[1:])).change.method == "tv"


def test_a_bag_after_a_denoiser_is_refused_in_studies():
    model = make_pipeline(rd.Denoiser("tv"), BaggingClassifier(make_pipeline(radiomics(), GaussianNB())))
    with pytest.raises(StudyError, match="A BaggingClassifier accepts tables only. Put the step that changes cases in"):
        rd.cross_validated_auc(model, noisy_cohort(6), noisy_cohort(6).labels, cv=2, size=None)


@few_cases
def test_a_model_notes_its_range_of_images_as_stored_and_denoises_each_once(denoised_images):
    cohort = noisy_cohort(4)
    model = make_pipeline(rd.Denoiser("wiener", sigma=50), radiomics(), GaussianNB()).fit(cohort, cohort.labels)
    assert len(denoised_images) == len(cohort)
    plain = make_pipeline(radiomics(), GaussianNB()).fit(cohort, cohort.labels)
    for name in ("intensities", "spread", "spacing_mm"):
        np.testing.assert_array_equal(model[1].training_range_[name], plain[0].training_range_[name])


@pytest.mark.slow
@few_cases
def test_a_saved_model_denoises_new_cases_and_scores_them_with_a_cache(tmp_path):
    cohort = noisy_cohort()
    model = make_pipeline(rd.Denoiser("wiener"), radiomics(), GaussianNB())
    fitted, _ = rd.fit_over_cases(model, cohort, cohort.labels)
    loaded = rd.load_model(rd.save_model(fitted, tmp_path / "model.skops"))
    expected = fitted.predict_proba(cohort)
    np.testing.assert_allclose(loaded.predict_proba(cohort), expected)
    scores = rd.score_cohort(loaded, cohort, cache_dir=tmp_path / "cache")
    np.testing.assert_allclose(scores["probability_1"], expected[:, 1])


@pytest.mark.slow
@few_cases
def test_the_importance_of_features_is_that_of_denoised_images():
    cohort = noisy_cohort()
    importance = []
    for head, cases in (([rd.Denoiser("wiener")], cohort), ([], before(cohort))):
        model = make_pipeline(*head, radiomics(), GaussianNB()).fit(cases, cases.labels)
        importance.append(rd.feature_importance(model, cases, cases.labels, random_state=0))
    np.testing.assert_allclose(*(table.select_dtypes("number") for table in importance))


def test_lesions_of_patients_are_denoised():
    cohort = noisy_cohort(4)
    patients = rd.Cohort([case.replace(patient=f"p{n // 2}", label=0) for n, case in enumerate(cohort)]).by_patient()
    changed = rd.Denoiser("wiener").fit_transform(patients)
    assert [len(patient.lesions) for patient in changed] == [2, 2]
    np.testing.assert_allclose(changed[1].lesions[1].voxels, before(cohort)[3].voxels)


def test_admm_that_has_not_converged_warns(monkeypatch):
    monkeypatch.setitem(denoiser._PLUG_AND_PLAY, "n_iterations", 1)
    with pytest.warns(RadiodeepWarning, match="c0: ADMM has not converged in 1 iterations"):
        rd.Denoiser("admm-dncnn").fit_transform(noisy_cohort(1))[0].lesion()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "wienner"}, "'method' parameter of Denoiser must be one of .* Did you mean 'wiener'"),
        ({"sigma": -1}, "'sigma' parameter of Denoiser must be None or a float >= 0. Got -1"),
        ({"strength": 0}, "'strength' parameter of Denoiser must be a float > 0. Got 0"),
        ({"dimensions": 4}, "'dimensions' parameter of Denoiser must be 2 or 3. Got 4"),
        ({"dimensions": 3}, "method='dncnn' denoises slices. Use dimensions=2"),
        ({"method": "tv", "weights": "own.safetensors"}, "method='tv' has no weights. Leave weights out"),
        ({"slice_axis": "oblique"}, "'slice_axis' parameter of Denoiser must be None or one of axial"),
        ({"device": "tpu-9"}, "The device must be 'auto', 'cpu' or a device of torch"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(InputError, match=message):
        rd.Denoiser(**settings).fit(noisy_cohort(1))
