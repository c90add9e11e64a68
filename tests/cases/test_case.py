"""A case checks its mask, is frozen, and pickles as its paths."""

import pickle

import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep import Case, Cohort, make_phantom_cohort, read_cohort, write_cohort
from radiodeep.exceptions import (
    AmbiguousMaskError,
    EmptyMaskError,
    FileUnreadableError,
    GeometryMismatchError,
    InputError,
    LabelNotFoundError,
    NonFiniteIntensityError,
    UnsupportedImageError,
)
from radiodeep.imaging.crop import crop_to_roi
from radiodeep.imaging.filters import filtered_images

IMAGE = np.arange(60.0).reshape(3, 4, 5)
MASK = np.zeros((3, 4, 5), np.uint8)
MASK[1, 1:3, 1:4] = 1


def case(image=IMAGE, mask=MASK, **changes):
    return Case(image, mask, "case 3", **({"spacing_mm": (2, 1, 1)} | changes))


@pytest.mark.parametrize("value", [1, 2, 255])
def test_the_value_of_a_single_label_does_not_matter(value):
    np.testing.assert_array_equal(case(mask=MASK * np.uint8(value)).roi, MASK > 0)


def test_one_of_several_labels_is_chosen_by_mask_label():
    mask = MASK.copy()
    mask[0, 0, 0] = 2
    assert case(mask=mask, mask_label=2).roi.sum() == 1
    with pytest.raises(AmbiguousMaskError, match=r"case 3: .*1 \(6 voxels\), 2 \(1 voxels\).*mask_label"):
        _ = case(mask=mask).roi


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"mask": MASK * 0}, EmptyMaskError, "outlines no voxel"),
        ({"mask": MASK * np.uint8(255), "mask_label": 1}, LabelNotFoundError, "holds 255 .6 voxels. .255 is what PNG"),
        ({"mask": MASK * 0.7}, UnsupportedImageError, "soft mask"),
        ({"mask": MASK[:2]}, GeometryMismatchError, "differ in size"),
        ({"image": np.where(MASK > 0, np.nan, IMAGE)}, NonFiniteIntensityError, "6 of 6 voxels"),
    ],
)
def test_a_problem_is_named_with_the_case(changes, error, message):
    with pytest.raises(error, match=f"^case 3: .*{message}"):
        _ = case(**changes).voxels


@pytest.mark.parametrize("name", ["{}.nii.gz", "{}.nrrd", "{}.mha"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_inside_the_region_is_found_in_every_format(tmp_path, name, value):
    image = IMAGE.copy()
    image[0, 0, 0], image[1, 1, 1] = value, value
    with pytest.raises(NonFiniteIntensityError, match="c: 1 of 6 voxels"):
        _ = written(tmp_path, name, image).voxels


def test_nan_outside_the_region_is_allowed():
    assert case(image=np.where(MASK > 0, IMAGE, np.nan)).roi.sum() == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spacing_mm": None}, "needs 'spacing_mm'"),
        ({"spacing_mm": (1, 0, 1)}, "2 or 3 numbers > 0"),
        ({"image": np.zeros(4)}, "array of numbers in .z, y, x."),
        ({"spacing_mm": (0.7, 0.7)}, r"of an image of shape \(3, 4, 5\) \(z, y, x\) must be 3 numbers"),
    ],
)
def test_wrong_arguments_are_refused_at_once(changes, message):
    with pytest.raises(InputError, match=message):
        case(**changes)


@pytest.mark.parametrize("channels", [3, 4])
def test_an_array_that_looks_like_a_colour_image_is_refused(channels):
    colour = np.zeros((20, 30, channels), np.uint8)
    for image, mask in ((colour, np.ones((20, 30))), (colour * 1.0, np.ones((20, 30))), (colour, np.ones_like(colour))):
        with pytest.raises(UnsupportedImageError, match=r"c: .* looks like a colour image .*astype\('int16'\)"):
            Case(image, mask, "c", spacing_mm=(1, 1, 1))


