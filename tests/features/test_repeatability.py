"""Repeatability: features that a second outline or scan changes are measured as such, and dropped inside the folds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from radiodeep import (
    Cohort,
    RadiomicsExtractor,
    ReliefF,
    RepeatableFeatures,
    cross_validate_models,
    cross_validated_auc,
    extract_table,
    intraclass_correlation,
    load_model,
    make_phantom_cohort,
    read_cohort,
    repeatability,
    save_model,
    score_cohort,
    write_cohort,
)
from radiodeep.exceptions import FileUnreadableError, InputError, RadiodeepWarning
from radiodeep.study.folds.extracted_tables import ExtractedTables
from radiodeep.study.training import fit_over_cases

VOLUME, SKEWNESS, MEAN = "original_shape_VoxelVolume", "original_firstorder_Skewness", "original_firstorder_Mean"
EXTRACTOR = RadiomicsExtractor(families=["shape", "firstorder"])


def outlined_twice(case):
    """A case whose second reader drew the outline one voxel beside."""
    return case.replace(repeats={"reader2": case.replace(mask=np.roll(case.roi, 1, axis=2))})


def scanned_twice(case, rng):
    """A case scanned again: the same lesion, of its own mean, with other noise."""
    image, again = (
        np.where(case.roi, 1000.0 * case.label, 0) + rng.normal(scale=100, size=case.roi.shape) for _ in range(2)
    )
    case = case.replace(image=image)
    return case.replace(repeats={"retest": case.replace(image=again)})


PHANTOMS = make_phantom_cohort(20, random_state=0)
TWICE = [outlined_twice(case) for case in PHANTOMS]
LABELS = PHANTOMS.labels


class Counting(RadiomicsExtractor):
    """A RadiomicsExtractor that notes which regions it really measures."""

    measured = []  # noqa: RUF012  shared by clones

    def transform(self, cases):
        self.measured.extend(case.roi.tobytes() for case in cases)
        return super().transform(cases)


@pytest.fixture(autouse=True)
def _reset():
    Counting.measured.clear()


def test_each_row_is_the_agreement_of_two_tables():
    table = repeatability(EXTRACTOR, [*TWICE, PHANTOMS[0].replace(id="once")])
    first = extract_table(EXTRACTOR, TWICE)
    second = extract_table(EXTRACTOR, [case.repeats["reader2"] for case in TWICE])
    assert table.index.tolist() == first.columns.tolist()
    for name in (VOLUME, SKEWNESS, MEAN):
        expected = intraclass_correlation(first[name], second[name])
        assert table.loc[name, "icc"] == pytest.approx(expected.icc, rel=1e-9)
        assert table.loc[name, "n"] == 20
        spread = ((first[name] - second[name]) ** 2).mean() / 2
        assert table.loc[name, "within_sd"] == pytest.approx(spread**0.5)
        assert table.loc[name, "repeatability_coefficient"] == pytest.approx(2.7718586 * spread**0.5)
    assert table.attrs["left_out"] == ["once"]
    assert table.attrs["repeat"] == ["reader2"]


def test_an_outline_one_voxel_beside_leaves_volume_and_changes_intensities_at_the_edge():
    table = repeatability(EXTRACTOR, TWICE)
    assert table.loc[VOLUME, "icc"] == 1
    assert table.loc["original_firstorder_10Percentile", "high"] < 0.5
    kept = RepeatableFeatures(EXTRACTOR).fit(TWICE).get_feature_names_out()
    assert kept.tolist() == table.index[table["icc"] >= 0.75].tolist()


def test_noise_between_two_scans_is_thrown_out_and_what_belongs_to_the_lesion_stays():
    rng = np.random.default_rng(0)
    cases = [scanned_twice(case, rng) for case in PHANTOMS]
    table = repeatability(EXTRACTOR, cases)
    assert table.loc[MEAN, "icc"] > 0.99
    assert table.loc[SKEWNESS, "low"] < 0.2
    kept = RepeatableFeatures(EXTRACTOR, repeat="retest").fit(cases).get_feature_names_out()
    assert MEAN in kept
    assert SKEWNESS not in kept


def test_three_readers_are_compared_together():
    cases = [
        case.replace(repeats={**case.repeats, "reader3": case.replace(mask=np.roll(case.roi, -1, axis=1))})
        for case in TWICE
    ]
    table = repeatability(EXTRACTOR, cases, ("reader2", "reader3"), kind="consistency")
    tables = [extract_table(EXTRACTOR, [case.repeats[name] for case in cases]) for name in ("reader2", "reader3")]
    columns = [measured[MEAN] for measured in (extract_table(EXTRACTOR, cases), *tables)]
    assert table.loc[MEAN, "icc"] == pytest.approx(intraclass_correlation(*columns, kind="consistency").icc)
    with pytest.raises(InputError, match="The cases have the repeats reader2, reader3. Choose with repeat='reader2'"):
        repeatability(EXTRACTOR, cases)
    each = [RepeatableFeatures(EXTRACTOR, repeat=name).fit(cases) for name in ("reader2", "reader3")]
    both = RepeatableFeatures(EXTRACTOR).fit(cases)
    np.testing.assert_array_equal(both.icc_, np.min([fitted.icc_ for fitted in each], axis=0))
    np.testing.assert_array_equal(both.support_, each[0].support_ & each[1].support_)


def test_each_of_several_images_repeats_by_itself():
    several = []
    for row, case in enumerate(PHANTOMS[:6]):
        both = case.replace(image={"T1": case.voxels, "PET": 2 * case.voxels if row else None}, mask=case.roi)
        several.append(both.replace(repeats={"reader2": both.replace(mask=np.roll(case.roi, 1, axis=2))}))
    table = repeatability(EXTRACTOR, several, on_error="record")
    expected = repeatability(EXTRACTOR, TWICE[:6])
    assert table.loc[f"T1_{MEAN}", "icc"] == pytest.approx(expected.loc[MEAN, "icc"])
    assert table.loc[[f"T1_{MEAN}", f"PET_{MEAN}"], "n"].tolist() == [6, 5]  # the patient without PET is left out there
    of_t1 = repeatability(EXTRACTOR, Cohort(several).of_image("T1"))
    np.testing.assert_allclose(of_t1["icc"], expected["icc"])


def test_the_lower_bound_is_the_stricter_criterion():
    by_icc = RepeatableFeatures(EXTRACTOR, 0.6).fit(TWICE)
    by_bound = RepeatableFeatures(EXTRACTOR, 0.6, on="lower bound").fit(TWICE)
    assert set(by_bound.get_support(indices=True)) < set(by_icc.get_support(indices=True))
    np.testing.assert_array_equal(by_bound.icc_, by_icc.icc_)
    assert VOLUME in by_bound.get_feature_names_out()  # equal measurements have no interval
    table = repeatability(EXTRACTOR, TWICE)
    narrow = repeatability(EXTRACTOR, TWICE, confidence_level=0.5)
    assert (narrow["low"] > table["low"])[table["icc"] < 1].all()
    np.testing.assert_array_equal(by_bound.support_, (table["low"] >= 0.6) | (table["icc"] == 1))


def test_features_are_judged_by_the_training_cases_that_were_measured_again():
    some = TWICE[:12] + list(PHANTOMS[12:])
    fitted = RepeatableFeatures(EXTRACTOR).fit(some)
    assert fitted.n_repeated_ == 12
    np.testing.assert_array_equal(fitted.icc_, RepeatableFeatures(EXTRACTOR).fit(TWICE[:12]).icc_)
    assert fitted.n_features_in_ == len(EXTRACTOR.fit(TWICE).get_feature_names_out())
    np.testing.assert_array_equal(fitted.transform(PHANTOMS), EXTRACTOR.transform(PHANTOMS)[:, fitted.support_])
    np.testing.assert_array_equal(RepeatableFeatures(EXTRACTOR).fit_transform(some), fitted.transform(PHANTOMS))
    consistent = RepeatableFeatures(EXTRACTOR, kind="consistency").fit(TWICE)
    expected = repeatability(EXTRACTOR, TWICE, kind="consistency")["icc"]
    np.testing.assert_allclose(consistent.icc_, expected, rtol=1e-9)


def models():
    measured = Counting(families=["shape", "firstorder"])
    return {
        "repeatable": make_pipeline(RepeatableFeatures(measured), StandardScaler(), ReliefF(4), GaussianNB()),
        "all": make_pipeline(measured, StandardScaler(), ReliefF(4), GaussianNB()),
        "union": make_pipeline(make_union(RepeatableFeatures(measured, 0.9), measured), GaussianNB()),
    }


@pytest.mark.filterwarnings("ignore:.*follow the size:radiodeep.exceptions.RadiodeepWarning")
def test_a_study_measures_every_region_once_and_predicts_as_a_model_fitted_in_each_fold():
    cases = TWICE[:17] + list(PHANTOMS[17:])
    splitter = StratifiedKFold(4, shuffle=True, random_state=0)
    result = cross_validate_models(models(), cases, LABELS, splitter, size=None)["repeatable"]
    assert len(Counting.measured) == len(set(Counting.measured)) == 20 + 17
    y, scores = np.array(LABELS), np.empty(20)
    for fold, (train, test) in enumerate(splitter.split(cases, y)):
        fitted = models()["repeatable"].fit([cases[row] for row in train], y[train])
        joint = fitted[-1].predict_joint_log_proba(fitted[:-1].transform([cases[row] for row in test]))
        scores[test] = joint[:, 1] - joint[:, 0]
        chosen = result.folds["selected_features"].iloc[fold]
        assert chosen == fitted[:-1].get_feature_names_out().tolist()
    np.testing.assert_allclose(result.predictions["score"], scores)


def test_settings_of_the_extractor_and_the_filter_can_be_searched():
    model = make_pipeline(RepeatableFeatures(EXTRACTOR), StandardScaler(), LogisticRegression())
    grid = {"repeatablefeatures__threshold": [0.5, 0.9], "repeatablefeatures__extractor__bin_count": [8, 16]}
    fitted, _ = fit_over_cases(GridSearchCV(model, grid, cv=2), TWICE, LABELS)
    assert set(fitted.best_params_) == set(grid)


def test_a_trained_model_is_saved_and_scores_cases_without_repeats(tmp_path):
    fitted, _ = fit_over_cases(
        models()["repeatable"].set_params(repeatablefeatures__extractor=EXTRACTOR), TWICE, LABELS
    )
    save_model(fitted, tmp_path / "model.skops")
    scores = score_cohort(load_model(tmp_path / "model.skops"), PHANTOMS)
    np.testing.assert_allclose(scores["probability_1"], fitted.predict_proba(TWICE)[:, 1])
    assert (scores["outside_training_range"] == "").all()


def test_no_case_is_read_only_to_see_whether_it_can_be(monkeypatch):
    monkeypatch.setattr(ExtractedTables, "read_all", lambda *_: pytest.fail("it was read again"))
    model = make_pipeline(RepeatableFeatures(EXTRACTOR), StandardScaler(), LogisticRegression())
    assert fit_over_cases(model, TWICE, LABELS, on_error="exclude")[1] == {}


def test_a_repeat_that_cannot_be_measured_is_named_and_left_out(tmp_path):
    lost = TWICE[0].replace(repeats={"reader2": TWICE[0].replace(mask=tmp_path / "none.nii.gz")})
    cases = [lost, *TWICE[1:]]
    model = make_pipeline(RepeatableFeatures(EXTRACTOR), StandardScaler(), LogisticRegression())
    with pytest.raises(FileUnreadableError, match="phantom-000: "):
        fit_over_cases(model, cases, LABELS)
    with pytest.warns(RadiodeepWarning, match="1 of 20 repeated measurements failed.*FileUnreadableError: phantom-000"):
        fitted, excluded = fit_over_cases(model, cases, LABELS, on_error="exclude")
    assert excluded == {}
    assert fitted[0].n_repeated_ == 19
    table = repeatability(EXTRACTOR, cases, on_error="record")
    assert (table["n"] == 19).all()
    assert list(table.attrs["errors"]) == ["phantom-000, reader2"]


def test_the_columns_of_a_manifest_are_the_repeats(tmp_path):
    write_cohort(PHANTOMS[:4], tmp_path)
    manifest = tmp_path / "twice.csv"
    rows = [f"{case.id},{case.id}_image.nii.gz,{case.id}_mask.nii.gz" for case in PHANTOMS[:4]]
    other = ["phantom-001_mask.nii.gz", "phantom-001_mask.nii.gz", "phantom-001_mask.nii.gz", ""]
    manifest.write_text("id,image,mask,mask_reader2\n" + "\n".join(map(",".join, zip(rows, other, strict=True))))
    table = repeatability(EXTRACTOR, read_cohort(manifest))
    assert (table["n"] == 3).all()
    assert table.attrs["left_out"] == ["phantom-003"]


def test_without_enough_repeats_there_is_nothing_to_judge_by():
    with pytest.raises(InputError, match="None of the 20 cases was measured again.*mask_reader2"):
        repeatability(EXTRACTOR, PHANTOMS)
    with pytest.raises(InputError, match="needs 3 cases or more that were measured again. Got 2 of 20 with reader2"):
        repeatability(EXTRACTOR, TWICE[:2] + list(PHANTOMS[2:]))
    with pytest.raises(InputError, match="needs 3 cases or more that were measured again. Got 2 of 20 with reader2"):
        RepeatableFeatures(EXTRACTOR).fit(TWICE[:2] + list(PHANTOMS[2:]))
    with pytest.raises(InputError, match="No case has the repeat 'retest'. They have reader2"):
        repeatability(EXTRACTOR, TWICE, "retest")


def test_if_no_feature_repeats_the_most_repeatable_one_is_kept():
    shadow = [
        case.replace(repeats={"reader2": other})
        for case, other in zip(PHANTOMS, [*PHANTOMS[1:], PHANTOMS[0]], strict=True)
    ]
    with pytest.warns(RadiodeepWarning, match="No feature of RadiomicsExtractor has an icc of 0.9; only the most"):
        fitted = RepeatableFeatures(EXTRACTOR, 0.9).fit(shadow)
    assert fitted.get_support(indices=True).tolist() == [int(np.nanargmax(fitted.icc_))]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": "high"}, "'threshold' parameter of RepeatableFeatures must be a number <= 1. Got 'high'"),
        ({"on": "upper"}, "'on' parameter of RepeatableFeatures must be one of icc, lower bound"),
        ({"kind": "icc3"}, "'kind' parameter of RepeatableFeatures must be one of absolute, consistency"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        RepeatableFeatures(EXTRACTOR, **changes).fit(TWICE)


@pytest.mark.slow
def test_processes_do_not_matter():
    model = make_pipeline(RepeatableFeatures(EXTRACTOR), StandardScaler(), LogisticRegression())
    results = [cross_validated_auc(model, TWICE, LABELS, 5, n_jobs=n_jobs, size=None) for n_jobs in (1, 2)]
    assert results[0].auc == results[1].auc
