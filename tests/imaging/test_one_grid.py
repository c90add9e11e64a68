"""Images of a case on the grid of one of them: by their positions in space, lazily, with one mask."""

import pickle

import nibabel
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

import radiodeep as rd
from radiodeep.cases.volume import Volume
from radiodeep.exceptions import GeometryMismatchError, MissingImageError
from radiodeep.imaging.controls import negative_control
from radiodeep.imaging.one_grid import resampled_onto

FINE, COARSE = (1.0, 1.0, 2.0), (3.0, 2.5, 2.0)  # x, y, z


def linear(x, y, z):
    """A pattern that linear interpolation keeps, of positions in RAS."""
    return 100 + 3 * x - 2 * y + 0.5 * z


def write(path, spacing, shape, origin, function=linear, rotation=None):
    """Write a function of the position on a grid, and a ball of 8 mm about (20, 20, 20) beside it."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if rotation is None else rotation.as_matrix()) * spacing
    affine[:3, 3] = origin
    position = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + origin
    values = function(*np.moveaxis(position, -1, 0)).astype(np.float32)
    mask = np.linalg.norm(position - 20, axis=-1) <= 8
    for end, array in (("image", values), ("mask", mask.astype(np.uint8))):
        nibabel.save(nibabel.Nifti1Image(array, affine), path.with_name(f"{path.name}-{end}.nii.gz"))
    return path.with_name(f"{path.name}-image.nii.gz"), path.with_name(f"{path.name}-mask.nii.gz")


@pytest.fixture
def case(tmp_path):
    fine = write(tmp_path / "fine", FINE, (40, 40, 20), (0.5, 0, 0))
    coarse = write(tmp_path / "coarse", COARSE, (14, 16, 20), (-1, 0.3, 0.7))
    return rd.Case({"MR": fine[0], "PET": coarse[0]}, {"MR": fine[1], "PET": coarse[1]}, "p-1", label=1, patient="p")


@pytest.mark.parametrize("grid", ["MR", "PET"])
def test_images_take_the_grid_and_the_mask_of_the_chosen_one(case, grid):
    (moved,) = rd.on_one_grid([case], image=grid)
    chosen = case.of_image(grid)
    assert (moved.id, moved.label, moved.patient) == ("p-1", 1, "p")
    for name in ("MR", "PET"):
        part = moved.of_image(name)
        assert part.spacing_mm == chosen.spacing_mm
        np.testing.assert_array_equal(part.roi, chosen.roi)
        np.testing.assert_allclose(part.voxels[part.roi], chosen.voxels[chosen.roi], atol=1e-3)
    np.testing.assert_array_equal(moved.of_image(grid).voxels, chosen.voxels)


def test_a_turned_image_is_taken_by_its_position(tmp_path, case):
    turned = write(
        tmp_path / "turned",
        (1.5, 1.2, 1.0),
        (40, 50, 50),
        (-4, 2, -6),
        rotation=Rotation.from_euler("xyz", [8, 12, -5], degrees=True),
    )
    files = {"MR": case.image["MR"], "PET": turned[0]}
    moved = rd.on_one_grid([case.replace(image=files)], image="MR")[0].of_image("PET")
    np.testing.assert_allclose(moved.voxels[moved.roi], case.of_image("MR").voxels[moved.roi], atol=1e-3)


def test_images_are_smoothed_before_they_get_larger_voxels(tmp_path, case):
    rng = np.random.default_rng(0)
    noisy = write(tmp_path / "noisy", FINE, (40, 40, 20), (0.5, 0, 0), lambda x, y, z: rng.standard_normal(x.shape))
    moved = rd.on_one_grid([case.replace(image={**case.image, "MR": noisy[0]})], image="PET")[0].of_image("MR")
    assert moved.voxels[moved.roi].std() < 0.45  # the mean of 7.5 voxels has 0.37, a value between voxels about 0.7


def test_images_are_smoothed_only_along_axes_where_the_new_voxels_are_larger():
    voxels = np.random.default_rng(0).standard_normal((3, 20, 31))
    direction = Rotation.from_euler("z", 90, degrees=True).as_matrix()  # its y axis is -x
    target = Volume(np.zeros((3, 11, 20)), (1.0, 3.0, 1.0), np.array([30.0, 0, 0]), direction)
    moved = resampled_onto(Volume(voxels, (1.0, 1.0, 1.0), np.zeros(3), np.eye(3)), target)
    smooth = gaussian_filter1d(voxels, np.sqrt((3**2 - 1**2) / 12), axis=2, mode="nearest")
    np.testing.assert_allclose(moved, smooth[:, :, 30::-3].swapaxes(1, 2), atol=1e-12)


def test_nothing_is_read_or_kept_until_it_is_asked_for(case):
    (lazy,) = rd.on_one_grid(
        [case.replace(image={**case.image, "PET": case.image["PET"].with_name("gone.nii.gz")})], image="MR"
    )
    assert lazy.image_names == ("MR", "PET")
    (moved,) = rd.on_one_grid([case], image="MR")
    voxels = moved.of_image("PET").lesion().voxels
    packed = pickle.dumps(moved)
    assert len(packed) < 3000
    np.testing.assert_array_equal(pickle.loads(packed).of_image("PET").voxels, voxels)
    held = moved.in_memory()
    assert held.shares_mask
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(held)).of_image("PET").voxels, voxels)


def test_repeats_and_negative_controls_are_on_the_grid_too(case):
    (moved,) = rd.on_one_grid([case.replace(repeats={"retest": case})], image="MR")
    assert moved.repeats["retest"].of_image("PET").spacing_mm == (2, 1, 1)
    part = moved.of_image("PET")
    shuffled = negative_control(moved, "shuffled_roi").of_image("PET")
    np.testing.assert_array_equal(np.sort(shuffled.voxels[part.roi]), np.sort(part.voxels[part.roi]))
    assert not np.array_equal(shuffled.voxels, part.voxels)


def test_a_cohort_keeps_its_frame_and_a_case_without_the_image_stays_as_it_is(case):
    lacking = case.replace(image={**case.image, "MR": None}, id="p-2")
    cohort = rd.Cohort([case, lacking])
    moved = rd.on_one_grid(cohort, image="MR")
    assert moved.frame.equals(cohort.frame)
    assert moved[1] is lacking


def test_an_image_that_does_not_show_the_region_is_refused(tmp_path, case):
    small = write(tmp_path / "small", FINE, (22, 40, 20), (0.5, 0, 0))
    (moved,) = rd.on_one_grid([case.replace(image={**case.image, "MR": small[0]})], image="PET")
    with pytest.raises(GeometryMismatchError, match=r"^p-1: 'small-image.nii.gz' does not show \d+ of \d+ voxels"):
        moved.of_image("MR").lesion()


def test_arrays_and_unknown_names_are_refused(case):
    with pytest.raises(MissingImageError, match=r"No case has an image 'CT'\. Their images are: MR, PET\."):
        rd.on_one_grid([case], image="CT")
    with pytest.raises(GeometryMismatchError, match=r"^p-1: MR: an array does not say where it lies in space"):
        rd.on_one_grid([case.in_memory()], image="MR")
    with pytest.raises(MissingImageError, match="there is no image 'MR'; it has one image without a name"):
        rd.on_one_grid([case.of_image("MR")], image="MR")


def test_files_without_a_position_are_refused():
    placed = Volume(np.zeros((3, 3, 3)), (1.0, 1.0, 1.0), np.zeros(3), np.eye(3))
    lost = Volume(np.zeros((3, 3, 3)), (1.0, 1.0, 1.0), np.zeros(3), np.eye(3), has_position=False)
    with pytest.raises(GeometryMismatchError, match="does not say where it lies"):
        resampled_onto(lost, placed)
