"""Images of 28 x 28 pixels -> ten logits: two networks that teach convolutions on handwritten digits.

With 0 outputs the last layer is omitted.
"""

from torch import nn

from radiodeep.exceptions import InputError
from radiodeep.networks.modules import PooledConv2d

SIZE = 28


class _DigitNetwork(nn.Module):
    classifier_name = "head"

    def forward_features(self, images):
        """Return the values of the dense layer before the classifier."""
        if images.shape[-2:] != (SIZE, SIZE):
            raise InputError(
                f"{self.name} takes images of {SIZE} x {SIZE} pixels. Got {images.shape[-2]} x {images.shape[-1]} "
                "instead. Resize them first."
            )
        return self.layers(images)

    def forward(self, images):
        return self.head(self.forward_features(images))


class Mnist(_DigitNetwork):
    """One convolution and a dense layer of 100 units: 289,630 weights for one channel and ten outputs.

    The published count of 289,520 omits the 110 biases of the two dense layers.
    """

    name = "mnist"

    def __init__(self, in_channels=1, n_outputs=10):
        super().__init__()
        self.layers = nn.Sequential(
            PooledConv2d(in_channels, 20, 5, pool=2),  # pooling commutes with the monotone sigmoid
            nn.Sigmoid(),
            nn.Flatten(),
            nn.Linear(20 * 12 * 12, 100),
            nn.Sigmoid(),
        )
        self.head = nn.Linear(100, n_outputs) if n_outputs else nn.Identity()


class MnistContest(_DigitNetwork):
    """Two size-preserving convolutions and a dense layer of 1024: 3,274,634 weights for one channel and ten outputs."""

    name = "mnist-contest"

    def __init__(self, in_channels=1, n_outputs=10):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ZeroPad2d(2),
            PooledConv2d(in_channels, 32, 5, pool=2),
            nn.ReLU(),
            nn.ZeroPad2d(2),
            PooledConv2d(32, 64, 5, pool=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 1024),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(1024, n_outputs) if n_outputs else nn.Identity()

    def forward(self, images):
        return self.head(self.dropout(self.forward_features(images)))
