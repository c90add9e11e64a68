"""Files with the maps of a cohort: their names, what they must not replace, and the cases that fail."""

import numpy as np
import pytest

import radiodeep as rd
from radiodeep.exceptions import InputError, ManifestError

MEAN = "original_firstorder_Mean"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return rd.write_cohort(rd.make_phantom_cohort(2, random_state=0), tmp_path_factory.mktemp("maps"))


def test_names_of_files_are_safe(manifest, tmp_path):
    case = rd.read_cohort(manifest)[0].replace(id="a/b c")
    errors = rd.write_feature_maps(rd.RadiomicsExtractor(), rd.Cohort([case]), [MEAN], tmp_path)
    assert errors == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a_b_c_{MEAN}.nii.gz", f"a_b_c_{MEAN}.png"]


def test_cases_whose_files_would_have_one_name_are_refused(manifest, tmp_path):
    first, second = rd.read_cohort(manifest)
    cohort = rd.Cohort([first.replace(id="a b"), second.replace(id="a_b")])
    with pytest.raises(ManifestError, match="These ids give the same file name: a_b"):
        rd.write_feature_maps(rd.RadiomicsExtractor(), cohort, [MEAN], tmp_path)


def test_a_case_that_fails_leaves_the_others(manifest, tmp_path):
    first, second = rd.read_cohort(manifest)
    cohort = rd.Cohort([first.replace(mask=np.zeros(first.roi.shape, np.uint8)), second])
    errors = rd.write_feature_maps(rd.RadiomicsExtractor(), cohort, [MEAN], tmp_path)
    assert list(errors) == [first.id]
    assert errors[first.id].startswith(f"EmptyMaskError: {first.id}:")
    assert (tmp_path / f"{second.id}_{MEAN}.png").stat().st_size > 10_000


def test_an_image_is_not_replaced_by_a_map(manifest):
    cohort = rd.read_cohort(manifest)
    path = manifest.parent / f"phantom-000_{MEAN}.nii.gz"
    path.write_bytes((manifest.parent / "phantom-000_image.nii.gz").read_bytes())
    case = rd.Case(path, manifest.parent / "phantom-000_mask.nii.gz", "phantom-000")
    with pytest.raises(InputError, match="phantom-000: the map would replace .* which is read. Give another folder"):
        rd.write_feature_maps(rd.RadiomicsExtractor(), rd.Cohort([case, cohort[1]]), [MEAN], manifest.parent)
