"""`radiodeep map` writes maps and pictures, and names the cases that fail."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

import radiodeep as rd

CONTRAST = "original_glcm_Contrast"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return rd.write_cohort(rd.make_phantom_cohort(3, random_state=0), tmp_path_factory.mktemp("map"))


def test_maps_and_pictures_of_a_case_are_written(manifest, tmp_path, radiodeep):
    more = ["--feature", "original_firstorder_Mean", "--bin-width", 25, "--radius", 2, "--jobs", 1]
    done = radiodeep("map", manifest, "--feature", CONTRAST, *more, "--case", "phantom-001", "-o", tmp_path)
    assert done.code == 0, done.err
    assert "Wrote maps of 2 features of 1 of 1 cases" in done.out
    stems = [f"phantom-001_{name}" for name in (CONTRAST, "original_firstorder_Mean")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{stem}{suffix}" for stem in stems for suffix in (".nii.gz", ".png")
    )
    case = rd.read_cohort(manifest)[1]
    expected = rd.feature_map(rd.RadiomicsExtractor(bin_width=25), case, CONTRAST, radius=2)
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{stems[0]}.nii.gz")))
    np.testing.assert_allclose(written, np.nan_to_num(expected.values), rtol=1e-6)


def test_a_case_that_fails_is_named_and_the_others_are_written(manifest, tmp_path, radiodeep):
    frame = pd.read_csv(manifest)
    folder = tmp_path / "broken"
    folder.mkdir()
    for column in ("image", "mask"):
        frame[column] = [str(manifest.parent / name) for name in frame[column]]
    frame.loc[0, "image"] = str(folder / "none.nii.gz")
    frame.to_csv(folder / "manifest.csv", index=False)
    done = radiodeep("map", folder / "manifest.csv", "--feature", CONTRAST, "--out", tmp_path / "maps", "-j", 1)
    assert done.code == 2
    assert f"Wrote maps of {CONTRAST} of 2 of 3 cases" in done.out
    assert "phantom-000" in done.err
    errors = pd.read_csv(tmp_path / "maps" / "errors.csv")
    assert errors["id"].tolist() == ["phantom-000"]
    assert len(list((tmp_path / "maps").glob("*.png"))) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--feature", "original_glcm_Contras"], "no feature 'original_glcm_Contras'. Did you mean"),
        (["--feature", "wavelet-LLH_glcm_Contrast"], "Its features are those of its families and --image-types."),
        (["--feature", "original_shape_Sphericity"], "'original_shape_Sphericity' has no map"),
        (["--feature", CONTRAST, "--case", "phantom-9"], "--case must be the id of a case in the manifest. Got"),
        (["--feature", CONTRAST, "--radius", 6], "Invalid value for '--radius'"),
        ([], "Missing option '--feature'"),
    ],
)
def test_wrong_options_are_one_sentence(arguments, message, manifest, tmp_path, radiodeep):
    done = radiodeep("map", manifest, *arguments, "-o", tmp_path / "maps")
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_help_has_an_example_and_fits_80_columns(radiodeep):
    done = radiodeep("map", "-h")
    assert "radiodeep map" in done.out.split("Example:")[1]
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_command_starts_without_heavy_libraries():
    code = "import radiodeep.cli.map, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "sklearn", "matplotlib", "SimpleITK", "numba", "joblib"}.isdisjoint(done.stdout.split())
