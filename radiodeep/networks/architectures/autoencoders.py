"""Grey squares or cubes -> a few features -> the images again."""

from itertools import pairwise

import torch
from torch import nn

SIDES = {2: 64, 3: 32}  # of the images, by the number of dimensions
WIDTHS = (16, 32, 64)


class Autoencoder(nn.Module):
    """Convolutions that halve the image, a linear bottleneck, and transposed convolutions back to the image.

    Takes images (n, 1, side, side), or cubes (n, 1, side, side, side), and returns reconstructions as rows, shape
    (n, n_pixels), of which the network computes the differences to the `mean_image`. A variational network gives each
    feature a normal distribution and returns rows of reconstruction, means and logarithms of variances, shape
    (n, n_pixels + 2 * n_features); while it is trained, images are reconstructed from random numbers of these
    distributions, else from the means. Without `widths` it has two linear layers.

    G. E. Hinton, R. R. Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313 (2006) 504.
    D. P. Kingma, M. Welling, Auto-encoding variational Bayes, ICLR 2014.
    """

    def __init__(self, n_features, dimensions=2, is_variational=False, side=None, widths=WIDTHS):
        super().__init__()
        self.n_features = n_features
        self.is_variational = is_variational
        side = side or SIDES[dimensions]
        self.shape = (1, *[side] * dimensions)
        convolution, transposed = ((nn.Conv2d, nn.ConvTranspose2d), (nn.Conv3d, nn.ConvTranspose3d))[dimensions - 2]
        channels = (1, *widths)
        smallest = (channels[-1], *[side // 2 ** len(widths)] * dimensions)
        n_values = torch.Size(smallest).numel()
        down, up = [], []
        for inner, outer in pairwise(channels):
            down += [convolution(inner, outer, 3, stride=2, padding=1), nn.LeakyReLU(0.1)]
            # a kernel of twice the stride covers all pixels equally often, so that no chequered pattern appears
            up[:0] = [nn.LeakyReLU(0.1), transposed(outer, inner, 4, stride=2, padding=1)]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(n_values, n_features * (1 + is_variational)))
        self.decoder = nn.Sequential(nn.Linear(n_features, n_values), nn.Unflatten(1, smallest), *up)
        self.register_buffer("mean_image", torch.zeros(self.shape))
        self.register_buffer("scale", torch.ones(()))

    def center_on(self, images):
        """Take the mean of images, and the standard deviation of all pixels about it, for the scale of the network."""
        self.mean_image.copy_(images.mean(dim=0))
        self.scale.copy_((images - self.mean_image).square().mean().sqrt())
        return self

    def encode(self, images):
        """Return the features of images, shape (n, n_features); of a variational network their means."""
        return self._encoded(images)[:, : self.n_features]

    def decode(self, features):
        """Return images of features, shape (n, 1, side, ...)."""
        return self.mean_image + self.scale * self.decoder(features)

    def reconstruct(self, images):
        """Return images of the features of images, shape (n, 1, side, ...)."""
        return self.decode(self.encode(images))

    def forward(self, images):
        encoded = self._encoded(images)
        features = encoded[:, : self.n_features]
        if self.is_variational and self.training:
            deviations = (encoded[:, self.n_features :] / 2).exp()
            features = features + deviations * torch.randn_like(deviations)
        reconstructions = self.decode(features).flatten(1)
        return torch.cat([reconstructions, encoded], dim=1) if self.is_variational else reconstructions

    def _encoded(self, images):
        return self.encoder((images - self.mean_image) / self.scale)
