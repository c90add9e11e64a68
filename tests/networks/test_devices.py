"""The device, precision and threads that torch computes with, from their names."""

import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.devices import chosen_device, chosen_precision, torch_threads


@pytest.fixture
def gpu(monkeypatch):
    """Return a function that sets whether torch finds a GPU, and whether it computes in bfloat16."""

    def pretend(available, in_bfloat16=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: in_bfloat16)

    return pretend


def test_auto_is_a_gpu_if_there_is_one(gpu):
    gpu(available=True)
    assert chosen_device("auto") == torch.device("cuda")
    gpu(available=False)
    assert chosen_device("auto") == chosen_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("device", ["abacus", None])
def test_a_name_that_torch_does_not_know_is_refused(device):
    with pytest.raises(
        InputError, match="The device must be 'auto', 'cpu' or a device of torch, .* Got (None|'abacus')"
    ):
        chosen_device(device)


def test_a_gpu_that_is_not_there_is_refused(gpu):
    gpu(available=False)
    with pytest.raises(InputError, match="Torch finds no GPU for device='cuda:0'. Use device='auto' or 'cpu'"):
        chosen_device("cuda:0")


def test_auto_is_bfloat16_where_the_device_computes_in_it(gpu, monkeypatch):
    for in_bfloat16, expected in ((True, "bfloat16"), (False, "float32")):
        gpu(available=True, in_bfloat16=in_bfloat16)
        assert chosen_precision("auto", "cuda:0") == expected
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda supported=in_bfloat16: supported)
        assert chosen_precision("auto") == expected
        assert chosen_precision("float32", "cuda:0") == "float32"


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="'precision' parameter .* one of float32, bfloat16, auto. Got 'half' instead"):
        chosen_precision("half")


def fail_with_threads(n_threads):
    with torch_threads(n_threads):
        raise ValueError(f"{torch.get_num_threads()} threads")


def test_the_number_of_threads_is_restored_also_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match=f"^{before + 1} threads"):
        fail_with_threads(before + 1)
    assert torch.get_num_threads() == before


def test_without_a_number_the_threads_stay_as_they_are():
    before = torch.get_num_threads()
    with torch_threads(None):
        assert torch.get_num_threads() == before
