import os
import pickle

import numpy as np
import pytest
import safetensors.torch
import scipy.io
import torch
from torch import nn

from radiodeep.exceptions import WeightsError
from radiodeep.networks.weights.files import hash_of_state, read_weights_file, unwrap_state

STATE = {"fc.weight": torch.arange(6.0).view(2, 3), "fc.bias": torch.ones(2)}


class Hostile:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def same(state):
    return state.keys() == STATE.keys() and all(torch.equal(state[key], STATE[key]) for key in STATE)


def test_a_safetensors_file_is_read(tmp_path):
    safetensors.torch.save_file(STATE, tmp_path / "net.safetensors")
    state, form, sha256 = read_weights_file(tmp_path / "net.safetensors")
    assert same(state)
    assert form == "safetensors"
    assert len(sha256) == 64


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".torch"])
def test_a_pytorch_file_is_read(tmp_path, suffix):
    torch.save(STATE, tmp_path / f"net{suffix}")
    state, form, _ = read_weights_file(tmp_path / f"net{suffix}")
    assert same(state)
    assert form == "pytorch"


@pytest.mark.parametrize(
    "wrapped",
    [
        {"state_dict": STATE, "epoch": 3},
        {"model": {"state_dict": STATE}},
        {f"module.{key}": value for key, value in STATE.items()},
        {"state_dict": {f"module.model.{key}": value for key, value in STATE.items()}},
        {f"_orig_mod.{key}": value for key, value in STATE.items()},
        {"trunk_state_dict": STATE, "head_state_dict": {"weight": torch.ones(1)}},
        {"state_dict": {f"model.backbone.{key}": value for key, value in STATE.items()}},
    ],
)
def test_the_wrappers_of_training_programs_are_taken_off(wrapped):
    assert same(unwrap_state(wrapped, "state dict"))


def test_a_prefix_of_some_names_only_is_kept():
    state = {"model.weight": torch.ones(1), "weight": torch.ones(1)}
    assert unwrap_state(state, "state dict").keys() == state.keys()


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path):
    trace = tmp_path / "trace"
    torch.save({"fc.weight": Hostile(f"touch {trace}")}, tmp_path / "net.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile(f"touch {trace}"), protocol=2))
    for name in ("net.pth", "plain.pth"):
        with pytest.raises(WeightsError, match=f"{name}' was refused.*could run code.*safetensors"):
            read_weights_file(tmp_path / name)
    assert not trace.exists()


def test_a_whole_pickled_network_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "net.pt")
    with pytest.raises(WeightsError, match=r"was refused.*save `model.state_dict\(\)` with safetensors"):
        read_weights_file(tmp_path / "net.pt")


@pytest.mark.parametrize("name", ["net.safetensors", "net.pth", "net.mat"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", "half"])
def test_a_damaged_file_is_refused_with_its_path(tmp_path, name, content):
    path = tmp_path / name
    if content == "half":
        writers = {
            ".safetensors": lambda: safetensors.torch.save_file(STATE, path),
            ".pth": lambda: torch.save(STATE, path),
            ".mat": lambda: scipy.io.savemat(path, {"layers": STATE["fc.weight"].numpy()}),
        }
        writers[path.suffix]()
        content = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        read_weights_file(path)


def test_a_missing_file_is_refused_with_its_path(tmp_path):
    with pytest.raises(WeightsError, match=r"weights file '.*gone.pth' does not exist"):
        read_weights_file(tmp_path / "gone.pth")


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"must be a file of type .safetensors, .pth.*Got '.*net.h5' instead"):
        read_weights_file(tmp_path / "net.h5")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, torch.ones(2), [1]])
def test_a_file_without_weights_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(WeightsError, match=r"net.pth' contains no weights. Expected a mapping of names to tensors"):
        read_weights_file(tmp_path / "net.pth")


def test_weights_that_are_not_finite_are_refused():
    with pytest.raises(WeightsError, match=r"NaN or infinite weights: fc\.bias"):
        unwrap_state(STATE | {"fc.bias": torch.tensor([1.0, float("nan")])}, "state dict")


def test_a_matlab_file_without_a_network_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "net.mat", {"features": [1.0, 2.0]})
    with pytest.raises(
        WeightsError, match=r"is not a MatConvNet network: expected a variable 'layers'\. Got features instead"
    ):
        read_weights_file(tmp_path / "net.mat")


