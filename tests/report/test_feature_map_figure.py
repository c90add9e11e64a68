"""The montage of a map: slices through the lesion, its colours, and the bar that tells what they mean."""

import numpy as np
import pytest

import radiodeep as rd
from radiodeep.exceptions import InputError

CASE = rd.make_phantom_cohort(1, random_state=0)[0]


@pytest.fixture(scope="module")
def contrast():
    return rd.feature_map(rd.RadiomicsExtractor(), CASE.replace(id="n $7$"), "original_glcm_Contrast")


def shown_slices(figure):
    """Return the number of each slice and the map that is drawn of it."""
    tiles = [axes for axes in figure.axes if axes.get_title().startswith("slice")]
    return {int(axes.get_title().split()[1]) - 1: axes.images[1].get_array() for axes in tiles}


def test_slices_run_evenly_through_the_lesion(contrast):
    figure = rd.feature_map_figure(contrast, n_slices=5)
    figure.canvas.draw()
    shown = shown_slices(figure)
    inside = np.flatnonzero(CASE.roi.any(axis=(1, 2)))
    assert len(shown) == 5
    assert set(shown) <= set(inside.tolist())
    assert np.ptp(np.diff(list(shown))) <= 1
    for number, drawn in shown.items():
        expected = contrast.values[number]
        assert drawn.compressed().tolist() == expected[np.isfinite(expected)].tolist()
    assert figure.get_suptitle() == r"n \$7\$: original_glcm_Contrast"


def test_there_are_at_most_twelve_tiles_and_no_more_than_slices(contrast):
    assert len(shown_slices(rd.feature_map_figure(contrast))) == 12
    inside = np.flatnonzero(CASE.roi.any(axis=(1, 2)))
    assert list(shown_slices(rd.feature_map_figure(contrast, n_slices=99))) == inside.tolist()


def test_the_colour_bar_names_feature_and_unit_and_is_pointed_where_values_lie_beyond(contrast):
    bar = rd.feature_map_figure(contrast).axes[-1]
    assert bar.get_ylabel() == "Contrast (glcm, original)"
    low, high = bar.get_ylim()
    np.testing.assert_allclose([low, high], np.percentile(contrast.values_in_roi, [2, 98]))
    variance = rd.feature_map(rd.RadiomicsExtractor(), CASE, "original_firstorder_Variance")
    assert rd.feature_map_figure(variance).axes[-1].get_ylabel() == "Variance (firstorder, original) in image units²"


def test_a_map_of_one_value_and_a_map_without_values_can_be_drawn():
    flat = CASE.replace(image=CASE.voxels * 0 + 5)
    mean = rd.feature_map(rd.RadiomicsExtractor(), flat, "original_firstorder_Mean")
    assert rd.feature_map_figure(mean).axes[-1].get_ylim() == (4.5, 5.5)
    scattered = np.zeros(CASE.roi.shape, bool)
    scattered[::4, ::4, ::4] = True
    empty = rd.feature_map(rd.RadiomicsExtractor(), CASE.replace(mask=scattered), "original_glcm_Contrast")
    assert np.isnan(empty.values).all()
    rd.feature_map_figure(empty).canvas.draw()


def test_sagittal_slices_have_the_head_at_the_top():
    order = (1, 2, 0)
    voxels = np.ascontiguousarray(CASE.voxels.transpose(order))
    case = rd.Case(voxels, np.ascontiguousarray(CASE.roi.transpose(order)), "s", spacing_mm=(1.0, 1.0, 1.5))
    mean = rd.feature_map(rd.RadiomicsExtractor(), case, "original_firstorder_Mean")
    for number, drawn in shown_slices(rd.feature_map_figure(mean, n_slices=3)).items():
        expected = mean.values[:, :, number][::-1]
        assert drawn.compressed().tolist() == expected[np.isfinite(expected)].tolist()


def test_the_line_below_tells_the_windows_and_new_voxels(contrast):
    assert rd.feature_map_figure(contrast).get_supxlabel() == "windows of radius 1 voxel"
    resampled = rd.feature_map(rd.RadiomicsExtractor(resample_mm=2.0), CASE, "original_firstorder_Mean", radius=2)
    text = "windows of radius 2 voxels, resampled to 2 x 2 x 2 mm (z, y, x)"
    assert rd.feature_map_figure(resampled).get_supxlabel() == text


def test_a_long_title_stays_within_the_figure(contrast):
    thin = np.zeros(CASE.roi.shape, bool)
    thin[12] = CASE.roi[12]
    for case_id in ("W" * 20, "patient-" * 12):
        case = CASE.replace(id=case_id, mask=thin)
        figure = rd.feature_map_figure(rd.feature_map(rd.RadiomicsExtractor(), case, "original_glcm_InverseVariance"))
        figure.canvas.draw()
        box = figure._suptitle.get_window_extent()
        assert box.x0 >= 0, case_id
        assert box.x1 <= figure.bbox.width, case_id
        first, second = figure.get_suptitle().split("\n")
        assert case_id.startswith(first.rstrip("…"))
        assert second == "original_glcm_InverseVariance"


def test_grey_is_that_of_the_voxels_that_can_be_seen():
    """A lesion far brighter than its surroundings would leave them black."""
    voxels = np.random.default_rng(0).normal(-800, 20, CASE.roi.shape)
    case = CASE.replace(image=np.where(CASE.roi, voxels + 900, voxels))
    mean = rd.feature_map(rd.RadiomicsExtractor(), case, "original_firstorder_Mean")
    low, high = rd.feature_map_figure(mean).axes[0].images[0].get_clim()
    assert -870 < low < -830
    assert -770 < high < -730
    whole = rd.feature_map(
        rd.RadiomicsExtractor(), case.replace(mask=np.ones(voxels.shape)), "original_firstorder_Mean"
    )
    rd.feature_map_figure(whole).canvas.draw()


def test_only_maps_are_drawn(contrast):
    with pytest.raises(InputError, match="'feature_map' parameter of feature_map_figure must be a FeatureMap"):
        rd.feature_map_figure(contrast.values)
    with pytest.raises(InputError, match="'n_slices' parameter of feature_map_figure must be an int >= 1"):
        rd.feature_map_figure(contrast, n_slices=0)
