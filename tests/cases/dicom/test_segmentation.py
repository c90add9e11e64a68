"""Segments are chosen by number and their frames placed by position, in any order and with gaps."""

from dataclasses import replace

import numpy as np
import pytest

from radiodeep.cases.dicom.segmentation import read_segmentation
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.exceptions import EmptyMaskError, GeometryMismatchError, TruncatedFileError, UnsupportedImageError

SHAPE = (6, 5, 7)
ORIENTATION = (0, 1, 0, 0, 0, -1)
PATIENT = ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate", "StudyTime")


@pytest.fixture
def grid(dicom_files, tmp_path):
    blank = dict.fromkeys((*PATIENT, "ReferringPhysicianName"), "")
    changes = dict.fromkeys(range(SHAPE[0]), blank)
    dicom_files.series(tmp_path / "ct", np.zeros(SHAPE), orientation=ORIENTATION, changes=changes)
    (series,) = find_series(tmp_path / "ct").values()
    return grid_of(series)


@pytest.fixture
def masks():
    return np.random.default_rng(0).random((2, *SHAPE)) > 0.6


def frames_of(masks):
    return [(2, 4, masks[1, 4]), (1, 3, masks[0, 3]), (2, 1, masks[1, 1]), (1, 5, masks[0, 5]), (2, 3, masks[1, 3])]


@pytest.fixture
def by_highdicom(grid, tmp_path):
    """A function that lets highdicom write voxels (z, y, x, segment), or labels (z, y, x), on the grid."""
    hd = pytest.importorskip("highdicom")
    import pydicom
    from pydicom.sr.codedict import codes

    def write(voxels, kind, **options):
        segments = [
            hd.seg.SegmentDescription(
                number, name, codes.SCT.Organ, codes.SCT.Liver, hd.seg.SegmentAlgorithmTypeValues.MANUAL
            )
            for number, name in enumerate(["liver", "tumour"], 1)
        ]
        slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "ct").iterdir())]
        identity = (hd.UID(), 1, hd.UID(), 1, "m", "m", "1", "1")
        written = hd.seg.Segmentation(slices, voxels, kind, segments, *identity, **options)
        written.save_as(tmp_path / "SEG.dcm")
        return tmp_path / "SEG.dcm"

    return write


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_segments_that_highdicom_writes_are_those_that_it_reads(by_highdicom, grid, masks, kind):
    import highdicom as hd

    masks[:, 2] = False
    if kind == "LABELMAP":
        masks[1] &= ~masks[0]
        path = by_highdicom((masks[0] + 2 * masks[1]).astype(np.uint8), kind)
    else:
        path = by_highdicom(np.moveaxis(masks, 0, -1).astype(np.uint8 if kind == "BINARY" else float), kind)
    segmentation = read_segmentation(path)
    assert segmentation.region_names == ("liver", "tumour")
    volume = hd.seg.segread(path).get_volume(combine_segments=False, rescale_fractional=False)
    steps = np.outer(np.arange(volume.array.shape[0]) * volume.spacing[0], volume.direction[:, 0])
    levels = grid.indices_of(volume.position + steps)[:, 2].round().astype(int)
    for position in range(2):
        theirs = np.zeros(SHAPE, bool)
        theirs[levels] = volume.array[..., position] > 0
        np.testing.assert_array_equal(theirs, masks[position])
        np.testing.assert_array_equal(segmentation.mask_of(position, grid), theirs)
        own = segmentation.volume_of([position])
        assert own.spacing_mm == pytest.approx(grid.spacing_mm)
        on_grid = replace(grid, shape=own.voxels.shape, origin_mm=own.origin_mm, direction=own.direction)
        np.testing.assert_array_equal(segmentation.mask_of(position, on_grid), own.voxels)


