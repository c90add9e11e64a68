import numpy as np
import pytest
import torch

from radiodeep.networks.architectures.generators import LesionCritic, LesionNetwork


@pytest.mark.parametrize("size", [16, 64])
def test_images_masks_and_facts_have_their_shapes(size):
    torch.manual_seed(0)
    network, critic = LesionNetwork(3, 2, size, 4), LesionCritic(3, 2, size, 4)
    classes = torch.tensor([0, 1, 2])
    images, facts = network(torch.randn(3, network.n_latent), classes)
    assert images.shape == (3, 2, size, size)
    assert images[:, 1].abs().max() <= 1
    assert facts.shape == (3, 2)
    assert critic(images, facts, classes).shape == (3,)


def test_class_and_latent_vector_change_the_image():
    torch.manual_seed(0)
    network = LesionNetwork(2, 1, 16, 4)
    latent = torch.randn(2, network.n_latent)
    images, _ = network(latent[[0, 0, 1]], torch.tensor([0, 1, 0]))
    assert (images[0] - images[1]).abs().max() > 1e-3
    assert (images[0] - images[2]).abs().max() > 1e-3


def test_images_have_no_ceiling_and_fine_texture_from_the_noise():
    torch.manual_seed(0)
    network = LesionNetwork(2, 3, size=16, width=4, n_style=8)
    latent = torch.randn(2, network.n_latent)
    latent[1, :8] = latent[0, :8]  # of equal style
    with torch.inference_mode():
        network.last[2].weight *= 100
        images, facts = network(latent, torch.tensor([1, 1]))
    assert images[:, 0].abs().max() > 1 >= images[:, 1].abs().max()  # intensities, mask
    difference = images[0, 0] - images[1, 0]
    assert difference.abs().max() > 1
    assert difference[:, 1:].sub(difference[:, :-1]).std() > difference.std()  # of neighbouring pixels: it is fine
    assert torch.allclose(facts[0], facts[1], atol=1e-6)  # threads add in another order


def test_the_critic_sees_class_facts_and_how_alike_a_batch_is():
    torch.manual_seed(0)
    critic = LesionCritic(2, 1, 16, 4).eval()
    images, facts, classes = torch.randn(4, 2, 16, 16), torch.zeros(4, 1), torch.zeros(4, dtype=torch.long)
    scores = critic(images, facts, classes)
    assert not torch.allclose(scores, critic(images, facts, classes + 1))
    assert not torch.allclose(scores, critic(images, facts + 1, classes))
    assert not torch.allclose(scores[0], critic(images[[0, 0, 0, 0]], facts, classes)[0])
    other = torch.randn(4, 2, 16, 16)
    both = critic(torch.cat([images, other]), facts.repeat(2, 1), classes.repeat(2), n_batches=2)
    assert torch.allclose(both, torch.cat([scores, critic(other, facts, classes)]), atol=1e-5)


def test_the_weights_of_the_critic_have_a_norm_of_one():
    torch.manual_seed(0)
    critic = LesionCritic(2, 1, 16, 4)
    for _ in range(60):  # a step of the power iteration each
        critic(torch.randn(2, 2, 16, 16), torch.zeros(2, 1), torch.tensor([0, 1]))
    for layer in [*critic.blocks, critic.mixed, critic.score, critic.embedding]:
        weights = layer.weight.detach().flatten(1).numpy()
        assert np.linalg.svd(weights, compute_uv=False)[0] == pytest.approx(1, abs=0.03)
