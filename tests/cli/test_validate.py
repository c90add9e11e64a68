"""`radiodeep validate` names what is odd or wrong."""

import pandas as pd


def test_validate_shows_the_cases_and_names_the_broken_ones(folder, tmp_path, radiodeep):
    done = radiodeep("validate", folder / "new" / "manifest.csv", "-o", tmp_path / "v.csv", "--jobs", 1)
    assert done.code == 2
    assert "5 of 8 cases can be used" in done.out
    assert "3 cases could not be used" in done.err
    assert "phantom-019: the mask outlines no voxel" in done.err
    table = pd.read_csv(tmp_path / "v.csv", index_col="id")
    assert table["error"].notna().sum() == 3
    assert table.loc["phantom-016", "volume_mm3"] > 0
