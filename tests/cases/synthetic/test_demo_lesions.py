"""Lesions of the demo differ in two properties only."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import radiodeep as rd
from radiodeep.cases.synthetic.demo_lesions import SHAPE, draw_demo_lesion


def _lesion(seed, across, centre):
    drawn = draw_demo_lesion(np.random.default_rng(seed), (across, centre))
    return drawn["image"].astype(float), drawn["mask"] > 0, drawn["truth"]


def _middle_and_border(image, mask):
    distance = np.linalg.norm((np.argwhere(mask) - np.argwhere(mask).mean(axis=0)) * (2.0, 1.0, 1.0), axis=1)
    values = image[mask]
    return values[distance < np.quantile(distance, 0.3)].mean(), values[distance > np.quantile(distance, 0.7)].mean()


@pytest.mark.parametrize("seed", range(3))
def test_only_the_place_of_bright_voxels_tells_the_brightness_of_the_centre(seed):
    dark, bright = _lesion(seed, 0.0, -1.0), _lesion(seed, 0.0, 1.0)
    for values in zip(*([image[mask].mean(), image[mask].std()] for image, mask, _ in (dark, bright)), strict=True):
        assert values[0] == pytest.approx(values[1], rel=0.02)
    middle, border = _middle_and_border(*bright[:2])
    assert middle > border + 20
    middle, border = _middle_and_border(*dark[:2])
    assert middle < border - 20


@pytest.mark.parametrize("seed", range(3))
def test_the_texture_across_the_slices_does_not_show_in_a_slice(seed):
    def neighbours(image, mask, axis):
        both = np.logical_and(np.delete(mask, 0, axis), np.delete(mask, -1, axis))
        return np.corrcoef(np.delete(image, 0, axis)[both], np.delete(image, -1, axis)[both])[0, 1]

    short, long = _lesion(seed, -1.0, 0.0), _lesion(seed, 1.0, 0.0)
    assert neighbours(*long[:2], axis=0) > neighbours(*short[:2], axis=0) + 0.4
    assert neighbours(*long[:2], axis=2) == pytest.approx(neighbours(*short[:2], axis=2), abs=0.1)
    assert short[0].shape == SHAPE


def test_size_says_nothing_and_the_truth_has_the_stated_auc():
    from sklearn.metrics import roc_auc_score

    cohort = rd.make_study_cohort("demo", 200, random_state=1)
    assert cohort.labels.mean() == 0.5
    volumes = [case.mask.sum() for case in cohort]
    assert abs(roc_auc_score(cohort.labels, volumes) - 0.5) < 0.1
    assert roc_auc_score(cohort.labels, cohort.frame["log_odds"]) == pytest.approx(0.92, abs=0.04)
    assert abs(spearmanr(volumes, cohort.frame["across_mm"]).statistic) < 0.15
