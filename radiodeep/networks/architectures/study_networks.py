"""Images of 100 x 100 pixels -> one logit: the three networks that the nodule studies trained from scratch.

They have as many weights as the studies report: 841,681, 845,033 and 39,553 for three channels and one output. With
0 outputs the last layer is omitted. The studies added 0.01 x the sum of squares of `penalized_weights()` to the loss.
"""

import torch
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError
from radiodeep.networks.modules import PooledConv2d

SIZE = 100


def _stem(in_channels):
    """Two convolutions; (n, in_channels, 100, 100) -> (n, 64, 10, 10).

    LeakyReLU is monotone, so it commutes with max pooling; after pooling it costs a ninth.
    """
    return nn.Sequential(
        PooledConv2d(in_channels, 64, 5, pool=3),
        nn.LeakyReLU(0.01),
        PooledConv2d(64, 64, 2, pool=3),
        nn.LeakyReLU(0.01),
        nn.Dropout(0.1),
    )


def _check_size(images, name):
    if images.shape[-2:] != (SIZE, SIZE):
        raise InputError(
            f"{name} takes images of {SIZE} x {SIZE} pixels. Got {images.shape[-2]} x {images.shape[-1]} instead. "
            "Resize them first."
        )


class Arch1(nn.Module):
    """Architecture 1: two convolutions and dense layers of 128 and 8 units; `forward_features` returns (n, 8)."""

    classifier_name = "head"
    n_features = 8

    def __init__(self, in_channels=3, n_outputs=1):
        super().__init__()
        self.stem = _stem(in_channels)
        self.fc1, self.relu1 = nn.Linear(6400, 128), nn.ReLU()
        self.fc2, self.relu2 = self._second_layer()
        self.dropout = nn.Dropout(0.25)
        self.head = nn.Linear(self.n_features, n_outputs) if n_outputs else nn.Identity()

    def _second_layer(self):
        return nn.Linear(128, 8), nn.ReLU()

    def penalized_weights(self):
        """Return the weights (without biases) under the L2 penalty of the study."""
        return [self.fc2.weight]

    def values_of_image(self, images):
        """Return the values of the first dense layer, shape (n, 128)."""
        _check_size(images, type(self).__name__.lower())
        return self.relu1(self.fc1(self.stem(images).flatten(1)))

    def forward_features(self, images):
        """Return the 8 values before the classifier, shape (n, 8)."""
        return self.relu2(self.fc2(self.values_of_image(images)))

    def forward(self, images):
        return self.head(self.dropout(self.forward_features(images)))


class Arch2(Arch1):
    """Architecture 2: architecture 1 with an LSTM of 8 units instead of the second dense layer.

    The image is a sequence of length one, so that the LSTM acts as a gated dense layer.
    """

    def _second_layer(self):
        return OneBiasLSTM(128, 8), nn.Identity()

    def penalized_weights(self):
        """Return the weights (without biases) under the L2 penalty of the study."""
        return [self.fc2.input_weight]


class OneBiasLSTM(nn.Module):
    """LSTM with one bias per gate, as in Keras, and rectifiers instead of both hyperbolic tangents.

    The LSTM of torch has two biases per gate, which would lead to 845,065 weights instead of the study's 845,033.
    (n, length, n_inputs), or (n, n_inputs) for a sequence of length one -> (n, n_units): the last output, or the one
    at the end of each sequence if `lengths` of shape (n,) are given. The bias of the forget gate starts at 1.
    """

    def __init__(self, n_inputs, n_units):
        super().__init__()
        self.input_weight = nn.Parameter(torch.empty(4 * n_units, n_inputs))
        self.hidden_weight = nn.Parameter(torch.empty(4 * n_units, n_units))
        self.bias = nn.Parameter(torch.empty(4 * n_units))
        self.reset_parameters()

    def reset_parameters(self):
        """Initialize the weights again."""
        n_units = self.hidden_weight.shape[1]
        nn.init.xavier_uniform_(self.input_weight)
        nn.init.orthogonal_(self.hidden_weight)
        with torch.no_grad():
            self.bias.zero_()
            self.bias[n_units : 2 * n_units] = 1.0

    def forward(self, sequence, lengths=None):
        if sequence.ndim == 2:
            sequence = sequence.unsqueeze(1)
        hidden = cell = sequence.new_zeros(len(sequence), self.hidden_weight.shape[1])
        outputs = []
        for step in sequence.unbind(1):
            gates = functional.linear(step, self.input_weight, self.bias) + functional.linear(
                hidden, self.hidden_weight
            )
            entry, forget, candidate, output = gates.chunk(4, dim=1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(entry) * functional.relu(candidate)
            hidden = torch.sigmoid(output) * functional.relu(cell)
            outputs.append(hidden)
        if lengths is None:
            return hidden
        return torch.stack(outputs, dim=1)[torch.arange(len(sequence), device=sequence.device), lengths - 1]


class Arch3(nn.Module):
    """Architecture 3: the image pooled by ten is concatenated to the maps of two convolutions; no hidden dense layer.

    `forward_features` returns (n, 1024).
    """

    classifier_name = "head"
    n_features = 64 * 4 * 4

    def __init__(self, in_channels=3, n_outputs=1):
        super().__init__()
        self.left = nn.Sequential(nn.MaxPool2d(10), nn.Dropout(0.1))
        self.right = _stem(in_channels)
        self.joined = nn.Sequential(PooledConv2d(64 + in_channels, 64, 2, pool=2), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(self.n_features, n_outputs) if n_outputs else nn.Identity()

    def penalized_weights(self):
        """Return the weights under an L2 penalty: none."""
        return []

    def forward_features(self, images):
        """Return the values before the classifier, shape (n, 1024)."""
        _check_size(images, "arch3")
        return self.joined(torch.cat([self.left(images), self.right(images)], dim=1)).flatten(1)

    def forward(self, images):
        return self.head(self.forward_features(images))
