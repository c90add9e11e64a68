"""Masks of every kind become the region of a case, on the grid of its image, whatever the image is stored as."""

import pickle

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

import radiodeep as rd
from radiodeep.cases.dicom.series import find_series, grid_of
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
        self.shape, self.folder, self.write = shape, folder, write
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


@GAP
@pytest.mark.parametrize("angles", [(90, 0, 0), (0, 90, 90), (12, -25, 40)], ids=["coronal", "sagittal", "oblique"])
def test_acquisitions_may_lie_at_any_angle(dicom_files, tmp_path, angles):
    directions = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    export = Export(dicom_files, tmp_path, "0.9x0.7", orientation=directions[:, :2].T.ravel())
    for mask in (export.rtstruct, export.seg):
        case = rd.Case(export.ct, mask, "P-1", roi_name="GTV-1").in_stored_order()
        np.testing.assert_array_equal(case.roi, truth("GTV-1", export.shape))
        np.testing.assert_array_equal(case.voxels, export.voxels)


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


def test_images_in_nifti_take_regions_in_dicom_and_the_other_way_round(export):
    """The slices of an image in NIfTI may lie across any of its axes."""
    expected = truth("Node", export.shape)
    nifti = export.saved(export.voxels.astype(np.int16), "ct.nii.gz")
    turned = sitk.PermuteAxes(sitk.ReadImage(str(nifti)), [2, 0, 1])
    sitk.WriteImage(turned, str(export.folder / "turned.nii.gz"))
    mask = export.saved(expected.astype(np.uint8), "mask.nii.gz")
    for image, region in (
        (nifti, export.rtstruct),
        (nifti, export.seg),
        (export.folder / "turned.nii.gz", export.rtstruct),
        (export.ct, mask),
    ):
        case = rd.Case(image, region, "P-1", roi_name=None if region == mask else "Node")
        np.testing.assert_array_equal(case.roi, expected)
        np.testing.assert_array_equal(case.voxels, export.voxels)
    with pytest.raises(GeometryMismatchError, match=r"P-1: 1.dcm outlines regions in mm, but the image does not say"):
        _ = rd.Case(export.voxels, export.rtstruct, "P-1", (1, 1, 1), roi_name="Node").roi


@GAP
def test_names_are_united_and_a_folder_may_hold_the_file(export):
    expected = truth("Node", export.shape) | truth("GTV-1", export.shape)
    for mask in (export.rtstruct.parent, export.seg.parent):
        case = rd.Case(export.ct, mask, "P-1", roi_name=["Node", "gtv*"])
        assert case.roi_name == ("Node", "gtv*")
        np.testing.assert_array_equal(case.roi, expected)
    with pytest.raises(AmbiguousMaskError, match=r"holds 2 files of outlined regions: 'RS/1.dcm' \(RTSTRUCT\), 'SEG"):
        _ = rd.Case(export.ct, export.folder, "P-1", roi_name="Node").roi
    export.write.structure_set(export.rtstruct, {"none": []})
    with pytest.raises(EmptyMaskError, match="'none' has no closed contour"):
        _ = rd.Case(export.ct, export.rtstruct, "P-1").roi


def test_a_region_chooses_the_series_of_a_folder_that_it_was_drawn_on(export, dicom_files):
    late = export.voxels[::-1]
    dicom_files.series(export.folder / "late", late, (2.5, 0.8, 0.8), series="late", description="late")
    case = rd.Case(export.folder, export.rtstruct, "P-1", roi_name="Node")
    np.testing.assert_array_equal(case.voxels, export.voxels)
    assert rd.inspect_cohort([case], n_jobs=1).errors == {}
    np.testing.assert_array_equal(case.roi, truth("Node", export.shape))
    uid = dicom_files.uid("P1", "late")
    other = case.replace(image=export.folder / uid)  # of one frame of reference
    np.testing.assert_array_equal(other.voxels, late)
    export.write.structure_set(export.rtstruct, {"Node": []}, series=None)
    with pytest.raises(
        DicomSeriesError, match=r"P-1: .* holds 2 image series: CT 'thorax', 9 images of 40x40.*series="
    ):
        _ = case.replace().roi
    export.write.structure_set(export.rtstruct, {"Node": [export.in_mm(3, TRIANGLES["Node"])]}, series=None)
    chosen = case.replace(reading=rd.Reading(series="LATE"))
    np.testing.assert_array_equal(chosen.voxels, late)


