"""`radiodeep study` of images, and the model that `train` and `score` make of the same cases."""

import re

import numpy as np
import pandas as pd
import pytest

QUICK = ["--features", "handcrafted", "--jobs", 1, "--model", "naive-bayes"]


def manifest_of_both(folder, path):
    """Write a manifest of the 16 usable cases and the 8 of which 3 are broken, two of them of label 1."""
    parts = [pd.read_csv(folder / name / "manifest.csv") for name in ("known", "new")]
    for part, name in zip(parts, ("known", "new"), strict=True):
        for column in ("image", "mask"):
            part[column] = [str(folder / name / file) for file in part[column]]
    pd.concat(parts).to_csv(path, index=False)
    return path


def test_study_train_and_score(folder, known, cache, tmp_path, radiodeep):
    bayes = ["--model", "naive-bayes", "--jobs", 1, "--cache", cache]
    done = radiodeep("study", known, "-o", tmp_path / "report", *bayes)
    assert done.code == 0, done.err
    for name in ("handcrafted", "deep", "combined"):
        assert name in done.out
        predictions = pd.read_csv(tmp_path / "report" / f"predictions_{name}.csv")
        assert len(predictions) == 16
        assert "probability_1" in predictions.columns
        selected = pd.read_csv(tmp_path / "report" / f"selected_features_{name}.csv")
        assert selected["fold"].nunique() == 16
    assert "AUC of label 1" in done.out
    assert (tmp_path / "report" / "report.html").is_file()
    models = pd.read_csv(tmp_path / "report" / "models.csv", index_col="model")
    assert list(models.index) == ["handcrafted", "deep", "combined", "size alone"]
    for name, row in models.iterrows():
        assert re.search(rf"^{name} +(-|{row.equal_size_auc:.3f}) +{row.score_size_correlation:.3f}$", done.out, re.M)
        if name != "size alone":
            assert f"as many as {row.effective_n_features:.1f} uncorrelated" in done.out
    assert not (tmp_path / "report" / "errors.csv").exists()

    model = tmp_path / "model.skops"
    done = radiodeep("train", known, "-o", model, "--cache", cache, "--jobs", 1)
    assert done.code == 0, done.err
    assert "Trained on 16 cases with the labels 0, 1" in done.out
    assert re.search(r"^The model is the .+ of 6 candidates\.$", done.out, re.M)
    done = radiodeep("score", model, folder / "new" / "manifest.csv", "-o", tmp_path / "s.csv", "--jobs", 1)
    assert done.code == 2, done.err
    scores = pd.read_csv(tmp_path / "s.csv")
    assert scores["error"].notna().tolist() == [False, True, False, True, False, True, False, False]
    assert scores["probability_1"].between(0, 1).sum() == 5
    for error in ("FileUnreadableError", "EmptyMaskError", "GeometryMismatchError"):
        assert error in done.err
    assert "Scored 5 of 8 cases for the labels 0, 1" in done.out
    assert pd.read_csv(tmp_path / "s.errors.csv")["error"].tolist() == [
        "FileUnreadableError",
        "EmptyMaskError",
        "GeometryMismatchError",
    ]


def test_study_and_train_go_on_without_the_cases_that_fail(folder, cache, tmp_path, radiodeep, record_of):
    manifest = manifest_of_both(folder, tmp_path / "m.csv")
    done = radiodeep("study", manifest, "-o", tmp_path / "out", "--cv", 2, "--cache", cache, *QUICK)
    assert done.code == 2, done.err
    assert "phantom-017" in done.err
    failed = ["phantom-017", "phantom-019", "phantom-021"]
    assert pd.read_csv(tmp_path / "out" / "errors.csv")["id"].tolist() == failed
    settings = record_of(tmp_path / "out")
    assert (settings["n_cases_given"], settings["n_cases_used"]) == (24, 21)
    assert "phantom-019" in (tmp_path / "out" / "report.html").read_text()
    assert len(pd.read_csv(tmp_path / "out" / "predictions_handcrafted.csv")) == 21

    done = radiodeep("train", manifest, "-o", tmp_path / "m.skops", "--cache", cache, *QUICK)
    assert done.code == 2, done.err
    assert "Trained on 21 cases" in done.out
    assert pd.read_csv(tmp_path / "m.errors.csv")["id"].tolist() == failed


