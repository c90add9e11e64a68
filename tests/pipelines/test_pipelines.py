"""Each pipeline runs on the phantoms."""

import importlib.util

import pandas as pd
import pytest

import radiodeep as rd


def load(repository, name):
    specification = importlib.util.spec_from_file_location(name, repository / "pipelines" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_leave_one_out_study(repository, tmp_path, capsys):
    manifest = rd.write_cohort(rd.make_phantom_cohort(12, random_state=0), tmp_path / "cohort")
    arguments = [str(manifest), "--output", str(tmp_path / "study"), "--n-trees", "5", "--n-jobs", "1"]
    load(repository, "leave_one_out_study").main(arguments)
    printed = capsys.readouterr().out
    assert printed.count("AUC 0.") + printed.count("AUC 1.") >= 9
    assert "DeLong, paired" in printed
    assert len(list((tmp_path / "study").glob("predictions *.csv"))) == 9
    assert (tmp_path / "study" / "report.html").is_file()


def test_score_new_cases(repository, tmp_path, phantoms):
    new = rd.write_cohort(rd.make_phantom_cohort(4, random_state=7), tmp_path / "new")
    load(repository, "score_new_cases").main([str(phantoms), str(new), "--output", str(tmp_path / "scores")])
    scores = pd.read_csv(tmp_path / "scores" / "scores.csv")
    assert scores["probability_1"].between(0, 1).all()
    assert (tmp_path / "scores" / "model.skops").is_file()


@pytest.mark.slow
def test_imbalanced_study(repository, tmp_path, capsys):
    cohort = rd.make_phantom_cohort(60, random_state=0)
    positive = [place for place, label in enumerate(cohort.labels) if label == 1]
    few = cohort[[place for place in range(60) if place not in positive[10:]]]
    table = rd.extract_table(rd.RadiomicsExtractor(families=["glcm"], bin_count=16), few)
    table.assign(label=few.labels).to_csv(tmp_path / "features.csv")
    arguments = [str(tmp_path / "features.csv"), "--output", str(tmp_path / "study"), "--n-jobs", "1"]
    load(repository, "imbalanced_study").main(arguments)
    printed = capsys.readouterr().out
    assert printed.count("at specificity") == 4
    assert len(pd.read_csv(tmp_path / "study" / "comparison.csv")) == 3


@pytest.mark.slow
def test_cnn_ensemble_study(repository, tmp_path, capsys):
    manifest = rd.write_cohort(rd.make_phantom_cohort(12, random_state=0), tmp_path / "cohort")
    quick = ["--epochs", "1", "--views", "1", "--n-folds", "2", "--n-trees", "5", "--n-jobs", "1"]
    load(repository, "cnn_ensemble_study").main([str(manifest), "--output", str(tmp_path / "study"), *quick])
    printed = capsys.readouterr().out
    assert printed.count("DeLong, paired") == 2
    assert len(list((tmp_path / "study").glob("predictions *.csv"))) == 4
    assert (tmp_path / "study" / "report.html").is_file()


@pytest.mark.slow
def test_survival_study(repository, tmp_path, capsys):
    manifest = rd.write_cohort(rd.make_phantom_cohort(24, random_state=0, survival=True), tmp_path / "cohort")
    quick = ["--horizon", "20", "--n-repeats", "3", "--n-jobs", "1"]
    load(repository, "survival_study").main([str(manifest), "--output", str(tmp_path / "study"), *quick])
    printed = capsys.readouterr().out
    assert printed.count("C 0.") + printed.count("C 1.") >= 6
    assert "combined, cox" in printed
    measures = pd.read_csv(tmp_path / "study" / "measures deep, random-forest.csv", index_col="measure")
    assert "AUC at 20" in measures.index
    assert (tmp_path / "study" / "report.html").is_file()
