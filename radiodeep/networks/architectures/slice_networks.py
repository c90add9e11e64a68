"""The slices of a lesion in, one logit out: the networks of the nodule studies with a reader over the slices.

A tumour has three dimensions and the studies showed one slice of it. Here each slice goes through the same layers,
and a reader joins what they say of a number of slices that may differ from lesion to lesion.
"""

import torch
from torch import nn

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.study_networks import Arch1, Arch2, Arch3

N_UNITS = 8  # of the recurrent readers, as in the studies' memory


def as_sequences(features_of, images):
    """Look at the slices that are there and put what is found in the order of the slices.

    Parameters
    ----------
    features_of : callable
        (n_slices, channels, height, width) -> (n_slices, n_features).
    images : tensor of shape (n, length, channels, height, width) or (n, channels, height, width)
        Slices that hold a NaN are not there, as in a lesion with fewer than the longest of the batch. Without the
        second axis each image is a lesion of one slice.

    Returns
    -------
    sequence : tensor of shape (n, longest, n_features)
        The slices of a lesion come first, zeros after them.
    lengths : int64 tensor of shape (n,)

    Raises
    ------
    InputError
        A lesion without a slice.
    """
    if images.ndim == 4:
        images = images.unsqueeze(1)
    there = ~images.isnan().flatten(2).any(dim=2)
    lengths = there.sum(dim=1)
    if not lengths.all():
        raise InputError("Each lesion needs a slice without NaN. Some have none; look for missing intensities.")
    features = features_of(images[there].contiguous(memory_format=torch.channels_last))
    filled = torch.arange(int(lengths.max()), device=images.device) < lengths[:, None]
    sequence = features.new_zeros(*filled.shape, features.shape[1])
    sequence[filled] = features
    return sequence, lengths


class Recurrent(nn.Module):
    """A recurrent layer of 8 units from the first slice to the last; its last output.

    (n, longest, n_features) and lengths (n,) -> (n, 8).
    """

    def __init__(self, n_features, kind):
        super().__init__()
        self.layer = kind(n_features, N_UNITS, batch_first=True)
        self.n_values = N_UNITS

    def reset_parameters(self):
        """Draw the weights anew."""
        self.layer.reset_parameters()

    def forward(self, sequence, lengths):
        outputs, _ = self.layer(sequence)  # what follows the last slice has no effect on it
        return outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]


class Attention(nn.Module):
    """The weighted mean of the slices, weighted by what is in them and not by where they are.

    (n, longest, n_features) and lengths (n,) -> (n, n_features).

    References
    ----------
    M. Ilse, J. Tomczak, M. Welling, Attention-based deep multiple instance learning, ICML 2018, equation 8.
    """

    def __init__(self, n_features, n_hidden=32):
        super().__init__()
        self.hidden = nn.Linear(n_features, n_hidden)
        self.score = nn.Linear(n_hidden, 1, bias=False)
        self.n_values = n_features

    def reset_parameters(self):
        """Draw the weights anew."""
        self.hidden.reset_parameters()
        self.score.reset_parameters()

    def forward(self, sequence, lengths):
        scores = self.score(torch.tanh(self.hidden(sequence)))[..., 0].float()
        beyond = torch.arange(sequence.shape[1], device=sequence.device) >= lengths[:, None]
        shares = torch.softmax(scores.masked_fill(beyond, -torch.inf), dim=1)
        return (shares.unsqueeze(-1) * sequence).sum(dim=1)


READERS = {
    "lstm": lambda n_features: Recurrent(n_features, nn.LSTM),
    "gru": lambda n_features: Recurrent(n_features, nn.GRU),
    "attention": Attention,
}


class _Read:
    """What a network for slices adds to the one for images whose features it reads."""

    classifier_name = ("reader", "head")  # so that weights of the network for images fit all but these

    def __init__(self, in_channels=3, n_outputs=1, reader="attention"):
        super().__init__(in_channels, n_outputs)
        self.reader = READERS[reader](self.n_features)
        self.head = nn.Linear(self.reader.n_values, n_outputs) if n_outputs else nn.Identity()

    def values_of_slices(self, images):
        """Return the values of each slice, (n, longest, n_features), and how many slices each lesion has, (n,)."""
        return as_sequences(super().forward_features, images)

    def forward_features(self, images):
        """Return what the reader says of all slices, the values before the classifier."""
        return self.reader(*self.values_of_slices(images))


class Arch1Slices(_Read, Arch1):
    """Architecture 1, whose 8 values of each slice are read by "lstm", "gru" or "attention".

    Parameters
    ----------
    in_channels : int, default=3
    n_outputs : int, default=1
        0 leaves the last layer out.
    reader : {"lstm", "gru", "attention"}, default="attention"

    Notes
    -----
    (n, length, in_channels, 100, 100) -> (n, n_outputs); slices of NaN are not there.
    """


class Arch3Slices(_Read, Arch3):
    """Architecture 3, whose 1024 values of each slice are read; otherwise as `Arch1Slices`."""


class Arch2Slices(Arch2):
    """Architecture 2, whose memory reads the slices: same weights, and the same output for one slice.

    Parameters and shapes are those of `Arch1Slices`, without a choice of the reader.
    """

    def values_of_slices(self, images):
        """Return the values of each slice, (n, longest, 128), and how many slices each lesion has, (n,)."""
        return as_sequences(self.values_of_image, images)

    def forward_features(self, images):
        """Return the last output of the memory, shape (n, 8)."""
        return self.fc2(*self.values_of_slices(images))