def test_one_structure_set_outlines_images_of_several_grids(export, dicom_files):
    fine = np.random.default_rng(3).integers(0, 100, (N_SLICES, 80, 80))
    origin = np.array([-20.0, 10.0, 30.0]) - (0.2, 0.2, 0.0)  # two voxels in each of the other
    dicom_files.series(export.folder / "PT", fine, (2.5, 0.4, 0.4), origin_mm=origin, series="pt", modality="PT")
    reading = rd.Reading(pet_unit="stored")
    files = {"CT": export.ct, "PT": export.folder / "PT"}
    case = rd.Case(files, export.rtstruct, "P-1", roi_name="Node", reading=reading)
    held = pickle.loads(pickle.dumps(case.in_memory()))
    for each in (case, held):
        np.testing.assert_array_equal(each.of_image("CT").roi, truth("Node", export.shape))
        volumes = [each.of_image(name).roi.sum() * np.prod(each.of_image(name).spacing_mm) for name in files]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.1)
        np.testing.assert_array_equal(each.of_image("PT").voxels, fine)
    (written,) = rd.read_cohort(rd.write_cohort(rd.Cohort([case]), export.folder / "written"))
    for name in files:
        np.testing.assert_array_equal(written.of_image(name).roi, case.of_image(name).roi)
    table = rd.extract_table(rd.RadiomicsExtractor(), [case])
    assert table["CT_original_firstorder_Mean"].item() == pytest.approx(export.voxels[case.of_image("CT").roi].mean())
    assert table["PT_original_firstorder_Mean"].item() == pytest.approx(fine[case.of_image("PT").roi].mean())


def test_masks_may_be_series_of_their_own(export, dicom_files):
    """Some programs write a mask as a series of images."""
    expected = truth("Node", export.shape)
    uid = dicom_files.series(export.folder / "MASK", expected, (2.5, 0.8, 0.8), series="mask", modality="OT")
    for mask in (export.folder / "MASK", export.folder / uid):
        np.testing.assert_array_equal(rd.Case(export.ct, mask, "P-1").roi, expected)
    case = rd.Case(export.ct, export.folder / dicom_files.uid("P1", "1.dcm"), "P-1", roi_name="Node")
    assert export.rtstruct.name == export.seg.name  # two files of one series
    with pytest.raises(AmbiguousMaskError, match=r"holds 2 files of outlined regions"):
        _ = case.roi
    export.seg.unlink()
    np.testing.assert_array_equal(case.roi, expected)


@GAP
def test_regions_of_one_file_may_have_been_drawn_on_images_of_several_frames_of_reference(export, dicom_files):
    import pydicom

    changes = {level: {"FrameOfReferenceUID": "1.2.3"} for level in range(N_SLICES)}
    dicom_files.series(
        export.folder / "MR", export.voxels + 1, (2.5, 0.8, 0.8), series="mr", modality="MR", changes=changes
    )
    header = pydicom.dcmread(export.rtstruct)
    other = pydicom.dcmread(dicom_files.structure_set(export.folder / "x.dcm", {}, series="mr"))
    (other,) = other.ReferencedFrameOfReferenceSequence
    other.FrameOfReferenceUID = "1.2.3"
    header.ReferencedFrameOfReferenceSequence.append(other)
    first, second = header.StructureSetROISequence
    first.ReferencedFrameOfReferenceUID = header.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID
    second.ReferencedFrameOfReferenceUID = "1.2.3"
    header.save_as(export.rtstruct)
    for name, added in (("GTV-1", 0), ("Node", 1)):
        case = rd.Case(export.folder, export.rtstruct, "P-1", roi_name=name)
        np.testing.assert_array_equal(case.voxels, export.voxels + added)
        np.testing.assert_array_equal(case.roi, truth(name, export.shape))
    with pytest.raises(GeometryMismatchError, match=r"P-1: 1.dcm was drawn on the series .*whose frame of reference"):
        _ = rd.Case(export.ct, export.rtstruct, "P-1", roi_name="Node").roi


@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
@GAP
def test_every_region_becomes_a_case(export, kind):
    parts = rd.Case(export.ct, getattr(export, kind), "P-1", label=1, mask_label=1).by_label()  # of other cases
    assert [part.id for part in parts] == ["P-1-GTV-1", "P-1-Node"]
    for part, name in zip(parts, TRIANGLES, strict=True):
        assert (part.patient, part.label, part.roi_name) == ("P-1", 1, name)
        np.testing.assert_array_equal(part.roi, truth(name, export.shape))
    both = rd.Case(export.ct, getattr(export, kind), "P-1", mask_label="any")
    np.testing.assert_array_equal(both.roi, parts[0].roi | parts[1].roi)
    case = rd.Case(export.ct, getattr(export, kind), "P-1", roi_name="node")
    assert [part.id for part in case.by_label()] == ["P-1-Node"]


