"""The device, precision and threads that torch computes with, from their names."""

import re

import pytest
import torch

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.networks.devices import (
    ImagesAtOnce,
    chosen_device,
    chosen_precision,
    to_device,
    torch_precision,
    torch_threads,
)


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
    with pytest.raises(InputError, match="'precision' parameter .* one of float32, tf32, bfloat16, auto. Got 'half'"):
        chosen_precision("half")


def test_tf32_is_float32_on_a_processor():
    assert chosen_precision("tf32") == "float32"
    assert chosen_precision("tf32", "cuda:1") == "tf32"


def allowed_tf32():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def fail_with_precision(precision, device):
    with torch_precision(precision, torch.device(device)):
        raise ValueError(f"TF32 {allowed_tf32()}")


@pytest.mark.parametrize(("precision", "allowed"), [("tf32", True), ("float32", False), ("bfloat16", False)])
def test_a_gpu_multiplies_in_tf32_only_within_a_block_and_if_asked_to(precision, allowed):
    before = allowed_tf32()
    with pytest.raises(ValueError, match=re.escape(f"TF32 {(allowed, allowed)}")):
        fail_with_precision(precision, "cuda")
    assert allowed_tf32() == before
    with pytest.raises(ValueError, match=re.escape(f"TF32 {before}")):
        fail_with_precision(precision, "cpu")


def test_only_what_goes_to_a_gpu_is_pinned(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: calls.append("pin") or tensor)
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device, **how: calls.append((str(device), how)) or tensor)
    batch = torch.zeros(2)
    to_device(batch, torch.device("cpu"))
    to_device(batch, "meta")
    assert calls == [("cpu", {}), ("meta", {})]
    calls.clear()
    to_device(batch, torch.device("cuda:1"))
    assert calls == ["pin", ("cuda:1", {"non_blocking": True})]


def test_half_as_many_images_are_computed_each_time_that_a_gpu_lacks_the_memory():
    tried = []

    def compute(n):
        tried.append(n)
        if n > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return n

    at_once = ImagesAtOnce()
    with pytest.warns(RadiodeepWarning, match="does not suffice for (10 images at once; 5|5 images at once; 3) are"):
        assert at_once.run(compute, 10) == 3
    assert tried == [10, 5, 3]
    assert [at_once.run(compute, n) for n in (10, 2)] == [3, 2]  # it is remembered
    assert tried == [10, 5, 3, 3, 2]


def test_an_image_that_does_not_fit_is_an_error():
    def compute(n):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(MemoryError, match=r"does not suffice for one image \(CUDA out of memory\)\. Use device='cpu'"):
        ImagesAtOnce().run(compute, 1)


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
