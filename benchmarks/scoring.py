"""Rows per second and peak memory of `score_to_file` for manifests of more and more rows.

    python benchmarks/scoring.py [--rows 1000 10000 100000] [--jobs 1] [--quick]

The rows name the same eight small images, so that the disk is not what is measured. A line is a process of its own:
rows, seconds, rows per second, and the largest memory of the process with its workers. --quick scores by the ids of the
cases without reading any image, which leaves the stream itself: manifest, workers, rows.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

os.environ.update({f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")})

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd


class ByName(ClassifierMixin, BaseEstimator):
    """Scores cases by their ids."""

    def fit(self, cases, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, cases):
        positive = np.array([zlib.crc32(case.id.encode()) / 2**32 for case in cases])
        return np.column_stack([1 - positive, positive])

    def predict(self, cases):
        return self.classes_[(self.predict_proba(cases)[:, 1] > 0.5).astype(int)]


def resident_bytes(pid):
    """Return the resident memory of a process and its children, 0 of those that have ended."""
    try:
        own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return 0
    return own + sum(map(resident_bytes, children))


def watch(peak):
    while True:
        peak[0] = max(peak[0], resident_bytes(os.getpid()))
        time.sleep(0.2)


def score(folder, n_rows, jobs, quick):
    cohort = rd.make_phantom_cohort(8, random_state=0)
    crop = np.s_[6:18, 12:32, 12:32]
    small = rd.Cohort([case.replace(image=case.image[crop], mask=case.mask[crop]) for case in cohort])
    with rd.write_cohort(small, folder).open() as file:
        header, *rows = file.read().splitlines()
    manifest = folder / "rows.csv"
    with manifest.open("w") as file:
        print(header, file=file)
        for row in range(n_rows):
            print(f"case-{row:07d},patient-{row:07d}", *rows[row % 8].split(",")[2:], sep=",", file=file)
    extractor = rd.RadiomicsExtractor(families=["firstorder"])
    model = ByName() if quick else make_pipeline(extractor, GaussianNB())
    model.fit(cohort, cohort.labels)
    peak = [0]
    threading.Thread(target=watch, args=[peak], daemon=True).start()
    begin = time.perf_counter()
    rd.score_to_file(model, manifest, folder / "scores.csv", n_jobs=jobs)
    seconds = time.perf_counter() - begin
    print(f"{n_rows:>9} rows {seconds:8.1f} s {n_rows / seconds:8.0f} rows/s {peak[0] / 2**20:6.0f} MB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if len(options.rows) == 1:
        with tempfile.TemporaryDirectory() as folder:
            score(Path(folder), options.rows[0], options.jobs, options.quick)
        return
    for n_rows in options.rows:
        extra = ["--quick"] if options.quick else []
        subprocess.run(
            [sys.executable, __file__, "--rows", str(n_rows), "--jobs", str(options.jobs), *extra], check=True
        )


if __name__ == "__main__":
    main()
