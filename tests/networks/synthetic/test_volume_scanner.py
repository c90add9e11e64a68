import numpy as np
import pytest
import torch

from radiodeep.networks.synthetic.solids import SIDE
from radiodeep.networks.synthetic.volume_scanner import DESCRIPTORS, describe, scaled, scan


def generator():
    return torch.Generator().manual_seed(0)


def scanned(scene, is_cut=False, **changes):
    """Scan scenes about a ball of radius 0.7; return the images and the settings."""
    n = len(scene)
    settings = {name: torch.full((n,), changes.get(name, -1.0)) for name in ("slices", "rows", "columns")}
    settings |= {"noise": torch.full((n,), -9.0), "blur": torch.full((n,), -1.0)}  # no noise
    kinds = [torch.full((n,), flag) for flag in (True, False, is_cut)]
    half = torch.ones(n, 3)
    return scan(scene, ball(n), half, settings, kinds, generator()), settings


def ball(n, radius=0.7):
    line = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    squared = line.view(-1, 1, 1) ** 2 + line.view(-1, 1) ** 2 + line**2
    return (radius - squared.sqrt()).expand(n, SIDE, SIDE, SIDE)


def test_a_scene_without_contrast_stays_as_it_is():
    image, _ = scanned(torch.full((2, SIDE, SIDE, SIDE), 0.6))
    assert torch.allclose(image, torch.full_like(image, 0.6), atol=1e-4)


def test_slices_are_fewer_where_they_are_thicker_and_blur_along_z():
    step = torch.zeros(1, SIDE, SIDE, SIDE)
    step[:, SIDE // 2 :] = 1
    thin, fine = scanned(step, slices=-1.0, columns=1.0)
    thick, coarse = scanned(step, slices=1.0, columns=1.0)
    assert fine["slices"].exp().round().item() == SIDE
    assert coarse["slices"].exp().round().item() == 9  # 40 / exp(1.5)
    slopes = [image[0, :, 5, 5].diff().max().item() for image in (thin, thick)]
    assert slopes[1] < 0.7 * slopes[0]


def test_voxels_outside_the_mask_are_zero_before_the_image_is_enlarged():
    image, _ = scanned(torch.ones(1, SIDE, SIDE, SIDE), is_cut=True, columns=1.0)
    assert (image[0][ball(1)[0] > 0.15] > 0.999).all()
    assert (image[0][ball(1)[0] < -0.15] == 0).all()


def test_images_are_scaled_by_the_percentiles_that_networks_use():
    volumes = torch.randn(40, SIDE, SIDE, SIDE, generator=generator()) + 10
    mask = (ball(40) > 0).float()
    images, low, high = scaled(volumes, mask, generator())
    full = (low[:, 0, 0, 0] - 7.67).abs() < 0.3
    assert 0.7 < full.float().mean() < 1
    assert torch.allclose(high[full], torch.tensor(12.33), atol=0.3)
    assert images.min() == 0
    assert images.max() == 1


def test_descriptors_are_what_their_names_say():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.random((1, SIDE, SIDE, SIDE), np.float32))
    depth = ball(1)
    mask = (depth > 0).float()
    values = dict(zip(DESCRIPTORS, describe(image, 0.5 * image, mask, depth)[0].tolist(), strict=True))
    inner = image[mask > 0].numpy()
    assert values["volume"] == pytest.approx(np.log(mask.mean().item()), abs=1e-4)
    assert values["cube_lesion_mean"] == pytest.approx(inner.mean(), abs=1e-4)
    assert values["cube_lesion_deviation"] == pytest.approx(inner.std(), abs=1e-4)
    assert values["scene_lesion_mean"] == pytest.approx(inner.mean() / 2, abs=1e-4)
    assert values["above_0.75"] == pytest.approx((inner > 0.75).mean(), abs=1e-4)
    assert values["skewness"] == pytest.approx(((inner - inner.mean()) ** 3).mean() / inner.std() ** 3, abs=1e-3)
    rim = image[(depth > 0.12) & (depth <= 0.35)].numpy()
    assert values["cube_rim_mean"] == pytest.approx(rim.mean(), abs=1e-4)
    plain, inside = image[0].numpy(), mask[0].numpy() > 0
    pairs = inside[2:] & inside[:-2]
    squares = ((plain[2:] - plain[:-2]) ** 2)[pairs]
    assert values["cube_slice_difference_2"] == pytest.approx(np.log(squares.mean() + 1e-4), abs=1e-4)
    assert values["longest_axis"] == pytest.approx(0, abs=0.01)
    assert values["shortest_axis"] == pytest.approx(0, abs=0.01)
