"""Perturbed cases: outlines against analytic bodies, interpolation against theory, and what must stay as it is."""

import numpy as np
import pytest
from scipy import ndimage

from radiodeep import Case, make_phantom_cohort
from radiodeep.exceptions import EmptyMaskError, InputError, PerturbationError
from radiodeep.imaging.crop import bounding_box
from radiodeep.imaging.perturbation import INTERPOLATED_KINDS, KINDS, OUTLINE_KINDS, outline_distance, perturb

PHANTOM = make_phantom_cohort(1, random_state=0)[0]
EVERYWHERE = np.ones((3, 3, 3), bool)


def ball(radius_mm, spacing_mm, offset=(0.3, -0.2, 0.1), image=None):
    """Return a case with a ball in the middle, not in the middle of a voxel, and the true distances to its surface."""
    spacing_mm = np.array(spacing_mm, float)
    shape = np.ceil((2 * radius_mm + 16) / spacing_mm).astype(int) + 2
    centre = (shape / 2 + offset) * spacing_mm
    distance = np.linalg.norm(np.indices(shape).T * spacing_mm - centre, axis=-1).T - radius_mm
    rng = np.random.default_rng(0)
    return Case(rng.normal(0, 100, shape), distance <= 0, "ball", tuple(spacing_mm)), distance


def white_noise(shape=(5, 60, 60), spacing_mm=(1.0, 1.0, 1.0), case_id="noise"):
    roi = np.zeros(shape, bool)
    roi[1:-1, 20:40, 20:40] = True
    return Case(np.random.default_rng(1).normal(0, 1, shape), roi, case_id, spacing_mm)


@pytest.mark.parametrize("kind", KINDS)
def test_an_amount_of_zero_changes_nothing(kind):
    same = perturb(PHANTOM, kind, 0)
    np.testing.assert_array_equal(same.voxels, PHANTOM.voxels)
    np.testing.assert_array_equal(same.roi, PHANTOM.roi)
    assert same.voxels.dtype == PHANTOM.voxels.dtype


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_keeps_its_size_its_type_and_what_lies_beyond_the_margin(kind):
    image = np.pad(PHANTOM.voxels, 12, mode="wrap")
    case = PHANTOM.replace(image=image, mask=np.pad(PHANTOM.roi, 12))
    changed = perturb(case, kind, 0.25, margin_mm=3)
    assert changed.voxels.dtype == np.int16
    assert changed.spacing_mm == case.spacing_mm
    differs = (changed.voxels != case.voxels) | (changed.roi != case.roi)
    near = ndimage.distance_transform_edt(~case.roi, sampling=case.spacing_mm) < 3
    assert differs.any()
    assert differs[near].any()
    far = np.ones(case.roi.shape, bool)
    far[bounding_box(case.roi, [6, 6, 6])] = False
    assert not differs[far].any()
    if kind in OUTLINE_KINDS:
        np.testing.assert_array_equal(changed.voxels, case.voxels)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (3.3, 1, 1), (5, 3.3, 3.3), (1, 1, 4)])
@pytest.mark.parametrize("radius_mm", [6, 12, 25])
def test_distances_to_the_outline_are_those_of_the_ball_it_came_from(spacing_mm, radius_mm):
    case, expected = ball(radius_mm, spacing_mm)
    distance = outline_distance(case.roi, case.spacing_mm)
    np.testing.assert_array_equal(distance < 0, case.roi)
    near = np.abs(expected) < 2
    # A staircase of voxels alone is wrong by 0.29 voxels, the deviation of a uniform distribution, and biased.
    assert np.sqrt(np.mean((distance - expected)[near] ** 2)) < 0.13 * max(spacing_mm)
    assert abs(np.mean((distance - expected)[near])) < 0.06 * max(spacing_mm)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (3.3, 1, 1), (5, 3.3, 3.3)])
def test_a_millimetre_is_a_millimetre_on_voxels_of_any_size(spacing_mm):
    ratios = []
    for offset in np.random.default_rng(0).uniform(-0.5, 0.5, (8, 3)):
        case, _ = ball(16, spacing_mm, offset)
        ratios.append([perturb(case, kind, 1.0).roi_size_mm / case.roi_size_mm for kind in ("dilate", "erode")])
    expected = [(17 / 16) ** 3, (15 / 16) ** 3]  # 1.20 and 0.82
    np.testing.assert_allclose(np.mean(ratios, axis=0), expected, atol=0.03)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (5, 3.3, 3.3)])
