"""Masks of a cohort that somebody gives are compared with its own."""

import numpy as np
import pytest

import radiodeep as rd
from radiodeep.exceptions import GeometryMismatchError, InputError


def moved(case):
    return np.roll(case.roi, 1, axis=2)


def test_masks_can_be_given_as_arrays_a_mapping_or_a_cohort(balls):
    listed = [moved(case) for case in balls]
    by_id = {case.id: moved(case) for case in reversed(list(balls))}
    others = rd.Cohort([case.replace(mask=moved(case)) for case in reversed(list(balls))])
    found = [rd.mask_agreement(balls, masks, n_resamples=50) for masks in (listed, by_id, others)]
    packed = rd.mask_agreement(balls, found[0].masks["automatic"], n_resamples=50)
    for evidence in [*found, packed]:
        assert evidence.cases.equals(found[0].cases)
        np.testing.assert_array_equal(evidence.masks["automatic"]["c05"], moved(balls[5]))
    assert found[0].cases["dice"].between(0.5, 0.95).all()
    assert found[0].cv == "given masks"
    assert "training" not in str(found[0])


def test_empty_masks_count_whoever_made_them(balls):
    nothing = np.zeros_like(balls[0].roi)
    of_arrays = rd.mask_agreement(balls[:3], [nothing] * 3, n_resamples=20)
    of_cases = rd.mask_agreement(balls[:3], [case.replace(mask=nothing) for case in balls[:3]], n_resamples=20)
    assert of_arrays.cases.equals(of_cases.cases)
    assert of_arrays.table.loc[("automatic", "hd95_mm"), ["value", "low", "high"]].tolist() == [np.inf] * 3
    assert not of_cases.masks["automatic"]["c00"].any()


def test_files_stored_in_another_order_are_compared_where_they_lie(balls, tmp_path):
    import SimpleITK as sitk

    rd.write_cohort(balls[:3], tmp_path / "one")
    cohort = rd.read_cohort(tmp_path / "one" / "manifest.csv")
    for case in cohort:
        for path in (case.image, case.mask):
            sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "SAR"), str(tmp_path / path.name))
    turned = rd.Cohort([c.replace(image=tmp_path / c.image.name, mask=tmp_path / c.mask.name) for c in cohort])
    assert turned[0].stored_axes().is_anatomical is False
    assert (rd.mask_agreement(cohort, turned, n_resamples=5).cases["dice"] == 1).all()
    masked = rd.with_masks(turned, [moved(case) for case in turned])
    np.testing.assert_array_equal(masked[1].lesion().roi, moved(turned[1]))
    np.testing.assert_array_equal(masked[1].lesion().voxels, turned[1].voxels)
    back = rd.read_cohort(rd.write_cohort(masked, tmp_path / "masked"))
    np.testing.assert_array_equal(back[2].roi, moved(turned[2]))
    assert back.patients == cohort.patients


def test_cases_that_cannot_be_compared_are_named_or_left_out(balls):
    wrong = [moved(case) for case in balls]
    wrong[4] = wrong[4][:, :-1]
    with pytest.raises(GeometryMismatchError, match=r"c04: the mask is on another grid .* resample the mask"):
        rd.mask_agreement(balls, wrong)
    evidence = rd.mask_agreement(balls, wrong, on_error="record", n_resamples=20)
    assert list(evidence.excluded) == ["c04"]
    assert len(evidence.cases) == 11
    coarse = [case.replace(mask=moved(case), spacing_mm=(2, 1, 1.5)) for case in balls]
    with pytest.raises(GeometryMismatchError, match=r"c00: .*of 2 x 1 x 1.5 mm. Expected .* of 2 x 1 x 1 mm"):
        rd.mask_agreement(balls, coarse)
    with pytest.raises(InputError, match="None of the 2 cases can be compared. GeometryMismatchError: c00"):
        rd.mask_agreement(balls[:2], [mask[1:] for mask in wrong[:2]], on_error="record")


def test_masks_that_do_not_belong_to_the_cases_are_refused(balls):
    with pytest.raises(InputError, match="Expected one mask per case. Got 2 masks of 12 cases"):
        rd.mask_agreement(balls, [moved(case) for case in balls[:2]])
    with pytest.raises(InputError, match="10 of 12 cases have no mask, the first is 'c02'"):
        rd.mask_agreement(balls, {case.id: moved(case) for case in balls[:2]})
    with pytest.raises(InputError, match="c00: a mask must be an array of bools. Got int64; take mask > 0"):
        rd.mask_agreement(balls, [moved(case) * 1 for case in balls])


def test_slices_have_an_area(balls):
    slices = [
        rd.Case(case.voxels[3], case.roi[3], case.id, case.spacing_mm[1:], patient=case.patient) for case in balls[:4]
    ]
    evidence = rd.mask_agreement(slices, [np.roll(case.roi, 1, axis=1) for case in slices], n_resamples=20)
    assert set(evidence.cases["unit"]) == {"mm²"}
    assert evidence.cases["hd95_mm"].max() == 1
    assert "mm², median" in str(evidence)
    assert "<p>4 cases of 2 patients" in evidence._repr_html_()
