"""Contact sheets of all lesions with their outlines."""

import numpy as np
import pytest
from matplotlib.image import imread

from radiodeep import Case, make_phantom_cohort, write_montage
from radiodeep.exceptions import InputError
from radiodeep.report import montage

MASK = np.pad(np.ones((6, 8), np.uint8), 14)
SLICE = np.random.default_rng(0).normal(size=MASK.shape)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function of cases -> the figures of `write_montage`."""
    figures = []
    plain = montage.montage_figure
    monkeypatch.setattr(montage, "montage_figure", lambda panels: figures.append(plain(panels)) or figures[-1])

    def draw(cases, **settings):
        written = write_montage(cases, tmp_path / "lesions.png", **settings)
        assert all(imread(page).shape[1] > 100 for page in written)
        return figures, [page.name for page in written]

    return draw


def test_each_lesion_has_its_outline_name_and_volume(drawn):
    cohort = make_phantom_cohort(12, random_state=0)
    (figure,), _ = drawn(cohort)
    shown = figure.axes[:12]
    assert [axes.get_title() for axes in shown] == cohort.ids
    sizes = [f"{case.roi_size_mm / 1000:.1f} cm³" for case in cohort]
    assert [axes.get_xlabel() for axes in shown] == sizes
    for axes, case in zip(shown, cohort, strict=True):
        (outline,) = axes.collections[0].get_paths()
        largest = case.roi[case.roi.sum(axis=(1, 2)).argmax()]
        ys = np.flatnonzero(largest.any(axis=1))
        extent = outline.get_extents()
        assert extent.height == pytest.approx(ys[-1] - ys[0] + 1)
    assert not figure.axes[12].axison


def test_several_images_and_slices_and_broken_cases_have_their_pictures(drawn, tmp_path):
    both = Case({"T1": SLICE, "PET": SLICE[::2, ::2]}, {"T1": MASK, "PET": MASK[::2, ::2]}, "both", (1, 1))
    cases = [both, Case(tmp_path / "no.nii", tmp_path / "no_mask.nii", "broken"), Case(SLICE, MASK, "flat", (2, 2))]
    (figure,), _ = drawn(cases)
    assert [axes.get_title() for axes in figure.axes] == ["both", "both", "broken", "flat"]
    texts = [axes.get_xlabel() for axes in figure.axes]
    assert texts == ["T1 48 mm²", "PET 12 mm²", "FileUnreadableError", "192 mm²"]
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 0, 1]


def test_pictures_that_are_no_squares_are_drawn_without_messages(drawn, caplog):
    drawn([Case(SLICE[8:], MASK[8:], "wide", (1, 2)), Case(SLICE[:, 8:], MASK[:, 8:], "high", (2, 1))])
    assert not caplog.messages


def test_many_lesions_fill_several_pages(drawn):
    cases = [Case(SLICE, MASK, f"c{number}", (1, 1)) for number in range(5)]
    figures, names = drawn(cases, n_per_page=2)
    assert names == ["lesions.png", "lesions-2.png", "lesions-3.png"]
    assert [len(figure.axes) for figure in figures] == [2, 2, 1]


def test_other_masks_are_outlined_beside_those_of_the_cases(drawn):
    volume, mask = np.stack([SLICE] * 3), np.stack([MASK * 0, MASK, MASK * 0])
    other = np.stack([np.roll(MASK, 3, axis=1)] * 3) > 0
    other[1, :, 24:] = other[2] = False
    cases = [Case(volume, mask, name, (5, 1, 1)) for name in ("both", "nothing", "without", "apart")]
    apart = np.roll(other, 1, axis=0) & False
    apart[0] = True
    (figure,), _ = drawn(cases, masks={"both": other, "nothing": other & False, "apart": apart})
    dice = 2 * (other & (mask > 0)).sum() / (other.sum() + mask.sum())
    texts = [axes.get_xlabel() for axes in figure.axes]
    assert texts == [f"Dice {dice:.2f}", "Dice 0.00", "240 mm³", "Dice 0.00"]
    outlines = [[c.get_paths()[0].get_extents() for c in axes.collections] for axes in figure.axes]
    assert [len(each) for each in outlines] == [2, 1, 1, 1]  # in the slice with most of both
    own, automatic = outlines[0]
    assert (own.width, own.height) == (pytest.approx(8), pytest.approx(6))
    assert automatic.x0 == pytest.approx(own.x0 + 3)
    colours = [c.get_edgecolor()[0].tolist() for c in figure.axes[0].collections]
    assert colours[0] != colours[1]


def test_settings_out_of_range_are_refused(tmp_path):
    cases = [Case(SLICE, MASK, "a", (1, 1))]
    with pytest.raises(InputError, match="'path' parameter of write_montage must be a name that ends in .png"):
        write_montage(cases, tmp_path / "lesions.jpg")
    with pytest.raises(InputError, match="'n_per_page' parameter of write_montage must be an int >= 1"):
        write_montage(cases, tmp_path / "lesions.png", n_per_page=0)