@pytest.mark.parametrize("form", ["weights", "filters and biases", "inside net"])
def test_every_form_of_a_matconvnet_file_is_read(tmp_path, form):
    filters, bias = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4), np.arange(4, dtype=np.float32)
    pair = np.empty((1, 2), object)
    pair[0, 0], pair[0, 1] = filters, bias
    full = {"name": "fc6", "filters": filters, "biases": bias}
    layers = np.empty((1, 3), object)
    layers[0] = [
        full | {"name": "conv1"} if form == "filters and biases" else {"name": "conv1", "weights": pair},
        {"name": "relu1", "type": "relu"},
        full,
    ]
    scipy.io.savemat(tmp_path / "net.mat", {"net": {"layers": layers}} if form == "inside net" else {"layers": layers})
    state, read_form, _ = read_weights_file(tmp_path / "net.mat")
    assert read_form == "matconvnet"
    assert list(state) == ["conv1.weight", "conv1.bias", "fc6.weight", "fc6.bias"]
    assert state["conv1.weight"].shape == (4, 3, 1, 2)
    assert state["conv1.weight"][3, 2, 0, 1] == filters[0, 1, 2, 3]
    assert state["fc6.weight"].tolist() == state["conv1.weight"].flatten(1).tolist()
    assert state["conv1.bias"].tolist() == [0, 1, 2, 3]


def test_a_matlab_layer_whose_filters_and_biases_disagree_is_refused(tmp_path):
    layer = {"name": "conv1", "filters": torch.ones(2, 2, 3, 4).numpy(), "biases": torch.ones(3).numpy()}
    scipy.io.savemat(tmp_path / "net.mat", {"layers": [layer]})
    with pytest.raises(WeightsError, match=r"Layer 'conv1' .*Got \(2, 2, 3, 4\) with 3 biases instead"):
        read_weights_file(tmp_path / "net.mat")


def test_the_hash_of_a_state_changes_with_names_values_and_shapes():
    first = hash_of_state(STATE)
    assert first == hash_of_state(dict(reversed(STATE.items())))
    others = [
        {"fc.weight": STATE["fc.weight"].view(3, 2), "fc.bias": STATE["fc.bias"]},
        {"fc.weight": STATE["fc.weight"] + 1, "fc.bias": STATE["fc.bias"]},
        {"fd.weight": STATE["fc.weight"], "fc.bias": STATE["fc.bias"]},
    ]
    assert len({first, *map(hash_of_state, others)}) == 4


@pytest.mark.parametrize(
    "odd",
    [
        {"fc.weight": torch.empty(2, 3, device="meta")},
        {"fc.weight": torch.eye(3).to_sparse()},
        {7: torch.ones(2)},
        {"fc.weight": torch.ones(1).expand(10**6, 10**6)},  # 4 TB that lie in four bytes
    ],
    ids=["meta", "sparse", "number for a name", "stride 0"],
)
def test_what_is_not_a_dense_tensor_with_a_name_is_refused(odd):
    with pytest.raises(WeightsError, match="entries that are not dense tensors with a name"):
        unwrap_state(STATE | odd, "state dict")


@pytest.mark.parametrize(
    "layers",
    [
        np.ones(4),
        np.array([{"name": "fc", "weights": "many"}], dtype=object),
        np.array([{"name": "fc", "weights": np.array(["a", "b"], dtype=object)}], dtype=object),
        np.array([{"name": "fc", "weights": np.array([None, [1.0]], dtype=object)[1:]}], dtype=object),
        np.array([{"name": "fc", "weights": np.array([np.ones((1, 1, 2, 3)), "text"], dtype=object)}], dtype=object),
    ],
    ids=["numbers", "a text", "texts", "one array", "a text for biases"],
)
def test_matlab_layers_without_arrays_of_numbers_are_refused(tmp_path, layers):
    scipy.io.savemat(tmp_path / "net.mat", {"layers": layers})
    with pytest.raises(WeightsError, match=r"net\.mat' (is not a MatConvNet network|contains no weights)"):
        read_weights_file(tmp_path / "net.mat")


def test_a_compressed_matlab_file_with_a_flipped_bit_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "net.mat", {"layers": np.random.default_rng(0).normal(size=500)}, do_compression=True)
    content = bytearray((tmp_path / "net.mat").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "net.mat").write_bytes(content)
    with pytest.raises(WeightsError, match=r"net\.mat' is not a complete MATLAB file"):
        read_weights_file(tmp_path / "net.mat")


def test_a_pytorch_file_with_a_flipped_bit_in_its_numbers_is_refused(tmp_path):
    torch.save({"fc.weight": torch.ones(1000)}, tmp_path / "net.pt")
    content = bytearray((tmp_path / "net.pt").read_bytes())
    content[content.index(torch.ones(4).numpy().tobytes()) + 100] ^= 1
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"net\.pt' is not a complete PyTorch file \(the checksum of .* is wrong"):
        read_weights_file(tmp_path / "net.pt")