def test_organs_of_a_folder_and_labels_of_a_table_are_regions_by_name(export):
    folder = export.folder / "organs"
    folder.mkdir()
    for name in TRIANGLES:
        export.saved(truth(name, export.shape).astype(np.uint8), f"organs/{name}.nii.gz")
    export.saved(np.zeros(export.voxels.shape, np.uint8), "organs/spleen.nii.gz")
    case = rd.Case(export.ct, folder, "P-1", roi_name=["Node", "GTV-1"])
    both = truth("Node", export.shape) | truth("GTV-1", export.shape)
    np.testing.assert_array_equal(case.roi, both)
    assert [part.id for part in case.replace(roi_name=None).by_label()] == ["P-1-GTV-1", "P-1-Node"]
    np.testing.assert_array_equal(case.replace(roi_name=None, mask_label="any").roi, both)
    with pytest.raises(EmptyMaskError, match="P-1: 'spleen.nii.gz' outlines no voxel"):
        _ = case.replace(roi_name="spleen").roi
    with pytest.raises(LabelNotFoundError, match=r"P-1: 'organs': no region matches 'nodes'.*Did you mean 'Node'\?"):
        _ = case.replace(roi_name="nodes").roi
    labels = truth("Node", export.shape) * 2 + (truth("GTV-1", export.shape) & ~truth("Node", export.shape))
    mask = export.saved(labels.astype(np.uint8), "labels.nii.gz")
    case = rd.Case(export.ct, mask, "P-1", roi_name="Node")
    with pytest.raises(
        LabelNotFoundError, match="P-1: 'labels.nii.gz' has no names of regions, so that none is 'Node'"
    ):
        _ = case.roi
    (export.folder / "labels.csv").write_text("1,GTV-1\n2,Node\n3,spleen\n")
    np.testing.assert_array_equal(case.roi, truth("Node", export.shape))
    np.testing.assert_array_equal(case.replace(roi_name=["Node", "GTV-1"]).roi, both)
    assert [part.id for part in case.by_label()] == ["P-1-Node"]
    with pytest.raises(EmptyMaskError, match="P-1: 'labels.nii.gz' has no voxel of 'spleen'"):
        _ = case.replace(roi_name="spleen").roi


def test_the_choice_of_a_region_goes_with_the_case(export, tmp_path):
    case = rd.Case(export.ct, export.rtstruct, "P-1", roi_name="Node", reading=rd.Reading(pet_unit="stored"))
    restored = pickle.loads(pickle.dumps(case))
    assert (restored.roi_name, restored.reading) == ("Node", rd.Reading(pet_unit="stored"))
    np.testing.assert_array_equal(restored.roi, case.roi)
    held = case.in_memory()
    assert held.roi_name is None
    np.testing.assert_array_equal(held.roi, case.roi)
    assert held.content_hash() == case.content_hash()
    several = rd.Case({"CT": export.ct, "again": export.ct}, export.rtstruct, "P-1", roi_name="Node")
    np.testing.assert_array_equal(several.of_image("again").roi, case.roi)
    np.testing.assert_array_equal(several.in_memory().of_image("again").roi, case.roi)
    (written,) = rd.read_cohort(rd.write_cohort(rd.Cohort([case]), tmp_path / "written"))
    np.testing.assert_array_equal(written.roi, case.roi)
    patient = pickle.loads(pickle.dumps(rd.Patient([case])))
    np.testing.assert_array_equal(patient.in_memory().lesions[0].roi, case.roi)


@GAP
def test_another_region_gives_other_features_in_spite_of_a_cache(export, tmp_path):
    case = rd.Case(export.ct, export.rtstruct, "P-1", roi_name="Node")
    extractor = rd.RadiomicsExtractor(label=7)  # the name comes first
    for name in ("Node", "GTV-1", "Node"):
        table = rd.extract_table(extractor, [case.replace(roi_name=name)], cache_dir=tmp_path / "cache")
        n_voxels = np.count_nonzero(truth(name, export.shape))
        assert table["original_shape_VoxelVolume"].item() == pytest.approx(n_voxels * np.prod(export.grid.spacing_mm))


