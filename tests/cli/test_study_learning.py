"""`radiodeep study --learning-curve`."""

import numpy as np
import pandas as pd
import pytest

QUICK = ["--jobs", 1, "--model", "naive-bayes", "--label", "outcome", "--id", "case", "--cv", 2]


@pytest.fixture
def wide(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=["age", "volume", "contrast"])
    frame["outcome"] = np.arange(40) % 2
    frame["age"] += frame["outcome"]
    return frame.rename_axis("case").rename(index=lambda number: f"c{number}")


@pytest.mark.slow
def test_a_learning_curve_is_written_and_reported(wide, tmp_path, radiodeep):
    wide.to_csv(tmp_path / "t.csv")
    output = tmp_path / "out"
    done = radiodeep("study", tmp_path / "t.csv", "-o", output, *QUICK, "--learning-curve")
    assert done.code == 0, done.err
    table = pd.read_csv(output / "learning_curve.csv", index_col=["model", "n_patients"])
    assert "Would more patients help? all features" in (output / "report.html").read_text()
    assert table.loc["all features", "value"].between(0, 1).all()
    assert table.loc["all features"].index[-1] == 32
    done = radiodeep("report", output, "-o", tmp_path / "again.html")
    assert done.code == 0, done.err
    assert "Would more patients help? all features" in (tmp_path / "again.html").read_text()
    done = radiodeep("study", tmp_path / "t.csv", "-o", output, *QUICK)
    assert done.code == 0, done.err
    assert not (output / "learning_curve.csv").exists()


@pytest.mark.slow
def test_without_enough_patients_for_a_learning_curve_the_study_goes_on(wide, tmp_path, radiodeep):
    wide.head(6).to_csv(tmp_path / "few.csv")
    done = radiodeep("study", tmp_path / "few.csv", "-o", tmp_path / "out", *QUICK, "--learning-curve")
    assert "No learning curve: " in done.out
    assert (tmp_path / "out" / "report.html").is_file()
