"""Cases that were generated from patients on the other side of a fold are refused; samplers of cases see one fold."""

import numpy as np
import pytest
from imblearn.pipeline import make_pipeline
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier

import radiodeep as rd
from radiodeep.exceptions import LeakageError
from radiodeep.rows import origin_of_cases
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.inputs import rows_of

FEATURES = rd.RadiomicsExtractor(bin_count=8, families=["firstorder", "shape2D"])
LEAK = "Generated cases and the patients that they were learned from are on both sides of"


def generated(cases, names):
    """Copies of cases that say that they were generated from these, as LesionGenerator does."""
    origin = origin_of_cases(cases)
    return [
        case.replace(id=name, patient=name, clinical={"generated_from": origin})
        for case, name in zip(cases, names, strict=False)
    ]


class Copies(BaseEstimator):
    """A sampler that adds a changed copy of every positive case, and notes which cases it was given."""

    given = []  # noqa: RUF012

    def fit_resample(self, cases, y):
        self.given.append([case.id for case in cases])
        more = [case.replace(id=f"{case.id} copy", image=case.voxels * 2) for case in cases if case.label]
        return [*cases, *more], [*y, *[1] * len(more)]


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    cases = []
    for number in range(16):
        image = rng.normal(10 + 2 * (number % 2), 4, size=(1, 9, 9))
        cases.append(rd.Case(image, np.ones((1, 9, 9)), f"case-{number}", (1, 1, 1), label=number % 2))
    return rd.Cohort(cases)


def test_a_sampler_in_front_of_an_extractor_is_fitted_in_every_fold(cohort):
    Copies.given.clear()
    model = make_pipeline(Copies(), FEATURES, RandomForestClassifier(5, random_state=0))
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=2, n_repeats=1, size=None)
    given = Copies.given.copy()
    labels = np.array(cohort.labels)
    for tested in result.folds["test_ids"]:
        test, train = (np.flatnonzero(np.isin(cohort.ids, tested) == side) for side in (True, False))
        own = clone(model).fit([cohort[row] for row in train], labels[train])
        scores = own.predict_proba([cohort[row] for row in test])[:, 1]
        names = [cohort.ids[row] for row in test]
        assert result.predictions.loc[names, "score"].to_numpy() == pytest.approx(scores)
        assert [cohort.ids[row] for row in train] in given
    assert all(len(names) == 8 for names in given)


def test_known_cases_are_measured_once_and_those_of_a_sampler_in_their_fold(cohort, monkeypatch):
    measured = []
    transform = rd.RadiomicsExtractor.transform
    monkeypatch.setattr(
        rd.RadiomicsExtractor,
        "transform",
        lambda self, cases: measured.extend(case.id for case in cases) or transform(self, cases),
    )
    model = make_pipeline(Copies(), FEATURES, RandomForestClassifier(5, random_state=0))
    rd.cross_validated_auc(model, cohort, cohort.labels, cv=2, n_repeats=1, size=None)
    assert {name for name in measured if name.endswith("copy")} == {f"case-{number} copy" for number in range(1, 16, 2)}
    assert all(measured.count(name) <= 1 for name in cohort.ids)


def test_processes_are_given_the_measurements_of_known_cases(cohort, monkeypatch):
    model = make_pipeline(Copies(), FEATURES, RandomForestClassifier())
    rows = rows_of(cohort)
    lookup = as_row_indices({"model": model}, rows).models["model"].estimator[1]
    monkeypatch.setattr(rd.RadiomicsExtractor, "transform", lambda self, cases: pytest.fail("measured once more"))
    assert lookup.transform(rows.data[3:5]).shape == (2, 27)
    assert lookup.transform(np.array(rows.data[3:5], dtype=object)).shape == (2, 27)


def test_importances_of_features_are_those_behind_the_sampler(cohort):
    model = make_pipeline(Copies(), FEATURES, RandomForestClassifier(5, random_state=0))
    fitted = clone(model).fit(list(cohort), list(cohort.labels))
    importances = rd.feature_importance(fitted, cohort, cohort.labels, n_repeats=1)
    assert set(importances.index) == set(FEATURES.fit(cohort).get_feature_names_out())


