"""Manifests are read as they look, and every problem is named."""

import numpy as np
import pandas as pd
import pytest

from radiodeep import Cohort, read_cohort
from radiodeep.exceptions import InputError, ManifestError, RadiodeepWarning


def manifest(folder, text, name="manifest.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_texts_stay_texts(tmp_path):
    cohort = read_cohort(manifest(tmp_path, "id,patient,image,mask,label\n007,NA,a.nii,b.nii,1\n1e5,x,c.nii,d.nii,0\n"))
    assert cohort.ids == ["007", "1e5"]
    assert cohort.patients == ["NA", "x"]
    assert cohort.labels.tolist() == [1, 0]
    assert cohort[0].image == tmp_path / "a.nii"


def test_tsv_and_parquet_say_the_same(tmp_path):
    rows = read_cohort(manifest(tmp_path, "id,image,mask,label\n007,a,b,long\n8,c,d,short\n"))
    rows.frame.to_parquet(tmp_path / "m.parquet")
    for path in (
        tmp_path / "m.parquet",
        manifest(tmp_path, "id\timage\tmask\tlabel\n007\ta\tb\tlong\n8\tc\td\tshort\n", "m.tsv"),
    ):
        assert read_cohort(path).ids == ["007", "8"]
        assert read_cohort(path).labels.tolist() == ["long", "short"]


def test_every_problem_is_in_one_error(tmp_path):
    text = "id,image,mask,label,mask_label,roi_name\na,i,m,1,1,\na,,m,,x,\nb,i,m,0,,GTV\nc,i,m,0,1,GTV\nd,i,m,0,1,|\n"
    with pytest.raises(ManifestError) as caught:
        read_cohort(manifest(tmp_path, text))
    message = str(caught.value)
    for part in ("blank 'image' in line 3", "'a' stands in lines 2, 3", "'x' in line 3", "'roi_name' in line 5, which"):
        assert part in message


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("name,image\nx,y\n", "m.csv", "missing column 'id'"),
        ("id,image,mask\n", "m.csv", "no rows"),
        ("", "m.csv", "not a table"),
        ("id", "m.xlsx", r"ends in '.xlsx'. Expected a .csv, .tsv or .parquet file. Save it as 'CSV UTF-8'"),
        ("PAR1", "m.parquet", "'m.parquet' is not a table that can be read"),
        (
            "id,image,mask,label\na,i,m,1,\n",
            "m.csv",
            r"has 4 fields, separated by commas.\n- line 2 has 5 fields: a,i,m,1,",
        ),
        ("id,image,mask\n\na,i,m\nDoe, John,i,m\n", "m.csv", "line 4 has 4 fields: Doe, John,i,m\nPut a cell that"),
        ("id,image,mask\na,i\n", "m.csv", "line 2 has 2 fields: a,i"),
        ("Fall;Bild;Alter\na;i;54,5\nb;i;61\n", "m.csv", "missing column 'id'"),
        ('id,image,mask,label\na,i,m,"1\nb,i,m,0\n', "m.csv", "the row that begins in line 2. Check its quotation"),
        ("id,image,mask,label, Label\na,i,m,1,0\n", "m.csv", "The columns 'label' and ' Label' .* are both 'label'"),
        ("id,image,mask,note,note\na,i,m,1,0\n", "m.csv", "The columns 'note' and 'note'"),
        ("id,image,mask,\na,i,m,7\n", "m.csv", "Column 4 of .* has a value in line 2, no name"),
        ("id,image;mask,label\na,i;m,1\n", "m.csv", "missing column 'mask'.* split at commas, but .* semicolons, too"),
        ("id;image;mask;label\na;i;m;1,5\nb;i;m;0\n", "m.csv", "the label '1,5' in line 2 has a decimal comma"),
        ("id;image;mask;label\na;i;m;1,000\nb;i;m;0\n", "m.csv", "the label '1,000' in line 2 has a decimal comma"),
        ("id,image,mask\na\x01,i,m\n", "m.csv", r"the id 'a\\x01' in line 2 holds a control character"),
        ("id,image,mask\na\x00,i,m\n", "m.csv", "not plain text in UTF-8"),
        ("id,image,mask\na,i,m\na ,i,m\n", "m.csv", "the id 'a' stands in lines 2, 3"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, text, name, message):
    with pytest.raises(ManifestError, match=message):
        read_cohort(manifest(tmp_path, text, name))


EXPECTED = [("Müller", "a.nii", "b.nii", 1), ("8", "c.nii", "d.nii", 0)]
FRENCH = "ID ;Image; mask;Label;;\r\nMüller ;a.nii; b.nii;1,0;;\r\n;;;;;\r\n8;c.nii;d.nii;0;;\r\n;;;;;\r\n"


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        (FRENCH, "m.csv", "utf-8-sig"),
        (FRENCH, "m.CSV", "utf-8"),
        ("sep=;\r\n" + FRENCH, "m.csv", "utf-8"),
        (FRENCH.replace(";", "\t"), "m.txt", "utf-16"),
        (FRENCH.replace(";", "\t"), "m.csv", "utf-8"),
        (FRENCH.replace(",0", ".0").replace(";", ","), "m.csv", "utf-8"),
        (FRENCH.replace("\r\n", "\r"), "m.txt", "utf-8"),
    ],
)
def test_what_spreadsheets_save_is_read(tmp_path, text, name, encoding):
    cohort = read_cohort(manifest(tmp_path, text, name, encoding))
    assert [(case.id, case.image.name, case.mask.name, case.label) for case in cohort] == EXPECTED
    assert cohort.frame.columns.tolist() == ["id", "image", "mask", "label"]


