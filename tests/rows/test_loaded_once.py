"""A function travels to workers as the name of a file."""

import pickle

import numpy as np

from radiodeep.rows import LoadedOnce


def test_a_large_function_is_pickled_as_a_path_and_loaded_once(tmp_path):
    table = np.arange(100_000.0)
    function = LoadedOnce(table.take, tmp_path)
    assert not list(tmp_path.iterdir())
    text = pickle.dumps(function)
    assert len(text) < 1000
    assert len(list(tmp_path.iterdir())) == 1
    first, second = pickle.loads(text), pickle.loads(text)
    assert first is second
    assert first([7, 3]).tolist() == function([7, 3]).tolist() == [7.0, 3.0]
