import numpy as np
import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.synthetic.procedural import TARGETS, make_lesions, scaled_batches


def lesions(n_images, seed):
    return make_lesions(n_images, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def many():
    images, targets = lesions(1000, 0)
    return images, dict(zip(TARGETS, targets.T, strict=True))


def correlation(a, b):
    return np.corrcoef(a.numpy(), b.numpy())[0, 1]


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    first, again, other = lesions(16, 3), lesions(16, 3), lesions(16, 4)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_a_generator_never_gives_the_same_images_twice():
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(make_lesions(4, generator)[0], make_lesions(4, generator)[0])


def test_lesions_of_a_seed_are_those_that_the_packaged_network_was_trained_on():
    images, targets = (values.double() for values in lesions(64, 0))
    sampled = images[:, 0, ::7, ::5].square().mean().item()
    assert [images.mean().item(), images.std().item(), sampled] == pytest.approx(
        [0.472943, 0.325707, 0.319052], abs=2e-5
    )
    means = [
        0.4335,
        -0.0595,
        0.1136,
        0.0267,
        -0.0012,
        0.4396,
        -0.0456,
        0.0001,
        0.0402,
        0.0211,
        0.2641,
        -0.0219,
        -0.0146,
    ]
    means += [-0.0243, 0.0423, -0.2245, -0.0588, 0.26, 0.1712, 0.1786, 0.718, -0.5268, -0.0493, 0.0234, 3.0647, 3.0977]
    means += [0.4811, 5.2418, 1.553, 0.6708, 0.1318, -0.2602, 0.9443, -4.8838, -3.9643, 0.0166, 1.8363, 0.6504, 0.667]
    assert targets.mean(dim=0).tolist() == pytest.approx([*means, 0.2671], abs=2e-4)


def test_images_are_finite_and_within_0_and_1(many):
    images, _ = many
    assert images.shape == (1000, 1, 64, 64)
    assert images.dtype == torch.float32
    assert images.min() == 0
    assert images.max() == 1


def test_targets_are_finite_and_all_of_them_vary(many):
    _, targets = many
    for name, values in targets.items():
        assert values.isfinite().all(), name
        assert 0.05 < values.std() < 2, name


def test_in_half_of_the_images_all_outside_the_mask_is_zero(many):
    images, targets = many
    cut = targets["background"] == -1
    assert 0.46 < cut.float().mean() < 0.54
    filled = (images[:, 0] > 0).float().mean(dim=(1, 2))
    assert correlation(filled[cut], targets["area_fraction"][cut]) > 0.9
    whole = (targets["extent"] < 0.9) & ~cut
    assert filled[whole].mean() > 0.9
    assert (targets["surroundings"][cut] == 0).all()


def test_the_targets_can_be_seen_in_the_images(many):
    images, targets = many
    rows, columns = ((images[:, 0].diff(dim=axis).abs().mean(dim=(1, 2)) + 1e-4).log() for axis in (1, 2))
    assert correlation(rows - columns, targets["height"] - targets["width"]) > 0.3
    cut = targets["background"] == -1
    assert correlation(images.mean(dim=(1, 2, 3))[cut], (targets["mean"] * targets["area_fraction"])[cut]) > 0.6
    layered = targets["vessel"] + targets["wall"] == 0
    below = images[:, 0, 48:, 24:40].mean(dim=(1, 2)) - images[:, 0, 48:].mean(dim=(1, 2))
    assert correlation(below[layered], targets["shadow"][layered]) > 0.3


@pytest.mark.parametrize("n_images", [0, -1, 2.0])
def test_a_number_of_images_that_is_none_is_refused(n_images):
    with pytest.raises(InputError, match=f"'n_images' parameter of make_lesions must be an int > 0. Got {n_images!r}"):
        lesions(n_images, 0)


@pytest.mark.slow
def test_batches_are_new_lesions_with_targets_on_one_scale():
    batches = scaled_batches(500, torch.Generator().manual_seed(0))
    images, targets = next(batches)
    assert images.shape == (500, 1, 64, 64)
    assert targets.abs().max() == 3
    assert targets.mean(dim=0).abs().max() < 0.3
    assert (targets.std(dim=0) - 1).abs().max() < 0.3
    assert not torch.equal(images, next(batches)[0])


def test_a_single_image_can_be_made():
    images, targets = lesions(1, 0)
    assert images.shape == (1, 1, 64, 64)
    assert targets.shape == (1, len(TARGETS))
