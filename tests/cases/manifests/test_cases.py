"""Cases of a manifest are made when they are asked for, and stay the same."""

import pickle

import numpy as np
import pandas as pd
import pytest

from radiodeep import Case, Cohort, make_phantom_cohort, read_cohort, write_cohort
from radiodeep.cases.manifests import cases as manifest_cases
from radiodeep.cases.manifests.file import ManifestFile
from radiodeep.exceptions import ManifestError

ROWS = "id,image,mask,patient,label,time,event,age\n" + "".join(
    f"c{row},i{row}.nii,m{row}.nii,{'' if row % 3 else f'p{row // 2}'},{row % 2},{row + 1}.5,{row % 2},{row or ''}\n"
    for row in range(11)
)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "m.csv").write_text(ROWS)
    return tmp_path / "m.csv"


@pytest.mark.filterwarnings("ignore:.*cases have no patient")
def test_what_is_known_of_cases_is_told_without_making_them(path, monkeypatch):
    cohort = read_cohort(path)
    made = list(cohort)
    again = read_cohort(path)
    monkeypatch.setattr(manifest_cases, "Case", None)
    for part, of_part in ((again, made), (again[2:5], made[2:5]), (again[[7, 1]][::-1], [made[1], made[7]])):
        assert part.ids == [case.id for case in of_part]
        assert part.patients == [case.patient for case in of_part]
        assert part.labels.tolist() == [case.label for case in of_part]
        assert part.survival.tolist() == [(case.event, case.time) for case in of_part]
        assert part.frame["age"].tolist() == [f"{case.clinical['age'] or ''}" for case in of_part]
    monkeypatch.undo()
    assert [case.id for case in again] == cohort.ids


@pytest.mark.filterwarnings("ignore:.*cases have no patient")
def test_a_case_stays_the_same_and_parts_of_a_cohort_share_it(path, monkeypatch):
    monkeypatch.setattr(manifest_cases, "_BLOCK", 4)
    cohort = read_cohort(path)
    first = cohort[-1]
    assert cohort[10] is first
    assert cohort[5:][-1] is first
    assert list(cohort)[10] is next(iter(cohort[[10, 2]])) is first
    with pytest.raises(IndexError):
        cohort[11]
    with pytest.raises(ManifestError, match="Repeated: c1"):
        cohort[[1, 1]]
    part = pickle.loads(pickle.dumps(cohort[3:5]))
    assert [(case.id, case.image, case.label) for case in part] == [(c.id, c.image, c.label) for c in cohort[3:5]]
    assert b"c9" not in pickle.dumps(cohort[3:5])


def test_what_was_read_of_a_case_is_kept(tmp_path, monkeypatch):
    cohort = read_cohort(write_cohort(make_phantom_cohort(1, random_state=0), tmp_path))
    voxels = cohort[0].voxels
    monkeypatch.setattr(Case, "_read", None)
    assert cohort[0].voxels is voxels


def test_cases_beyond_those_that_are_kept_need_no_memory(path, monkeypatch):
    monkeypatch.setattr(manifest_cases, "_KEPT", 3)
    with pytest.warns(match="cases have no patient"):
        cohort = read_cohort(path)
    assert sum(1 for _ in cohort) == 11
    assert len(cohort._cases._source.made) <= 4


@pytest.mark.filterwarnings("ignore:.*cases have no patient")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_in_blocks_is_the_same(path, monkeypatch, suffix):
    if suffix == ".parquet":
        pd.read_csv(path, dtype=str, keep_default_na=False).to_parquet(path.with_suffix(suffix))
    path = path.with_suffix(suffix)
    expected = read_cohort(path)
    monkeypatch.setattr("radiodeep.cases.manifests.file._BLOCK", 3)
    cohort = read_cohort(path)
    pd.testing.assert_frame_equal(cohort.frame, expected.frame)
    assert [str(case.image) for case in cohort] == [str(case.image) for case in expected]
    blocks = list(ManifestFile(path))
    assert [len(block.frame) for block in blocks] == [3, 3, 3, 2]
    names = [name for block in blocks for name in block.row_names]
    assert names == list(range(2, 13) if suffix == ".csv" else range(11))


def test_the_first_problem_of_a_file_in_blocks_is_that_of_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr("radiodeep.cases.manifests.file._BLOCK", 2)
    texts = {
        "id,image,mask,\na,i,m,\nb,i,m,\nc,i,m,7\nd,i\n": "line 5 has 2 fields",
        "id,image,mask,\na,i,m,\nb,i,m,\nc,i,m,7\nd,i,m,\n": "Column 4 of .* has a value in line 4, no name",
        'id,image,mask\na,i,m\nb,i,m\nc\nd,i,"m\n': "row that begins in line 5. Check its quotation",
        "id,image,mask,id\na,i,m,a\nb,i,m,b\nc,i,m,c\n": "The columns 'id' and 'id' of the manifest are both",
    }
    for text, message in texts.items():
        (tmp_path / "m.csv").write_text(text)
        with pytest.raises(ManifestError, match=message):
            read_cohort(tmp_path / "m.csv")


def test_labels_of_all_blocks_have_one_kind(tmp_path, monkeypatch):
    monkeypatch.setattr("radiodeep.cases.manifests.file._BLOCK", 2)
    rows = {"id": list("abcd"), "image": ["i"] * 4, "mask": ["m"] * 4, "label": ["1", "0", "", "x"]}
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    assert [case.label for case in read_cohort(tmp_path / "m.csv")] == ["1", "0", None, "x"]
    frame = pd.DataFrame({**rows, "label": [1.0, 0.0, np.nan, 1.0]})
    labels = [case.label for case in Cohort.from_frame(frame)]
    assert labels == [1, 0, None, 1]
    assert type(labels[0]) is int
