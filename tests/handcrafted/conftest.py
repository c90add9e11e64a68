"""Synthetic lesions of the tests of handcrafted features."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter


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
