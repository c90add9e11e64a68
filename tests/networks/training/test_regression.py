import itertools

import pytest
import torch
from torch import nn

from radiodeep.exceptions import InputError
from radiodeep.networks.training.regression import train_regression


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))


def batches():
    """Bright and dark images; the target is the brightness."""
    generator = torch.Generator().manual_seed(1)
    while True:
        brightness = torch.rand(16, 1, generator=generator) * 2 - 1
        yield brightness.view(-1, 1, 1, 1) + 0.1 * torch.randn(16, 1, 8, 8, generator=generator), brightness


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "auto"])
def test_a_network_learns_a_number_that_can_be_seen(precision):
    trained = network()
    losses = train_regression(trained, batches(), 150, learning_rate=0.02, precision=precision)
    assert len(losses) == 150
    assert sum(losses[-10:]) < 0.05 * sum(losses[:10])
    assert not trained.training
    images, targets = next(batches())
    with torch.inference_mode():
        assert (trained(images) - targets).square().mean() < 0.05


def test_the_same_seed_gives_the_same_network():
    first, again = network(), network()
    assert train_regression(first, batches(), 5) == train_regression(again, batches(), 5)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 0}, "'n_steps' parameter of train_regression must be an int > 0. Got 0"),
        ({"precision": "half"}, "'precision' parameter .* one of float32, bfloat16, auto. Got 'half'"),
    ],
)
def test_settings_that_train_nothing_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        train_regression(network(), batches(), **({"n_steps": 1} | options))


def test_too_few_batches_are_refused():
    with pytest.raises(InputError, match=r"needs 5 batches, one for each step\. Got 2 instead"):
        train_regression(network(), itertools.islice(batches(), 2), 5)


def test_a_loss_that_is_no_longer_finite_stops_the_training():
    broken = itertools.repeat((torch.full((2, 1, 8, 8), float("inf")), torch.zeros(2, 1)))
    with pytest.raises(FloatingPointError, match=r"The loss of step 1 is nan\. Take a lower learning rate"):
        train_regression(network(), broken, 3)
