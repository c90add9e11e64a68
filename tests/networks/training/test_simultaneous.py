import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.training.simultaneous import SimultaneousTraining, train_together


class Small(nn.Module):
    """A network of the kinds of layers that the studies use, on small images."""

    def __init__(self, n_outputs=1, dropout=0.3):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 6, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(dropout), nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(6 * 9, n_outputs))

    def penalized_weights(self):
        return [self.head[1].weight]

    def forward(self, images):
        return self.head(self.layers(images))


def networks(n=3, make=Small, dtype=torch.float64, **options):
    made = []
    for seed in range(n):
        torch.manual_seed(seed)
        made.append(make(**options).to(dtype))
    return made


def batches(n_steps=5, n_networks=3, n_classes=2, size=8, n=6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(9)
    return [
        (
            torch.rand(n, 1, size, size, generator=generator, dtype=dtype),
            torch.randint(0, n_classes, (n,), generator=generator),
            torch.randint(0, 3, (n_networks, n), generator=generator).float(),
        )
        for _ in range(n_steps)
    ]


def difference(ours, theirs):
    return max(
        (a - b).abs().max().item()
        for one, other in zip(ours, theirs, strict=True)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def train_alone(network, batches, member, make_optimizer, l2_penalty):
    """The plain loop of torch, for a network without dropout."""
    optimizer = make_optimizer(network.parameters())
    for images, targets, weights in batches:
        outputs, weights = network(images), weights[member].double()
        if outputs.shape[1] == 1:
            losses = functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.double(), reduction="none")
        else:
            losses = functional.cross_entropy(outputs, targets, reduction="none")
        loss = (weights * losses).sum() / weights.sum()
        optimizer.zero_grad()
        (loss + l2_penalty * sum((one**2).sum() for one in network.penalized_weights())).backward()
        optimizer.step()
    return network


@pytest.mark.parametrize("method", ["threads", "stacked"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(
    ("name", "make_optimizer"),
    [
        ("rmsprop", lambda group: torch.optim.RMSprop(group, 0.01)),
        ("adam", lambda group: torch.optim.Adam(group, 0.01)),
        ("sgd", lambda group: torch.optim.SGD(group, 0.01)),
    ],
)
def test_each_network_is_the_one_of_a_plain_loop(method, n_outputs, name, make_optimizer):
    together = networks(n_outputs=n_outputs, dropout=0.0)
    stream = batches(n_classes=max(2, n_outputs))
    alone = [
        train_alone(copy.deepcopy(network), stream, member, make_optimizer, 0.05)
        for member, network in enumerate(together)
    ]
    losses = train_together(together, stream, optimizer=name, learning_rate=0.01, l2_penalty=0.05, method=method)
    assert losses.shape == (5, 3)
    assert difference(together, alone) < 1e-10
    assert not any(network.training for network in together)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("method", ["threads", "stacked"])
def test_dropout_is_the_networks_own_and_the_same_alone_and_together(method, dtype, tolerance):
    together, stream = networks(dtype=dtype), batches(dtype=dtype)
    alone = copy.deepcopy(together)
    options = {"learning_rate": 0.01, "optimizer": "sgd"}
    for member, network in enumerate(alone):
        train_together([network], [(*batch[:2], batch[2][[member]]) for batch in stream], seeds=[member + 7], **options)
    train_together(together, stream, seeds=[7, 8, 9], method=method, **options)
    assert difference(together, alone) < tolerance
    others = networks(dtype=dtype)
    train_together(others, stream, seeds=[1, 2, 3], method=method, **options)
    assert difference(together, others) > 1e-3


@pytest.mark.parametrize("name", ["arch1", "arch2", "arch3"])
def test_networks_of_the_studies_are_the_same_by_both_methods(name):
    def make():
        return build_network(name, in_channels=1, n_classes=2)

    stream = batches(n_steps=2, n_networks=2, size=100, n=3)
    first = networks(2, make)
    second = copy.deepcopy(first)
    options = {"learning_rate": 1e-3, "l2_penalty": 0.01, "optimizer": "sgd"}
    one = train_together(first, stream, method="threads", **options)
    other = train_together(second, stream, method="stacked", **options)
    torch.testing.assert_close(one, other, rtol=1e-10, atol=0)
    assert difference(first, second) < 1e-12


@pytest.mark.parametrize("method", ["threads", "stacked"])
def test_a_held_out_case_leaves_no_trace(method):
    changed, kept = networks(2), networks(2)
    images, targets, _ = batches(1)[0]
    weights = torch.ones(2, 6)
    weights[0, 2] = 0
    train_together(kept, [(images, targets, weights)] * 3, method=method)
    others, turned = images.clone(), targets.clone()
    others[2], turned[2] = 5.0, 1 - turned[2]
    train_together(changed, [(others, turned, weights)] * 3, method=method)
    assert difference(changed[:1], kept[:1]) == 0
    assert difference(changed[1:], kept[1:]) > 1e-6


@pytest.mark.parametrize("method", ["threads", "stacked"])
def test_a_training_that_was_broken_off_ends_as_an_unbroken_one(method):
    stream = batches(6)
    whole, first, second = networks(), networks(), networks()
    options = {"method": method, "optimizer": "adam", "learning_rate": lambda step: 0.01 / (1 + step)}
    train_together(whole, stream, **options)
    training = SimultaneousTraining(first, **options)
    for batch in stream[:3]:
        training.step(*batch)
    state = copy.deepcopy(training.state_dict())
    training = SimultaneousTraining(second, **options)
    training.load_state_dict(state)
    for batch in stream[3:]:
        training.step(*batch)
    training.write_back()
    assert difference(whole, second) == 0


@pytest.mark.parametrize("method", ["threads", "stacked"])
def test_frozen_layers_stay_and_bfloat16_learns(method):
    trained = networks(dtype=torch.float32, dropout=0.0)
    for network in trained:
        network.layers.requires_grad_(False)
    before = copy.deepcopy(trained)
    images = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(32) % 2
    images[targets == 1] += 1
    batch = images, targets, torch.ones(3, 32)
    options = {"learning_rate": 0.03, "precision": "bfloat16", "method": method}
    losses = train_together(trained, [batch] * 60, **options)
    assert (losses[-1] < 0.3 * losses[0]).all()
    for network, start in zip(trained, before, strict=True):
        assert torch.equal(network.layers[0].weight, start.layers[0].weight)
        assert not torch.equal(network.head[1].weight, start.head[1].weight)


def test_more_threads_give_the_same_networks():
    one, two, stream = networks(), networks(), batches()
    train_together(one, stream)
    torch.set_num_threads(2)
    try:
        train_together(two, stream)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert difference(one, two) < 1e-12


@pytest.mark.parametrize("method", ["threads", "stacked"])
def test_a_batch_without_weight_has_no_loss(method):
    trained = networks(1)
    before = copy.deepcopy(trained)
    images, targets, _ = batches(1)[0]
    assert train_together(trained, [(images, targets, torch.zeros(1, 6))], method=method).tolist() == [[0.0]]
    assert difference(trained, before) == 0


@pytest.mark.parametrize(
    ("made", "options", "message"),
    [
        ([], {}, "one or more networks of one architecture .* Got 0 of 0 kinds"),
        ([Small(1), Small(2)], {}, "Got 2 of 2 kinds"),
        ([nn.Sequential(nn.BatchNorm2d(1))], {}, "no batch normalisation: examples of weight 0 would take part"),
        ([Small()], {"optimizer": "lion"}, "'optimizer' parameter .* one of rmsprop, adam, sgd. Got 'lion'"),
        ([Small()], {"method": "loop"}, "'method' parameter .* one of auto, threads, stacked. Got 'loop'"),
        ([Small()], {"seeds": [1, 2]}, "a seed for each of 1 networks. Got 2"),
        ([nn.Linear(2, 1)], {"l2_penalty": 0.1}, "must be 0 for a Linear, which names no penalized_weights"),
        ([Small()], {"precision": "half"}, "one of float32, bfloat16, auto. Got 'half'"),
    ],
)
def test_what_cannot_be_trained_together_is_refused(made, options, message):
    with pytest.raises(InputError, match=message):
        SimultaneousTraining(made, **options)


def test_weights_of_another_shape_are_refused():
    images, targets, weights = batches(1)[0]
    with pytest.raises(InputError, match=r"shape \(2, 6\), networks x images\. Got \(3, 6\)"):
        SimultaneousTraining(networks(2)).step(images, targets, weights)


@pytest.mark.parametrize("method", ["threads", "stacked"])
def test_a_loss_that_is_no_longer_finite_names_the_network(method):
    images, targets, _ = batches(1)[0]
    broken = networks(2)
    with torch.no_grad():
        broken[1].head[1].bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="The loss of network 1 in step 1 is nan. Take a lower learning rate"):
        SimultaneousTraining(broken, method=method).step(images, targets, torch.ones(2, 6))
