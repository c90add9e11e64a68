"""Features of cases: from what was read, from the cache only if it is right, and no row computed twice."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.pipeline import FeatureUnion

from radiodeep import (
    Case,
    Cohort,
    DeepFeatureExtractor,
    RadiomicsExtractor,
    make_phantom_cohort,
    read_cohort,
    write_cohort,
)
from radiodeep.cases.formats.nifti import read_nifti
from radiodeep.exceptions import AmbiguousMaskError, OutputError, RadiodeepWarning
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.rows import cache as cache_module
from radiodeep.rows import extract_rows

try:
    import cloudpickle
except ImportError:  # older releases of joblib carry it
    from joblib.externals import cloudpickle

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import the tests

COHORT = make_phantom_cohort(6, random_state=3)


class Counting(StatelessExtractor):
    """The volume of a region; each case that is computed leaves a line in a file."""

    def __init__(self, log, seconds=0.0, needs_batches=False):
        self.log = log
        self.seconds = seconds
        self.needs_batches = needs_batches

    def fit(self, cases, y=None):
        return self

    def transform(self, cases):
        rows = []
        for case in cases:
            time.sleep(self.seconds)
            with open(self.log, "a") as file:
                file.write(f"{case.id}\n")
            rows.append([case.roi_size_mm, float(case.voxels.sum())])
        return np.array(rows)

    def get_feature_names_out(self, input_features=None):
        return np.array(["volume", "sum"], dtype=object)

    def settings(self):
        return {}

    def computed(self):
        path = Path(self.log)
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def counting(tmp_path):
    return Counting(str(tmp_path / "log"))


def rows_of(extractor, cases, cache_dir=None, **options):
    values, errors = extract_rows({"": extractor}, cases, cache_dir=cache_dir, **options)
    assert not errors
    return values[""]


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_cases_of_one_id_keep_their_own_rows(tmp_path, n_jobs):
    cases = [case.replace(id="same") for case in COHORT]
    shape = RadiomicsExtractor(families=["shape"])
    expected = shape.transform(list(COHORT))
    np.testing.assert_array_equal(rows_of(shape, cases, n_jobs=n_jobs), expected)
    np.testing.assert_array_equal(rows_of(shape, cases, tmp_path, n_jobs=n_jobs), expected)
    np.testing.assert_array_equal(rows_of(shape, cases, tmp_path, n_jobs=n_jobs), expected)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_networks_give_the_same_rows_with_and_without_cache(tmp_path, n_jobs):
    deep = DeepFeatureExtractor(n_threads=1)
    expected = rows_of(deep, list(COHORT))
    np.testing.assert_array_equal(rows_of(deep, list(COHORT), tmp_path, n_jobs=n_jobs), expected)
    np.testing.assert_array_equal(rows_of(deep, list(COHORT), tmp_path, n_jobs=n_jobs), expected)


@pytest.mark.skipif(joblib.cpu_count() < 2, reason="one core has no workers")
@pytest.mark.parametrize(
    ("extractor", "tolerance"),
    [
        (RadiomicsExtractor(bin_width=25), 1e-10),  # loops compiled here and those loaded by workers round differently
        pytest.param(DeepFeatureExtractor(), 0, marks=pytest.mark.slow),
    ],
)
def test_rows_are_the_same_wherever_they_are_computed(monkeypatch, extractor, tolerance):
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
    cohort = make_phantom_cohort(12, random_state=0)
    monkeypatch.setattr("radiodeep.processes.processes_pay", lambda *_: False)
    stayed = rows_of(extractor, cohort, n_jobs=-1)
    monkeypatch.setattr("radiodeep.processes.processes_pay", lambda *_: True)
    for n_jobs in (-1, joblib.cpu_count()):
        np.testing.assert_allclose(rows_of(extractor, cohort, n_jobs=n_jobs), stayed, rtol=tolerance)


@pytest.mark.parametrize("name", ["image.mhd", "image.nhdr"])
def test_changed_voxels_of_a_detached_header_are_other_voxels(tmp_path, counting, name):
    import SimpleITK as sitk

    sitk.WriteImage(sitk.GetImageFromArray(np.full((3, 4, 5), 7, np.int16)), str(tmp_path / name))
    mask = np.ones((3, 4, 5), np.uint8)
    assert rows_of(counting, [Case(tmp_path / name, mask, "a")], tmp_path / "cache")[0, 1] == 420
    raw = tmp_path / "image.raw"
    raw.write_bytes(np.full(60, 8, np.int16).tobytes())
    assert rows_of(counting, [Case(tmp_path / name, mask, "a")], tmp_path / "cache")[0, 1] == 480


def test_a_file_replaced_after_reading_does_not_leave_its_old_row_under_the_new_voxels(tmp_path, counting):
    stored = list(read_cohort(write_cohort(COHORT[:2], tmp_path)))
    first = stored[0]
    old = first.voxels.sum()  # stays in memory
    (tmp_path / "phantom-000_image.nii.gz").write_bytes((tmp_path / "phantom-001_image.nii.gz").read_bytes())
    (tmp_path / "phantom-000_mask.nii.gz").write_bytes((tmp_path / "phantom-001_mask.nii.gz").read_bytes())
    assert rows_of(counting, [first], tmp_path / "cache")[0, 1] == old
    fresh = Case(first.image, first.mask, "phantom-000")
    assert rows_of(counting, [fresh], tmp_path / "cache")[0, 1] == COHORT[1].voxels.sum()


def test_equal_voxels_are_computed_once_whatever_their_names(tmp_path, counting):
    case = COHORT[0]
    spellings = [case, case.replace(id="b", patient="p", label=1), case.replace(mask_label=1), case.in_memory()]
    counting.set_params(needs_batches=True)
    rows = rows_of(counting, spellings, tmp_path / "cache")
    assert len(counting.computed()) == 1
    assert (rows == rows[0]).all()


def test_40_of_40_flipped_bits_are_computed_again_and_replaced(tmp_path, counting):
    expected = rows_of(counting, COHORT, tmp_path / "cache")
    path = next((tmp_path / "cache").glob("*.row"))
    whole = path.read_bytes()
    for position in random.Random(0).sample(range(8 * len(whole)), 40):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        Path(counting.log).unlink()
        np.testing.assert_array_equal(rows_of(counting, COHORT, tmp_path / "cache"), expected)
        assert len(counting.computed()) == 1
        assert path.read_bytes() == whole


@pytest.mark.parametrize("needs_batches", [False, True])
def test_rows_before_a_failure_are_kept_and_failing_cases_are_named_by_position(tmp_path, counting, needs_batches):
    broken = Case(np.zeros((4, 4, 4)), np.zeros((4, 4, 4)), "broken", (1, 1, 1))
    counting.set_params(needs_batches=needs_batches)
    cases = [*COHORT[:3], broken, *COHORT[3:]]
    values, errors = extract_rows({"a": counting}, cases, cache_dir=tmp_path / "cache", on_error="record")
    assert list(errors) == [3]
    assert errors[3].startswith("EmptyMaskError: broken: ")
    assert np.isnan(values["a"]).all(axis=1).tolist() == [False] * 3 + [True] + [False] * 3
    rows_of(counting, COHORT, tmp_path / "cache")
    assert sorted(counting.computed()) == COHORT.ids
    assert not list((tmp_path / "cache").glob("*.claim"))


def test_extractors_with_labels_of_their_own_measure_their_own_regions(tmp_path):
    mask = np.zeros((6, 8, 8), np.uint8)
    mask[1:5, 1:4, 1:4], mask[1:5, 1:7, 5:7] = 1, 2
    image = np.random.default_rng(0).normal(0, 50, mask.shape)
    case = Case(image, mask, "both", spacing_mm=(1, 1, 1))
    shapes = {label: RadiomicsExtractor(families=["shape", "firstorder"], label=label) for label in (1, 2)}
    expected = {label: shape.transform([case.replace(mask_label=label)]) for label, shape in shapes.items()}
    assert (expected[1] != expected[2]).any()
    for cache_dir in (None, tmp_path, tmp_path):
        values, _ = extract_rows(shapes, [case], cache_dir=cache_dir)
        for label in shapes:
            np.testing.assert_array_equal(values[label], expected[label])
            np.testing.assert_array_equal(rows_of(shapes[label], [case], cache_dir), expected[label])
    of_case = case.replace(mask_label=2)  # comes before the extractor's
    np.testing.assert_array_equal(rows_of(shapes[1], [of_case], tmp_path), expected[2])
    with pytest.raises(AmbiguousMaskError, match="^both: the mask holds several labels"):
        rows_of(RadiomicsExtractor(), [case], tmp_path)


def test_warnings_about_a_case_come_with_its_row_from_the_cache(tmp_path):
    flat = Case(np.full((5, 5, 5), 9), np.ones((5, 5, 5)), "any", spacing_mm=(1, 1, 1))
    for name in ("first", "second"):
        with pytest.warns(RadiodeepWarning, match=f"^{name}: all intensities .* fall into one grey level"):
            rows_of(RadiomicsExtractor(families=["glcm"]), [flat.replace(id=name)], tmp_path)


def test_warnings_that_were_ignored_come_with_the_row_when_they_are_not(tmp_path):
    flat = COHORT[0].replace(image=np.full(COHORT[0].voxels.shape, 7.0))
    extractor = RadiomicsExtractor(families=["glcm"])
    with warnings.catch_warnings(action="ignore"):
        extract_rows({"": extractor}, [flat], cache_dir=tmp_path)
    with pytest.warns(RadiodeepWarning, match="all intensities .* fall into one grey level"):
        extract_rows({"": extractor}, [flat], cache_dir=tmp_path)


def test_a_full_disk_is_a_warning_and_leaves_nothing(tmp_path, counting, monkeypatch):
    def full(path, flags, *rest):
        if "cache" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, flags, *rest)

    opened = os.open
    monkeypatch.setattr(os, "open", full)
    with pytest.warns(RadiodeepWarning, match=r"^6 rows are not in the cache: .* cannot be written: No space left"):
        rows = rows_of(counting, COHORT, tmp_path / "cache")
    monkeypatch.undo()
    np.testing.assert_array_equal(rows, counting.transform(list(COHORT)))
    assert not list((tmp_path / "cache").iterdir())


def test_a_cache_folder_that_cannot_be_made_ends_the_run_at_its_start(tmp_path, counting):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="The cache folder '.*file' cannot be created"):
        rows_of(counting, COHORT, tmp_path / "file")
    assert not counting.computed()


def test_the_claim_of_a_run_that_hangs_is_not_waited_for_forever(tmp_path, counting, monkeypatch):
    monkeypatch.setattr(cache_module, "_CLAIM_S", 0.5)
    monkeypatch.setattr(cache_module.RowCache, "claim", _claimed_first(cache_module.RowCache.claim))
    rows = rows_of(counting, COHORT, tmp_path / "cache")
    assert not np.isnan(rows).any()
    assert sorted(counting.computed()) == COHORT.ids


def _claimed_first(claim):
    """Return `claim`, before the first call of which another run has claimed the row."""
    seen = []

    def claimed(cache, key):
        if not seen:
            seen.append(claim(cache, key))
        return claim(cache, key)

    return claimed


RUN = """
import sys, time
import numpy as np
from radiodeep.rows import extract_rows