@GAP
def test_manifests_name_regions_and_repeats_in_dicom(export, dicom_files, tmp_path):
    shifted = {"Node": [export.in_mm(3, TRIANGLES["Node"] + 1)], "GTV-1": [export.in_mm(3, TRIANGLES["GTV-1"])]}
    dicom_files.structure_set(tmp_path / "reader2.dcm", shifted)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("id,image,mask,roi_name,mask_reader2\na,CT,RS/1.dcm,Node,reader2.dcm\nb,CT,SEG,Node | GTV-1,\n")
    cohort = rd.read_cohort(manifest)
    assert [case.roi_name for case in cohort] == ["Node", ("Node", "GTV-1")]
    np.testing.assert_array_equal(cohort[0].roi, truth("Node", export.shape))
    second = cohort[0].repeats["reader2"].roi
    np.testing.assert_array_equal(second[3, 1:, 1:], truth("Node", export.shape)[3, :-1, :-1])
    np.testing.assert_array_equal(cohort[1].roi, truth("Node", export.shape) | truth("GTV-1", export.shape))
    inspection = rd.inspect_cohort(cohort, n_jobs=1)
    assert (len(inspection.table), inspection.errors) == (2, {})
    assert "are the same" not in str(
        rd.inspect_cohort(rd.Cohort([cohort[0].replace(mask=export.rtstruct.parent)]), n_jobs=1)
    )
    (page,) = rd.write_montage(cohort, tmp_path / "montage.png")
    assert page.is_file()
    with pytest.raises(InputError, match="'pet_unit'"):
        rd.read_cohort(manifest, pet_unit="MBq")
    assert rd.Cohort.from_frame(cohort.frame, tmp_path, series="CT")[0].reading == rd.Reading(series="CT")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"roi_name": ""}, "'roi_name' parameter of Case must be a name or a list of names"),
        ({"roi_name": [1]}, "'roi_name' parameter of Case must be a name or a list of names"),
        ({"roi_name": "GTV", "mask": np.ones((2, 2, 2))}, "n: 'roi_name' names a region in a file. Give the mask as a"),
        ({"roi_name": "GTV", "mask_label": 1}, "n: 'roi_name' and 'mask_label' both choose the region: 'GTV' and 1"),
        ({"reading": "SUV"}, "n: The 'reading' parameter of Case must be a Reading. Got 'SUV'"),
    ],
)
def test_choices_that_cannot_be_are_refused(changes, match):
    with pytest.raises(InputError, match=match):
        rd.Case(**{"image": "i.nii", "mask": "m.nii", "id": "n"} | changes)