@pytest.mark.parametrize("fraction", [0.02, 0.15, 0.6])
def test_volume_changes_by_the_fraction_to_a_voxel(spacing_mm, fraction):
    case, distance = ball(10, spacing_mm)
    n_voxels = int(case.roi.sum())
    grown, shrunk = (perturb(case, kind, fraction).roi for kind in ("grow", "shrink"))
    assert grown.sum() - n_voxels == n_voxels - shrunk.sum() == round(fraction * n_voxels)
    assert grown[case.roi].all()
    assert case.roi[shrunk].all()
    # Voxels come in the order of their distance: those added are nearer than those left out, but for its error.
    assert distance[grown].max() < distance[~grown].min() + 0.4 * max(spacing_mm)


def test_regions_grow_far_beyond_their_own_size_in_the_right_order():
    case, distance = ball(4, (1, 1, 1))
    grown = perturb(case, "grow", 6.0).roi
    assert grown.sum() == case.roi.sum() * 7
    assert distance[grown].max() < distance[~grown].min() + 1


@pytest.mark.parametrize("seed", range(6))
def test_what_is_added_is_connected_to_the_region(seed):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(14, 30, 30)), (0.6, 1.2, 1.2))
    case = Case(smooth, smooth > np.quantile(smooth, 0.8), f"blobs-{seed}", (4.0, 1.0, 1.5))  # many pieces, some thin
    for kind, amount in (("grow", 0.15), ("grow", 0.5), ("dilate", 1.0), ("dilate", 3.0)):
        pieces, n_pieces = ndimage.label(perturb(case, kind, amount).roi, EVERYWHERE)
        assert set(np.unique(pieces[case.roi])) == set(range(1, n_pieces + 1))


def test_an_image_of_one_slice_changes_in_its_plane():
    case, _ = ball(12, (1, 1, 1))
    middle = case.voxels.shape[0] // 2
    flat = case.replace(image=case.voxels[[middle]], mask=case.roi[[middle]], spacing_mm=(50.0, 1.0, 1.0))
    n_pixels = int(flat.roi.sum())
    assert perturb(flat, "grow", 0.15).roi.sum() == n_pixels + round(0.15 * n_pixels)
    np.testing.assert_allclose(perturb(flat, "dilate", 1.0).roi.sum() / n_pixels, (13 / 12) ** 2, rtol=0.02)
    for kind, amount in (("translate", 0.25), ("rotate", 5), ("noise", 1)):
        assert not np.array_equal(perturb(flat, kind, amount).voxels, flat.voxels)


def test_among_voxels_at_one_distance_chance_decides_and_not_their_order():
    roi = np.zeros((12, 12, 12), bool)
    roi[3:9, 3:9, 3:9] = True
    case = Case(np.zeros(roi.shape), roi, "cube", (1, 1, 1))
    added = [perturb(case, "grow", 4 / 216, random_state=seed).roi & ~roi for seed in range(60)]
    np.testing.assert_array_equal(perturb(case, "grow", 4 / 216).roi & ~roi, added[0])
    np.testing.assert_array_equal(perturb(case.replace(id="other"), "grow", 4 / 216).roi & ~roi, added[0])
    other = case.replace(image=np.ones(roi.shape))
    assert not np.array_equal(perturb(other, "grow", 4 / 216).roi & ~roi, added[0])
    ever = np.any(added, axis=0)  # the four middle voxels of each of the six faces, none more often than the others
    assert [region.sum() for region in added] == [4] * 60
    assert ever.sum() == 24
    for axis in range(3):
        np.testing.assert_array_equal(ever, np.flip(ever, axis))


def test_a_region_that_can_grow_along_one_axis_only_does_so_evenly():
    roi = np.zeros((6, 6, 60), bool)
    roi[..., 25:35] = True
    grown = perturb(Case(np.zeros(roi.shape), roi, "rod", (1, 1, 1)), "grow", 2.0).roi
    np.testing.assert_array_equal(grown.all(axis=(0, 1)), np.abs(np.arange(60) - 29.5) < 15)
    assert grown.sum() == 3 * roi.sum()


@pytest.mark.slow  # reads 51 scans
def test_the_default_outlines_change_every_lesion_of_large_voxels(reference_data):
    images = sorted((reference_data / "sts_pet").glob("*_image.nii.gz"))
    assert len(images) == 51
    for image in images:
        case = Case(image, str(image).replace("_image", "_mask"), image.name[:7]).in_memory()
        n_voxels = case.roi.sum()
        for kind, sign in (("grow", 1), ("shrink", -1)):
            assert perturb(case, kind, 0.15).roi.sum() == n_voxels + sign * round(0.15 * n_voxels)
        assert perturb(case, "dilate", 1.0).roi.sum() > 1.03 * n_voxels  # voxels of 3.3 x 5 mm
        assert perturb(case, "erode", 1.0).roi.sum() < 0.98 * n_voxels


