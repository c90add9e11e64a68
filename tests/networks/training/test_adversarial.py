import torch

from radiodeep.networks.architectures.generators import LesionCritic, LesionNetwork
from radiodeep.networks.training.adversarial import _augmented, fit_adversarial
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.plan import Training


def test_augmented_images_are_moved_flipped_and_have_a_hole():
    images = torch.full((64, 2, 16, 16), 0.5)
    images[:, 1] = torch.arange(16.0)
    moved, facts = _augmented(images, torch.zeros(64, 3), torch.Generator().manual_seed(0))
    holes = (moved == 0).all(dim=1).sum(dim=(1, 2))
    assert 4 * 4 <= holes.min() < holes.max() == 8 * 8
    levels = torch.tensor([image[0][image[0] != 0].mean() - 0.5 for image in moved])
    assert 0.2 < levels.abs().max() <= 0.25
    shown = [row[row != 0].diff() for row in moved[:, 1, 0]]
    rising = torch.tensor([bool((steps >= 0).all()) for steps in shown])
    assert 16 < rising.sum() < 48  # the others are flipped
    assert 0.08 < facts.std() < 0.12


def test_gradients_pass_through_the_augmentation():
    images = torch.zeros(4, 2, 16, 16, requires_grad=True)
    facts = torch.zeros(4, 3, requires_grad=True)
    moved, noisy = _augmented(images, facts, torch.Generator().manual_seed(0))
    (moved.sum() + noisy.sum()).backward()
    assert (images.grad.sum(dim=(1, 2, 3)) > 0).all()
    assert (facts.grad == 1).all()


def test_the_result_is_the_moving_average_of_the_generator():
    torch.manual_seed(0)
    generator, critic = LesionNetwork(2, 1, 16, 4), LesionCritic(2, 1, 16, 4)
    start = generator.facts[2].bias.detach().clone()
    targets = torch.tensor([[0.0, -1.0], [1.0, 1.0]]).repeat(4, 1)
    examples = Examples(torch.rand(8, 2, 16, 16), targets)
    history = fit_adversarial(generator, critic, examples, Training(epochs=1, n_views=1, batch_size=8))
    assert [sorted(record) for record in history] == [["critic_loss", "epoch", "learning_rate", "loss"]]
    moved = (generator.facts[2].bias - start).abs()
    # Adam's first step is the learning rate, of which the average takes 10 / 11
    assert torch.allclose(moved, torch.full_like(moved, 1e-3 * 10 / 11), rtol=1e-3)
