"""Cases of bright balls whose masks are known, and segmenters of a few lines."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

import radiodeep as rd


class Above(BaseEstimator):
    """What is brighter than a level; `learns` makes the level that between region and surroundings of its cases."""

    def __init__(self, level=5.0, learns=False):
        self.level = level
        self.learns = learns

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.learns
        return tags

    def fit(self, cases, y=None):
        lesions = [case.lesion() for case in cases]
        self.patients_ = {case.patient for case in cases}
        self.level_ = self.level
        if self.learns:
            self.level_ = np.mean(
                [lesion.voxels[~lesion.roi].max() / 2 + lesion.voxels[lesion.roi].min() / 2 for lesion in lesions]
            )
        return self

    def predict(self, cases):
        assert not {case.patient for case in cases} & self.patients_
        return [case.lesion().voxels > self.level_ for case in cases]


def ball(number, shape=(7, 16, 16), spacing_mm=(2.0, 1.0, 1.0)):
    """Return a case of a ball of 10 within noise up to 1, whose size and place depend on its number."""
    z, y, x = np.indices(shape)
    roi = ((z - 3) * 2) ** 2 + (y - 7) ** 2 + (x - 7 - number % 3) ** 2 <= (3 + number % 4) ** 2
    voxels = 10.0 * roi + np.random.default_rng(number).random(shape)
    return rd.Case(voxels, roi, f"c{number:02d}", spacing_mm, patient=f"p{number // 2}", label=int(number % 4 > 1))


@pytest.fixture(scope="session")
def balls():
    """Twelve cases of six patients."""
    return rd.Cohort([ball(number) for number in range(12)])


@pytest.fixture
def above():
    return Above
