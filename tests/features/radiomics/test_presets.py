"""Sets of features by name."""

import numpy as np
import pytest

from radiodeep import Case, RadiomicsExtractor, make_phantom_cohort
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.presets import PRESETS

COHORT = make_phantom_cohort(2, random_state=0)
SLICES = [Case(case.voxels[12:13], case.roi[12:13], case.id, case.spacing_mm) for case in COHORT]


@pytest.mark.parametrize(("name", "cases"), [("study-219", COHORT), ("study-219-2d", SLICES)])
def test_both_sets_have_219_finite_features_that_are_not_all_alike(name, cases):
    extractor = RadiomicsExtractor.preset(name, bin_width=10)
    names = extractor.get_feature_names_out()
    table = extractor.fit_transform(cases)
    assert table.shape == (2, 219)
    assert len(set(names)) == 219
    assert np.isfinite(table).all()
    assert (table[0] != table[1]).mean() > 0.95
    families = {name.split("_")[1].removesuffix("2D") for name in names}
    assert families == {"shape", "spiculation", "margin", "firstorder", "glcm", "glrlm", "laws"}
    assert extractor.bin_width == 10
    assert sum("wavelet" in name for name in names) == {"study-219": 8 * 20, "study-219-2d": 4 * 31}[name]


def test_a_name_that_is_no_preset_is_refused_with_those_that_are():
    with pytest.raises(InputError, match="'name'.*one of study-219, study-219-2d. Got 'study219'.*mean 'study-219'"):
        RadiomicsExtractor.preset("study219")
    assert all(name in RadiomicsExtractor.preset.__doc__ for name in PRESETS)


def test_the_margin_is_measured_in_the_original_image_only():
    extractor = RadiomicsExtractor(families=["margin", "firstorder"], image_types=["Square", "Original"])
    names = extractor.get_feature_names_out().tolist()
    assert sum("_margin_" in name for name in names) == sum("original_margin_" in name for name in names) == 12
    alone = RadiomicsExtractor(families=["margin"]).fit_transform(COHORT)
    np.testing.assert_array_equal(extractor.fit_transform(COHORT)[:, ["_margin_" in name for name in names]], alone)
    only = RadiomicsExtractor(families=["margin"], image_types=["Square", "Original"])
    np.testing.assert_array_equal(only.fit_transform(COHORT), alone)
    with pytest.raises(InputError, match="'margin' needs the original image: add 'Original' to image_types"):
        RadiomicsExtractor(families=["margin"], image_types=["Square"]).fit(COHORT)


def test_a_changed_extractor_leaves_the_preset_as_it_is():
    RadiomicsExtractor.preset("study-219").families["shape"] = ["Elongation"]
    assert len(RadiomicsExtractor.preset("study-219").get_feature_names_out()) == 219
