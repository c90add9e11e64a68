"""The same lesion gives the same features, bit for bit, along whichever axes its file is stored."""

import nibabel
import numpy as np
import pytest

from radiodeep import Case, DeepFeatureExtractor, RadiomicsExtractor

ORDERS = ("LPS", "RAS", "PSR", "SRP")
SHAPE = (14, 18, 16)
# Voxels (z, y, x) in mm: one cohort acquired in axial slices, one in sagittal slices.
PLANES = {"axial": (3.0, 0.75, 0.5), "sagittal": (1.0, 0.75, 2.5)}


@pytest.fixture(scope="module", params=PLANES)
def stored(request, tmp_path_factory):
    """One lesion stored in every order, and as arrays."""
    folder = tmp_path_factory.mktemp(request.param)
    z, y, x = np.indices(SHAPE)
    ball = (z - 6) ** 2 / 16 + (y - 9) ** 2 / 30 + (x - 7) ** 2 / 20 + (z - 6) * (y - x) / 40 < 1
    image = (np.random.default_rng(0).normal(0, 30, SHAPE) + 3 * z + 120 * ball).astype(np.int16)
    spacing_mm = PLANES[request.param]
    affine = np.diag([-spacing_mm[2], -spacing_mm[1], spacing_mm[0], 1.0])
    now = nibabel.orientations.io_orientation(affine)
    cases = [Case(image, ball, "arrays", spacing_mm=spacing_mm)]
    for order in ORDERS:
        change = nibabel.orientations.ornt_transform(now, nibabel.orientations.axcodes2ornt(tuple(order)))
        for name, array in (("i", image), ("m", ball.astype(np.uint8))):
            file = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine).as_reoriented(change)
            nibabel.save(file, folder / f"{order}_{name}.nii")
        cases.append(Case(folder / f"{order}_i.nii", folder / f"{order}_m.nii", order))
    return cases


@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # of what is bound to this small lesion
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "image_types": {
                "Original": {},
                "Wavelet": {},
                "LoG": {"sigma": [1.0]},
                "LBP3D": {},
                "LBP2D": {},
                "Square": {},
            }
        },
        {"force_2d": True, "families": ["glcm", "gldm"]},
        {"families": ["laws", "laws2D", "lbp2D", "lbp3D"]},
        {"resample_mm": 2.0, "normalize": True, "families": ["glcm", "firstorder"]},
    ],
    ids=["default", "image types", "in the plane", "laws and patterns", "resampled"],
)
def test_handcrafted_features_do_not_depend_on_the_storage(stored, settings):
    extractor = RadiomicsExtractor(**settings).fit(stored)
    rows = extractor.transform(stored)
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows, rows[[0] * len(rows)])
    names = list(extractor.get_feature_names_out())
    if not settings:
        diameters = rows[
            0, [names.index(f"original_shape_Maximum2DDiameter{kind}") for kind in ("Slice", "Row", "Column")]
        ]
        assert len(set(diameters)) == 3  # so that exchanged axes would show


@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")
@pytest.mark.parametrize("window", ["exact", "crop"])
@pytest.mark.parametrize("chosen", ["largest", "all", "three-orthogonal", "2.5d"])
def test_deep_features_do_not_depend_on_the_storage(stored, window, chosen):
    network = {"network": "resnet18", "weights": "random", "seed": 0} if chosen == "2.5d" else {}  # of three channels
    extractor = DeepFeatureExtractor(window=window, slice=chosen, size=32, **network).fit(stored)
    rows = np.concatenate([extractor.transform([case]) for case in stored])
    np.testing.assert_array_equal(rows, rows[[0] * len(rows)])
