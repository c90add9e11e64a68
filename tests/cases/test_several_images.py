import pickle

import numpy as np
import pandas as pd
import pytest

from radiodeep import Case, Cohort, inspect_cohort, make_phantom_cohort, read_cohort, write_cohort
from radiodeep.cases.mask_labels import NO_VOXEL
from radiodeep.exceptions import AmbiguousImageError, InputError, ManifestError, MissingImageError, RadiodeepWarning


def two_images(pet=True, **arguments):
    a, b = make_phantom_cohort(2, random_state=0)
    images = {"T1": a.voxels, "PET": b.voxels if pet else None}
    return Case(images, {"T1": a.roi, "PET": b.roi if pet else None}, "n-7", a.spacing_mm, **arguments), a, b


def test_a_case_of_several_images_gives_each_as_a_case():
    case, a, b = two_images(label=1, patient="P", clinical={"age": 63})
    assert case.image_names == ("T1", "PET")
    assert not case.shares_mask
    pet = case.of_image("PET")
    assert pet.image_names == ()
    assert (pet.id, pet.label, pet.patient, pet.clinical["age"]) == ("n-7", 1, "P", 63)
    assert np.array_equal(pet.voxels, b.voxels)
    assert np.array_equal(pet.roi, b.roi)
    assert pet.content_hash() == b.content_hash()
    assert case.roi_size_mm == a.roi_size_mm
    assert repr(case) == "Case(id='n-7', image=('T1', 'PET'), label=1)"


def test_a_missing_image_is_named():
    case, *_ = two_images(pet=False)
    with pytest.raises(MissingImageError, match="^n-7: there is no image 'PET'; it has T1.$"):
        case.of_image("PET")
    with pytest.raises(MissingImageError, match="it has one image without a name"):
        make_phantom_cohort(1)[0].of_image("PET")
    assert list(case.single_images()) == ["T1"]


def test_voxels_of_several_images_are_refused_with_the_way_out():
    case, *_ = two_images()
    for member in ("voxels", "roi", "spacing_mm"):
        with pytest.raises(
            AmbiguousImageError, match=r"n-7: the case has 2 images, T1, PET. Choose one: case.of_image"
        ):
            getattr(case, member)
    for method in (case.lesion, case.read, case.stored_axes, case.acquisition, case.in_memory().lesion):
        with pytest.raises(AmbiguousImageError, match="Choose one"):
            method()


def test_several_images_in_memory_are_checked_once_and_pickle():
    case, _, b = two_images()
    held = case.in_memory()
    assert held.of_image("T1") is held.of_image("T1")
    assert held.content_hash() == case.content_hash() != case.replace(mask={"T1": b.roi, "PET": b.roi}).content_hash()
    again = pickle.loads(pickle.dumps(held))
    assert again.content_hash() == case.content_hash()
    assert np.array_equal(again.of_image("PET").voxels, b.voxels)


def test_one_mask_serves_all_images():
    a = make_phantom_cohort(1, random_state=0)[0]
    case = Case({"T1": a.voxels, "T2": a.voxels * 2}, a.roi, "n-7", a.spacing_mm)
    assert case.shares_mask
    assert case.in_memory().shares_mask
    assert np.array_equal(case.of_image("T2").roi, a.roi)
    assert case.content_hash() == case.in_memory().content_hash()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": {}}, "'image' parameter of Case must be a dict from names of images"),
        ({"image": {"": "a.nii"}}, "'image' parameter of Case must be a dict from names of images"),
        ({"image": {"T1": None}}, "n-7: a case needs one of its images at least. T1 are all None"),
        ({"image": {"T1": "a.nii"}, "mask": {"T2": "b.nii"}}, "'mask' is given for 'T2', which is not an image of"),
        ({"image": {"T1": "a.nii", "T2": "c.nii"}, "mask": {"T1": "b.nii"}}, "the image 'T2' has no mask"),
        ({"image": "a.nii", "mask": {"T1": "b.nii"}}, "n-7: masks or spacings by name need images by name"),
        ({"image": {"T1": np.eye(3)}}, "n-7: an image given as an array needs 'spacing_mm'"),
        ({"image": "a.nii", "clinical": ["age"]}, "n-7: The 'clinical' parameter of Case must be a dict"),
    ],
)
def test_wrong_images_of_a_case_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Case(**{"mask": "mask.nii", "id": "n-7", **arguments})


