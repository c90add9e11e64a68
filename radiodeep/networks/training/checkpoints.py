"""State of a training -> one file that is always complete, and back."""

import json
import math
import zlib
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from radiodeep.exceptions import InputError
from radiodeep.files import replacing


class Checkpoint:
    """A safetensors file that is replaced as a whole, so that a killed program leaves the former or the new one."""

    def __init__(self, path):
        self.path = Path(path)

    def write(self, tensors, facts):
        """Write a dict of tensors and a dict of facts that can be written as JSON, or raise OutputError."""
        plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        metadata = {"facts": json.dumps(facts), "checksum": _checksum(plain)}
        with replacing(self.path) as part:
            try:
                safetensors.torch.save_file(plain, part, metadata=metadata)
            except safetensors.SafetensorError as error:
                raise OSError(str(error)) from error

    def read(self):
        """Return (tensors, facts), or None if there is no file.

        Raise InputError if the file is not a checkpoint or is damaged, or its tensors contain NaN or infinite values.
        """
        if not self.path.is_file():
            return None
        try:
            with safetensors.safe_open(self.path, "pt") as file:
                metadata = file.metadata() or {}
                facts = json.loads(metadata["facts"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if not isinstance(facts, dict) or metadata.get("checksum") not in (None, _checksum(tensors)):
                raise ValueError("the facts are not a dict, or the checksum is wrong")
        except Exception as error:  # types and sizes in a damaged file raise many kinds of errors in torch
            raise InputError(
                f"The file '{self.path}' is not a checkpoint of a training, or is damaged. Delete it, or name another."
            ) from error
        broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
        if broken:
            raise InputError(
                f"The checkpoint '{self.path}' holds NaN or infinite numbers in {', '.join(broken[:4])}. Delete it, "
                "and the training begins anew."
            )
        return tensors, facts


class TrainingState:
    """Everything that a training needs to continue: weights, optimizer, random state, history, best epoch, snapshots.

    The seed determines the order of the examples and their augmentation.
    """

    def __init__(self, network, optimizer, seed):
        self.network = network
        self.optimizer = optimizer
        self.generator = torch.Generator().manual_seed(seed)
        self.history = []
        self.best = {}
        self.snapshots = []

    @property
    def validation_losses(self):
        """The validation loss of each epoch; infinite if it was NaN, so that any number is lower."""
        losses = (record["validation_loss"] for record in self.history if "validation_loss" in record)
        return [math.inf if math.isnan(loss) else loss for loss in losses]

    @property
    def epochs_since_best(self):
        """Number of epochs since that with the lowest validation loss; 0 if there has been none."""
        losses = self.validation_losses
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def add(self, record, keep):
        """Append the record of an epoch; copy the weights if `keep`, and if its validation loss is the lowest."""
        self.history.append(record)
        if "validation_loss" in record:
            *earlier, loss = self.validation_losses
            if all(loss < past for past in earlier):
                self.best = _copy_weights(self.network)
        if keep:
            self.snapshots.append(_copy_weights(self.network))

    def save(self, file, fingerprint):
        """Write the state to a `Checkpoint`; `fingerprint` is a text that identifies the training."""
        steps = self.optimizer.state_dict()
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for number, snapshot in enumerate(self.snapshots):
            tensors |= {f"snapshot{number}.{name}": value for name, value in snapshot.items()}
        for number, values in steps["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in values.items()}
        tensors |= {"random.dropout": torch.get_rng_state(), "random.order": self.generator.get_state()}
        facts = {"training": fingerprint, "history": self.history, "n_snapshots": len(self.snapshots)}
        file.write(tensors, facts)

    def load(self, file, fingerprint):
        """Continue from a `Checkpoint` with this fingerprint, if its file exists."""
        content = file.read()
        if content is None:
            return
        tensors, facts = content
        if facts.get("training") != fingerprint:
            raise InputError(
                f"The checkpoint '{file.path}' is of another training: other images, settings or network. "
                "Delete it, or give another path."
            )
        try:
            self._restore(tensors, facts)
        except (RuntimeError, ValueError, TypeError, LookupError) as error:
            raise InputError(
                f"The checkpoint '{file.path}' does not fit the network and its optimizer ({error}). Delete it, and "
                "the training starts again."
            ) from error

    def _restore(self, tensors, facts):
        self.network.load_state_dict(_with_prefix(tensors, "network."))
        steps = self.optimizer.state_dict()
        numbers = {name.split(".")[1] for name in tensors if name.startswith("optimizer.")}
        steps["state"] = {int(number): _with_prefix(tensors, f"optimizer.{number}.") for number in numbers}
        self.optimizer.load_state_dict(steps)
        torch.set_rng_state(tensors["random.dropout"])
        self.generator.set_state(tensors["random.order"])
        self.history = facts["history"]
        self.best = _with_prefix(tensors, "best.")
        self.snapshots = [_with_prefix(tensors, f"snapshot{number}.") for number in range(facts["n_snapshots"])]


def _copy_weights(network):
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _with_prefix(tensors, prefix):
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _checksum(tensors):
    """Return the CRC-32 of names, types, shapes and values, which detects damage and is fast enough for every epoch."""
    value = 0
    for name, tensor in sorted(tensors.items()):
        value = zlib.crc32(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode(), value)
        value = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy(), value)
    return f"{value:08x}"
