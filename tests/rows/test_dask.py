"""On a Dask cluster: the numbers, errors and warnings of a run in this process, also if workers are killed."""

import os
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager

import cloudpickle
import joblib
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from joblib import delayed
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning, WorkerKilledError
from radiodeep.processes import cluster_of, results_of
from radiodeep.rows import rows_by_case

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import the tests


class Named:
    def __init__(self, id):
        self.id = id


def listed(*ids):
    return [Named(case_id) for case_id in ids]


@contextmanager
def cluster(**options):
    """Yield the client of a cluster that joblib is set to."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", **options}
    with (
        LocalCluster(**options) as local,
        Client(local) as client,
        joblib.parallel_config(backend="dask"),
    ):
        yield client


def measured(cases):
    for case in cases:
        if case.id == "zero":
            raise ZeroDivisionError("by zero")
        if case.id == "odd":
            warnings.warn("odd: flat", RadiodeepWarning, stacklevel=1)
    return [case.id.upper() for case in cases]


def tripled(table, row):
    return 3 * table[row]


def test_rows_errors_and_warnings_come_back_from_a_cluster():
    cases = listed(*"abcdefghijkl", "zero", "odd")
    with pytest.warns(RadiodeepWarning, match="flat"):
        expected = rows_by_case(measured, cases, on_error="record")
    with cluster(processes=False):
        with pytest.warns(RadiodeepWarning, match="odd: flat"):
            assert rows_by_case(measured, cases, on_error="record") == expected
        with pytest.raises(ZeroDivisionError, match="by zero"):
            rows_by_case(measured, cases[:13])
    assert expected[1] == {12: "ZeroDivisionError: zero: by zero"}


def test_results_come_in_the_order_of_the_tasks():
    with cluster(processes=False):
        assert list(results_of((delayed(divmod)(number, 7) for number in range(40)), None, 40)) == [
            divmod(number, 7) for number in range(40)
        ]


def threads(cases):
    return [threading.current_thread() for _ in cases]


def test_one_job_stays_in_this_process():
    here = threading.main_thread()
    with cluster(n_workers=1, processes=False):
        assert rows_by_case(threads, listed("a"), n_jobs=1)[0] == {0: here}
        assert rows_by_case(threads, listed("a"))[0] != {0: here}
        assert list(results_of([delayed(threading.current_thread)()], 1, 1)) == [here]


def test_workers_of_several_threads_are_warned_of(monkeypatch):
    with cluster(n_workers=1, processes=False) as client:
        monkeypatch.setattr(client, "ncores", lambda: {"inproc://a": 4, "tcp://b:1": 3})
        with pytest.warns(
            RadiodeepWarning, match="has 3 threads, and will compute one task at a time. Start"
        ) as caught:
            rows_by_case(measured, listed("a"))
    assert len(caught) == 1


def test_a_client_that_was_closed_is_refused():
    with cluster(n_workers=1, processes=False) as client:
        client.close()
        with pytest.raises(InputError, match="client of the Dask cluster is closed. Compute within the block"):
            cluster_of(None)


def test_a_scheduler_that_is_lost_is_named(monkeypatch):
    with cluster(n_workers=1, processes=False) as client:
        submit = client.submit

        def submitted_and_lost(*args, **options):
            future = submit(*args, **options)
            future.cancel()
            return future

        monkeypatch.setattr(client, "submit", submitted_and_lost)
        with pytest.raises(WorkerKilledError, match="connection to the scheduler of the Dask cluster was lost. Start"):
            rows_by_case(slowly, listed("a"))


def test_a_cluster_without_workers_is_refused():
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as local,
        Client(local),
        joblib.parallel_config(backend="dask", wait_for_workers_timeout=0.1),
        pytest.raises(InputError, match="The Dask cluster has no workers. Start some, with one thread each"),
    ):
        rows_by_case(measured, listed("a"))


def threads_of_worker(cases):
    import SimpleITK
    import torch
    from threadpoolctl import threadpool_info

    pools = [pool["num_threads"] for pool in threadpool_info()]
    itk = SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()
    nested = joblib.effective_n_jobs(None), joblib.effective_n_jobs(-1)
    return [(itk, torch.get_num_threads(), *nested, *pools) for _ in cases]


@pytest.mark.slow
def test_studies_tables_and_scores_equal_those_of_this_process(tmp_path):
    cohort = rd.read_cohort(rd.write_cohort(rd.make_phantom_cohort(12, random_state=0), tmp_path))
    shape = rd.RadiomicsExtractor(families=["shape"], bin_width=25)
    model = make_pipeline(shape, GaussianNB())
    models = {"bayes": model, "forest": make_pipeline(shape, RandomForestClassifier(10, random_state=0))}
    fitted = make_pipeline(shape, GaussianNB()).fit(cohort, cohort.labels)

    def all_of_them():
        broken = [*cohort, cohort[0].replace(id="broken", image=tmp_path / "none.nii.gz")]
        table = rd.extract_table(shape, broken, cache_dir=tmp_path / str(time.monotonic_ns()), on_error="record")
        deep = rd.extract_table(rd.DeepFeatureExtractor(n_threads=1), cohort)
        results = rd.cross_validate_models(models, cohort, cohort.labels)
        return table, deep, *(each.predictions for each in results.values()), rd.score_cohort(fitted, broken)

    expected = all_of_them()
    with cluster():
        computed = all_of_them()
        rows, _ = rows_by_case(threads_of_worker, listed("a"))
        assert set(rows[0]) == {1}
    for one, other in zip(expected, computed, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert list(computed[0].attrs["errors"]) == ["broken"]
    assert computed[0].attrs["errors"] == expected[0].attrs["errors"]


def slowly(cases):
    time.sleep(0.3)
    return [case.id for case in cases]


slowly.at_once = 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:A worker of the Dask cluster has 2 threads")
def test_workers_of_several_threads_in_another_folder_compute_one_task_at_a_time(tmp_path, monkeypatch):
    rd.write_cohort(rd.make_phantom_cohort(12, random_state=0), tmp_path)
    shape = rd.RadiomicsExtractor(families=["shape"], bin_width=25)
    with cluster(n_workers=1, threads_per_worker=2) as client:
        folders = client.run(os.getcwd)
        monkeypatch.chdir(tmp_path)
        cohort = rd.read_cohort("manifest.csv")
        assert not cohort[0].image.is_absolute()
        cases = [*cohort, cohort[0].replace(id="broken", image="none.nii.gz")]
        table = rd.extract_table(shape, cases, cache_dir="cache", on_error="record")
        begin_s = time.monotonic()
        rows_by_case(slowly, listed(*"abcd"))
        assert time.monotonic() - begin_s > 4 * 0.3
        assert client.run(os.getcwd) == folders
    expected = rd.extract_table(shape, cases, on_error="record")
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    assert table.attrs["errors"] == expected.attrs["errors"]
    assert len(list(tmp_path.glob("cache/*.row"))) == 12


def slow_task(number):
    time.sleep(0.3)
    return number


class Slow(GaussianNB):
    """A classifier whose tasks are still running when a worker is killed."""

    def fit(self, table, y):
        time.sleep(0.3)
        return super().fit(table, y)

    def predict_proba(self, table):
        time.sleep(0.1)
        return super().predict_proba(table)


def kill_one(client, after_s):
    """Kill a worker later, from a thread, without a chance to say so."""
    (process, *_) = client.run(os.getpid).values()
    timer = threading.Timer(after_s, os.kill, (process, signal.SIGKILL))
    timer.start()
    return timer


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_killed_worker_costs_nothing():
    cases = listed(*"abcdefghijkl")
    with cluster() as client:
        timer = kill_one(client, 0.8)
        assert rows_by_case(slowly, cases) == (dict(enumerate("abcdefghijkl")), {})
        timer.join()
        timer = kill_one(client, 0.8)
        assert list(results_of((delayed(slow_task)(number) for number in range(12)), -1, 12)) == list(range(12))
        timer.join()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_killed_worker_changes_no_table_score_or_study(tmp_path):
    cohort = rd.read_cohort(rd.write_cohort(rd.make_phantom_cohort(40, random_state=0), tmp_path))
    extractor = rd.RadiomicsExtractor(families=["shape", "glcm"], bin_width=25)
    model = make_pipeline(extractor, Slow())
    fitted = make_pipeline(extractor, Slow()).fit(cohort, cohort.labels)
    runs = [
        lambda: rd.extract_table(extractor, cohort),
        lambda: rd.score_cohort(fitted, cohort),
        lambda: rd.cross_validated_auc(model, cohort, cohort.labels, cv=5).predictions,
    ]
    expected = [run() for run in runs]
    with cluster() as client:
        for run, table in zip(runs, expected, strict=True):
            client.wait_for_workers(2)
            (killed, *_) = client.run(os.getpid).values()
            timer = kill_one(client, 0.3)
            pd.testing.assert_frame_equal(run(), table, check_exact=True)
            timer.join()
            client.wait_for_workers(2)
            assert killed not in client.run(os.getpid).values()


def deadly(cases):
    for case in cases:
        if case.id == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
    return [case.id for case in cases]


deadly.at_once = 4


def deadly_task(number):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_case_that_kills_every_worker_costs_no_other_case():
    import dask

    cases = listed(*"abcdef", "deadly", *"ghijklmnop")
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), cluster():
        rows, errors = rows_by_case(deadly, cases, on_error="record")
        assert rows == {position: case.id for position, case in enumerate(cases) if position != 6}
        assert list(errors) == [6]
        assert errors[6].startswith("WorkerKilledError: deadly: the process that computed it was killed twice")
        with pytest.raises(WorkerKilledError, match="Several workers of the Dask cluster in turn were killed"):
            list(results_of([delayed(deadly_task)(0)], -1, 1))
