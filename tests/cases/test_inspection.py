"""A cohort is described case by case, and what is odd about it is said, whatever fails in a case."""

import os
import signal
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep import (
    Case,
    RadiomicsExtractor,
    extract_table,
    inspect_cohort,
    make_phantom_cohort,
    read_cohort,
    write_cohort,
)
from radiodeep.exceptions import InputError, ManifestError

try:
    import cloudpickle
except ImportError:  # older releases of joblib carry it
    from joblib.externals import cloudpickle

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import the tests


def lesion(number, shape=(6, 12, 12), spacing_mm=(2.0, 1.0, 1.0), scale=1.0, region=None, **options):
    image = np.random.default_rng(number).normal(0, 20, shape).round().astype(np.float32)
    mask = np.zeros(shape, np.uint8)
    mask[region or (slice(2, 4), slice(3, 9), slice(3, 9))] = 1
    return Case(image * np.float32(scale), mask, f"n{number}", spacing_mm, **options)


def remarks_on(*cases):
    return "\n".join(inspect_cohort(cases).remarks)


def test_each_case_is_described(tmp_path):
    cohort = read_cohort(write_cohort(make_phantom_cohort(2, random_state=0), tmp_path))
    inspection = inspect_cohort(cohort)
    row = inspection.table.iloc[1]
    voxels, roi, _ = cohort[1].read()
    assert (row["id"], row["label"], row["size"], row["orientation"]) == ("phantom-001", 1, (24, 44, 44), "LPS")
    assert row["spacing_mm"] == (1.5, 1.0, 1.0)
    assert (row["lowest"], row["highest"]) == (voxels.min(), voxels.max())
    assert row["region_median"] == np.median(voxels[roi])
    assert (row["n_voxels"], row["volume_mm3"]) == (roi.sum(), pytest.approx(roi.sum() * 1.5))
    assert (row["n_components"], row["touches_border"], row["odd"], row["error"]) == (1, False, "", "")
    assert inspection.errors == {}


@pytest.mark.parametrize(
    ("region", "remark"),
    [
        ((2, 3, 3), "1 case: region of one voxel: n0"),
        ((2, 3, slice(3, 9)), "1 case: region one voxel thick along all axes but one: n0"),
        ((2, slice(3, 9), slice(3, 9)), "1 case: region on one slice of a volume: n0"),
        (([1, 1, 4, 4], [3, 4, 9, 9], [3, 4, 8, 9]), "1 case: region in several pieces: n0"),
        ((slice(2, 4), slice(0, 5), slice(3, 9)), "1 case: region touches the border of the image: n0"),
        ((slice(2, 4), slice(3, 9), slice(5, 12)), "1 case: region touches the border of the image: n0"),
        ((slice(0, 6), slice(0, 12), slice(0, 12)), r"1 case: region is \(almost\) the whole image: n0"),
    ],
)
def test_an_odd_region_is_remarked_on(region, remark):
    inspection = inspect_cohort([lesion(0, region=region), lesion(1)])
    assert [text for text in inspection.remarks if text.startswith(remark.replace("\\", ""))]
    assert len(inspection.remarks) == 1
    assert inspection.table["odd"].tolist()[1] == ""
    assert inspection.table["odd"].tolist()[0] in remark.replace("\\", "")
    assert str(inspection).endswith("2 of 2 cases can be used, 1 of them with remarks (*).")


def test_a_region_that_only_touches_itself_is_one_piece_and_a_slice_has_no_border_across():
    diagonal = lesion(0, region=([2, 3], [3, 4], [3, 4]))
    flat = lesion(1, shape=(1, 12, 12), region=(0, slice(3, 9), slice(3, 9)))
    assert inspect_cohort([diagonal]).remarks == inspect_cohort([flat]).remarks == []


