"""What masks hold: counts by hand, names of every kind of mask, and errors that are recorded."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from radiodeep import Case, Cohort, inspect_masks
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.exceptions import InputError

LABELS = np.zeros((4, 5, 6), np.uint8)
LABELS[1:3, 1:3, 1:4] = 1
LABELS[3, 2, 2] = 7
VOXEL_MM3 = 2.5 * 0.5 * 0.5


@pytest.fixture
def save(tmp_path):
    def save(labels, name):
        image = sitk.GetImageFromArray(labels)
        image.SetSpacing((0.5, 0.5, 2.5))
        (tmp_path / name).parent.mkdir(exist_ok=True)
        sitk.WriteImage(image, tmp_path / name)
        return tmp_path / name

    return save


def rows(inspection, *columns):
    return inspection.table[list(columns)].to_records(index=False).tolist()


def test_labels_are_counted_by_voxels_volume_and_slices(save):
    inspection = inspect_masks(save(LABELS, "a.nii.gz"))
    assert rows(inspection, "file", "name", "label", "n_voxels", "volume_mm3", "n_slices") == [
        ("a.nii.gz", "", "1", 12, 12 * VOXEL_MM3, 2),
        ("a.nii.gz", "", "7", 1, VOXEL_MM3, 1),
    ]
    assert str(inspection).splitlines() == [
        "file      label  n_voxels  volume_mm3  n_slices",
        "a.nii.gz  1            12         7.5         2",
        "a.nii.gz  7             1       0.625         1",
    ]


def test_names_may_join_labels_and_labels_may_lack_a_name(save):
    path = save(LABELS + (LABELS == 1) * np.arange(6, dtype=np.uint8), "a.nii.gz")  # labels 2, 3, 4 and 7
    (path.parent / "dataset.json").write_text(json.dumps({"labels": {"all": [2, 3], "core": 2, "cyst": 9}}))
    inspection = inspect_masks([str(path)])
    assert rows(inspection, "name", "label", "n_voxels", "n_slices") == [
        ("core", "2", 4, 2),
        ("all", "2, 3", 8, 2),
        ("", "4", 4, 2),
        ("", "7", 1, 1),
    ]


def test_a_picture_has_no_volume(tmp_path):
    Image.fromarray(LABELS[1]).save(tmp_path / "a.png")
    assert inspect_masks(tmp_path / "a.png").table["volume_mm3"].isna().all()


def test_a_folder_of_organs_is_one_mask_and_one_of_named_label_images_many(save, tmp_path):
    for name in ("liver", "spleen"):
        save((LABELS == 1).astype(np.uint8), f"organs/{name}.nii.gz")
    save(LABELS * 0, "organs/tumour.nii.gz")
    inspection = inspect_masks(tmp_path / "organs")
    assert rows(inspection, "id", "name", "label") == [
        (str(tmp_path / "organs"), name, "1") for name in ("liver", "spleen")
    ]
    (tmp_path / "organs" / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "lesion": 1}}))
    inspection = inspect_masks(tmp_path / "organs")
    assert inspection.summary.loc["lesion", "n_cases"] == 2
    assert inspection.summary.loc["lesion", "lacking"] == [str(tmp_path / "organs" / "tumour.nii.gz")]


def test_contours_and_segments_are_listed_by_name(dicom_files, tmp_path):
    dicom_files.series(tmp_path / "CT", np.zeros((4, 5, 6), int), (2.5, 0.5, 0.5))
    square = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], float)
    outlines = {"GTV": [square, square + 2, square + np.array([0, 0, 2.5])], "Point": []}
    dicom_files.structure_set(tmp_path / "RS.dcm", outlines)
    inspection = inspect_masks(tmp_path / "RS.dcm")
    assert rows(inspection, "name", "n_contours") == [("GTV", 3), ("Point", 0)]
    assert inspection.summary.index.tolist() == ["GTV"]
    (series,) = find_series(tmp_path / "CT").values()
    frames = [(1, level, LABELS[level] > 0) for level in (3, 1, 2)]
    dicom_files.segmentation(tmp_path / "SEG.dcm", frames, ["tumour", "cyst"], grid_of(series))
    inspection = inspect_masks(tmp_path)
    assert inspection.table["name"].tolist() == ["GTV", "Point", "tumour", "cyst"]
    assert rows(inspect_masks(tmp_path / "SEG.dcm"), "name", "label", "n_voxels", "volume_mm3", "n_slices") == [
        ("tumour", "1", 13, 13 * VOXEL_MM3, 3),
        ("cyst", "2", 0, 0.0, 0),
    ]


def test_a_cohort_is_summarised_by_name_and_broken_masks_are_recorded(save, tmp_path):
    first, second = save(LABELS, "a.nii.gz"), save((LABELS == 7).astype(np.uint8) * 7, "b.nii.gz")
    (tmp_path / "labels.csv").write_text("1,liver\n")
    (tmp_path / "c.nii.gz").write_bytes(second.read_bytes()[:-5])
    masks = [first, second, tmp_path / "c.nii.gz", LABELS.astype(float) / 2]
    images = [first, first, first, LABELS]
    sources = zip(images, masks, ((None,) * 3 + ((1, 1, 1),)), "ABCD", strict=True)
    inspection = inspect_masks(Cohort([Case(image, mask, name, spacing_mm=mm) for image, mask, mm, name in sources]))
    assert inspection.summary["n_cases"].to_dict() == {"label 7": 2, "liver": 1}
    assert inspection.summary.loc["liver", "lacking"] == ["B"]
    assert inspection.summary.loc["label 7", "volume_mm3"] == VOXEL_MM3
    assert {name: text.partition(":")[0] for name, text in inspection.errors.items()} == {
        "C": "TruncatedFileError",
        "D": "UnsupportedImageError",
    }
    assert str(inspection).splitlines()[0].split() == ["name", "n_cases", "labels", "volume_mm3", "lacking"]


def test_masks_of_several_images_are_told_apart(save):
    first, second = save(LABELS, "a.nii.gz"), save(LABELS[:, :, ::-1].copy(), "b.nii.gz")
    case = Case({"CT": first, "PET": second}, {"CT": first, "PET": second}, "A")
    table = inspect_masks(Cohort([case])).table
    assert table["image"].tolist() == ["CT", "CT", "PET", "PET"]
    assert table["file"].tolist() == ["a.nii.gz", "a.nii.gz", "b.nii.gz", "b.nii.gz"]


def test_what_is_no_mask_is_an_error(tmp_path):
    assert "is a folder without masks" in inspect_masks(tmp_path).errors[str(tmp_path)]
    with pytest.raises(InputError, match="inspect_masks takes a Cohort, the path of a mask or a list of paths. Got"):
        inspect_masks(3)
