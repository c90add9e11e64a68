import copy

import pytest
import torch
from torch import nn

from radiodeep.networks.modules import PooledConv2d

SHAPES = [(3, 5, 3, 40, 41), (1, 5, 3, 23, 20), (16, 2, 3, 14, 14), (67, 2, 2, 10, 10)]  # channels, kernel, pool, size


def both(channels, kernel, pool, *size, n_outputs=20, dtype=torch.float64):
    torch.manual_seed(0)
    pooled = PooledConv2d(channels, n_outputs, kernel, pool).to(dtype)
    apart = nn.Sequential(nn.Conv2d(channels, n_outputs, kernel).to(dtype), nn.MaxPool2d(pool))
    apart[0].load_state_dict(pooled.state_dict())
    images = torch.rand(3, channels, *size, dtype=dtype)
    images[:, :, :9] = 0  # equal values in a window: the first of them is the largest
    return pooled, apart, images


def values_and_gradients(network, images):
    images = images.clone().requires_grad_()
    outputs = network(images)
    torch.manual_seed(1)
    (outputs * torch.randn(outputs.shape, dtype=outputs.dtype)).sum().backward()
    return [outputs.detach(), images.grad, *(weights.grad for weights in network.parameters())]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_values_and_gradients_are_those_of_two_layers(shape, dtype, tolerance):
    pooled, apart, images = both(*shape, dtype=dtype)
    for ours, theirs in zip(values_and_gradients(pooled, images), values_and_gradients(apart, images), strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def test_gradients_agree_with_differences():
    pooled, _, _ = both(2, 2, 2, 7, 7, n_outputs=3)
    images = torch.rand(2, 2, 7, 7, dtype=torch.float64, requires_grad=True)
    parameters = tuple(pooled.parameters())
    assert torch.autograd.gradcheck(lambda images, *_: pooled(images), (images, *parameters))


@pytest.mark.parametrize("sign", [1, -1])
def test_bfloat16_is_the_largest_of_the_rounded_convolution(sign):
    pooled, apart, images = both(*SHAPES[0], dtype=torch.float32)
    with torch.no_grad():
        for network in (pooled, apart[0]):
            network.weight.abs_().mul_(sign)  # all values of one sign, then of the other
            network.bias.zero_()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert torch.equal(pooled(images), apart(images).float())


def test_bfloat16_gradients_stay_near():
    pooled, _, images = both(*SHAPES[0], dtype=torch.float32)
    exact = values_and_gradients(copy.deepcopy(pooled), images)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = values_and_gradients(pooled, images)
    assert (rounded[0] - exact[0]).abs().max() < 0.02
    assert all((a - b).norm() < 0.2 * b.norm() for a, b in zip(rounded[2:], exact[2:], strict=True))


def test_no_gradient_is_kept_where_none_is_asked_for():
    pooled, _, images = both(*SHAPES[0])
    pooled.requires_grad_(False)
    assert not pooled(images).requires_grad
    assert pooled(images.requires_grad_()).requires_grad


def test_other_types_vmap_and_no_images_take_the_layers_of_torch():
    pooled, apart, images = both(*SHAPES[0], dtype=torch.float32)
    half = copy.deepcopy(pooled).bfloat16()
    assert half(images.bfloat16()).dtype == torch.bfloat16
    assert pooled(images[:0]).shape == apart(images[:0]).shape
    with torch.autocast("cpu", torch.float16):
        assert pooled(images).dtype == torch.float16
    stacked = torch.vmap(pooled)(images[:, None])[:, 0]
    torch.testing.assert_close(stacked, apart(images))


def test_images_that_are_not_finite_do_not_look_finite():
    pooled, _, images = both(*SHAPES[0], dtype=torch.float32)
    images[0, 0, 20, 20] = float("nan")
    assert pooled(images)[0].isnan().any()


def test_threads_change_no_value():
    pooled, _, images = both(*SHAPES[0], dtype=torch.float32)
    images = torch.cat([images] * 4)
    single = values_and_gradients(copy.deepcopy(pooled), images)
    torch.set_num_threads(2)
    try:
        several = values_and_gradients(pooled, images)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(single[:3], several[:3], strict=True))