def test_image_and_mask_swapped_are_noticed_whether_or_not_the_case_can_be_read(tmp_path):
    cases = [lesion(number) for number in range(3)]
    swapped = [case.replace(image=case.mask, mask=case.image, mask_label=1) for case in cases]
    inspection = inspect_cohort(swapped)
    assert inspection.errors == {}
    assert "3 cases: image and mask look swapped" in inspection.remarks[0]
    assert inspection.remarks[0].endswith("n0, n1, n2.")
    refused = inspect_cohort([case.replace(mask_label=None) for case in swapped])
    assert set(refused.errors) == {"n0", "n1", "n2"}
    assert "3 cases: image and mask look swapped" in refused.remarks[0]
    assert remarks_on(*[case.replace(mask_label=1) for case in cases]) == ""
    image, mask = tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz"
    for path, array in ((image, cases[0].image), (mask, cases[0].mask)):
        nibabel.save(nibabel.Nifti1Image(array.T, np.diag([1.0, 1.0, 2.0, 1.0])), path)
    assert "look swapped" in remarks_on(Case(mask, image, "files", mask_label=1))


def test_an_image_of_few_bright_voxels_is_known_from_a_mask():
    mostly_air = np.zeros((6, 60, 60), np.int16)
    mostly_air.reshape(-1)[10_001:10_025:2] = range(1, 13)
    binary = np.zeros(mostly_air.shape, np.uint8)
    binary[2:4, 5:9, 5:9] = 1
    assert "look swapped" in remarks_on(Case(binary, mostly_air, "x", (1, 1, 1), mask_label=1))


def test_a_mask_in_place_of_the_image_is_noticed(tmp_path):
    case = lesion(0)
    text = remarks_on(case.replace(image=case.mask))
    assert "1 case: all intensities of the region are equal: n0" in text
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(case.mask.T, np.eye(4)), path)
    assert "1 case: image and mask are the same: x" in remarks_on(Case(path, path, "x"))


def test_mixed_grids_are_remarked_on(tmp_path):
    cases = []
    for number, (flip, spacing) in enumerate([(1, 1.0), (1, 1.0), (-1, 2.5)]):
        source = lesion(number)
        paths = [tmp_path / f"{number}_{name}.nii.gz" for name in ("image", "mask")]
        for path, array in zip(paths, (source.image, source.mask), strict=True):
            nibabel.save(nibabel.Nifti1Image(array.T, np.diag([-flip * spacing, -1.0, 3.0, 1.0])), path)
        cases.append(Case(*paths, f"n{number}"))
    flat = lesion(3, shape=(1, 12, 12), spacing_mm=(1, 1, 1), region=(0, slice(3, 9), slice(3, 9)))
    assert inspect_cohort([*cases, flat]).remarks == [
        "2-D and 3-D images are mixed (3-D in 3 cases, 2-D in 1 case): n3.",
        "Files are stored in different orders: LPS in 2 cases (n0), RPS in 1 case (n2).",
        "Spacing differs by more than a tenth: along x from 1 mm (n0) to 2.5 mm (n2).",
        "Fields of view differ by more than a tenth: along x from 12 mm (n0) to 30 mm (n2).",
    ]


def test_mixed_planes_of_slices_are_remarked_on():
    axial, sagittal = (lesion(number, spacing_mm=spacing) for number, spacing in ((0, (3, 1, 1)), (1, (1, 1, 3))))
    remarks = inspect_cohort([axial, sagittal]).remarks
    assert any(remark.startswith("Slices lie in different planes: ") for remark in remarks)


def test_files_that_do_not_say_where_they_lie_and_masks_slightly_apart_are_remarked_on(tmp_path):
    cases = []
    for number, code, shift in ((0, 0, 0.0), (1, 2, 0.04)):
        source = lesion(number)
        paths = [tmp_path / f"{number}_{name}.nii.gz" for name in ("image", "mask")]
        for path, array, moved in zip(paths, (source.image, source.mask), (0.0, shift), strict=True):
            affine = np.diag([-1.0, -1.0, 2.0, 1.0])
            affine[0, 3] = moved
            file = nibabel.Nifti1Image(array.T, affine)
            file.set_sform(affine, code)
            file.set_qform(affine, code)
            nibabel.save(file, path)
        cases.append(Case(*paths, f"n{number}"))
    remarks = inspect_cohort(cases).remarks
    assert any(remark.startswith("1 case: file without position (no qform") and "n0" in remark for remark in remarks)
    assert "1 case: image and mask slightly apart (less than 1/20 of a voxel): n1." in remarks


