"""`radiodeep classify` prints the most probable classes of each picture."""

import re

import numpy as np
import pandas as pd
import timm
import torch
from PIL import Image
from safetensors.torch import save_file


def test_the_best_classes_are_printed_and_written(radiodeep, tmp_path):
    torch.manual_seed(0)
    save_file(timm.create_model("resnet10t").state_dict(), tmp_path / "weights.safetensors")
    Image.fromarray(np.full((80, 90, 3), 90, np.uint8)).save(tmp_path / "a.png")
    table = tmp_path / "classes.csv"
    done = radiodeep(
        "classify", tmp_path / "a.png", "--network", "resnet10t", "--weights", tmp_path / "weights.safetensors",
        "-o", table,
    )  # fmt: skip
    assert done.code == 0, done.err
    written = pd.read_csv(table)
    lines = [f"  {row.probability:6.1%}  {row.name_}" for row in written.rename(columns={"name": "name_"}).itertuples()]
    assert [str(tmp_path / "a.png"), *lines] == [line for line in done.out.splitlines() if line]
    assert len(lines) == 3
    assert re.fullmatch(r"n\d{8}", written["synset"][0])
