"""Cohorts are written and read again, and scikit-learn can index and split them."""

import gc

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import LeaveOneOut, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.utils import _safe_indexing

from radiodeep import Case, Cohort, RadiomicsExtractor, make_phantom_cohort, read_cohort, write_cohort
from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError, ManifestError, OutputError


def manifest(folder, text, name="manifest.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


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
    for wrong in ("a ", "a\nb"):
        with pytest.raises(ManifestError, match="begins or ends with a blank or holds a control character"):
            Cohort([case.replace(id=wrong)])
    with pytest.raises(InputError, match="The frame has the id 'x' for the case 'phantom-000'"):
        Cohort([case], pd.DataFrame({"id": ["x"]}))


def test_what_is_written_is_read_again(tmp_path):
    cohort = make_phantom_cohort(2, random_state=3)
    again = read_cohort(write_cohort(cohort, tmp_path / "new"))
    for one, other in zip(cohort, again, strict=True):
        np.testing.assert_array_equal(one.voxels, other.voxels)
        np.testing.assert_array_equal(one.roi, other.roi)
        assert one.spacing_mm == other.spacing_mm
    assert again.labels.tolist() == [0, 1]


def test_ids_that_look_like_formulas_and_chosen_masks_survive_writing(tmp_path):
    case = make_phantom_cohort(1, random_state=0)[0]
    mask = case.mask * 2
    mask[0, 0, 0] = 1
    frame = pd.DataFrame({"id": ["=1+1"], "image": [""], "mask": [""], "mask_label": ["2"]})
    cohort = Cohort([case.replace(id="=1+1", mask=mask, mask_label=2)], frame)
    again = read_cohort(write_cohort(cohort, tmp_path / "new"))
    assert again.ids == ["=1+1"]
    np.testing.assert_array_equal(again[0].roi, cohort[0].roi)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "_1_1_image.nii.gz", "_1_1_mask.nii.gz", "manifest.csv"
    ]  # fmt: skip


def test_an_id_too_long_for_a_file_is_named_before_anything_is_written(tmp_path):
    case = make_phantom_cohort(1, random_state=0)[0]
    with pytest.raises(ManifestError, match="has 300 characters, too many for the name of a file. Shorten it to 242"):
        write_cohort(Cohort([case.replace(id="x" * 300)]), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert read_cohort(write_cohort(Cohort([case.replace(id="x" * 242)]), tmp_path))[0].voxels.shape == (24, 44, 44)


def test_a_disk_that_takes_no_images_is_named_and_keeps_no_parts(tmp_path, monkeypatch):
    cohort = make_phantom_cohort(1, random_state=0)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="phantom-000_image.nii.gz' cannot be written"):
        write_cohort(cohort, tmp_path / "file")

    def full(*arguments, **options):
        raise RuntimeError

    monkeypatch.setattr(sitk, "WriteImage", full)
    with pytest.raises(OutputError, match="phantom-000_image.nii.gz' cannot be written. Free space on the disk"):
        write_cohort(cohort, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_garbage_is_collected_again_after_a_manifest_was_read_or_refused(tmp_path):
    read_cohort(manifest(tmp_path, "id,image,mask\na,i,m\n"))
    assert gc.isenabled()
    with pytest.raises(ManifestError, match="no rows"):
        Cohort.from_frame(pd.DataFrame({"id": [], "image": [], "mask": []}))
    assert gc.isenabled()


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


def test_tools_for_tables_can_carry_cases():
    cohort = make_phantom_cohort(8, random_state=0)
    model = make_pipeline(RadiomicsExtractor(families=["firstorder"]), GaussianNB())
    column = np.asarray(cohort)
    assert column.shape == (8, 1)
    bags = BaggingClassifier(model, n_estimators=2, random_state=0).fit(column, cohort.labels)
    assert bags.predict_proba(column).shape == (8, 2)
    importance = permutation_importance(model.fit(cohort, cohort.labels), cohort, cohort.labels, n_repeats=2)
    assert importance.importances.shape == (1, 2)
    table = pd.DataFrame({"case": list(cohort), "age": range(8)})
    both = make_column_transformer((RadiomicsExtractor(families=["shape"]), ["case"]), ("passthrough", ["age"]))
    values = both.fit_transform(table)
    np.testing.assert_array_equal(values[:, :-1], RadiomicsExtractor(families=["shape"]).transform(cohort))
    np.testing.assert_array_equal(values[:, -1], range(8))


def test_cases_come_in_a_list_or_one_column():
    cohort = make_phantom_cohort(2, random_state=0)
    for cases in (cohort, list(cohort), np.asarray(cohort), np.asarray(cohort)[:, 0], pd.Series(list(cohort))):
        assert as_cases(cases) == list(cohort)
    with pytest.raises(InputError, match="ndarray holding ndarray"):
        as_cases(np.hstack([np.asarray(cohort)] * 2))


def test_a_notebook_shows_the_first_cases_and_counts():
    cohort = make_phantom_cohort(12, random_state=0)
    odd = Cohort([*cohort[:11], cohort[11].replace(patient="<b>", label=None)])
    shown = odd._repr_html_()
    assert "Cohort of 12 cases, 12 patients; label 0: 6, label 1: 5, no label: 1" in shown
    assert "phantom-009" in shown
    assert "phantom-010" not in shown
    assert "and 2 more" in shown
    assert "<b>" not in odd[11:]._repr_html_()


def test_follow_up_is_read_written_and_given_to_studies(tmp_path):
    text = "id,image,mask,Time,event\na,i,m,12.5,1\nb,i,m,3,no\nc,i,m,,\nd,i,m,0.25,TRUE\n"
    cohort = read_cohort(manifest(tmp_path, text))
    assert [(case.time, case.event) for case in cohort] == [(12.5, True), (3.0, False), (None, None), (0.25, True)]
    with pytest.raises(ManifestError, match="1 of 4 cases have no follow-up, the first is 'c'"):
        _ = cohort.survival
    followed = cohort[[0, 1, 3]].survival
    assert followed.dtype == [("event", bool), ("time", float)]
    assert followed.tolist() == [(True, 12.5), (False, 3.0), (True, 0.25)]
    assert "2 events in 3 cases with follow-up" in cohort._repr_html_()
    cohort = make_phantom_cohort(3, random_state=0, survival=True)
    again = read_cohort(write_cohort(cohort, tmp_path / "new"))
    assert again.survival.tolist() == cohort.survival.tolist()
    without_frame = read_cohort(write_cohort(Cohort(cohort), tmp_path / "newer"))
    assert without_frame.survival.tolist() == cohort.survival.tolist()
    assert Cohort.from_frame(again.frame).survival.tolist() == cohort.survival.tolist()
