"""Training epoch by epoch: it learns, is the same for a seed, keeps the best, and survives a kill."""

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
from radiodeep.networks.training.fitting import OPTIMIZERS, Examples, fit_network, network_outputs, warn_of_flat_loss
from radiodeep.networks.training.losses import classification_loss


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


def state_of(trained):
    return {name: value.clone() for name, value in trained.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_two_classes_are_learned(optimizer, n_outputs):
    trained = network(n_outputs)
    fitted = fit_network(trained, examples(), classification_loss, [0.02] * 15, optimizer=optimizer, batch_size=8)
    assert fitted.history[-1]["loss"] < 0.5 * fitted.history[0]["loss"]
    assert not trained.training
    new = examples(seed=2)
    outputs = network_outputs(trained, new.images)
    said = outputs[:, 0] > 0 if n_outputs == 1 else outputs.argmax(dim=1) == 1
    assert (said == new.targets.bool()).float().mean() > 0.9


def test_one_output_and_two_agree_on_the_loss():
    logits = torch.randn(6, 1)
    both = torch.cat([torch.zeros(6, 1), logits], dim=1)
    targets = torch.tensor([0, 1, 1, 0, 1, 0])
    torch.testing.assert_close(classification_loss(logits, targets), classification_loss(both, targets))


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    states = []
    for seed in (3, 3, 4):
        trained = network()
        before = torch.get_rng_state()
        fit_network(trained, examples(), classification_loss, [0.01] * 3, seed=seed, batch_size=8)
        assert torch.equal(torch.get_rng_state(), before)
        states.append(state_of(trained))
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


def test_an_example_of_weight_zero_is_not_there():
    kept = examples(24)
    kept.weights[8:16] = 0
    other = Examples(kept.images.clone(), kept.targets, kept.weights)
    other.images[8:16] = 50
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    twin = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    twin.load_state_dict(plain.state_dict())
    fit_network(plain, kept, classification_loss, [0.01] * 3)
    fit_network(twin, other, classification_loss, [0.01] * 3)
    assert same(state_of(plain), state_of(twin))


def test_the_best_epoch_on_the_validation_examples_is_kept_and_patience_ends():
    trained = network()
    rates = [0.05] * 6 + [30.0] * 20  # the training runs away after six epochs
    fitted = fit_network(
        trained, examples(), classification_loss, rates, optimizer="sgd", validation=examples(seed=2), patience=4
    )
    losses = [epoch["validation_loss"] for epoch in fitted.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 4 < len(rates)
    left = classification_loss(network_outputs(trained, examples(seed=2).images), examples(seed=2).targets).mean()
    assert float(left) == pytest.approx(min(losses), rel=1e-5)


def test_only_what_shall_learn_learns_and_norms_may_keep_their_statistics():
    trained = network()
    before = state_of(trained)
    fit_network(
        trained, examples(), classification_loss, [0.1], trained=list(trained[-1].parameters()), freeze_batch_norm=True
    )
    changed = {name for name, value in trained.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"6.weight", "6.bias"}
    assert all(weights.requires_grad for weights in trained.parameters())


def test_the_head_learns_as_much_faster_as_was_asked_for():
    steps = []
    for factor in (1.0, 10.0):
        trained = network()
        before = state_of(trained)
        options = {"optimizer": "sgd", "batch_size": 100, "head": trained[-1].parameters(), "head_factor": factor}
        fit_network(trained, examples(), classification_loss, [1e-3], **options)
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

    watch, (dark, bright) = Watch(nn.Flatten(), nn.Linear(64, 1)), (examples(2), examples(2))
    options = {"augmentation": Shifted(), "normalize": lambda images: 100 * images, "validation": bright}
    fit_network(watch, dark, classification_loss, [1e-6], **options)
    torch.testing.assert_close(seen[False], 100 * bright.images)
    torch.testing.assert_close(seen[True].sum(), (100 * (dark.images + 1)).sum())


def test_snapshots_are_the_networks_of_their_epochs():
    through, ends = network(), network()
    fitted = fit_network(through, examples(), classification_loss, [0.01] * 6, snapshots=(3, 6))
    fit_network(ends, examples(), classification_loss, [0.01] * 3)
    assert same(fitted.snapshots[0], state_of(ends))
    assert same(fitted.snapshots[1], state_of(through))


def test_the_penalty_shrinks_the_weights_that_it_is_for():
    class Penalized(nn.Sequential):
        def penalized_weights(self):
            return [self[1].weight]

    norms = []
    for penalty in (0.0, 0.5):
        torch.manual_seed(0)
        trained = Penalized(nn.Flatten(), nn.Linear(64, 1))
        fit_network(trained, examples(), classification_loss, [0.05] * 5, penalty=penalty)
        norms.append(trained[1].weight.norm().item())
    assert norms[1] < 0.5 * norms[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(tmp_path, optimizer):
    options = {"validation": examples(seed=2), "snapshots": (2, 4), "optimizer": optimizer, "batch_size": 8}
    unbroken, broken, resumed = network(), network(), network()
    whole = fit_network(unbroken, examples(), classification_loss, [0.01] * 5, **options)

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
    with pytest.raises(Killed):
        fit_network(
            broken, examples(), classification_loss, [0.01] * 5, **options, checkpoint=path, augmentation=KillsItself()
        )
    fitted = fit_network(resumed, examples(), classification_loss, [0.01] * 5, **options, checkpoint=path)
    assert fitted.history == whole.history
    assert same(state_of(resumed), state_of(unbroken))
    assert all(same(*pair) for pair in zip(fitted.snapshots, whole.snapshots, strict=True))
    again = network()
    assert fit_network(again, examples(), classification_loss, [0.01] * 5, **options, checkpoint=path).history == (
        whole.history
    )
    assert same(state_of(again), state_of(unbroken))


TRAINING = """
import sys, torch
from safetensors.torch import save_file
sys.path.insert(0, sys.argv[1])
from test_fitting import examples, network
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.losses import classification_loss
torch.set_num_threads(1)
trained = network()
fit_network(trained, examples(400), classification_loss, [0.01] * 40, batch_size=8, checkpoint=sys.argv[2] or None)
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
    assert same(load_file(tmp_path / "resumed.safetensors"), load_file(tmp_path / "unbroken.safetensors"))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "last.safetensors"
    fit_network(network(), examples(), classification_loss, [0.01], checkpoint=path)
    for change in (
        lambda: fit_network(network(), examples(seed=9), classification_loss, [0.01], checkpoint=path),
        lambda: fit_network(network(), examples(), classification_loss, [0.02], checkpoint=path),
        lambda: fit_network(network(seed=5), examples(), classification_loss, [0.01], checkpoint=path),
    ):
        with pytest.raises(InputError, match="is of another training: other images, settings or network"):
            change()
    path.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="is not a checkpoint of a training"):
        fit_network(network(), examples(), classification_loss, [0.01], checkpoint=path)


def test_a_loss_that_is_no_longer_finite_stops_the_training():
    broken = examples()
    broken.images[3] = float("nan")
    with pytest.raises(TrainingError, match=r"The loss of epoch 1 is nan\. Take a lower learning rate than 0\.5"):
        fit_network(network(), broken, classification_loss, [0.5])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "lion"}, "optimizer must be one of adam, adamw, rmsprop, sgd. Got 'lion'"),
        ({"learning_rates": []}, "learning rates must be numbers > 0"),
        ({"learning_rates": [0.0]}, "learning rates must be numbers > 0"),
        ({"batch_size": 0}, "batch size must be an int > 0. Got 0"),
        ({"patience": 3}, "patience needs examples for validation"),
        ({"examples": examples(0)}, "to no examples"),
        ({"precision": "half"}, "precision must be one of"),
    ],
)
def test_settings_that_train_nothing_are_refused(changes, message):
    options = {"examples": examples(), "loss": classification_loss, "learning_rates": [0.1]} | changes
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
    assert [str(one.message)[: len("Mine: the training loss of 1 of 4")] for one in caught] == [
        "Mine: the training loss of 1 of 4", "Mine: the training loss of 2 of 4"
    ]  # fmt: skip
    assert not warn_of_flat_loss([falling, rising[:1]], "Mine", "Do more.")
