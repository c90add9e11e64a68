"""Laws' texture energy."""

from itertools import permutations

import numpy as np
import pytest

from radiodeep.exceptions import RoiTooSmallError
from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.measurement import region_features

KERNELS = {  # of Laws 1980, chapter 3
    "L5": [1, 4, 6, 4, 1],
    "E5": [-1, -2, 0, 2, 1],
    "S5": [-1, 0, 2, 0, -1],
    "W5": [-1, 2, 0, -2, 1],
    "R5": [1, -4, 6, -4, 1],
}


def energies(image, mask, family, **settings):
    names = [name.split("_")[1] for name in feature_names([family])]
    values = region_features(image, mask, (1, 1, 1), families=[family], **settings)
    return dict(zip(names, values, strict=True))


def plain_energy(image, mask, kernels, axes, places):
    """Filter with every order of the kernels at some places; voxels outside the region equal that in the centre."""
    image, mask = np.pad(image, 2), np.pad(mask, 2)
    values = []
    for order in sorted(set(permutations(kernels))):
        weights = np.ones((1, 1, 1))
        for axis, name in zip(axes, order, strict=True):
            kernel = np.array(KERNELS[name]) / np.linalg.norm(KERNELS[name])
            weights = weights * kernel.reshape([5 if other == axis else 1 for other in range(3)])
        for place in places:
            near = tuple(
                slice(c, c + 5) if axis in axes else slice(c + 2, c + 3) for axis, c in enumerate(place.tolist())
            )
            centre = image[tuple(place + 2)]
            values.append(abs((weights * np.where(mask[near], image[near] - centre, 0)).sum()))
    return np.mean(values)


def test_energy_of_space_is_that_of_the_plain_definition(texture, plain_interior):
    image, mask = texture
    places = plain_interior(mask, 2, (0, 1, 2))
    values = energies(image, mask, "laws")
    assert len(values) == 14
    for name in ("L5L5E5Energy", "L5E5W5Energy", "L5R5R5Energy"):
        kernels = [name[k : k + 2] for k in (0, 2, 4)]
        assert values[name] == pytest.approx(plain_energy(image, mask, kernels, (0, 1, 2), places), rel=1e-10)


@pytest.mark.parametrize("slice_axis", [0, 2])
def test_energy_of_slices_is_that_of_the_plain_definition(texture, plain_interior, slice_axis):
    image, mask = texture
    axes = tuple(axis for axis in range(3) if axis != slice_axis)
    places = plain_interior(mask, 2, axes)
    values = energies(image, mask, "laws2D", slice_axis=slice_axis)
    assert len(values) == 14
    for name, value in values.items():
        kernels = [name[:2], name[2:4]]
        assert value == pytest.approx(plain_energy(image, mask, kernels, axes, places), rel=1e-10)


def test_a_single_bright_pixel_spreads_as_the_kernels():
    image = np.zeros((1, 9, 9))
    image[0, 4, 4] = 1
    values = energies(image, image == image, "laws2D")  # of 5 x 5 pixels, all that the region surrounds
    assert values["L5E5Energy"] == pytest.approx(16 / 70**0.5 * 6 / 10**0.5 / 25)
    assert values["S5R5Energy"] == pytest.approx(4 / 6**0.5 * 16 / 70**0.5 / 25)
    assert values["W5W5Energy"] == pytest.approx(6 * 6 / 10 / 25)


def test_a_ramp_has_only_edges():
    image = np.broadcast_to(np.arange(9.0), (9, 9, 9))
    values = energies(image, np.ones(image.shape, bool), "laws")
    edge, smooth = 8 / 10**0.5, 16 / 70**0.5
    assert values.pop("L5L5E5Energy") == pytest.approx(edge * smooth**2 / 3)  # along one of three axes
    np.testing.assert_allclose(list(values.values()), 0, atol=1e-12)


@pytest.mark.parametrize("plane", [(0, 1), (0, 2), (1, 2)])
def test_energy_does_not_change_with_turns_and_mirrors(texture, plane):
    image, mask = texture
    turned = [np.rot90(array, axes=plane) for array in texture]
    for family, other in (("laws", None), ("laws2D", ({0, 1, 2} - set(plane)).pop())):
        settings = {} if other is None else {"slice_axis": other}
        expected = list(energies(image, mask, family, **settings).values())
        np.testing.assert_allclose(list(energies(*turned, family, **settings).values()), expected, rtol=1e-10)
        mirrored = [np.flip(array, plane[0]) for array in texture]
        np.testing.assert_allclose(list(energies(*mirrored, family, **settings).values()), expected, rtol=1e-10)


def test_energy_is_proportional_to_contrast_whatever_the_offset(texture):
    image, mask = texture
    expected = 3 * np.array(list(energies(image, mask, "laws").values()))
    np.testing.assert_allclose(list(energies(1e4 - 3 * image, mask, "laws").values()), expected, rtol=1e-9)


def test_white_noise_has_one_energy_in_all_kernels_whatever_the_size_of_the_region():
    generator = np.random.default_rng(0)
    expected = 50 * (2 / np.pi) ** 0.5  # the mean magnitude of a normal distribution
    for side in (20, 34):
        noise = generator.normal(0, 50, (side, side, side))
        np.testing.assert_allclose(list(energies(noise, noise == noise, "laws").values()), expected, rtol=0.06)


@pytest.mark.parametrize("shape", [(1, 8, 9), (8, 9, 1)])
def test_a_single_slice_has_the_energy_of_slices_only(shape):
    image = np.random.default_rng(0).normal(size=shape)
    with pytest.raises(RoiTooSmallError, match=rf"spans {shape[0]} x .*'laws' need two or more .* family 'laws2D'"):
        energies(image, image == image, "laws")
    assert len(energies(image, image == image, "laws2D")) == 14