def test_volumes_of_three_columns_are_no_colour_images():
    image = np.arange(20 * 30 * 3).reshape(20, 30, 3)
    for voxels in (image.astype(np.int16), image[:15].astype(np.uint8)):
        assert Case(voxels, np.ones(voxels.shape), "c", spacing_mm=(1, 1, 1)).roi.all()
    wide = np.arange(20 * 30 * 9).reshape(20, 30, 9).astype(np.uint8)
    mask = np.zeros(wide.shape, bool)
    mask[:, :, :3] = True
    crop = crop_to_roi(Case(wide, mask, "c", spacing_mm=(1, 1, 1)))
    assert pickle.loads(pickle.dumps(crop)).voxels.shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (">i2", "<i2"),
        (">f8", "<f8"),
        (">u4", "<u4"),
        ("?", "u1"),
        ("<f2", "<f4"),
        (">f2", "<f4"),
        (np.dtype(np.longdouble).str, "<f8"),
    ],
)
def test_voxels_of_any_type_become_ones_that_filters_take(stored, expected):
    image = (np.arange(9**3).reshape(9, 9, 9) % 251).astype(stored)
    mask = np.zeros(image.shape, ">i4")
    mask[2:6, 2:6, 2:6] = 1
    odd = Case(image, mask, "c", spacing_mm=(1, 1, 1))
    plain = Case(image.astype(np.dtype(expected)), mask > 0, "c", spacing_mm=(1, 1, 1))
    assert odd.voxels.dtype == np.dtype(expected)
    np.testing.assert_array_equal(odd.voxels, image)
    box = (slice(2, 6),) * 3
    for image_type in ("Gradient", "LBP3D", "LBP2D", "LoG", "Wavelet", "Square"):
        settings = {"sigma": [1.0]} if image_type == "LoG" else {}
        results = [
            [part for _, part in filtered_images(one.voxels, box, (1, 1, 1), image_type, settings, None, one.roi[box])]
            for one in (odd, plain)
        ]
        np.testing.assert_array_equal(*results)


def test_a_long_double_beyond_double_precision_is_an_error():
    image = IMAGE.astype(np.longdouble)
    image[1, 1, 1] = np.longdouble(10) ** 400
    with pytest.raises(NonFiniteIntensityError, match="case 3: 1 of 6 voxels"):
        _ = case(image=image).voxels


def test_negative_values_of_a_mask_are_a_region_only_if_named():
    mask = MASK.astype(np.int16) * -1
    mask[0, 0, 0] = -3
    for changes in ({}, {"mask_label": "any"}):
        with pytest.raises(
            UnsupportedImageError, match=r"case 3: .* negative values: -3 \(1 voxels\), -1 \(6 voxels\).*mask_label=-1"
        ):
            _ = case(mask=mask, **changes).roi
    with pytest.raises(UnsupportedImageError, match="case 3: the mask holds negative values"):
        case(mask=mask).by_label()
    np.testing.assert_array_equal(case(mask=mask, mask_label=-1).roi, MASK > 0)


def test_a_mask_of_many_labels_lists_ten():
    mask = np.arange(60).reshape(3, 4, 5)
    with pytest.raises(AmbiguousMaskError, match=r"1 \(1 voxels\), .*10 \(1 voxels\) and 49 more\. Choose one"):
        _ = case(mask=mask).roi


def test_a_two_dimensional_image_is_one_slice():
    flat = Case(IMAGE[0], MASK[1], "flat", spacing_mm=(0.5, 0.6))
    assert flat.voxels.shape == (1, 4, 5)
    assert flat.spacing_mm == (1.0, 0.5, 0.6)


def test_a_case_is_frozen():
    with pytest.raises(AttributeError, match=r"case\.replace"):
        case().label = 1
    assert case().replace(label=1).label == 1


def test_a_case_from_disk_pickles_as_its_paths(tmp_path):
    loaded = read_cohort(write_cohort(make_phantom_cohort(1, random_state=0), tmp_path))[0]
    assert loaded.voxels.size == 24 * 44 * 44
    data = pickle.dumps(loaded)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).voxels, loaded.voxels)


def test_reading_into_memory_leaves_nothing_in_a_case_from_disk(tmp_path):
    stored = read_cohort(write_cohort(make_phantom_cohort(1, random_state=0), tmp_path))[0]
    assert stored.in_memory().roi.dtype == bool
    assert stored._lesion is None


def test_the_content_hash_changes_with_what_matters_only():
    assert case().content_hash() == case(label=1).content_hash()
    others = [
        case(image=IMAGE + 1),
        case(mask=np.roll(MASK, 1, axis=0)),
        case(image=IMAGE.astype(np.float32)),
        case(spacing_mm=(1, 1, 1)),
    ]
    assert len({one.content_hash() for one in [case(), *others]}) == 5


def test_the_content_hash_knows_the_shape_and_the_type_of_equal_bytes():
    arrays = (np.ones((1, 4, 6), np.int16), np.ones((1, 6, 4), np.int16), np.ones((1, 4, 6), np.uint16))
    assert len({Case(one, one > 0, "c", spacing_mm=(1, 1, 1)).content_hash() for one in arrays}) == 3


