"""Scanner effects of phantoms: what each does to the voxels, and what they do to a study."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import (
    BatchHarmonizer,
    RadiomicsExtractor,
    Scanner,
    cross_validated_auc,
    extract_table,
    make_phantom_cohort,
    with_scanner_effect,
)
from radiodeep.exceptions import InputError, StudyError


def test_a_scanner_scales_shifts_blurs_and_adds_noise():
    cohort = make_phantom_cohort(3, random_state=0)
    scanners = {"plain": Scanner(), "strong": Scanner(gain=1.5, offset=-20, blur_mm=1.2), "loud": Scanner(noise=9)}
    seen = with_scanner_effect(cohort, scanners, scanners)
    np.testing.assert_array_equal(seen[0].voxels, cohort[0].voxels)
    blurred = gaussian_filter(cohort[1].voxels.astype(float), (0.8, 1.2, 1.2), mode="nearest")  # spacing 1.5, 1, 1
    np.testing.assert_allclose(seen[1].voxels, 1.5 * blurred - 20, atol=0.5)
    noise = seen[2].voxels - cohort[2].voxels.astype(float)
    assert (noise.mean(), noise.std()) == pytest.approx((0, 9), abs=0.1)
    assert seen[1].voxels.dtype == cohort[1].voxels.dtype
    for case, other in zip(seen, cohort, strict=True):
        np.testing.assert_array_equal(case.roi, other.roi)
        assert case.label == other.label
    assert [case.clinical["centre"] for case in seen] == seen.frame["centre"].tolist() == list(scanners)


def test_the_same_seed_gives_the_same_voxels_and_values_stay_in_the_type_of_the_image():
    cohort = make_phantom_cohort(2, random_state=0)
    seen = [with_scanner_effect(cohort, ["A", "B"], random_state=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(seen[0][1].voxels, seen[1][1].voxels)
    assert (seen[0][1].voxels != seen[2][1].voxels).mean() > 0.5
    bright = with_scanner_effect(cohort, ["A", "A"], {"A": Scanner(gain=1000)})
    assert bright[0].voxels.max() == np.iinfo(np.int16).max
    as_floats = cohort[0].replace(image=cohort[0].voxels / 7)
    assert with_scanner_effect([as_floats], ["A"], {"A": Scanner(gain=0.01)})[0].voxels.dtype == float


def test_scanners_and_centres_that_do_not_fit_are_named():
    cohort = make_phantom_cohort(2, random_state=0)
    with pytest.raises(InputError, match="there are 2 cases and 1 centres"):
        with_scanner_effect(cohort, ["A"])
    with pytest.raises(InputError, match="'scanners' parameter .* a Scanner for the centre 'B'"):
        with_scanner_effect(cohort, ["A", "B"], {"A": Scanner()})
    with pytest.raises(InputError, match="'gain' parameter of Scanner must be a number > 0. Got 0"):
        Scanner(gain=0)
    with pytest.raises(InputError, match="'noise' parameter of Scanner must be a number >= 0"):
        Scanner(noise=-1)
    with pytest.raises(InputError, match="'offset' parameter of Scanner must be a finite number"):
        Scanner(offset=np.nan)


def test_a_study_takes_the_centre_of_its_cases_by_name():
    cohort = with_scanner_effect(make_phantom_cohort(16, random_state=1), ["A", "A", "B", "B"] * 4)
    model = make_pipeline(RadiomicsExtractor(families=["firstorder"]), StandardScaler(), LogisticRegression())
    result = cross_validated_auc(model, cohort, cohort.labels, cv="leave-one-centre-out", centres="centre")
    assert result.centres["n"].to_dict() == {"A": 8, "B": 8}
    with pytest.raises(StudyError, match="have no column 'site'. Theirs are: centre. Or pass one value per case"):
        cross_validated_auc(model, cohort, cohort.labels, cv="leave-one-centre-out", centres="site")


def studied(cohort, centres):
    """Return the AUC of repeated folds, of leave-one-centre-out, and of that with ComBat."""
    table = extract_table(RadiomicsExtractor(bin_width=20, families=["firstorder", "glcm"]), cohort)
    centres = pd.Series(centres, index=table.index)
    model = make_pipeline(StandardScaler(), SelectKBest(k=4), LogisticRegression())
    by_centre = {"cv": "leave-one-centre-out", "centres": centres, "size": None}
    even = make_pipeline(BatchHarmonizer(centres, unseen="unadjusted"), model)
    return [
        cross_validated_auc(model, table, cohort.labels, cv=5, size=None).auc,
        cross_validated_auc(model, table, cohort.labels, **by_centre).auc,
        cross_validated_auc(even, table, cohort.labels, **by_centre).auc,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_an_effect_that_follows_the_label_deceives_folds_and_is_unmasked_by_centres(seed):
    cohort = make_phantom_cohort(120, random_state=seed)
    rng = np.random.default_rng(seed)
    scanners = {
        name: Scanner(gain=1 + offset / 400, offset=offset, noise=4, blur_mm=0.5)
        for name, offset in {"A": 0, "B": 15, "C": 80, "D": 110}.items()
    }
    free = rng.permutation(np.repeat(list("ABCD"), 30))
    is_late = rng.random(120) < np.where(cohort.labels == 1, 0.85, 0.15)
    following = np.where(is_late, rng.choice(["C", "D"], 120), rng.choice(["A", "B"], 120))
    plain, by_centre, even = studied(cohort, free)
    assert max(abs(by_centre - plain), abs(even - plain)) < 0.03
    folds, by_centre, even = studied(with_scanner_effect(cohort, free, scanners), free)
    assert max(abs(folds - plain), abs(by_centre - plain), abs(even - plain)) < 0.06
    folds, by_centre, even = studied(with_scanner_effect(cohort, following, scanners), following)
    assert folds > plain + 0.1
    assert by_centre < plain - 0.04
    assert by_centre + 0.04 < even < plain + 0.03
