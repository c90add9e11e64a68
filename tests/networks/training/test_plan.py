"""The plan of a training gives its learning rates and its optimizer, and can be searched."""

import pytest
import torch
from sklearn.base import clone

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.training.augmentation import OwnRangeAugmentation
from radiodeep.networks.training.plan import OPTIMIZERS, Rates, Training, cyclic_learning_rates, one_cycle


def test_a_constant_schedule_has_a_rate_for_every_epoch():
    assert Training(epochs=3, learning_rate=0.1).rates() == Rates([0.1, 0.1, 0.1], None, ())


def test_snapshots_are_taken_at_the_ends_of_cycles_and_no_patients_are_held_out():
    training = Training(epochs=5, learning_rate=0.1, n_snapshots=2)
    rates = training.rates()
    assert rates.snapshots == (2, 5)
    assert rates.learning_rates == pytest.approx([0.1, 0.05, 0.1, 0.075, 0.025])
    assert (training.held_out_fraction, Training().held_out_fraction) == (0.0, 0.3)
    with pytest.raises(InputError, match="There must be 1 to 3 cycles, no more than epochs. Got 4"):
        cyclic_learning_rates(0.1, 3, 4)


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 10, 37])
def test_one_cycle_has_the_rates_and_the_momenta_of_torch(n_epochs):
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.02)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=n_epochs)
    expected = []
    for _ in range(n_epochs):
        expected.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"][0]))
        optimizer.step()
        if len(expected) < n_epochs:
            scheduler.step()
    assert list(zip(*one_cycle(0.02, n_epochs), strict=True)) == expected
    rates = Training(epochs=n_epochs, learning_rate=0.02, schedule="one-cycle").rates()
    assert (rates.learning_rates, rates.momenta) == one_cycle(0.02, n_epochs)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_optimizer_is_that_of_torch_with_the_settings_of_the_plan(optimizer):
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "factor": 2.0}]
    made = Training(optimizer=optimizer, momentum=0.7, weight_decay=0.2).make_optimizer(groups, 0.5)
    assert type(made).__name__.lower() == optimizer
    group = made.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["factor"]) == (0.5, 0.2, 2.0)
    assert group.get("momentum", 0) == (0.7 if optimizer == "sgd" else 0)


def test_images_in_units_of_their_own_are_augmented_on_a_scale_of_0_to_1():
    training = Training(epochs=3)
    assert training.for_input(input_specification("arch3")) is training
    changed = training.for_input(input_specification("fcib_resnet50"))
    assert changed.augmentation == OwnRangeAugmentation(training.augmentation)
    assert changed.epochs == 3
    plain = Training(augmentation=None)
    assert plain.for_input(input_specification("fcib_resnet50")) is plain


def test_a_copy_has_the_same_settings():
    training = Training(epochs=3, optimizer="sgd", augmentation=None)
    assert clone(training).get_params() == training.get_params()
    assert repr(clone(training)) == "Training(augmentation=None, epochs=3, optimizer='sgd')"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "'epochs' parameter of Training must be an int >= 1. Got 0"),
        ({"n_views": 1.5}, "'n_views' parameter of Training must be an int >= 1. Got 1.5"),
        ({"batch_size": True}, "'batch_size' parameter of Training must be an int >= 1. Got True"),
        ({"learning_rate": 0}, "'learning_rate' parameter of Training must be a float > 0. Got 0"),
        (
            {"schedule": "onecycle"},
            "'schedule' .* one of constant, one-cycle. Got 'onecycle' instead. Did you mean 'one-",
        ),
        ({"n_snapshots": 1}, "'n_snapshots' parameter of Training must be an int >= 2. Got 1"),
        (
            {"optimizer": "lion"},
            "'optimizer' parameter of Training must be one of adam, adamw, rmsprop, sgd. Got 'lion'",
        ),
        ({"momentum": 1}, "'momentum' parameter of Training must be a float >= 0 and < 1. Got 1"),
        ({"weight_decay": -1}, "'weight_decay' parameter of Training must be a float >= 0. Got -1"),
        ({"penalty": -1}, "'penalty' parameter of Training must be a float >= 0. Got -1"),
        ({"augmentation": True}, "'augmentation' parameter of Training must be None or an Augmentation. Got True"),
        ({"validation_fraction": 1}, "'validation_fraction' parameter of Training must be a float >= 0 and < 1. Got 1"),
        ({"patience": 0}, "'patience' parameter of Training must be an int >= 1. Got 0"),
        ({"precision": "half"}, "'precision' parameter of Training must be one of float32, tf32, bfloat16, auto"),
    ],
)
def test_a_setting_out_of_range_is_refused(setting, message):
    with pytest.raises(InputError, match=message):
        Training(**setting).check()
    with pytest.raises(InputError, match="of Somebody must be"):
        Training(**setting).check("Somebody")