class Blob:
    mask_label = None

    def __init__(self, number):
        self.id = str(number)
        self.voxels = np.full(3, number)

    def in_memory(self):
        return self

    def replace(self, **changes):
        return self

    def content_hash(self):
        return self.id

class Slow:
    needs_batches = {needs_batches}

    def fit(self, cases):
        return self

    def transform(self, cases):
        rows = []
        for case in cases:
            time.sleep({seconds})
            with open({log!r}, "a") as file:
                file.write(case.id + "\\n")
            rows.append(case.voxels * 1.5)
        return np.array(rows)

    def get_feature_names_out(self):
        return ["a", "b", "c"]

    def settings(self):
        return dict()

values, _ = extract_rows(dict(a=Slow()), map(Blob, range(30)), n_jobs={n_jobs}, cache_dir={cache!r})
np.save(sys.argv[1], values["a"])
"""
EXPECTED = np.repeat(np.arange(30)[:, np.newaxis] * 1.5, 3, axis=1)


def _started(tmp_path, result, n_jobs=1, seconds=0.03, needs_batches=False):
    files = {"log": str(tmp_path / "log"), "cache": str(tmp_path / "cache")}
    script = RUN.format(n_jobs=n_jobs, seconds=seconds, needs_batches=needs_batches, **files)
    return subprocess.Popen([sys.executable, "-c", script, str(result)], stderr=subprocess.PIPE)


def _kill_and_finish(tmp_path, kills, n_jobs, in_flight):
    """Kill a run some times at random; the finished table is right, and only cases in work were lost."""
    chance = random.Random(0)
    log = tmp_path / "log"
    for number in range(kills):
        lines = len(log.read_text().split()) if log.exists() else 0
        run = _started(tmp_path, tmp_path / "never.npy", n_jobs=n_jobs)
        while run.poll() is None and not (log.exists() and len(log.read_text().split()) > lines):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.05))
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stderr.close()
        if (tmp_path / "never.npy").exists():  # all cases were done before this kill
            assert number >= kills // 2
            break
    time.sleep(1.0 if n_jobs > 1 else 0)  # for the processes of its pool
    run = _started(tmp_path, tmp_path / "result.npy", n_jobs=n_jobs)
    assert run.wait(timeout=120) == 0, run.stderr.read().decode()
    run.stderr.close()
    np.testing.assert_array_equal(np.load(tmp_path / "result.npy"), EXPECTED)
    assert 30 <= len(log.read_text().split()) <= 30 + kills * in_flight
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".row"}


def test_a_killed_run_continues_where_it_was(tmp_path):
    _kill_and_finish(tmp_path, kills=1, n_jobs=1, in_flight=1)


@pytest.mark.slow
@pytest.mark.parametrize(("n_jobs", "in_flight"), [(1, 1), (2, 2)])
def test_after_several_kills_at_most_the_cases_in_work_were_computed_twice(tmp_path, n_jobs, in_flight):
    _kill_and_finish(tmp_path, kills=8 if n_jobs == 1 else 4, n_jobs=n_jobs, in_flight=in_flight)


@pytest.mark.parametrize("needs_batches", [False, True])
def test_two_runs_with_one_folder_share_the_work(tmp_path, needs_batches):
    runs = [_started(tmp_path, tmp_path / f"{name}.npy", needs_batches=needs_batches) for name in "ab"]
    for name, run in zip("ab", runs, strict=True):
        assert run.wait(timeout=120) == 0, run.stderr.read().decode()
        run.stderr.close()
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), EXPECTED)
    assert len((tmp_path / "log").read_text().split()) == 30


class Sensitive(Counting):
    """Needs images of one spacing."""

    def acquisition_needs(self):
        return {"spacing"}


def mixed_files(folder):
    cases = [COHORT[0], COHORT[1].replace(spacing_mm=(3.0, 1.0, 1.0))]
    return list(read_cohort(write_cohort(Cohort(cases), folder)))


MIXED = (
    r"Sensitive: Spacing differs by more than a tenth: along z from 1\.5 mm \(phantom-000\) to 3 mm \(phantom-001\)\."
)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_cohort_of_mixed_spacing_is_warned_of_with_and_without_cache(tmp_path, n_jobs):
    cases = mixed_files(tmp_path)
    sensitive = Sensitive(str(tmp_path / "log"))
    for cache_dir in (None, tmp_path / "cache", tmp_path / "cache"):
        with pytest.warns(RadiodeepWarning, match=MIXED) as caught:
            extract_rows({"": sensitive}, cases, cache_dir=cache_dir, n_jobs=n_jobs)
        assert len(caught) == 1
    assert len(sensitive.computed()) == 4
    extract_rows({"": sensitive}, cases, compare=False)
    extract_rows({"": Counting(sensitive.log)}, cases)


@pytest.mark.parametrize("label", [None, 1])
def test_no_file_is_read_twice_to_compare_a_cohort(tmp_path, monkeypatch, label):
    cases, read = mixed_files(tmp_path), []
    monkeypatch.setattr("radiodeep.cases.readers.read_nifti", lambda path: read.append(path) or read_nifti(path))
    shape = RadiomicsExtractor(families=["shape"], label=label)
    for number, cache_dir in enumerate((None, tmp_path / "cache", tmp_path / "cache"), start=1):
        with pytest.warns(RadiodeepWarning, match=MIXED.replace("Sensitive", "RadiomicsExtractor")):
            extract_rows({"": shape}, [case.replace() for case in cases], cache_dir=cache_dir)
        assert len(read) == 4 * number


def test_extractors_with_a_label_and_those_in_a_union_compare_the_cohort_too(tmp_path):
    cases = mixed_files(tmp_path)
    labelled = Sensitive(str(tmp_path / "log"))
    labelled.get_params = lambda deep=True: {"label": 1}
    union = FeatureUnion([("a", Counting(labelled.log)), ("b", Sensitive(labelled.log))])
    twice = {"a": Sensitive(labelled.log), "b": Sensitive(labelled.log, needs_batches=True)}
    for extractors in ({"": labelled}, {"": union}, twice):
        with pytest.warns(RadiodeepWarning, match=MIXED) as caught:
            extract_rows(extractors, cases)
        assert len(caught) == 1


def test_cases_that_fail_are_not_compared(tmp_path):
    broken = Case(np.zeros((4, 4, 4)), np.zeros((4, 4, 4)), "broken", (9, 9, 9))
    _, errors = extract_rows({"": Sensitive(str(tmp_path / "log"))}, [COHORT[0], broken], on_error="record")
    assert list(errors) == [1]
