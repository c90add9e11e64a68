"""Whole studies from a cohort on disk: radiodeep beside a plain script, and the command line from a cold start.

    python benchmarks/study.py [--rounds 3] [--base CHECKOUT] [--only study,command]

"study": PET of soft-tissue sarcomas, 107 features, ReliefF's best 5 and naive Bayes inside each fold, leave-one-out, by
radiodeep, which fits 50 more folds for the interval, and by a script of pyradiomics, scikit-learn and fast-select (or
scikit-rebate, if only that is installed).
"command": `radiodeep study manifest.csv --features handcrafted --jobs 1`, with naive Bayes and the default model, of
this checkout and of another one (`--base`). Every run is a fresh process with one thread per library, and the programs
take turns, so that the load of the machine affects all alike. Printed are medians: wall clock from the start of the
process, CPU seconds of all its threads, the largest memory, and ratios of the medians. A warm-up round is not counted:
compiled code is in the cache then. The data are found as by benchmarks/results.py.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("RADIODEEP_REFERENCE_DATA", REPOSITORY.parent / "shared" / "data"))
MANIFEST = DATA / "sts_pet" / "manifest.csv"
ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "ITK_GLOBAL_DEFAULT")
} | {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "RADIODEEP_PROGRESS": "0"}  # fmt: skip


def by_radiodeep():
    """Print the AUC of the study by radiodeep."""
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import radiodeep as rd

    cohort = rd.read_cohort(MANIFEST)
    radiomics = rd.RadiomicsExtractor(bin_count=32)
    model = make_pipeline(radiomics, StandardScaler(), rd.ReliefF(n_features_to_select=5), GaussianNB())
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv="leave-one-out")
    print(f"AUC {result.auc:.3f}")


def by_plain_script():
    """Print the AUC of the same study, as a script of other packages computes it."""
    import logging

    import pandas as pd
    from radiomics.featureextractor import RadiomicsFeatureExtractor
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import LeaveOneOut, cross_val_predict
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    extractor = RadiomicsFeatureExtractor(binCount=32, additionalInfo=False)
    cohort = pd.read_csv(MANIFEST)
    rows = [
        extractor.execute(str(MANIFEST.parent / image), str(MANIFEST.parent / mask))
        for image, mask in zip(cohort["image"], cohort["mask"], strict=True)
    ]
    table = pd.DataFrame(rows).astype(float)
    model = make_pipeline(StandardScaler(), relieff_of_others(), GaussianNB())
    scores = cross_val_predict(model, table.to_numpy(), cohort["label"], cv=LeaveOneOut(), method="predict_proba")
    print(f"AUC {roc_auc_score(cohort['label'], scores[:, 1]):.3f}")


def relieff_of_others():
    """Return ReliefF with 10 neighbours, of fast-select or else of scikit-rebate."""
    try:
        from fast_select import ReliefF

        return ReliefF(n_features_to_select=5, n_neighbors=10, discrete_limit=0, backend="cpu", n_jobs=1)
    except ImportError:
        from skrebate import ReliefF

        return ReliefF(n_features_to_select=5, n_neighbors=10, n_jobs=1)


def run(command, folder, checkout=REPOSITORY):
    """Return wall clock seconds, CPU seconds, memory in MB and the last line that a fresh process prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(checkout)}
    timed = [sys.executable, __file__, "--timed", *command]
    done = subprocess.run(timed, capture_output=True, text=True, env=environment, cwd=folder)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    *_, said, memory = done.stdout.splitlines()
    return wall, cpu, float(memory), said


def timed(command):
    """Run a command as a process of its own and print its largest memory in MB."""
    done = subprocess.run([sys.executable, *command])
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    return done.returncode


def measured(programs, rounds, folder):
    """Print the medians of programs by name, (command, checkout), and the ratio of each to the last one."""
    runs = {name: [] for name in programs}
    said = {}
    for number in range(rounds + 1):
        for name, (command, checkout) in programs.items():
            *figures, said[name] = run(command, folder, checkout)
            if number:
                runs[name].append(figures)
    medians = {name: [median(column) for column in zip(*figures, strict=True)] for name, figures in runs.items()}
    *_, reference = medians
    for name, (wall, cpu, memory) in medians.items():
        ratios = [medians[reference][column] / medians[name][column] for column in (0, 1)]
        print(
            f"{name:34s} {wall:6.1f} s, CPU {cpu:5.1f} s, {memory:5.0f} MB; {reference} takes x{ratios[0]:.1f}, "
            f"CPU x{ratios[1]:.1f}   {said[name] if said[name].startswith('AUC') else ''}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", type=Path, help="another checkout, whose command line is measured too")
    parser.add_argument("--only", default="study,command")
    parser.add_argument("--program", choices=["radiodeep", "plain"], help=argparse.SUPPRESS)
    if sys.argv[1:2] == ["--timed"]:
        sys.exit(timed(sys.argv[2:]))
    options = parser.parse_args()
    if options.program:
        return {"radiodeep": by_radiodeep, "plain": by_plain_script}[options.program]()
    parts = options.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        if "study" in parts:
            checkouts = {"radiodeep": REPOSITORY} | ({"radiodeep, base": options.base} if options.base else {})
            programs = {name: ([__file__, "--program", "radiodeep"], path) for name, path in checkouts.items()}
            measured(
                programs | {"plain script": ([__file__, "--program", "plain"], REPOSITORY)}, options.rounds, folder
            )
        for model in ("naive-bayes", "auto") if "command" in parts else ():
            command = ["-m", "radiodeep", "study", str(MANIFEST), "-o", f"{folder}/report", "--jobs", "1"]
            command += ["--features", "handcrafted", "--model", model]
            programs = {f"radiodeep study --model {model}": (command, REPOSITORY)}
            programs |= {f"the same, {options.base.name}": (command, options.base)} if options.base else {}
            measured(programs, options.rounds, folder)


if __name__ == "__main__":
    main()
