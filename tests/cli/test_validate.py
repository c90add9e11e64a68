"""`radiodeep validate` names what is odd or wrong."""

import pandas as pd
from matplotlib.image import imread


def test_validate_shows_the_cases_and_names_the_broken_ones(folder, tmp_path, radiodeep):
    done = radiodeep("validate", folder / "new" / "manifest.csv", "-o", tmp_path / "v.csv", "--jobs", 1)
    assert done.code == 2
    assert "5 of 8 cases can be used" in done.out
    assert "3 cases could not be used" in done.err
    assert "phantom-019: the mask outlines no voxel" in done.err
    table = pd.read_csv(tmp_path / "v.csv", index_col="id")
    assert table["error"].notna().sum() == 3
    assert table.loc["phantom-016", "volume_mm3"] > 0


def test_validate_draws_a_montage_of_the_lesions(folder, tmp_path, radiodeep):
    done = radiodeep("validate", folder / "new" / "manifest.csv", "--montage", tmp_path / "lesions.png", "--jobs", 1)
    assert done.code == 2
    assert f"Every lesion with its outline: {tmp_path / 'lesions.png'}" in " ".join(done.out.split())
    assert imread(tmp_path / "lesions.png").shape[1] > 800
    done = radiodeep("validate", folder / "new" / "manifest.csv", "--montage", tmp_path / "lesions.jpg")
    assert done.code == 1
    assert "--montage must end in .png" in done.err
