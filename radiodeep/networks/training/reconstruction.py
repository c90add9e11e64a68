"""Images -> what an autoencoder is shown and has to return, and the loss of what it returns."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class NoisyImages:
    """As `prepare_batch` of `fit_network`: add normal noise to images; the target is the image without it.

    P. Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008.
    """

    noise: float = 0.0  # standard deviation in units of the image

    def __call__(self, images, targets, generator):
        if not self.noise:
            return images, images
        noise = torch.randn(images.shape, generator=generator)
        return images + self.noise * noise.to(images.device), images


@dataclass(frozen=True)
class ReconstructionLoss:
    """Mean squared error in units of the variance of the images' pixels, plus what a variational autoencoder adds.

    1 is the loss of the mean image. Outputs are those of `Autoencoder`. Those of a variational one add
    2 beta KL / n_pixels, where KL is the divergence of the features from independent standard normal numbers: the
    negative evidence lower bound, if beta is 1 and pixels have normal noise of that variance, times 2 / n_pixels and
    but for a constant.
    """

    variance: float
    beta: float = 1.0

    def __call__(self, outputs, targets):
        targets = targets.flatten(1)
        n_pixels = targets.shape[1]
        loss = (outputs[:, :n_pixels] - targets).square().mean(dim=1) / self.variance
        if outputs.shape[1] > n_pixels:
            loss = loss + 2 * self.beta / n_pixels * normal_divergence(*outputs[:, n_pixels:].chunk(2, dim=1))
        return loss


def normal_divergence(means, log_variances):
    """Return the Kullback-Leibler divergence of independent normal numbers from standard normal ones, shape (n,).

    Both arguments have shape (n, n_features). D. P. Kingma, M. Welling, ICLR 2014, appendix B.
    """
    return (log_variances.exp() + means.square() - 1 - log_variances).sum(dim=1) / 2
