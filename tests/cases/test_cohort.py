"""Manifests: texts stay texts, every problem is listed at once, and scikit-learn can split a cohort."""

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, StratifiedKFold
from sklearn.utils import _safe_indexing

from radiodeep import Case, Cohort, make_phantom_cohort, read_cohort, write_cohort
from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError, ManifestError


def manifest(folder, text, name="manifest.csv"):
    path = folder / name
    path.write_text(text)
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
    text = "id,image,mask,label,mask_label\na,i,m,1,1\na,,m,,x\nb,i,m,0,\n"
    with pytest.raises(ManifestError) as caught:
        read_cohort(manifest(tmp_path, text))
    message = str(caught.value)
    for part in ("blank 'image' in line 3", "'a' stands in lines 2, 3", "no label in line 3", "'x' in line 3"):
        assert part in message


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("name,image\nx,y\n", "m.csv", "missing column 'id'"),
        ("id,image,mask\n", "m.csv", "no rows"),
        ("", "m.csv", "not a table"),
        ("id", "m.xlsx", "Expected .csv"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, text, name, message):
    with pytest.raises(ManifestError, match=message):
        read_cohort(manifest(tmp_path, text, name))


def test_a_cohort_without_labels_says_so_when_they_are_needed(tmp_path):
    cohort = read_cohort(manifest(tmp_path, "id,image,mask\na,i,m\n"))
    with pytest.raises(ManifestError, match="1 of 1 cases have no label"):
        _ = cohort.labels


def test_scikit_learn_can_index_and_split_a_cohort():
    cohort = make_phantom_cohort(6, random_state=0)
    assert [case.id for case in _safe_indexing(cohort, [4, 1])] == ["phantom-004", "phantom-001"]
    assert len(list(LeaveOneOut().split(cohort))) == 6
    train, _ = next(StratifiedKFold(3).split(cohort, cohort.labels))
    part = cohort[train]
    assert isinstance(part, Cohort)
    assert part.frame["id"].tolist() == part.ids
    assert cohort[cohort.labels == 1].labels.tolist() == [1, 1, 1]


def test_repeated_ids_are_refused():
    case = make_phantom_cohort(1, random_state=0)[0]
    with pytest.raises(ManifestError, match="Repeated: phantom-000"):
        Cohort([case, case])


def test_what_is_written_is_read_again(tmp_path):
    cohort = make_phantom_cohort(2, random_state=3)
    again = read_cohort(write_cohort(cohort, tmp_path / "new"))
    for one, other in zip(cohort, again, strict=True):
        np.testing.assert_array_equal(one.voxels, other.voxels)
        np.testing.assert_array_equal(one.roi, other.roi)
        assert one.spacing_mm == other.spacing_mm
    assert again.labels.tolist() == [0, 1]


def test_names_of_files_are_made_safe(tmp_path):
    case = make_phantom_cohort(1, random_state=0)[0].replace(id="../a b")
    path = write_cohort(Cohort([case]), tmp_path / "x")
    assert {file.name for file in path.parent.iterdir()} == {
        "manifest.csv", ".._a_b_image.nii.gz", ".._a_b_mask.nii.gz"
    }  # fmt: skip
    assert read_cohort(path)[0].voxels.shape == (24, 44, 44)


def test_one_case_in_place_of_a_list_is_explained():
    case = make_phantom_cohort(1, random_state=0)[0]
    assert as_cases([case]) == [case]
    with pytest.raises(InputError, match=r"put it in a list"):
        as_cases(case)
    with pytest.raises(InputError, match="ndarray holding float64"):
        as_cases(np.zeros(3))
    assert isinstance(case, Case)
