"""Pictures sorted into a folder per class are a cohort of whole pictures."""

import numpy as np
import pytest
from PIL import Image

import radiodeep as rd
from radiodeep.exceptions import ManifestError


def write(path, seed, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (9, 12, 3) if mode == "RGB" else (9, 12)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "cat" / "1.png", 0)
    write(tmp_path / "cat" / "young" / "1.PNG", 1)
    write(tmp_path / "dog" / "rex.png", 2, "L")
    (tmp_path / "dog" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    write(tmp_path / ".thumbnails" / "1.png", 3)
    write(tmp_path / "__MACOSX" / "cat" / "._1.png", 4)
    (tmp_path / "notes.txt").write_text("x")
    return tmp_path


def test_subfolders_are_labels_and_each_colour_an_image(folder):
    cohort = rd.read_image_folder(folder)
    assert cohort.ids == ["cat-1", "cat-young-1", "dog-rex"]
    assert cohort.labels.tolist() == ["cat", "cat", "dog"]
    colours = np.asarray(Image.open(folder / "cat" / "1.png"))
    for number, name in enumerate(("red", "green", "blue")):
        part = cohort[0].of_image(name)
        np.testing.assert_array_equal(part.voxels[0], colours[..., number])
        assert part.roi.all()
        np.testing.assert_array_equal(
            cohort[2].of_image(name).voxels[0], np.asarray(Image.open(cohort[2].image["red"]))
        )


def test_one_grey_image_per_picture_on_request(folder):
    case = rd.read_image_folder(folder, rgb="luminance")[0]
    colours = np.asarray(Image.open(folder / "cat" / "1.png"))
    np.testing.assert_allclose(case.voxels[0], colours @ [0.299, 0.587, 0.114])


def test_copies_of_a_picture_are_one_patient_and_belong_to_one_class(folder):
    (folder / "cat" / "copy.png").write_bytes((folder / "cat" / "1.png").read_bytes())
    cohort = rd.read_image_folder(folder)
    patients = dict(zip(cohort.ids, cohort.patients, strict=True))
    assert patients["cat-1"] == patients["cat-copy"] != patients["cat-young-1"]
    (folder / "dog" / "copy.png").write_bytes((folder / "cat" / "1.png").read_bytes())
    with pytest.raises(ManifestError, match="dog/copy.png' and '.*cat/1.png' are the same file in two classes"):
        rd.read_image_folder(folder)


def test_folders_without_two_classes_and_equal_ids_are_errors(folder, tmp_path):
    with pytest.raises(ManifestError, match="'none' is not a folder"):
        rd.read_image_folder("none")
    with pytest.raises(ManifestError, match="pictures only in 'young'. Expected two classes at least"):
        rd.read_image_folder(folder / "cat")
    with pytest.raises(ManifestError, match="no subfolder with pictures"):
        rd.read_image_folder(folder / "empty")
    write(folder / "cat" / "1.bmp", 5)
    with pytest.raises(ManifestError, match="cat/1.bmp' and '.*cat/1.png' have the id 'cat-1'. Rename one"):
        rd.read_image_folder(folder)
