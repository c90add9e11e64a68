"""Every example of every docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import radiodeep

MODULES = ["radiodeep", *(found.name for found in pkgutil.walk_packages(radiodeep.__path__, "radiodeep."))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert failed == 0
