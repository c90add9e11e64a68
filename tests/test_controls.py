"""Negative controls of studies: texture, size and surroundings are found where cohorts are known to have them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning, StudyError

TEXTURE = make_pipeline(
    rd.RadiomicsExtractor(bin_count=16, families=["shape", "glcm"]), StandardScaler(), LogisticRegression()
)
FALLS = "the model learns from the texture of the region what its size, shape and histogram do not tell"


class VoxelMean(TransformerMixin, BaseEstimator):
    """The mean of the voxels that are in order, or of those that are not; of others a number without meaning."""

    def __init__(self, of_ordered=True):
        self.of_ordered = of_ordered

    def fit(self, cases, y=None):
        self.fitted_ = True
        return self

    def transform(self, cases):
        return np.array([[self._number(case.lesion())] for case in cases], dtype=float)

    def _number(self, lesion):
        values = lesion.voxels[lesion.roi]
        is_ordered = bool((np.diff(values) > 0).all())
        return values.mean() if is_ordered == self.of_ordered else 7 * int(lesion.id[1:]) % 11


class FirstVoxel(VoxelMean):
    def _number(self, lesion):
        return lesion.voxels[lesion.roi][0]


def ordered_cohort(n_cases=30):
    """Return cases of two sizes whose voxels ascend; their mean is higher for label 1."""
    cases = []
    for number in range(n_cases):
        mask = np.zeros((3, 4, 4), bool)
        mask[1, : 3 + number % 4 // 2] = True
        voxels = np.arange(48.0).reshape(3, 4, 4) + 10 * (number % 2) + 0.1 * number
        cases.append(rd.Case(voxels, mask, f"c{number:02d}", spacing_mm=(1, 1, 1), label=number % 2))
    return rd.Cohort(cases)


COHORT = ordered_cohort()
MEAN = make_pipeline(VoxelMean(), GaussianNB())


def controlled(model, cohort=COHORT, y=None, **settings):
    y = cohort.labels if y is None else y
    settings = {"controls": ["shuffled_roi"], "n_repeats": 2, "size": None, **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RadiodeepWarning)  # of size and of copies of the label
        return rd.negative_controls({"model": model}, cohort, y, **settings)


def conclusion(found, number=0):
    return found.verdicts["model"][number].partition("): ")[2].rstrip(".")


def test_a_model_of_texture_falls_without_it_and_the_table_is_that_of_the_paired_test():
    found = controlled(MEAN, controls=["shuffled_roi", "shuffled_non_roi"])
    studies = found.results["model"]
    assert list(studies) == ["original", "shuffled_roi", "shuffled_non_roi"]
    assert found.table.loc["model"].index.tolist() == list(studies)
    test = rd.compare_auc(studies["original"], studies["shuffled_roi"])
    row = found.table.loc[("model", "shuffled_roi")]
    assert row["p_value"] == test.p_value < 0.01
    assert row["difference"] == test.difference > 0.4
    assert (row["difference_low"], row["difference_high"]) == (
        test.confidence_interval.low,
        test.confidence_interval.high,
    )
    assert row["value"] == studies["shuffled_roi"].value
    assert conclusion(found) == FALLS
    assert conclusion(found, 1) == "the scores are the same, so the model uses nothing of what surrounds the region"
    assert found.verdicts["model"][0] in str(found)
    assert found.verdicts["model"][0] in found._repr_html_()


def test_the_originals_are_studied_as_without_controls():
    found = controlled(MEAN).results["model"]["original"]
    alone = rd.cross_validate_models({"model": MEAN}, COHORT, COHORT.labels, 5, n_repeats=2, size=None)["model"]
    pd.testing.assert_frame_equal(found.predictions, alone.predictions)


def test_controls_of_equal_scores_can_be_left_out_by_centre():
    centres = np.arange(len(COHORT)) // 2 % 3
    model = make_pipeline(VoxelMean(), DummyClassifier())
    row = controlled(model, cv="leave-one-centre-out", centres=centres).table.loc[("model", "shuffled_roi")]
    assert row[["difference", "difference_low", "difference_high", "p_value"]].tolist() == [0, 0, 0, 1]


def test_controls_are_those_of_the_seed():
    model = make_pipeline(FirstVoxel(), GaussianNB())
    scores = [
        controlled(model, random_state=seed, cv=KFold(3)).results["model"]["shuffled_roi"].predictions["score"]
        for seed in (0, 0, 1)
    ]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


def test_a_model_that_is_better_without_texture_says_so():
    model = make_pipeline(VoxelMean(of_ordered=False), GaussianNB())
    assert conclusion(controlled(model)) == "the model does better without the texture of the region"


class FeatureAsScore(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return -X[:, 0]

    def predict(self, X):
        return self.classes_[(X[:, 0] < 0).astype(int)]


def test_a_model_without_evidence_does_not_learn_from_texture_because_the_control_is_below_chance():
    model = make_pipeline(VoxelMean(of_ordered=False), FeatureAsScore())
    found = controlled(model)
    row = found.table.loc[("model", "shuffled_roi")]
    assert row["difference"] > 0.3
    assert row["p_value"] < 0.05
    assert conclusion(found) == "no conclusion, since the interval of the original images is not all above 0.5, chance"


def test_a_model_that_predicts_nothing_has_nothing_to_explain():
    y = np.random.default_rng(1).permutation(COHORT.labels)
    model = make_pipeline(VoxelMean(of_ordered=False), GaussianNB())
    found = conclusion(controlled(model, y=y))
    assert found == "no conclusion, since the interval of the original images is not all above 0.5, chance"


def test_a_constant_model_has_the_same_scores():
    model = make_pipeline(VoxelMean(), DummyClassifier())
    assert "the scores are the same" in conclusion(controlled(model))


def test_size_alone_is_a_row_with_a_verdict_of_its_own():
    found = controlled(MEAN, size="auto")
    assert found.table.loc["model"].index.tolist() == ["original", "shuffled_roi", "size alone"]
    against = found.results["model"]["original"].against_size
    assert found.table.loc[("model", "size alone"), "difference"] == against.difference
    assert found.verdicts["model"][1].startswith("With the size alone the AUC is 0.5")
    assert conclusion(found, 1) == "the model knows more than the size"


def test_a_difference_without_variance_is_not_tested():
    found = controlled(MEAN, size=np.ones(30))
    assert np.isnan(found.table.loc[("model", "size alone"), "p_value"])
    assert conclusion(found, 1) == "the difference has no variance, so that it cannot be tested"


def test_random_voxels_destroy_the_histogram_too():
    assert conclusion(controlled(MEAN, controls="randomized_roi")) == (
        "the model learns from the texture and histogram of the region what its size, shape and range of intensities "
        "do not tell"
    )


def test_centres_are_tested_by_models_of_the_others():
    centres = np.repeat(["A", "B", "C"], 10)
    found = controlled(MEAN, cv="leave-one-centre-out", centres=centres)
    test = rd.compare_auc(*found.results["model"].values())
    assert found.table.loc[("model", "shuffled_roi"), "p_value"] == test.p_value
    assert found.results["model"]["original"].centres.index.tolist() == ["A", "B", "C"]


def test_leave_one_out_is_tested_by_its_companion():
    found = controlled(MEAN, cv="leave-one-out", n_repeats=1)
    assert found.table["cv"].tolist() == ["2-fold, 10 repeats"] * 2
    assert found.results["model"]["shuffled_roi"].cv == "leave-one-out"
    assert conclusion(found) == FALLS


def outcomes_of(kind):
    """Return a model and outcomes that follow the mean of the voxels."""
    means = VoxelMean().transform(COHORT).ravel()
    if kind == "numbers":
        return Ridge(), means
    if kind == "survival":
        return rd.CoxRegression(), rd.survival_outcomes(event=np.arange(30) % 5 > 0, time=1e4 / means)
    return LogisticRegression(), np.digitize(means, np.quantile(means, [1 / 3, 2 / 3]))


@pytest.mark.parametrize(("kind", "measure"), [("numbers", "Spearman"), ("survival", "C"), ("several classes", "M")])
def test_every_kind_of_outcome_has_controls_in_its_own_words(kind, measure):
    model, y = outcomes_of(kind)
    found = controlled(make_pipeline(VoxelMean(), StandardScaler(), model), y=y)
    assert set(found.table["measure"]) == {measure}
    assert f"With the voxels of the region shuffled the {measure} is" in found.verdicts["model"][0]
    assert conclusion(found) == FALLS


def test_a_case_that_fails_is_left_out_of_all_studies():
    broken = rd.Case("missing.nii", "missing.nii", "c90", label=1)
    found = controlled(MEAN, rd.Cohort([*COHORT, broken]), on_error="exclude")
    for study in found.results["model"].values():
        assert list(study.excluded) == ["c90"]
        assert len(study.predictions) == len(COHORT)


def test_patients_are_controlled_by_their_lesions():
    class OfPatient(VoxelMean):
        def transform(self, patients):
            return np.array([super(OfPatient, self).transform(patient.lesions).mean(axis=0) for patient in patients])

    lesions = [case.replace(patient=f"P{number // 2}", label=number // 2 % 2) for number, case in enumerate(COHORT)]
    patients = rd.Cohort(lesions).by_patient()
    y = np.array([sum(case.voxels.sum() for case in patient.lesions) for patient in patients]) % 7
    found = controlled(make_pipeline(OfPatient(), Ridge()), patients, y, outcome="numbers", cv=3)
    scores = [study.predictions["score"] for study in found.results["model"].values()]
    assert (scores[0] != scores[1]).all()


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        (["shuffled"], "'control' parameter of a negative control must be one of shuffled_roi, .* Did you mean"),
        ([], "'controls' parameter of negative_controls must be names of different controls, at least one. Got "),
        (["shuffled_roi"] * 2, "names of different controls"),
    ],
)
def test_unknown_missing_and_repeated_controls_are_refused(controls, message):
    with pytest.raises(InputError, match=message):
        controlled(MEAN, controls=controls)


def test_one_control_needs_no_list():
    assert list(controlled(MEAN, controls="shuffled_full").results["model"]) == ["original", "shuffled_full"]


def test_tables_and_other_seeds_are_refused():
    table = pd.DataFrame(np.eye(4))
    with pytest.raises(StudyError, match="change images, so they need a Cohort or a list of cases. Got DataFrame"):
        rd.negative_controls(GaussianNB(), table, [0, 1, 0, 1])
    with pytest.raises(StudyError, match="Got DataFrame"):
        rd.negative_controls(GaussianNB(), table[[0]], [0, 1, 0, 1])
    with pytest.raises(InputError, match="'random_state' parameter of negative_controls must be an int >= 0"):
        controlled(MEAN, random_state=None)
    with pytest.raises(StudyError, match="must be an estimator"):
        controlled(GaussianNB)


def cohort_by(name, n_cases):
    """Return phantoms, and whether a property of theirs is above its median."""
    cohort = rd.make_phantom_cohort(n_cases, random_state=0)
    values = cohort.frame[name]
    return cohort, (values > values.median()).astype(int).to_numpy()


def test_of_a_cohort_of_two_sizes_shuffling_leaves_all(tmp_path):
    cohort, y = cohort_by("radius_mm", 40)
    found = controlled(TEXTURE, cohort, y, cache_dir=tmp_path, size="auto")
    table = found.table["value"].loc["model"]
    assert table.min() > 0.85
    assert abs(table["original"] - table["shuffled_roi"]) < 0.1
    for number in (0, 1):
        assert conclusion(found, number).startswith("no evidence that the model")
    again = controlled(TEXTURE, cohort, y, cache_dir=tmp_path, size="auto")
    pd.testing.assert_frame_equal(again.table, found.table)


@pytest.mark.slow
def test_of_a_cohort_of_two_textures_shuffling_leaves_what_shape_predicts():
    cohort, y = cohort_by("correlation_mm", 60)
    names = ["shuffled_roi", "randomized_roi", "shuffled_non_roi"]
    found = controlled(TEXTURE, cohort, y, controls=names, n_repeats=3)
    table = found.table["value"].loc["model"]
    assert table["original"] > 0.95
    assert table["shuffled_non_roi"] == table["original"]
    shape = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), StandardScaler(), LogisticRegression())
    of_shape = controlled(shape, cohort, y, n_repeats=3).table["value"].loc["model"]["original"]
    for name in names[:2]:
        assert abs(table[name] - of_shape) < 0.15
        assert found.table["p_value"].loc[("model", name)] < 0.01
    assert conclusion(found) == FALLS


@pytest.mark.slow
def test_workers_and_the_cache_change_no_number(tmp_path):
    cohort, y = cohort_by("correlation_mm", 24)
    tables = [
        controlled(TEXTURE, cohort, y, n_jobs=n_jobs, cache_dir=cache).table
        for n_jobs, cache in ((1, None), (2, None), (2, tmp_path), (1, tmp_path))
    ]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])