@pytest.mark.parametrize("command", ["study", "train"])
def test_a_cohort_of_which_no_case_can_be_read_is_an_error(command, tmp_path, radiodeep):
    rows = "".join(f"c{number},none.nii,none.nii,{number % 2}\n" for number in range(8))
    (tmp_path / "m.csv").write_text(f"id,image,mask,label\n{rows}")
    done = radiodeep(command, tmp_path / "m.csv", "-o", tmp_path / "x.skops", *QUICK)
    assert done.code == 1
    assert "FileUnreadableError: c0: " in done.err
    assert done.err.count("\n") == 1


def test_a_case_without_a_label_is_left_out_by_name(folder, known, cache, tmp_path, radiodeep):
    manifest = manifest_of_both(folder, tmp_path / "m.csv")
    table = pd.read_csv(manifest, dtype=str)[:16]
    table.loc[3, "label"] = ""
    table.to_csv(manifest, index=False)
    done = radiodeep("study", manifest, "-o", tmp_path / "out", "--cv", 2, "--cache", cache, *QUICK)
    assert done.code == 2
    assert "phantom-003: it has no label" in done.err
    assert len(pd.read_csv(tmp_path / "out" / "predictions_handcrafted.csv")) == 15


def test_positive_chooses_the_label_that_outputs_name(folder, cache, tmp_path, radiodeep, record_of):
    manifest = manifest_of_both(folder, tmp_path / "m.csv")
    table = pd.read_csv(manifest)[:16]
    table["label"] = table["label"].map({0: "normal", 1: "malignant"})
    table.to_csv(manifest, index=False)
    shared = ["study", manifest, "-o", tmp_path / "out", "--cv", 2, "--cache", cache, *QUICK]
    aucs = {}
    for positive in ("normal", "malignant"):
        done = radiodeep(*shared, "--positive", positive)
        assert done.code == 0, done.err
        assert f"AUC of label {positive}" in done.out
        assert f"probability_{positive}" in pd.read_csv(tmp_path / "out" / "predictions_handcrafted.csv").columns
        assert record_of(tmp_path / "out")["positive"] == positive
        aucs[positive] = re.search(r"^handcrafted +(\d\.\d{3})", done.out, re.MULTILINE)[1]
    assert float(aucs["normal"]) == pytest.approx(float(aucs["malignant"]), abs=2e-3)  # the same question
    done = radiodeep(*shared, "--positive", "benign")
    assert done.code == 1
    assert "--positive must be one of the labels malignant, normal. Got 'benign'" in done.err


def test_seed_and_features_reach_the_study(known, cache, tmp_path, radiodeep):
    for seed in (0, 1):
        arguments = ["--cv", 2, "--seed", seed, "--cache", cache, *QUICK]
        assert radiodeep("study", known, "-o", tmp_path / str(seed), *arguments).code == 0
    scores = [pd.read_csv(tmp_path / seed / "predictions_handcrafted.csv")["score"] for seed in "01"]
    assert not np.allclose(*scores)


def test_controls_are_written_printed_and_reported(known, cache, tmp_path, radiodeep):
    shared = ["study", known, "-o", tmp_path / "out", "--cv", 2, "--cache", cache, *QUICK]
    done = radiodeep(*shared, "--controls")
    assert done.code == 0, done.err
    table = pd.read_csv(tmp_path / "out" / "controls.csv", index_col=["model", "study"])
    names = ["original", "shuffled_roi", "randomized_roi", "shuffled_non_roi", "size alone"]
    assert table.index.tolist() == [("handcrafted", name) for name in names]
    for (_, name), row in table.iterrows():
        assert re.search(
            rf"^handcrafted +{name} +{row['value']:.3f} \({row['low']:.3f}-{row['high']:.3f}\)", done.out, re.M
        )
    assert "handcrafted: With the voxels of the region shuffled the AUC is" in " ".join(done.out.split())
    assert max(map(len, done.out.splitlines()[:-1])) < 80
    assert "Negative controls: handcrafted" in (tmp_path / "out" / "report.html").read_text()
    predictions = (tmp_path / "out" / "predictions_handcrafted.csv").read_text()
    assert radiodeep(*shared).code == 0
    assert not (tmp_path / "out" / "controls.csv").exists()
    assert (tmp_path / "out" / "predictions_handcrafted.csv").read_text() == predictions