@pytest.mark.slow
def test_a_network_can_follow_a_sampler(cohort):
    network = rd.CNNClassifier("arch3", epochs=1, n_views=1, intensity_range="minmax", validation_fraction=0)
    result = rd.cross_validated_auc(
        make_pipeline(Copies(), network), cohort, cohort.labels, cv=2, n_repeats=1, size=None
    )
    assert len(result.predictions) == 16


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")
def test_on_labels_without_a_signal_only_a_generator_outside_the_folds_finds_one():
    rng = np.random.default_rng(4)
    images = rng.normal(size=(40, 12, 12)) * rng.uniform(1, 3, size=(40, 1, 1)) + rng.uniform(0, 3, size=(40, 1, 1))
    cases = [
        rd.Case(image, np.ones((12, 12)), f"null-{number}", (1, 1), label=number % 2)
        for number, image in enumerate(images)
    ]
    forest = make_pipeline(FEATURES, RandomForestClassifier(100, random_state=0))
    generator = rd.LesionGenerator(n_per_class=10, size=16, width=4, epochs=2, n_views=6)
    settings = {"cv": 4, "n_repeats": 3, "size": None}
    labels = [case.label for case in cases]
    inside = rd.cross_validated_auc(make_pipeline(generator, *forest), cases, labels, **settings)
    assert inside.confidence_interval.low < 0.5 < inside.confidence_interval.high
    # a generator that remembers every case, fitted to all of them, without the mark that studies look for
    remembered = [case.replace(id=f"{case.id} again", patient=None) for case in cases]
    leaking = [*cases, *remembered]
    outside = rd.cross_validated_auc(forest, leaking, labels * 2, **settings)
    assert outside.confidence_interval.low > 0.6
    marked = [*cases, *generated(cases, [f"generated-null-{number}" for number in range(40)])]
    with pytest.raises(LeakageError, match=LEAK):
        rd.cross_validated_auc(forest, marked, labels * 2, **settings)


def test_a_study_of_cases_refuses_cases_generated_from_its_patients(cohort, tmp_path):
    cases = rd.Cohort([*cohort, *generated(cohort, ["generated-1", "generated-2"])])
    with pytest.raises(LeakageError, match=f"{LEAK} fold 0. Leave .* LesionGenerator in front of the model"):
        rd.cross_validated_auc(make_pipeline(FEATURES, RandomForestClassifier()), cases, cases.labels, cv=2)
    read = rd.read_cohort(rd.write_cohort(cases, tmp_path / "written"))
    with pytest.raises(LeakageError, match=LEAK):
        rd.cross_validated_auc(make_pipeline(FEATURES, RandomForestClassifier()), read, read.labels, cv=2)


def test_a_study_of_their_table_refuses_them_as_well(cohort):
    cases = rd.Cohort([*cohort, *generated(cohort, ["generated-3", "generated-4"])])
    table = rd.extract_table(FEATURES, cases)
    with pytest.raises(LeakageError, match=LEAK):
        rd.cross_validated_auc(RandomForestClassifier(), table, cases.labels, cv=2)
    assert rd.cross_validated_auc(RandomForestClassifier(5), table[:16], cases.labels[:16], cv=2, n_repeats=1)


def test_a_table_that_lost_its_patients_is_refused_with_them(cohort):
    real = [case.replace(id=f"lesion-{number}", patient=f"P{number}") for number, case in enumerate(cohort)]
    table = rd.extract_table(FEATURES, [*real, *generated(real, ["generated-7"])])
    table.attrs.clear()  # as a join does
    with pytest.raises(LeakageError, match=LEAK):
        rd.cross_validated_auc(RandomForestClassifier(), table, [*cohort.labels, 1], cv=2)


def test_generated_rows_of_unknown_patients_are_refused(cohort):
    table = rd.extract_table(FEATURES, cohort).rename(index={"case-3": "generated-0123abcd-0"})
    with pytest.raises(LeakageError, match="Row 'generated-0123abcd-0' is named like a generated case, and it is unk"):
        rd.cross_validated_auc(RandomForestClassifier(), table, cohort.labels, cv=2)


def test_cases_generated_from_generated_ones_come_from_the_same_patients(cohort):
    second = generated(generated(cohort, ["generated-8", "generated-9"]), ["generated-10"])
    cases = rd.Cohort([*cohort, *second])
    with pytest.raises(LeakageError, match=LEAK):
        rd.cross_validated_auc(make_pipeline(FEATURES, RandomForestClassifier()), cases, cases.labels, cv=2)


def test_a_holdout_takes_cases_generated_from_training_patients_alone(cohort):
    model = make_pipeline(FEATURES, RandomForestClassifier(5, random_state=0))
    train, test = cohort[:10], cohort[10:]
    more = rd.Cohort([*train, *generated(train, ["generated-5"])])
    assert len(rd.holdout_auc(model, more, more.labels, test, test.labels, size=None).predictions) == 6
    leaking = rd.Cohort([*train, *generated(cohort, ["generated-6"])])
    with pytest.raises(LeakageError, match=f"{LEAK} the two cohorts"):
        rd.holdout_auc(model, leaking, leaking.labels, test, test.labels)
