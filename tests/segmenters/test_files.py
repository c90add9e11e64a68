"""Masks as files, with a manifest that leads to them."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.cases.writing import write_image
from radiodeep.exceptions import InputError, ManifestError
from radiodeep.segmenters.files import readable_cases, write_masks
from radiodeep.segmenters.segmenter import Segmenter


class BrightVoxels(Segmenter):
    """Outlines what is above 50, in the PET of a case if `image` says so, and never sees a mask."""

    def __init__(self, image=None):
        self.image = image

    def _mask(self, case):
        assert case.mask == "whole"
        return (case if self.image is None else case.of_image(self.image)).voxels > 50


@pytest.fixture
def sarcomas(tmp_path):
    return rd.read_cohort(rd.write_cohort(rd.make_study_cohort("sarcoma", 3), tmp_path / "images"))


def test_masks_lie_on_the_image_that_the_segmenter_takes(sarcomas, tmp_path):
    manifest, errors = write_masks(BrightVoxels("PET"), sarcomas, tmp_path / "masks")
    assert errors == {}
    written = rd.read_cohort(manifest)
    assert set(written.frame.columns) >= {"id", "image", "mask", "label", "age"}
    assert not [name for name in written.frame if name.startswith(("image_", "mask_"))]
    for case, source in zip(written, sarcomas.of_image("PET"), strict=True):
        np.testing.assert_array_equal(case.roi, source.voxels > 50)
        assert case.spacing_mm == pytest.approx(source.spacing_mm)


def test_a_case_in_which_nothing_is_found_is_an_error_and_has_no_row(sarcomas, tmp_path):
    pet = sarcomas.of_image("PET")
    dark = rd.Cohort([pet[0], pet[1].replace(image=np.zeros((4, 8, 8)), spacing_mm=(3, 1, 1)), pet[2]], pet.frame)
    manifest, errors = write_masks(BrightVoxels(), dark, tmp_path / "masks")
    assert errors == {pet[1].id: f"EmptyMaskError: {pet[1].id}: BrightVoxels found no region in the image."}
    assert pd.read_csv(manifest)["id"].tolist() == [pet[0].id, pet[2].id]


def test_ids_that_give_one_file_are_refused(sarcomas, tmp_path):
    pet = sarcomas.of_image("PET")
    twice = rd.Cohort([pet[0].replace(id="a b"), pet[1].replace(id="a_b")])
    with pytest.raises(ManifestError, match="give the same file name: a_b"):
        write_masks(BrightVoxels(), twice, tmp_path / "masks")


def test_masks_do_not_replace_images_or_masks_of_the_cohort(sarcomas):
    pet = sarcomas.of_image("PET")[:1]
    for name in ("image_PET", "mask_PET"):
        case = pet[0].replace(id=f"{pet[0].id}_{name}")
        with pytest.raises(
            InputError, match=rf"{case.id}: the mask would replace '.*_{name}\.nii\.gz', an image or mask"
        ):
            write_masks(BrightVoxels(), rd.Cohort([case]), pet[0].image.parent)


def test_images_may_be_nan_outside_the_body(tmp_path):
    voxels = np.full((4, 6, 5), np.nan)
    voxels[:, 2:] = 0
    voxels[1, 3] = 90
    images = {"": voxels, "none": voxels * np.nan}
    for name, image in images.items():
        write_image(image, tmp_path / f"n{name}.nii.gz", (3, 1, 2), direction=np.diag([1, -1, -1]))
    cohort = rd.Cohort([rd.Case(tmp_path / f"n{name}.nii.gz", "whole", f"n{name}") for name in images])
    manifest, errors = write_masks(rd.ThresholdSegmenter(), cohort, tmp_path / "masks")
    assert list(errors) == ["nnone"]
    assert "120 of 120 voxels of the region are NaN" in errors["nnone"]
    case = rd.read_cohort(manifest)[0]
    np.testing.assert_array_equal(case.roi, case.voxels == 90)
    assert case.roi.sum() == 5


def test_cases_that_cannot_be_read_are_left_out(sarcomas):
    pet = sarcomas.of_image("PET")
    pet[1].image.unlink()
    kept, errors = readable_cases(pet)
    assert kept.ids == [pet[0].id, pet[2].id]
    assert list(errors) == [pet[1].id]
    assert errors[pet[1].id].startswith("FileUnreadableError: ")
    assert readable_cases(sarcomas, "MR")[1] == {}
    with pytest.raises(InputError, match="None of the 1 cases can be used"):
        readable_cases(pet[[1]])
