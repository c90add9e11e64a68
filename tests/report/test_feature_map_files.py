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


def test_a_picture_is_not_replaced_by_a_montage(manifest, tmp_path):
    cohort = rd.read_cohort(manifest)
    path = tmp_path / f"phantom-000_{MEAN}.png"
    path.write_bytes(b"an image of another case")
    other = rd.Case(path, manifest.parent / "phantom-001_mask.nii.gz", "phantom-001")
    with pytest.raises(InputError, match="phantom-000: the map would replace .*png', which is read"):
        rd.write_feature_maps(rd.RadiomicsExtractor(), rd.Cohort([cohort[0], other]), [MEAN], tmp_path)
    assert path.read_bytes() == b"an image of another case"


def test_maps_of_two_cases_do_not_share_a_file(manifest, tmp_path):
    """With one image, "b", its name may be left out: "a" + "b_original" and "a_b" + "original" are one file."""
    first, second = rd.read_cohort(manifest)
    cohort = rd.Cohort([first.replace(id="a", image={"b": first.image}), second.replace(id="a_b", image=second.image)])
    with pytest.raises(InputError, match="the extractor has no feature"):  # "b_..." is of the first case alone
        rd.write_feature_maps(rd.RadiomicsExtractor(), cohort[::-1], [f"b_{MEAN}"], tmp_path)
    with pytest.raises(InputError, match=f"a_b: the map of {MEAN} would have the same file as one of a, 'a_b_{MEAN}"):
        rd.write_feature_maps(rd.RadiomicsExtractor(), cohort, [f"b_{MEAN}", MEAN], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"radius": 6}, "'radius' parameter of write_feature_maps must be an int from 1 to 5. Got 6"),
        ({"masked": 1}, "'masked' parameter of write_feature_maps must be True or False"),
        ({"n_jobs": 0}, "'n_jobs' parameter of write_feature_maps must be None or an int other than 0"),
        ({"names": MEAN}, "'names' parameter of write_feature_maps must be a sequence of names. Got 'original_"),
        ({"names": []}, "'names' parameter of write_feature_maps must be a sequence of names"),
        ({"extractor": "pyradiomics"}, "'extractor' parameter of write_feature_maps must be a RadiomicsExtractor"),
        ({"cohort": []}, "'cohort' parameter of write_feature_maps must be a Cohort of cases"),
        ({"folder": None}, "'folder' parameter of write_feature_maps must be a path"),
    ],
)
def test_wrong_settings_are_refused_before_any_case(settings, message, manifest, tmp_path):
    given = {"extractor": rd.RadiomicsExtractor(), "cohort": rd.read_cohort(manifest), "names": [MEAN]}
    with pytest.raises(InputError, match=message):
        rd.write_feature_maps(**{**given, "folder": tmp_path, **settings})
    assert not list(tmp_path.iterdir())


def test_patients_are_not_cases(manifest, tmp_path):
    with pytest.raises(InputError, match="must be a Cohort of cases"):
        rd.write_feature_maps(rd.RadiomicsExtractor(), rd.read_cohort(manifest).by_patient(), [MEAN], tmp_path)
