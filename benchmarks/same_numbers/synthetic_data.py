"""Synthetic tables and 2-D cases with fixed seeds, and the real cases of the reference data."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

import radiodeep as rd

REPOSITORY = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("RADIODEEP_REFERENCE_DATA", REPOSITORY.parent / "shared" / "data"))


def small_table(n_cases=40, n_features=30, seed=0):
    """Return a table with informative, nominal and constant columns, and its labels."""
    generator = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    X = generator.normal(size=(n_cases, n_features))
    X[:, :4] += y[:, np.newaxis]
    X[:, 4] = generator.integers(0, 3, n_cases)
    X[:, 5] = 7.0
    X[:, 6] = np.round(X[:, 0])
    return pd.DataFrame(X, [f"case-{row}" for row in range(n_cases)], [f"f{column}" for column in range(n_features)]), y


def flat_cases(n_cases):
    """Return 2-D cases whose regions have a hole."""
    generator = np.random.default_rng(3)
    cases = []
    for number in range(n_cases):
        image = generator.normal(100, 50, (34, 30))
        mask = np.zeros((34, 30), np.uint8)
        mask[5 : 20 + number, 8:25] = 1
        mask[9:12, 12:15] = 0
        cases.append(rd.Case(image, mask, f"flat-{number}", spacing_mm=(0.5, 0.5), label=number % 2))
    return cases


def reference_cases():
    """Return real CT, MR and PET cases of the reference data, none if the folder does not exist."""
    if not REFERENCE.is_dir():
        print(f"  reference cases left out: no folder {REFERENCE}", flush=True)
        return []
    folder = REFERENCE / "pyradiomics"
    cases = [
        rd.Case(folder / f"{name}_image.nrrd", folder / f"{name}_label.nrrd", name) for name in ("brain1", "breast1")
    ]
    return cases + list(rd.read_cohort(REFERENCE / "sts_pet" / "manifest.csv"))[:2]
