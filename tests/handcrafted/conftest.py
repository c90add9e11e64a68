"""Synthetic lesions of the tests of handcrafted features."""

from itertools import product

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from radiodeep.handcrafted.gray_levels import discretise
from radiodeep.handcrafted.neighbours import Neighbourhoods
from radiodeep.handcrafted.region import crop_region

SHAPES = [(5, 6, 7), (1, 9, 8), (7, 1, 6), (2, 2, 2)]


def _noise(generator, shape, sigma=1.0):
    """Smooth noise with mean 0 and standard deviation 1."""
    noise = gaussian_filter(generator.normal(size=shape), [sigma if n > 1 else 0 for n in shape])
    return noise / noise.std()


def _blob(generator, shape, radii):
    """An ellipsoid with an uneven surface, in the middle of the grid."""
    grid = np.indices(shape) - ((np.array(shape) - 1) / 2)[:, None, None, None]
    distance = np.sqrt(((grid / np.array(radii)[:, None, None, None]) ** 2).sum(axis=0))
    return distance + 0.1 * _noise(generator, shape, 2.0) < 1


@pytest.fixture(scope="session")
def lesion():
    """A 3-D lesion of about 2000 voxels: image float64, mask bool, spacing_mm."""
    generator = np.random.default_rng(20)
    shape = (16, 26, 28)
    return 100 * _noise(generator, shape), _blob(generator, shape, (6, 9, 10)), (3.0, 0.7, 0.9)


@pytest.fixture(scope="session")
def make_lesion():
    """A function (seed, shape, radii) -> noise of standard deviation 1, mask."""

    def make(seed, shape, radii):
        generator = np.random.default_rng(seed)
        return _noise(generator, shape), _blob(generator, shape, radii)

    return make


@pytest.fixture(scope="session")
def read_reference_case(reference_data):
    """A function: name of a case of pyradiomics -> image, mask, spacing_mm, all (z, y, x)."""
    sitk = pytest.importorskip("SimpleITK")

    def read(name):
        folder = reference_data / "pyradiomics"
        image = sitk.ReadImage(folder / f"{name}_image.nrrd")
        label = sitk.GetArrayFromImage(sitk.ReadImage(folder / f"{name}_label.nrrd"))
        return sitk.GetArrayFromImage(image), label == 1, image.GetSpacing()[::-1]

    return read


@pytest.fixture(params=product(SHAPES, [2, 5, 300], [0.3, 0.8, 1.0]), ids=str)
def image_and_mask(request):
    """Small images of few and of many grey levels, with masks that are sparse, ragged or full."""
    shape, n_levels, fraction = request.param
    generator = np.random.default_rng(hash(request.param) % 2**32)
    mask = generator.random(shape) < fraction
    mask.flat[:2] = True
    return generator.integers(1, n_levels + 1, shape), mask


@pytest.fixture(scope="session")
def neighbourhoods_of():
    """A function (image of grey levels, mask, flat_axis, distances, alpha) -> Neighbourhoods."""

    def make(image, mask, flat_axis=None, distances=(1,), alpha=0):
        region = crop_region(image, mask, (1, 1, 1), flat_axis=flat_axis, margin=max(distances))
        return Neighbourhoods(region, discretise(region, bin_width=1, max_gray_levels=65534), distances, alpha)

    return make


@pytest.fixture(scope="session")
def plain_tables():
    """A function (grey levels, mask, steps) -> pairs of grey levels along each step, counted voxel by voxel."""

    def count(gray, mask, steps):
        tables = np.zeros((len(steps), gray.max(), gray.max()))
        for place in np.argwhere(mask):
            for k, step in enumerate(steps):
                other = place + step
                if (other >= 0).all() and (other < mask.shape).all() and mask[tuple(other)]:
                    tables[k, gray[tuple(place)] - 1, gray[tuple(other)] - 1] += 1
        return tables

    return count


@pytest.fixture(scope="session")
def plain_interior():
    """A function (mask, reach, axes) -> places of the voxels whose neighbourhood holds most of the region."""

    def find(mask, reach, axes):
        sides = [range(-reach, reach + 1) if axis in axes else (0,) for axis in range(3)]
        padded = np.pad(mask, reach)
        places = np.argwhere(mask)
        covered = np.array([sum(padded[tuple(place + reach + step)] for step in product(*sides)) for place in places])
        least = np.sort(covered)[::-1][int(np.ceil(len(covered) / 10)) - 1]  # of the best tenth
        return places[covered >= least]

    return find


@pytest.fixture(
    scope="session",
    params=[((14, 16, 16), (6, 7, 7), 1.0), ((7, 8, 9), (9, 9, 9), 0.6), ((2, 9, 9), (9, 9, 9), 0.9)],
    ids=["thick", "ragged", "thin"],
)
def texture(request, make_lesion):
    """An image and a mask: in the first some voxels, in the others none are surrounded by the region."""
    shape, radii, fraction = request.param
    image, mask = make_lesion(11, shape, radii)
    return 50 * image, mask & (np.random.default_rng(3).random(shape) < fraction)
