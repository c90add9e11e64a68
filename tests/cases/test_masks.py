"""Masks of every kind become the region of a case, on the grid of its image, whatever the image is stored as."""

import pickle

import numpy as np
import pytest
import SimpleITK as sitk

import radiodeep as rd
from radiodeep.cases.dicom import find_series, grid_of
from radiodeep.exceptions import (
    AmbiguousMaskError,
    DicomSeriesError,
    EmptyMaskError,
    GeometryMismatchError,
    InputError,
    LabelNotFoundError,
    RadiodeepWarning,
)

N_SLICES = 9
GEOMETRIES = {  # rows, columns and their distances in mm
    "square": ((40, 40), (0.8, 0.8)),
    "36x40": ((36, 40), (0.8, 0.8)),
    "44x34": ((44, 34), (0.8, 0.8)),
    "0.9x0.7": ((36, 40), (0.9, 0.7)),
}
TRIANGLES = {
    "GTV-1": np.array([(7.3, 6.1), (28.9, 12.4), (13.2, 30.7)]),
    "Node": np.array([(20.2, 20.6), (30, 21.3), (24, 31)]),
}
LEVELS = {"GTV-1": (2, 3, 5, 6), "Node": (3,)}  # a gap at 4


def truth(name, shape):
    """Return the voxels whose centres lie on the same side of all three edges of the triangles of a region."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    corners = TRIANGLES[name]
    sides = [
        (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    ]
    mask = np.zeros((N_SLICES, *shape), bool)
    mask[list(LEVELS[name])] = np.all(np.array(sides) > 0, axis=0)
    return mask


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


class Export:
    """A series with a structure set and a segmentation of the same two regions."""

    def __init__(self, write, folder, geometry="square", **options):
        shape, spacing = GEOMETRIES[geometry]
        self.shape, self.folder = shape, folder
        self.voxels = np.random.default_rng(0).integers(-1000, 1000, (N_SLICES, *shape))
        names = [f"{name:03d}.dcm" for name in np.random.default_rng(1).permutation(N_SLICES)]  # shuffled
        self.ct = folder / "CT"
        write.series(self.ct, self.voxels, (2.5, *spacing), names=names, description="thorax", **options)
        (series,) = find_series(self.ct).values()
        self.grid = grid_of(series)
        contours = {name: [self.in_mm(level, TRIANGLES[name]) for level in LEVELS[name]] for name in TRIANGLES}
        self.rtstruct = write.structure_set(folder / "RS" / "1.dcm", contours)
        frames = [
            (number, level, truth(name, shape)[level])
            for number, name in enumerate(TRIANGLES, 1)
            for level in LEVELS[name]
        ]
        order = np.random.default_rng(2).permutation(len(frames))
        self.seg = write.segmentation(
            folder / "SEG" / "1.dcm", [frames[at] for at in order], list(TRIANGLES), self.grid
        )

    def in_mm(self, level, points):
        steps = np.column_stack([points, np.full(len(points), level)]) * self.grid.spacing_mm[::-1]
        return self.grid.origin_mm + steps @ self.grid.direction.T

    def saved(self, array, name):
        """Write an array on the grid of the series as NIfTI."""
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.grid.spacing_mm[::-1])
        image.SetOrigin(self.grid.origin_mm.tolist())
        image.SetDirection(self.grid.direction.ravel().tolist())
        sitk.WriteImage(image, str(self.folder / name))
        return self.folder / name


@pytest.fixture
def export(dicom_files, tmp_path):
    return Export(dicom_files, tmp_path)


GAP = pytest.mark.filterwarnings("ignore:.*no contour in 1 slices between others")


@GAP
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_regions_are_the_voxels_whose_centres_were_outlined(dicom_files, tmp_path, geometry):
    """Dice 1.0 from structure sets and segmentations with a gap, shuffled file names and frames, and two regions."""
    export = Export(dicom_files, tmp_path, geometry)
    for mask in (export.rtstruct, export.seg):
        for name in TRIANGLES:
            case = rd.Case(export.ct, mask, "P-1", roi_name=name)
            assert dice(case.roi, truth(name, export.shape)) == 1
            np.testing.assert_array_equal(case.voxels, export.voxels)
            assert case.spacing_mm == pytest.approx(export.grid.spacing_mm)


def test_row_42_segments_with_gaps_and_shuffled_frames_are_chosen_by_name(export):
    case = rd.Case(export.ct, export.seg, "P-1", roi_name="gtv-1")
    np.testing.assert_array_equal(case.roi, truth("GTV-1", export.shape))
    np.testing.assert_array_equal(case.replace(roi_name="Node").roi, truth("Node", export.shape))
    with pytest.raises(AmbiguousMaskError, match=r"P-1: '1.dcm': several regions.*'GTV-1', 'Node'"):
        _ = case.replace(roi_name=None).roi


def test_row_43_structure_sets_that_do_not_fit_are_errors_that_say_why(export, dicom_files, tmp_path):
    case = rd.Case(export.ct, export.rtstruct, "P-1", roi_name="GTV1")
    with pytest.raises(LabelNotFoundError, match=r"P-1: '1.dcm'.*'GTV-1', 'Node'.*Did you mean 'GTV-1'\?"):
        _ = case.roi
    path = tmp_path / "other.dcm"
    dicom_files.structure_set(path, {"GTV-1": [export.in_mm(2.4, TRIANGLES["GTV-1"])]})
    with pytest.raises(GeometryMismatchError, match="P-1: other.dcm: region 'GTV-1'.* 2.40 to 2.40, 1 mm from"):
        _ = case.replace(mask=path, roi_name=None).roi
    square = [export.in_mm(2, np.array(points)) for points in ([(2.5, 2.5), (9.5, 2.5), (9.5, 9.5), (2.5, 9.5)],)]
    hole = export.in_mm(2, np.array([(4.5, 4.5), (6.5, 4.5), (6.5, 6.5), (4.5, 6.5)]))
    for kind in ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR"):
        dicom_files.structure_set(path, {"GTV-1": [hole, *square]}, kind=kind)
        assert case.replace(mask=path).replace(roi_name="GTV-1").roi.sum() == 7 * 7 - 2 * 2
    dicom_files.structure_set(path, {"GTV-1": square}, series="another", frame="another")
    with pytest.raises(GeometryMismatchError, match="other.dcm was drawn on the series .*frame of reference.*'thorax'"):
        _ = case.replace(mask=path, roi_name="GTV-1").roi
    dicom_files.structure_set(path, {"GTV-1": square}, series="another")
    assert case.replace(mask=path, roi_name="GTV-1").roi.sum() == 49  # one frame of reference
