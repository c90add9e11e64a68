"""MR images on one scale, by themselves or by the training cases of each fold; what studies make of these steps."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.exceptions import GeometryMismatchError, InputError, MissingImageError, RadiodeepWarning
from radiodeep.features import bias_field, mr_intensity
from radiodeep.features.stateless import observed_rows

few_cases = pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # so few say what is wrong
STEPS = {
    "zscore": rd.IntensityNormalizer(over="image"),
    "reference": rd.IntensityNormalizer("reference", over=(60, 99)),
    "whitestripe": rd.IntensityNormalizer("whitestripe", over="image", scale=1),
    "nyul": rd.NyulNormalizer(over="image"),
    "n4": rd.BiasFieldCorrector(over="image", shrink_factor=2, n_iterations=[5]),
}


def mr_cohort(n_cases=12, seed=0, scanners=False):
    """Small lesions in two tissues; with `scanners` each image has another gain."""
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(n_cases):
        image = rng.normal(300, 20, (8, 20, 24))
        image[:, 12:] += 300
        roi = np.zeros(image.shape, bool)
        roi[2:6, 5:15, 6:18] = True
        image[3:5, 7:12, 8:14] += rng.normal(60 + 20 * (number % 2), 30)
        image *= rng.uniform(0.3, 3) if scanners else 1
        cases.append(rd.Case(image, roi, f"c{number}", spacing_mm=(3, 1, 1), label=number % 2))
    return rd.Cohort(cases)


def before(cohort, step):
    """The same cases, changed in advance by a step that is fitted to them."""
    changed = step.fit_transform(cohort)
    return rd.Cohort([plain.replace(image=case.voxels) for plain, case in zip(cohort, changed, strict=True)])


def radiomics(**settings):
    return rd.RadiomicsExtractor(families=["firstorder"], bin_width=50, max_gray_levels=10_000, **settings)


@few_cases
@pytest.mark.parametrize("name", STEPS)
def test_a_table_is_that_of_images_changed_before_and_its_cache_is_read(name, tmp_path, monkeypatch):
    cohort = mr_cohort(4)
    model = make_pipeline(clone(STEPS[name]), radiomics())
    table = rd.extract_table(model, cohort, cache_dir=tmp_path)
    np.testing.assert_allclose(table, rd.extract_table(radiomics(), before(cohort, clone(STEPS[name]))), rtol=1e-5)
    assert not np.allclose(table, rd.extract_table(radiomics(), cohort))
    with observed_rows() as measured:
        np.testing.assert_array_equal(rd.extract_table(model, cohort, cache_dir=tmp_path), table)
    assert measured == []


@pytest.mark.parametrize("name", ["zscore", "reference", "whitestripe"])
def test_gains_of_scanners_change_no_feature(name):
    model = make_pipeline(clone(STEPS[name]), rd.RadiomicsExtractor(bin_count=32))
    case = mr_cohort(1)[0]
    other = case.replace(image=4 * case.voxels)
    np.testing.assert_allclose(*(model.transform([each]) for each in (case, other)), rtol=1e-6)


@few_cases
def test_a_study_learns_the_standard_scale_from_the_training_cases_of_each_fold():
    cohort = mr_cohort(scanners=True)
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    model = make_pipeline(rd.NyulNormalizer(over="image"), radiomics(), StandardScaler(), LogisticRegression())
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=cv, size=None)
    by_hand = np.empty(len(cohort))
    for train, test in cv.split(np.zeros(len(cohort)), cohort.labels):
        nyul = rd.NyulNormalizer(over="image").fit(cohort[train])
        train_rows, test_rows = (radiomics().fit_transform(nyul.transform(cohort[rows])) for rows in (train, test))
        classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(train_rows, cohort.labels[train])
        by_hand[test] = classifier.decision_function(test_rows)
    np.testing.assert_allclose(np.ravel(result.score_array), by_hand)
    learned_from_all = rd.cross_validated_auc(
        make_pipeline(*model[1:]), before(cohort, rd.NyulNormalizer(over="image")), cohort.labels, cv=cv, size=None
    )
    assert not np.allclose(np.ravel(learned_from_all.score_array), by_hand)


@few_cases
def test_a_study_normalises_each_image_once_for_all_folds(monkeypatch):
    ids = []
    compute = mr_intensity._normalized

    def noted(lesion, *args, **more):
        ids.append(lesion.id)
        return compute(lesion, *args, **more)

    monkeypatch.setattr(mr_intensity, "_normalized", noted)
    cohort = mr_cohort()
    model = make_pipeline(clone(STEPS["zscore"]), radiomics(), GaussianNB())
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=3, size=None)
    assert sorted(ids) == sorted(cohort.ids)
    expected = rd.cross_validated_auc(
        make_pipeline(radiomics(), GaussianNB()), before(cohort, clone(STEPS["zscore"])), cohort.labels, cv=3, size=None
    )
    np.testing.assert_allclose(result.score_array, expected.score_array)


@few_cases
def test_fields_and_landmarks_are_computed_once_although_folds_learn(monkeypatch):
    fields, landmarks = [], []
    for module, name, calls in (
        (bias_field, "n4_log_field", fields), (mr_intensity.mr_intensity, "nyul_scale", landmarks)
    ):  # fmt: skip
        compute = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, compute=compute, calls=calls: calls.append(len(args[0])) or compute(*args)
        )
    cohort = mr_cohort(9, seed=5)
    model = make_pipeline(clone(STEPS["n4"]), clone(STEPS["nyul"]), radiomics(), GaussianNB())
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=3, size=None)
    assert len(fields) == len(cohort)
    assert set(landmarks) == {6}  # the training cases of each of three folds
    plain = make_pipeline(*model[1:])
    corrected = before(cohort, clone(STEPS["n4"]))
    expected = rd.cross_validated_auc(plain, corrected, cohort.labels, cv=3, size=None)
    np.testing.assert_allclose(result.score_array, expected.score_array, rtol=1e-5)


@few_cases
def test_kept_fields_need_no_more_memory_than_allowed(monkeypatch):
    bias_field._FIELDS.clear()
    monkeypatch.setattr(bias_field, "_MOST_BYTES", 2 * 8 * 20 * 24 * 4)
    for case in clone(STEPS["n4"]).fit_transform(mr_cohort(4, seed=7)):
        case.lesion()
    assert len(bias_field._FIELDS) == 2


@few_cases
def test_branches_of_a_union_have_scales_of_their_own():
    cohort = mr_cohort(6, scanners=True)
    branches = [make_pipeline(clone(STEPS["nyul"]), radiomics()), make_pipeline(clone(STEPS["zscore"]), radiomics())]
    model = make_pipeline(make_union(*branches), StandardScaler(), GaussianNB())
    fitted, _ = rd.fit_over_cases(model, cohort, cohort.labels)
    tables = [rd.extract_table(branch, cohort) for branch in branches]
    np.testing.assert_allclose(fitted[1].mean_, np.hstack([table.mean() for table in tables]))


@few_cases
def test_a_search_reaches_the_settings_of_both_kinds():
    cohort = mr_cohort(8)
    model = make_pipeline(clone(STEPS["zscore"]), clone(STEPS["nyul"]), radiomics(), StandardScaler(), GaussianNB())
    grid = {"nyulnormalizer__percentiles": [(1, 99), (1, 50, 99)], "intensitynormalizer__over": ["image", "region"]}
    fitted, _ = rd.fit_over_cases(GridSearchCV(model, grid, cv=2), cohort, cohort.labels)
    best = fitted.best_estimator_
    assert best.get_params()["nyulnormalizer__percentiles"] == fitted.best_params_["nyulnormalizer__percentiles"]
    expected = clone(model).set_params(**fitted.best_params_).fit(cohort, cohort.labels).predict_proba(cohort)
    np.testing.assert_allclose(best.predict_proba(cohort), expected)


@pytest.mark.slow
@few_cases
@pytest.mark.parametrize("name", STEPS)
def test_a_saved_model_changes_new_cases_and_scores_them_with_a_cache(name, tmp_path):
    cohort, new = mr_cohort(), mr_cohort(4, seed=3)
    model = make_pipeline(clone(STEPS[name]), radiomics(), GaussianNB())
    fitted, _ = rd.fit_over_cases(model, cohort, cohort.labels)
    loaded = rd.load_model(rd.save_model(fitted, tmp_path / "model.skops"))
    expected = clone(model).fit(cohort, cohort.labels).predict_proba(new)
    np.testing.assert_allclose(loaded.predict_proba(new), expected)
    scores = rd.score_cohort(loaded, new, cache_dir=tmp_path / "cache")
    np.testing.assert_allclose(scores["probability_1"], expected[:, 1])


@few_cases
def test_the_importance_of_features_is_that_of_normalised_images():
    cohort = mr_cohort(scanners=True)
    importance = []
    for head, cases in (([clone(STEPS["nyul"])], cohort), ([], before(cohort, clone(STEPS["nyul"])))):
        model = make_pipeline(*head, radiomics(), GaussianNB()).fit(cases, cases.labels)
        importance.append(rd.feature_importance(model, cases, cases.labels, random_state=0))
    np.testing.assert_allclose(*(table.select_dtypes("number") for table in importance))


@few_cases
def test_a_model_notes_its_range_of_images_as_stored():
    cohort = mr_cohort(4)
    for step in STEPS.values():
        model = make_pipeline(clone(step), radiomics(), GaussianNB()).fit(cohort, cohort.labels)
        plain = make_pipeline(radiomics(), GaussianNB()).fit(cohort, cohort.labels)
        for name in ("intensities", "spread", "spacing_mm"):
            np.testing.assert_array_equal(model[1].training_range_[name], plain[0].training_range_[name])


def test_a_table_says_that_the_standard_scale_is_learned_from_all_of_its_cases():
    with pytest.warns(RadiodeepWarning, match="NyulNormalizer learns from all cases of the table"):
        rd.extract_table(make_pipeline(clone(STEPS["nyul"]), radiomics()), mr_cohort(3))


def test_the_cache_notices_another_standard_scale_and_other_settings(tmp_path):
    cohort = mr_cohort(4, scanners=True)
    settings = [rd.NyulNormalizer(over="image").fit(part).settings() for part in (cohort[:2], cohort[2:])]
    assert not np.allclose(*(each["standard_scale"][""] for each in settings))
    for changes in ({"method": "reference"}, {"over": "region"}, {"scale": 700.0}):
        model = make_pipeline(rd.IntensityNormalizer(over="image"), radiomics())
        table = rd.extract_table(model, cohort, cache_dir=tmp_path)
        model[0].set_params(**changes)
        assert not np.allclose(rd.extract_table(model, cohort, cache_dir=tmp_path), table)


def test_cohorts_stay_cohorts_and_patients_patients():
    cohort = mr_cohort(4)
    changed = clone(STEPS["zscore"]).fit_transform(cohort)
    assert isinstance(changed, rd.Cohort)
    assert (changed.ids, changed.labels.tolist()) == (cohort.ids, cohort.labels.tolist())
    assert changed.frame.equals(cohort.frame)
    assert isinstance(clone(STEPS["zscore"]).fit_transform(list(cohort)), list)
    patients = rd.Cohort([case.replace(patient=f"p{n // 2}", label=0) for n, case in enumerate(cohort)]).by_patient()
    for name in ("zscore", "nyul"):
        expected = clone(STEPS[name]).fit_transform(cohort)
        lesion = clone(STEPS[name]).fit_transform(patients)[1].lesions[1]
        np.testing.assert_allclose(lesion.voxels, expected[3].voxels)


def test_bin_widths_are_suggested_for_normalised_images():
    cohort = mr_cohort(6, scanners=True)
    for name in ("zscore", "nyul"):
        advice = rd.suggest_bin_width(clone(STEPS[name]).fit_transform(cohort))
        model = make_pipeline(clone(STEPS[name]), rd.RadiomicsExtractor(families=["firstorder"]))
        assert rd.suggest_bin_width(cohort, model).table.equals(advice.table)
        assert not hasattr(model[0], "standard_scale_")
        assert not rd.suggest_bin_width(cohort).table.equals(advice.table)


def several(n_cases=4):
    """Cases of two images with one mask, and a muscle of its own in the image T1."""
    t1, t2 = mr_cohort(n_cases), mr_cohort(n_cases, seed=1, scanners=True)
    muscle = np.zeros(t1[0].voxels.shape, bool)
    muscle[:, 14:19] = True
    cases = []
    for first, second in zip(t1, t2, strict=True):
        images = {"T1": first.voxels, "T2": second.voxels, "muscle": first.voxels}
        masks = {"T1": first.roi, "T2": first.roi, "muscle": muscle}
        cases.append(rd.Case(images, masks, first.id, spacing_mm=(3, 1, 1), label=first.label))
    return rd.Cohort(cases), muscle


@few_cases
def test_each_of_several_images_has_a_scale_of_its_own():
    cohort, _ = several()
    nyul = rd.NyulNormalizer(over="image").fit(cohort)
    assert list(nyul.standard_scale_) == ["T1", "T2", "muscle"]
    changed = nyul.transform(cohort)[2]
    for name in ("T1", "T2"):
        alone = rd.NyulNormalizer(over="image").fit_transform(cohort.of_image(name))[2]
        np.testing.assert_allclose(changed.of_image(name).voxels, alone.voxels)
    chosen = rd.NyulNormalizer(over="image", image="T2").fit(cohort)
    assert list(chosen.standard_scale_) == ["T2"]
    np.testing.assert_array_equal(chosen.transform(cohort)[0].of_image("T1").voxels, cohort[0].of_image("T1").voxels)
    model = make_pipeline(chosen, radiomics(image=("T1", "T2")))
    table = rd.extract_table(model, cohort, n_jobs=2)
    plain = rd.extract_table(radiomics(image="T1"), cohort)
    np.testing.assert_allclose(table.filter(like="T1_"), plain)


@few_cases
def test_a_reference_tissue_is_the_mask_of_another_image(monkeypatch):
    cohort, muscle = several()
    step = rd.IntensityNormalizer("reference", over="muscle", scale=1000, image=("T1", "T2"))
    for name in ("T1", "T2"):
        for case in step.fit_transform(cohort):
            assert case.of_image(name).voxels[muscle].mean() == pytest.approx(1000)
    corrected = []
    compute = bias_field.n4_log_field
    monkeypatch.setattr(
        bias_field, "n4_log_field", lambda image, *others: corrected.append(1) or compute(image, *others)
    )
    bias_field._FIELDS.clear()
    n4 = rd.BiasFieldCorrector(over="muscle", n_iterations=[2], image="T1")
    both = make_pipeline(n4, step, radiomics(image="T1"))
    values = rd.extract_table(both, cohort)
    assert len(corrected) == len(cohort)
    assert np.isfinite(values).all(axis=None)
    nyul = rd.NyulNormalizer(over="muscle", output_range=(0, 100)).fit(cohort)
    np.testing.assert_allclose(
        np.percentile(nyul.transform(cohort)[0].of_image("T1").voxels[muscle], [1, 99]), [0, 100], atol=1
    )
    with pytest.raises(InputError, match="'over' parameter of IntensityNormalizer must be one of body.*one image with"):
        step.set_params(image=None).transform(mr_cohort(1))
    with pytest.raises(InputError, match="'over' parameter of NyulNormalizer must be one of body"):
        rd.NyulNormalizer(over="muscle").fit(mr_cohort(1))
    with pytest.raises(MissingImageError, match="c0: there is no image 'bone'"):
        rd.IntensityNormalizer(over="bone").fit_transform(cohort)[0].of_image("T1")


def test_a_reference_on_another_grid_is_an_error():
    case = mr_cohort(1)[0]
    images = {"T1": case.voxels, "muscle": np.ones((2, 3, 4))}
    masks = {"T1": case.roi, "muscle": np.ones((2, 3, 4))}
    whole = rd.Case(images, masks, "P-7", spacing_mm=(3, 1, 1))
    with pytest.raises(GeometryMismatchError, match=r"P-7: .*shape \(2, 3, 4\), the image \(8, 20, 24\)"):
        rd.IntensityNormalizer(over="muscle").fit_transform([whole])[0].of_image("T1").lesion()


def test_an_image_that_no_training_case_has_is_an_error():
    cohort, _ = several(2)
    lacking = [case.replace(image={**case.image, "T2": None}) for case in cohort]
    with pytest.raises(InputError, match="None of 2 cases has the image 'T2', whose scale is to be learned"):
        rd.NyulNormalizer(over="image", image=("T1", "T2")).fit(lacking)
    with pytest.raises(InputError, match="'X' parameter of fit must be at least one case"):
        rd.NyulNormalizer().fit([])


def test_an_image_whose_scale_was_not_learned_is_an_error():
    cohort, _ = several(2)
    nyul = rd.NyulNormalizer(over="image").fit(cohort)
    single = mr_cohort(1)
    with pytest.raises(MissingImageError, match="c0: one image without a name was not among .*: the image 'T1', the"):
        nyul.transform(single)[0].lesion()
    with pytest.raises(MissingImageError, match="c0: .*'T1' was not among those of the training cases: one image"):
        rd.NyulNormalizer(over="image").fit(single).transform(cohort)[0].of_image("T1").lesion()
    images, masks = ({**each, "FLAIR": each["T1"]} for each in (cohort[0].image, cohort[0].mask))
    more = rd.Case(images, masks, "c0", spacing_mm=(3, 1, 1))
    changed = nyul.transform([more])[0]
    with pytest.raises(MissingImageError, match="c0: the image 'FLAIR' was not .* choose those .* by 'image'"):
        changed.of_image("FLAIR").lesion()
    np.testing.assert_array_equal(changed.of_image("T1").voxels, nyul.transform(cohort)[0].of_image("T1").voxels)


def test_a_name_that_no_image_has_is_an_error_of_steps_that_learn_nothing():
    cohort, _ = several(2)
    for step in (rd.IntensityNormalizer(image=("T1", "T3")), rd.BiasFieldCorrector(image="T3")):
        with pytest.raises(MissingImageError, match="No case has an image 'T3'. Their images are: T1, T2, muscle"):
            step.fit(cohort)
    rd.IntensityNormalizer(image="T1").fit(cohort)


def test_images_are_mapped_by_the_percentiles_that_were_learned():
    cohort = mr_cohort(3, scanners=True)
    nyul = rd.NyulNormalizer(over="image").fit(cohort)
    expected = nyul.transform(cohort)[0].voxels
    nyul.set_params(percentiles=(5, 95))
    np.testing.assert_array_equal(nyul.transform(cohort)[0].voxels, expected)
    assert not np.allclose(nyul.fit_transform(cohort)[0].voxels, expected)


def test_landmarks_are_those_of_the_voxels_as_they_are_now():
    case = mr_cohort(1)[0].replace(image=mr_cohort(1)[0].voxels.copy())
    before_change = rd.NyulNormalizer(over="image").fit([case]).standard_scale_[""]
    case.voxels[:3] += 500
    after = rd.NyulNormalizer(over="image").fit([case]).standard_scale_[""]
    assert not np.allclose(after, before_change)
    np.testing.assert_array_equal(rd.NyulNormalizer(over="image").fit([case]).standard_scale_[""], after)
    muscle, other = several(1)[0], several(1)[0]
    mask = other[0].mask["muscle"].copy()
    mask[:, 5:10] = True
    other = [other[0].replace(mask={**other[0].mask, "muscle": mask})]
    learned = [rd.NyulNormalizer(over="muscle").fit(cases).standard_scale_["T1"] for cases in (muscle, other)]
    assert not np.allclose(*learned)


def test_an_error_on_reading_names_the_case():
    flat = mr_cohort(1)[0].replace(image=np.ones((8, 20, 24)))
    with pytest.raises(InputError, match="c0: 1 to 99 % of the part .* are 1"):
        rd.NyulNormalizer(over="image").fit([flat])
    with pytest.raises(InputError, match="c0: the mean of the reference tissue is -1"):
        rd.IntensityNormalizer("reference", over="image").fit_transform([flat.replace(image=-flat.voxels)])[0].lesion()
    with pytest.raises(InputError, match="IntensityNormalizer changes cases or patients. Got int instead"):
        rd.IntensityNormalizer().transform([3])
    with pytest.raises(Exception, match=re.escape("This NyulNormalizer instance is not fitted yet")):
        rd.NyulNormalizer().transform([flat])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (rd.IntensityNormalizer("z-score"), "'method' parameter of IntensityNormalizer .* Did you mean 'zscore'"),
        (rd.IntensityNormalizer(over=(50, 200)), "'over' parameter of IntensityNormalizer must be one of body, image"),
        (rd.IntensityNormalizer(over=""), "'over' parameter of IntensityNormalizer must be one of body, image"),
        (rd.IntensityNormalizer(scale=0), "'scale' parameter of IntensityNormalizer must be a float > 0. Got 0"),
        (rd.IntensityNormalizer(peak="second"), "'peak' parameter of IntensityNormalizer must be one of last, first"),
        (rd.IntensityNormalizer(width=0.6), "'width' parameter .* must be a float > 0 and <= 0.5. Got 0.6"),
        (rd.IntensityNormalizer(width=0), "'width' parameter .* must be a float > 0 and <= 0.5. Got 0"),
        (rd.NyulNormalizer(over=7), "'over' parameter of NyulNormalizer must be one of body, image"),
        (rd.NyulNormalizer(percentiles=(10, 5)), "'percentiles' parameter of NyulNormalizer must be at least two incr"),
        (rd.NyulNormalizer(percentiles=(-1, 5)), "'percentiles' parameter of NyulNormalizer must be at least two incr"),
        (rd.NyulNormalizer(percentiles=(1, 101)), "'percentiles' parameter of NyulNormalizer must be at least two inc"),
        (rd.NyulNormalizer(output_range=(5, 5)), "'output_range' parameter of NyulNormalizer must be two numbers"),
        (rd.BiasFieldCorrector(over="outside"), "'over' parameter of BiasFieldCorrector must be 'body', 'image', or"),
        (rd.BiasFieldCorrector(over=(5, 9)), "'over' parameter of BiasFieldCorrector must be 'body', 'image', or"),
        (rd.BiasFieldCorrector(shrink_factor=0), "'shrink_factor' parameter .* must be an int >= 1. Got 0"),
        (rd.BiasFieldCorrector(n_iterations=[]), "'n_iterations' parameter .* must be a list of ints >= 1"),
        (rd.BiasFieldCorrector(n_iterations=[0]), "'n_iterations' parameter .* must be a list of ints >= 1"),
        (rd.BiasFieldCorrector(convergence_threshold=0), "'convergence_threshold' parameter .* must be a float > 0"),
    ],
)
def test_settings_out_of_range_are_named(step, message):
    with pytest.raises(InputError, match=message):
        step.fit(mr_cohort(1))
