"""Contours in mm become the voxels whose centres they enclose, on the slices they were drawn on."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from radiodeep.cases.dicom.rtstruct import inside_polygon, mask_of_contours, read_structure_set
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.cases.readers import read_volume
from radiodeep.exceptions import (
    EmptyMaskError,
    FileUnreadableError,
    GeometryMismatchError,
    RadiodeepWarning,
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
    with pytest.warns(RadiodeepWarning, match=r"'GTV' has no contour in 1 slices between others, the first is slice 2"):
        np.testing.assert_array_equal(structures.mask_of(1, oblique), expected)
    with pytest.raises(EmptyMaskError, match=r"RS.dcm: region 'Body' has no closed contour"):
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
    [
        (1.4, 0, "between the slices.*from slice 1.40 to 1.40, 1 mm from"),
        (7, 0, "reaches beyond"),
        (1, 6, "reaches beyond"),
    ],
)
def test_contours_of_another_image_are_refused(dicom_files, tmp_path, oblique, level, shift, match):
    points = np.array([(1.5, 1.5), (9.5, 1.5), (9.5, 8.5)]) + shift
    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": [in_mm(oblique, level, points)]})
    with pytest.raises(GeometryMismatchError, match=f"region 'GTV'.*{match}"):
        read_structure_set(path).mask_of(0, oblique)


def drawn(oblique, polygons, **options):
    """Return slice 1 of the region of polygons in indices (x, y)."""
    return mask_of_contours([in_mm(oblique, 1, np.array(points)) for points in polygons], oblique, "GTV", **options)[1]


def box(x, y, width, height):
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def pixels(*boxes):
    """Return the sum of pixels of boxes (x, y, width, height), negative ones for holes."""
    total = np.zeros(VOXELS.shape[1:], int)
    for x, y, width, height, sign in boxes:
        total[y : y + height, x : x + width] += sign
    return total > 0


OUTER, HOLE, ISLAND = box(0.5, 0.5, 11, 9), box(2.5, 2.5, 6, 5), box(4.5, 3.5, 2, 2)
A, B = box(0.5, 0.5, 5, 4), box(3.5, 2.5, 5, 4)
KEYHOLE = [
    (0.5, 0.5),
    (11.5, 0.5),
    (11.5, 9.5),
    (6, 9.5),
    (6, 7.5),
    *HOLE[2:],
    *HOLE[:2],
    (8.5, 7.5),
    (6, 7.5),
    (6, 9.5),
]
KEYHOLE += [(0.5, 9.5)]


@pytest.mark.parametrize(
    ("polygons", "expected"),
    [
        ([ISLAND, HOLE, OUTER], pixels((1, 1, 11, 9, 1), (3, 3, 6, 5, -1), (5, 4, 2, 2, 1))),
        ([KEYHOLE], pixels((1, 1, 11, 9, 1), (3, 3, 6, 5, -1))),
        ([A, box(7.5, 6.5, 3, 3)], pixels((1, 1, 5, 4, 1), (8, 7, 3, 3, 1))),
        ([A, A[::-1], A[1:] + A[:1]], pixels((1, 1, 5, 4, 1))),
        ([A, A[:2], A[:1]], pixels((1, 1, 5, 4, 1))),
    ],
    ids=["islands in holes", "keyhole", "parts", "one contour stored in three ways", "contours without area"],
)
def test_contours_of_one_slice_make_one_region(oblique, polygons, expected):
    np.testing.assert_array_equal(drawn(oblique, polygons), expected)


def test_contours_that_cross_are_united_unless_they_are_to_be_combined_by_exclusive_or(oblique):
    with pytest.warns(
        RadiodeepWarning, match="'?GTV'? has contours that cross each other in 1 slices. They are united"
    ):
        united = drawn(oblique, [A, B])
    np.testing.assert_array_equal(united, pixels((1, 1, 5, 4, 1), (4, 3, 5, 4, 1)))
    np.testing.assert_array_equal(drawn(oblique, [A, B], xor=True), united & ~pixels((4, 3, 2, 2, 1)))


def test_the_type_of_contours_is_read(dicom_files, tmp_path, oblique):
    contours = [in_mm(oblique, 1, np.array(points)) for points in (A, B)]
    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": contours, "none": []}, kind="CLOSEDPLANAR_XOR")
    structures = read_structure_set(path)
    assert (structures.xor, structures.filled_names()) == ((True, False), ["GTV"])
    np.testing.assert_array_equal(structures.mask_of(0, oblique)[1], drawn(oblique, [A, B], xor=True))


def test_the_order_of_contours_does_not_matter(oblique):
    contours = [in_mm(oblique, level, np.array(points)) for level in (1, 2, 3) for points in (OUTER, HOLE, ISLAND)]
    expected = mask_of_contours(contours, oblique, "GTV")
    np.testing.assert_array_equal(mask_of_contours(contours[::-1], oblique, "GTV"), expected)


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_slices_may_lie_across_any_axis_of_the_grid(oblique, order):
    """An image that was saved with its slices along another axis: order of the axes (x, y, z)."""
    contours = [in_mm(oblique, level, np.array(A)) for level in (1, 2)]
    axes = [2 - axis for axis in order[::-1]]  # (z, y, x)
    turned = replace(
        oblique,
        shape=tuple(oblique.shape[axis] for axis in axes),
        spacing_mm=tuple(oblique.spacing_mm[axis] for axis in axes),
        direction=oblique.direction[:, list(order)],
    )
    expected = mask_of_contours(contours, oblique, "GTV").transpose(axes)
    np.testing.assert_array_equal(mask_of_contours(contours, turned, "GTV"), expected)


def test_contours_without_points_enclose_nothing(dicom_files, tmp_path, oblique):
    contours = [in_mm(oblique, 1, np.array(A)), np.zeros((0, 3))]
    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": contours})
    np.testing.assert_array_equal(read_structure_set(path).mask_of(0, oblique)[1], drawn(oblique, [A]))


def test_points_that_are_not_numbers_are_an_error(dicom_files, tmp_path, oblique):
    points = in_mm(oblique, 1, np.array(A))
    points[1, 1] = np.nan
    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": [points]})
    with pytest.raises(
        FileUnreadableError,
        match=r"'RS.dcm' is a structure set that cannot be read: .*a contour has points that are not numbers",
    ):
        read_structure_set(path)


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


def test_contours_that_are_open_are_left_out_with_a_warning(dicom_files, tmp_path, oblique):
    import pydicom

    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": [in_mm(oblique, 1, np.array(A))] * 2})
    header = pydicom.dcmread(path)
    header.ROIContourSequence[0].ContourSequence[1].ContourGeometricType = "OPEN_PLANAR"
    header.save_as(path)
    with pytest.warns(RadiodeepWarning, match="region 'GTV' has open contours, .* Left out: 1"):
        np.testing.assert_array_equal(read_structure_set(path).mask_of(0, oblique)[1], drawn(oblique, [A]))


def test_several_series_of_one_frame_of_reference_were_outlined(dicom_files, tmp_path):
    import pydicom

    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": []})
    other = pydicom.dcmread(dicom_files.structure_set(tmp_path / "other.dcm", {}, series="pt"))
    header = pydicom.dcmread(path)
    header.ReferencedFrameOfReferenceSequence.extend(other.ReferencedFrameOfReferenceSequence)
    header.save_as(path)
    assert read_structure_set(path).series_uids == (dicom_files.uid("P1", "s"), dicom_files.uid("P1", "pt"))


def test_contours_of_a_region_may_be_in_several_items_but_numbers_are_its_own(dicom_files, tmp_path, oblique):
    import pydicom

    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": [in_mm(oblique, 1, np.array(A))], "Node": []})
    header = pydicom.dcmread(path)
    header.ROIContourSequence[1].ReferencedROINumber = 1  # without contours
    header.save_as(path)
    np.testing.assert_array_equal(read_structure_set(path).mask_of(0, oblique)[1], drawn(oblique, [A]))
    header.StructureSetROISequence[1].ROINumber = 1
    header.save_as(path)
    with pytest.raises(FileUnreadableError, match="'RS.dcm' is a structure set that cannot be read"):
        read_structure_set(path)
