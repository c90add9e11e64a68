"""`radiodeep extract` writes a table, with empty rows for the cases that fail."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

import radiodeep as rd

QUICK = ["--features", "handcrafted", "--jobs", 1]


def test_extract_leaves_empty_rows_and_a_list_of_errors(folder, tmp_path, radiodeep):
    manifest, output = folder / "new" / "manifest.csv", tmp_path / "table.csv"
    done = radiodeep("extract", manifest, "-o", output, *QUICK)
    assert done.code == 2
    assert f"Wrote 5 cases x 107 features, and 3 empty rows to {output}" in done.out
    table = pd.read_csv(output, index_col="id")
    assert table.notna().all(axis=1).sum() == 5
    assert table["label"].notna().all()
    errors = pd.read_csv(tmp_path / "table.errors.csv")
    assert errors["id"].tolist() == ["phantom-017", "phantom-019", "phantom-021"]
    assert errors["error"].tolist() == ["FileUnreadableError", "EmptyMaskError", "GeometryMismatchError"]
    assert errors["message"].str.startswith("phantom-0").all()


def test_a_list_of_errors_of_an_earlier_run_does_not_stay(known, cache, tmp_path, radiodeep):
    (tmp_path / "t.errors.csv").write_text("id,error,message\n")
    assert radiodeep("extract", known, "-o", tmp_path / "t.csv", "--cache", cache, *QUICK).code == 0
    assert not (tmp_path / "t.errors.csv").exists()


def test_extract_takes_a_parameter_file_and_every_label_of_a_mask(tmp_path, radiodeep):
    mask = np.zeros((4, 12, 12), np.uint8)
    mask[:, 1:5, 1:5], mask[:, 7:11, 7:11] = 1, 2
    image = np.random.default_rng(0).normal(0, 80, mask.shape).astype(np.int16)
    for name, array in (("image", image), ("mask", mask)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{name}.nrrd"))
    (tmp_path / "m.csv").write_text("id,image,mask\npair,image.nrrd,mask.nrrd\n")
    (tmp_path / "p.yaml").write_text("featureClass: {shape: [VoxelVolume]}")
    shared = ["extract", tmp_path / "m.csv", "-o", tmp_path / "t.csv", "--params", tmp_path / "p.yaml", *QUICK]
    assert "several labels" in radiodeep(*shared).err
    for labels, volumes in (("each", {"pair-label1": 64, "pair-label2": 64}), ("any", {"pair": 128})):
        assert radiodeep(*shared, "--labels", labels).code == 0
        table = pd.read_csv(tmp_path / "t.csv", index_col="id")
        assert table["original_shape_VoxelVolume"].to_dict() == volumes
    assert "patient" not in table  # it is the id
    radiodeep(*shared, "--labels", "each")
    assert pd.read_csv(tmp_path / "t.csv")["patient"].tolist() == ["pair", "pair"]


@pytest.mark.slow
def test_image_types_and_parameter_files_reach_extract_and_study(known, tmp_path, radiodeep):
    table = pd.read_csv(known)[:4]
    for column in ("image", "mask"):
        table[column] = [str(known.parent / file) for file in table[column]]
    table.to_csv(tmp_path / "m.csv", index=False)
    done = radiodeep(
        "extract",
        tmp_path / "m.csv",
        "-o",
        tmp_path / "t.csv",
        "--image-types",
        "original, LOG",
        "--sigma",
        "2",
        *QUICK,
    )
    assert done.code == 0, done.err
    columns = pd.read_csv(tmp_path / "t.csv").columns
    assert {"original_glcm_Contrast", "log-sigma-2-0-mm-3D_glcm_Contrast"} <= set(columns)
    (tmp_path / "p.yaml").write_text("featureClass: {shape: [VoxelVolume, Sphericity]}")
    shared = ["study", tmp_path / "m.csv", "-o", tmp_path / "out", "--cv", 2, "--model", "naive-bayes", *QUICK]
    assert radiodeep(*shared, "--params", tmp_path / "p.yaml").code == 0
    selected = pd.read_csv(tmp_path / "out" / "selected_features_handcrafted.csv")["feature"]
    assert set(selected) == {"original_shape_VoxelVolume", "original_shape_Sphericity"}


def test_a_missing_image_is_named_and_is_no_failure(tmp_path, radiodeep):
    a, b = rd.make_phantom_cohort(2, random_state=0)
    pair = [
        rd.Case({"T1": case.image, "PET": pet}, case.mask, case.id, case.spacing_mm)
        for case, pet in ((a, a.image * 2), (b, None))
    ]
    manifest = rd.write_cohort(rd.Cohort(pair), tmp_path / "cohort")
    text = "phantom-001: there is no image 'PET'; it has T1. Its columns are empty."
    done = radiodeep("extract", manifest, "-o", tmp_path / "t.csv", *QUICK)
    assert (done.code, done.err.strip()) == (0, text)
    assert "Wrote 2 cases x 200 features to" in done.out
    assert not (tmp_path / "t.errors.csv").exists()
    assert pd.read_csv(tmp_path / "t.csv").isna().sum(axis=1).tolist() == [0, 93]
    done = radiodeep("validate", manifest)
    assert done.code == 0
    assert "- PET: 1 case: no image: phantom-001." in done.out


def test_missing_images_of_many_lesions_are_counted(tmp_path, radiodeep):
    cohort = rd.make_phantom_cohort(14, random_state=0)
    lacking = [
        rd.Case({"T1": case.image, "PET": case.image if row > 11 else None}, case.mask, case.id, case.spacing_mm)
        for row, case in enumerate(cohort)
    ]
    lesions = [case.replace(patient=f"P{row // 2}") for row, case in enumerate(lacking)]
    (tmp_path / "p.yaml").write_text("featureClass: {shape: [VoxelVolume], firstorder: [Mean]}")
    manifest = rd.write_cohort(rd.Cohort(lesions), tmp_path / "cohort")
    asked = ["extract", manifest, "-o", tmp_path / "t.csv", "--features", "handcrafted", "--lesions", "largest"]
    *named, last = radiodeep(*asked, "--params", tmp_path / "p.yaml", "--jobs", 1).err.strip().splitlines()
    assert named == [f"phantom-00{row}: there is no image 'PET'; it has T1. Its columns are empty." for row in range(5)]
    assert last == "In all 12 cases lack an image; 'radiodeep validate' counts them."


def test_columns_of_the_manifest_can_stay_in_the_table(tmp_path, radiodeep):
    cohort = rd.make_phantom_cohort(8, random_state=0)
    known = [case.replace(clinical={"age": 50 + row, "site": "AB"[row // 4]}) for row, case in enumerate(cohort)]
    manifest = rd.write_cohort(rd.Cohort(known), tmp_path / "cohort")
    (tmp_path / "p.yaml").write_text("featureClass: {shape: [VoxelVolume], firstorder: [Mean]}")
    asked = [
        "extract",
        manifest,
        "-o",
        tmp_path / "t.csv",
        "--features",
        "handcrafted",
        "--params",
        tmp_path / "p.yaml",
    ]
    assert radiodeep(*asked, "--jobs", 1, "--keep", "age, site").code == 0
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["age"].tolist() == list(range(50, 58))
    assert table["site"].tolist() == list("AAAABBBB")
    done = radiodeep(*asked, "--keep", "ages")
    assert (done.code, done.err.strip()) == (1, "Error: --keep takes age, site. Got 'ages'.")
