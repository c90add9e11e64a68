"""Trees of images and masks as tools and data sets write them become rows; voxels are not read."""

import json

import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.exceptions import AmbiguousMaskError, InputError, LabelNotFoundError

NO_MASK = "no mask of its name was found: name it like the image plus _mask, or like the image in a folder 'masks'"
NO_IMAGE = "no image of its name was found: name both alike, e.g. P1.nii and P1_mask.nii"


@pytest.fixture
def tree(tmp_path):
    """A function that makes empty files and returns the manifest of their folder, its paths without the folder."""

    def make(*paths, tables=None, **options):
        folder = tmp_path / "tree"
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"")
        for path, content in (tables or {}).items():
            (folder / path).write_text(json.dumps(content))
        manifest = rd.folder_manifest(folder, tmp_path / "manifest.csv", **options)
        frames = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in (manifest, tmp_path / "left_out.csv")]
        return [frame.replace("^tree/", "", regex=True) for frame in frames]

    return make


def rows(frame):
    """Return the rows of a manifest without the label, which is blank."""
    assert (frame.pop("label") == "").all()
    return frame.to_dict("records")


def row(case_id, image, mask, **others):
    return {"id": case_id, "patient": case_id, "image": image, "mask": mask} | others


@pytest.mark.parametrize(
    ("image", "mask", "case_id"),
    [
        ("a1_image.nii.gz", "a1_mask.nii.gz", "a1"),
        ("a1.nii", "a1_seg.nii", "a1"),
        ("a1.nrrd", "a1-label.nrrd", "a1"),  # 3D Slicer before version 5
        ("a1.nrrd", "a1.seg.nrrd", "a1"),
        ("images/a1.png", "masks/a1.png", "a1"),
        ("data/images/a1.mha", "data/segmentations/a1_segmentation.mha", "a1"),
        ("imagesTr/lung_001.nii.gz", "labelsTr/lung_001.nii.gz", "lung_001"),  # Medical Segmentation Decathlon
        ("imagesTr/lung_001_0000.nii.gz", "labelsTr/lung_001.nii.gz", "lung_001"),  # nnU-Net
        ("imagesTr/amos_0001.nii.gz", "labelsTr/amos_0001.nii.gz", "amos_0001"),  # not channel 1
        ("volume-7.nii", "segmentation-7.nii", "7"),  # LiTS
        ("case_00000/imaging.nii.gz", "case_00000/segmentation.nii.gz", "case_00000"),  # KiTS
        ("P1/ct.nii.gz", "P1/mask.nii.gz", "P1"),
        ("image/phantom.nii.gz", "mask/mask.nii.gz", "case"),
        ("P1/thorax.nii.gz", "P1/tumour.nii.gz", "P1"),
        ("P1/scan/thorax.nii.gz", "P1/roi/GTV-1.nii.gz", "P1"),
        ("imagesVa/amos_0008.nii.gz", "labelsVa/amos_0008.nii.gz", "amos_0008"),
        ("volumes/volume-7.nii", "segmentations/segmentation-7.nii", "7"),
        ("sub-01/anat/sub-01_T1w.nii.gz", "derivatives/manual/sub-01/anat/sub-01_label-lesion_mask.nii.gz", "sub-01"),
    ],
)
def test_an_image_goes_with_the_mask_of_its_case(tree, image, mask, case_id):
    manifest, left_out = tree(image, mask)
    assert rows(manifest) == [row(case_id, image, mask)]
    assert len(left_out) == 0


def test_several_images_share_a_mask(tree):
    names = ("t1", "t1ce", "t2", "flair")
    manifest, _ = tree(*(f"HGG/Brats_1/Brats_1_{name}.nii.gz" for name in (*names, "seg")))
    columns = {f"image_{name.upper()}": f"HGG/Brats_1/Brats_1_{name}.nii.gz" for name in sorted(names)}
    assert rows(manifest) == [
        {"id": "Brats_1", "patient": "Brats_1", **columns, "mask": "HGG/Brats_1/Brats_1_seg.nii.gz"}
    ]


def test_images_of_any_names_share_the_mask_of_their_folder(tree):
    manifest, _ = tree("P1/arterial.nii", "P1/venous.nii", "P1/mask.nii", "P2/arterial.nii", "P2/mask.nii")
    assert manifest["image_arterial"].tolist() == ["P1/arterial.nii", "P2/arterial.nii"]
    assert manifest["image_venous"].tolist() == ["P1/venous.nii", ""]


