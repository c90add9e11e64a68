import numpy as np
import pytest
import torch

from radiodeep.networks.architectures.table_networks import MeanOverHeads, TableNetwork
from radiodeep.networks.training.losses import classification_loss


def trained_like(network):
    """Give the batch normalizations statistics other than 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.copy_(torch.rand(module.num_features, generator=generator))
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
    return network.double().eval()


def plain_branch(branch, row):
    """Return the values of a branch for one row, number by number."""
    values = row[np.newaxis]
    for layer in branch:
        name = type(layer).__name__
        if name == "Conv1d":
            weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            half = weight.shape[2] // 2
            padded = np.pad(values, ((0, 0), (half, half)))
            places = range(values.shape[1])
            values = np.array(
                [
                    [(w * padded[:, at : at + w.shape[1]]).sum() + b for at in places]
                    for w, b in zip(weight, bias, strict=True)
                ]
            )
        elif name == "ReLU":
            values = np.maximum(values, 0)
        elif name == "_Pool":
            values = np.stack([values[:, at : at + 2].max(axis=1) for at in range(0, values.shape[1], 2)], axis=1)
        elif name == "BatchNorm1d":
            mean, variance = layer.running_mean.numpy(), layer.running_var.numpy()
            values = (values - mean[:, None]) / np.sqrt(variance[:, None] + layer.eps)
    return values.ravel()


def test_it_has_the_weights_of_chrnet():
    # three chromosomes of 16, 24 and 8 genes, 7 classes; per branch 120 + 504 + 1968 of convolutions and 2 (4 + 8 + 16)
    # of batch normalization; the dense layers see 6 places of 16 channels
    network = TableNetwork([16, 24, 8], 7)
    dense = (6 * 16 + 1) * 256 + (256 + 1) * 256 + (256 + 1) * 7
    assert sum(weights.numel() for weights in network.parameters()) == 3 * (120 + 504 + 1968 + 56) + dense


@pytest.mark.parametrize("length", [1, 5, 16])
def test_a_branch_computes_what_a_plain_loop_does(length):
    torch.manual_seed(0)
    network = trained_like(TableNetwork([length], 2, kernel_size=5))
    row = np.random.default_rng(0).normal(size=length)
    found = network.branches[0](torch.from_numpy(row)[None, None])[0].detach().numpy()
    np.testing.assert_allclose(found, plain_branch(network.branches[0], row), rtol=1e-9, atol=1e-12)


def test_heads_of_groups_are_independent():
    torch.manual_seed(0)
    network = trained_like(TableNetwork([4, 3], 2, combination="mean"))
    rows = torch.randn(2, 1, 1, 7, dtype=torch.float64)
    changed = rows.clone()
    changed[..., 4:] += 1
    before, after = network(rows), network(changed)
    torch.testing.assert_close(before[:, :2], after[:, :2], rtol=0, atol=0)
    assert not torch.isclose(before[:, 2:], after[:, 2:]).any()
    targets = torch.tensor([0, 1])
    expected = (classification_loss(before[:, :2], targets) + classification_loss(before[:, 2:], targets)) / 2
    torch.testing.assert_close(MeanOverHeads(classification_loss, 2)(before, targets), expected)


def test_all_groups_reach_the_dense_layers():
    torch.manual_seed(0)
    network = trained_like(TableNetwork([4, 3], 2))
    rows = torch.randn(1, 1, 1, 7, dtype=torch.float64, requires_grad=True)
    network(rows).sum().backward()
    assert network(rows).shape == (1, 2)
    for gradients in rows.grad.flatten().split([4, 3]):
        assert (gradients != 0).any()


def test_global_pooling_forgets_the_place():
    torch.manual_seed(0)
    network = trained_like(TableNetwork([128], 2, global_pooling="max"))
    rows = torch.zeros(2, 1, 1, 128, dtype=torch.float64)
    rows[0, ..., 48:51] = rows[1, ..., 72:75] = 5.0
    torch.testing.assert_close(*network(rows).split(1))
    assert not torch.allclose(*trained_like(TableNetwork([128], 2))(rows).split(1))
