"""A small LIDC-IDRI that the tests write becomes a manifest of nodules, outlines and ratings."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import binary_dilation

import radiodeep as rd
from radiodeep.cases.collections import lidc_nodules, lidc_readings
from radiodeep.cases.collections.conversion import IMAGES
from radiodeep.cases.collections.lidc_readings import CHARACTERISTICS, read_annotations
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.exceptions import (
    DicomSeriesError,
    FileUnreadableError,
    GeometryMismatchError,
    InputError,
    RadiodeepWarning,
)

SHAPE, SPACING = (12, 40, 44), (2.5, 0.8, 0.8)
RATINGS = dict.fromkeys(CHARACTERISTICS, 3)


def disc(x, y, radius, shape=SHAPE[1:]):
    rows, columns = np.indices(shape)
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def border_of(region):
    """Return the pixels (x, y) around a region, which touch it at a side, in the order of their angle."""
    y, x = np.nonzero(binary_dilation(region) & ~region)
    centre = np.argwhere(region).mean(axis=0)
    order = np.argsort(np.arctan2(y - centre[0], x - centre[1]))
    return np.column_stack([x, y])[order]


def roi(level, points, inclusion="TRUE", uid=None, z_mm=None):
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    return (
        f"<roi><imageZposition>{30 + 2.5 * level if z_mm is None else z_mm}</imageZposition>"
        f"<imageSOP_UID>{uid}.{level}</imageSOP_UID><inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def nodule(rois, **ratings):
    given = "".join(f"<{name}>{value}</{name}>" for name, value in (RATINGS | ratings).items())
    return f"<unblindedReadNodule><characteristics>{given}</characteristics>{''.join(rois)}</unblindedReadNodule>"


def ball(x, y, level, radius=5, **ratings):
    """Return a nodule of three slices and its mask."""
    mask = np.zeros(SHAPE, bool)
    rois = []
    for step in (-1, 0, 1):
        mask[level + step] = disc(x, y, radius - abs(step))
        rois.append(roi(level + step, border_of(mask[level + step])))
    return nodule(rois, **ratings), mask


SMALL = "<unblindedReadNodule><noduleID>9</noduleID>" + roi(5, [(20, 20)]) + "</unblindedReadNodule>"


def write_annotations(path, series_uid, sessions, root="LidcReadMessage", head=""):
    readings = "".join(f"<readingSession>{''.join(session)}</readingSession>" for session in sessions)
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<{root} uid="1" xmlns="http://www.nih.gov"><ResponseHeader>'
        f"<SeriesInstanceUid>{series_uid}</SeriesInstanceUid></ResponseHeader>{readings}</{root}>"
    )
    return path


@pytest.fixture
def write_patient(dicom_files, tmp_path):
    """A function that writes the CT and the annotations of a patient into the folder `LIDC`."""
    voxels = np.random.default_rng(0).integers(-1000, 400, SHAPE)

    def write(patient, sessions, **changes):
        folder = tmp_path / "LIDC" / patient / "study" / "series"
        uid = dicom_files.series(folder, voxels, spacing_mm=SPACING, patient=patient, **changes)
        write_annotations(folder / "069.xml", uid, sessions)
        return voxels

    return write


@pytest.fixture
def collection(write_patient, tmp_path):
    """A patient with a malignant nodule of three readers, a benign one of one reader and one in between."""
    spread = [
        ball(20, 20, 4, radius, malignancy=m, spiculation=s) for radius, m, s in [(5, 5, 1), (6, 4, 1), (4, 5, 5)]
    ]
    benign, in_between = ball(32, 12, 8, malignancy=1, calcification=6), ball(10, 30, 8, malignancy=3)
    write_patient(
        "LIDC-IDRI-0001", [[spread[0][0], SMALL], [benign[0], spread[1][0]], [in_between[0], spread[2][0]], []]
    )
    return tmp_path / "LIDC", [mask for _, mask in spread]


def tight(mask):
    """Return a mask without the margin, which a case has cropped."""
    return mask[tuple(slice(where.min(), where.max() + 1) for where in np.nonzero(mask))]


def test_nodules_have_the_voxels_ratings_and_labels_of_their_readers(collection, tmp_path):
    folder, masks = collection
    manifest = rd.lidc_manifest(folder, tmp_path / "out", margin_mm=4.0)
    cohort = rd.read_cohort(manifest)
    assert cohort.ids == ["LIDC-IDRI-0001_nodule1", "LIDC-IDRI-0001_nodule2"]
    assert list(cohort.labels) == [1, 0]
    row = cohort.frame.set_index("id").loc[cohort.ids[0]]
    assert float(row["malignancy"]) == pytest.approx(14 / 3, abs=1e-3)
    assert float(row["spiculation"]) == pytest.approx(7 / 3, abs=1e-3)
    assert row["n_readers"] == "3"
    agreed = np.sum(masks, axis=0) >= 2  # half of three readers
    np.testing.assert_array_equal(tight(cohort[0].roi), tight(agreed))
    for reader, mask in enumerate(masks, 1):
        np.testing.assert_array_equal(tight(cohort[0].repeats[f"reader{reader}"].roi), tight(mask))
    volume = agreed.sum() * np.prod(SPACING)
    assert float(row["diameter_mm"]) == pytest.approx(2 * (3 * volume / 4 / np.pi) ** (1 / 3), abs=1e-3)


def test_the_image_is_the_scan_around_all_outlines(collection, write_patient, tmp_path):
    folder, masks = collection
    case = rd.read_cohort(rd.lidc_manifest(folder, tmp_path / "out", margin_mm=4.0))[0]
    (series,) = find_series(folder).values()
    scan = grid_of(series).read().voxels
    z, y, x = np.nonzero(np.any(masks, axis=0))
    box = tuple(
        slice(max(where.min() - margin, 0), where.max() + margin + 1)
        for where, margin in zip((z, y, x), (2, 5, 5), strict=True)
    )
    np.testing.assert_array_equal(case.voxels, scan[box])
    assert case.spacing_mm == pytest.approx(SPACING)
    whole = rd.read_cohort(rd.lidc_manifest(folder, tmp_path / "whole", margin_mm=None))[0]
    np.testing.assert_array_equal(whole.voxels, scan)
    np.testing.assert_array_equal(whole.roi, np.sum(masks, axis=0) >= 2)


def test_readers_can_be_compared_by_repeatability(write_patient, tmp_path):
    for number in range(4):
        balls = [ball(20, 20, 4 + number, radius + number, malignancy=5)[0] for radius in (4, 5)]
        write_patient(f"P{number}", [[balls[0]], [balls[1]]])
    cohort = rd.read_cohort(rd.lidc_manifest(tmp_path / "LIDC", tmp_path / "out", mask="reader", margin_mm=5))
    assert [list(case.repeats) for case in cohort] == [["reader2"]] * 4
    table = rd.repeatability(rd.RadiomicsExtractor(families=["firstorder"]), cohort)
    assert table["n"].eq(4).all()
    assert 0.3 < table.loc["original_firstorder_TotalEnergy", "icc"] < 0.999


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"indeterminate": "blank"}, {1, 0, None}),
        ({"indeterminate": "benign", "min_readers": 2}, {1}),
        ({"indeterminate": "malignant"}, {1, 0}),
    ],
)
def test_labels_and_least_readers_are_options(collection, tmp_path, options, labels):
    cohort = rd.read_cohort(rd.lidc_manifest(collection[0], tmp_path / "out", **options))
    assert {case.label for case in cohort} == labels


def test_medians_and_the_most_frequent_of_ratings_without_order(write_patient, tmp_path):
    given = [(1, 6, 0), (2, 3, 0), (5, 3, 0), (5, 6, 0)]  # malignancy, calcification, texture (0: not rated)
    sessions = [[ball(20, 20, 4, malignancy=m, calcification=c, texture=t)[0]] for m, c, t in given]
    write_patient("P1", sessions)
    manifest = rd.lidc_manifest(tmp_path / "LIDC", tmp_path / "out", rating="median")
    (row,) = pd.read_csv(manifest).to_dict("records")
    assert (row["malignancy"], row["calcification"]) == (3.5, 3)
    assert np.isnan(row["texture"])


def scan_grid(write_patient, tmp_path, sessions):
    write_patient("P1", sessions)
    (series,) = find_series(tmp_path / "LIDC").values()
    readings = read_annotations(next((tmp_path / "LIDC").rglob("*.xml"))).readings
    return lidc_nodules.outlines_of(readings, grid_of(series)), grid_of(series)


def test_borders_are_no_part_of_what_they_surround(write_patient, tmp_path):
    outer = [(10, 8), (20, 8), (20, 18), (10, 18)]  # corners only: the pixels on the lines between are border, too
    hole = [(14, 12), (17, 12), (17, 15), (14, 15)]
    slanted = [(10, 8), (16, 11), (10, 14)]  # of whose first line (12, 9), (14, 10) are pixels
    rois = [roi(5, outer), roi(5, hole, "FALSE"), roi(6, slanted), roi(7, [(1, 1), (2, 1)])]
    outlines, _ = scan_grid(write_patient, tmp_path, [[nodule(rois)]])
    mask = np.zeros(SHAPE, bool)
    mask.ravel()[outlines[0].voxels] = True
    expected = np.zeros(SHAPE, bool)
    expected[5, 9:18, 11:20] = True
    expected[5, 13:15, 15:17] = False  # the border of the hole belongs to the nodule
    y, x = np.indices(SHAPE[1:])
    expected[6] = (x > 10) & (x - 10 < 2 * (y - 8)) & (x - 10 < 2 * (14 - y))
    np.testing.assert_array_equal(mask, expected)


def test_what_has_no_rating_or_encloses_no_voxel_is_no_nodule(write_patient, tmp_path):
    thin = nodule([roi(7, [(11, 11), (12, 11), (12, 12)])])
    outlines, _ = scan_grid(write_patient, tmp_path, [[ball(20, 20, 4, malignancy=0)[0], thin, SMALL]])
    assert outlines == []


@pytest.mark.parametrize("z_mm", [31.0, 500.0, ""])
def test_a_border_in_a_slice_that_the_scan_lacks_is_an_error(write_patient, tmp_path, z_mm):
    square = [(10, 8), (20, 8), (20, 18), (10, 18)]
    with pytest.raises(
        GeometryMismatchError, match=r"a border lies in the slice .* which the CT series .* does not have"
    ):
        scan_grid(write_patient, tmp_path, [[nodule([roi(5, square, z_mm=z_mm)])]])


def test_slices_are_found_by_uid_before_position(dicom_files, write_patient, tmp_path):
    square = [(10, 8), (20, 8), (20, 18), (10, 18)]
    uid = dicom_files.uid("P1", "s", 3)
    marked = roi(0, square).replace(f"<imageSOP_UID>{None}.0<", f"<imageSOP_UID>{uid}<")
    outlines, _ = scan_grid(write_patient, tmp_path, [[nodule([marked, roi(6, square)])]])
    assert np.unique(outlines[0].voxels // np.prod(SHAPE[1:])).tolist() == [3, 6]


def test_outlines_of_one_nodule_are_matched_by_overlap_then_distance(write_patient, tmp_path):
    sessions = [
        [ball(12, 12, 4)[0], ball(22, 12, 4)[0]],  # two nodules side by side
        [ball(13, 12, 4)[0]],
        [ball(17, 12, 4, radius=8)[0]],  # reaches over both, most of all over the second reader's
        [ball(23, 12, 4)[0], nodule([roi(9, border_of(disc(22, 12, 4)))])],
        [nodule([roi(10, border_of(disc(22, 13, 4)))]), nodule([roi(10, border_of(disc(22, 30, 4)))])],
    ]
    outlines, grid = scan_grid(write_patient, tmp_path, sessions)
    groups = sorted([outline.reader for outline in group] for group in lidc_nodules.matched(outlines, grid))
    # Readers 3 and 4 outline neighbouring slices, 2.6 mm apart.
    assert groups == [[0, 1, 2], [0, 3], [3, 4], [4]]


def test_the_largest_overlap_is_joined_first(write_patient, tmp_path):
    sessions = [
        [ball(14, 14, 4, radius=6)[0]],
        [ball(22, 14, 4)[0], ball(13, 14, 4)[0]],
    ]  # 1 outlines two that touch it
    outlines, grid = scan_grid(write_patient, tmp_path, sessions)
    groups = lidc_nodules.matched(outlines, grid)
    assert sorted(sorted(outlines.index(outline) for outline in group) for group in groups) == [[0, 2], [1]]


def test_a_consensus_takes_the_fraction_of_readers_who_outlined_the_nodule():
    voxels = [np.array(each) for each in ([1, 2, 3], [2, 3], [3, 9], [3, 4])]
    outlines = [lidc_nodules.Outline(reader, {}, each) for reader, each in enumerate(voxels)]
    assert lidc_nodules.consensus(outlines, 0.5).tolist() == [2, 3]
    assert lidc_nodules.consensus(outlines, 0.51).tolist() == [3]
    assert lidc_nodules.consensus(outlines, 0.1).tolist() == [1, 2, 3, 4, 9]
    assert lidc_nodules.consensus(outlines[:3], 1 / 3 * 2).tolist() == [2, 3]  # two of three


def test_patients_that_cannot_be_converted_are_left_out_with_the_reason(collection, write_patient, tmp_path):
    folder = collection[0]
    write_patient("LIDC-IDRI-0002", [[ball(20, 20, 4)[0]]])
    next(folder.glob("LIDC-IDRI-0002/*/*/5.dcm")).unlink()
    write_annotations(folder / "left.xml", "1.2.3", [[]])
    with pytest.warns(RadiodeepWarning, match=r"left out of 2 patients; the reasons are in '.*left_out.csv'"):
        manifest = rd.lidc_manifest(folder, tmp_path / "out")
    left_out = pd.read_csv(manifest.with_name("left_out.csv"), keep_default_na=False)
    assert left_out["patient"].tolist() == ["", "LIDC-IDRI-0002"]
    assert "no CT series of the annotations 'left.xml'" in left_out["reason"][0]
    assert "slices missing: 1" in left_out["reason"][1]
    with pytest.raises(DicomSeriesError, match="LIDC-IDRI-0002: CT series.*slices missing: 1"):
        rd.lidc_manifest(folder, tmp_path / "other", on_error="raise")
    shutil.rmtree(folder / "LIDC-IDRI-0001")
    (folder / "left.xml").unlink()
    with pytest.raises(DicomSeriesError, match="LIDC-IDRI-0002: CT series.*slices missing: 1"):
        rd.lidc_manifest(folder, tmp_path / "other")


def test_nodules_without_agreement_are_left_out(write_patient, tmp_path):
    both = [
        [nodule([roi(4, border_of(disc(20, 20, 5)))])],
        [nodule([roi(5, border_of(disc(20, 20, 5)))]), ball(8, 8, 9)[0]],
    ]
    write_patient("P1", both)
    with pytest.warns(RadiodeepWarning, match=r"P1: the 2 readers of a nodule agree on no voxel \(agreement=1.0\)"):
        cohort = rd.read_cohort(
            rd.lidc_manifest(tmp_path / "LIDC", tmp_path / "out", agreement=1.0, indeterminate="blank")
        )
    assert len(cohort) == 1


def test_a_later_run_keeps_what_is_converted_and_whole(collection, write_patient, tmp_path, monkeypatch):
    write_patient("LIDC-IDRI-0002", [[ball(20, 20, 4, malignancy=5)[0]]])
    out = tmp_path / "out"
    first = rd.lidc_manifest(collection[0], out).read_text()
    read = []
    monkeypatch.setattr(
        "radiodeep.cases.collections.lidc.grid_of", lambda series: read.append(series.patient) or grid_of(series)
    )
    assert rd.lidc_manifest(collection[0], out).read_text() == first
    assert read == []
    rd.lidc_manifest(collection[0], out, indeterminate="blank")  # needs no voxel
    assert read == []
    cut = out / IMAGES / "LIDC-IDRI-0002_nodule1_mask.nii.gz"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:100])
    rd.lidc_manifest(collection[0], out)
    assert read == ["LIDC-IDRI-0002"]
    assert rd.read_cohort(out / "manifest.csv")[2].roi.any()
    (out / "converted" / "LIDC-IDRI-0001.json").write_text("{")  # as a damaged disk leaves it
    assert rd.lidc_manifest(collection[0], out).read_text() == first
    rd.lidc_manifest(collection[0], out, margin_mm=10)
    assert read == ["LIDC-IDRI-0002", "LIDC-IDRI-0001", "LIDC-IDRI-0001", "LIDC-IDRI-0002"]


def test_nothing_but_the_patient_id_of_the_headers_is_written(collection, tmp_path):
    rd.lidc_manifest(collection[0], tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            assert b"Secret" not in path.read_bytes()
    texts = [path.read_text() for path in (tmp_path / "out").glob("converted/*.json")]
    assert all(str(tmp_path) not in text and "1.2.826" not in json.loads(text)["rows"][0].values() for text in texts)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("head", [BOMB, '<!DOCTYPE x SYSTEM "file:///etc/passwd">'])
def test_xml_with_a_document_type_is_refused(tmp_path, head):
    path = write_annotations(tmp_path / "a.xml", "1.2.3", [[]], head=head)
    with pytest.raises(FileUnreadableError, match="'a.xml' declares a document type"):
        read_annotations(path)


def test_xml_that_cannot_be_annotations_is_refused_or_passed_over(tmp_path, monkeypatch):
    path = write_annotations(tmp_path / "a.xml", "1.2.3", [], root="IdriReadMessage")  # of radiographs
    assert read_annotations(path) is None
    path.write_text("<LidcReadMessage><readingSession>")
    with pytest.raises(FileUnreadableError, match="'a.xml' is not XML that can be read"):
        read_annotations(path)
    path.write_text("<LidcReadMessage></LidcReadMessage>")
    with pytest.raises(FileUnreadableError, match="'a.xml' lacks elements of an LIDC-IDRI annotation"):
        read_annotations(path)
    write_annotations(path, "1.2.3", [[nodule([], malignancy="four")]])
    with pytest.raises(FileUnreadableError, match="'a.xml' lacks elements"):
        read_annotations(path)
    monkeypatch.setattr(lidc_readings, "_LARGEST_FILE", 100)
    with pytest.raises(FileUnreadableError, match=r"'a.xml' has \d+ bytes. Expected at most 100"):
        read_annotations(path)


def test_annotations_may_lie_in_a_folder_of_their_own(collection, tmp_path):
    folder = collection[0]
    (tmp_path / "xml").mkdir()
    next(folder.rglob("*.xml")).rename(tmp_path / "xml" / "158.xml")
    with pytest.raises(FileUnreadableError, match=r"holds no XML annotations of LIDC-IDRI.*annotations="):
        rd.lidc_manifest(folder, tmp_path / "out")
    assert len(rd.read_cohort(rd.lidc_manifest(folder, tmp_path / "out", annotations=tmp_path / "xml"))) == 2
    write_annotations(tmp_path / "xml" / "158.xml", "1.2.3", [[]])
    with pytest.raises(FileUnreadableError, match="None of the 1 annotations belongs to a series"):
        rd.lidc_manifest(folder, tmp_path / "out", annotations=tmp_path / "xml")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("agreement", 0, "a float > 0 and <= 1"),
        ("mask", "reader1", "one of consensus, reader"),
        ("rating", "mode", "one of mean, median"),
        ("indeterminate", 1, "one of leave out, blank, benign, malignant"),
        ("min_readers", 0, "an int >= 1"),
        ("margin_mm", -1, "None or a number >= 0"),
        ("on_error", "skip", "one of raise, record"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path, name, value, allowed):
    with pytest.raises(InputError, match=f"'{name}' parameter of lidc_manifest must be {allowed}"):
        rd.lidc_manifest(tmp_path, tmp_path, **{name: value})
