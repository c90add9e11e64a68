"""Rows of a table, their columns in a given order -> outputs: convolutions along the columns, a branch per group.

The network of ChrNet (a branch for each chromosome): in each branch three blocks of three convolutions, a pooling of
two and a batch normalization, with 4, 8 and 16 channels; then two dense layers of 256 units.
"""

import torch
from torch import nn
from torch.nn import functional

COMBINATIONS = ("dense", "mean")
GLOBAL_POOLINGS = (None, "max")
N_BLOCKS = 3
N_DENSE = 256
DROPOUT = 0.3


class TableNetwork(nn.Module):
    """Convolutions along the columns of each group; (n, 1, 1, n_columns) -> (n, n_heads x n_outputs).

    Parameters
    ----------
    lengths : sequence of int
        Number of columns of each group; the groups follow each other along the columns.
    n_outputs : int
    combination : {"dense", "mean"}, default="dense"
        "dense" joins the values of all branches before the dense layers (one head); with "mean" each branch has dense
        layers and outputs of its own (a head per group), so that their losses and gradients are independent.
    global_pooling : {None, "max"}, default=None
        None passes the values of all places to the dense layers, "max" only the largest of each channel and branch.
    width : int, default=4
        Channels of the first block; twice and four times as many in the others.
    kernel_size : int, default=3
        Odd.
    """

    def __init__(self, lengths, n_outputs, *, combination="dense", global_pooling=None, width=4, kernel_size=3):
        super().__init__()
        # In the state, by which a checkpoint tells groups apart whose networks have weights of the same shapes.
        self.register_buffer("lengths", torch.tensor(list(lengths)))
        self.combination = combination
        self.branches = nn.ModuleList(_branch(width, kernel_size, global_pooling) for _ in lengths)
        places = [1 if global_pooling else -(-length // 2**N_BLOCKS) for length in lengths]
        n_values = [n * width * 2 ** (N_BLOCKS - 1) for n in places]
        if combination == "dense":
            n_values = [sum(n_values)]
        self.heads = nn.ModuleList(_head(n, n_outputs) for n in n_values)

    def forward(self, rows):
        parts = rows.flatten(1).split(self.lengths.tolist(), dim=1)
        values = [branch(part.unsqueeze(1)) for branch, part in zip(self.branches, parts, strict=True)]
        if self.combination == "dense":
            values = [torch.cat(values, dim=1)]
        return torch.cat([head(part) for head, part in zip(self.heads, values, strict=True)], dim=1)


class MeanOverHeads:
    """The mean of a loss over the heads of a `TableNetwork`, each of which answers by itself."""

    def __init__(self, loss, n_heads):
        self.loss = loss
        self.n_heads = n_heads
        self.__qualname__ = f"MeanOverHeads({loss.__qualname__}, {n_heads})"  # part of fingerprints

    def __call__(self, outputs, targets):
        losses = [self.loss(of_head, targets) for of_head in outputs.chunk(self.n_heads, dim=1)]
        return torch.stack(losses).mean(dim=0)


class _Pool(nn.Module):
    """The largest of each two neighbours; the last place of an odd number stays, so that no group becomes empty."""

    def forward(self, values):
        return functional.max_pool1d(values, 2, ceil_mode=True)


def _branch(width, kernel_size, global_pooling):
    """Return the blocks of one group; (n, 1, length) -> (n, n_values)."""
    layers = []
    n_before = 1
    for n_channels in (width * 2**block for block in range(N_BLOCKS)):
        for n_inputs in (n_before, n_channels, n_channels):
            layers += [nn.Conv1d(n_inputs, n_channels, kernel_size, padding=kernel_size // 2), nn.ReLU()]
        layers += [nn.Dropout(DROPOUT), _Pool(), nn.BatchNorm1d(n_channels)]
        n_before = n_channels
    if global_pooling == "max":
        layers.append(nn.AdaptiveMaxPool1d(1))
    return nn.Sequential(*layers, nn.Flatten())


def _head(n_values, n_outputs):
    dense = [nn.Linear(n_values, N_DENSE), nn.ReLU(), nn.Dropout(DROPOUT)]
    dense += [nn.Linear(N_DENSE, N_DENSE), nn.ReLU(), nn.Dropout(DROPOUT)]
    return nn.Sequential(*dense, nn.Linear(N_DENSE, n_outputs))