@pytest.fixture
def manifest(tmp_path):
    write_cohort(make_phantom_cohort(4, random_state=0), tmp_path)

    def write(text):
        (tmp_path / "several.csv").write_text(text)
        return tmp_path / "several.csv"

    return write


def test_a_manifest_names_several_images(manifest):
    cohort = read_cohort(
        manifest(
            "ID,Image_T1,image_PET,mask_T1,mask_PET,label,Age,stage\n"
            "a,phantom-000_image.nii.gz,phantom-001_image.nii.gz,phantom-000_mask.nii.gz,phantom-001_mask.nii.gz,0,63,II\n"
            "b,phantom-002_image.nii.gz,,phantom-002_mask.nii.gz,,1,,III\n"
        )
    )
    a, b = cohort
    assert a.image_names == b.image_names == ("T1", "PET")
    assert b.image["PET"] is None
    assert dict(b.clinical) == {"Age": None, "stage": "III"}
    assert dict(a.clinical) == {"Age": "63", "stage": "II"}
    assert a.of_image("PET").content_hash() == read_cohort(manifest_of_one(manifest))[1].content_hash()
    with pytest.warns(RadiodeepWarning, match="1 of 2 cases have no image 'PET' and are left out: b."):
        assert cohort.of_image("PET").ids == ["a"]
    with pytest.raises(MissingImageError, match="a: there is no image 'T2'; it has T1, PET"):
        cohort.of_image("T2")


def test_files_can_be_replaced_by_those_of_other_images():
    case = Case({"T1": "a.nii", "PET": "b.nii"}, "m.nii", "n-7").replace(image={"T2": "c.nii"})
    assert case.image_names == ("T2",)
    assert case.of_image("T2").image.name == "c.nii"


def manifest_of_one(manifest):
    return manifest("").parent / "manifest.csv"


def test_one_mask_column_is_that_of_all_images(manifest):
    cohort = read_cohort(
        manifest(
            "id,image_T1,image_T2,mask\na,phantom-000_image.nii.gz,phantom-000_image.nii.gz,phantom-000_mask.nii.gz\n"
        )
    )
    assert cohort[0].shares_mask
    assert cohort[0].of_image("T2").roi.any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,image_T1,image_T2,mask_T1\na,x,y,z\n", "missing column 'mask_T2'"),
        ("id,image_T1,image_T2\na,x,y\n", "missing column 'mask_T1'"),
        ("id,image_T1,image_T2,mask\na,,,m\n", "blank 'image_T1' and 'image_T2' in line 2"),
        ("id,image_T1,image_T2,mask\na,x,y,\n", "blank 'mask' in line 2"),
        ("id,image_T1,image_T2,mask_T1,mask_T2\na,x,y,m,\n", "blank 'mask_T2' in line 2"),
        ("id,image,mask\na,,m\n", "blank 'image' in line 2"),
        ("id,image_t1,mask_T1\na,x,y\n", r"missing column 'mask_t1'; .* \('mask_T1' is in other letters\)"),
        ("id,image_T1,mask_T1,mask_T2\na,x,y,z\n", "missing column 'image_T2'; .*mask_T2$"),
        ("id,image,mask,image_T1\na,x,y,z.nii.gz\n", "'image' and 'image_T1' are both columns; name all images"),
        ("id,image_T1,mask,mask_T1\na,x,y,z.PNG\n", "'mask' and 'mask_T1' are both columns; name all .*mask_T1"),
        ("id,image_T1,mask_T1,mask_T1_reader2\na,x,y,z\n", "mask_T1_reader2': only the mask that all images share"),
    ],
)
def test_manifests_that_lack_an_image_or_mask_say_where(manifest, text, message):
    with pytest.raises(ManifestError, match=message):
        read_cohort(manifest(text))


def test_a_manifest_names_repeated_measurements(manifest):
    cohort = read_cohort(
        manifest(
            "id,image,mask,mask_reader2,image_retest,mask_retest,image_quality\n"
            "a,i.nii,m.nii,m2.nii,r.nii,rm.nii,good\nb,i.nii,m.nii,,r.nii,,\n"
        )
    )
    a, b = cohort
    assert {name: (repeat.image.name, repeat.mask.name) for name, repeat in a.repeats.items()} == {
        "reader2": ("i.nii", "m2.nii"),
        "retest": ("r.nii", "rm.nii"),
    }
    assert {name: (repeat.image.name, repeat.mask.name) for name, repeat in b.repeats.items()} == {
        "retest": ("r.nii", "m.nii")
    }
    assert dict(a.clinical) == {"image_quality": "good"}
    assert pickle.loads(pickle.dumps(a)).repeats["reader2"].mask.name == "m2.nii"


