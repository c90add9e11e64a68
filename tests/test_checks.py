import math

import numpy as np
import pytest

from radiodeep.checks import (
    did_you_mean,
    in_words,
    invalid,
    is_count,
    is_finite,
    is_flag,
    is_fraction,
    is_non_negative,
    is_number,
    is_option,
    is_positive,
    is_sequence,
    require,
    require_n_jobs,
    require_option,
    require_probability,
)
from radiodeep.exceptions import InputError, StudyError


class Extractor:
    def __init__(self, bin_width):
        self.bin_width = bin_width


@pytest.mark.parametrize("owner", ["Extractor", Extractor, Extractor(0)])
def test_a_setting_out_of_range_names_parameter_owner_what_is_allowed_and_what_came(owner):
    error = invalid(owner, "bin_width", "a float > 0", 0)
    assert str(error) == "The 'bin_width' parameter of Extractor must be a float > 0. Got 0 instead."
    assert type(error) is InputError


def test_the_owner_may_be_a_function():
    assert str(invalid(invalid, "value", "new", "old")) == (
        "The 'value' parameter of invalid must be new. Got 'old' instead."
    )


def test_a_way_out_is_a_sentence_of_its_own():
    error = invalid("Extractor", "bin_width", "a float > 0", 0, way_out="Use bin_count.")
    assert str(error).endswith("Got 0 instead. Use bin_count.")


def test_a_value_of_many_characters_is_cut_off():
    assert len(str(invalid("Extractor", "bin_width", "a float > 0", "x" * 10_000))) < 700


def test_require_looks_up_the_value_of_the_owner():
    with pytest.raises(InputError, match=r"^The 'bin_width' parameter of Extractor must be > 0\. Got -1 instead\.$"):
        require(False, Extractor(-1), "bin_width", "> 0")


def test_require_takes_a_value_a_way_out_and_a_type_of_error():
    with pytest.raises(StudyError, match=r"^The 'cv' parameter of study must be > 1\. Got None instead\. Use 10\.$"):
        require(False, "study", "cv", "> 1", value=None, way_out="Use 10.", error=StudyError)


def test_require_is_silent_where_the_condition_holds():
    require(True, Extractor(-1), "bin_width", "> 0")


def test_an_option_that_is_misspelt_is_answered_by_the_nearest_one():
    expected = (
        r"^The 'over' parameter of Extractor must be one of image, region\. "
        r"Got 'Reigon' instead\. Did you mean 'region'\?$"
    )
    with pytest.raises(InputError, match=expected):
        require_option("Reigon", ("image", "region"), Extractor, "over")


def test_the_error_of_an_option_may_be_of_another_type():
    with pytest.raises(StudyError, match=r"must be None or one of a, b\. Got 'zzz' instead\.$"):
        require_option("zzz", (None, "a", "b"), "study", "kind", StudyError)


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2", True])
def test_a_number_of_processes_is_none_or_an_int_other_than_0(n_jobs):
    for allowed in (None, 1, -1, np.int64(4)):
        require_n_jobs(allowed, "extract_rows")
    with pytest.raises(InputError, match="^The 'n_jobs' parameter of extract_rows must be None or an int other than 0"):
        require_n_jobs(n_jobs, "extract_rows")


@pytest.mark.parametrize("value", ["region", None])
def test_require_option_is_silent_for_the_options(value):
    require_option(value, ("image", "region", None), "Extractor", "over")


@pytest.mark.parametrize("value", [["region"], np.array(["region", "image"]), {"region": 1}, 1])
def test_only_one_of_the_options_is_an_option(value):
    assert not is_option(value, ("image", "region"))


def test_options_are_listed_with_none_first():
    assert in_words(("a", "b")) == "one of a, b"
    assert in_words(("a", None, "b")) == "None or one of a, b"


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("GLMC", " Did you mean 'glcm'?"),
        (["glcm", "shap", "glmc"], " Did you mean 'shape', 'glcm'?"),
        ({"shap": None}, " Did you mean 'shape'?"),
        (["glcm"], ""),
        ("colour", ""),
        (3, ""),
    ],
)
def test_did_you_mean_names_what_is_near(value, meant):
    assert did_you_mean(value, ("shape", "glcm", None)) == meant


def test_did_you_mean_names_as_many_options_as_are_asked_for():
    assert did_you_mean("layer3", ["layer1", "layer2", "stem"], n=2) == " Did you mean 'layer2', 'layer1'?"


@pytest.mark.parametrize(
    ("predicate", "allowed", "refused"),
    [
        (is_flag, [True, np.False_], [0, 1, None, "True"]),
        (is_count, [0, 3, np.int64(2)], [-1, True, 1.0, "1", None]),
        (is_number, [0, -1.5, np.float32(2), math.inf], [math.nan, True, np.True_, "1", None, [1]]),
        (is_finite, [0, -1.5], [math.inf, -math.inf, math.nan, True, None]),
        (is_positive, [1, 1e-9], [0, -1, math.inf, math.nan, True]),
        (is_non_negative, [0, 2.5], [-1e-9, math.inf, math.nan, False]),
        (is_fraction, [0, 0.5], [1, -0.1, math.nan, False]),
        (is_sequence, [[1], (1, 2), np.ones(2)], [[], (), "text", {1}, None, 3, np.array(3)]),
    ],
)
def test_a_predicate_holds_for_what_it_is_named_after(predicate, allowed, refused):
    assert [predicate(value) for value in allowed] == [True] * len(allowed)
    assert [predicate(value) for value in refused] == [False] * len(refused)


def test_a_count_has_bounds_that_belong_to_it():
    assert [is_count(value, least=2, most=4) for value in range(1, 6)] == [False, True, True, True, False]


def test_a_confidence_level_is_between_0_and_1():
    for level in (0.5, 0.999):
        require_probability(level, "an interval", "confidence_level")
    for level in (0, 1, 1.5, math.nan, True):
        with pytest.raises(InputError, match="'confidence_level' parameter of an interval must be a float between 0"):
            require_probability(level, "an interval", "confidence_level")
