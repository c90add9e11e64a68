"""Patches of images with their masks, and augmentation that changes both alike."""

import numpy as np
import pytest
import torch

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.networks.training.plan import Training
from radiodeep.segmenters.patches import MaskedAugmentation, Patches, cut, masks_from_images


def drawn(patches, n_views, seed=0):
    plan = Training(n_views=n_views, batch_size=64)
    batches = list(patches.epoch(plan, torch.Generator().manual_seed(seed)))
    return torch.cat([batch[0] for batch in batches])


def test_a_box_beyond_the_image_is_filled():
    generator = np.random.default_rng(0)
    for _ in range(20):
        shape, size = generator.integers(1, 7, 3), generator.integers(1, 9, 3)
        firsts = [int(generator.integers(1 - box, length)) for box, length in zip(size, shape, strict=True)]
        volume = torch.from_numpy(generator.normal(size=(2, *shape)))
        expected = np.full((2, *size), -7.0)
        for place in np.ndindex(*size):
            source = np.add(place, firsts)
            if (source >= 0).all() and (source < shape).all():
                expected[(slice(None), *place)] = volume[(slice(None), *source)]
        np.testing.assert_array_equal(cut(volume, firsts, size.tolist(), -7.0), expected)


def test_half_of_the_patches_lie_about_the_region():
    mask = torch.zeros(40, 40, 40, dtype=torch.bool)
    mask[30, 5, 20] = True
    images = drawn(Patches([torch.zeros(1, 40, 40, 40)], [mask], (8, 8, 8), True), 400)
    assert images.shape == (400, 2, 8, 8, 8)
    by_chance = (8 / 33) * (6 / 33) * (8 / 33)  # of the places of a patch anywhere
    shares = images[:, 1].amax(dim=(1, 2, 3)).mean().item()
    assert shares == pytest.approx(0.5 + 0.5 * by_chance, abs=0.06)
    assert images[:, 1, 4, 4, 4].mean() > 0.4  # in the middle, except near the border


def test_patches_lie_within_the_image_unless_it_is_smaller():
    image = torch.arange(1.0, 1 + 20 * 4 * 9).reshape(1, 20, 4, 9)
    patches = drawn(Patches([image], [torch.ones(20, 4, 9, dtype=torch.bool)], (8, 8, 8), True), 50)
    assert (patches[:, 0, :, :2] == 1).all()  # the lowest intensity, two voxels on either side
    assert (patches[:, 0, :, 6:] == 1).all()
    assert (patches[:, 1, :, :2] == 0).all()
    assert (patches[:, 1, :, 2:6] == 1).all()


def test_slices_are_shown_with_their_neighbours_and_the_mask_of_the_middle_one():
    image = torch.arange(1.0, 7).reshape(1, 6, 1, 1).expand(1, 6, 8, 8)
    mask = torch.zeros(6, 8, 8, dtype=torch.bool)
    mask[2] = True
    patches = drawn(Patches([image], [mask], (3, 8, 8), False), 200)
    assert patches.shape == (200, 4, 8, 8)
    before, middle, after, region = patches[:, :, 4, 4].T
    assert ((region == 1) == (middle == 3)).all()
    assert set(middle.tolist()) == set(range(1, 7))
    assert (before == (middle - 1).clamp(min=1)).all()  # 1 is the lowest intensity, which is beyond the ends
    assert (after == torch.where(middle == 6, 1, middle + 1)).all()


def test_masks_are_moved_as_images_and_not_brightened():
    shapes = (torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    shapes[:, 2] = shapes[:, 0]
    geometry = {"rotation": 30.0, "zoom": 0.2, "elastic": 1.0, "shift": 0.1}
    plain = rd.Augmentation(**geometry).apply(shapes, torch.Generator().manual_seed(1))
    changed = MaskedAugmentation(rd.Augmentation(**geometry, intensity=0.4, noise=0.2), 1)
    found = changed.apply(shapes, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found[:, 2], plain[:, 2])
    assert (found[:, :2] - plain[:, :2]).abs().mean() > 0.1
    moved = MaskedAugmentation(rd.Augmentation(**geometry), 1).apply(shapes, torch.Generator().manual_seed(1))
    torch.testing.assert_close(moved[:, 2], moved[:, 0])


def test_masks_are_whole_again_after_interpolation():
    images, masks = masks_from_images(torch.tensor([[[[3.0]], [[0.4]]], [[[4.0]], [[0.6]]]]), None, None)
    assert images.flatten().tolist() == [3, 4]
    assert masks.flatten().tolist() == [0, 1]


def test_equal_seeds_draw_equal_patches():
    patches = Patches([torch.rand(1, 20, 20, 20)], [torch.ones(20, 20, 20) > 0], (8, 8, 8), True)
    assert torch.equal(drawn(patches, 5, 3), drawn(patches, 5, 3))
    assert not torch.equal(drawn(patches, 5, 3), drawn(patches, 5, 4))
    assert torch.equal(patches.fixed(3, 1).images, patches.fixed(3, 1).images)


def test_no_cases_are_refused():
    with pytest.raises(InputError, match="cannot be fitted to no cases"):
        drawn(Patches([], [], (8, 8, 8), True), 1)


def test_half_of_the_patches_of_slices_show_a_region_of_one_slice():
    mask = torch.zeros(50, 8, 8, dtype=torch.bool)
    mask[30, 2, 3] = True
    drawn = Patches([torch.zeros(1, 50, 8, 8)], [mask], (3, 8, 8), False).fixed(200, 0).images
    assert 80 < int(drawn[:, -1].any(dim=-1).any(dim=-1).sum()) < 130
