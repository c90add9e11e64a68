"""Co-occurrence tables and features, by hand and from a slow plain version."""

import numpy as np
import pytest

from radiodeep.handcrafted import neighbours
from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.measurement import region_features
from radiodeep.handcrafted.neighbours import directions


def glcm_of(image, mask=None, spacing_mm=(1, 1, 1), **settings):
    image = np.asarray(image)
    mask = np.ones(image.shape, bool) if mask is None else mask
    values = region_features(image, mask, spacing_mm, families=["glcm"], **settings)
    return dict(zip([name.split("_")[1] for name in feature_names(["glcm"])], values, strict=True))


def plain_correlation_information_and_mcc(tables):
    """Mean over the directions of Correlation, Imc1, Imc2, MCC, straight from their definitions."""
    rows = []
    levels = np.arange(1, tables.shape[1] + 1)
    for table in tables:
        p = table / table.sum()
        px, py = p.sum(axis=1), p.sum(axis=0)
        ux, uy = levels @ px, levels @ py
        deviations = np.sqrt(((levels - ux) ** 2 @ px) * ((levels - uy) ** 2 @ py))
        outer = np.outer(px, py)
        some, cells = outer > 0, p > 0
        hxy = -(p[cells] * np.log2(p[cells])).sum()
        hxy1 = -(p[some] * np.log2(outer[some])).sum()
        hxy2 = -(outer[some] * np.log2(outer[some])).sum()
        hx = -(px[px > 0] * np.log2(px[px > 0])).sum()
        hy = -(py[py > 0] * np.log2(py[py > 0])).sum()
        kept = px > 0
        q = (p[kept] / np.where(py > 0, py, 1)) @ p[kept].T / px[kept][:, None]
        rows.append(
            [
                (levels - ux) @ p @ (levels - uy) / deviations,
                (hxy - hxy1) / max(hx, hy),
                np.sqrt(1 - np.exp(-2 * (hxy2 - hxy))),
                np.sqrt(np.sort(np.linalg.eigvals(q).real)[-2]),
            ]
        )
    return np.mean(rows, axis=0)


def test_grey_levels_that_do_not_occur_take_no_room(neighbourhoods_of):
    image = np.array([[[1, 1000, 1, 3000]]])
    neighbourhoods = neighbourhoods_of(image, image > 0)
    assert neighbourhoods.levels.values.tolist() == [1, 1000, 3000]
    assert neighbourhoods.direct_pairs[0].counts.shape == (13, 4, 4)
    assert glcm_of(image, bin_width=1, max_gray_levels=4000)["Contrast"] == pytest.approx((2 * 999**2 + 2999**2) / 3)


