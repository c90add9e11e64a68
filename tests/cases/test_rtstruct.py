"""Contours in mm become the voxels whose centres they enclose, on the slices they were drawn on."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from radiodeep.cases.dicom import find_series, grid_of
from radiodeep.cases.readers import read_volume
from radiodeep.cases.rtstruct import inside_polygon, mask_of_contours, read_structure_set
from radiodeep.exceptions import (
    EmptyMaskError,
    FileUnreadableError,
    GeometryMismatchError,
)

VOXELS = np.zeros((5, 12, 14))


def in_mm(grid, level, points):
    """Return indices (x, y) in a slice as patient positions, by the equation of the standard."""
    steps = np.column_stack([points, np.full(len(points), level)]) * grid.spacing_mm[::-1]
    return grid.origin_mm + steps @ grid.direction.T


def plainly_inside(point, polygon):
    """Return whether a polygon winds about a point: the angles of its corners add up to 0 or 2 pi."""
    corners = np.subtract(polygon, point) @ [1, 1j]
    return abs(np.angle(np.roll(corners, -1) / corners).sum()) > 1


@pytest.fixture
def oblique(dicom_files, tmp_path):
    """The grid of an oblique series."""
    orientation = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()[:, :2].T.ravel()
    dicom_files.series(tmp_path / "ct", VOXELS, orientation=orientation)
    (series,) = find_series(tmp_path / "ct").values()
    return grid_of(series)


def test_centres_inside_a_polygon_are_those_that_it_winds_about():
    random = np.random.default_rng(0)
    for _ in range(20):
        angles = np.sort(random.uniform(0, 2 * np.pi, 12))
        polygon = np.array([7.3, 5.2]) + np.column_stack([np.cos(angles), np.sin(angles)]) * random.uniform(
            1, 9, (12, 1)
        )
        mask = inside_polygon(polygon, (12, 14))
        expected = [[plainly_inside((x, y), polygon) for x in range(14)] for y in range(12)]
        np.testing.assert_array_equal(mask, expected)


def test_of_centres_on_the_outline_those_at_the_left_and_upper_side_are_inside():
    mask = inside_polygon([(1, 1), (3, 1), (3, 3), (1, 3)], (5, 5))
    np.testing.assert_array_equal(np.argwhere(mask), [[1, 1], [1, 2], [2, 1], [2, 2]])


def test_holes_are_cut_out_and_each_contour_counts_on_its_own_slice(dicom_files, tmp_path, oblique):
    outer = np.array([(1.5, 1.5), (10.5, 1.5), (10.5, 9.5), (1.5, 9.5)])
    hole = np.array([(3.5, 3.5), (3.5, 6.5), (6.5, 6.5), (6.5, 3.5)])
    contours = [in_mm(oblique, 1, outer), in_mm(oblique, 1, hole), in_mm(oblique, 3, hole), in_mm(oblique, 3, hole)]
    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"Body": [], "GTV": contours})
    structures = read_structure_set(path)
    assert structures.region_names == ("Body", "GTV")
    assert structures.series_uids == (dicom_files.uid("P1", "s"),)
    expected = np.zeros(VOXELS.shape, bool)
    expected[1, 2:10, 2:11] = True
    expected[1, 4:7, 4:7] = False
    expected[3, 4:7, 4:7] = True  # stored twice, which must not cancel out
    np.testing.assert_array_equal(structures.mask_of(1, oblique), expected)
    with pytest.raises(EmptyMaskError, match=r"RS.dcm: region 'Body' encloses the centre of no voxel"):
        structures.mask_of(0, oblique)


def test_corners_on_centres_are_decided_alike_however_they_are_rounded_in_mm(oblique):
    for x in range(8):
        for y in range(7):
            corners = np.array([(x, y), (x + 3, y), (x + 3, y + 2), (x, y + 2)])
            expected = np.zeros(VOXELS.shape, bool)
            expected[1, y : y + 2, x : x + 3] = True
            np.testing.assert_array_equal(mask_of_contours([in_mm(oblique, 1, corners)], oblique, "GTV"), expected)


@pytest.mark.parametrize(
    ("level", "shift", "match"),
    [(1.4, 0, "between the slices.*from slice 1.40 to 1.40"), (7, 0, "reaches beyond"), (1, 6, "reaches beyond")],
)
def test_contours_of_another_image_are_refused(dicom_files, tmp_path, oblique, level, shift, match):
    points = np.array([(1.5, 1.5), (9.5, 1.5), (9.5, 8.5)]) + shift
    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": [in_mm(oblique, level, points)]})
    with pytest.raises(GeometryMismatchError, match=f"region 'GTV'.*{match}"):
        read_structure_set(path).mask_of(0, oblique)


def test_a_point_is_no_contour(dicom_files, tmp_path, oblique):
    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"Mark": [np.zeros((1, 3))]}, kind="POINT")
    assert read_structure_set(path).contours == ([],)


def test_a_file_that_is_not_a_structure_set_is_an_error(dicom_files, tmp_path):
    broken = tmp_path / "RS.dcm"
    broken.write_bytes(dicom_files.structure_set(broken, {"GTV": []}).read_bytes()[:-3])
    with pytest.raises(FileUnreadableError, match=r"'RS.dcm'"):
        read_structure_set(broken)


REFERENCES = [
    ("ibsi1/ct_phantom/dicom", "ibsi1/ct_phantom/nifti/mask/mask.nii.gz", 125256),
    ("sts_pet/dicom_example/STS_002/PET", "sts_pet/STS_002_mask.nii.gz", 555),
    ("sts_pet/dicom_example/STS_002/MR_T1", "sts_mr/STS_002_mask.nii.gz", 17090),
]


@pytest.mark.parametrize(("folder", "mask", "n_voxels"), REFERENCES)
def test_regions_of_patients_are_the_published_masks_to_the_voxel(dicom_files, reference_data, folder, mask, n_voxels):
    series = find_series(reference_data / folder).values()
    (image,) = (each for each in series if each.modality != "RTSTRUCT")
    (outlined,) = (each for each in series if each.modality == "RTSTRUCT")
    grid = grid_of(image)
    own = read_structure_set(outlined.paths[0]).mask_of(0, grid)
    published = read_volume(reference_data / mask)
    inside = np.argwhere(published.voxels)[:, ::-1] * published.spacing_mm[::-1]  # published masks are cropped
    places = published.origin_mm + inside @ published.direction.T
    x, y, z = np.round(grid.indices_of(places)).astype(int).T
    assert own.sum() == len(inside) == n_voxels
    assert own[z, y, x].all()
