"""Examples in memory and in a stream give the batches of an epoch."""

import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.training.examples import Examples, ExampleStream, first_plane
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.losses import regression_loss
from radiodeep.networks.training.plan import Training


def numbered(n):
    """Examples whose pixels, target and weight are their number."""
    numbers = torch.arange(float(n))
    return Examples(numbers.view(-1, 1, 1, 1).expand(n, 3, 2, 2), numbers, numbers)


def test_an_epoch_shows_every_example_in_each_view_in_batches_of_equal_size():
    generator = torch.Generator().manual_seed(0)
    batches = list(numbered(7).epoch(Training(n_views=3, batch_size=8), generator))
    assert [len(images) for images, _, _ in batches] == [7, 7, 7]
    shown = torch.cat([targets for _, targets, _ in batches])
    assert torch.equal(shown.sort().values, torch.arange(7.0).repeat_interleave(3))
    for images, targets, weights in batches:
        assert torch.equal(images, targets.view(-1, 1, 1, 1).expand_as(images))
        assert torch.equal(weights, targets)
    again = list(numbered(7).epoch(Training(n_views=3, batch_size=8), generator))
    assert not torch.equal(torch.cat([targets for _, targets, _ in again]), shown)  # in another order


def test_examples_weigh_the_same_by_default():
    assert torch.equal(Examples(torch.zeros(2, 1, 4, 4), torch.zeros(2)).weights, torch.ones(2))


def test_chosen_examples_share_the_plane_of_their_channels():
    chosen = numbered(4)[torch.tensor([True, False, True, False])]
    assert chosen.targets.tolist() == [0, 2]
    assert chosen.images.shape == (2, 3, 2, 2)
    assert chosen.images.stride(1) == 0


def test_the_plane_that_channels_share_is_found():
    shared = torch.rand(2, 1, 4, 4).expand(2, 3, 4, 4)
    assert first_plane(shared).shape == (2, 1, 4, 4)
    assert first_plane(shared.clone()).shape == (2, 3, 4, 4)


def test_a_stream_shows_each_batch_in_an_epoch_of_its_own():
    batches = [(torch.full((2, 1, 4, 4), number), torch.full((2, 1), number)) for number in (1.0, 2.0)]
    stream = ExampleStream(batches)
    for number in (1, 2):
        ((images, targets, weights),) = stream.epoch(Training(), None)
        assert (images == number).all()
        assert (targets == number).all()
        assert weights.tolist() == [1, 1]


def test_a_stream_takes_cubes():
    cubes = torch.rand(2, 1, 4, 4, 4)
    ((images, _, _),) = ExampleStream([(cubes, torch.zeros(2, 1))]).epoch(Training(), None)
    assert torch.equal(images, cubes)


def test_a_stream_that_ends_before_the_training_is_refused():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 1))
    stream = ExampleStream([(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1))] * 2)
    with pytest.raises(InputError, match="stream of examples has ended before the training. Give one batch per epoch"):
        fit_network(network, stream, regression_loss, Training(epochs=3, augmentation=None))


def test_a_training_on_a_stream_has_no_checkpoint(tmp_path):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 1))
    stream = ExampleStream([(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1))])
    training = Training(epochs=1, augmentation=None)
    with pytest.raises(InputError, match="on a stream of examples cannot be resumed. Leave out the checkpoint"):
        fit_network(network, stream, regression_loss, training, checkpoint=tmp_path / "last.safetensors")
