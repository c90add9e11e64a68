"""Speed of feature selection compared with fast-select, skrebate and Weka: median ratios of one run.

All engines have one thread and take turns within a round, so that the load of the machine affects all alike.
fast-select and skrebate (pip install fast-select skrebate) run in this process; Weka runs in a JVM of its own for each
row, which has loaded its table and is warmed up before it is timed:

    python benchmarks/selection.py [--weka weka.jar] [--slow] [--rounds 5] [--only "ReliefF 261"]

A ratio is the time of the other engine divided by that of radiodeep; in brackets stands the largest difference between
their scores. The time of all leave-one-out folds is given as the number of single fits that take as long, and compared
with one fit per fold.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path

# Read once, when numpy and numba are imported.
os.environ.update({f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")})

import numpy as np

import radiodeep as rd

TABLES = ((40, 4096), (261, 4315), (1000, 2000), (5000, 500))
DRAWN_TABLE, N_DRAWN = (50000, 500), 500
LEFT_OUT_TABLES = ((261, 4315), (40, 4096))
ENGINES = ("fast_select", "skrebate", "weka")
TURN_S = 0.1  # least duration of an engine's turn, unless a single call takes longer
ENOUGH_S = 30.0  # an engine that has been timed for this long skips the remaining rounds
WARM_S = 5.0  # of calls of Weka before timing starts; its JIT compiler has finished by then

JAVA = """
import java.io.*;
import java.util.Arrays;
import weka.attributeSelection.*;
import weka.core.*;

