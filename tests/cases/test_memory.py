"""Images beyond the limit are refused; the limit is in the environment."""

import numpy as np
import pytest

from radiodeep.cases.memory import check_image_size
from radiodeep.exceptions import ImageTooLargeError, InputError


@pytest.mark.parametrize("shape", [(1025, 1024, 1024), (1e200, 1e200, 1), (np.nan, 1, 1), (32767,) * 3])
def test_an_image_beyond_the_limit_is_refused_with_the_way_out(shape):
    message = r"c: it has .* GiB in double precision\. Expected at most 8 GiB\. Crop it\. .*RADIODEEP_MAX_IMAGE_GIB"
    with pytest.raises(ImageTooLargeError, match=message):
        check_image_size(shape, "c: it", "Crop it.")


def test_an_image_at_the_limit_is_allowed():
    check_image_size((1024, 1024, 1024), "it", "")


def test_every_copy_that_is_held_counts():
    check_image_size((1024, 1024, 512), "it", "", copies=2)
    with pytest.raises(ImageTooLargeError, match=r"8.01 GiB in double precision \(2 copies at once\)"):
        check_image_size((1025, 1024, 512), "it", "", copies=2)


def test_the_environment_moves_the_limit(monkeypatch):
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", "16")
    check_image_size((2048, 1024, 1024), "it", "")
    with pytest.raises(ImageTooLargeError, match="at most 16 GiB"):
        check_image_size((2049, 1024, 1024), "it", "")


@pytest.mark.parametrize("wrong", ["much", "0", "-1", "nan"])
def test_a_limit_that_is_no_number_above_zero_is_an_error(monkeypatch, wrong):
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", wrong)
    with pytest.raises(InputError, match=f"RADIODEEP_MAX_IMAGE_GIB must be a number > 0. Got '{wrong}'"):
        check_image_size((1, 1, 1), "it", "")