def test_a_row_of_four_voxels_gives_what_a_hand_gives():
    values = glcm_of([[[1, 1, 2, 4]]], bin_width=1)  # pairs 11, 12, 24: p11 = 1/3, p12 = p24 = 1/6
    expected = {
        "Autocorrelation": 1 / 3 + (2 + 8) / 3,
        "Contrast": 1 / 3 + 4 / 3,
        "DifferenceAverage": 1,
        "DifferenceEntropy": np.log2(3),
        "DifferenceVariance": 2 / 3,
        "Id": (1 + 1 / 2 + 1 / 3) / 3,
        "Idm": (1 + 1 / 2 + 1 / 5) / 3,
        "Idn": (1 + 1 / (1 + 1 / 4) + 1 / (1 + 2 / 4)) / 3,
        "Idmn": (1 + 1 / (1 + 1 / 16) + 1 / (1 + 4 / 16)) / 3,
        "InverseVariance": (1 + 1 / 4) / 3,
        "JointAverage": 1 / 2 + 2 / 3 + 4 / 6,
        "JointEnergy": 1 / 9 + 4 / 36,
        "JointEntropy": np.log2(3) / 3 + 4 / 6 * np.log2(6),
        "MaximumProbability": 1 / 3,
        "SumAverage": 11 / 3,
        "SumEntropy": np.log2(3),
        "ClusterTendency": np.var([2, 3, 6]),
        "ClusterShade": np.mean((np.array([2, 3, 6]) - 11 / 3) ** 3),
        "ClusterProminence": np.mean((np.array([2, 3, 6]) - 11 / 3) ** 4),
        "SumSquares": np.var([1, 1, 1, 2, 2, 4]),
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_levels_that_alternate_have_perfect_negative_correlation():
    values = glcm_of([[[1, 2, 1, 2, 1, 2, 1]]], bin_width=1)
    assert values["Correlation"] == pytest.approx(-1)
    assert values["MCC"] == pytest.approx(1)
    assert values["Imc1"] == pytest.approx(-1)


def test_levels_without_any_relation_have_no_correlation():
    image = [[[1, 1, 2, 2, 1]]]  # pairs 11, 12, 22, 21
    values = glcm_of(image, bin_width=1)
    assert values["Correlation"] == pytest.approx(0, abs=1e-12)
    assert values["MCC"] == pytest.approx(0, abs=1e-12)
    assert values["Imc2"] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("symmetrical", [True, False])
def test_correlation_information_and_mcc_follow_their_definitions(lesion, plain_tables, symmetrical):
    image, mask, _ = lesion
    box = np.s_[4:10, 8:16, 8:18]
    image, mask = image[box], mask[box]
    gray = np.floor(image / 40).astype(int)
    gray = gray - gray[mask].min() + 1
    gray[~mask] = 1
    tables = plain_tables(gray, mask, directions((1,)))
    if symmetrical:
        tables = tables + tables.transpose(0, 2, 1)
    values = glcm_of(image, mask, bin_width=40, symmetrical_glcm=symmetrical)
    ours = [values[name] for name in ("Correlation", "Imc1", "Imc2", "MCC")]
    np.testing.assert_allclose(ours, plain_correlation_information_and_mcc(tables), rtol=1e-9)


def test_directions_without_a_pair_do_not_enter_the_mean():
    line = np.array([[[1, 3, 2, 2, 1, 3]]])
    padded = np.pad(line, ((1, 1), (1, 1), (1, 1)))
    values = glcm_of(padded, padded > 0, bin_width=1)
    assert values["Contrast"] == pytest.approx((4 + 1 + 0 + 1 + 4) / 5)


def test_tables_too_large_to_be_held_together_give_the_same_values(lesion, monkeypatch):
    image, mask, spacing_mm = lesion
    for norm in (None, "euclidean"):
        expected = glcm_of(image, mask, spacing_mm, weighting_norm=norm)
        monkeypatch.setattr(neighbours, "_TABLE_BYTES", 20_000)
        assert glcm_of(image, mask, spacing_mm, weighting_norm=norm) == pytest.approx(expected, rel=1e-12)
        monkeypatch.undo()


def test_added_tables_without_weights_hold_every_pair_once():
    image = np.array([[[1, 2], [2, 2]]])
    # x: 12, 22; y: 12, 22; diagonals: 12, 22 -> half of the pairs differ by one
    assert glcm_of(image, bin_width=1, weighting_norm="no_weighting")["Contrast"] == pytest.approx(0.5)


def test_weights_favour_short_steps():
    image = np.array([[[1, 2], [1, 2]]])  # y: no contrast; x and diagonals: 1
    pairs = {"infinity": 4.0, "euclidean": 4.25, "manhattan": 2.5**2}
    for norm, diagonal in pairs.items():
        x, y, diagonal = np.exp(-0.25), np.exp(-4.0), np.exp(-diagonal)
        expected = (2 * x + 2 * diagonal) / (2 * x + 2 * y + 2 * diagonal)
        values = glcm_of(image, spacing_mm=(1, 2, 0.5), bin_width=1, weighting_norm=norm)
        assert values["Contrast"] == pytest.approx(expected)
