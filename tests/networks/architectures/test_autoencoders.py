"""Autoencoders of squares and cubes: shapes, scale, and random numbers only while they are trained."""

import pytest
import torch

from radiodeep.networks.architectures.autoencoders import Autoencoder

GENERATOR = torch.Generator().manual_seed(0)
SQUARES = torch.rand(3, 1, 64, 64, generator=GENERATOR)
CUBES = torch.rand(2, 1, 32, 32, 32, generator=GENERATOR)


@pytest.mark.parametrize(("images", "dimensions"), [(SQUARES, 2), (CUBES, 3)])
@pytest.mark.parametrize("is_variational", [False, True])
def test_rows_are_the_reconstruction_and_what_a_variational_loss_needs(images, dimensions, is_variational):
    network = Autoencoder(5, dimensions, is_variational).eval()
    with torch.inference_mode():
        rows = network(images)
        features, again = network.encode(images), network.reconstruct(images)
    n_pixels = images[0].numel()
    assert rows.shape == (len(images), n_pixels + 2 * 5 * is_variational)
    torch.testing.assert_close(rows[:, :n_pixels], again.flatten(1))
    if is_variational:
        torch.testing.assert_close(rows[:, n_pixels : n_pixels + 5], features)
    assert again.shape == images.shape


def test_features_do_not_change_with_the_scale_and_offset_of_all_images():
    network = Autoencoder(4).eval()
    with torch.inference_mode():
        expected, again = (function(SQUARES) for function in (network.center_on(SQUARES).encode, network.reconstruct))
        moved = 200 * SQUARES - 50
        torch.testing.assert_close(network.center_on(moved).encode(moved), expected, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(network.reconstruct(moved), 200 * again - 50, rtol=1e-3, atol=1e-2)


def test_a_variational_network_draws_features_only_while_it_is_trained():
    network = Autoencoder(4, is_variational=True)
    with torch.no_grad():
        assert not torch.equal(network(SQUARES)[:, :4096], network(SQUARES)[:, :4096])
        network.eval()
        assert torch.equal(network(SQUARES), network(SQUARES))


def test_drawn_features_have_the_variance_that_the_network_gives_them():
    network = Autoencoder(2, is_variational=True, side=4, widths=())
    with torch.no_grad():
        network.encoder[-1].weight.zero_()
        network.encoder[-1].bias.copy_(torch.tensor([1.0, -1.0, 2 * torch.tensor(0.5).log(), 0.0]))
        torch.nn.init.eye_(network.decoder[0].weight)  # the first two pixels are the features
        network.decoder[0].bias.zero_()
        torch.manual_seed(0)
        drawn = network(torch.zeros(20_000, 1, 4, 4))[:, :2]
    torch.testing.assert_close(drawn.mean(dim=0), torch.tensor([1.0, -1.0]), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.std(dim=0), torch.tensor([0.5, 1.0]), atol=0.03, rtol=0)