def test_the_content_hash_is_that_of_the_region_not_of_its_label():
    assert case().content_hash() == case(mask=MASK * np.uint8(9), mask_label=9).content_hash()
    two = MASK.copy()
    two[0, 0, 0] = 2
    assert case(mask=two, mask_label=2).content_hash() != case(mask=two, mask_label=1).content_hash()


def written(folder, name, image=None):
    """Write image and mask with voxels of a size that every format holds exactly."""
    image = IMAGE.astype(np.int16) if image is None else image
    for kind, voxels in (("image", image), ("mask", MASK)):
        stored = sitk.GetImageFromArray(voxels)
        stored.SetSpacing((0.5, 0.75, 2.5))
        sitk.WriteImage(stored, str(folder / name.format(kind)))
    return Case(folder / name.format("image"), folder / name.format("mask"), "c")


def test_the_content_hash_does_not_depend_on_the_form_of_the_files(tmp_path):
    names = ("{}.nii", "{}.nii.gz", "{}.nrrd", "{}.nhdr", "{}.mha", "{}.mhd")
    cases = [written(tmp_path, name) for name in names]
    assert {one.content_hash() for one in cases} == {cases[0].in_memory().content_hash()}
    assert all(case._lesion is None for case in cases)


@pytest.mark.parametrize("name", ["{}.nhdr", "{}.mhd"])
@pytest.mark.parametrize("kind", ["image", "mask"])
def test_a_change_of_detached_voxels_changes_the_content_hash(tmp_path, name, kind):
    before = written(tmp_path, name).content_hash()
    raw = tmp_path / f"{kind}.raw"
    data = bytearray(raw.read_bytes())
    data[2] += 1
    raw.write_bytes(data)
    after = Case(tmp_path / name.format("image"), tmp_path / name.format("mask"), "c", mask_label=1)
    assert after.content_hash() != before


def test_a_case_that_cannot_be_read_has_no_content_hash(tmp_path):
    with pytest.raises(FileUnreadableError, match="c: '.*none.nii' does not exist"):
        Case(tmp_path / "none.nii", MASK, "c").content_hash()


def test_all_labels_are_one_region_if_any_is_asked_for():
    mask = MASK.astype(np.uint8)
    mask[tuple(np.argwhere(MASK)[0])] = 7
    assert case(mask=mask, mask_label="any").roi.sum() == MASK.sum()


def test_every_label_becomes_a_case_of_the_same_patient(tmp_path):
    mask = MASK.astype(np.uint8)
    mask[tuple(np.argwhere(MASK)[0])] = 7
    parts = case(mask=mask, patient="P1").by_label()
    assert [part.id for part in parts] == ["case 3-label1", "case 3-label7"]
    assert [int(part.roi.sum()) for part in parts] == [int(MASK.sum()) - 1, 1]
    assert {part.patient for part in parts} == {"P1"}
    assert Cohort([case(mask=mask)]).by_label().ids == ["case 3-label1", "case 3-label7"]


def test_a_mask_without_labels_has_no_cases():
    with pytest.raises(EmptyMaskError, match="case 3: the mask outlines no voxel"):
        case(mask=MASK * 0).by_label()


@pytest.mark.parametrize("wrong", ["all", 1.5, True])
def test_a_mask_label_that_is_no_label_is_an_error(wrong):
    with pytest.raises(InputError, match="'mask_label' parameter of Case must be an int or 'any'"):
        case(mask_label=wrong)


def test_a_case_keeps_its_follow_up():
    mask = np.array([[[0, 1, 1], [2, 2, 2]]])
    case = Case(np.ones((1, 2, 3)), mask, "CT-9", spacing_mm=(5, 1, 1), time=12, event=np.True_)
    copies = [pickle.loads(pickle.dumps(case)), case.replace(id="b"), *case.by_label(), case.by_label()[0].in_memory()]
    assert [(copy.time, copy.event) for copy in copies] == [(12.0, True)] * 5
    assert case.event is True
    assert repr(case).endswith("label=None, time=12.0, event=True)")
    assert "12, event" in case._repr_html_()


@pytest.mark.parametrize(
    ("time", "event", "message"),
    [
        (0, True, "n-7: The 'time' parameter of Case must be a number > 0, given with 'event'. Got 0"),
        (None, True, "'time' parameter .* Got None"),
        (3, None, "'event' parameter of Case must be True or False, given with 'time'. Got None"),
        (3, "1", "'event' parameter .* Got '1'"),
    ],
)
def test_a_follow_up_out_of_range_is_refused(time, event, message):
    with pytest.raises(InputError, match=message):
        Case(np.eye(3), np.eye(3) > 0, "n-7", spacing_mm=(1, 1), time=time, event=event)