def test_chosen_images_are_named_and_others_left_out(tree):
    files = [f"P1/P1_{name}.nii.gz" for name in ("t1", "t2", "flair", "seg")]
    manifest, left_out = tree(*files, series={"T1": "_t1", "FL": "flair"})
    assert [column for column in manifest if column.startswith("image")] == ["image_FL", "image_T1"]
    assert left_out[["path", "reason"]].to_numpy().tolist() == [["P1/P1_t2.nii.gz", "its name is none of T1, FL"]]
    manifest, _ = tree(series={"T2": "t2"})
    assert manifest["image"].tolist() == ["P1/P1_t2.nii.gz"]
    with pytest.raises(InputError, match="gives no case. 3 times: its name is none of PET"):
        tree(series={"PET": "pet"})


def test_channels_of_nnunet_have_the_names_of_its_table(tree):
    files = ["imagesTr/a_0000.nii", "imagesTr/a_0001.nii", "labelsTr/a.nii", "imagesTs/b_0000.nii"]
    table = {"channel_names": {"0": "T2", "1": "ADC"}, "labels": {"background": 0, "tumour": 1, "gland": 2}}
    manifest, left_out = tree(*files, tables={"dataset.json": table}, roi="Tumour")
    columns = {"image_ADC": "imagesTr/a_0001.nii", "image_T2": "imagesTr/a_0000.nii", "mask": "labelsTr/a.nii"}
    assert rows(manifest) == [{"id": "a", "patient": "a", **columns, "roi_name": "tumour"}]
    assert left_out["path"].tolist() == ["imagesTs/b_0000.nii", "dataset.json"]
    assert left_out["reason"].tolist() == [NO_MASK, "not an image"]
    with pytest.raises(AmbiguousMaskError, match=r"2 names: 'gland' \(1 patient\), 'tumour' \(1 patient\)"):
        tree()


def test_a_folder_of_organs_is_a_mask_with_names(tree):
    files = [
        f"s{number}/{name}.nii.gz" for number in (1, 2) for name in ("ct", "segmentations/liver", "segmentations/aorta")
    ]
    manifest, _ = tree(*files, roi="liver")
    expected = [row(f"s{i}", f"s{i}/ct.nii.gz", f"s{i}/segmentations", roi_name="liver") for i in (1, 2)]
    assert rows(manifest) == expected
    manifest, _ = tree(roi="*")
    assert manifest["id"].tolist() == ["s1-1", "s1-2", "s2-1", "s2-2"]
    assert manifest["patient"].tolist() == ["s1", "s1", "s2", "s2"]
    assert manifest["roi_name"].tolist() == ["aorta", "liver"] * 2
    with pytest.raises(
        AmbiguousMaskError, match=r"'aorta' \(2 patients\), 'liver' \(2 patients\). Name the one to use"
    ):
        tree()
    with pytest.raises(LabelNotFoundError, match=r"No region is called 'livre'.*Did you mean 'liver'\?"):
        tree(roi="livre")


def test_masks_are_called_by_what_their_names_add(tree):
    files = ["a_ct.nii", "a_liver_mask.nii", "a_tumour_mask.nii"]
    manifest, _ = tree(*files, roi="tumour")
    assert rows(manifest) == [row("a", "a_ct.nii", "a_tumour_mask.nii")]
    with pytest.raises(AmbiguousMaskError, match="'liver'"):
        tree()
    manifest, left_out = tree("b.nii", "b_mask.nii", "b_seg.nii", roi="tumour")
    reason = "several masks: 'b_mask.nii', 'b_seg.nii'. Move away those that should not count"
    assert left_out["reason"].tolist() == [reason]


def test_sessions_of_bids_are_cases_of_one_patient(tree):
    files = [f"sub-1/ses-{s}/anat/sub-1_ses-{s}_{suffix}.nii.gz" for s in (1, 2) for suffix in ("T1w", "dseg")]
    manifest, _ = tree(*files)
    assert manifest["id"].tolist() == ["sub-1_ses-1", "sub-1_ses-2"]
    assert manifest["patient"].tolist() == ["sub-1", "sub-1"]


def test_names_of_several_cases_get_the_folder_above(tree):
    manifest, _ = tree(*(f"P{p}/visit{v}/{name}.nii" for p in (1, 2) for v in (1, 2) for name in ("ct", "mask")))
    assert manifest["id"].tolist() == ["P1_visit1", "P1_visit2", "P2_visit1", "P2_visit2"]
    assert manifest["patient"].tolist() == ["P1", "P1", "P2", "P2"]


@pytest.mark.parametrize(
    "files",
    [
        ("data/images/P1.nii", "data/masks/P2.nii"),
        ("data/images/P1.nii", "data/masks/P1_2.nii"),
        ("data/P1_2.nii", "data/P1_mask.nii"),
        ("images/P1.nii", "masks/P1_2.nii"),
        ("imagesTr/P1_0000.nii", "labelsTr/P2.nii"),
        ("imagesTs/P1_0000.nii", "labelsTr/P1.nii"),
        ("data/lesion_1.nii", "data/lesion_2.nii", "data/mask.nii"),
    ],
)
def test_a_mask_of_another_number_or_part_is_that_of_another_case(tree, files):
    with pytest.raises(InputError, match="gives no case"):
        tree(*files)


