"""Labels -> targets and weights of classes; outputs and targets of a network -> the loss of each example."""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from radiodeep.exceptions import InputError


def numbered_classes(labels):
    """Return the sorted classes, and the number of the class of each label, int64 of shape (n,).

    Raise InputError if labels are missing, of several types or not one per case.
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

    `classes` and `numbers` are those of `numbered_classes`. `class_weight` None gives all cases the same weight,
    "balanced" all classes the same total weight; a dict holds the weight of a case by class, of exactly these classes.
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
    """Return the cross-entropy of each example, shape (n,), of logits (n, n_classes) and class numbers (n,).

    For two classes there may be only the logit of the second.
    """
    if outputs.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.to(outputs.dtype), reduction="none")
    return functional.cross_entropy(outputs, targets, reduction="none")


def regression_loss(outputs, targets):
    """Return the mean squared error of each example, shape (n,), for outputs and targets of shape (n, n_targets)."""
    return (outputs - targets).square().mean(dim=1)


def with_auxiliary(loss, n_outputs, weight):
    """Return a loss for a network that predicts auxiliary numbers besides the targets of another loss.

    It takes outputs (n, n_outputs + k) and float targets (n, m + k). The last k columns of both are the auxiliary
    numbers, NaN in targets where unknown; their mean squared error counts `weight` times. R. Caruana, Multitask
    learning, Machine Learning 28 (1997) 41.
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
