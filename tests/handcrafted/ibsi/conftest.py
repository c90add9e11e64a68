"""Fixtures of the tests of the IBSI features."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    """A generator of its own for each test."""
    return np.random.default_rng(0)
