"""Features, and what is predicted from them, under masks that agree, differ, or are missing."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.exceptions import InputError, StudyError
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.mask_evidence.feature_survival import AUTOMATIC, DEPLOYED, EXPERT

RIDGE = make_pipeline(StandardScaler(), LogisticRegression())


class Numbers(StatelessExtractor):
    """Mean, number of voxels and place of the region, and a constant."""

    def fit(self, cases, y=None):
        return self

    def transform(self, cases):
        return np.array([self._row(case.lesion()) for case in cases])

    def _row(self, lesion):
        place = np.argwhere(lesion.roi)[:, 2].mean()
        return lesion.voxels[lesion.roi].mean(), float(lesion.roi.sum()), place, 1.0

    def get_feature_names_out(self, input_features=None):
        return np.array(["own_mean_value", "own_size_voxels", "own_size_place", "own_size_constant"], dtype=object)


def informative(n_cases=36, seed=0):
    """Return boxes in noise: the brightness of the left half tells the label, that of the right half tells nothing."""
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(n_cases):
        voxels = rng.normal(size=(3, 8, 12))
        label = number % 2
        voxels[..., :6] += 1.5 * label + 0.3 * rng.normal()
        voxels[..., 6:] += 0.3 * rng.normal()
        mask = np.zeros(voxels.shape, bool)
        mask[:, 2 : 6 + number % 3 // 2, 1:5] = True
        cases.append(rd.Case(voxels, mask, f"c{number:02d}", (1, 1, 1), label=label))
    return rd.Cohort(cases)


COHORT = informative()
RIGHT = [np.roll(case.roi, 6, axis=2) for case in COHORT]


def test_the_icc_is_that_of_both_measurements(balls):
    masks = [np.roll(case.roi, 2, axis=2) for case in balls]
    survival = rd.features_under_masks(Numbers(), balls, masks)
    values = [
        Numbers().transform([case.replace(mask=mask) for case, mask in zip(balls, each, strict=True)])
        for each in ([case.roi for case in balls], masks)
    ]
    for column, name in enumerate(Numbers().get_feature_names_out()[:3]):
        expected = rd.intraclass_correlation(values[0][:, column], values[1][:, column])
        row = survival.table.loc[name]
        assert row["icc"] == pytest.approx(expected.icc)
        bounds = expected.confidence_interval
        np.testing.assert_allclose(row[["low", "high"]].astype(float), [bounds.low, bounds.high])
    families = survival.families
    assert families["n"].to_dict() == {"mean": 1, "size": 2, "all": 3}  # the constant does not count
    assert families.loc["size", ["good", "excellent", "surely good"]].tolist() == [0.5, 0.5, 0.5]  # not the place
    assert families.loc["mean", "good"] == float(survival.table.loc["own_mean_value", "icc"] >= 0.75)
    assert families.loc["all", "good"] == pytest.approx((survival.table["icc"].dropna() >= 0.75).mean())
    assert survival.results == {}
    assert "Of 3 features of 12 cases" in str(survival)
    axes = rd.repeatability_figure(survival.table).axes
    assert {label.get_text() for label in axes[1].get_yticklabels()} == {"mean", "size"}


def test_the_same_masks_change_nothing():
    survival = rd.features_under_masks(
        Numbers(), COHORT, [case.roi for case in COHORT], COHORT.labels, RIDGE, n_repeats=2
    )
    assert (survival.table["icc"].dropna() == 1).all()
    for name in (AUTOMATIC, DEPLOYED):
        assert survival.comparisons[name].difference == 0
        np.testing.assert_array_equal(survival.results[name].score_array, survival.results[EXPERT].score_array)
    assert (survival.families["surely good"] == 1).all()


def test_masks_of_another_place_take_the_signal_away():
    y = COHORT.labels
    survival = rd.features_under_masks(Numbers(), COHORT, RIGHT, y, RIDGE, cv=4, n_repeats=2)
    assert survival.results[EXPERT].value > 0.9
    assert survival.results[AUTOMATIC].value < 0.7
    compared = survival.comparisons[AUTOMATIC]
    assert compared.confidence_interval.high < 0
    direct = rd.cross_validated_score(make_pipeline(Numbers(), RIDGE), COHORT, y, cv=4, n_repeats=2)
    np.testing.assert_allclose(survival.results[EXPERT].score_array, direct.score_array)
    others = [case.replace(mask=mask) for case, mask in zip(COHORT, RIGHT, strict=True)]
    direct = rd.cross_validated_score(make_pipeline(Numbers(), RIDGE), others, y, cv=4, n_repeats=2)
    np.testing.assert_allclose(survival.results[AUTOMATIC].score_array, direct.score_array)
    assert f"Automatic masks: AUC {compared.value_a:.2f}, difference {compared.difference:+.2f}" in str(survival)


def test_a_model_of_expert_masks_is_tested_on_automatic_ones():
    survival = rd.features_under_masks(Numbers(), COHORT, RIGHT, COHORT.labels, RIDGE, cv=4, n_repeats=2)
    deployed = survival.results[DEPLOYED]
    expert, other = (
        Numbers().transform([case.replace(mask=mask) for case, mask in zip(COHORT, masks, strict=True)])
        for masks in ([case.roi for case in COHORT], RIGHT)
    )
    scores = np.empty((2, len(COHORT)))
    for repeat, folds in enumerate(deployed.fold_of_case):
        for fold in np.unique(folds):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            scores[repeat, test] = RIDGE.fit(expert[train], COHORT.labels[train]).decision_function(other[test])
    np.testing.assert_allclose(deployed.score_array, scores)


def test_cases_without_an_automatic_mask_are_left_out_of_both():
    masks = list(RIGHT)
    masks[3] = np.zeros_like(masks[3])
    survival = rd.features_under_masks(Numbers(), COHORT, masks, COHORT.labels, RIDGE, cv=4, n_repeats=2)
    assert list(survival.errors) == ["c03"]
    assert survival.errors["c03"].startswith("EmptyMaskError: c03: the mask outlines no voxel")
    assert survival.table["n"].max() == 35
    assert all(len(result.predictions) == 35 for result in survival.results.values())
    assert "Left out under both masks: 1 of 36 cases, e.g. EmptyMaskError: c03" in str(survival)
    with pytest.raises(InputError, match="c03: the mask outlines no voxel"):
        rd.features_under_masks(Numbers(), COHORT, masks, on_error="raise")
    nothing = [np.zeros_like(mask) for mask in masks]
    with pytest.raises(InputError, match="Agreement needs 3 cases. Got 0 of 36. EmptyMaskError: c00"):
        rd.features_under_masks(Numbers(), COHORT, nothing)


def test_wrong_arguments_are_refused():
    with pytest.raises(StudyError, match="must be an estimator"):
        rd.features_under_masks(Numbers(), COHORT, RIGHT, COHORT.labels, model=LogisticRegression)
    with pytest.raises(InputError, match="'confidence_level' parameter of features_under_masks"):
        rd.features_under_masks(Numbers(), COHORT, RIGHT, confidence_level=95)


@pytest.mark.slow
def test_features_of_tumours_under_the_masks_of_a_threshold(reference_data):
    cohort = rd.read_cohort(reference_data / "sts_pet" / "manifest.csv")[:24]
    evidence = rd.cross_validated_dice(rd.ThresholdSegmenter(), cohort)
    extractor = rd.RadiomicsExtractor(bin_count=32, families=["shape", "firstorder"], resample_mm=(4, 4, 4))
    survival = rd.features_under_masks(extractor, cohort, evidence.masks["ThresholdSegmenter"], cohort.labels)
    assert evidence.table.loc[("ThresholdSegmenter", "dice"), "value"] == pytest.approx(0.47, abs=0.1)
    assert survival.families.loc["shape", "good"] < 0.5  # a threshold is no expert
    assert len(survival.results) == 3
