"""Masks of cases that a segmenter has not seen, and the evidence of them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, RepeatedKFold

import radiodeep as rd
from radiodeep.exceptions import GeometryMismatchError, InputError, LeakageError, StudyError
from radiodeep.handcrafted.mask_agreement import compare_masks
from radiodeep.rows import ORIGIN_FACT, origin_of_cases


def test_every_case_has_the_mask_of_a_model_of_other_patients(balls, above):
    evidence = rd.cross_validated_dice({"learned": above(learns=True), "low": above(0.5)}, balls, cv=3)
    assert list(evidence.masks["learned"]) == balls.ids  # the segmenter asserts that no patient is on both sides
    for name, level in (("learned", None), ("low", 0.5)):
        for case in balls:
            mask = evidence.masks[name][case.id]
            expected = case.roi if level is None else case.voxels > level
            np.testing.assert_array_equal(mask, expected)
            row = evidence.cases.loc[name, case.id]
            measures = compare_masks(case.roi, expected, case.spacing_mm)
            assert row[list(measures)].astype(float).to_dict() == measures
            assert (row["size_mm"], row["unit"], row["patient"]) == (case.roi_size_mm, "mm³", case.patient)
    folds = evidence.cases.loc["low"].groupby("patient")["fold"].nunique()
    assert (folds == 1).all()
    assert evidence.cv == "3-fold"


def test_test_cases_come_without_their_masks(balls, above):
    class Peeks(above):
        def predict(self, cases):
            return [case.lesion().roi for case in cases]

    evidence = rd.cross_validated_dice(Peeks(), balls, cv=2)
    assert all(mask.all() for mask in evidence.masks["Peeks"].values())
    shares = 2 / (1 + 1 / evidence.cases["share_of_image"])
    np.testing.assert_allclose(evidence.cases["dice"], shares)
    assert f"The whole image as mask has a mean Dice of {shares.mean():.2f}" in str(evidence)


def test_the_same_seed_gives_the_same_evidence_also_when_it_is_pickled(balls, above):
    segmenters = {"learned": above(learns=True), "high": above(10.5)}
    one = rd.cross_validated_dice(segmenters, balls, cv="leave-one-out", n_resamples=50)
    two = pickle.loads(pickle.dumps(rd.cross_validated_dice(segmenters, balls, cv="leave-one-out", n_resamples=50)))
    pd.testing.assert_frame_equal(one.table, two.table)
    np.testing.assert_array_equal(one.masks["high"]["c03"], two.masks["high"]["c03"])
    assert str(one) == str(two)
    assert one.cv == "leave-one-group-out"


@pytest.mark.slow
def test_worker_processes_give_the_same_evidence():
    cohort = rd.make_study_cohort("sarcoma", 6).of_image("PET")
    segmenters = {"41%": rd.ThresholdSegmenter(), "50%": rd.ThresholdSegmenter(0.5)}
    one, two = (rd.cross_validated_dice(segmenters, cohort, cv=3, n_jobs=n_jobs) for n_jobs in (None, 2))
    pd.testing.assert_frame_equal(one.cases, two.cases)


def test_intervals_are_those_of_resampled_patients(balls, above):
    evidence = rd.cross_validated_dice({"high": above(10.4)}, balls, cv=2, n_resamples=4000)
    rows = evidence.cases.loc["high"]
    of_patient = [np.flatnonzero(rows["patient"] == patient) for patient in rows["patient"].unique()]
    rng = np.random.default_rng(7)
    drawn = [np.concatenate([of_patient[i] for i in rng.integers(0, 6, 6)]) for _ in range(1500)]
    for measure, statistic in (("dice", np.mean), ("hd95_mm", np.median)):
        values = rows[measure].to_numpy()
        slow = np.quantile([statistic(values[sample]) for sample in drawn], [0.025, 0.975])
        found = evidence.table.loc[("high", measure)]
        assert found["statistic"] == statistic.__name__
        assert found["value"] == pytest.approx(statistic(values))
        np.testing.assert_allclose(found[["low", "high"]].astype(float), slow, atol=0.1 * np.ptp(slow) + 0.01)


def test_the_baseline_of_a_fold_is_the_best_one_of_the_other_folds(balls, above):
    # "low" is a little better in dim images and much worse in the bright ones of the last fold, so that "high" is the
    # better one of all cases, but not of those outside the last fold
    cohort = rd.Cohort([c.replace(image=c.voxels * (10 if number > 7 else 1)) for number, c in enumerate(balls)])
    segmenters = {"low": above(5.0), "high": above(10.3), "learned": above(learns=True)}
    evidence = rd.cross_validated_dice(segmenters, cohort, cv=KFold(3), groups=cohort.patients, n_resamples=100)
    assert evidence.best_baseline.to_dict() == {0: "high", 1: "high", 2: "low"}
    dice = evidence.cases["dice"]
    assert dice["high"].mean() > dice["low"].mean()
    baseline = pd.concat([dice["high"][:8], dice["low"][8:]])
    row = evidence.differences.loc[("learned", "dice")]
    assert row["baseline"] == pytest.approx(baseline.mean())
    assert row["difference"] == pytest.approx(dice["learned"].mean() - baseline.mean())
    assert row["low"] < row["difference"] < row["high"]
    assert list(evidence.differences.index.unique("segmenter")) == ["learned"]
    assert "chosen by the cases of the other folds: high (2), low (1)" in str(evidence)


def test_baselines_can_be_named(balls, above):
    segmenters = {"learned": above(learns=True), "high": above(10.5)}
    evidence = rd.cross_validated_dice(segmenters, balls, cv=2, baselines=["learned"])
    assert evidence.differences.loc[("high", "dice"), "high"] < 0
    assert "high is worse than the best baseline" in str(evidence)
    assert rd.cross_validated_dice(above(learns=True), balls, cv=2).differences.empty
    with pytest.raises(StudyError, match="baselines must be among the segmenters learned, high. Got 'low'"):
        rd.cross_validated_dice(segmenters, balls, baselines=["low"])


def test_failures_are_recorded_and_count_as_empty_masks(balls, above, tmp_path):
    class Fails(above):
        def predict(self, cases):
            if any(case.id == "c03" for case in cases):
                raise ValueError("no bright voxel")
            return super().predict(cases)

    broken = rd.Case(tmp_path / "no.nii", tmp_path / "no_mask.nii", "broken")
    with pytest.raises(ValueError, match="no bright voxel"):
        rd.cross_validated_dice(Fails(), balls, cv=2)
    evidence = rd.cross_validated_dice(Fails(), [*balls, broken], cv=2, on_error="record")
    assert list(evidence.excluded) == ["broken"]
    assert not evidence.masks["Fails"]["c03"].any()
    row = evidence.cases.loc["Fails", "c03"]
    assert (row["dice"], row["hd95_mm"], row["error"]) == (0, np.inf, "ValueError: c03: no bright voxel")
    assert evidence.cases["error"].notna().sum() == 1
    assert evidence.cases.loc["Fails", "c02"]["dice"] == 1
    assert "1 masks failed and count as empty, e.g. Fails, c03" in str(evidence)
    assert "Left out: broken." in str(evidence)
    with pytest.raises(StudyError, match=r"None of the 1 cases can be read. FileUnreadableError: broken"):
        rd.cross_validated_dice(Fails(), [broken], on_error="record")


def test_of_several_images_the_masks_are_those_of_the_segmenters_own(balls, above):
    class OfImages(above):
        def __init__(self, level=8.0, learns=False, image=None):
            super().__init__(level, learns)
            self.image = image

        def fit(self, cases, y=None):
            return self

        def predict(self, cases):
            return [case.of_image("PET").voxels > self.level for case in cases]

    images = [
        case.replace(
            image={"MR": np.zeros((3, 4, 4)), "PET": case.voxels},
            mask={"MR": np.ones((3, 4, 4)), "PET": case.roi},
            spacing_mm=dict.fromkeys(("MR", "PET"), case.spacing_mm),
        )
        for case in balls
    ]
    one = rd.cross_validated_dice(above(8.0), balls, cv=2)
    for image in ("PET", ["PET", "MR"]):
        several = rd.cross_validated_dice(OfImages(image=image), images, cv=2, on_error="record")
        assert several.cases["dice"].tolist() == one.cases["dice"].tolist()
        assert several.excluded == {}


def test_leakage_is_refused(balls, above):
    with pytest.raises(LeakageError, match="Patient 'p[0-9]' has cases on both sides of fold 0"):
        rd.cross_validated_dice(above(), balls, cv=KFold(4, shuffle=True, random_state=0), groups=balls.ids)
    with pytest.raises(LeakageError, match="Case 'c00' comes twice"):
        rd.cross_validated_dice(above(), [*balls, balls[0].replace(patient="other")])
    origin = {ORIGIN_FACT: origin_of_cases(balls)}
    generated = balls[0].replace(id="generated", patient="generated", clinical=origin)
    with pytest.raises(LeakageError, match="Generated cases and the patients that they were learned from"):
        rd.cross_validated_dice(above(), [*balls, generated])


def test_splits_and_settings_that_make_no_sense_are_refused(balls, above):
    with pytest.raises(StudyError, match="Each case must be tested once"):
        rd.cross_validated_dice(above(), balls, cv=RepeatedKFold(n_splits=2, n_repeats=2), groups=balls.patients)
    with pytest.raises(StudyError, match="Leave-pair-out compares outcomes"):
        rd.cross_validated_dice(above(), balls, cv="leave-pair-out")
    with pytest.raises(
        StudyError, match=r"The model 'Above' must be an estimator .* Got the class Above; pass Above\(\)"
    ):
        rd.cross_validated_dice({"Above": above}, balls)
    for settings in ({"tolerance_mm": -1}, {"random_state": -1}, {"n_resamples": 0}, {"confidence_level": 1}):
        name = next(iter(settings))
        with pytest.raises(InputError, match=f"'{name}' parameter of cross_validated_dice must be"):
            rd.cross_validated_dice(above(), balls, **settings)


def test_masks_that_are_not_those_of_the_images_are_refused(balls, above):
    def returning(masks_of):
        class Wrong(above):
            def predict(self, cases):
                return masks_of(super().predict(cases))

        return Wrong()

    with pytest.raises(StudyError, match="Wrong returned 5 masks of 6 cases"):
        rd.cross_validated_dice(returning(lambda masks: masks[1:]), balls, cv=2)
    with pytest.raises(InputError, match="c[0-9]+: a segmenter must return arrays of bools. Got ndarray"):
        rd.cross_validated_dice(returning(lambda masks: [mask * 1 for mask in masks]), balls, cv=2)
    with pytest.raises(
        GeometryMismatchError, match=r"c[0-9]+: the mask is on another grid than the image: \(6, 16, 16\)"
    ):
        rd.cross_validated_dice(returning(lambda masks: [mask[1:] for mask in masks]), balls, cv=2)


def test_a_centre_can_be_left_out(balls, above):
    centres = np.repeat(["A", "B", "C"], 4)
    evidence = rd.cross_validated_dice(above(), balls, cv="leave-one-centre-out", centres=centres)
    assert evidence.cases["fold"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
