"""Slices of a lesion -> one logit: the networks of the nodule studies with a reader over the slices.

The studies used one slice of each tumour. Here the same layers are applied to each slice, and a recurrent or attention
layer (the reader) combines the values of all slices, whose number may differ between lesions.
"""

import torch
from torch import nn

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.study_networks import Arch1, Arch2, Arch3

N_UNITS = 8  # of recurrent readers, as in the LSTM of the studies


def as_sequences(features_of, images):
    """Return the features of each slice as sequences (n, longest, n_features), and their lengths (n,).

    `images` have the shape (n, length, channels, height, width), in which slices containing NaN are padding, or
    (n, channels, height, width) for lesions of one slice. `features_of` maps (n_slices, channels, height, width) to
    (n_slices, n_features). Sequences are padded with zeros at the end.
    """
    if images.ndim == 4:
        images = images.unsqueeze(1)
    present = ~images.isnan().flatten(2).any(dim=2)
    lengths = present.sum(dim=1)
    if not lengths.all():
        raise InputError(
            "Each lesion must have at least one slice without NaN. Got none for some lesions. Check their images for "
            "missing intensities."
        )
    features = features_of(images[present].contiguous(memory_format=torch.channels_last))
    filled = torch.arange(int(lengths.max()), device=images.device) < lengths[:, None]
    sequence = features.new_zeros(*filled.shape, features.shape[1])
    sequence[filled] = features
    return sequence, lengths


class Recurrent(nn.Module):
    """Recurrent layer of 8 units over the slices; returns the output at the last slice.

    (n, longest, n_features) and lengths (n,) -> (n, 8).
    """

    def __init__(self, n_features, kind):
        super().__init__()
        self.layer = kind(n_features, N_UNITS, batch_first=True)
        self.n_values = N_UNITS

    def reset_parameters(self):
        """Initialize the weights again."""
        self.layer.reset_parameters()

    def forward(self, sequence, lengths):
        outputs, _ = self.layer(sequence)  # padding follows the last slice and cannot affect its output
        return outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]


class Attention(nn.Module):
    """Weighted mean of the slices; weights depend on their content, not on their position.

    (n, longest, n_features) and lengths (n,) -> (n, n_features). M. Ilse, J. Tomczak, M. Welling, Attention-based deep
    multiple instance learning, ICML 2018, equation 8.
    """

    def __init__(self, n_features, n_hidden=32):
        super().__init__()
        self.hidden = nn.Linear(n_features, n_hidden)
        self.score = nn.Linear(n_hidden, 1, bias=False)
        self.n_values = n_features

    def reset_parameters(self):
        """Initialize the weights again."""
        self.hidden.reset_parameters()
        self.score.reset_parameters()

    def forward(self, sequence, lengths):
        scores = self.score(torch.tanh(self.hidden(sequence)))[..., 0].float()
        is_padding = torch.arange(sequence.shape[1], device=sequence.device) >= lengths[:, None]
        weights = torch.softmax(scores.masked_fill(is_padding, -torch.inf), dim=1)
        return (weights.unsqueeze(-1) * sequence).sum(dim=1)


READERS = {
    "lstm": lambda n_features: Recurrent(n_features, nn.LSTM),
    "gru": lambda n_features: Recurrent(n_features, nn.GRU),
    "attention": Attention,
}


class _WithReader:
    """Mixin that adds a reader over slices to a network for single images."""

    classifier_name = ("reader", "head")  # all other weights can come from the network for images

    def __init__(self, in_channels=3, n_outputs=1, reader="attention"):
        super().__init__(in_channels, n_outputs)
        self.reader = READERS[reader](self.n_features)
        self.head = nn.Linear(self.reader.n_values, n_outputs) if n_outputs else nn.Identity()

    def values_of_slices(self, images):
        """Return the values of each slice, (n, longest, n_features), and the number of slices per lesion, (n,)."""
        return as_sequences(super().forward_features, images)

    def forward_features(self, images):
        """Return the output of the reader, the values before the classifier."""
        return self.reader(*self.values_of_slices(images))


class Arch1Slices(_WithReader, Arch1):
    """Architecture 1 on each slice, whose 8 values are combined by the `reader`: "lstm", "gru" or "attention".

    (n, length, in_channels, 100, 100) -> (n, n_outputs); slices of NaN are padding.
    """


class Arch3Slices(_WithReader, Arch3):
    """Architecture 3 on each slice, whose 1024 values are combined; otherwise like `Arch1Slices`."""


class Arch2Slices(Arch2):
    """Architecture 2, whose LSTM runs over the slices: same weights, and the same output for one slice."""

    def values_of_slices(self, images):
        """Return the values of each slice, (n, longest, 128), and the number of slices per lesion, (n,)."""
        return as_sequences(self.values_of_image, images)

    def forward_features(self, images):
        """Return the last output of the LSTM, shape (n, 8)."""
        return self.fc2(*self.values_of_slices(images))