def test_images_without_voxel_size_are_remarked_on(tmp_path):
    for name in ("image", "mask"):
        pixels = np.zeros((9, 9), np.uint8)
        pixels[3:6, 3:7] = 1 if name == "mask" else np.arange(12).reshape(3, 4)
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / f"{name}.png"))
    case = Case(tmp_path / "image.png", tmp_path / "mask.png", "p")
    assert "1 case: file without voxel size, 1 mm is assumed: p" in remarks_on(case)
    assert inspect_cohort([case]).table["orientation"].tolist() == [""]
    assert remarks_on(case.replace(spacing_mm=(0.2, 0.2))) == ""


def test_an_outlier_in_intensity_is_one_among_five_or_more():
    usual = [lesion(number) for number in range(5)]
    bright = lesion(9)
    bright = bright.replace(image=bright.image + np.float32(400))
    assert remarks_on(*usual, bright) == "1 case: region much brighter or darker than the others: n9."
    wide = lesion(9, scale=50.0)
    assert "1 case: range of intensities unlike the others: n9." in remarks_on(*usual, wide)
    assert remarks_on(*usual) == remarks_on(*usual[:3], bright) == ""


def test_equal_images_are_noticed_unless_they_are_lesions_of_one_patient():
    case = lesion(0, patient="p")
    moved = np.roll(case.mask, 1, axis=2)
    again = case.replace(id="again", image=case.image.astype(np.float64))
    assert "The same image and region under several ids: n0, again." in remarks_on(case, again)
    other = case.replace(id="other", mask=moved, patient="q")
    assert remarks_on(case, other) == "The same image in several patients: n0, other."
    second = case.replace(id="second", mask=moved)
    assert remarks_on(case, second) == "1 patient has several cases (up to 2); keep them together in cross-validation."


def test_classes_are_counted():
    cases = [lesion(0, label="x"), lesion(1, label="y"), lesion(2, label="x"), lesion(3)]
    counts = "Labels: no label in 1 case, x in 2 cases, y in 1 case"
    assert remarks_on(*cases) == f"{counts}. Every case counts as a patient of its own."
    assert remarks_on(*(case.replace(patient=f"P-{case.id}") for case in cases)) == f"{counts}."


def test_values_outside_the_region_that_are_not_finite_are_remarked_on_and_do_not_hide_the_range():
    case = lesion(0)
    image = case.image.copy()
    image[0, 0, :2] = np.nan, np.inf
    found = inspect_cohort([case.replace(image=image)])
    assert "1 case: voxels that are NaN or infinite outside of the region" in found.remarks[0]
    row = found.table.iloc[0]
    assert (row["lowest"], row["highest"]) == (image[np.isfinite(image)].min(), image[np.isfinite(image)].max())


class BrokenCase(Case):
    """Fails with an error that is none of the package's own."""

    def read(self):
        raise ZeroDivisionError


class DeadlyCase(Case):
    """Kills the process that reads it, as the system does where memory runs out."""

    def read(self):
        os.kill(os.getpid(), signal.SIGKILL)


def test_any_error_of_a_case_is_recorded_with_its_kind():
    good = lesion(0)
    broken = BrokenCase(good.image, good.mask, "broken", (2, 1, 1))
    inspection = inspect_cohort([broken, good])
    assert inspection.errors == {"broken": "ZeroDivisionError: broken: no details"}
    assert inspection.table["error"].tolist() == [inspection.errors["broken"], ""]
    assert "broken             ZeroDivisionError: broken: no details\nn0 " in str(inspection)
    assert str(inspection).endswith("1 of 2 cases can be used.")


