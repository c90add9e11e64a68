"""A network and batches of examples in, the trained network and its history of losses out."""

import torch
from torch import nn

from radiodeep.progress import with_progress


def train_regression(network, batches, n_steps, *, learning_rate=3e-3, weight_decay=0.01):
    """Train a network to predict numbers, with AdamW and one cycle of the learning rate.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place; left in evaluation mode.
    batches : iterable of (images, targets)
        At least `n_steps` of them.
    n_steps : int
    learning_rate : float, default=3e-3
        The peak of the cycle.
    weight_decay : float, default=0.01

    Returns
    -------
    list of float
        Mean squared error of each step.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=n_steps)
    network.train().to(memory_format=torch.channels_last)
    losses = []
    for _, (images, targets) in with_progress(zip(range(n_steps), batches, strict=False), "Training", n_steps):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.mse_loss(network(images.to(memory_format=torch.channels_last)), targets)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    network.eval()
    return losses
