"""What the pipelines study: raw cases and unfitted models, so that all is learned in the folds, and which selectors."""

import importlib.util
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

import radiodeep as rd

BY_FOLDS = {
    "adenocarcinoma_survival": ["--n-cases", "6"],
    "glioma_survival": ["--n-cases", "4"],
    "skin_lesion_taxonomy": ["--n-cases", "9"],
    "multi_image_survival": ["--n-cases", "4"],
}
BY_COHORTS = {"nodule_malignancy_transfer": ["--n-cases", "4"], "nodule_malignancy_cnn_ensemble": ["--n-cases", "4"]}


@pytest.fixture
def designs(repository, monkeypatch, tmp_path):
    """Return a function of a pipeline and its arguments: the studies that it asks for, none of which is made."""

    def of(name, *arguments):
        studies = []

        def cross_validate_models(models, X, y, **settings):
            studies.append({"models": models, "X": X, "y": y, "settings": settings})
            return dict.fromkeys(models, MagicMock())

        def holdout_auc(model, X_train, y_train, X_test, y_test, **settings):
            train, test = {"X": X_train, "y": y_train}, {"X": X_test, "y": y_test}
            studies.append({"models": {"": model}, "train": train, "test": test, "settings": settings})
            return MagicMock(accuracy=0.9)

        for stand_in in (cross_validate_models, holdout_auc):
            monkeypatch.setattr(rd, stand_in.__name__, stand_in)
        for shown in ("compare_all", "compare_auc", "compare_accuracy", "sensitivity_at_specificity", "write_report"):
            monkeypatch.setattr(rd, shown, MagicMock())
        specification = importlib.util.spec_from_file_location(name, repository / "pipelines" / f"{name}.py")
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        module.main([*map(str, arguments), "--output", str(tmp_path / "study")])
        return studies

    return of


def parts(estimator):
    """Return an estimator and all that it consists of."""
    found = [estimator]
    for value in estimator.get_params(deep=False).values():
        members = value if isinstance(value, list | tuple) else [value]
        for member in members:
            last = member[-1] if isinstance(member, tuple) else member
            found += parts(last) if isinstance(last, BaseEstimator) else []
    return found


def selectors(model):
    return sorted(
        (type(part).__name__, part.n_features_to_select)
        for part in parts(model)
        if hasattr(part, "n_features_to_select")
    )


def assert_nothing_is_learned_yet(model):
    for part in parts(model):
        assert not [name for name in vars(part) if name.endswith("_") and not name.startswith("_")], part


@pytest.mark.parametrize("name", BY_FOLDS)
def test_folds_get_raw_cases_with_their_own_outcomes_and_unfitted_models(designs, name):
    for study in designs(name, *BY_FOLDS[name]):
        of_cases = study["X"].labels if study["y"].dtype.names is None else study["X"].survival
        np.testing.assert_array_equal(study["y"], of_cases)
        for model in study["models"].values():
            assert_nothing_is_learned_yet(model)


@pytest.mark.parametrize("name", BY_COHORTS)
def test_the_first_cohort_trains_and_the_second_tests(designs, name):
    studies = designs(name, *BY_COHORTS[name])
    assert len(studies) >= 3
    for study in studies:
        for part, prefix in (("train", "nodules-1"), ("test", "nodules-2")):
            assert all(case.id.startswith(prefix) for case in study[part]["X"])
            np.testing.assert_array_equal(study[part]["y"], study[part]["X"].labels)
        assert_nothing_is_learned_yet(study["models"][""])


def test_adenocarcinoma_survival_selects_as_the_study(designs):
    classes, times = designs("adenocarcinoma_survival", "--n-cases", "6")
    assert "cv" not in classes["settings"]  # leave-one-out
    assert {name: selectors(model) for name, model in classes["models"].items()} == {
        "combined": [("ReliefF", 5), ("ReliefF", 5)],
        "deep": [("ReliefF", 10)],
        "handcrafted": [("ReliefF", 10)],
        "deep, cropped, tree": [("SymmetricUncertainty", 10)],
    }
    steps = {name: type(model[-1]).__name__ for name, model in classes["models"].items()}
    assert steps == dict.fromkeys(("combined", "deep", "handcrafted"), "GaussianNB") | {
        "deep, cropped, tree": "DecisionTreeClassifier"
    }
    windows = {part.window for part in parts(classes["models"]["combined"]) if hasattr(part, "window")}
    assert windows == {"exact"}
    assert selectors(times["models"]["combined"]) == [("UnivariateCox", 5), ("UnivariateCox", 5)]
    assert times["settings"]["cv"] == 2


def test_nodule_malignancy_transfer_selects_15_of_both_kinds_for_a_forest(designs):
    combined, *alone = [study["models"][""] for study in designs("nodule_malignancy_transfer", "--n-cases", "4")]
    assert selectors(combined) == [("SymmetricUncertainty", 15)]
    kinds = {"DeepFeatureExtractor", "RadiomicsExtractor"}
    assert kinds <= {type(part).__name__ for part in parts(combined)}
    assert all(len(kinds & {type(part).__name__ for part in parts(model)}) == 1 for model in alone)
    assert type(combined[-1]).__name__ == "RandomForestClassifier"


