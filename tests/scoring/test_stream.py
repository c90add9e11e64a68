"""A file of scores is the same however often its run was killed, and as that of all cases at once."""

import os
import signal
import subprocess
import sys
import time
import zlib
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep.exceptions import InputError, ManifestError, OutputError, RadiodeepWarning
from radiodeep.files import write_table
from radiodeep.scoring import stream
from radiodeep.scoring.fingerprint import fingerprint
from radiodeep.scoring.journal import ScoreJournal

COHORT = rd.make_phantom_cohort(8, random_state=9)
MODEL = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB()).fit(COHORT, COHORT.labels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of small phantoms."""
    crop = np.s_[6:18, 12:32, 12:32]
    cases = [case.replace(image=case.image[crop], mask=case.mask[crop]) for case in COHORT]
    folder = tmp_path_factory.mktemp("stream")
    rd.write_cohort(rd.Cohort(cases), folder)
    return folder


@pytest.fixture(scope="module")
def manifest(folder):
    """40 rows of the same phantoms, some without a file."""
    return many_rows(folder, 40)


def many_rows(folder, n_rows, patients=None):
    known = rd.read_cohort(folder / "manifest.csv").frame
    rows = known.iloc[np.arange(n_rows) % len(known)].assign(id=[f"=case {row}" for row in range(n_rows)])
    rows["patient"] = [f"P{row if patients is None else row % patients}" for row in range(n_rows)]
    rows.iloc[5::11, rows.columns.get_loc("image")] = "missing.nii.gz"
    rows.to_csv(folder / f"rows{n_rows}{patients or ''}.csv", index=False)
    return folder / f"rows{n_rows}{patients or ''}.csv"


class ByName(ClassifierMixin, BaseEstimator):
    """Scores cases by their ids, without reading them; the id "=case 5" fails."""

    def __init__(self, salt=""):
        self.salt = salt

    def fit(self, cases, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, cases):
        if any(case.id == "=case 5" for case in cases):
            raise InputError("no such case")
        positive = np.array([zlib.crc32(f"{self.salt}{case.id}".encode()) / 2**32 for case in cases])
        return np.column_stack([1 - positive, positive])

    def predict(self, cases):
        return self.classes_[(self.predict_proba(cases)[:, 1] > 0.5).astype(int)]


BY_NAME = ByName().fit(None, [0, 1])


def stop(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_file_is_that_of_all_cases_at_once(manifest, tmp_path, suffix):
    expected = rd.score_cohort(MODEL, rd.read_cohort(manifest))
    write_table(expected, tmp_path / f"expected{suffix}", index=False)
    scored = rd.score_to_file(MODEL, manifest, tmp_path / "new" / f"scores{suffix}")
    if suffix == ".csv":
        assert scored.path.read_bytes() == (tmp_path / "expected.csv").read_bytes()
    else:
        pd.testing.assert_frame_equal(pd.read_parquet(scored.path), pd.read_parquet(tmp_path / "expected.parquet"))
    failed = expected[expected["error"] != ""]
    assert (scored.n_cases, scored.n_failed) == (40, len(failed)) == (40, 4)
    assert scored.failures == dict(zip(failed["id"], failed["error"], strict=True))
    errors = pd.read_csv(tmp_path / "new" / "scores.errors.csv")
    assert errors["id"].tolist() == [f"'{case_id}" for case_id in failed["id"]]
    assert set(errors["error"]) == {"FileUnreadableError"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"scores.errors.csv", f"scores{suffix}"}


def test_a_run_that_was_cut_off_at_any_byte_continues(manifest, tmp_path, monkeypatch):
    whole = rd.score_to_file(BY_NAME, manifest, tmp_path / "whole.csv").path.read_bytes()
    output = tmp_path / "scores.csv"
    part, sidecar = tmp_path / "scores.csv.part", tmp_path / "scores.csv.part.json"
    with monkeypatch.context() as patched:
        patched.setattr(stream, "_finish", stop)
        with pytest.raises(KeyboardInterrupt):
            rd.score_to_file(BY_NAME, manifest, output)
    assert not output.exists()
    rows, settings = part.read_bytes(), sidecar.read_text()
    ends = [position for position, byte in enumerate(rows) if byte == ord("\n")]
    scored = []
    monkeypatch.setattr(stream, "rows_by_case", counting(scored))
    for end, n_left in (
        (0, 40), (ends[0], 40), (ends[0] + 1, 40), (ends[8] + 1, 32), (ends[9], 32), (ends[31] + 7, 16), (len(rows), 0)
    ):  # fmt: skip
        for tail in (b"", b"\0" * 9):
            output.unlink(missing_ok=True)
            part.write_bytes(rows[:end] + tail)
            sidecar.write_text(settings)
            scored.clear()
            assert rd.score_to_file(BY_NAME, manifest, output).n_cases == 40
            assert len(scored) == n_left
            assert output.read_bytes() == whole
            assert not part.exists()


def counting(scored):
    """Return `rows_by_case` that notes the ids of its cases."""

    def rows_by_case(function, cases, **options):
        scored.extend(case.id for case in cases)
        return original(function, cases, **options)

    original = stream.rows_by_case
    return rows_by_case


def test_rows_of_several_lines_are_cut_off_as_a_whole(tmp_path):
    columns = {"id": str, "probability": float, "prediction": np.dtype("<U3"), "error": str}
    rows = [(f"n{row}", row / 3, "yes", 'a "quoted"\nline\r\0,') for row in range(16)]
    given = tmp_path / "s.csv", {"model": "a"}, columns, [row[0] for row in rows]
    with ScoreJournal(*given) as journal:
        journal.write(rows)
    text = (tmp_path / "s.csv.part").read_bytes()
    for end in range(len(text) - 30, len(text) + 1):
        (tmp_path / "s.csv.part").write_bytes(text[:end])
        with ScoreJournal(*given) as journal:
            assert journal.n_rows == (16 if end == len(text) else 8)
            frame = next(journal.blocks())
            assert frame["error"].tolist() == ['a "quoted"\nline\n,'] * journal.n_rows
            assert frame["probability"].tolist() == [row / 3 for row in range(journal.n_rows)]


def test_an_unfinished_output_of_another_model_or_without_resuming_begins_anew(manifest, tmp_path, monkeypatch):
    other = ByName("other").fit(None, [0, 1])
    scored = []
    monkeypatch.setattr(stream, "rows_by_case", counting(scored))
    expected = rd.score_to_file(other, manifest, tmp_path / "expected.csv").path.read_bytes()
    for model, options in ((BY_NAME, {}), (other, {"resume": False})):
        with monkeypatch.context() as patched:
            patched.setattr(stream, "_finish", stop)
            with pytest.raises(KeyboardInterrupt):
                rd.score_to_file(model, manifest, tmp_path / "s.csv")
        scored.clear()
        expects = pytest.warns(RadiodeepWarning, match="'s.csv.part' was computed with another model, so that")
        with nullcontext() if options else expects:
            rd.score_to_file(other, manifest, tmp_path / "s.csv", **options)
        assert len(scored) == 40
        assert (tmp_path / "s.csv").read_bytes() == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:9] + lines[10:],
        lambda lines: lines + [b"=case 1,0.1,0.9,1,,\n"] * 8,
        lambda lines: lines + [b"\xff\xfe\n"] * 8,
        lambda lines: [b"x" + lines[0], *lines[1:]],
        lambda lines: [line.replace(b",0.", b",none", 1) for line in lines],
    ],
)
def test_an_unfinished_output_that_was_changed_begins_anew(manifest, tmp_path, monkeypatch, change):
    whole = rd.score_to_file(BY_NAME, manifest, tmp_path / "whole.csv").path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(stream, "_finish", stop)
        with pytest.raises(KeyboardInterrupt):
            rd.score_to_file(BY_NAME, manifest, tmp_path / "s.csv")
    part = tmp_path / "s.csv.part"
    part.write_bytes(b"".join(change(part.read_bytes().splitlines(keepends=True))))
    with pytest.warns(RadiodeepWarning, match="'s.csv.part' was changed by another program, so that scoring begins"):
        rd.score_to_file(BY_NAME, manifest, tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_bytes() == whole
    part.write_bytes(whole)
    (tmp_path / "s.csv.part.json").write_text("[1]")
    assert rd.score_to_file(BY_NAME, manifest, tmp_path / "s.csv").n_cases == 40


@pytest.mark.parametrize("shard", [(0, 3), (4, 3), 3, (1.0, 3), "1/3"])
def test_a_shard_that_is_none_is_refused_before_anything_is_written(manifest, tmp_path, shard):
    with pytest.raises(InputError, match=r"A shard is a pair \(k, n\), with k from 1 to n, e.g. \(3, 20\). Got"):
        rd.score_to_file(BY_NAME, manifest, tmp_path / "s.csv", shard=shard)
    assert not list(tmp_path.iterdir())


def test_the_fingerprint_of_a_model_survives_saving(tmp_path):
    table = np.arange(24.0).reshape(12, 2) ** 2
    models = [RandomForestClassifier(5, random_state=seed).fit(table, [0, 1] * 6) for seed in (0, 1)]
    models.append(make_pipeline(rd.RadiomicsExtractor(), RandomForestClassifier(5)))
    trusted = [
        "sklearn.tree._tree.Tree",
        f"{rd.RadiomicsExtractor.__module__}.RadiomicsExtractor",
    ]
    for model in models:
        skops.io.dump(model, tmp_path / "model.skops")
        again = skops.io.load(tmp_path / "model.skops", trusted=trusted)
        assert fingerprint(again) == fingerprint(model)
    assert len(set(map(fingerprint, models))) == 3


def test_lesions_of_a_patient_may_stand_anywhere(folder, tmp_path):
    lesions = [case.replace(patient=f"P{row % 4}", label=row % 2) for row, case in enumerate(COHORT)]
    patients = rd.Cohort(lesions).by_patient()
    aggregator = rd.LesionAggregator(rd.RadiomicsExtractor(families=["shape"]), ["mean", "count"])
    model = make_pipeline(aggregator, GaussianNB()).fit(patients, patients.labels)
    manifest = many_rows(folder, 30, patients=7)
    write_table(rd.score_cohort(model, rd.read_cohort(manifest)), tmp_path / "expected.csv", index=False)
    scored = rd.score_to_file(model, manifest, tmp_path / "scores.csv")
    assert scored.n_cases == 7
    assert scored.path.read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_all_problems_of_a_manifest_are_told_before_a_case_is_scored(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("radiodeep.cases.manifests.file._BLOCK", 2)
    monkeypatch.setattr(stream, "rows_by_case", None)
    (tmp_path / "m.csv").write_text("id,image,mask,label\na,i,m,1\nb,i,,\nc,i,m,0\na,i,m,\nd,,m,\nc,i,m,\n")
    with pytest.raises(ManifestError) as caught:
        rd.score_to_file(MODEL, tmp_path / "m.csv", tmp_path / "scores.csv")
    assert str(caught.value).splitlines() == [
        "The manifest 'm.csv' cannot be used:",
        "- blank 'image' in line 6",
        "- blank 'mask' in line 3",
        "- the id 'a' stands in lines 2, 5; every case needs its own",
        "- the id 'c' stands in lines 4, 7; every case needs its own",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


def test_outputs_that_cannot_be_written_are_named(manifest, tmp_path):
    with pytest.raises(InputError, match=r"score_to_file writes .csv or .parquet. Got 's.xlsx'"):
        rd.score_to_file(MODEL, manifest, tmp_path / "s.xlsx")
    with pytest.raises(InputError, match="is the manifest, and would be overwritten"):
        rd.score_to_file(MODEL, manifest, manifest)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="s.csv' cannot be written"):
        rd.score_to_file(MODEL, manifest, tmp_path / "file" / "s.csv")
    if sys.platform != "win32":
        with (
            ScoreJournal(tmp_path / "s.csv", {}, {"id": str}, []),
            pytest.raises(OutputError, match="is being written by another run. Wait for its end"),
        ):
            rd.score_to_file(MODEL, manifest, tmp_path / "s.csv")


def test_an_error_that_is_raised_keeps_the_rows_before_it(manifest, tmp_path):
    with pytest.raises(InputError, match="no such case"):
        rd.score_to_file(BY_NAME, manifest, tmp_path / "s.csv", on_error="raise")
    assert (tmp_path / "s.csv.part").exists()
    assert rd.score_to_file(BY_NAME, manifest, tmp_path / "s.csv").n_failed == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes can only be killed on POSIX")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_killed_command_continues(folder, tmp_path, suffix):
    manifest = many_rows(folder, 1504)
    model = rd.save_model(MODEL, tmp_path / "model.skops")
    expected = rd.score_to_file(MODEL, manifest, tmp_path / f"expected{suffix}").path.read_bytes()
    output, part = tmp_path / f"scores{suffix}", tmp_path / f"scores{suffix}.part"
    command = [sys.executable, "-m", "radiodeep", "score", model, manifest, "-o", output, "--jobs", "2"]
    n_before = 1
    for _ in range(2):
        run = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") <= n_before):
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        assert not output.exists()
        n_after = part.read_bytes().count(b"\n")
        assert n_after > n_before
        n_before = n_after
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
    assert output.read_bytes() == expected
