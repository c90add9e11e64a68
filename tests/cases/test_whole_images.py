"""The mask "whole" makes the whole image the region, of arrays, files and rows of a manifest."""

import pickle

import numpy as np
import pytest
import SimpleITK as sitk

import radiodeep as rd
from radiodeep.exceptions import InputError, ManifestError, NonFiniteIntensityError

VOXELS = np.arange(60, dtype=np.float32).reshape(3, 4, 5)


@pytest.fixture
def folder(tmp_path):
    image = sitk.GetImageFromArray(VOXELS)
    image.SetSpacing((0.5, 0.7, 3.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    sitk.WriteImage(image, tmp_path / "a.nii.gz")
    sitk.WriteImage(sitk.GetImageFromArray((VOXELS > 30).astype(np.uint8)), tmp_path / "m.nii.gz")
    return tmp_path


def test_the_region_of_an_array_and_of_a_file_is_the_whole_image(folder):
    of_array = rd.Case(VOXELS, "whole", "a", spacing_mm=(3, 0.7, 0.5))
    of_file = rd.Case(folder / "a.nii.gz", "whole", "a")
    assert of_array.roi.all()
    assert of_file.roi.all()
    np.testing.assert_array_equal(of_file.voxels, VOXELS[:, :, ::-1])  # in anatomical order
    assert of_file.roi.shape == VOXELS.shape
    assert of_file.spacing_mm == pytest.approx((3, 0.7, 0.5))
    ones = rd.Case(VOXELS, np.ones(VOXELS.shape), "a", spacing_mm=(3, 0.7, 0.5))
    assert of_array.content_hash() == ones.content_hash()
    again = pickle.loads(pickle.dumps(of_file))
    assert again.mask == "whole"
    assert again.roi.all()
    assert [case.id for case in of_file.by_label()] == ["a-label1"]
    assert of_file.by_label()[0].roi.all()


def test_images_by_name_may_be_whole_together_or_each(folder):
    images = {"T1": VOXELS, "T2": VOXELS + 1}
    for mask in ("whole", {"T1": "whole", "T2": VOXELS > 3}):
        case = rd.Case(images, mask, "a", spacing_mm=(1, 1, 1))
        assert case.of_image("T1").roi.all()
        assert case.of_image("T2").roi.all() == (mask == "whole")


def test_a_manifest_without_masks_is_read_and_cells_may_say_whole(folder):
    (folder / "a.csv").write_text("id,image,label\na,a.nii.gz,1\n")
    with pytest.raises(ManifestError, match="missing column 'mask'.*column 'mask' that says whole"):
        rd.read_cohort(folder / "a.csv")
    cohort = rd.read_cohort(folder / "a.csv", mask="whole")
    assert cohort[0].roi.all()
    assert cohort.frame["mask"].tolist() == ["whole"]
    (folder / "b.csv").write_text("id,image,mask\na,a.nii.gz,whole\nb,a.nii.gz,\n")
    with pytest.raises(ManifestError, match="blank 'mask' in line 3"):
        rd.read_cohort(folder / "b.csv")
    cohort = rd.read_cohort(folder / "b.csv", mask="whole")
    assert [case.mask for case in cohort] == ["whole", "whole"]
    (folder / "whole").mkdir()  # an image may have the name
    (folder / "c.csv").write_text("id,image,mask\na,whole,m.nii.gz\n")
    case = rd.read_cohort(folder / "c.csv")[0]
    assert case.image == folder / "whole"
    assert case.mask == folder / "m.nii.gz"
    with pytest.raises(InputError, match="The 'mask' parameter of read_cohort must be None or 'whole'. Got 'all'"):
        rd.read_cohort(folder / "a.csv", mask="all")


def test_masks_of_each_of_several_images_may_be_missing_too(folder):
    (folder / "d.csv").write_text(
        "id,image_T1,image_T2,mask_T1,mask_T2\na,a.nii.gz,,m.nii.gz,\nb,a.nii.gz,a.nii.gz,,\n"
    )
    cohort = rd.read_cohort(folder / "d.csv", mask="whole")
    assert [case.mask["T1"] for case in cohort] == [folder / "m.nii.gz", "whole"]
    assert cohort[1].of_image("T2").roi.all()


def test_a_whole_image_cannot_hold_nan_or_be_a_named_region():
    broken = np.where(VOXELS == 7, np.nan, VOXELS)
    with pytest.raises(NonFiniteIntensityError, match="^a: "):
        rd.Case(broken, "whole", "a", spacing_mm=(1, 1, 1)).lesion()
    with pytest.raises(InputError, match="'roi_name' names a region in a file"):
        rd.Case("a.nii.gz", "whole", "a", roi_name="GTV")


def test_inspections_know_that_the_whole_image_was_asked_for(folder):
    case = rd.Case(folder / "a.nii.gz", "whole", "a")
    ones = rd.Case(VOXELS, np.ones(VOXELS.shape), "b", spacing_mm=(3, 0.7, 0.5))
    table = rd.inspect_cohort(rd.Cohort([case, ones])).table.set_index("id")
    assert "whole image" in table.loc["b", "odd"]
    assert "whole image" not in table.loc["a", "odd"]
    masks = rd.inspect_masks(rd.Cohort([case]))
    assert masks.table.empty
    assert not masks.errors
