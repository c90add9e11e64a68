"""A network and batches of examples go in; the trained network and its losses come out."""

import math

import torch
from torch import nn

from radiodeep.exceptions import InputError
from radiodeep.progress import with_progress

PRECISIONS = ("float32", "bfloat16", "auto")


def train_regression(network, batches, n_steps, *, learning_rate=3e-3, weight_decay=0.01, precision="float32"):
    """Train a network to predict numbers, with AdamW and one cycle of the learning rate.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place; left in evaluation mode.
    batches : iterable of (images, targets)
        Float32 tensors of shapes (n, channels, height, width) and (n, n_outputs); at least `n_steps` of them.
    n_steps : int
        One batch each.
    learning_rate : float, default=3e-3
        The peak of the cycle.
    weight_decay : float, default=0.01
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        "auto" computes in bfloat16 where the processor does so in hardware. The weights stay float32.

    Returns
    -------
    list of float
        Mean squared error of each step.

    Raises
    ------
    InputError
        An unknown precision, no steps, or fewer batches than steps.
    FloatingPointError
        The loss is no longer finite; a lower learning rate is the way out.

    References
    ----------
    I. Loshchilov, F. Hutter, Decoupled weight decay regularization, ICLR 2019.
    L. N. Smith, N. Topin, Super-convergence, Proc. SPIE 11006, 2019.

    Examples
    --------
    >>> import itertools
    >>> import torch
    >>> from radiodeep.networks.architectures.registry import build_network
    >>> from radiodeep.networks.training.regression import train_regression
    >>> network = build_network("radiodeep-mini", in_channels=1, n_classes=1)
    >>> batch = torch.rand(8, 1, 32, 32), torch.rand(8, 1)
    >>> len(train_regression(network, itertools.repeat(batch), n_steps=3))
    3
    """
    dtype = _dtype(precision)
    if not isinstance(n_steps, int) or n_steps < 1:
        raise InputError(f"The 'n_steps' parameter of train_regression must be an int > 0. Got {n_steps!r} instead.")
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=n_steps)
    network.train().to(memory_format=torch.channels_last)
    losses = []
    for _, (images, targets) in with_progress(zip(range(n_steps), batches, strict=False), "Training", n_steps):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
            predicted = network(images.to(memory_format=torch.channels_last))
        loss = nn.functional.mse_loss(predicted.float(), targets)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(f"The loss of step {len(losses)} is {losses[-1]}. Take a lower learning rate.")
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    if len(losses) < n_steps:
        raise InputError(f"train_regression needs {n_steps} batches, one for each step. Got {len(losses)} instead.")
    return losses


def _dtype(precision):
    if precision not in PRECISIONS:
        raise InputError(
            f"The 'precision' parameter of train_regression must be one of {', '.join(PRECISIONS)}. "
            f"Got {precision!r} instead."
        )
    features = getattr(torch.cpu, "get_capabilities", dict)()  # newer than the oldest torch that is allowed
    in_hardware = features.get("avx512_bf16", False) or features.get("amx_bf16", False)
    return torch.bfloat16 if precision == "bfloat16" or (precision == "auto" and in_hardware) else torch.float32
