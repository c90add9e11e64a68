"""Tensors and facts in, one file out that is always whole, and back."""

import json
import zlib
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from radiodeep.exceptions import InputError
from radiodeep.files import replacing


class Checkpoint:
    """A safetensors file that is replaced as a whole, so that a kill leaves the last one or the new one.

    Parameters
    ----------
    path : path-like
        Its folder is made where there is none.

    Examples
    --------
    >>> import pathlib, tempfile, torch
    >>> from radiodeep.networks.checkpoints import Checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Checkpoint(pathlib.Path(folder) / "last.safetensors")
    ...     nothing = file.read()
    ...     file.write({"weight": torch.ones(2)}, {"epoch": 3})
    ...     tensors, facts = file.read()
    >>> nothing, tensors["weight"].tolist(), facts
    (None, [1.0, 1.0], {'epoch': 3})
    """

    def __init__(self, path):
        self.path = Path(path)

    def write(self, tensors, facts):
        """Write tensors by name, and facts (a dict) that JSON can hold.

        Raises
        ------
        OutputError
            The disk is full, or the folder cannot be written.
        """
        plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        metadata = {"facts": json.dumps(facts), "checksum": _checksum(plain)}
        with replacing(self.path) as part:
            try:
                safetensors.torch.save_file(plain, part, metadata=metadata)
            except safetensors.SafetensorError as error:
                raise OSError(str(error)) from error

    def read(self):
        """Return (tensors, facts), or None where there is no file.

        Raises
        ------
        InputError
            The file is not a checkpoint or is damaged, or its tensors are NaN or infinite.
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
        except Exception as error:  # a damaged file may name types and sizes that torch refuses in its own ways
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


def _checksum(tensors):
    """Return the CRC-32 of names, types, shapes and values: it is about damage, and written after every epoch."""
    value = 0
    for name, tensor in sorted(tensors.items()):
        value = zlib.crc32(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode(), value)
        value = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy(), value)
    return f"{value:08x}"
