"""Descriptions of image and region by hand; the published values are in test_ibsi_reference."""

import numpy as np
import pytest

from radiodeep import Case, RadiomicsExtractor
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.diagnostics import ibsi_diagnostics


@pytest.fixture
def case():
    image = np.arange(4 * 6 * 8, dtype=np.int16).reshape(4, 6, 8)
    mask = np.zeros(image.shape, np.uint8)
    mask[1:3, 1:5, 2:7] = 3
    return Case(image, mask, "block", spacing_mm=(3.0, 1.0, 2.0), mask_label=3)


def test_without_steps_all_stages_are_the_same(case):
    values = ibsi_diagnostics(RadiomicsExtractor(convention="ibsi"), case)
    assert values[["img_dim_x_init_img", "img_dim_y_init_img", "img_dim_z_init_img"]].tolist() == [8, 6, 4]
    assert values[["vox_dim_x_interp_img", "vox_dim_y_interp_img", "vox_dim_z_interp_img"]].tolist() == [2, 1, 3]
    assert values[["mean_int_init_img", "min_int_init_img", "max_int_init_img"]].tolist() == [95.5, 0, 191]
    for stage in ("init", "interp", "reseg"):
        bounds = [f"{name}_bb_dim_{axis}_{stage}_roi" for name in ("int_mask", "morph_mask") for axis in "xyz"]
        assert values[bounds].tolist() == [5, 4, 2, 5, 4, 2]
        assert values[f"int_mask_vox_count_{stage}_roi"] == 40
        assert values[f"int_mask_min_int_{stage}_roi"] == 58


def test_resegmentation_changes_the_intensity_mask_only(case):
    values = ibsi_diagnostics(RadiomicsExtractor(convention="ibsi", resegment_range=(0, 60)), case)
    assert values["int_mask_vox_count_reseg_roi"] == 3
    assert values["morph_mask_vox_count_reseg_roi"] == 40
    assert values["int_mask_mean_int_reseg_roi"] == 59
    assert values["int_mask_vox_count_interp_roi"] == 40


def test_it_describes_the_steps_of_pyradiomics_too(case):
    shape_too = RadiomicsExtractor(resegment_range=(0, 60), resegment_shape=True)
    values = ibsi_diagnostics(shape_too, case)
    assert values["morph_mask_vox_count_reseg_roi"] == 3
    assert values["morph_mask_vox_count_interp_roi"] == 40
    resampled = ibsi_diagnostics(RadiomicsExtractor(resample_mm=1.5, interpolator="linear"), case)
    assert resampled["vox_dim_x_interp_img"] == 1.5


def test_a_case_that_cannot_be_used_is_named(case):
    with pytest.raises(InputError, match="^block: "):
        ibsi_diagnostics(RadiomicsExtractor(convention="ibsi"), case.replace(mask_label=9))
