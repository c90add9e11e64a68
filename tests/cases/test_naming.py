"""Errors about a case begin with its id, once."""

from types import SimpleNamespace

import pytest

from radiodeep.cases.naming import message_with_id, naming
from radiodeep.exceptions import EmptyMaskError, InputError

CASE = SimpleNamespace(id="n-7")


def test_the_id_comes_in_front_of_an_input_error_whose_type_stays():
    with pytest.raises(EmptyMaskError, match=r"^n-7: no voxel$") as raised, naming(CASE):
        raise EmptyMaskError("no voxel")
    assert str(raised.value.__cause__) == "no voxel"


def test_the_id_is_not_repeated():
    with pytest.raises(InputError, match=r"^n-7: wrong$"), naming(CASE), naming(CASE):
        raise InputError("wrong")


def test_an_id_that_only_begins_like_another_is_no_repetition():
    with pytest.raises(InputError, match=r"^n-7: n-77: wrong$"), naming(CASE):
        raise InputError("n-77: wrong")


def test_other_errors_pass_unchanged():
    with pytest.raises(KeyError, match="^'wrong'$"), naming(CASE):
        raise KeyError("wrong")


def test_an_error_without_a_message_still_names_the_case():
    assert message_with_id(MemoryError(), "n-7") == "n-7: no details"
