"""Tables under the definitions of the IBSI, with its identifiers in a second header."""

import csv

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.cli.feature_table import FeatureTable, is_feature_table, read_text_table
from radiodeep.cli.ibsi_header import with_ids, without_ids
from radiodeep.exceptions import InputError

QUICK = ["--features", "handcrafted", "--jobs", 1]


def test_the_second_header_has_the_ids_of_the_features_and_nothing_else(known, tmp_path, radiodeep):
    output = tmp_path / "t.csv"
    assert radiodeep("extract", known, "-o", output, "--convention", "ibsi", "--ibsi-ids", *QUICK).code == 0
    with output.open(newline="") as file:
        names, ids, *rows = csv.reader(file)
    assert (names[0], ids[0], len(rows)) == ("id", "ibsi_id", 16)
    written = dict(zip(names, ids, strict=True))
    assert written["label"] == ""
    expected = rd.RadiomicsExtractor(convention="ibsi").ibsi_ids()
    assert {name: written[name] for name in expected.index} == expected.to_dict()
    numbers = read_text_table(output).set_index("id")[expected.index].astype(float)
    direct = rd.RadiomicsExtractor(convention="ibsi", bin_count=32).transform(rd.read_cohort(known))
    np.testing.assert_array_equal(numbers.to_numpy(), direct)


def test_shards_with_a_second_header_are_merged_with_one(known, tmp_path, radiodeep):
    shared = ["--ibsi-ids", *QUICK]
    whole = tmp_path / "whole.csv"
    assert radiodeep("extract", known, "-o", whole, *shared).code == 0
    for number in (1, 2):
        done = radiodeep("extract", known, "-o", tmp_path / f"p{number}.csv", *shared, "--shard", f"{number}/2")
        assert done.code == 0
    merged = tmp_path / "merged.csv"
    assert radiodeep("merge", tmp_path / "p1.csv", tmp_path / "p2.csv", "-o", merged).code == 0
    assert merged.read_text() == whole.read_text()


@pytest.mark.slow
def test_a_study_reads_such_a_table_and_says_what_its_features_are(known, tmp_path, radiodeep):
    output = tmp_path / "t.csv"
    assert radiodeep("extract", known, "-o", output, "--convention", "ibsi", "--ibsi-ids", *QUICK).code == 0
    options = ["--model", "naive-bayes", "--selector", "relieff", "--n-features", 3, "--jobs", 1]
    done = radiodeep("study", output, "-o", tmp_path / "study", *options)
    assert done.code == 0, done.err
    assert "What the features are" in (tmp_path / "study" / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "t.parquet", "--ibsi-ids"], "writes a second header, which only .csv files have"),
        (["-o", "t.csv", "--ibsi-ids", "--lesions", "largest"], "and --lesions joins them"),
        (["-o", "t.csv", "--convention", "ibsi", "--image-types", "Wavelet"], "filters of the IBSI have settings"),
        (["-o", "t.csv", "--convention", "ibsi", "--params", "p.yaml"], "--params is of pyradiomics"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_computed(known, tmp_path, radiodeep, options, message):
    options = [tmp_path / text if "." in text else text for text in options]
    done = radiodeep("extract", known, *options, *QUICK)
    assert done.code == 1
    assert message in " ".join(done.err.split())


def test_a_table_without_a_second_header_is_left_alone():
    rows = [["a", "1"], ["b", "2"]]
    assert without_ids(rows) == rows
    assert without_ids([["ibsi_id", "ACUI"], *rows]) == rows
    assert without_ids([]) == []


def test_a_table_of_nothing_but_headers_has_no_rows(tmp_path):
    (tmp_path / "t.csv").write_text("id,original_cm_contrast_3D_comb\nibsi_id,ACUI:IAZD\n")
    with pytest.raises(InputError, match="has no rows below its header"):
        read_text_table(tmp_path / "t.csv")


def test_features_without_extractor_and_others_have_no_id():
    frame = pd.DataFrame({"label": [0, 1], "age": [50.0, np.nan]}, index=pd.Index(["a", "b"], name="id"))
    table = with_ids(frame, [object()])
    assert table.loc["ibsi_id"].tolist() == ["", ""]
    assert table.index.tolist() == ["ibsi_id", "a", "b"]
    assert table.index.name == "id"


def test_names_of_the_ibsi_are_handcrafted_features():
    names = ["original_cm_contrast_3D_comb", "T1_laws_L5E5E5_stat_mean", "resnet18_avgpool_0003"]
    table = FeatureTable(pd.DataFrame(columns=names), np.empty(0), [], {}, [])
    assert table.kinds == {"handcrafted": names[:2], "deep": names[2:]}
    assert is_feature_table(pd.DataFrame(columns=["image", names[0]]))
    assert not is_feature_table(pd.DataFrame(columns=["image", "mask", "my_stat_x"]))


@pytest.mark.slow
def test_the_convention_reaches_models_and_studies(known, tmp_path, radiodeep):
    options = ["--convention", "ibsi", "--model", "naive-bayes", "--selector", "relieff", "--n-features", 3, *QUICK]
    assert radiodeep("train", known, "-o", tmp_path / "m.skops", *options).code == 0
    model = rd.load_model(tmp_path / "m.skops")
    assert "convention='ibsi'" in repr(model)
    done = radiodeep("study", known, "-o", tmp_path / "study", "--cv", 2, *options)
    assert done.code == 0, done.err
    assert "convention: ibsi" in (tmp_path / "study" / "settings.lock.yaml").read_text()
