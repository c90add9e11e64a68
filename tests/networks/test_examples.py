import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["activations", "architectures", "procedural", "training", "volumetric", "weights"])
def test_the_examples_of_the_documentation_run(name):
    module = importlib.import_module(f"radiodeep.networks.{name}")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0
