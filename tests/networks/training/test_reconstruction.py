"""The losses of autoencoders against theory: closed forms, and the components of PCA."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from radiodeep.networks.architectures.autoencoders import Autoencoder
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.plan import Training
from radiodeep.networks.training.reconstruction import NoisyImages, ReconstructionLoss, normal_divergence


def test_the_divergence_is_that_of_torch_and_zero_for_standard_normal_numbers():
    generator = torch.Generator().manual_seed(0)
    means, log_variances = torch.randn(2, 5, 3, generator=generator)
    deviations = (log_variances / 2).exp()
    features, standard = torch.distributions.Normal(means, deviations), torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(features, standard).sum(dim=1)
    torch.testing.assert_close(normal_divergence(means, log_variances), expected)
    assert normal_divergence(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]


def test_the_loss_of_the_mean_image_is_one_and_the_divergence_counts_twice_beta_per_pixel():
    images = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    network = Autoencoder(2, side=4, widths=()).center_on(images)
    variance = float(network.scale) ** 2
    assert variance == pytest.approx(images.numpy().var(axis=0).mean(), rel=1e-5)
    rows = network.mean_image.expand_as(images).flatten(1)
    assert ReconstructionLoss(variance)(rows, images).mean().item() == pytest.approx(1, rel=1e-5)
    means = torch.full((50, 2), 3.0)
    loss = ReconstructionLoss(variance, beta=0.5)(torch.cat([rows, means, torch.zeros(50, 2)], dim=1), images)
    assert loss.mean().item() == pytest.approx(1 + 2 * 0.5 * 9 / 16, rel=1e-5)  # KL = 2 features x 3^2 / 2


def test_noise_is_added_to_the_input_alone_and_drawn_from_the_generator():
    images = torch.zeros(20, 1, 16, 16)

    def noisy(seed, noise=0.2):
        return NoisyImages(noise)(images, None, torch.Generator().manual_seed(seed))

    shown, targets = noisy(0)
    assert targets is images
    assert shown.std().item() == pytest.approx(0.2, rel=0.05)
    torch.testing.assert_close(noisy(0)[0], shown, rtol=0, atol=0)
    assert not torch.equal(noisy(1)[0], shown)
    assert all(part is images for part in noisy(0, noise=0.0))


def low_rank_images(n_pixels_side=6, n=200):
    """Return images whose principal components have variances 9, 4, 1 and, many times, 0.01."""
    rng = np.random.default_rng(0)
    n_pixels = n_pixels_side**2
    axes = np.linalg.qr(rng.standard_normal((n_pixels, n_pixels)))[0]
    deviations = np.r_[3, 2, 1, np.full(n_pixels - 3, 0.1)]
    values = rng.standard_normal((n, n_pixels)) * deviations
    return torch.from_numpy((values @ axes.T + 1).reshape(n, 1, n_pixels_side, n_pixels_side)).float()


def fitted_linear(images, n_features, beta=1.0, is_variational=False):
    torch.manual_seed(0)
    network = Autoencoder(n_features, is_variational=is_variational, side=images.shape[-1], widths=())
    network.center_on(images)
    plan = Training(400, 1, 50, learning_rate=1e-2, schedule="one-cycle", augmentation=None)
    examples = Examples(images, torch.zeros(len(images)))
    loss = ReconstructionLoss(float(network.scale) ** 2, beta)
    fit_network(network, examples, loss, plan, prepare_batch=NoisyImages())
    return network


@pytest.mark.slow
@pytest.mark.parametrize("n_features", [1, 2, 3])
def test_a_linear_autoencoder_reaches_the_error_of_pca(n_features):
    # P. Baldi, K. Hornik, Neural networks and principal component analysis, Neural Networks 2 (1989) 53
    images = low_rank_images()
    network = fitted_linear(images, n_features)
    with torch.inference_mode():
        again = network.reconstruct(images)
    flat = images.flatten(1).numpy()
    pca = PCA(n_features).fit(flat)
    least = np.square(pca.inverse_transform(pca.transform(flat)) - flat).mean()
    error = float((again - images).square().mean())
    assert least * (1 - 1e-5) <= error <= least * 1.02


@pytest.mark.slow
def test_a_linear_variational_autoencoder_keeps_the_components_above_the_noise_and_finds_their_divergence():
    # probabilistic PCA with fixed noise v: components of variance l > v are kept, with KL = log(l / v) / 2, and others
    # collapse. J. Lucas et al., Don't blame the ELBO!, NeurIPS 2019
    images = low_rank_images()
    network = fitted_linear(images, 4, is_variational=True)
    noise = float(network.scale) ** 2
    variances = np.linalg.eigvalsh(np.cov(images.flatten(1).numpy().T, bias=True))[::-1]
    kept = variances[variances > noise]
    with torch.inference_mode():
        encoded = network(images)[:, images[0].numel() :]
        divergence = normal_divergence(*encoded.chunk(2, dim=1)).mean().item()
    assert len(kept) == 3
    assert divergence == pytest.approx(sum(math.log(value / noise) / 2 for value in kept), rel=0.03)
    assert ((encoded[:, :4].std(dim=0) > 0.1).sum(), (encoded[:, 4:].mean(dim=0) > -0.05).sum()) == (3, 1)