def written(path, array, spacing, origin):
    """Write an array (z, y, x) as an image; spacing and origin are (x, y, z)."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))
    return path


def test_a_mask_on_the_grid_of_its_image_is_not_resampled(export):
    mask = export.saved(truth("Node", export.shape).astype(np.uint8), "mask.nii.gz")
    case = rd.Case(export.ct, mask, "P-1", reading=rd.Reading(resample_mask=True))
    np.testing.assert_array_equal(case.roi, truth("Node", export.shape))


def test_segments_on_another_grid_are_resampled_on_request(export):
    options = {"roi_name": ["Node", "GTV-1"], "reading": rd.Reading(resample_mask=True)}
    half = written(
        export.folder / "half.nii.gz",
        export.voxels[:, ::2, ::2].astype(np.int16),
        (1.6, 1.6, 2.5),
        export.grid.origin_mm.tolist(),
    )
    case = rd.Case(half, export.seg, "P-1", **options)
    both = truth("Node", export.shape) | truth("GTV-1", export.shape)
    with pytest.warns(RadiodeepWarning, match=f"nearest voxel: {both.sum()} voxels"):
        np.testing.assert_array_equal(case.roi, both[:, ::2, ::2])
    with pytest.raises(GeometryMismatchError, match="does not lie on the voxels of the image.*resample_mask=True"):
        _ = case.replace(reading=None).roi
    far = written(export.folder / "far.nii.gz", np.zeros((4, 4, 4)), (1, 1, 1), (500, 0, 0))
    with pytest.raises(GeometryMismatchError, match="P-1: the region of the mask, .* lies outside the image"):
        _ = rd.Case(far, export.seg, "P-1", **options).roi
    flat = written(export.folder / "flat.png", np.ones((1, 8, 9), np.uint8)[0], (1, 1), (0, 0))
    with pytest.raises(GeometryMismatchError, match="n: the mask does not say where it lies in space, which"):
        _ = rd.Case(half, flat, "n", reading=options["reading"]).roi


@pytest.mark.slow
@GAP
@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
def test_damaged_files_give_the_same_region_or_a_named_error(export, kind):
    """Bytes of a structure set are cut off or changed, those of a segmentation cut off: its pixels have no checksum."""
    random = np.random.default_rng(0)
    content = getattr(export, kind).read_bytes()
    expected = truth("Node", export.shape)
    outcomes = set()
    for number in range(200):
        damaged = bytearray(content)
        begin = random.integers(len(content))
        if kind == "seg" or number % 2:
            del damaged[begin:]
        else:
            damaged[begin : begin + 20] = random.bytes(len(damaged[begin : begin + 20]))
        path = export.folder / f"{number}.dcm"
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(rd.Case(export.ct, path, "P-1", roi_name="Node").roi, expected)
            outcomes.add("equal")
        except InputError as error:
            outcomes.add(type(error))
    assert len(outcomes) > 3 or kind == "seg"


def test_regions_of_one_name_or_none_become_cases_of_their_own(export):
    contours = [export.in_mm(3, TRIANGLES["Node"])]
    export.write.structure_set(export.rtstruct, {"": contours, "GTV": contours, "GTV ": contours, "Node": contours})
    case = rd.Case(export.ct, export.rtstruct, "P-1", roi_name="GTV")
    with pytest.raises(LabelNotFoundError, match=r"Did you mean 'GTV \([23]\)'"):
        _ = case.roi
    parts = case.replace(roi_name=None).by_label()
    assert [part.id for part in parts] == ["P-1-(1)", "P-1-GTV (2)", "P-1-GTV (3)", "P-1-Node"]
    for part in parts:
        np.testing.assert_array_equal(part.roi, truth("Node", export.shape) & (np.arange(N_SLICES) == 3)[:, None, None])


@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
def test_all_regions_together_are_those_with_a_voxel(export, kind):
    node, shape = export.in_mm(3, TRIANGLES["Node"]), export.shape
    small = export.in_mm(3, [(2.2, 2.2), (2.4, 2.2), (2.4, 2.4)])
    export.write.structure_set(export.rtstruct, {"Node": [node], "Small": [small], "Empty": []})
    export.write.segmentation(export.seg, [(1, 3, truth("Node", shape)[3])], ["Node", "Small"], export.grid)
    case = rd.Case(export.ct, getattr(export, kind), "P-1", mask_label="any")
    np.testing.assert_array_equal(case.roi[3], truth("Node", shape)[3])
    with pytest.raises(EmptyMaskError, match="P-1: 1.dcm: .* 'Small' (encloses the centre of|has) no voxel"):
        _ = case.replace(mask_label=None, roi_name=["Node", "Small"]).roi
    if kind == "seg":
        assert [part.id for part in case.by_label()] == ["P-1-Node"]


def test_damaged_files_of_others_do_not_matter_to_an_image_in_nifti(export):
    image = export.saved(export.voxels.astype(np.int16), "ct.nii.gz")
    for folder in (export.folder, export.rtstruct.parent):
        (folder / "other.dcm").write_bytes(b"junk")
        np.testing.assert_array_equal(
            rd.Case(image, export.rtstruct, "P-1", roi_name="Node").roi, truth("Node", export.shape)
        )


def test_files_that_do_not_say_what_they_belong_to_are_not_taken_as_belonging_together(export, dicom_files):
    import pydicom

    unknown = {"FrameOfReferenceUID": ""}
    dicom_files.series(export.folder / "x", export.voxels, series="x", changes=dict.fromkeys(range(N_SLICES), unknown))
    header = pydicom.dcmread(export.rtstruct)
    header.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = ""
    for region in header.StructureSetROISequence:
        region.ReferencedFrameOfReferenceUID = ""
    header.save_as(export.rtstruct)
    with pytest.raises(GeometryMismatchError, match="P-1: 1.dcm was drawn on the series"):
        _ = rd.Case(export.folder / "x", export.rtstruct, "P-1", roi_name="Node").roi


def test_images_of_other_voxels_have_masks_of_their_own(export, dicom_files):
    """Both have one shape and first voxel."""
    dicom_files.series(export.folder / "PT", export.voxels, (2.5, 1.6, 1.6), series="pt", modality="PT")
    files = {"CT": export.ct, "PT": export.folder / "PT"}
    case = rd.Case(files, export.rtstruct, "P-1", roi_name="Node", reading=rd.Reading(pet_unit="stored"))
    held = case.in_memory()
    for name in files:
        np.testing.assert_array_equal(held.of_image(name).roi, case.of_image(name).roi)
