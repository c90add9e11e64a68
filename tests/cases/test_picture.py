"""A case in a notebook shows its largest slice with the outline, or why it cannot be read."""

import base64
import io
import re
import subprocess
import sys

import numpy as np
from PIL import Image

from radiodeep import Case


def picture_of(page):
    data = re.search(r"data:image/png;base64,([^\"]+)", page).group(1)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_the_slice_with_most_of_the_region_is_drawn_with_its_outline():
    image = np.zeros((3, 20, 40))
    image[1] = np.arange(40)
    mask = np.zeros(image.shape, np.uint8)
    mask[0, 0, 0], mask[1, 5:10, 20:30] = 1, 1
    page = Case(image, mask, "n-7", spacing_mm=(5, 2, 1), label=1)._repr_html_()
    for text in ("n-7", "40 x 20 x 3", "1 x 2 x 5 mm", "51 voxels, 510 mm³", "2 of 3"):
        assert text in page
    pixels = picture_of(page).astype(int)
    assert pixels.shape == (260, 260, 3)  # 40 mm by 40 mm
    outline = pixels[..., 0] != pixels[..., 1]
    rows, columns = np.flatnonzero(outline.any(axis=1)), np.flatnonzero(outline.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (65, 129, 130, 194)
    assert not outline[80, 150]
    gray = pixels[0, :, 0]
    assert gray[0] == 0
    assert gray[-1] == 255
    assert (np.diff(gray) >= 0).all()


def test_a_case_that_cannot_be_read_shows_its_error(tmp_path):
    page = Case(tmp_path / "<none>.nii", tmp_path / "m.nii", "<b>")._repr_html_()
    assert "FileUnreadableError: &lt;b&gt;: " in page
    assert "<b>" not in page
    assert "&lt;none&gt;.nii&#x27; does not exist" in page
    assert "<img" not in page


def test_images_of_one_value_or_with_nan_are_drawn():
    mask = np.ones((1, 5, 5), bool)
    image = np.full((1, 5, 5), 7.0)
    assert picture_of(Case(image, mask, "c", spacing_mm=(1, 1, 1))._repr_html_()).shape == (260, 260, 3)
    image[0, 0, 0], mask[0, 0, 0] = np.nan, False
    page = Case(image, mask, "c", spacing_mm=(1, 1, 1))._repr_html_()
    assert "24 voxels, 24 mm²" in page


def test_making_cases_imports_nothing_that_draws():
    code = (  # nibabel imports pydicom, if it is installed, and that PIL
        "import sys; sys.modules['pydicom'] = None; from radiodeep.cases.case import Case; "
        "assert not {'matplotlib', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sagittal_slices_are_drawn_with_the_head_up():
    image = np.zeros((20, 40, 3))
    mask = np.zeros(image.shape, np.uint8)
    image[10:], mask[12:18, 5:15, 1] = 100, 1  # bright above
    page = Case(image, mask, "c", spacing_mm=(2, 1, 6))._repr_html_()
    assert "2 of 3 (sagittal)" in page
    pixels = picture_of(page).astype(int)
    assert pixels.shape == (260, 260, 3)
    assert pixels[0, -1, 0] > pixels[-1, -1, 0]
    rows, columns = np.nonzero(pixels[..., 0] != pixels[..., 1])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (26, 103, 32, 96)
