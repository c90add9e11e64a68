"""Outputs of a network and targets in, a loss per example out."""

import torch
from torch.nn import functional


def classification_loss(outputs, targets):
    """Return the cross-entropy of each example, shape (n,).

    Parameters
    ----------
    outputs : float tensor of shape (n, 1) or (n, n_classes)
        Logits; of two classes one may be enough, that of the second.
    targets : int64 tensor of shape (n,)
        Numbers of the classes.
    """
    if outputs.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.to(outputs.dtype), reduction="none")
    return functional.cross_entropy(outputs, targets, reduction="none")


def regression_loss(outputs, targets):
    """Return the mean squared error of each example, shape (n,), of outputs and targets of shape (n, n_numbers)."""
    return (outputs - targets).square().mean(dim=1)


def with_auxiliary(loss, n_outputs, weight):
    """Return a loss for a network that tells further numbers beside what it is for.

    Parameters
    ----------
    loss : callable
        For the first outputs, as `classification_loss`.
    n_outputs : int
        How many those are.
    weight : float
        Of the mean squared error of the other outputs.

    Returns
    -------
    callable
        Of outputs (n, n_outputs + k) and float targets (n, m + k), whose last k columns belong to the other outputs;
        NaN where unknown.

    References
    ----------
    R. Caruana, Multitask learning, Machine Learning 28 (1997) 41.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.losses import classification_loss, with_auxiliary
    >>> loss = with_auxiliary(classification_loss, n_outputs=2, weight=0.5)
    >>> outputs = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    >>> loss(outputs, torch.tensor([[1.0, 3.0], [1.0, float("nan")]])).tolist()  # log 2 + 0.5 x 2 x 2, and log 2
    [2.693147..., 0.693147...]
    """

    def both(outputs, targets):
        n_others = outputs.shape[1] - n_outputs
        main, others = targets[:, :-n_others], targets[:, -n_others:]
        main = main[:, 0].long() if loss is classification_loss else main
        known = torch.isfinite(others)
        errors = torch.where(known, outputs[:, n_outputs:] - torch.nan_to_num(others), 0.0)
        return loss(outputs[:, :n_outputs], main) + weight * errors.square().sum(dim=1) / known.sum(dim=1).clamp(min=1)

    both.__qualname__ = f"with_auxiliary({loss.__qualname__}, {n_outputs}, {weight})"  # tells trainings apart
    return both
