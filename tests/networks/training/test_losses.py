"""Losses per example, weights of classes and numbers of labels."""

import numpy as np
import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.training.losses import (
    class_weights,
    classification_loss,
    numbered_classes,
    regression_loss,
    with_auxiliary,
)


def test_one_logit_and_two_agree_on_the_loss_of_two_classes():
    logits = torch.randn(6, 1, generator=torch.Generator().manual_seed(0))
    both = torch.cat([torch.zeros(6, 1), logits], dim=1)
    targets = torch.tensor([0, 1, 1, 0, 1, 0])
    expected = -torch.log(torch.sigmoid(torch.where(targets == 1, logits[:, 0], -logits[:, 0])))
    torch.testing.assert_close(classification_loss(logits, targets), expected)
    torch.testing.assert_close(classification_loss(both, targets), expected)


def test_the_regression_loss_is_the_mean_squared_error_of_each_example():
    outputs = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    assert regression_loss(outputs, torch.tensor([[0.0, 0.0], [0.0, 2.0]])).tolist() == [2.5, 2.0]


def test_the_auxiliary_loss_counts_known_numbers_only_and_belongs_to_any_loss():
    loss = with_auxiliary(regression_loss, n_outputs=1, weight=0.5)
    outputs = torch.tensor([[1.0, 3.0, 1.0], [1.0, 3.0, 1.0], [1.0, 3.0, 1.0]])
    targets = torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, torch.nan], [0.0, torch.nan, torch.nan]])
    assert loss(outputs, targets).tolist() == [1 + 0.5 * 4 / 2, 1 + 0.5 * 4, 1.0]


def test_the_name_of_an_auxiliary_loss_tells_its_settings():
    names = {with_auxiliary(classification_loss, n, weight).__qualname__ for n in (1, 2) for weight in (0.3, 0.5)}
    assert len(names) == 4


def test_balanced_classes_have_the_same_total_weight():
    classes, numbers = numbered_classes(list("aaab"))
    weights = class_weights(classes, numbers, "balanced")
    np.testing.assert_allclose(weights * np.bincount(numbers), [2, 2])
    assert class_weights(classes, numbers, None).tolist() == [1, 1]
    assert class_weights(classes, numbers, {"b": 3, "a": 1}).tolist() == [1, 3]


def test_labels_of_several_types_are_refused():
    with pytest.raises(InputError, match="The labels are of several types, such as text and numbers"):
        numbered_classes(np.array(["a", 1], dtype=object))
