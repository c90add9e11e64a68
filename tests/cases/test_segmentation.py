"""Segments are chosen by number and their frames placed by position, in any order and with gaps."""

import numpy as np
import pytest

from radiodeep.cases.dicom import find_series, grid_of
from radiodeep.cases.segmentation import read_segmentation
from radiodeep.exceptions import EmptyMaskError, GeometryMismatchError, TruncatedFileError, UnsupportedImageError

SHAPE = (6, 5, 7)


@pytest.fixture
def grid(dicom_files, tmp_path):
    dicom_files.series(tmp_path / "ct", np.zeros(SHAPE), orientation=(0, 1, 0, 0, 0, -1))
    (series,) = find_series(tmp_path / "ct").values()
    return grid_of(series)


@pytest.fixture
def masks():
    return np.random.default_rng(0).random((2, *SHAPE)) > 0.6


def frames_of(masks):
    return [(2, 4, masks[1, 4]), (1, 3, masks[0, 3]), (2, 1, masks[1, 1]), (1, 5, masks[0, 5]), (2, 3, masks[1, 3])]


def test_frames_are_placed_by_position(dicom_files, tmp_path, grid, masks):
    path = dicom_files.segmentation(tmp_path / "SEG.dcm", frames_of(masks), ["liver", "tumour"], grid)
    segmentation = read_segmentation(path)
    assert segmentation.region_names == ("liver", "tumour")
    assert segmentation.series_uids == (dicom_files.uid("P1", "s"),)
    for position, levels in enumerate([[3, 5], [1, 3, 4]]):
        expected = np.zeros(SHAPE, bool)
        expected[levels] = masks[position, levels]
        np.testing.assert_array_equal(segmentation.mask_of(position, grid), expected)


def test_segments_that_do_not_fit_are_refused(dicom_files, tmp_path, grid, masks):
    path = tmp_path / "SEG.dcm"
    dicom_files.segmentation(path, [(1, 3.5, masks[0, 3])], ["tumour", "none"], grid)
    with pytest.raises(GeometryMismatchError, match=r"segment 'tumour' does not lie on the voxels of the CT series"):
        read_segmentation(path).mask_of(0, grid)
    with pytest.raises(EmptyMaskError, match="segment 'none' has no voxel"):
        read_segmentation(path).mask_of(1, grid)
    dicom_files.segmentation(path, [(1, 8, masks[0, 3])], ["tumour"], grid)
    with pytest.raises(GeometryMismatchError, match="does not lie on the voxels"):
        read_segmentation(path).mask_of(0, grid)
    dicom_files.segmentation(path, frames_of(masks), ["tumour"], grid, kind="FRACTIONAL")
    with pytest.raises(UnsupportedImageError, match="type 'FRACTIONAL'. Expected 'BINARY'"):
        read_segmentation(path)


def test_a_segmentation_that_is_cut_short_is_an_error(dicom_files, tmp_path, grid, masks):
    path = dicom_files.segmentation(tmp_path / "SEG.dcm", frames_of(masks), ["liver", "tumour"], grid)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(TruncatedFileError, match="'SEG.dcm'"):
        read_segmentation(path).mask_of(1, grid)