def test_glioma_survival_fine_tunes_on_flair_by_the_plan_of_the_study(designs):
    study, tuning = designs("glioma_survival", "--n-cases", "4")
    assert "cv" not in study["settings"]
    for model in (*study["models"].values(), *tuning["models"].values()):
        assert set(selectors(model)) == {("SymmetricUncertainty", 7)}
        assert model[-1].n_estimators == 200
    (plan,) = (part for part in parts(tuning["models"]["fine-tuned"]) if isinstance(part, rd.FineTuning))
    assert (plan.n_iterations, plan.step, plan.decay) == (10, 4, 0.1)
    flair = study["X"].of_image("FLAIR")
    np.testing.assert_array_equal(tuning["X"][0].voxels, flair[0].voxels)


def test_an_ensemble_has_seven_seeds_of_three_architectures_with_different_views(designs):
    studies = designs("nodule_malignancy_cnn_ensemble", "--n-cases", "4", "--n-seeds", "7")
    members = studies[0]["models"][""].members
    assert [(member.architecture, member.n_seeds) for member in members] == [("arch1", 7), ("arch2", 7), ("arch3", 7)]
    assert len({(member.window, member.slice) for member in members}) == 3
    assert [study["models"][""].combine for study in studies[4:6]] == ["median", "vote"]


def test_digits_are_tested_that_no_network_was_trained_on(designs, capsys):
    studies = designs("handwritten_digits", "--n-digits", "100", "--n-networks", "8")
    for study in studies:
        assert not set(study["train"]["X"].index) & set(study["test"]["X"].index)
    assert capsys.readouterr().out.count(": error 10.00%") == len(studies) == 4
    widths = [member[0].kw_args["width"] for member in studies[0]["models"][""].members]
    seeds = [member[1].random_state for member in studies[0]["models"][""].members]
    assert len(set(widths[:7])) == 7
    assert seeds == [0] * 7 + [1]


def test_resampling_is_a_step_of_the_folds_which_keep_patients_together(designs, tmp_path):
    table = pd.DataFrame({"id": ["a", "b", "c", "d"], "patient": [7, 7, 8, 9], "label": [0, 1, 0, 1], "x": range(4)})
    table.to_csv(tmp_path / "table.csv", index=False)
    (study,) = designs("imbalanced_study", tmp_path / "table.csv")
    assert study["X"].columns.tolist() == ["x"]
    assert study["settings"]["groups"].to_dict() == {"a": 7, "b": 7, "c": 8, "d": 9}
    assert [type(part).__name__ for part in parts(study["models"]["SMOTE"])][2] == "SMOTE"
    for model in study["models"].values():
        assert_nothing_is_learned_yet(model)


def test_the_network_of_two_biomarkers_is_tested_on_other_patients_with_icc_of_their_values(designs, monkeypatch):
    cohort = rd.make_study_cohort("vessels", 12)
    pairs = rd.Cohort([case.replace(patient=str(n // 2)) for n, case in enumerate(cohort)], cohort.frame)
    trained = {}

    def fit(network, X, y):
        trained.update(patients=set(X.patients), y=y)
        return network

    def predict(network, X):
        assert not trained["patients"] & set(X.patients)
        return pairs.frame.set_index("id").loc[list(X.ids), ["calibre_mm", "tortuosity"]].to_numpy()

    shown = []
    monkeypatch.setattr(rd.CNNRegressor, "fit", fit)
    monkeypatch.setattr(rd.CNNRegressor, "predict", predict)
    monkeypatch.setattr(rd, "read_cohort", lambda path: pairs)
    monkeypatch.setattr(rd, "intraclass_correlation", lambda truth, predicted: shown.append((truth, predicted)))
    studies = designs("vessel_biomarker_regression", "manifest.csv")
    assert len(trained["y"]) == 8
    for truth, predicted in shown:
        np.testing.assert_array_equal(truth, predicted)
    for study, target in zip(studies, ("calibre_mm", "tortuosity"), strict=True):
        np.testing.assert_array_equal(study["y"], pairs.frame[target])
        assert study["X"] is pairs
        assert study["settings"]["size"] is None  # of the field of view, which is the same in all pictures


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["vessel_biomarker_regression", "m.csv", "--targets", "calibre_mm,width"],
            "the manifest has no column 'width'",
        ),
        (["skin_lesion_taxonomy", "m.csv", "--fine", "disease"], "the manifest has no column 'disease'"),
        (["imbalanced_study", "nothing.csv"], "nothing.csv: .*No such file"),
    ],
)
def test_a_missing_column_or_table_is_named(designs, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(rd, "read_cohort", lambda path: rd.make_study_cohort("vessels", 2))
    with pytest.raises(SystemExit):
        designs(*arguments)
    assert pd.Series([capsys.readouterr().err]).str.contains(message).all()