def test_moves_by_whole_voxels_and_right_angles_are_exact():
    case = white_noise(spacing_mm=(2.0, 1.0, 1.0))
    moved = perturb(case, "translate", 1.0, margin_mm=5)
    inside = (slice(None), slice(18, 42), slice(18, 42))
    one_further = (slice(None), slice(19, 43), slice(19, 43))
    np.testing.assert_allclose(moved.voxels[inside], case.voxels[one_further], atol=1e-9)
    np.testing.assert_array_equal(moved.roi[inside], case.roi[one_further])
    turned = perturb(case, "rotate", 90.0, margin_mm=5)
    about = (slice(None), slice(17, 43), slice(17, 43))
    np.testing.assert_allclose(turned.voxels[about], np.rot90(case.voxels[about], axes=(2, 1)), atol=1e-9)
    np.testing.assert_array_equal(turned.roi, case.roi)


def test_millimetres_count_in_a_rotation():
    roi = np.zeros((1, 60, 60), bool)
    roi[0, 28:32, 10:50] = True  # 8 mm by 40 mm
    image = roi.astype(float)
    turned = perturb(Case(image, roi, "bar", (1.0, 2.0, 1.0)), "rotate", 90.0, margin_mm=0)
    rows, columns = (np.ptp(where) + 1 for where in np.nonzero(turned.roi[0]))
    assert (rows, columns) == (20, 8)


@pytest.mark.parametrize(
    ("kind", "amount", "kept"), [("translate", 0.25, 0.757), ("translate", 0.75, 0.757), ("rotate", 5, 0.765)]
)
def test_moves_that_are_compared_smooth_alike(kind, amount, kept):
    # The power that cubic B-spline interpolation leaves of white noise: the mean over frequencies of the square of
    # sum(b(f - k) e^iwk) / sum(b(k) e^iwk), for the fraction f or the mean over all of them, along two axes.
    case = white_noise((9, 120, 120))
    moved = perturb(case, kind, amount, margin_mm=40).voxels
    inside = (slice(None), slice(5, 75), slice(5, 75))
    np.testing.assert_allclose(moved[inside].var() / case.voxels[inside].var(), kept, rtol=0.03)
    near = (slice(None), slice(17, 43), slice(17, 43))
    np.testing.assert_allclose(perturb(case, kind, amount, margin_mm=10).voxels[near], moved[near], atol=0.02)


def test_interpolated_intensities_stay_within_those_of_the_image():
    image = np.zeros((3, 40, 40), np.uint8)
    image[:, 15:25, 15:25] = 255  # cubic splines overshoot at such an edge
    moved = perturb(Case(image, image > 0, "edge", (1, 1, 1)), "translate", 0.25).voxels
    assert moved.dtype == np.uint8
    assert moved[:, 5:12].max() == 0
    assert len(np.unique(moved)) > 2
    pet = image.astype(float) / 100
    moved = perturb(Case(pet, image > 0, "edge", (1, 1, 1)), "rotate", 5).voxels
    assert moved.min() == 0
    assert moved.max() == 2.55


@pytest.mark.parametrize(("kind", "amount"), [("translate", 0.25), ("rotate", 5), ("noise", 1)])
def test_integers_are_rounded_and_never_wrap_around(kind, amount, monkeypatch):
    image = np.round(127 + 60 * white_noise().voxels).clip(0, 255)
    case = white_noise().replace(image=image.astype(np.uint8))
    monkeypatch.setattr(Case, "content_hash", lambda case: "0")  # the same noise for both types
    whole, real = (perturb(lesion, kind, amount).voxels for lesion in (case, case.replace(image=image)))
    np.testing.assert_allclose(whole, real.clip(0, 255), atol=0.5 + 1e-9)


@pytest.mark.parametrize("kind", INTERPOLATED_KINDS)
def test_moves_stay_within_the_plane_of_acquisition(kind):
    case = white_noise((60, 60, 5), spacing_mm=(1.0, 1.0, 4.0))
    image = np.broadcast_to(np.arange(5.0), (60, 60, 5))  # every slice is even
    roi = np.zeros(image.shape, bool)
    roi[20:40, 25:35, 1:4] = True
    case = case.replace(image=image, mask=roi)
    moved = perturb(case, kind, 5.0)
    np.testing.assert_allclose(moved.voxels, image, atol=1e-9)
    assert not np.array_equal(moved.roi, roi)
    assert moved.roi.any(axis=(0, 1)).tolist() == [False, True, True, True, False]


