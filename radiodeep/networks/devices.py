"""Names of a device and a precision -> what torch computes with, and how many threads it uses."""

from contextlib import contextmanager

import torch

from radiodeep.checks import require_option
from radiodeep.exceptions import InputError

PRECISIONS = ("float32", "bfloat16", "auto")


def chosen_device(device):
    """Return the torch device of a name; "auto" is a GPU if torch finds one, else the processor.

    Raise InputError if torch does not know the name or cannot use such a device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"The device must be 'auto', 'cpu' or a device of torch, e.g. 'cuda:0'. Got {device!r} instead."
        ) from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"Torch finds no GPU for device={device!r}. Use device='auto' or 'cpu'.")
    return chosen


def chosen_precision(precision, device="cpu"):
    """Return "float32" or "bfloat16"; "auto" is "bfloat16" if the device has instructions for it."""
    require_option(precision, PRECISIONS, "chosen_precision", "precision")
    if precision != "auto":
        return precision
    if torch.device(device).type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"


@contextmanager
def torch_threads(n_threads):
    """Limit torch to `n_threads` threads of the processor within the block; None leaves the number as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(int(n_threads or before))
    try:
        yield
    finally:
        torch.set_num_threads(before)
