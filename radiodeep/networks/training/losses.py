"""Labels -> targets and weights of classes; outputs and targets of a network -> the loss of each example."""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from radiodeep.exceptions import InputError


def numbered_classes(labels):
    """Return the sorted classes, and the number of the class of each label, int64 of shape (n,).

    Parameters
    ----------
    labels : sequence of n class labels

    Raises
    ------
    InputError
        If labels are missing, of several types or not one per case.

    Examples
    --------
    >>> from radiodeep.networks.training.losses import numbered_classes
    >>> classes, numbers = numbered_classes(["small", "large", "small"])
    >>> classes.tolist(), numbers.tolist()
    (['large', 'small'], [1, 0, 1])
    >>> numbered_classes([0, 1, None])
    Traceback (most recent call last):
    radiodeep.exceptions.InputError: 1 of 3 labels are missing. Leave those cases out.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise InputError(f"There must be one label per case. Got labels of shape {labels.shape} instead.")
    n_missing = int(pd.isna(labels).sum())
    if n_missing:
        raise InputError(f"{n_missing} of {len(labels)} labels are missing. Leave those cases out.")
    try:
        return np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise InputError("The labels are of several types, such as text and numbers. Make them all of one.") from error


def class_weights(classes, numbers, class_weight):
    """Return the weight in the loss of a case of each class, float64 of shape (n_classes,).

    Parameters
    ----------
    classes, numbers
        From `numbered_classes`.
    class_weight : None, "balanced" or dict
        None gives all cases the same weight, "balanced" all classes the same total weight; a dict holds the weight of a
        case by class.

    Raises
    ------
    InputError
        If the dict lacks a class or has an unknown one.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.networks.training.losses import class_weights, numbered_classes
    >>> class_weights(*numbered_classes(["small", "small", "small", "large"]), "balanced").round(3).tolist()
    [2.0, 0.667]
    >>> class_weights(*numbered_classes([0, 1, 1]), {0: 5})
    Traceback (most recent call last):
    radiodeep.exceptions.InputError: The class_weight must hold a weight for each of the classes [0, 1]. Got {0: 5}.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        return 1 / (np.bincount(numbers) * len(classes) / len(numbers))
    if set(class_weight) != set(classes.tolist()):
        raise InputError(
            f"The class_weight must hold a weight for each of the classes {classes.tolist()}. Got {class_weight!r}."
        )
    return np.array([class_weight[name] for name in classes.tolist()], dtype=np.float64)


def classification_loss(outputs, targets):
    """Return the cross-entropy of each example, shape (n,).

    Parameters
    ----------
    outputs : float tensor of shape (n, 1) or (n, n_classes)
        Logits; for two classes there may be only that of the second.
    targets : int64 tensor of shape (n,)
        Class numbers.
    """
    if outputs.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.to(outputs.dtype), reduction="none")
    return functional.cross_entropy(outputs, targets, reduction="none")


def regression_loss(outputs, targets):
    """Return the mean squared error of each example, shape (n,), for outputs and targets of shape (n, n_targets)."""
    return (outputs - targets).square().mean(dim=1)


def with_auxiliary(loss, n_outputs, weight):
    """Return a loss for a network that predicts auxiliary numbers besides its targets.

    Parameters
    ----------
    loss : callable
        Loss of the first outputs, such as `classification_loss`.
    n_outputs : int
        Number of those outputs.
    weight : float
        Weight of the mean squared error of the other outputs.

    Returns
    -------
    callable
        Takes outputs (n, n_outputs + k) and float targets (n, m + k). The last k columns of both are the auxiliary
        numbers; targets are NaN where unknown.

    References
    ----------
    R. Caruana, Multitask learning, Machine Learning 28 (1997) 41.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.training.losses import classification_loss, with_auxiliary
    >>> loss = with_auxiliary(classification_loss, n_outputs=2, weight=0.5)
    >>> outputs = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    >>> loss(outputs, torch.tensor([[1.0, 3.0], [1.0, float("nan")]])).tolist()  # log 2 + 0.5 x 2 x 2, and log 2
    [2.693147..., 0.693147...]
    """

    def total_loss(outputs, targets):
        n_auxiliary = outputs.shape[1] - n_outputs
        main = targets[:, :-n_auxiliary]
        auxiliary = targets[:, -n_auxiliary:]
        if loss is classification_loss:
            main = main[:, 0].long()
        known = torch.isfinite(auxiliary)
        errors = torch.where(known, outputs[:, n_outputs:] - torch.nan_to_num(auxiliary), 0.0)
        auxiliary_loss = errors.square().sum(dim=1) / known.sum(dim=1).clamp(min=1)
        return loss(outputs[:, :n_outputs], main) + weight * auxiliary_loss

    total_loss.__qualname__ = f"with_auxiliary({loss.__qualname__}, {n_outputs}, {weight})"  # part of fingerprints
    return total_loss