def test_controls_of_a_table_are_refused(features_csv, tmp_path, radiodeep):
    done = radiodeep("study", features_csv, "-o", tmp_path / "out", "--controls")
    assert done.code == 1
    assert "holds features already: leave out the options that measure images" in done.err


def test_centres_of_a_table_and_of_a_manifest_are_left_out_one_by_one(table, folder, known, cache, tmp_path, radiodeep):
    frame = table.assign(site=["Bonn", "Lyon"] * 3 + ["Lyon", "Bonn"] * 3)
    frame.to_csv(tmp_path / "sites.csv", index=False)
    by_centre = ["--cv", "leave-one-centre-out", "--centre", "site", "--jobs", 1]
    named = ["--id", "case", "--label", "outcome"]
    done = radiodeep("study", tmp_path / "sites.csv", "-o", tmp_path / "out", *by_centre, *named, *QUICK[-2:])
    assert done.code == 0, done.err
    centres = pd.read_csv(tmp_path / "out" / "centres.csv", index_col="centre")
    assert centres["n"].to_dict() == {"Bonn": 6, "Lyon": 6}
    row = centres.loc["Bonn"]
    bounds = f"{row['value']:.3f} \\({row['low']:.3f} to {row['high']:.3f}\\)"
    assert re.search(rf"^Bonn +6 +{bounds}", done.out, re.M)
    assert "random effects of 2 centres" in done.out
    assert "Their intervals are in" not in done.out
    report = (tmp_path / "out" / "report.html").read_text()
    assert ">Centres<" in report
    assert "Random effects of 2 centres: I2" in report
    manifest = pd.read_csv(known).assign(site=["Bonn", "Bonn", "Lyon", "Lyon"] * 4)
    manifest.to_csv(folder / "known" / "sites.csv", index=False)
    source = folder / "known" / "sites.csv"
    done = radiodeep("study", source, "-o", tmp_path / "images", *by_centre, "--cache", cache, *QUICK)
    assert done.code == 0, done.err
    assert pd.read_csv(tmp_path / "images" / "centres.csv")["n"].tolist() == [8, 8]
    source.unlink()


def test_a_centre_without_its_split_is_refused(known, tmp_path, radiodeep):
    for given in (["--centre", "site"], ["--cv", "leave-one-centre-out"]):
        done = radiodeep("study", known, "-o", tmp_path / "out", *given)
        assert done.code == 1
        assert "leave-one-centre-out and --centre COLUMN need each other" in done.err
    done = radiodeep("study", known, "-o", tmp_path / "out", "--centre", "site", "--cv", "leave-one-center-out")
    assert "Got 'leave-one-center-out'. Did you mean 'leave-one-centre-out'?" in " ".join(done.err.split())


def test_the_model_that_chooses_by_itself_is_the_default(table, tmp_path, radiodeep, record_of):
    table.to_csv(tmp_path / "t.csv", index=False)
    asked = ["study", tmp_path / "t.csv", "-o", tmp_path / "out", "--id", "case", "--label", "outcome", "--cv", 2]
    assert radiodeep(*asked, *QUICK[2:]).code == 0
    assert (tmp_path / "out" / "selected_features_all_features.csv").exists()
    done = radiodeep(*asked, "--jobs", 1)
    assert done.code == 0, done.err
    settings = record_of(tmp_path / "out")["models"]["all features"]
    assert settings["steps"][0][1]["class"] == "AutoClassifier"
    assert not (tmp_path / "out" / "selected_features_all_features.csv").exists()
    done = radiodeep(*asked, "--n-features", 2)
    assert done.code == 1
    assert "leave out --selector and --n-features, or add another --model" in done.err
