"""Networks for all slices of a lesion: whose slices they are and in which order, and nothing else, makes the answer."""

import numpy as np
import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.architectures.slice_networks import Attention
from radiodeep.networks.training.augmentation import Augmentation
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import fit_network, network_outputs
from radiodeep.networks.training.losses import classification_loss
from radiodeep.networks.training.plan import Training
from radiodeep.networks.weights.loading import load_weights

RECURRENT = ("arch2-slices", "arch1-lstm", "arch1-gru", "arch3-lstm", "arch3-gru")
ALL = (*RECURRENT, "arch1-attention", "arch3-attention")


def built(name, seed=0):
    torch.manual_seed(seed)
    network = build_network(name).eval()
    with torch.no_grad():  # new weights of a memory say much the same of everything
        for weights in network.parameters():
            weights *= 1.5
    return network


def lesions(*lengths, seed=0):
    """Lesions of so many slices, filled up with NaN."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.full((len(lengths), max(lengths), 3, 100, 100), torch.nan)
    for image, length in zip(images, lengths, strict=True):
        scale = torch.linspace(0.2, 2, length)[:, None, None, None]
        image[:length] = scale * torch.rand(length, 3, 100, 100, generator=generator)
    return images


def count(network):
    return sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize("name", ALL)
def test_the_answer_is_the_same_alone_and_beside_longer_lesions(name):
    network, images = built(name), lesions(2, 5, 1)
    together = network_outputs(network, images)
    for length, image, expected in zip((2, 5, 1), images, together, strict=True):
        for alone in (image[None, :length], image[None]):
            torch.testing.assert_close(network_outputs(network, alone)[0], expected, atol=1e-6, rtol=1e-6)
    assert together.std() > 1e-4


@pytest.mark.parametrize("name", ALL)
def test_a_slice_that_is_not_there_may_lie_anywhere(name):
    network, images = built(name), lesions(3)
    gap = torch.cat([images[:, :1], torch.full_like(images[:, :1], torch.nan), images[:, 1:]], dim=1)
    torch.testing.assert_close(network_outputs(network, gap), network_outputs(network, images))


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_slices_matters_to_memories_and_not_to_attention(name):
    network, images = built(name), lesions(4)
    difference = (network_outputs(network, images) - network_outputs(network, images.flip(1))).abs().item()
    assert difference > 1e-5 if name in RECURRENT else difference < 1e-6


def test_the_memory_of_one_slice_is_architecture_2():
    single, slices = built("arch2"), build_network("arch2-slices").eval()
    slices.load_state_dict(single.state_dict())
    assert count(slices) == 845_033
    images = lesions(1, 1, 1)
    expected = network_outputs(single, images[:, 0])
    torch.testing.assert_close(network_outputs(slices, images), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(network_outputs(slices, images[:, 0]), expected, atol=1e-6, rtol=1e-6)


def test_recurrent_readers_end_at_the_last_slice():
    """Against torch on the slices that are there, one lesion at a time."""
    network, images = built("arch3-gru"), lesions(2, 4)
    plain = built("arch3-gru")
    with torch.inference_mode():
        for image, length, expected in zip(images, (2, 4), network(images), strict=True):
            values = torch.cat([plain.right(image[:length]), plain.left(image[:length])], dim=1)
            values = torch.cat([values[:, 64:], values[:, :64]], dim=1)  # as architecture 3 joins them
            _, last = plain.reader.layer(plain.joined(values).flatten(1)[None])
            torch.testing.assert_close(plain.head(last[0, 0]), expected, atol=1e-6, rtol=1e-6)


def test_attention_is_the_weighted_mean_of_the_paper():
    torch.manual_seed(0)
    layer, sequence = Attention(6, n_hidden=4), torch.randn(2, 3, 6)
    outputs = layer(sequence, torch.tensor([3, 2])).detach().numpy()
    v, bias, w = (weights.detach().double().numpy() for weights in layer.parameters())
    for values, length, row in zip(sequence.double().numpy(), (3, 2), outputs, strict=True):
        powers = np.exp(np.tanh(values[:length] @ v.T + bias) @ w[0])
        np.testing.assert_allclose(row, powers @ values[:length] / powers.sum(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["arch1", "arch3"])
def test_weights_of_the_network_for_one_slice_fit_all_but_the_reader(name):
    single, slices = built(name), build_network(f"{name}-attention")
    before = slices.reader.hidden.weight.clone()
    load_weights(slices, {key: value for key, value in single.state_dict().items() if "head" not in key}, name)
    learned = slices.state_dict()
    assert all(torch.equal(learned[key], value) for key, value in single.state_dict().items() if "head" not in key)
    assert torch.equal(slices.reader.hidden.weight, before)
    first = load_weights(slices, "random", f"{name}-attention", seed=3)
    assert load_weights(build_network(f"{name}-attention"), "random", f"{name}-attention", seed=3) == first


@pytest.mark.parametrize("name", ["arch2-slices", "arch3-lstm", "arch3-attention"])
def test_an_epoch_changes_all_weights_and_keeps_them_finite(name):
    network = build_network(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    examples = Examples(lesions(3, 1, 2, 3), torch.tensor([0, 1, 0, 1]))
    augmentation = Augmentation(noise=0.01, elastic=1.0, intensity=0.1, shift=0.1, outside="zeros")
    training = Training(epochs=1, n_views=1, learning_rate=1e-2, augmentation=augmentation)
    fit_network(network, examples, classification_loss, training)
    after = network.state_dict()
    assert all(torch.isfinite(after[key]).all() and not torch.equal(after[key], before[key]) for key in before)


def test_all_slices_of_a_lesion_are_augmented_alike():
    seen = []

    class Watch(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, images):
            seen.append(images)
            return self.weight * torch.ones(len(images), 1)

    images = torch.rand(6, 1, 1, 32, 32).expand(6, 4, 2, 32, 32).clone()
    images[2, 3:] = torch.nan
    augmentation = Augmentation(elastic=1.0, intensity=0.2, zoom=0.2, shift=0.1)
    training = Training(epochs=1, n_views=1, augmentation=augmentation)
    fit_network(Watch(), Examples(images, torch.arange(6) % 2), classification_loss, training)
    (changed,) = seen
    missing = changed.isnan().flatten(2).all(2)
    assert missing.sum() == 1
    for image, lacks in zip(changed, missing, strict=True):
        assert all(torch.equal(plane, image[0, 0]) for plane in image[~lacks].flatten(0, 1))
        assert not any(torch.equal(image[0, 0], before[0, 0]) for before in images)


def test_a_lesion_without_a_slice_is_refused():
    images = lesions(2, 2)
    images[1, :, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match="at least one slice without NaN"):
        build_network("arch3-gru")(images)
    with pytest.raises(InputError, match="takes images of 100 x 100 pixels. Got 64 x 64"):
        build_network("arch2-slices")(lesions(2)[..., :64, :64])


def test_only_networks_for_slices_want_sequences():
    assert all(input_specification(name).sequence for name in ALL)
    assert not any(input_specification(name).sequence for name in ("arch2", "arch3d", "radiodeep-mini", "resnet18"))
