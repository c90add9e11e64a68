"""A checkpoint is whole, undamaged and finite, or an error that says to delete it."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch

from radiodeep.exceptions import InputError, OutputError
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.training.checkpoints import Checkpoint, TrainingState
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.losses import classification_loss
from radiodeep.networks.training.plan import Training

TENSORS = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "step": torch.tensor(3),
    "random": torch.zeros(8, dtype=torch.uint8),
}


def test_every_flipped_bit_of_the_numbers_is_named(tmp_path):
    file = Checkpoint(tmp_path / "last.safetensors")
    file.write(TENSORS, {"epoch": 3})
    content = file.path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    for position in range(begin, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        file.path.write_bytes(damaged)
        with pytest.raises(InputError, match="is not a checkpoint of a training, or is damaged"):
            file.read()


@pytest.mark.parametrize("facts", [None, [1, 2], "text", 3])
def test_facts_that_are_not_a_dict_are_named(tmp_path, facts):
    metadata = {} if facts is None else {"facts": json.dumps(facts)}
    safetensors.torch.save_file(TENSORS, tmp_path / "last.safetensors", metadata=metadata)
    with pytest.raises(InputError, match=r"is not a checkpoint of a training, or is damaged\. Delete it"):
        Checkpoint(tmp_path / "last.safetensors").read()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_named(tmp_path, value):
    file = Checkpoint(tmp_path / "last.safetensors")
    file.write(TENSORS | {"weight": torch.tensor([1.0, value])}, {})
    with pytest.raises(InputError, match="holds NaN or infinite numbers in weight. Delete it"):
        file.read()


def test_a_checkpoint_without_a_checksum_is_still_read(tmp_path):
    safetensors.torch.save_file(TENSORS, tmp_path / "last.safetensors", metadata={"facts": '{"epoch": 1}'})
    tensors, facts = Checkpoint(tmp_path / "last.safetensors").read()
    assert torch.equal(tensors["weight"], TENSORS["weight"])
    assert facts == {"epoch": 1}


def test_an_epoch_whose_validation_loss_is_nan_is_not_the_best_once_there_is_another():
    network = torch.nn.Linear(1, 1)
    state = TrainingState(network, torch.optim.SGD(network.parameters(), lr=0.1), seed=0)
    since_best = []
    for epoch, loss in enumerate([float("nan"), 0.5, 0.7, float("nan")]):
        torch.nn.init.constant_(network.weight, epoch)
        state.add({"epoch": epoch + 1, "validation_loss": loss}, keep=False)
        since_best.append(state.epochs_since_best)
    assert since_best == [0, 0, 1, 2]
    assert state.best["weight"].item() == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        Checkpoint(tmp_path / "file" / "last.safetensors").write(TENSORS, {})


def test_a_failed_write_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    def full_disk(tensors, path, metadata):
        raise safetensors.SafetensorError("No space left on device (os error 28)")

    file = Checkpoint(tmp_path / "last.safetensors")
    file.write(TENSORS, {"epoch": 1})
    monkeypatch.setattr(safetensors.torch, "save_file", full_disk)
    with pytest.raises(OutputError, match="No space left on device"):
        file.write(TENSORS, {"epoch": 2})
    assert file.read()[1] == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]


def test_a_checkpoint_of_other_shapes_is_named_and_not_trained_from(tmp_path):
    path = tmp_path / "last.safetensors"
    examples = Examples(torch.rand(4, 3, 100, 100, generator=torch.Generator().manual_seed(0)), torch.arange(4) % 2)

    def fit():
        torch.manual_seed(0)
        training = Training(epochs=1, n_views=1)
        return fit_network(build_network("arch3"), examples, classification_loss, training, checkpoint=path)

    fit()
    tensors, facts = Checkpoint(path).read()
    name = next(name for name in tensors if name.startswith("network."))
    Checkpoint(path).write(tensors | {name: torch.from_numpy(np.ones((1, 2), np.float32))}, facts)
    with pytest.raises(InputError, match="does not fit the network and its optimizer"):
        fit()
    Checkpoint(path).write({key: value for key, value in tensors.items() if "random" not in key}, facts)
    with pytest.raises(InputError, match="does not fit the network and its optimizer"):
        fit()
