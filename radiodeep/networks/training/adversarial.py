"""A generator, a critic and real images -> the fitted generator: the only adversarial training loop.

Hinge losses; both real and generated images pass through the same differentiable augmentation, so that the critic
cannot memorise a hundred images; the result is the moving average of the generator's weights.
"""

import copy
import hashlib
import math
from os import fspath

import torch
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import TrainingError
from radiodeep.networks.devices import chosen_device
from radiodeep.networks.training.checkpoints import Checkpoint, TrainingState
from radiodeep.networks.training.fitting import to_channels_last
from radiodeep.networks.weights.files import hash_of_state
from radiodeep.progress import with_progress

_BETAS = (0.0, 0.99)
_MEMORY = 0.995  # of the moving average
_SHIFT = 1 / 8  # largest translation, as a share of the side
_HOLE = 1 / 2  # side of the square that is cut out, as a share of the side
_BRIGHTNESS = 0.25  # largest change of the image's mean, which is in -1..1
_FACT_NOISE = 0.1  # in standard deviations of the facts


class _Pair(nn.Module):
    """Both networks and the moving average of the generator, as one module that a checkpoint can hold."""

    def __init__(self, generator, critic):
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.average = copy.deepcopy(generator).requires_grad_(False)
        self.register_buffer("n_steps", torch.zeros((), dtype=torch.int64))

    def update_average(self):
        self.n_steps += 1
        n_steps = int(self.n_steps)
        share = min(_MEMORY, n_steps / (n_steps + 10))
        with torch.no_grad():
            for mean, weights in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(weights, 1 - share)


def fit_adversarial(
    generator, critic, examples, training, *, seed=0, device="cpu", checkpoint=None, description="Training"
):
    """Fit a generator against a critic, and return the history of the training.

    Parameters
    ----------
    generator, critic : LesionNetwork, LesionCritic
        The generator is left with the moving average of its weights, in evaluation mode on the processor.
    examples : Examples
        Images with their masks (n, 2, size, size) in -1..1; targets (n, 1 + n_facts) are the number of the class and
        standardised facts.
    training : Training
        Of its settings, `epochs`, `n_views`, `batch_size` and `learning_rate` have an effect.
    seed, device, checkpoint, description
        As in `fit_network`: a killed training goes on from its checkpoint with the same result.

    Returns
    -------
    list of dict
        For each epoch `epoch`, `learning_rate`, `loss` of the generator and `critic_loss`.

    Raises
    ------
    TrainingError
        If a loss is not finite.

    References
    ----------
    S. Zhao et al., Differentiable augmentation for data-efficient GAN training, NeurIPS 2020. T. Miyato et al.,
    Spectral normalization for generative adversarial networks, ICLR 2018.
    """
    training.check()
    device = chosen_device(device)
    pair = to_channels_last(_Pair(generator, critic), device)
    networks = generator, critic
    groups = [{"params": list(network.parameters())} for network in networks]
    state = TrainingState(pair, torch.optim.Adam(groups, lr=training.learning_rate, betas=_BETAS), int(seed))
    with torch.random.fork_rng(devices=[]):
        file = None
        if checkpoint is not None:
            tensors = pair.state_dict() | {f"examples.{key}": value for key, value in examples.tensors().items()}
            plan = [training.n_views, training.batch_size, training.learning_rate, training.epochs, int(seed)]
            fingerprint = hashlib.sha256(f"adversarial {plan}{hash_of_state(tensors)}".encode()).hexdigest()
            file = Checkpoint(fspath(checkpoint).replace("{training}", fingerprint[:16]))
            state.load(file, fingerprint)
        pair.train()
        epochs = range(len(state.history), training.epochs)
        for epoch in with_progress(epochs, description, len(epochs)):
            losses = [_step(state, *batch[:2]) for batch in examples.epoch(training, state.generator, device)]
            loss, critic_loss = torch.stack(losses).mean(dim=0).tolist()
            if not math.isfinite(loss + critic_loss):
                raise TrainingError(
                    f"The losses of epoch {epoch + 1} are {loss:g} (generator) and {critic_loss:g} (critic). Take a "
                    f"lower learning rate than {training.learning_rate:g}, or look for images with extreme intensities."
                )
            rates = {"epoch": epoch + 1, "learning_rate": float(training.learning_rate)}
            state.add(rates | {"loss": loss, "critic_loss": critic_loss}, keep=False)
            if file is not None:
                state.save(file, fingerprint)
    generator.load_state_dict(pair.average.state_dict())
    generator.eval().to("cpu")
    return state.history


def _step(state, images, targets):
    """Take a step of the critic and one of the generator; return both losses, the generator's first."""
    pair, optimizer, random = state.network, state.optimizer, state.generator
    classes, facts = targets[:, 0].long(), targets[:, 1:]
    latent = torch.randn(len(images), pair.generator.n_latent, generator=random).to(images.device)
    generated = pair.generator(latent, classes)

    optimizer.zero_grad(set_to_none=True)  # Adam leaves weights without a gradient as they are
    both = (torch.cat([real, made.detach()]) for real, made in zip((images, facts), generated, strict=True))
    real, fake = pair.critic(*_augmented(*both, random), classes.repeat(2), n_batches=2).chunk(2)
    critic_loss = functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
    critic_loss.backward()
    optimizer.step()

    optimizer.zero_grad(set_to_none=True)
    pair.critic.requires_grad_(False)
    loss = -pair.critic(*_augmented(*generated, random), classes).mean()
    loss.backward()
    pair.critic.requires_grad_(True)
    optimizer.step()
    pair.update_average()
    return torch.stack([loss.detach(), critic_loss.detach()])


def _augmented(images, facts, random):
    """Return images flipped, moved, with a hole and another brightness, and facts with noise; all differentiable."""
    n_images, _, side, _ = images.shape
    device = images.device
    reach, hole = round(_SHIFT * side), round(_HOLE * side)

    def draw(*shape):
        return torch.rand(*shape, generator=random).to(device)

    def draw_places(low, high):
        return torch.randint(low, high + 1, (2, n_images, 1), generator=random).to(device)

    places = torch.arange(side, device=device) + reach
    rows, columns = draw_places(-reach, reach) + places  # (n, side) each, in the padded image
    columns = torch.where(draw(n_images, 1) < 0.5, columns.flip(1), columns)
    padded = functional.pad(images, (reach,) * 4, mode="replicate").permute(0, 2, 3, 1)
    index = torch.arange(n_images, device=device)[:, None, None]
    moved = padded[index, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    first = draw_places(-hole // 2, side - hole // 2)
    inside = (places - reach >= first) & (places - reach < first + hole)  # (2, n, side)
    shown = ~(inside[0][:, :, None] & inside[1][:, None, :])[:, None]
    brightness = torch.cat([(2 * draw(n_images, 1) - 1) * _BRIGHTNESS, torch.zeros(n_images, 1, device=device)], dim=1)
    noise = torch.randn(facts.shape, generator=random).to(device)
    return (moved + brightness[:, :, None, None]) * shown, facts + _FACT_NOISE * noise