def test_the_encoding_of_windows_is_read_with_a_warning_that_shows_the_letters(tmp_path):
    with pytest.warns(RadiodeepWarning, match="not UTF-8; it was read as Windows-1252, so that line 2 is 'Müller"):
        cohort = read_cohort(manifest(tmp_path, FRENCH, encoding="cp1252"))
    assert cohort.ids == ["Müller", "8"]
    with pytest.raises(ManifestError, match="not plain text in UTF-8. Save it as 'CSV UTF-8'"):
        read_cohort(manifest(tmp_path, FRENCH.replace("ü", "\x81"), encoding="latin-1"))


def test_backslashes_separate_folders_where_a_file_shows_it(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.nii").touch()
    (tmp_path / "b").mkdir()
    for name in ("b\\m.nii", "b/m.nii"):
        (tmp_path / name).touch()
    cohort = read_cohort(manifest(tmp_path, "id,image,mask\na,scans\\a.nii,b\\m.nii\nb,no\\a.nii,m\n"))
    assert cohort[0].image == tmp_path / "scans" / "a.nii"
    assert cohort[0].mask == tmp_path / "b\\m.nii"
    assert cohort[1].image == tmp_path / "no\\a.nii"


def test_a_folder_or_something_else_in_place_of_a_manifest_is_explained(tmp_path):
    with pytest.raises(ManifestError, match="is a folder. Expected a .csv"):
        read_cohort(tmp_path)
    with pytest.raises(ManifestError, match=r"Got a DataFrame instead: Cohort.from_frame\(df\)"):
        read_cohort(pd.DataFrame({"id": ["a"]}))
    with pytest.raises(ManifestError, match="takes the path of a manifest. Got list instead"):
        read_cohort([("a.nii", "b.nii")])
    with pytest.raises(InputError, match="Cohort.from_frame takes a DataFrame. Got str instead"):
        Cohort.from_frame("m.csv")


def test_a_data_frame_is_read_as_its_file_would_be(tmp_path):
    frame = pd.DataFrame(
        {
            " ID": [7, 8, 9],
            "image": ["a", "c", "e"],
            "mask": ["b", "d", "f"],
            "patient": [1.0, 1.0, 2.0],
            "label": [1.0, None, 0.0],
            "mask_label": [1.0, np.nan, 3.0],
            "age": [60.5, 61, np.nan],
        }
    )
    frame.to_csv(tmp_path / "m.csv", index=False)
    frame.to_parquet(tmp_path / "m.parquet")
    for cohort in (
        Cohort.from_frame(frame, tmp_path),
        Cohort.from_frame(frame.rename(columns={" ID": "id"}).set_index("id"), str(tmp_path)),
        read_cohort(tmp_path / "m.parquet"),
    ):
        assert cohort.ids == ["7", "8", "9"]
        assert cohort.patients == ["1", "1", "2"]
        assert [case.label for case in cohort] == [1, None, 0]
        assert [case.mask_label for case in cohort] == [1, None, 3]
        assert cohort[1].image == tmp_path / "c"
        assert cohort.frame["age"].tolist()[:2] == [60.5, 61]
    assert [case.mask_label for case in read_cohort(tmp_path / "m.csv")] == [1, None, 3]
    blank = Cohort.from_frame(frame.reindex([0, 5, 1]))
    assert blank.ids == blank.frame["id"].tolist() == ["7", "8"]
    with pytest.raises(ManifestError, match="the id '7' stands in rows x, y"):
        Cohort.from_frame(frame.assign(**{" ID": 7}).set_axis(["x", "y", "z"]).head(2))


def test_labels_are_numbers_where_all_of_them_are(tmp_path):
    def labels(*texts):
        rows = "".join(f'{number},i,m,"{text}"\n' for number, text in enumerate(texts))
        return read_cohort(manifest(tmp_path, f"id,image,mask,label\n{rows}")).labels.tolist()

    assert labels("1.0", "0", "+2") == [1, 0, 2]
    assert labels("0.5", "-1", "2e1") == [0.5, -1.0, 20.0]
    assert labels("1", "x", "0.5") == ["1", "x", "0.5"]


def test_one_blank_label_matters_only_where_labels_are_needed(tmp_path):
    cohort = read_cohort(manifest(tmp_path, "id,image,mask,label\na,i,m,1\nb,i,m, \nc,i,m,0\n"))
    assert [case.label for case in cohort] == [1, None, 0]
    with pytest.raises(ManifestError, match="1 of 3 cases have no label, the first is 'b'"):
        _ = cohort.labels
    assert cohort.frame["label"].tolist() == [1, None, 0]
    assert cohort[[0, 2]].labels.tolist() == [1, 0]


def test_patients_of_some_cases_only_are_warned_of(tmp_path):
    with pytest.warns(RadiodeepWarning, match=r"1 of 2 cases have no patient \(line 3\).*of its own"):
        cohort = read_cohort(manifest(tmp_path, "id,image,mask,patient\na,i,m,p\nb,i,m,\n"))
    assert cohort.patients == ["p", "b"]
    assert read_cohort(manifest(tmp_path, "id,image,mask,patient\na,i,m,\n")).patients == ["a"]


def test_every_problem_of_follow_up_is_in_one_error(tmp_path):
    rows = ["a,i,m,0,1", "b,i,m,-1,2", "c,i,m,5,", "d,i,m,1e999,0", "e,i,m,,1", "f,i,m,soon,maybe", 'g,i,m,"1,5",no']
    text = "\n".join(["id,image,mask,time,event", *rows, 'h,i,m,"12,0","1,0"', "i,i,m,2.5e1,Yes"])
    with pytest.raises(ManifestError) as caught:
        read_cohort(manifest(tmp_path, text))
    assert str(caught.value).splitlines()[1:] == [
        "- the time '0' in lines 2, 3, 5, 7, 8 is not a number > 0 with a decimal point",
        "- the event '2' in lines 3, 7 is not 1 or 0, true or false, yes or no",
        "- only one of 'time' and 'event' in lines 4, 6; fill in both, or none if the follow-up is unknown",
    ]
    cohort = read_cohort(manifest(tmp_path, "\n".join(text.splitlines()[:1] + text.splitlines()[-2:])))
    assert cohort.survival.tolist() == [(True, 12.0), (True, 25.0)]


def test_a_column_of_times_without_events_is_none_of_follow_up(tmp_path):
    cohort = read_cohort(manifest(tmp_path, "id,image,mask,Time\na,i,m,12:30\n"))
    assert cohort[0].time is None
    assert cohort.frame["Time"].tolist() == ["12:30"]
    cohort = Cohort.from_frame(pd.DataFrame({"id": ["a"], "image": ["i"], "mask": ["m"], "event": [3.5]}))
    assert cohort[0].event is None
    assert cohort.frame["event"].tolist() == [3.5]
