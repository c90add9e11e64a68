"""Masks in files beside DICOM series, as 3D Slicer saves them, go with the series whose voxels they have."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

import radiodeep as rd

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (4, 12, 14))
REGION = np.zeros(VOXELS.shape, np.uint8)
REGION[2, 4:9, 3:8] = 1
NO_SERIES = "a mask with the voxels of no DICOM series beside it. Save it with the geometry of the image"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "export"


@pytest.fixture
def save(folder):
    """A function that writes a mask on the grid of the series; flipped, cropped or named on request."""

    def write(path, is_flipped=False, is_cropped=False, segment=None):
        image = sitk.GetImageFromArray(REGION)
        image.SetSpacing((0.7, 0.8, 2.5))
        image.SetOrigin((-20, 10, 30))
        image = sitk.Flip(image, (False, True, True)) if is_flipped else image
        image = image[:, :, 1:] if is_cropped else image
        for name, value in {"Name": segment, "LabelValue": "1", "Layer": "0"}.items() if segment else ():
            image.SetMetaData(f"Segment0_{name}", value)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(folder / path))

    return write


@pytest.fixture
def tables(folder, tmp_path):
    """A function that returns the rows of the manifest, and {path: reason} of what was left out."""

    def read(**options):
        try:
            rows = pd.read_csv(rd.folder_manifest(folder, tmp_path / "m.csv", **options), keep_default_na=False)
        except rd.exceptions.InputError:
            rows = pd.DataFrame()
        left_out = pd.read_csv(tmp_path / "left_out.csv")
        return rows.to_dict("records"), dict(zip(left_out["path"], left_out["reason"], strict=True))

    return read


def test_a_mask_goes_with_the_series_of_its_voxels(dicom_files, folder, save, tables, tmp_path):
    for patient in "AB":
        dicom_files.series(folder / patient / "ct", VOXELS, patient=patient, series="ct")
        dicom_files.series(folder / patient / "mr", VOXELS[:3], patient=patient, series="mr", modality="MR")
    save("A/tumour.nii.gz")
    save("B/segments/tumour_mask.nrrd", is_flipped=True)
    (folder / "B" / "broken_mask.nii").write_bytes(b"nothing")
    rows, left_out = tables()
    assert [(row["image"], row["mask"], row["roi_name"]) for row in rows] == [
        ("export/A/ct", "export/A/tumour.nii.gz", ""),
        ("export/B/ct", "export/B/segments/tumour_mask.nrrd", ""),
    ]
    assert "has a header that cannot be read" in left_out["export/B/broken_mask.nii"]
    for case in rd.read_cohort(tmp_path / "m.csv"):
        np.testing.assert_array_equal(case.roi, REGION == 1)


def test_segments_have_names(dicom_files, folder, save, tables):
    dicom_files.series(folder / "ct", VOXELS)
    save("Segmentation.seg.nrrd", segment="GTV")
    assert [row["roi_name"] for row in tables()[0]] == ["GTV"]
    save("other.seg.nrrd", segment="Liver")
    assert [row["mask"] for row in tables(roi="liver")[0]] == ["export/other.seg.nrrd"]


def test_masks_of_several_patients_are_known_by_their_names(dicom_files, folder, save, tables):
    for patient in "AB":
        dicom_files.series(folder / "dicom" / "test" / patient, VOXELS, patient=f"X{patient}", series="ct")
    for name in ("A.nii", "xb.nii", "C.nii", "test/D.nii"):
        save(f"masks/{name}")
    rows, left_out = tables()
    assert [(row["image"], row["mask"]) for row in rows] == [
        ("export/dicom/test/A", "export/masks/A.nii"),
        ("export/dicom/test/B", "export/masks/xb.nii"),
    ]
    for path in ("export/masks/C.nii", "export/masks/test/D.nii"):
        assert "beside DICOM series of several patients. Put it into the folder of its patient" in left_out[path]


def test_masks_of_no_series_or_several_are_left_out(dicom_files, folder, save, tables):
    dicom_files.series(folder / "A", VOXELS, patient="A", series="ct", description="early")
    save("A/crop_mask.nii", is_cropped=True)
    assert tables()[1]["export/A/crop_mask.nii"].startswith(NO_SERIES)
    dicom_files.series(folder / "A", VOXELS, patient="A", series="late", description="late", names="abcd")
    save("A/mask.nii")
    reason = tables()[1]["export/A/mask.nii"]
    assert reason.startswith(
        "a mask with the voxels of several DICOM series: CT series 'early' and CT series 'late'. Move"
    )


def test_a_structure_set_counts_before_a_mask_in_a_file(dicom_files, folder, save, tables):
    dicom_files.series(folder / "ct", VOXELS)
    save("tumour.nii")
    square = np.array([(-17.9, 13, 35), (-14, 13, 35), (-14, 17, 35), (-17.9, 17, 35)])
    dicom_files.structure_set(folder / "RS", {"Tumour": [square]})
    rows, left_out = tables()
    assert [row["mask"] for row in rows] == ["export/RS"]
    assert left_out["export/tumour.nii"] == "an RTSTRUCT or SEG outlines the same image, and counts"
