"""Intervals and tests of repeated folds keep their level in simulated studies, whose truth is known."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from sys import modules

import pytest
from scipy.stats import binom

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "evidence_levels.py"
pytestmark = pytest.mark.skipif(not _SCRIPT.exists(), reason="benchmarks are not part of the source distribution")


@pytest.fixture(scope="module")
def simulation():
    spec = spec_from_file_location("evidence_levels", _SCRIPT)
    module = modules[spec.name] = module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del modules[spec.name]


def at_most(rate, n_tables):
    """Return the largest fraction of tables that is no sign of a higher rate."""
    return binom.ppf(0.999, n_tables, rate) / n_tables


@pytest.mark.parametrize(
    ("name", "n_folds", "n_repeats"),
    [("noise", 10, 3), ("discriminant", 10, 3), ("patients", 10, 1), ("8 of 60", 5, 4), ("near 1", 2, 10)],
)
def test_the_interval_of_repeated_folds_holds_the_expected_auc(simulation, name, n_folds, n_repeats):
    covered, _, _ = simulation.levels(simulation.ONE_MODEL[name], 150, n_folds, n_repeats)
    assert 1 - covered <= at_most(0.05, 150)


@pytest.mark.parametrize(
    ("name", "n_folds", "n_repeats"), [("two of noise", 10, 3), ("equal 60", 5, 4), ("equal discriminants", 2, 4)]
)
def test_the_test_of_two_models_of_equal_auc_rarely_rejects(simulation, name, n_folds, n_repeats):
    _, _, rejected = simulation.levels(simulation.EQUAL_MODELS[name], 150, n_folds, n_repeats)
    assert rejected <= at_most(0.05, 150)


def test_the_test_finds_a_difference_best_with_two_folds_and_the_interval_is_not_idle(simulation):
    design = simulation.UNEQUAL_MODELS["unequal 100"]
    _, width, of_halves = simulation.levels(design, 60, 2, 10)
    _, _, of_tenths = simulation.levels(design, 60, 10, 2)
    assert of_halves > 0.6
    assert of_halves > of_tenths
    assert width < 0.25


@pytest.mark.slow
@pytest.mark.parametrize(("n_folds", "n_repeats"), [(2, 50), (5, 10), (10, 5)], ids=["2x50", "5x10", "10x5"])
def test_intervals_and_tests_keep_their_level_for_all_kinds_of_outcomes(simulation, n_folds, n_repeats):
    n_tables = 150
    missed, rejected = {}, {}
    for name, design in simulation.ONE_MODEL.items():
        missed[name] = 1 - simulation.levels(design, n_tables, n_folds, n_repeats, seed=1)[0]
    for name, design in simulation.EQUAL_MODELS.items():
        rejected[name] = simulation.levels(design, n_tables, n_folds, n_repeats, seed=1)[2]
    assert {name: rate for name, rate in missed.items() if rate > at_most(0.06, n_tables)} == {}
    assert {name: rate for name, rate in rejected.items() if rate > at_most(0.06, n_tables)} == {}
    assert sum(rejected.values()) / len(rejected) <= 0.04