def test_half_of_the_largest_value_is_inside_a_fractional_segment(by_highdicom, grid):
    share = np.zeros((*SHAPE, 2))
    share[1, 2, 3:6, 0] = 0.49, 0.5, 0.51
    path = by_highdicom(share, "FRACTIONAL", max_fractional_value=100)
    assert np.argwhere(read_segmentation(path).mask_of(0, grid)).tolist() == [[1, 2, 4], [1, 2, 5]]


def test_overlapping_segments_make_one_region_on_their_own_grid(dicom_files, tmp_path, grid, masks):
    path = dicom_files.segmentation(tmp_path / "SEG.dcm", frames_of(masks), ["liver", "tumour"], grid)
    segmentation = read_segmentation(path)
    volume = segmentation.volume_of([0, 1])
    expected = np.any([segmentation.mask_of(position, grid) for position in range(2)], axis=0)
    np.testing.assert_array_equal(volume.voxels, expected[1:6])
    np.testing.assert_allclose(volume.origin_mm, grid.origin_mm + grid.spacing_mm[0] * grid.direction[:, 2])
    assert volume.spacing_mm == pytest.approx(grid.spacing_mm)
    frames = [(1, level, masks[0, 0]) for level in (0, 1, 2.5)]
    path = dicom_files.segmentation(tmp_path / "SEG.dcm", frames, ["liver"], grid)
    with pytest.raises(GeometryMismatchError, match="segment 'liver' has frames that are not evenly spaced slices"):
        read_segmentation(path).volume_of([0])


def test_frames_are_placed_by_position(dicom_files, tmp_path, grid, masks):
    path = dicom_files.segmentation(tmp_path / "SEG.dcm", frames_of(masks), ["liver", "tumour"], grid)
    segmentation = read_segmentation(path)
    assert segmentation.region_names == ("liver", "tumour")
    assert segmentation.series_uids == (dicom_files.uid("P1", "s"),)
    for position, levels in enumerate([[3, 5], [1, 3, 4]]):
        expected = np.zeros(SHAPE, bool)
        expected[levels] = masks[position, levels]
        np.testing.assert_array_equal(segmentation.mask_of(position, grid), expected)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("flipped", [(), (0,), (1, 2)])
def test_frames_may_lie_across_any_axis_of_the_grid(dicom_files, tmp_path, grid, masks, order, flipped):
    """Frames of a stack whose axes (x, y, z) are those of the grid in another order and direction."""
    corner = [size - 1 if axis in flipped else 0 for axis, size in enumerate(SHAPE[::-1])]
    signs = np.where(np.isin(range(3), flipped), -1.0, 1.0)
    axes = [2 - axis for axis in order[::-1]]  # (z, y, x)
    stack = replace(
        grid,
        origin_mm=grid.origin_mm + grid.direction @ (corner * np.array(grid.spacing_mm[::-1])),
        direction=(grid.direction * signs)[:, list(order)],
        spacing_mm=tuple(grid.spacing_mm[axis] for axis in axes),
    )
    frames = np.flip(masks[0], [2 - axis for axis in flipped]).transpose(axes)
    path = dicom_files.segmentation(
        tmp_path / "SEG.dcm", [(1, level, frame) for level, frame in enumerate(frames)], ["liver"], stack
    )
    np.testing.assert_array_equal(read_segmentation(path).mask_of(0, grid), masks[0])


