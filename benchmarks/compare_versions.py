"""CPU time of two versions of radiodeep, measured alternately in fresh processes: minima and their ratios.

    python benchmarks/compare_versions.py BASE [NEW] [--rounds 5] [--only deep,study]

BASE and NEW are checkouts (NEW: this one by default). In every round each version gets new processes, and the two take
turns call by call, so that the load of the machine affects both alike. Libraries have one thread; the time of a task is
the smallest of its calls in all rounds, counted over all threads of the process. Above a ratio of 1 NEW is slower.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ENOUGH_S, FEWEST_CALLS = 0.4, 3  # a task is repeated until it has been called so often and has taken that long
START_TASKS = ("import", "import, all names", "first extraction")


def resident_mb():
    """Return the resident memory of this process, or its peak where the system has no /proc."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def start(task):
    """Return the CPU seconds of a start of radiodeep in this new process, and the memory in MB afterwards."""
    begin = time.process_time()
    import radiodeep as rd

    if task == "import, all names":
        for name in rd.__all__:
            getattr(rd, name)
    elif task == "first extraction":
        rd.RadiomicsExtractor().fit_transform(rd.make_phantom_cohort(1, random_state=0))
    return time.process_time() - begin, resident_mb()


def make_tasks(folder):
    """Return {name: function that takes the time}, with all that they need prepared."""
    import numpy as np
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline, make_union

    import radiodeep as rd

    cohort = rd.make_phantom_cohort(20, random_state=0)
    rd.write_cohort(cohort, folder)
    manifest = f"{folder}/manifest.csv"
    image_types = {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0, 3.0]}}
    on_cpu = {"device": "cpu", "n_threads": 1}
    radiomics = rd.RadiomicsExtractor()
    filtered = rd.RadiomicsExtractor(bin_count=32, image_types=image_types)
    deep = rd.DeepFeatureExtractor(**on_cpu)
    deep_of_all = rd.DeepFeatureExtractor(slice="all", **on_cpu)
    tuned = rd.DeepFeatureExtractor(fine_tune=rd.FineTuning(n_iterations=3), **on_cpu)
    generator = np.random.default_rng(0)
    y = np.arange(120) % 2
    values = generator.normal(size=(120, 2000))
    values[:, :5] += y[:, np.newaxis]
    X = pd.DataFrame(values, [f"case-{row}" for row in range(120)], [f"f{column}" for column in range(2000)])
    of_table = make_pipeline(rd.ReliefF(10), GaussianNB())
    of_cases = make_pipeline(make_union(radiomics, deep), rd.ReliefF(5), GaussianNB())
    arch1, arch3 = (rd.CNNClassifier(name, epochs=2, n_views=4, **on_cpu) for name in ("arch1", "arch3"))
    model = make_pipeline(make_union(radiomics, deep), RandomForestClassifier(20, random_state=0))
    saved = rd.save_model(model.fit(cohort, cohort.labels), f"{folder}/model.skops")
    return {
        "handcrafted, in memory": lambda: radiomics.fit_transform(cohort),
        "handcrafted, from disk": lambda: radiomics.fit_transform(rd.read_cohort(manifest)),
        "handcrafted, wavelet + LoG": lambda: filtered.fit_transform(cohort[:5]),
        "handcrafted, table": lambda: rd.extract_table(radiomics, cohort, n_jobs=1),
        "deep": lambda: deep.fit_transform(cohort),
        "deep, from disk, all slices": lambda: deep_of_all.fit_transform(rd.read_cohort(manifest)),
        "selection, ReliefF 120 x 2000": lambda: rd.ReliefF(10).fit(values, y),
        "selection, SU 120 x 2000": lambda: rd.SymmetricUncertainty(10).fit(values, y),
        "selection, FCBF 120 x 2000": lambda: rd.FastCorrelationFilter(10).fit(values, y),
        "study, table, leave-one-out": lambda: rd.cross_validated_auc(of_table, X, y, n_jobs=1),
        "study, table, 5 x 10 folds": lambda: rd.cross_validated_auc(of_table, X, y, cv=10, n_repeats=5, n_jobs=1),
        "study, cases, leave-one-out": lambda: rd.cross_validated_auc(of_cases, cohort, cohort.labels, n_jobs=1),
        "training, CNN arch3": lambda: arch3.fit(cohort, cohort.labels),
        "training, CNN arch1": lambda: arch1.fit(cohort, cohort.labels),
        "training, fine-tuned features": lambda: tuned.fit(cohort, cohort.labels).transform(cohort),
        "score, from disk": lambda: rd.score_cohort(rd.load_model(saved), rd.read_cohort(manifest), n_jobs=1),
    }


