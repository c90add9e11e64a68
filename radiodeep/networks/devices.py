"""Names of a device and a precision -> what torch computes with, how many threads it uses and images at once."""

import math
import warnings
from contextlib import contextmanager

import torch

from radiodeep.checks import require_option
from radiodeep.exceptions import InputError, RadiodeepWarning

PRECISIONS = ("float32", "tf32", "bfloat16", "auto")


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
    """Return "float32", "tf32" or "bfloat16"; "auto" is "bfloat16" if the device has instructions for it.

    "tf32" is float32 of which a GPU multiplies 10 bits of the fraction; on a processor it is "float32".
    """
    require_option(precision, PRECISIONS, "chosen_precision", "precision")
    if precision == "tf32" and torch.device(device).type != "cuda":
        return "float32"
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


@contextmanager
def torch_precision(precision, device):
    """Let a GPU multiply in TF32 within the block if that is the precision, and otherwise not, as torch would."""
    if torch.device(device).type != "cuda":
        yield
        return
    libraries = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [library.allow_tf32 for library in libraries]
    try:
        for library in libraries:
            library.allow_tf32 = precision == "tf32"
        yield
    finally:
        for library, allowed in zip(libraries, before, strict=True):
            library.allow_tf32 = allowed


def to_device(tensor, device):
    """Return a tensor on a device; to a GPU it is copied from pinned memory, while the GPU computes."""
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class ImagesAtOnce:
    """The number of images that are computed at once, halved whenever the memory of a GPU does not suffice."""

    def __init__(self):
        self.limit = math.inf

    def run(self, compute, n_images):
        """Return ``compute(n)`` with the largest n <= `n_images` that fits; raise MemoryError if not even 1 does."""
        while True:
            n_at_once = min(self.limit, n_images)
            try:
                return compute(n_at_once)
            except torch.OutOfMemoryError as error:
                if n_at_once == 1:
                    raise MemoryError(
                        f"The memory of the GPU does not suffice for one image ({error}). Use device='cpu', or smaller "
                        "images."
                    ) from error
            self.limit = -(-n_at_once // 2)
            warnings.warn(
                f"The memory of the GPU does not suffice for {n_at_once} images at once; {self.limit} are computed.",
                RadiodeepWarning,
                stacklevel=2,
            )
            torch.cuda.empty_cache()
