"""The training loop learns, is reproducible, keeps the best epoch and resumes a killed training."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from radiodeep.exceptions import InputError, RadiodeepWarning, TrainingError
from radiodeep.networks.training.checkpoints import Checkpoint
from radiodeep.networks.training.examples import Examples, ExampleStream
from radiodeep.networks.training.fitting import fit_network, network_outputs, warn_of_flat_loss
from radiodeep.networks.training.losses import classification_loss, regression_loss
from radiodeep.networks.training.plan import OPTIMIZERS, Rates, Training


def network(n_outputs=1, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, n_outputs),
    )  # fmt: skip


def examples(n=40, seed=1):
    """Dark and bright images; the class is the brightness."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = labels.view(-1, 1, 1, 1) + torch.randn(n, 1, 8, 8, generator=generator)
    return Examples(images, labels)


def plan(epochs=1, learning_rate=0.01, **settings):
    return Training(epochs, 1, learning_rate=learning_rate, **{"augmentation": None} | settings)


def state_of(trained):
    return {name: value.clone() for name, value in trained.state_dict().items()}


def are_equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_two_classes_are_learned(optimizer, n_outputs):
    trained = network(n_outputs)
    training = plan(15, 0.02, optimizer=optimizer, batch_size=8)
    fitted = fit_network(trained, examples(), classification_loss, training)
    assert fitted.history[-1]["loss"] < 0.5 * fitted.history[0]["loss"]
    assert not trained.training
    new = examples(seed=2)
    outputs = network_outputs(trained, new.images)
    predicted = outputs[:, 0] > 0 if n_outputs == 1 else outputs.argmax(dim=1) == 1
    assert (predicted == new.targets.bool()).float().mean() > 0.9


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    states = []
    for seed in (3, 3, 4):
        trained = network()
        before = torch.get_rng_state()
        fit_network(trained, examples(), classification_loss, plan(3, batch_size=8), seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        states.append(state_of(trained))
    assert are_equal(states[0], states[1])
    assert not are_equal(states[0], states[2])


def test_an_example_of_weight_zero_has_no_influence():
    kept = examples(24)
    kept.weights[8:16] = 0
    other = Examples(kept.images.clone(), kept.targets, kept.weights)
    other.images[8:16] = 50
    torch.manual_seed(0)
    first = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    second = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    second.load_state_dict(first.state_dict())
    fit_network(first, kept, classification_loss, plan(3))
    fit_network(second, other, classification_loss, plan(3))
    assert are_equal(state_of(first), state_of(second))


def test_the_best_epoch_on_the_validation_examples_is_kept_and_patience_ends():
    trained = network()
    rates = Rates([0.05] * 6 + [30.0] * 20)  # the training diverges after six epochs
    training = plan(optimizer="sgd", patience=4)
    fitted = fit_network(trained, examples(), classification_loss, training, rates=rates, validation=examples(seed=2))
    losses = [epoch["validation_loss"] for epoch in fitted.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 4 < 26
    left = classification_loss(network_outputs(trained, examples(seed=2).images), examples(seed=2).targets).mean()
    assert float(left) == pytest.approx(min(losses), rel=1e-5)


def test_parameters_in_no_group_and_frozen_batch_normalization_keep_their_values():
    trained = network()
    before = state_of(trained)
    groups = [{"params": list(trained[-1].parameters()), "factor": 1.0}]
    fit_network(trained, examples(), classification_loss, plan(1, 0.1), parameter_groups=groups, freeze_batch_norm=True)
    changed = {name for name, value in trained.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"6.weight", "6.bias"}
    assert all(weights.requires_grad for weights in trained.parameters())


def test_a_group_has_its_factor_of_the_learning_rate():
    steps = []
    for factor in (1.0, 10.0):
        trained = network()
        before = state_of(trained)
        body = [weights for layer in trained[:-1] for weights in layer.parameters()]
        groups = [{"params": body, "factor": 1.0}, {"params": list(trained[-1].parameters()), "factor": factor}]
        training = plan(1, 1e-3, optimizer="sgd", batch_size=100)
        fit_network(trained, examples(), classification_loss, training, parameter_groups=groups)
        steps.append({name: value - before[name] for name, value in trained.state_dict().items()})
    torch.testing.assert_close(steps[1]["6.weight"], 10 * steps[0]["6.weight"], rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(steps[1]["0.weight"], steps[0]["0.weight"], rtol=1e-3, atol=1e-7)


def test_images_are_normalised_after_they_are_augmented_and_before_they_are_scored():
    seen = {}

    class Shifted:
        def apply(self, images, generator):
            return images + 1

    class Watch(nn.Sequential):
        def forward(self, images):
            seen[self.training] = images.clone()
            return super().forward(images)

    watch = Watch(nn.Flatten(), nn.Linear(64, 1))
    dark, bright = examples(2), examples(2)
    options = {"normalize": lambda images: 100 * images, "validation": bright}
    fit_network(watch, dark, classification_loss, plan(1, 1e-6, augmentation=Shifted()), **options)
    torch.testing.assert_close(seen[False], 100 * bright.images)
    torch.testing.assert_close(seen[True].sum(), (100 * (dark.images + 1)).sum())


def test_a_batch_is_prepared_between_augmentation_and_normalisation_and_validated_with_the_same_noise():
    class Shifted:
        def apply(self, images, generator):
            return images + 1

    def noisy_pair(images, targets, generator):
        return images + torch.randn(images.shape, generator=generator), images.flatten(1)

    def distance(outputs, targets):
        batches.append((outputs.detach(), targets.clone()))
        return (outputs - targets).square().mean(dim=1) + 0 * outputs.sum()

    batches = []
    identity = nn.Sequential(nn.Flatten(), nn.Linear(64, 64, bias=False))
    with torch.no_grad():
        identity[1].weight.copy_(torch.eye(64))
    options = {"normalize": lambda images: 10 * images, "validation": examples(3), "prepare_batch": noisy_pair}
    fit_network(identity, examples(3), distance, plan(2, 1e-9, augmentation=Shifted()), **options)
    (outputs, targets), (scored, clean), _, (scored_again, _) = batches
    torch.testing.assert_close(targets.sum(), (examples(3).images + 1).sum())
    assert (outputs - 10 * targets).std() == pytest.approx(10, rel=0.15)  # noise of deviation 1 before normalisation
    torch.testing.assert_close(clean, examples(3).images.flatten(1))
    torch.testing.assert_close(scored, scored_again)


def test_snapshots_are_the_networks_of_their_epochs():
    whole, half = network(), network()
    rates = Rates([0.01] * 6, snapshots=(3, 6))
    fitted = fit_network(whole, examples(), classification_loss, plan(), rates=rates)
    fit_network(half, examples(), classification_loss, plan(3))
    assert are_equal(fitted.snapshots[0], state_of(half))
    assert are_equal(fitted.snapshots[1], state_of(whole))


def test_the_penalty_shrinks_the_penalized_weights():
    class Penalized(nn.Sequential):
        def penalized_weights(self):
            return [self[1].weight]

    norms = []
    for penalty in (0.0, 0.5):
        torch.manual_seed(0)
        trained = Penalized(nn.Flatten(), nn.Linear(64, 1))
        fit_network(trained, examples(), classification_loss, plan(5, 0.05, penalty=penalty))
        norms.append(trained[1].weight.norm().item())
    assert norms[1] < 0.5 * norms[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_resumed_from_its_checkpoint_ends_as_one_without_a_break(tmp_path, optimizer):
    options = {"validation": examples(seed=2), "rates": Rates([0.01] * 5, snapshots=(2, 4))}
    training = plan(optimizer=optimizer, batch_size=8)
    unbroken, broken, resumed, repeated = (network() for _ in range(4))
    whole = fit_network(unbroken, examples(), classification_loss, training, **options)

    class Killed(Exception):
        pass

    class KillsItself:
        calls = 0

        def apply(self, images, generator):
            KillsItself.calls += 1
            if KillsItself.calls > 17:  # in the middle of the fourth epoch
                raise Killed
            return images

        def __repr__(self):
            return "None"

    path = tmp_path / "folder" / "last.safetensors"
    killed = plan(optimizer=optimizer, batch_size=8, augmentation=KillsItself())
    with pytest.raises(Killed):
        fit_network(broken, examples(), classification_loss, killed, **options, checkpoint=path)
    fitted = fit_network(resumed, examples(), classification_loss, training, **options, checkpoint=path)
    assert fitted.history == whole.history
    assert are_equal(state_of(resumed), state_of(unbroken))
    assert all(are_equal(*pair) for pair in zip(fitted.snapshots, whole.snapshots, strict=True))
    again = fit_network(repeated, examples(), classification_loss, training, **options, checkpoint=path)
    assert again.history == whole.history
    assert are_equal(state_of(repeated), state_of(unbroken))


TRAINING = """
import sys, torch
from safetensors.torch import save_file
sys.path.insert(0, sys.argv[1])
from test_fitting import examples, network, plan
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.losses import classification_loss
torch.set_num_threads(1)
trained = network()
fit_network(trained, examples(400), classification_loss, plan(40, batch_size=8), checkpoint=sys.argv[2] or None)
save_file(trained.state_dict(), sys.argv[3])
"""


@pytest.mark.slow
def test_a_process_that_is_killed_and_started_again_ends_in_the_same_network(tmp_path):
    folder = os.path.dirname(__file__)

    def command(checkpoint, output):
        return [sys.executable, "-c", TRAINING, folder, str(checkpoint), str(tmp_path / output)]

    path = tmp_path / "last.safetensors"
    running = subprocess.Popen(command(path, "killed.safetensors"))
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert running.returncode == -signal.SIGKILL
    done = len(Checkpoint(path).read()[1]["history"])
    assert 0 < done < 40
    subprocess.run(command(path, "resumed.safetensors"), check=True)
    subprocess.run(command("", "unbroken.safetensors"), check=True)
    assert are_equal(load_file(tmp_path / "resumed.safetensors"), load_file(tmp_path / "unbroken.safetensors"))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "last.safetensors"
    fit_network(network(), examples(), classification_loss, plan(), checkpoint=path)
    for trained, data, loss, training in (
        (network(), examples(seed=9), classification_loss, plan()),
        (network(), examples(), regression_loss, plan()),
        (network(), examples(), classification_loss, plan(learning_rate=0.02)),
        (network(), examples(), classification_loss, plan(momentum=0.5)),
        (network(seed=5), examples(), classification_loss, plan()),
    ):
        with pytest.raises(InputError, match="is of another training: other images, settings or network"):
            fit_network(trained, data, loss, training, checkpoint=path)
    path.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="is not a checkpoint of a training"):
        fit_network(network(), examples(), classification_loss, plan(), checkpoint=path)


def test_gradients_are_the_same_if_the_memory_of_a_gpu_makes_batches_smaller(monkeypatch):
    training = plan(2, batch_size=10, penalty=1.0)
    settings = {"freeze_batch_norm": True, "validation": examples(seed=2)}
    weighted = examples()
    weighted.weights = torch.linspace(0.5, 2, 40)
    whole, parted = (network() for _ in range(2))
    for each in (whole, parted):
        each[3].p = 0.0  # dropout draws anew for each part
        each.penalized_weights = lambda each=each: [each[0].weight]
    expected = fit_network(whole, weighted, classification_loss, training, **settings)
    outputs = network_outputs(whole, weighted.images)
    forward = nn.Conv2d.forward

    def limited(convolution, images):
        if len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(convolution, images)

    monkeypatch.setattr(nn.Conv2d, "forward", limited)
    with pytest.warns(RadiodeepWarning, match="memory of the GPU does not suffice"):
        fitted = fit_network(parted, weighted, classification_loss, training, **settings)
    with pytest.warns(RadiodeepWarning, match="does not suffice for (40|20|10|5|3) images at once"):
        halved = network_outputs(parted, weighted.images)
    torch.testing.assert_close(halved, outputs, rtol=1e-4, atol=1e-5)
    for record, whole_record in zip(fitted.history, expected.history, strict=True):
        assert record == pytest.approx(whole_record, rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_training():
    broken = examples()
    broken.images[3] = float("nan")
    with pytest.raises(TrainingError, match=r"The loss of epoch 1 is nan\. Take a lower learning rate than 0\.5"):
        fit_network(network(), broken, classification_loss, plan(1, 0.5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": plan(batch_size=0)}, "'batch_size' parameter of Training must be an int >= 1. Got 0"),
        ({"rates": Rates([])}, "learning rates must be numbers > 0"),
        ({"rates": Rates([0.0])}, "learning rates must be numbers > 0"),
        ({"training": plan(patience=3)}, "'patience' parameter of Training needs validation examples"),
        ({"examples": examples(0)}, "to no examples"),
    ],
)
def test_settings_that_train_nothing_are_refused(changes, message):
    options = {"examples": examples(), "loss": classification_loss, "training": plan()} | changes
    with pytest.raises(InputError, match=message):
        fit_network(network(), **options)


def test_a_loss_that_rose_asks_for_a_lower_learning_rate_and_one_that_stayed_for_what_is_advised():
    rising, flat, falling = ([{"loss": 1.0}, {"loss": last}] for last in (1.2, 1.005, 0.5))
    with pytest.warns(
        RadiodeepWarning, match=r"Mine: the training loss rose \(from 1 .* to 1\.2 .* lower learning_rate"
    ):
        assert warn_of_flat_loss([rising], "Mine", "Do more.")
    with pytest.warns(
        RadiodeepWarning, match=r"the training loss did not fall by 1 % \(from 1 .* to 1\.005 .*Do more\."
    ):
        assert warn_of_flat_loss([flat], "Mine", "Do more.")
    with pytest.warns(RadiodeepWarning, match="of 4 networks") as caught:
        assert warn_of_flat_loss([rising, flat, flat, falling], "Mine", "Do more.")
    assert [str(warning.message)[: len("Mine: the training loss of 1 of 4")] for warning in caught] == [
        "Mine: the training loss of 1 of 4", "Mine: the training loss of 2 of 4"
    ]  # fmt: skip
    assert not warn_of_flat_loss([falling, rising[:1]], "Mine", "Do more.")


def brightness(seed=1):
    """Endless batches of bright and dark images; the target is the brightness."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        target = torch.rand(16, 1, generator=generator) * 2 - 1
        yield target.view(-1, 1, 1, 1) + 0.1 * torch.randn(16, 1, 8, 8, generator=generator), target


def small_regressor():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))


ONE_CYCLE = {"schedule": "one-cycle", "optimizer": "adamw", "weight_decay": 0.01}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "auto"])
def test_a_regression_on_a_stream_learns_in_every_precision(precision):
    trained = small_regressor()
    training = plan(150, 0.02, precision=precision, **ONE_CYCLE)
    losses = [
        epoch["loss"] for epoch in fit_network(trained, ExampleStream(brightness()), regression_loss, training).history
    ]
    assert len(losses) == 150
    assert sum(losses[-10:]) < 0.05 * sum(losses[:10])
    images, targets = next(brightness(seed=2))
    with torch.inference_mode():
        assert (trained(images) - targets).square().mean() < 0.05


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_one_cycle_is_the_plain_loop_of_torch_with_its_scheduler(optimizer):
    """The schedule changes the momentum of SGD and the first beta of Adam."""
    trained, expected = small_regressor(), small_regressor()
    training = plan(12, 0.02, **ONE_CYCLE | {"optimizer": optimizer})
    fit_network(trained, ExampleStream(brightness()), regression_loss, training)
    make = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[optimizer]
    momentum = {"momentum": 0.9} if optimizer == "sgd" else {}
    steps = make(expected.parameters(), lr=0.02, weight_decay=0.01, **momentum)
    schedule = torch.optim.lr_scheduler.OneCycleLR(steps, 0.02, total_steps=12)
    for _, (images, targets) in zip(range(12), brightness(), strict=False):
        steps.zero_grad()
        nn.functional.mse_loss(expected(images), targets).backward()
        steps.step()
        schedule.step()
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[name], value, rtol=1e-5, atol=1e-7)
