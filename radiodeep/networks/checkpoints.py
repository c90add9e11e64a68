"""Tensors and facts in, one file out that is always whole, and back."""

import json
import os
from pathlib import Path

import safetensors
import safetensors.torch

from radiodeep.exceptions import InputError


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
        """Write tensors by name, and facts that JSON can hold."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        safetensors.torch.save_file(plain, part, metadata={"facts": json.dumps(facts)})
        os.replace(part, self.path)

    def read(self):
        """Return (tensors, facts), or None where there is no file.

        Raises
        ------
        InputError
            The file is no checkpoint.
        """
        if not self.path.is_file():
            return None
        try:
            with safetensors.safe_open(self.path, "pt") as file:
                facts = json.loads((file.metadata() or {})["facts"])
                return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
        except (safetensors.SafetensorError, KeyError, ValueError) as error:
            raise InputError(
                f"The file '{self.path}' is no checkpoint of a training. Delete it, or name another."
            ) from error
