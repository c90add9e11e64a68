"""Lesions that have to be found: an intensity does not tell them from vessels and an organ."""

import numpy as np

import radiodeep as rd


def test_lesions_lie_anywhere_among_structures_as_bright():
    cohort = rd.make_study_cohort("cluttered", 8)
    again = rd.make_study_cohort("cluttered", 8)
    centres = []
    for case, other in zip(cohort, again, strict=True):
        np.testing.assert_array_equal(case.voxels, other.voxels)
        bright = case.voxels > 50
        assert bright[case.roi].mean() > 0.7
        assert 0.003 < case.roi.mean() < 0.03
        assert bright[~case.roi].sum() > case.roi.sum()
        centres.append(np.argwhere(case.roi).mean(axis=0))
    assert (np.std(centres, axis=0) * (2, 1.5, 1.5) > 5).all()  # mm
    brightest = [case.roi.ravel()[case.voxels.argmax()] for case in cohort]
    assert np.mean(brightest) < 0.7  # mostly in the organ
