"""Commands read cases from DICOM, and files as the options say."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from radiodeep.cases.dicom.series import find_series, grid_of

SQUARE = np.array([(2.5, 3.5), (9.5, 3.5), (9.5, 9.5), (2.5, 9.5)])  # 7 x 6 voxels


@pytest.fixture
def export(dicom_files, tmp_path):
    """A manifest of a folder of DICOM with a structure set of two regions."""
    voxels = np.random.default_rng(0).integers(0, 100, (6, 14, 15))
    dicom_files.series(tmp_path / "CT", voxels, (2.0, 1.0, 1.0), description="thorax")
    (series,) = find_series(tmp_path / "CT").values()
    grid = grid_of(series)
    contours = [grid.origin_mm + np.column_stack([SQUARE, np.full(4, 2.0 * level)]) for level in (1, 2, 3)]
    dicom_files.structure_set(tmp_path / "CT" / "RS.dcm", {"GTV-1": contours, "Node": contours[:2]})
    (tmp_path / "manifest.csv").write_text("id,image,mask\nP-1,CT,CT\n")
    return tmp_path


def test_every_outlined_region_of_a_folder_becomes_a_row(export, radiodeep):
    table = export / "t.csv"
    common = ("--features", "handcrafted", "--jobs", 1, "-o", table)
    done = radiodeep("extract", export / "manifest.csv", "--labels", "each", *common)
    assert done.code == 0, done.err
    volumes = pd.read_csv(table, index_col="id")["original_shape_VoxelVolume"]
    assert volumes.to_dict() == {"P-1-GTV-1": 3 * 42 * 2, "P-1-Node": 2 * 42 * 2}
    done = radiodeep("extract", export / "manifest.csv", *common)
    assert done.code == 2
    assert "P-1: 'RS.dcm': several regions were outlined: 'GTV-1', 'Node'" in done.err
    assert "Secret" not in done.err
    (export / "manifest.csv").write_text("id,image,mask,roi_name\nP-1,CT,CT,node\n")
    done = radiodeep("validate", export / "manifest.csv", "--jobs", 1)
    assert done.code == 0, done.out
    assert "1 of 1 cases can be used" in done.out


def test_options_choose_the_series_and_resample_masks(export, dicom_files, radiodeep):
    dicom_files.series(export / "late", np.ones((6, 14, 15)), (2.0, 1.0, 1.0), series="late", description="thorax late")
    mask = sitk.GetImageFromArray(np.ones((3, 8, 8), np.uint8))
    mask.SetSpacing((1.5, 1.5, 2.0))
    mask.SetOrigin((-19.0, 11.0, 32.0))
    sitk.WriteImage(mask, str(export / "mask.nii.gz"))
    (export / "manifest.csv").write_text("id,image,mask\nP-1,.,mask.nii.gz\n")
    validate = ("validate", export / "manifest.csv", "--jobs", 1)
    done = radiodeep(*validate)
    assert done.code == 2
    assert "2 image series: CT 'thorax', 6 images of 15x14" in done.err
    done = radiodeep(*validate, "--series", "late")
    assert done.code == 2
    assert "--resample-mask brings the mask to the image's grid" in done.err
    done = radiodeep(*validate, "--series", "late", "--resample-mask")
    assert done.code == 0, done.err
    assert "1 to 1" in done.out
    done = radiodeep(*validate, "--rgb", "grey")
    assert done.code == 1
    assert "--rgb must be None or one of luminance" in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("ibsi1/ct_phantom/nifti/image/phantom.nii.gz", "ibsi1/ct_phantom/nifti/mask/mask.nii.gz"),
        ("sts_pet/STS_002_image.nii.gz", "sts_pet/STS_002_mask.nii.gz"),
    ],
)
def test_features_from_bare_folders_of_dicom_are_those_from_nifti(reference_data, tmp_path, radiodeep, image, mask):
    """Of 107 features, Dice 1.0 (the centre of a voxel inside its contour)."""
    folder = "ibsi1/ct_phantom/dicom" if image.startswith("ibsi1") else "sts_pet/dicom_example/STS_002/PET"
    rows = [("dicom", folder, folder), ("nifti", image, mask)]
    lines = [f"{name},{reference_data / first},{reference_data / second}" for name, first, second in rows]
    (tmp_path / "manifest.csv").write_text("\n".join(["id,image,mask", *lines]))
    common = ("--bin-count", 32, "--features", "handcrafted", "-o", tmp_path / "t.csv", "--jobs", 1)
    assert radiodeep("extract", tmp_path / "manifest.csv", *common).code == 0
    table = pd.read_csv(tmp_path / "t.csv", index_col="id")
    assert table.shape == (2, 107)
    rounding = 1e-12 if folder.startswith("ibsi1") else 1e-6  # of PET in single precision in the NIfTI file
    np.testing.assert_allclose(table.loc["dicom"], table.loc["nifti"], rtol=rounding)