@pytest.mark.slow  # starts processes twice
def test_a_killed_process_costs_one_case():
    good = lesion(0)
    deadly = DeadlyCase(good.image, good.mask, "deadly", (2, 1, 1))
    inspection = inspect_cohort([deadly, good], n_jobs=2)
    assert inspection.errors == {
        "deadly": "WorkerKilledError: deadly: its process was killed, most often because memory ran out."
    }
    assert inspection.table["n_voxels"].tolist()[1] == 72


def test_the_print_fits_80_columns_and_shows_the_odd_ones_of_many():
    cases = [lesion(number).replace(id=f"a rather long name of a lesion {number}") for number in range(45)]
    cases[7] = lesion(7, region=(2, 3, 3)).replace(id="seven")
    text = str(inspect_cohort(cases))
    assert max(map(len, text.splitlines())) <= 80
    assert "seven" in text.splitlines()[1]
    assert "(1 of 45 cases are shown; '.table' has all)" in text
    assert len(str(inspect_cohort(cases[:40])).splitlines()) == 1 + 40 + 1 + 1 + 1


def test_what_is_no_cohort_is_refused():
    with pytest.raises(InputError, match="Expected a Cohort or a list of cases"):
        inspect_cohort([1])
    with pytest.raises(ManifestError, match="Repeated: n0"):
        inspect_cohort([lesion(0), lesion(0)])
    with pytest.raises(
        InputError, match="'n_jobs' parameter of inspect_cohort must be None or an int other than 0. Got 0"
    ):
        inspect_cohort([lesion(0)], n_jobs=0)


def test_follow_up_is_counted():
    remarks = str(inspect_cohort(make_phantom_cohort(3, random_state=0, survival=True), n_jobs=1))
    assert "Follow-up: event in 1 case, none in 2 cases. Every case counts" in " ".join(remarks.split())


def test_other_columns_repeats_and_labels_that_differ_within_a_patient_are_named():
    a, b = lesion(0, patient="P", label=1), lesion(1, patient="P", label=0)
    facts = {"age": 60, "site": None} | {f"column {number}": "x" for number in range(12)}
    remarks = inspect_cohort([a.replace(clinical=facts, repeats={"reader2": b}), b]).remarks
    columns = ", ".join(f"column {number} (1 blank)" for number in range(10))
    assert remarks[-3:] == [
        "1 patient has cases with different labels, which cannot become one row: P.",
        "Measured again, not checked here: reader2 of 1 case.",
        f"Other columns: age (1 blank), site (2 blank), {columns} and 2 more.",
    ]


def test_numbers_with_decimal_commas_in_other_columns_are_named():
    facts = [{"age": "54,5", "sex": "f", "grade": "2"}, {"age": None, "sex": "m", "grade": "1, 2"}]
    remarks = inspect_cohort([lesion(k, clinical=each) for k, each in enumerate(facts)]).remarks
    assert remarks[-1] == "Numbers with decimal commas are words, not numbers; write points: age."


def test_intensities_of_uptake_fit_their_column():
    image = np.linspace(0.00136641, 12.36789, lesion(0).voxels.size).reshape(lesion(0).voxels.shape)
    assert " 0.00137 to 12.4 " in str(inspect_cohort([lesion(0).replace(image=image)]))


@pytest.mark.slow
def test_cases_of_relative_paths_are_found_by_processes_that_were_started_in_another_folder(monkeypatch, tmp_path):
    write_cohort(make_phantom_cohort(2, random_state=0), tmp_path)
    assert not inspect_cohort(read_cohort(tmp_path / "manifest.csv"), n_jobs=2).errors
    monkeypatch.chdir(tmp_path)
    assert not inspect_cohort(read_cohort("manifest.csv"), n_jobs=2).errors
    table = extract_table(RadiomicsExtractor(families=["shape"]), read_cohort("manifest.csv"), n_jobs=2)
    assert table.notna().all(axis=None)
