"""Tables of features as people have them: `radiodeep study TABLE`."""

import numpy as np
import pandas as pd
import pytest

from radiodeep.cli.feature_table import FeatureTable
from radiodeep.handcrafted.catalogue import FAMILIES, feature_names


@pytest.mark.slow
def test_a_table_that_extract_wrote_can_be_studied_at_once(known, cache, features_csv, tmp_path, radiodeep):
    shared = ["--cv", 2, "--jobs", 1, "--model", "naive-bayes"]
    of_images = radiodeep("study", known, "-o", tmp_path / "out", "--cache", cache, *shared)
    of_table = radiodeep("study", features_csv, "--label", "label", "-o", tmp_path / "out", *shared)
    assert of_table.code == 0, of_table.err
    assert "Studying 16 cases x 235 features (not features: id, label)" in of_table.out
    assert of_table.out.split("\n", 1)[1] == of_images.out  # the same figures


def study_of(radiodeep, frame, path, *options, **settings):
    frame.to_csv(path, index=False, **settings)
    named = ["--label", "outcome", "--id", "case", "--cv", 2, "--jobs", 1, "--model", "naive-bayes"]
    return radiodeep("study", path, "-o", path.parent / "out", *named, *options)


def test_columns_of_ids_and_outcome_are_no_features(table, tmp_path, radiodeep):
    done = study_of(radiodeep, table, tmp_path / "t.csv")
    assert done.code == 0, done.err
    assert "Studying 12 cases x 3 features (not features: case, outcome)" in done.out
    assert "all features" in done.out
    assert pd.read_csv(tmp_path / "out" / "predictions_all_features.csv")["id"].tolist() == table["case"].tolist()


def test_a_table_of_parquet_is_studied_like_a_csv(table, tmp_path, radiodeep):
    of_csv = study_of(radiodeep, table, tmp_path / "t.csv")
    table.set_index("case").to_parquet(tmp_path / "t.parquet")
    shared = ["--label", "outcome", "--id", "case", "--cv", 2, "--jobs", 1, "--model", "naive-bayes"]
    of_parquet = radiodeep("study", tmp_path / "t.parquet", "-o", tmp_path / "out", *shared)
    assert of_parquet.code == 0, of_parquet.err
    assert of_parquet == of_csv


def test_cases_of_one_patient_stay_together(table, tmp_path, radiodeep, record_of):
    table["who"] = [f"p{number // 4}" for number in range(12)]
    table["volume"] = table["outcome"].astype(float)
    done = study_of(radiodeep, table, tmp_path / "t.csv", "--patient", "who", "--cv", "leave-one-out")
    assert done.code == 0, done.err
    assert record_of(tmp_path / "out")["cv"] == "leave-one-group-out"


def test_a_german_table_is_read_rightly(table, tmp_path, radiodeep):
    expected = study_of(radiodeep, table, tmp_path / "t.csv")
    assert study_of(radiodeep, table, tmp_path / "t.csv", sep=";", decimal=",", encoding="latin-1") == expected


def test_rows_of_failed_cases_are_left_out_by_name(table, tmp_path, radiodeep):
    table.loc[5, ["age", "volume", "contrast"]] = np.nan
    table["outcome"] = table["outcome"].astype(object)
    table.loc[7, "outcome"] = ""
    done = study_of(radiodeep, table, tmp_path / "t.csv")
    assert done.code == 2
    assert "c5: InputError: all of its features are empty" in done.err
    assert "c7: InputError: it has no value in the column 'outcome'" in done.err
    assert "c5" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t.assign(sex="f"), [], "1 column holds text, which is no feature: 'sex' ('f'). Turn text into"),
        (lambda t: t.assign(number=range(1, 13)), [], "the column 'number' counts the rows"),
        (lambda t: t.assign(case="c"), [], "the case 'c' comes twice"),
        (lambda t: t.assign(age=np.nan), [], "1 columns are empty. Leave them out: --drop age"),
        (
            lambda t: t,
            ["--drop", "agee"],
            "has no column 'agee' (--drop). It has case, age, volume, contrast, outcome.",
        ),
        (lambda t: t, ["--label", "outcom"], "Did you mean 'outcome'?"),
        (lambda t: t, ["--label", "xyz"], "age, volume, contrast, outcome. Survival needs --time and --event."),
        (lambda t: t[["case", "outcome"]], [], "has no column of features"),
        (lambda t: t, ["--bin-width", "5"], "'t.csv' holds features already"),
        (lambda t: t.assign(outcome=1), [], "All 12 cases have the label 1"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(change, options, message, table, tmp_path, radiodeep):
    done = study_of(radiodeep, change(table), tmp_path / "t.csv", *options)
    assert done.code == 1
    assert message in done.err


def test_drop_leaves_columns_out(table, tmp_path, radiodeep):
    done = study_of(radiodeep, table.assign(sex="f"), tmp_path / "t.csv", "--drop", "sex", "--drop", "volume")
    assert done.code == 0, done.err
    assert "x 2 features (not features: case, volume, outcome, sex)" in done.out


def test_a_row_with_a_field_too_many_is_refused(table, tmp_path, radiodeep):
    table.loc[2, "case"] = "Doe, John"
    table.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace('"', ""))
    done = radiodeep("study", tmp_path / "t.csv", "-o", tmp_path / "out", "--label", "outcome")
    assert done.code == 1
    assert "row 3 has 6 fields, the header has 5" in done.err


def test_a_manifest_without_masks_is_no_table_of_features(tmp_path, radiodeep):
    (tmp_path / "m.csv").write_text("id,image,msk,label\na,a.nii,b.nii,1\n")
    assert "missing column 'mask'" in radiodeep("study", tmp_path / "m.csv", "-o", tmp_path / "out").err


def test_tables_of_an_earlier_study_do_not_stay_in_its_folder(table, tmp_path, radiodeep):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / "predictions_deep.csv").write_text("of another study")
    assert study_of(radiodeep, table, tmp_path / "t.csv").code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "measures.csv",
        "models.csv",
        "notes.txt",
        "predictions_all_features.csv",
        "selected_features_all_features.csv",
        "settings.lock.yaml",
        "report.html",
        "results.zip",
    }


def test_all_families_are_told_from_deep_features():
    handcrafted = [f"T1_original_{name}" for name in feature_names(FAMILIES)]
    deep = ["cnn_f_0001", "cnn_f_0002"]
    table = FeatureTable(pd.DataFrame(columns=[*deep, *handcrafted]), np.empty(0), [], {}, [])
    assert {kind: list(names) for kind, names in table.kinds.items()} == {"handcrafted": handcrafted, "deep": deep}
