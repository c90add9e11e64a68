"""What share of small changes to the code the tests notice.

    python benchmarks/mutants.py [--mutants 300] [--seed 0] [--jobs 2] [--only radiodeep/study] [--out mutants.csv]

Each mutant changes one operator, comparison, condition or number somewhere in the package, in a copy of the
repository. Tests run until one fails: first those of the module's own name, then those of its room, then those of the
rooms that use it. A mutant that no test notices survives; look at its line and decide whether it is equivalent or a
test is missing. Third-party packages are imported once, and each run is a fork of that process.
"""

import argparse
import ast
import copy
import csv
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRELOADED = ["pytest", "scipy.stats", "pandas", "sklearn.ensemble", "sklearn.svm", "skimage", "SimpleITK", "nibabel"]
PRELOADED += ["numba", "torch", "timm", "skops.io", "imblearn.pipeline", "matplotlib.figure"]
USERS = {
    "cases": ("cases", "imaging", "features", "rows"),
    "imaging": ("imaging", "features", "models"),
    "handcrafted": ("handcrafted", "features"),
    "networks": ("networks", "features/deep", "models"),
    "rows": ("rows", "features", "study", "test_scoring.py"),
    "features": ("features", "study", "test_scoring.py"),
    "preparation": ("preparation", "selection", "study"),
    "selection": ("selection", "study"),
    "models": ("models", "study", "test_scoring.py"),
    "study": ("study", "report", "cli"),
    "report": ("report", "cli"),
    "persistence": ("persistence", "test_scoring.py"),
}
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Pow: ast.Mult,
}  # fmt: skip


def mutated(node):
    """Return the changed copies of a node."""
    changed = copy.copy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        changed.ops = [SWAPS[type(node.ops[0])](), *node.ops[1:]]
    elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
        changed.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        changed = node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        changed.value = not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        changed.value = node.value + 1
    elif isinstance(node, ast.IfExp):
        changed.body, changed.orelse = node.orelse, node.body
    else:
        return []
    return [changed]


def mutants_of(path):
    """Return (path, line, column, end, old text, new text) of all mutants of a file."""
    source = path.read_text()
    skipped = set()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        is_message = isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert)
        is_stack = isinstance(node, ast.keyword) and node.arg == "stacklevel"
        if is_message or is_stack:
            skipped.update(map(id, ast.walk(node)))
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped or not hasattr(node, "lineno"):
            continue
        for changed in mutated(node):
            old = ast.get_source_segment(source, node)
            new = ast.unparse(changed)
            new = f"({new})" if isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp) else new
            if "\n" not in old:
                found.append((path.relative_to(ROOT), node.lineno, node.col_offset, node.end_col_offset, old, new))
    return found


def stages(path):
    """Return the sets of test files to run for a module, the narrowest first."""
    inner = path.relative_to("radiodeep")
    room = inner.parts[0]
    own = Path("tests") / inner.parent / f"test_{inner.name}"
    sets = [[own], [Path("tests") / inner.parent], [Path("tests") / name for name in USERS.get(room, ())]]
    sets = [[str(test) for test in tests if (ROOT / test).exists() and str(test) != "tests"] for tests in sets]
    return [tests for tests in sets if tests] or [["tests/test_cli.py", "tests/test_scoring.py"]]


def run_tests(folder, tests, timeout):
    """Return whether the tests of a copy pass, in a fork of this process."""
    child = os.fork()
    if child == 0:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        os.environ["PYTHONPATH"] = str(folder)
        import pytest

        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def judge(mutant, folder, timeout):
    """Return "killed" or "survived" for a mutant, applied to the copy in `folder` and taken back."""
    path, line, start, end, _, new = mutant
    file = folder / path
    source = file.read_bytes()
    lines = source.split(b"\n")
    lines[line - 1] = lines[line - 1][:start] + new.encode() + lines[line - 1][end:]
    file.write_bytes(b"\n".join(lines))
    if "kernels" in path.parts:  # numba does not see that a function of another file has changed
        for cached in folder.rglob("*.nb[ic]"):
            cached.unlink()
    try:
        passed = all(run_tests(folder, tests, timeout) for tests in stages(path))
    finally:
        file.write_bytes(source)
    return "survived" if passed else "killed"


def judge_all(mutants, names, timeout, results):
    """Judge mutants in a copy of the files `names` of the repository, and put a row for each into a queue."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in names:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        for mutant in mutants:
            verdict = judge(mutant, folder, timeout)
            print(f"{verdict:8s} {mutant[0]}:{mutant[1]}  {mutant[4]}  ->  {mutant[5]}", flush=True)
            results.put((verdict, *map(str, mutant)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="radiodeep")
    parser.add_argument("--timeout", type=float, default=240)
    parser.add_argument("--out", default="mutants.csv")
    options = parser.parse_args()
    files = sorted(
        path for path in (ROOT / "radiodeep").rglob("*.py") if str(path.relative_to(ROOT)).startswith(options.only)
    )
    everything = [mutant for path in files for mutant in mutants_of(path)]
    chosen = random.Random(options.seed).sample(everything, min(options.mutants, len(everything)))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # plugins warn if they are imported before pytest rewrites them
    for name in PRELOADED:
        __import__(name)
    os.environ.setdefault("RADIODEEP_REFERENCE_DATA", str(ROOT.parent / "shared" / "data"))
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    for tests in sorted({tuple(stages(mutant[0])[0]) for mutant in chosen}):
        if not run_tests(ROOT, tests, options.timeout):
            sys.exit(f"{' '.join(tests)} must pass before mutants are judged by them.")
    fork = multiprocessing.get_context("fork")  # by processes: a fork of a process with threads may hang
    results = fork.SimpleQueue()
    workers = [
        fork.Process(target=judge_all, args=(chosen[job :: options.jobs], names, options.timeout, results))
        for job in range(options.jobs)
    ]
    for worker in workers:
        worker.start()
    rows = [results.get() for _ in chosen]
    with open(options.out, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    n_killed = sum(row[0] == "killed" for row in rows)
    print(f"{n_killed} of {len(rows)} mutants killed ({n_killed / len(rows):.0%}); {len(everything)} possible")


if __name__ == "__main__":
    main()
