"""Wrong settings are named as options of the command line."""

import pytest

QUICK = ["--features", "handcrafted", "--jobs", 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bin-width", -1], "Error: --bin-width must be a float > 0. Got -1.0 instead."),
        (["--bin-width", 5, "--bin-count", 9], "--bin-width and --bin-count exclude each other"),
        (["--params", "p.yaml", "--bin-count", 9], "--params sets all of the features. Leave out --bin-count"),
        (["--image-types", "Wavlet"], "Got 'Wavlet'. Did you mean 'Wavelet'?"),
        (["--image-types", ","], "--image-types is empty"),
        (["--image-types", "LoG"], "LoG in --image-types and --sigma, its widths in mm, go together"),
        (["--sigma", "1"], "--sigma belongs to the LoG filter"),
        (["--image-types", "LoG", "--sigma", "a"], "--sigma takes numbers separated by commas"),
    ],
)
def test_wrong_settings_are_named_as_options(options, message, known, tmp_path, radiodeep):
    done = radiodeep("extract", known, "-o", tmp_path / "t.csv", *QUICK, *options)
    assert done.code == 1
    assert message in done.err