public class Timed {
    public static void main(String[] args) throws Exception {
        Instances table = new Instances(new BufferedReader(new FileReader(args[0])));
        table.setClassIndex(table.numAttributes() - 1);
        String[] options = Arrays.copyOfRange(args, 2, args.length);
        double[] scores = new double[table.numAttributes() - 1];
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));
        while (orders.readLine() != null) {
            Object evaluator = Class.forName(args[1]).getDeclaredConstructor().newInstance();
            ((OptionHandler) evaluator).setOptions(options.clone());
            long start = System.nanoTime();
            ((ASEvaluation) evaluator).buildEvaluator(table);
            for (int column = 0; column < scores.length; column++)
                scores[column] = ((AttributeEvaluator) evaluator).evaluateAttribute(column);
            long nanoseconds = System.nanoTime() - start;
            StringBuilder answer = new StringBuilder("answer " + nanoseconds / 1e9);
            for (double score : scores) answer.append(' ').append(score);
            System.out.println(answer);
        }
    }
}
"""


def make_table(shape):
    """Return noise with 5 informative columns, and two classes of equal size."""
    X = np.random.default_rng(0).normal(size=shape)
    y = np.arange(shape[0]) % 2
    X[:, :5] += y[:, np.newaxis]
    return X, y


class Missing(Exception):
    """The reason why an engine has no times, which its cell of the table shows."""


# ---- engines: functions without arguments -> (seconds, scores)


def timed(function):
    def call():
        start = time.perf_counter()
        scores = function()
        return time.perf_counter() - start, scores

    return call


def radiodeep(selector, X, y):
    return timed(lambda: selector.fit(X, y).scores_)


def left_out(selector, X, y):
    return timed(lambda: selector.scores_without_each(X, y))


def relieff_of(library, X, y, **options):
    try:
        selector = import_module(library).ReliefF(n_neighbors=10, n_features_to_select=10, n_jobs=1, **options)
    except ImportError:
        raise Missing("not installed") from None
    return timed(lambda: selector.fit(X, y).feature_importances_)


class Weka:
    """A JVM with one table and one evaluator."""

    def __init__(self, jar, folder, table, evaluator, *options):
        if jar is None or shutil.which("java") is None:
            raise Missing("not run")
        (folder / "Timed.java").write_text(JAVA)
        # The serial garbage collector has no threads of its own; Weka needs the package to be open.
        command = [
            "java",
            "-Djava.awt.headless=true",
            "-XX:+UseSerialGC",
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
        ]
        command += ["-cp", str(jar), str(folder / "Timed.java"), str(self.written(folder, *table))]
        self.process = subprocess.Popen(
            [*command, f"weka.attributeSelection.{evaluator}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "WEKA_HOME": str(folder)},  # Weka creates its package folders there
        )
        warm_up_s = 0.0
        while warm_up_s < WARM_S:
            warm_up_s += self()[0]

    @staticmethod
    def written(folder, X, y):
        """Return the path of a table as ARFF, whose texts give back the same values."""
        path = folder / f"{len(X)}x{X.shape[1]}.arff"
        if not path.exists():
            with path.open("w") as file:
                file.write("@relation table\n")
                file.writelines(f"@attribute x{column} numeric\n" for column in range(X.shape[1]))
                file.write("@attribute class {0,1}\n@data\n")
                for row, label in zip(X, y, strict=True):
                    file.write(",".join(map(repr, row.tolist())) + f",{label}\n")
        return path

    def __call__(self):
        try:
            print("again", file=self.process.stdin, flush=True)
            for line in self.process.stdout:  # skips whatever else is printed
                if line.startswith("answer "):
                    seconds, *scores = map(float, line.split()[1:])
                    return seconds, np.array(scores)
        except BrokenPipeError:
            pass
        raise Missing("failed")

    def close(self):
        self.process.kill()
        self.process.communicate()


# ---- rows


def measure(calls, rounds, samples):
    """Append the seconds of each call to samples, {engine: list}, and return the medians; engines take turns."""
    for _ in range(rounds):
        for engine, call in calls.items():
            until = time.perf_counter() + TURN_S
            while sum(samples[engine]) < ENOUGH_S:
                samples[engine].append(call()[0])
                if time.perf_counter() > until:
                    break
    return {engine: statistics.median(times) for engine, times in samples.items()}


def show_row(label, selector, table, others, rounds):
    """Print one row; `others` holds functions that prepare the other engines, or a text to show instead."""
    calls, samples, scores, cells = {}, {}, {}, {}
    with ExitStack() as stack:
        for engine, prepare in {"radiodeep": partial(radiodeep, selector, *table), **others}.items():
            try:
                if isinstance(prepare, str):
                    raise Missing(prepare)
                call = prepare()
                if isinstance(call, Weka):
                    stack.callback(call.close)
                seconds, scores[engine] = call()
            except Missing as reason:
                cells[engine] = str(reason)
                continue
            # The first call of compiled engines does not count. skrebate is plain Python and slow: one call is enough.
            samples[engine] = [seconds] if engine in ("weka", "skrebate") else []
            if engine != "skrebate":
                calls[engine] = call
        median_s = measure(calls, rounds, samples)
    for engine in set(scores) - {"radiodeep"}:
        difference = np.abs(scores[engine] - scores["radiodeep"]).max()
        cells[engine] = f"x{median_s[engine] / median_s['radiodeep']:.1f} ({difference:.0e})"
    line = f"{label:43s}{1e3 * median_s['radiodeep']:14.2f}"
    print(line + "".join(f"{cells[engine]:>18s}" for engine in ENGINES), flush=True)


def show_left_out(label, selector, table, rounds):
    """Print the time of the scores of all leave-one-out folds, of one fit, and of one fit per fold."""
    X, y = table
    folds = np.linspace(0, len(X) - 1, 5).astype(int)
    parts = [(np.delete(X, case, axis=0), np.delete(y, case)) for case in folds]
    apart = timed(lambda: np.array([selector.fit(*part).scores_ for part in parts]))
    calls = {"together": left_out(selector, X, y), "apart": apart, "single": radiodeep(selector, X, y)}
    scores = {name: call()[1] for name, call in calls.items()}
    n_without = int(np.isnan(scores["together"]).any(axis=1).sum())  # folds that need a fit of their own
    difference = np.nanmax(np.abs(scores["together"][folds] - scores["apart"]))
    median_s = measure(calls, rounds, {name: [] for name in calls})
    all_s, fits_s = median_s["together"], median_s["apart"] * len(X) / len(folds)
    line = f"{label:43s}{1e3 * all_s:14.2f}{all_s / median_s['single']:18.1f}"
    print(line + f"{f'x{fits_s / all_s:.1f} ({difference:.0e})':>18s}{n_without:>18d}", flush=True)


def show_first_calls():
    """Print the time of radiodeep's first calls, which load or compile its loops."""
    start = time.perf_counter()
    selectors = rd.ReliefF(), rd.SymmetricUncertainty()  # imports them
    parts = [f"import {time.perf_counter() - start:.2f} s"]
    X, y = make_table((40, 50))
    for selector in selectors:
        parts.append(f"{type(selector).__name__} {radiodeep(selector, X, y)()[0]:.2f} s")
        parts.append(f"its scores_without_each {left_out(selector, X, y)()[0]:.2f} s")
    print("first calls of radiodeep in this process: " + ", ".join(parts) + "\n", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weka", metavar="JAR", type=Path)
    parser.add_argument("--slow", action="store_true", help="also skrebate, and Weka on the largest table")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose label contains this")
    arguments = parser.parse_args()
    jar, rounds = arguments.weka, arguments.rounds
    if jar is not None and not jar.is_file():
        parser.error(f"{jar} does not exist")
    show_first_calls()
    rows = [("ReliefF", shape) for shape in (*TABLES, DRAWN_TABLE)]
    rows += [("SymmetricUncertainty", shape) for shape in TABLES]
    print(f"{'':43s}{'radiodeep, ms':>14s}" + "".join(f"{engine:>18s}" for engine in ENGINES))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, shape in rows:
            is_drawn = shape == DRAWN_TABLE
            label = f"{kind} {shape[0]}x{shape[1]}" + (f", {N_DRAWN} drawn" if is_drawn else "")
            if arguments.only not in label:
                continue
            table = make_table(shape)
            weka = partial(Weka, jar, folder, table)
            selector, others = rd.SymmetricUncertainty(), {"fast_select": "-", "skrebate": "-"}
            if kind == "SymmetricUncertainty":
                others["weka"] = partial(weka, "SymmetricalUncertAttributeEval")
            elif is_drawn:  # the other two cannot sample cases
                selector = rd.ReliefF(n_neighbors=10, n_samples=N_DRAWN)
                run = partial(weka, "ReliefFAttributeEval", "-K", "10", "-M", str(N_DRAWN))
                others["weka"] = run if arguments.slow else "not run"
            else:
                selector = rd.ReliefF(n_neighbors=10)
                run = partial(relieff_of, "skrebate", *table, categorical_features=[])
                others["skrebate"] = run if arguments.slow else "not run"
                others["fast_select"] = partial(relieff_of, "fast_select", *table, discrete_limit=0, backend="cpu")
                others["weka"] = partial(weka, "ReliefFAttributeEval", "-K", "10")
            show_row(label, selector, table, others, rounds)
    left_out_rows = [(kind(), shape) for kind in (rd.ReliefF, rd.SymmetricUncertainty) for shape in LEFT_OUT_TABLES]
    print(f"\n{'':43s}{'radiodeep, ms':>14s}{'single fits':>18s}{'a fit per case':>18s}{'folds not shared':>18s}")
    for selector, shape in left_out_rows:
        label = f"leave-one-out {type(selector).__name__} {shape[0]}x{shape[1]}"
        if arguments.only in label:
            show_left_out(label, selector, make_table(shape), rounds)


if __name__ == "__main__":
    main()
