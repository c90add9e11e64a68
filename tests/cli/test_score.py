"""`radiodeep score` opens models of other kinds by an option only."""

QUICK = ["--features", "handcrafted", "--jobs", 1]


def test_a_pickled_model_is_opened_by_an_option(known, cache, tmp_path, radiodeep):
    model = tmp_path / "m.joblib"
    assert radiodeep("train", known, "-o", model, "--cache", cache, *QUICK).code == 0
    shared = ["score", model, known, "-o", tmp_path / "s.csv", "--cache", cache, "--jobs", 1]
    done = radiodeep(*shared)
    assert done.code == 1
    assert "add --trusted" in done.err
    assert "load_model" not in done.err
    assert radiodeep(*shared, "--trusted").code == 0
