"""--dask computes on the cluster of a scheduler, and says so if there is none."""

import pytest
from distributed import LocalCluster

QUICK = ["--features", "handcrafted", "--bin-width", 25]


@pytest.mark.slow
def test_a_command_computes_on_a_cluster(folder, tmp_path, radiodeep, monkeypatch):
    manifest = folder / "new" / "manifest.csv"
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    assert radiodeep("extract", manifest, "-o", here, *QUICK, "--jobs", 1).code == 2
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        assert radiodeep("extract", manifest, "-o", there, *QUICK, "--dask", cluster.scheduler_address).code == 2
    assert there.read_bytes() == here.read_bytes()


def test_a_scheduler_that_does_not_answer_is_named(folder, tmp_path, radiodeep, monkeypatch):
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}):
        shared = ["extract", folder / "new" / "manifest.csv", "-o", tmp_path / "t.csv", "--dask"]
        done = radiodeep(*shared, "tcp://127.0.0.1:9")
        assert (done.code, done.out) == (1, "")
        assert "--dask: no Dask scheduler answers at 'tcp://127.0.0.1:9'. Give its address" in done.err
        assert "no Dask scheduler answers at 'none.json'" in radiodeep(*shared, "none.json").err