def test_images_that_differ_by_a_number_are_of_a_case_if_each_has_its_folder(tree):
    manifest, _ = tree(*(f"P{number}/{name}.nii" for number in (1, 2) for name in ("dwi_b0", "dwi_b800", "mask")))
    assert manifest["image_dwib800"].tolist() == ["P1/dwi_b800.nii", "P2/dwi_b800.nii"]


@pytest.mark.parametrize(
    ("cases", "patients"),
    [
        (["P1/P1_frame01", "P1/P1_frame12"], ["P1", "P1"]),  # ACDC
        (["BraTS-GLI-02-000/BraTS-GLI-02-000", "BraTS-GLI-02-001/BraTS-GLI-02-001"], ["BraTS-GLI-02"] * 2),
        (["P1_baseline", "P1_follow-up"], ["P1", "P1"]),
        (["P1/20190101/ct", "P1/2020-01-01/ct"], ["P1", "P1"]),
        (["brain_scan1", "brain_scan2"], ["brain_scan1", "brain_scan2"]),
        (["train/a", "test/a"], ["test_a", "train_a"]),
        (["P1/slice1", "P1/slice2", "P2/slice1"], ["P1", "P1", "P2"]),
        ([f"{kind}/P{number}/ct" for kind in ("orig", "resampled") for number in (1, 2, 3)], ["P1", "P2", "P3"] * 2),
    ],
)
def test_visits_of_a_patient_are_not_patients(tree, cases, patients):
    """Or they would stand on both sides of a split into training and test cases."""
    manifest, _ = tree(*(f"{case}{end}.nii" for case in cases for end in ("", "_mask")))
    assert manifest["patient"].tolist() == patients
    assert manifest["id"].is_unique


def test_names_of_both_parts_of_a_data_set_stay_apart(tree):
    manifest, _ = tree(*(f"{part}{end}/a.nii" for part in ("images", "labels") for end in ("Tr", "Ts")))
    assert rows(manifest) == [row(f"{end}_a", f"images{end}/a.nii", f"labels{end}/a.nii") for end in ("Tr", "Ts")]


def test_masks_called_like_the_images_belong_to_one_each(tree):
    manifest, left_out = tree(*(f"P1_{name}.nii" for name in ("ct", "pet", "t1", "ct_mask", "pet_mask")))
    expected = {f"{kind}_{name.upper()}": f"P1_{name}{end}.nii" for kind, end in (("image", ""), ("mask", "_mask"))
                for name in ("ct", "pet")}  # fmt: skip
    assert rows(manifest) == [{"id": "P1", "patient": "P1"} | expected]
    assert left_out[["path", "reason"]].to_numpy().tolist() == [
        ["P1_t1.nii", "others of its case have a mask of their own, it has none"]
    ]


def test_what_has_no_partner_is_left_out_with_the_reason(tree):
    files = ["a_image.nii", "a_mask.nii", "b_image.nii", "c_mask.nii", "d.nii", "mask.nii", "._a_image.nii"]
    files += ["notes.txt", "read.me"]
    manifest, left_out = tree(*files)
    assert manifest["id"].tolist() == ["a"]
    assert dict(zip(left_out["path"], left_out["reason"], strict=True)) == {
        "b_image.nii": NO_MASK,
        "c_mask.nii": NO_IMAGE,
        "d.nii": NO_MASK,
        "mask.nii": NO_IMAGE,
        "tree": "not an image",
    }
    assert left_out["files"].tolist() == ["1"] * 4 + ["2"]


def test_a_folder_without_cases_says_the_most_frequent_reason(tree, tmp_path):
    with pytest.raises(
        InputError, match=r"tree' gives no case. 2 times: no mask of its name was found.*'masks'. All reasons are"
    ):
        tree("a.nii", "b.nii")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty' gives no case: it holds no file. Check the folder."):
        rd.folder_manifest(tmp_path / "empty", tmp_path / "manifest.csv")


def test_masks_named_like_the_image_are_no_folder_of_organs(tree):
    with pytest.raises(InputError, match="several masks: 'a.nii', 'a_liver.nii'"):
        tree("a_ct.nii", "masks/a.nii", "masks/a_liver.nii", roi="liver")


def test_hidden_folders_and_own_tables_do_not_count(tmp_path):
    for path in ("=a_image.nii", "=a_mask.nii", ".trash/b_image.nii"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    for _ in range(2):
        manifest = rd.folder_manifest(tmp_path, tmp_path / "manifest.csv")
    assert pd.read_csv(tmp_path / "left_out.csv").empty
    assert pd.read_csv(manifest)["image"].tolist() == ["./=a_image.nii"]
    assert rd.read_cohort(manifest)[0].image == tmp_path / "=a_image.nii"
