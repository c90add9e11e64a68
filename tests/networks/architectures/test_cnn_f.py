import numpy as np
import pytest
import torch
from torch import nn

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import build_network


@pytest.fixture(scope="module")
def cnn_f():
    torch.manual_seed(0)
    return build_network("cnn_f", n_classes=1000).eval()


def test_cnn_f_has_the_published_number_of_weights(cnn_f):
    assert sum(weights.numel() for weights in cnn_f.parameters()) == 60_834_536


def test_the_maps_of_cnn_f_have_the_published_sizes(cnn_f):
    assert sizes_of_maps(cnn_f) == [54, 27, 27, 13, 13, 6]
    assert {(pool.kernel_size, pool.stride) for pool in (cnn_f.pool1, cnn_f.pool2, cnn_f.pool5)} == {(3, 2)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cnn_m", [109, 54, 26, 13, 13, 6]), ("cnn_s", [109, 37, 33, 17, 17, 6])],
)
def test_cnn_m_and_cnn_s_have_maps_and_weights_of_the_published_number(name, expected):
    with torch.device("meta"):  # names and shapes alone
        network = build_network(name, n_classes=1000)
        assert sizes_of_maps(network) == expected
    # filters x (inputs + offset), layer by layer
    convolutions = 96 * (3 * 49 + 1) + 256 * (96 * 25 + 1) + 512 * (256 * 9 + 1) + 2 * 512 * (512 * 9 + 1)
    assert (
        sum(weights.numel() for weights in network.parameters())
        == convolutions + 4096 * (512 * 36 + 1) + 4096 * 4097 + 1000 * 4097
    )
    assert isinstance(network.norm2, nn.LocalResponseNorm) is (name == "cnn_m")
    with pytest.raises(InputError, match=f"{name} takes images of 224 x 224 pixels"):
        network(torch.zeros(1, 3, 56, 56))


def test_no_rectifier_of_cnn_f_works_in_place(cnn_f):
    rectifiers = [module for module in cnn_f.modules() if isinstance(module, nn.ReLU)]
    assert len(rectifiers) == 7
    assert not any(rectifier.inplace for rectifier in rectifiers)


def test_normalization_of_cnn_f_is_that_of_matconvnet(cnn_f):
    maps = torch.rand(1, 8, 2, 2, generator=torch.Generator().manual_seed(1)) * 40
    squares = maps.numpy() ** 2
    for channel in range(8):  # MatConvNet's vl_nnnormalize with [5 2 1e-4 0.75], written out
        total = squares[0, max(0, channel - 2) : channel + 3].sum(0)
        expected = maps[0, channel].numpy() / (2 + 1e-4 * total) ** 0.75
        np.testing.assert_allclose(cnn_f.norm1(maps)[0, channel].numpy(), expected, rtol=1e-5)


def test_cnn_f_refuses_images_of_another_size(cnn_f):
    with pytest.raises(InputError, match=r"224 x 224 pixels\. Got 56 x 56 instead. Resize"):
        cnn_f(torch.zeros(1, 3, 56, 56))


def sizes_of_maps(network):
    sizes = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: sizes.update({name: tuple(output.shape[2:])})
        )
        for name in ("conv1", "pool1", "conv2", "pool2", "conv5", "pool5")
    ]
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
    for hook in hooks:
        hook.remove()
    assert all(height == width for height, width in sizes.values())
    return [height for height, _ in sizes.values()]