def test_noise_is_that_of_the_image_times_the_amount():
    rng = np.random.default_rng(0)
    image = 1000 + rng.normal(0, 12, (8, 64, 64))
    roi = np.zeros(image.shape, bool)
    roi[2:6, 20:44, 20:44] = True
    case = Case(image, roi, "noisy", (1, 1, 1))
    for amount in (0.5, 2.0):
        added = perturb(case, "noise", amount).voxels - image
        np.testing.assert_allclose(added[roi].std(), 12 * amount, rtol=0.1)
    np.testing.assert_array_equal(perturb(case, "noise", 1).voxels, perturb(case, "noise", 1).voxels)
    assert not np.array_equal(perturb(case, "noise", 1).voxels, perturb(case, "noise", 1, random_state=1).voxels)
    np.testing.assert_array_equal(perturb(case.replace(id="b"), "noise", 1).voxels, perturb(case, "noise", 1).voxels)
    scaled, noise = perturb(case.replace(image=2 * image), "noise", 1).voxels / 2, perturb(case, "noise", 1).voxels
    assert abs(np.corrcoef((scaled - image)[roi], (noise - image)[roi])[0, 1]) < 0.1  # another case, other noise


@pytest.mark.parametrize(("kind", "amount"), [("translate", 0.25), ("rotate", 5), ("noise", 1)])
def test_gaps_beside_the_region_do_not_spread(kind, amount):
    image = white_noise().voxels.copy()
    image[0, 5], image[2, 30, 3] = np.nan, np.inf
    changed = perturb(white_noise().replace(image=image), kind, amount)
    assert np.isfinite(changed.voxels[changed.roi]).all()


def test_a_perturbation_that_changes_no_voxel_is_an_error():
    roi = np.zeros((9, 12, 12), bool)
    roi[2:7, 3:9, 3:9] = True
    cube = Case(np.full(roi.shape, 7.0), roi, "cube", (3, 3, 3))
    with pytest.raises(PerturbationError, match="^cube: 'dilate' by 0.05 changes no voxel. Perturb by more; 'grow'"):
        perturb(cube, "dilate", 0.05)
    for value in (0.0, 7.0):  # an image without noise
        with pytest.raises(PerturbationError, match="^cube: 'noise' by 1 changes no voxel"):
            perturb(cube.replace(image=np.full(roi.shape, value)), "noise", 1)
    with pytest.raises(PerturbationError, match="^cube: 'translate' by 0.1 changes no voxel"):  # of one intensity
        perturb(cube, "translate", 0.1)
    for kind in ("grow", "shrink"):
        with pytest.raises(PerturbationError, match=f"^cube: '{kind}' by 0.001 changes no voxel"):
            perturb(cube, kind, 0.001)


def test_a_region_without_room_is_an_error():
    full = Case(np.arange(64.0).reshape(4, 4, 4), np.ones((4, 4, 4)), "full", (1, 1, 1))
    for kind in OUTLINE_KINDS:
        with pytest.raises(PerturbationError, match="^full: the region is the whole image, so its outline is unknown"):
            perturb(full, kind, 0.001)
    roi = np.ones((4, 4, 4), bool)
    roi[0, 0, 0] = False
    with pytest.raises(PerturbationError, match="^full: 'grow' by 0.15 changes 9 voxels. The region has 63 of 64"):
        perturb(full.replace(mask=roi), "grow", 0.15)
    with pytest.raises(EmptyMaskError, match="nothing of the region is left after 'erode' by 40"):
        perturb(PHANTOM, "erode", 40)


def test_what_cannot_be_a_perturbation_is_named():
    with pytest.raises(InputError, match="'kind' parameter of perturb must be one of grow, shrink"):
        perturb(PHANTOM, "blur", 1)
    with pytest.raises(
        InputError, match="'amount' parameter of perturb must be a finite float >= 0 and < 1 for 'shrink'. Got 1"
    ):
        perturb(PHANTOM, "shrink", 1)
    with pytest.raises(
        InputError, match="'amount' parameter of perturb must be a finite float >= 0 for 'dilate'. Got -1"
    ):
        perturb(PHANTOM, "dilate", -1)
    with pytest.raises(InputError, match="'amount' parameter of perturb must be a finite float for 'rotate'. Got nan"):
        perturb(PHANTOM, "rotate", np.nan)
    with pytest.raises(InputError, match="'margin_mm' parameter of perturb must be a float >= 0"):
        perturb(PHANTOM, "noise", 1, margin_mm=-1)
