"""Lesions that several tests measure."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from radiodeep import Case, RadiomicsExtractor
from radiodeep.exceptions import RadiodeepWarning


@pytest.fixture(scope="session")
def lesion():
    """Return a lesion off the centre of a wide image, whose other parts are brighter and darker."""
    generator = np.random.default_rng(4)
    texture = gaussian_filter(generator.normal(size=(24, 90, 84)), 1)
    places = np.indices(texture.shape) - np.array([11, 40, 38])[:, None, None, None]
    mask = (places**2 / np.array([5.0, 9, 12])[:, None, None, None] ** 2).sum(axis=0) < 1
    image = texture / texture.std() * 20 + 60 + 50 * mask
    image[:, :, 70:] = -200
    image[:, :3] += 400
    return Case(image, mask, "lesion", spacing_mm=(2.0, 0.875, 1.125))


@pytest.fixture(scope="session")
def values_of():
    def values_of(case, **settings):
        extractor = RadiomicsExtractor(**settings)
        return dict(zip(extractor.get_feature_names_out(), extractor.transform([case])[0], strict=True))

    return values_of


@pytest.fixture(scope="session")
def stored_as():
    def stored_as(case, codes, folder):
        """Write an image in LPS order as a file with axes (x, y, z) in other directions."""
        spacing = np.array(case.spacing_mm[::-1])
        volume = []
        for array in (case.voxels, case.roi.astype(np.uint8)):
            image = nib.Nifti1Image(array.T, np.diag([-spacing[0], -spacing[1], spacing[2], 1]))
            axes = nib.orientations.ornt_transform(
                nib.orientations.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes)
            )
            volume.append(image.as_reoriented(axes))
        paths = [folder / f"{codes}_{name}.nii" for name in ("image", "mask")]
        for image, path in zip(volume, paths, strict=True):
            nib.save(image, path)
        return Case(*paths, case.id)

    return stored_as


@pytest.fixture(scope="session")
def flat_case():
    def flat_case(name="flat", seed=0, **options):
        image = np.random.default_rng(seed).normal(100, 50, (30, 30))
        mask = np.zeros(image.shape, np.uint8)
        mask[5:22, 8:25] = 1
        mask[5:9, 8:12] = 0
        return Case(image, mask, name, spacing_mm=(0.5, 0.5), **options)

    return flat_case


@pytest.fixture(scope="session")
def fit_flat():
    def fit_flat(extractor, cases):
        with pytest.warns(RadiodeepWarning, match="'shape2D'"):
            return extractor.fit(cases)

    return fit_flat