def test_segments_that_do_not_fit_are_refused(dicom_files, tmp_path, grid, masks):
    path = tmp_path / "SEG.dcm"
    dicom_files.segmentation(path, [(1, 3.5, masks[0, 3])], ["tumour", "none"], grid)
    with pytest.raises(GeometryMismatchError, match=r"segment 'tumour' does not lie on the voxels of the CT series"):
        read_segmentation(path).mask_of(0, grid)
    with pytest.raises(EmptyMaskError, match="segment 'none' has no voxel"):
        read_segmentation(path).mask_of(1, grid)
    half = replace(grid, spacing_mm=(grid.spacing_mm[0], *np.array(grid.spacing_mm[1:]) / 2))
    dicom_files.segmentation(path, [(1, 3, np.ones((5, 7), bool))], ["tumour"], half)
    with pytest.raises(GeometryMismatchError, match="does not lie on the voxels"):
        read_segmentation(path).mask_of(0, grid)
    point = np.zeros((5, 7), bool)
    point[2, 4] = True
    dicom_files.segmentation(path, [(1, 3, point)], ["tumour"], half)
    with pytest.raises(GeometryMismatchError, match="does not lie on the voxels"):
        read_segmentation(path).mask_of(0, grid)
    dicom_files.segmentation(path, [(1, 8, masks[0, 3])], ["tumour"], grid)
    with pytest.raises(GeometryMismatchError, match="does not lie on the voxels"):
        read_segmentation(path).mask_of(0, grid)
    dicom_files.segmentation(path, frames_of(masks), ["tumour"], grid, kind="SURFACE")
    with pytest.raises(UnsupportedImageError, match="type 'SURFACE'. Expected one of BINARY, FRACTIONAL, LABELMAP"):
        read_segmentation(path)


@pytest.mark.parametrize("n_columns", [7, 8])  # 8: frames of whole bytes
def test_a_segmentation_that_is_cut_short_is_an_error(dicom_files, tmp_path, grid, masks, n_columns):
    frames = [(*frame, np.resize(pixels, (5, n_columns))) for *frame, pixels in frames_of(masks)]
    path = dicom_files.segmentation(tmp_path / "SEG.dcm", frames, ["liver", "tumour"], grid)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(TruncatedFileError, match="'SEG.dcm'"):
        read_segmentation(path).mask_of(1, grid)


@pytest.mark.parametrize(("distance_mm", "is_refused"), [(5.0, True), (-5.0, True), (2.5, False)])
def test_segments_of_thicker_slices_are_refused(dicom_files, tmp_path, grid, masks, distance_mm, is_refused):
    """Every second slice of the grid: all that there is, or the slices of another image."""
    import pydicom

    path = dicom_files.segmentation(tmp_path / "SEG.dcm", [(1, z, masks[0, z]) for z in (0, 2, 4)], ["liver"], grid)
    header = pydicom.dcmread(path)
    header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = distance_mm
    header.save_as(path)
    if is_refused:
        with pytest.raises(GeometryMismatchError, match=r"does not lie on the voxels of the CT .*resample_mask=True"):
            read_segmentation(path).mask_of(0, grid)
    else:
        np.testing.assert_array_equal(read_segmentation(path).mask_of(0, grid)[::2], masks[0, ::2])
    volume = read_segmentation(path).volume_of([0])
    assert volume.spacing_mm[0] == abs(distance_mm)


def test_only_frames_of_the_segment_are_decoded(dicom_files, tmp_path, grid, masks, monkeypatch):
    """A segmentation of a hundred organs has thousands of frames."""
    from pydicom import pixels

    decoded = []

    def iter_pixels(path, indices):
        decoded.extend(indices)
        return original(path, indices=indices)

    original = pixels.iter_pixels
    monkeypatch.setattr(pixels, "iter_pixels", iter_pixels)
    dicom_files.series(tmp_path / "mr", np.zeros((6, 4, 6)), series="mr")  # frames of whole bytes
    (series,) = find_series(tmp_path / "mr").values()
    frames = [(number, level, masks[number - 1, level, :4, :6]) for number, level, _ in frames_of(masks)]
    path = dicom_files.segmentation(tmp_path / "SEG.dcm", frames, ["liver", "tumour"], grid_of(series))
    mask = read_segmentation(path).mask_of(0, grid_of(series))
    np.testing.assert_array_equal(mask[[3, 5]], masks[0, [3, 5], :4, :6])
    assert decoded == [1, 3]


def test_segments_of_one_label_are_told_apart_by_their_numbers(dicom_files, tmp_path, grid, masks):
    path = dicom_files.segmentation(tmp_path / "SEG.dcm", frames_of(masks), ["Lesion", "Lesion"], grid)
    assert read_segmentation(path).region_names == ("Lesion (1)", "Lesion (2)")
