"""The table of published networks, and the cubes that they are given, against nibabel's orientations."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from radiodeep import Case, published_networks
from radiodeep.exceptions import InputError
from radiodeep.imaging.cube import cube_about
from radiodeep.imaging.network_view import NetworkView
from radiodeep.networks.architectures.network_input import NetworkInput
from radiodeep.networks.architectures.registry import build_network, input_specification

SETTINGS = dict.fromkeys(("size", "intensity_range", "slice_axis", "pixel_mm"))
SETTINGS |= {"window": "crop", "slice": "largest", "margin": 0.0, "n_boxes": 1}
CUBE = np.random.default_rng(0).normal(0, 300, (2, 1, 3, 4, 5)).astype(np.float32)


def view_of(name, **settings):
    return NetworkView.for_network("test", name, input_specification(name), SETTINGS | settings)


def noise():
    image = np.random.default_rng(0).normal(0, 300, (61, 61, 61)).astype(np.float32)
    mask = np.zeros(image.shape, bool)
    mask[20:40, 30, 30] = True
    return Case(image, mask, "noise", spacing_mm=(1, 1, 1))


@pytest.mark.parametrize("orientation", ["SPL", "RAS", "LPS", "PIR", "ASL"])
def test_cubes_are_turned_as_nibabel_turns_them(orientation):
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("SPL"), nibabel.orientations.axcodes2ornt(orientation)
    )
    specification = NetworkInput(8, 1, (0.0,), (1.0,), dimensions=3, orientation=orientation)
    turned = specification.normalize(torch.from_numpy(CUBE))
    for cube, expected in zip(turned.numpy(), CUBE, strict=True):
        np.testing.assert_array_equal(cube[0], nibabel.orientations.apply_orientation(expected[0], turn))
    np.testing.assert_array_equal(specification.in_axes_of_images(turned), CUBE)


# From the code that trained the networks: MONAI's Orientationd, and a transposed SimpleITK image for Models Genesis.
TRAINED_ON = {"ct-fm": ("SPL", 1.0), "models-genesis": ("LPS", 1.0)}
TRAINED_ON |= dict.fromkeys(("vista3d", "suprem-unet", "voco-b"), ("RAS", 1.5))
OPPOSITE = {"S": "I", "P": "A", "L": "R"}


@pytest.mark.parametrize("name", TRAINED_ON)
@pytest.mark.parametrize(("axis", "direction"), [(0, "S"), (1, "P"), (2, "L")])
def test_intensities_that_grow_towards_one_side_of_the_body_grow_where_the_network_expects_it(name, axis, direction):
    image = np.moveaxis(np.broadcast_to(np.arange(101, dtype=np.float32), (101,) * 3), 2, axis)
    mask = np.zeros(image.shape, bool)
    mask[50, 50, 50] = True
    specification = input_specification(name)
    shown = view_of(name).images(Case(image, mask, "ramp", spacing_mm=(1, 1, 1)))
    cube = specification.normalize(torch.from_numpy(shown))[0, 0].numpy()
    orientation, step_mm = TRAINED_ON[name]
    sign = 1 if direction in orientation else -1
    place = orientation.index(direction if sign > 0 else OPPOSITE[direction])
    low, high = specification.intensity_range
    for each in range(3):
        expected = sign * step_mm / (high - low) if each == place else 0
        np.testing.assert_allclose(np.diff(cube, axis=each), expected, atol=1e-6)


def test_windows_are_those_of_the_network_unless_others_are_given():
    case = noise()
    cube = cube_about(case, 48, 1.0)
    np.testing.assert_allclose(view_of("ct-fm").images(case)[0, 0], (cube + 1024) / 3072, atol=1e-6)
    given = view_of("ct-fm", intensity_range=(0, 150)).images(case)[0, 0]
    np.testing.assert_allclose(given, np.clip(cube / 150, 0, 1), atol=1e-6)
    np.testing.assert_allclose(view_of("ct-fm", intensity_range="minmax").images(case).max(), 1)
    np.testing.assert_array_equal(view_of("brainiac").images(case)[0, 0], cube_about(case, 96, 2.0))


def test_voxels_of_0_are_left_out_of_the_standardization_for_brainiac():
    cube = np.zeros((2, 1, 96, 96, 96), np.float32)
    values = np.random.default_rng(0).uniform(50, 900, (30, 30, 30)).astype(np.float32)
    cube[0, 0, 20:50, 20:50, 20:50] = values
    first, empty = input_specification("brainiac").normalize(torch.from_numpy(cube)).numpy()
    expected = (values.astype(float) - values.mean(dtype=float)) / values.std(dtype=float)
    shown = first[0, 46:76, 46:76, 20:50][::-1, ::-1].transpose(2, 1, 0)  # right, anterior, superior
    np.testing.assert_allclose(shown, expected, rtol=1e-3, atol=1e-4)
    assert (first != 0).sum() == values.size
    assert (empty == 0).all()


def test_another_size_is_refused_where_the_network_has_positions():
    with pytest.raises(InputError, match=r"'brainiac' takes cubes of 96 voxels\. Got size=48 instead\. Leave size out"):
        view_of("brainiac", size=48)


@pytest.mark.parametrize("name", [name for name in published_networks().index if not name.startswith("voco")])
def test_every_published_network_has_the_features_and_input_of_its_row(name):
    row = published_networks().loc[name]
    specification = input_specification(name)
    with torch.device("meta"):
        network = build_network(name, specification.channels, n_classes=0)
        features = network(torch.zeros(2, specification.channels, *[specification.size] * specification.dimensions))
    assert features.shape == (2, row["n_features"])
    assert (row["dimensions"], row["size"], row["orientation"]) == (
        specification.dimensions,
        specification.size,
        specification.orientation,
    )


def test_the_page_of_the_documentation_lists_every_network_as_the_table_does():
    page = (Path(__file__).parents[2] / ".docs" / "networks.rst").read_text()
    for name, row in published_networks().iterrows():
        block = page.partition(f"- ``{name}``\n")[2].partition("   * - ")[0]
        assert all(f"     - {row[column]}\n" in block for column in ("input", "normalization", "n_features", "page")), (
            name
        )


def test_networks_for_slices_or_cubes_can_be_chosen():
    assert set(published_networks(2).index) | set(published_networks(3).index) == set(published_networks().index)
    with pytest.raises(InputError, match="'dimensions' parameter of published_networks must be None or one of 2, 3"):
        published_networks(4)
