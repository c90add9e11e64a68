"""Store the numbers of one version of radiodeep, and compare those of two versions to the last bit.

    python benchmarks/same_numbers store before.npz [--only handcrafted,selection]
    python benchmarks/same_numbers compare before.npz after.npz

`store` computes features, selector scores, study results, network predictions and the scores of saved models with fixed
seeds and one thread, through public names only, so the same file runs on both versions; choose the version with
PYTHONPATH. Real cases are read from the folder RADIODEEP_REFERENCE_DATA (by default shared/data beside the checkout) if
it exists. A computation that fails is stored as the text of its error. `compare` prints one line per difference, and
exits with 1 if there is any.
"""

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

# Read once, when numpy, numba and torch are imported.
os.environ.update({f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")})
os.environ["RADIODEEP_PROGRESS"] = "0"

import numpy as np
import torch
from arrays import difference, flatten
from feature_numbers import deep, handcrafted, selection
from model_numbers import networks, scores, studies

import radiodeep as rd

GROUPS = (handcrafted, deep, selection, studies, networks, scores)


def store(path, only):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    arrays = {}
    for group in GROUPS:
        if only and group.__name__ not in only:
            continue
        start = time.process_time()
        for name, compute in group():
            name = f"{group.__name__}/{name}"
            try:
                arrays.update(flatten(name, compute()))
            except Exception as error:
                arrays[name] = np.array(f"{type(error).__name__}: {error}")
                print(f"  {name}: {arrays[name]}", flush=True)
        print(f"{group.__name__}: {time.process_time() - start:.0f} s", flush=True)
    np.savez_compressed(path, **arrays)
    print(f"{len(arrays)} arrays in {path}, of {rd.__file__}")


def compare(before_file, after_file):
    with np.load(before_file) as before, np.load(after_file) as after:
        lines = [f"{name}: missing after" for name in before.files if name not in after.files]
        lines += [f"{name}: new" for name in after.files if name not in before.files]
        both = [name for name in before.files if name in after.files]
        differences = {name: difference(before[name], after[name]) for name in both}
    lines += [f"{name}: {text}" for name, text in differences.items() if text]
    print(*lines, sep="\n")
    n_equal = sum(not text for text in differences.values())
    print(f"{n_equal} of {len(before.files)} arrays are equal to the last bit.")
    return bool(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    storing = commands.add_parser("store", help="compute the numbers and write them to a file")
    storing.add_argument("file", type=Path)
    storing.add_argument("--only", default="", help=f"of {','.join(group.__name__ for group in GROUPS)}")
    comparing = commands.add_parser("compare", help="compare two files")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "store":
        store(options.file, [name for name in options.only.split(",") if name])
        return 0
    return int(compare(options.before, options.after))


if __name__ == "__main__":
    sys.exit(main())
