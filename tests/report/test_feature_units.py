"""Codes and units of features."""

import pytest

from radiodeep import RadiomicsExtractor
from radiodeep.handcrafted.catalogue import FAMILIES
from radiodeep.report.feature_units import feature_code, feature_unit


@pytest.mark.parametrize(
    ("name", "intensity_unit", "unit"),
    [
        ("original_shape_MeshVolume", "HU", "mm3"),
        ("original_shape_Maximum3DDiameter", "SUV", "mm"),
        ("original_shape2D_PerimeterSurfaceRatio", "none", "/mm"),
        ("original_shape2D_PixelSurface", "none", "mm2"),
        ("original_shape_Flatness", "HU", "1"),
        ("original_firstorder_TotalEnergy", "HU", "[hnsf'U]2.mm3"),
        ("original_firstorder_TotalEnergy", "none", "mm3"),
        ("wavelet-LLH_firstorder_Variance", "SUV", "g2/ml2{SUVbw}"),
        ("PET_gradient_firstorder_Energy", "SUV", "g2/ml2{SUVbw}/mm2"),
        ("gradient_firstorder_TotalEnergy", "HU", "[hnsf'U]2.mm"),
        ("gradient_firstorder_Mean", "none", "/mm"),
        ("lbp-3D-m1_firstorder_Mean", "HU", "1"),
        ("original_firstorder_Entropy", "HU", "1"),
        ("original_glcm_Contrast", "HU", "1"),
        ("original_margin_Contrast", "HU", "[hnsf'U]"),
        ("original_margin_GradientMean", "HU", "[hnsf'U]/mm"),
        ("original_margin_RelativeGradient", "HU", "/mm"),
        ("original_spiculation_LargestConcavityDepth", "HU", "mm"),
        ("original_spiculation_NumberOfConcavities", "HU", "1"),
        ("original_lbp2D_Uniform0", "HU", "1"),
        ("age", "HU", "1"),
    ],
)
def test_units_are_those_of_the_definition(name, intensity_unit, unit):
    assert feature_unit(name, intensity_unit)[0] == unit


def test_each_feature_of_an_image_has_a_code_of_its_own():
    names = RadiomicsExtractor(families=list(FAMILIES)).get_feature_names_out()
    codes = [feature_code(name) for name in names]
    assert len({code[:2] for code, _ in codes}) == len(names)
    assert {image for _, image in codes} == {"original"}
    assert max(len(meaning) for (_, _, meaning), _ in codes) <= 64  # characters in DICOM
