"""`radiodeep networks` shows the published networks."""

import pandas as pd

import radiodeep as rd


def test_all_networks_are_listed_with_what_they_are_shown(tmp_path, radiodeep):
    done = radiodeep("networks", "-o", tmp_path / "networks.csv")
    assert done.code == 0, done.err
    names = [line.split()[0] for line in done.out.splitlines()[2:]]
    assert names == rd.published_networks().index.tolist()
    assert "RAS" in done.out.splitlines()[3]
    written = pd.read_csv(tmp_path / "networks.csv", index_col="name")
    assert written.loc["vista3d", ["spacing_mm", "orientation", "n_features"]].tolist() == [1.5, "RAS", 768]


def test_one_network_is_shown_with_its_page_and_the_command_to_use_it(radiodeep):
    done = radiodeep("networks", "models-genesis")
    assert "weights: huggingface.co/MrGiovanni/ModelsGenesis" in done.out
    assert "remark: Trained on the voxels of the scanner" in done.out
    command = done.out.splitlines()[-1]
    assert command.startswith("radiodeep extract ")
    assert command.endswith(" --network models-genesis --weights FILE")


def test_a_misspelt_name_is_refused_with_the_right_one(radiodeep):
    done = radiodeep("networks", "ctfm")
    assert done.code == 1
    assert "There is no network 'ctfm' in the list. Did you mean 'ct-fm'?" in done.err