def test_clinical_values_of_a_frame_keep_their_types():
    rows = {"id": ["a", "b"], "image": ["x", "y"], "mask": ["m", "m"], "age": [63.5, np.nan], "sex": ["F", None]}
    first, second = Cohort.from_frame(pd.DataFrame(rows))
    assert dict(first.clinical) == {"age": 63.5, "sex": "F"}
    assert dict(second.clinical) == {"age": None, "sex": None}
    with pytest.raises(TypeError, match="does not support item assignment"):
        first.clinical["age"] = 3


def test_several_images_are_written_and_read_again(tmp_path):
    case, a, _ = two_images(label=1, patient="P", clinical={"age": 63, "stage": None})
    lacking = two_images(pet=False, label=0, clinical={"age": 71, "stage": "II"})[0].replace(id="n-8")
    again = read_cohort(write_cohort(Cohort([case, lacking]), tmp_path))
    assert again.frame.columns.tolist() == [
        "id", "patient", "image_T1", "image_PET", "mask_T1", "mask_PET", "label", "age", "stage",
    ]  # fmt: skip
    assert [each.content_hash() for each in again] == [case.content_hash(), lacking.content_hash()]
    assert [dict(each.clinical) for each in again] == [{"age": "63", "stage": None}, {"age": "71", "stage": "II"}]
    assert again[1].image["PET"] is None
    assert again.labels.tolist() == [1, 0]
    shared = Case({"T 1": a.voxels, "T2": a.voxels * 2}, a.roi, "s", a.spacing_mm)
    (again,) = read_cohort(write_cohort(Cohort([shared]), tmp_path / "shared"))
    assert again.shares_mask
    assert again.image["T 1"].name == "s_image_T_1.nii.gz"
    with pytest.raises(ManifestError, match="give the same file name: image_T 1, image_T_1, mask"):
        write_cohort(Cohort([Case({"T 1": a.voxels, "T_1": a.voxels}, a.roi, "s", a.spacing_mm)]), tmp_path)
    with pytest.raises(ManifestError, match="cases of one image, or of several by name. Write two cohorts"):
        write_cohort(Cohort([a, shared]), tmp_path)


def test_repeated_measurements_are_written(tmp_path):
    a, b, c = make_phantom_cohort(3, random_state=0)
    case = a.replace(repeats={"reader2": a.replace(mask=b.roi), "retest": b})
    again = read_cohort(write_cohort(Cohort([case, c]), tmp_path))
    assert {name: repeat.content_hash() for name, repeat in again[0].repeats.items()} == {
        name: repeat.content_hash() for name, repeat in case.repeats.items()
    }
    assert not again[1].repeats


def test_each_image_of_a_case_is_inspected():
    case, a, b = two_images(label=1)
    broken = two_images(label=0)[0].replace(id="n-8")
    broken = broken.replace(mask=broken.mask | {"PET": b.roi * 0})
    lacking = two_images(pet=False, label=0)[0].replace(id="n-9", image={"T1": a.voxels + 1, "PET": None})
    inspection = inspect_cohort(Cohort([case, broken, lacking]))
    assert inspection.table[["id", "image"]].to_numpy().tolist() == [
        ["n-7", "T1"], ["n-7", "PET"], ["n-8", "T1"], ["n-8", "PET"], ["n-9", "T1"],
    ]  # fmt: skip
    assert inspection.errors == {"n-8": "EmptyMaskError: n-8: PET: " + NO_VOXEL}
    text = str(inspection)
    assert "n-7 PET " in text
    assert "- PET: 1 case: no image: n-9." in text
    assert "- T1: The same image and region under several ids: n-7, n-8." in text
    assert "- Labels: 0 in 1 case, 1 in 1 case." in text
    assert text.endswith("2 of 3 cases can be used, 1 of them with remarks (*).")


def test_a_notebook_shows_all_images():
    page = two_images(pet=False, label=1)[0]._repr_html_()
    assert page.count("<img") == 1
    assert page.count("<table>") == 2
    assert page.count("n-7") == 2  # the id once, and in the error
    assert "MissingImageError: n-7: there is no image &#x27;PET&#x27;; it has T1." in page
    assert two_images()[0]._repr_html_().count("<img") == 2
