"""`radiodeep train` refuses labels that are not classes."""

import pandas as pd
import pytest

QUICK = ["--features", "handcrafted", "--jobs", 1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1] * 16, "All 16 cases have the label 1. A model needs two classes."),
        ([1] * 15 + [0], "The label 0 has 1 of 16 cases. A model needs at least 2 of each"),
        ([""] * 16, "16 of 16 cases have no label"),
    ],
)
def test_train_refuses_labels_that_are_no_classes(labels, message, known, tmp_path, radiodeep):
    manifest = known.parent / f"{len(message)}.csv"
    pd.read_csv(known).assign(label=labels).to_csv(manifest, index=False)
    done = radiodeep("train", manifest, "-o", tmp_path / "m.skops", *QUICK)
    assert done.code == 1
    assert message in done.err
    assert not (tmp_path / "m.skops").exists()