def work():
    """Answer each task name from stdin with the CPU seconds of a call, until the parent closes the pipe."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        tasks = make_tasks(folder)
        print(json.dumps(list(tasks)), flush=True)
        for line in sys.stdin:
            call = tasks[line.strip()]
            begin = time.process_time()
            call()
            print(json.dumps(time.process_time() - begin), flush=True)


class Worker:
    """A new process with the version of a folder; `task` is one of START_TASKS or "work"."""

    def __init__(self, folder, task):
        threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
        environment = {**os.environ, **threads, "PYTHONPATH": str(folder), "RADIODEEP_PROGRESS": "0"}
        command = [sys.executable, str(Path(__file__).resolve()), str(folder), "--worker", task]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        # In another folder, so that no version is imported from the current one.
        self.process = subprocess.Popen(command, env=environment, cwd=tempfile.gettempdir(), text=True, **pipes)

    def read(self):
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"The process {' '.join(self.process.args)} failed, see above.")
        return json.loads(answer)

    def seconds(self, name):
        print(name, file=self.process.stdin, flush=True)
        return self.read()

    def close(self):
        self.process.communicate()


def measure_starts(versions, prefixes, smallest):
    """Lower smallest[task, version], seconds and MB, to those of one new process of each version per start task."""
    for task in START_TASKS:
        if task.startswith(prefixes):
            for version, folder in versions.items():
                worker = Worker(folder, task)
                figures = worker.read()
                worker.close()
                smallest[task, version] = tuple(map(min, smallest.get((task, version), figures), figures))


def measure_tasks(versions, prefixes, smallest):
    """Lower smallest[task, version], seconds and None, to the best of calls that two new processes make in turn."""
    workers = {version: Worker(folder, "work") for version, folder in versions.items()}
    names = [worker.read() for worker in workers.values()]
    for name in names[0]:
        if not name.startswith(prefixes):
            continue
        for worker in workers.values():
            worker.seconds(name)  # warms up
        seconds = {version: [] for version in workers}
        while any(sum(values) < ENOUGH_S or len(values) < FEWEST_CALLS for values in seconds.values()):
            for version, worker in workers.items():
                seconds[version].append(worker.seconds(name))
        for version, values in seconds.items():
            known = smallest.get((name, version), (float("inf"), None))[0]
            smallest[name, version] = min(known, *values), None
    for worker in workers.values():
        worker.close()


def compare(versions, rounds, prefixes):
    """Measure two versions, {"base": folder, "new": folder}, and print the smallest times and their ratios."""
    smallest = {}
    for number in range(rounds):
        in_order = dict(sorted(versions.items(), reverse=number % 2 == 1))
        measure_starts(in_order, prefixes, smallest)
        measure_tasks(in_order, prefixes, smallest)
    title = f"CPU time, minima of {rounds} rounds"
    print(f"{title:32s}{'base, ms':>12s}{'new, ms':>12s}{'ratio':>8s}{'memory, MB':>16s}")
    for name in dict.fromkeys(name for name, _ in smallest):
        (base_s, base_mb), (new_s, new_mb) = smallest[name, "base"], smallest[name, "new"]
        memory = "" if base_mb is None else f"{base_mb:.0f} -> {new_mb:.0f}"
        print(f"{name:32s}{1e3 * base_s:12.1f}{1e3 * new_s:12.1f}{new_s / base_s:8.2f}{memory:>16s}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="checkout to compare with")
    parser.add_argument("new", type=Path, nargs="?", default=REPOSITORY)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="tasks whose names begin with one of these, separated by commas")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker == "work":
        work()
    elif options.worker:
        print(json.dumps(start(options.worker)))
    else:
        versions = {"base": options.base.resolve(), "new": options.new.resolve()}
        compare(versions, options.rounds, tuple(options.only.split(",")))


if __name__ == "__main__":
    main()
