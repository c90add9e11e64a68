"""Habitats: learned from training lesions only, the same as voxel by voxel, and seen where nothing else differs."""

import math
import pickle
from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep.exceptions import GeometryMismatchError, InputError, MissingImageError, RadiodeepWarning
from radiodeep.features import habitat_regions
from radiodeep.features.habitat_clusters import Clusters
from radiodeep.features.habitat_regions import HabitatRegion
from radiodeep.features.several_images import MeasuredImages


def ball(shape, radius):
    axes = np.meshgrid(*[np.arange(size) - (size - 1) / 2 for size in shape], indexing="ij")
    return sum((axis / r) ** 2 for axis, r in zip(axes, radius, strict=True)) <= 1


def two_sequences(number, label, agreement=0.0, patch=1.5, shape=(7, 16, 16), unit=True):
    """Return a lesion of which one half is bright in T1 and one half in T2.

    With `agreement` 1 they are the same half, with 0 they overlap by chance, so that all four mixtures are of one size.
    `patch` is the size of bright patches. Contrast and offset are random, as in MR, unless there is a `unit`.
    """
    rng = np.random.default_rng(number)
    roi = ball(shape, [max(size, 2) * rng.uniform(0.38, 0.48) for size in shape])
    fields = gaussian_filter(rng.standard_normal((2, *shape)), [0, *(0 if size == 1 else patch for size in shape)])
    bright = np.zeros((2, *shape), bool)
    bright[0][roi] = fields[0][roi] > np.median(fields[0][roi])
    for half, share in ((roi & bright[0], (1 + agreement) / 2), (roi & ~bright[0], (1 - agreement) / 2)):
        bright[1][half] = fields[1][half] > np.quantile(fields[1][half], 1 - share)
    images = {}
    for name, is_bright in zip(("T1", "T2"), bright, strict=True):
        image = np.where(roi, 60.0 + 40.0 * is_bright, 20.0) + 6.0 * rng.standard_normal(shape)
        gain, offset = (1, 0) if unit else (rng.uniform(0.5, 3), rng.uniform(-30, 60))
        images[name] = np.round(gain * image + offset).astype(np.int16)
    return rd.Case(images, roi, f"c-{number:03d}", spacing_mm=(3.0, 1.5, 1.0), label=label)


def lloyd(values, centres):
    """Return where k-means ends from given centres, and its sum of squares."""
    while True:
        squares = np.stack([((values - centre) ** 2).sum(axis=1) for centre in centres])
        members = [values[squares.argmin(axis=0) == number] for number in range(len(centres))]
        moved = np.array([voxels.mean(axis=0) if len(voxels) else values[0] for voxels in members])
        if np.allclose(moved, centres, rtol=0, atol=1e-12):
            return moved, squares.min(axis=0).sum()
        centres = moved


def assert_best_k_means(values, found, n_starts=20):
    """Check that centres are an end of k-means, with a sum of squares as low as the best of many others."""
    end, squares = lloyd(values, found)
    np.testing.assert_allclose(found, end, atol=1e-9)
    rng = np.random.default_rng(0)
    starts = [values[rng.choice(len(values), len(found), replace=False)] for _ in range(n_starts)]
    assert squares < 1.002 * min(lloyd(values, start)[1] for start in starts)


def plain_z_scores(case, names):
    """Return z-scores within the lesion by voxel: {(z, y, x): [one per image]}."""
    places = [tuple(place) for place in np.argwhere(case.of_image(names[0]).roi).tolist()]
    columns = []
    for name in names:
        voxels = [float(case.of_image(name).voxels[place]) for place in places]
        mean = sum(voxels) / len(voxels)
        deviation = math.sqrt(sum((voxel - mean) ** 2 for voxel in voxels) / len(voxels))
        columns.append([(voxel - mean) / deviation for voxel in voxels])
    return dict(zip(places, map(list, zip(*columns, strict=True)), strict=True))


def plain_row(case, names, z_scores, centres, slice_axis=0):
    """Return the features of a case by name."""
    habitats = {}
    for place, values in z_scores.items():
        distances = [sum((a - b) ** 2 for a, b in zip(values, centre, strict=True)) for centre in centres]
        habitats[place] = distances.index(min(distances)) + 1
    row = {}
    spacing = case.of_image(names[0]).spacing_mm
    for k in range(1, len(centres) + 1):
        places = [place for place in habitats if habitats[place] == k]
        sizes = plain_parts(places)
        row[f"habitat{k}_Share"] = len(places) / len(habitats)
        row[f"habitat{k}_PartCount"] = len(sizes)
        row[f"habitat{k}_LargestPartShare"] = max(sizes, default=0) / max(len(places), 1)
        for other in range(k + 1, len(centres) + 1):
            area = plain_border(habitats, k, other, spacing)
            row[f"habitat{k}_habitat{other}_BorderDensity"] = area / (len(habitats) * math.prod(spacing))
        for number, name in enumerate(names):
            values = [z_scores[place][number] for place in places]
            mean = sum(values) / len(values)
            row[f"{name}_habitat{k}_Mean"] = mean
            row[f"{name}_habitat{k}_StandardDeviation"] = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
            image = case.of_image(name).voxels
            found = Counter(plain_pattern(image, place, habitats, slice_axis) for place in places)
            total = sum(count for pattern, count in found.items() if pattern is not None)
            for pattern in range(10):
                title = f"Uniform{pattern}" if pattern < 9 else "NonUniform"
                row[f"{name}_habitat{k}_lbp2D_P8R1{title}"] = found[pattern] / max(total, 1)
    return row


def plain_parts(places):
    """Return the sizes of the parts of voxels that touch by face, edge or corner."""
    left, sizes = set(places), []
    while left:
        reached = [left.pop()]
        for z, y, x in reached:
            for dz, dy, dx in product((-1, 0, 1), repeat=3):
                if (z + dz, y + dy, x + dx) in left:
                    left.remove((z + dz, y + dy, x + dx))
                    reached.append((z + dz, y + dy, x + dx))
        sizes.append(len(reached))
    return sizes


def plain_border(habitats, first, second, spacing):
    area = 0.0
    for place, habitat in habitats.items():
        for axis in range(3):
            beyond = tuple(index + (number == axis) for number, index in enumerate(place))
            if {habitat, habitats.get(beyond)} == {first, second}:
                area += math.prod(spacing) / spacing[axis]
    return area


def plain_pattern(image, place, region, slice_axis):
    """Return the number of the 8 points at a distance of 1 that are not below, 9 if not uniform, None at the border."""
    row, column = (axis for axis in range(3) if axis != slice_axis)

    def at(dr, dc):
        moved = list(place)
        moved[row] += dr
        moved[column] += dc
        return tuple(moved)

    if any(at(dr, dc) not in region for dr, dc in product((-1, 0, 1), repeat=2)):
        return None
    centre = float(image[place])
    signs = []
    for k in range(8):
        dr, dc = math.sin(2 * math.pi * k / 8), math.cos(2 * math.pi * k / 8)
        r, c = math.floor(round(dr, 9)), math.floor(round(dc, 9))
        fr, fc = round(dr, 9) - r, round(dc, 9) - c
        corners = [
            (r, c, (1 - fr) * (1 - fc)),
            (r, c + 1, (1 - fr) * fc),
            (r + 1, c, fr * (1 - fc)),
            (r + 1, c + 1, fr * fc),
        ]
        value = sum(weight * (float(image[at(i, j)]) - centre) for i, j, weight in corners if weight > 1e-6)
        signs.append(value >= -1e-6)
    changes = sum(signs[k] != signs[k - 1] for k in range(8))
    return sum(signs) if changes <= 2 else 9


NAMES = ("T1", "T2")
CASES = [two_sequences(number, number % 2, unit=False) for number in range(8)]
ALL_VOXELS = 10**6


def changed(case, **voxels):
    return case.replace(image={**case.image, **voxels})


@pytest.mark.parametrize("shape", [(7, 16, 16), (1, 24, 24), (16, 7, 16)])
@pytest.mark.parametrize("names", [("T1", "T2"), ("T2",)])
def test_rows_are_those_of_a_slow_plain_version(names, shape):
    cases = [two_sequences(number, 0, shape=shape) for number in range(3)]
    extractor = rd.HabitatExtractor(image=names, max_voxels=ALL_VOXELS)
    rows = extractor.fit_transform(cases)
    z_scores = [plain_z_scores(case, names) for case in cases]
    values = np.concatenate([list(scores.values()) for scores in z_scores])
    assert_best_k_means(values, extractor.centres_)
    columns = extractor.get_feature_names_out()
    for case, scores, row in zip(cases, z_scores, rows, strict=True):
        expected = plain_row(case, names, scores, extractor.centres_.tolist())
        assert set(expected) == set(columns)
        np.testing.assert_allclose(row, [expected[name] for name in columns], atol=1e-9)


def test_a_mixture_assigns_voxels_to_the_most_probable_gaussian():
    extractor = rd.HabitatExtractor(method="gaussian", n_habitats=4).fit(CASES)
    scores = plain_z_scores(CASES[0], NAMES)
    densities = [
        weight * multivariate_normal(mean, covariance).pdf(list(scores.values()))
        for weight, mean, covariance in zip(extractor.weights_, extractor.centres_, extractor.covariances_, strict=True)
    ]
    habitat_map = extractor.habitat_map(CASES[0])
    np.testing.assert_array_equal(habitat_map[tuple(np.transpose(list(scores)))], np.argmax(densities, axis=0) + 1)


def test_the_map_is_0_outside_the_region_and_has_the_shares_of_the_row():
    extractor = rd.HabitatExtractor().fit(CASES)
    habitat_map = extractor.habitat_map(CASES[0])
    roi = CASES[0].of_image("T1").roi
    assert habitat_map.shape == roi.shape
    np.testing.assert_array_equal(habitat_map > 0, roi)
    shares = np.bincount(habitat_map[roi], minlength=4)[1:] / roi.sum()
    np.testing.assert_allclose(extractor.transform(CASES[:1])[0, :3], shares)


@pytest.mark.parametrize("image", [("T1", "T2"), ("T2", "T1")])
def test_habitats_are_ordered_by_the_first_image(image):
    cases = [changed(case, T2=300 - case.image["T1"]) for case in CASES]  # the one is bright where the other is dark
    extractor = rd.HabitatExtractor(image=image, n_habitats=2).fit(cases)
    assert extractor.centres_[0, 0] < extractor.centres_[1, 0]
    first = cases[0].of_image(image[0]).voxels
    habitat_map = extractor.habitat_map(cases[0])
    assert first[habitat_map == 1].mean() < first[habitat_map == 2].mean()


def test_habitats_that_are_alike_in_the_first_image_are_ordered_by_the_next():
    rng = np.random.default_rng(0)
    middles = np.array([[2.0, 0.0, 1.0], [0.1, 1.0, 0.5], [0.0, 1.1, 0.0], [0.05, -1.0, 3.0]])
    values = np.concatenate([middle + 0.05 * rng.standard_normal((50, 3)) for middle in middles])
    for method in ("kmeans", "gaussian"):
        found = Clusters.of(values, 4, method, 0)
        np.testing.assert_allclose(found.centres, middles[[3, 2, 1, 0]], atol=0.03)
        np.testing.assert_allclose(found.deviations, 0.05, rtol=0.4)
        np.testing.assert_allclose(found.weights, 0.25, atol=1e-6)
        np.testing.assert_array_equal(found.nearest(middles), [3, 2, 1, 0])


def test_by_lesion_neither_contrast_nor_offset_matters_and_over_the_cohort_both_do():
    brighter = [changed(case, T2=case.image["T2"] * 3.0 + 50) for case in CASES[:2]]
    relative = rd.HabitatExtractor().fit(CASES)
    np.testing.assert_allclose(relative.transform(brighter), relative.transform(CASES[:2]), atol=1e-9)
    mixed = rd.HabitatExtractor(scale={"T1": "lesion", "T2": "cohort"}).fit(CASES)
    assert not np.allclose(mixed.transform(brighter), mixed.transform(CASES[:2]))
    values = np.concatenate([case.of_image("T2").voxels[case.of_image("T2").roi][:] for case in CASES]).astype(float)
    whole = rd.HabitatExtractor(scale={"T1": "lesion", "T2": "cohort"}, max_voxels=ALL_VOXELS).fit(CASES)
    np.testing.assert_allclose(whole.cohort_scale_, [[0, 1], [values.mean(), values.std()]])


def test_an_absent_habitat_has_no_voxels_and_the_intensities_of_training():
    extractor = rd.HabitatExtractor(image="T1", n_habitats=2, scale="cohort").fit(CASES)
    roi = CASES[0].of_image("T1").roi
    dark = changed(CASES[0], T1=np.where(roi, -1000, 0))
    row = dict(zip(extractor.get_feature_names_out(), extractor.transform([dark])[0], strict=True))
    assert np.isfinite(list(row.values())).all()
    assert (row["habitat1_Share"], row["habitat2_Share"], row["habitat2_PartCount"]) == (1, 0, 0)
    assert (row["habitat2_LargestPartShare"], row["habitat1_habitat2_BorderDensity"]) == (0, 0)
    assert row["T1_habitat2_Mean"] == extractor.centres_[1, 0]
    assert row["T1_habitat2_StandardDeviation"] == extractor.deviations_[1, 0]
    assert row["T1_habitat2_lbp2D_P8R1Uniform4"] == 0
    bright = changed(CASES[0], T1=np.where(roi, 1000, 0))
    row = dict(zip(extractor.get_feature_names_out(), extractor.transform([bright])[0], strict=True))
    assert (row["habitat1_PartCount"], row["habitat2_PartCount"], row["habitat2_LargestPartShare"]) == (0, 1, 1)


def test_large_lesions_do_not_decide_alone():
    large = two_sequences(20, 0, shape=(9, 60, 60))
    small = two_sequences(21, 0, shape=(5, 12, 12))
    sizes = [case.of_image("T1").roi.sum() for case in (large, small)]
    assert sizes[0] > 30 * sizes[1]
    extractor = rd.HabitatExtractor(scale="cohort", max_voxels=80).fit(
        [changed(large, T1=large.image["T1"] + 1000), small]
    )
    assert extractor.cohort_scale_[0, 0] == pytest.approx(580, abs=20)  # the middle of 1080 and 80


def test_the_drawn_voxels_of_a_lesion_do_not_depend_on_its_name_or_place():
    images = MeasuredImages(NAMES, True)
    first, same, other = (
        HabitatRegion.of(case, images, False).sample(50, 0) for case in (CASES[0], CASES[0].replace(id="b"), CASES[1])
    )
    np.testing.assert_array_equal(first, same)
    assert len(np.unique(first)) == 50
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, HabitatRegion.of(CASES[0], images, False).sample(50, 1))


def test_the_drawn_voxels_of_a_lesion_do_not_depend_on_its_type_or_field_of_view():
    images = MeasuredImages(NAMES, True)
    of_floats = changed(CASES[0], **{name: CASES[0].image[name].astype(np.float64) for name in NAMES})
    roi = CASES[0].of_image("T1").roi
    wider = changed(CASES[0], **{name: np.pad(CASES[0].image[name], 3) for name in NAMES}).replace(mask=np.pad(roi, 3))
    first, *others = (HabitatRegion.of(case, images, False).sample(50, 0) for case in (CASES[0], of_floats, wider))
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("level", [0.1, 1 / 3, 123.456])
def test_all_flat_lesions_are_of_the_mean_habitat(level):
    roi = CASES[0].of_image("T1").roi
    flat = rd.Case({name: np.full(roi.shape, level) for name in NAMES}, roi, "flat", spacing_mm=(3.0, 1.5, 1.0))
    extractor = rd.HabitatExtractor(n_habitats=4).fit(CASES)
    nearest = (extractor.centres_**2).sum(axis=1).argmin() + 1
    np.testing.assert_array_equal(np.unique(extractor.habitat_map(flat)), [0, nearest])
    half = [changed(case, T2=np.full(roi.shape, level)) for case in CASES]
    assert rd.HabitatExtractor(scale="cohort").fit(half).cohort_scale_[1].tolist() == [level, 1.0]


def test_a_region_of_one_voxel_is_refused_by_its_name():
    dot = np.zeros((7, 16, 16), bool)
    dot[3, 8, 8] = True
    extractor = rd.HabitatExtractor(features=["parts"]).fit(CASES)
    with pytest.raises(InputError, match="^c-000: The region has 1 voxel"):
        extractor.transform([CASES[0].replace(mask=dot)])


@pytest.mark.parametrize("scale", ["cohort", {"T1": "cohort", "T2": "lesion"}])
def test_habitats_over_the_cohort_need_intensities_of_one_unit(scale):
    needs = {"spacing", "plane"}
    assert rd.HabitatExtractor().acquisition_needs() == needs
    assert rd.HabitatExtractor(scale=scale).acquisition_needs() == needs | {"intensity_unit"}


class TestMissingImages:
    LACKING = CASES[0].replace(image={"T1": CASES[0].image["T1"], "T2": None}, id="lacking")

    def test_a_case_without_an_image_has_a_row_of_nan_and_is_not_learned_from(self):
        extractor = rd.HabitatExtractor().fit([self.LACKING, *CASES])
        rows = extractor.transform([self.LACKING, CASES[0]])
        np.testing.assert_array_equal(np.isnan(rows).all(axis=1), [True, False])
        assert np.isfinite(rows[1]).all()
        np.testing.assert_array_equal(extractor.centres_, rd.HabitatExtractor().fit(CASES).centres_)
        assert list(extractor.missing_images([CASES[0], self.LACKING])) == [1]

    def test_it_has_no_map(self):
        with pytest.raises(MissingImageError, match=r"lacking: there is no image 'T2'; it has T1\."):
            rd.HabitatExtractor().fit(CASES).habitat_map(self.LACKING)

    def test_a_cohort_without_complete_cases_cannot_be_learned_from(self):
        other = CASES[1].replace(image={"T1": None, "T2": CASES[1].image["T2"]})
        with pytest.raises(InputError, match="No case of 2 has all images that habitats need, 'T1' and 'T2'"):
            rd.HabitatExtractor().fit([self.LACKING, other])


def test_images_of_different_grids_are_refused_with_the_way_out():
    coarse = CASES[0].image["T2"][:, ::2, ::2]
    roi = CASES[0].of_image("T1").roi
    spacing_mm = {"T1": (3.0, 1.5, 1.0), "T2": (3.0, 3.0, 2.0)}
    masks = {"T1": roi, "T2": roi[:, ::2, ::2]}
    case = CASES[0].replace(image={**CASES[0].image, "T2": coarse}, mask=masks, spacing_mm=spacing_mm)
    message = (
        r"^c-000: the images 'T1' and 'T2' have different grids: 16x16x7 .* 8x8x7 .*on_one_grid\(cohort, image='T1'\)"
    )
    with pytest.raises(GeometryMismatchError, match=message):
        rd.HabitatExtractor().fit([case])
    masks = {"T1": roi, "T2": np.roll(roi, 1, axis=2)}
    with pytest.raises(GeometryMismatchError, match="^c-000: .* masks that differ.*one mask"):
        rd.HabitatExtractor().fit([CASES[0].replace(mask=masks)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_habitats": 21}, "'n_habitats' .* int from 2 to 20"),
        ({"method": "otsu"}, "'method' .* kmeans, gaussian"),
        ({"scale": "image"}, "'scale' .* lesion, cohort"),
        ({"scale": {"T1": "lesion"}}, "'scale' .* a dict with the images 'T1' and 'T2'"),
        ({"features": ["shares"]}, "'features' .* share, parts, firstorder, border, lbp"),
        ({"features": []}, "'features'"),
        ({"features": [["share"]]}, "'features'"),
        ({"features": ["share", "share"]}, "'features'"),
        ({"random_state": 2**32}, "'random_state' .* int >= 0 and <= 4294967295"),
        ({"max_voxels": 0}, "'max_voxels' .* int >= 1"),
        ({"random_state": None}, "'random_state' .* int >= 0"),
        ({"image": ("T1", "CT")}, "No case has an image 'CT'"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        rd.HabitatExtractor(**settings).fit(CASES)


def test_more_habitats_than_intensities_are_refused():
    flat = changed(CASES[0], T1=np.zeros((7, 16, 16)), T2=np.zeros((7, 16, 16)))
    with pytest.raises(InputError, match="have 1 different intensities, fewer than n_habitats=3"):
        rd.HabitatExtractor().fit([flat])
    with pytest.raises(InputError, match="'cases' parameter of fit must be at least one case"):
        rd.HabitatExtractor().fit([])


def test_it_keeps_the_manners_of_transformers():
    extractor = rd.HabitatExtractor(image="T1", n_habitats=2, features=["share", "firstorder"])
    rows = extractor.fit_transform(CASES)
    assert extractor.get_feature_names_out().tolist()[:3] == ["habitat1_Share", "habitat2_Share", "T1_habitat1_Mean"]
    np.testing.assert_array_equal(clone(extractor).fit(CASES).transform(CASES), rows)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(extractor)).transform(CASES), rows)
    table = clone(extractor).set_output(transform="pandas").fit_transform(CASES)
    assert table.index.tolist() == [case.id for case in CASES]
    assert clone(extractor).set_params(n_habitats=3).fit_transform(CASES).shape == (8, 9)


def test_cached_rows_are_those_of_the_habitats_that_were_learned(tmp_path):
    extractor = rd.HabitatExtractor(features=["share"])
    for cases in (CASES[:3], CASES):
        with pytest.warns(RadiodeepWarning, match="HabitatExtractor learns from all cases of the table"):
            table = rd.extract_table(extractor, cases, cache_dir=tmp_path)
        np.testing.assert_allclose(table.to_numpy(), clone(extractor).fit(cases).transform(cases))


@pytest.mark.parametrize("method", ["kmeans", "gaussian"])
def test_a_saved_model_scores_new_cases_as_before(tmp_path, method):
    model = make_pipeline(rd.HabitatExtractor(method=method), SimpleImputer(), GaussianNB())
    model.fit(CASES, [case.label for case in CASES])
    loaded = rd.load_model(rd.save_model(model, tmp_path / "habitats.skops"))
    new = [CASES[1].replace(id="new"), TestMissingImages.LACKING]
    scores = rd.score_cohort(loaded, new)
    np.testing.assert_allclose(scores["probability_1"], model.predict_proba(new)[:, 1])
    assert scores["error"].tolist() == ["", ""]
    assert scores["outside_training_range"].tolist() == ["", "T2: no image"]


class RecordingExtractor(rd.HabitatExtractor):
    """Habitats whose centres are kept for the test at each fit."""

    fits = ()

    def fit(self, cases, y=None):
        self.fits.append(super().fit(cases).centres_)
        return self


def centres_of_folds(cases, monkeypatch):
    monkeypatch.setattr(RecordingExtractor, "fits", [])
    model = make_pipeline(RecordingExtractor(features=["share"]), GaussianNB())
    rd.cross_validated_auc(model, cases, [case.label for case in cases], cv=4, n_repeats=1)
    return np.array(RecordingExtractor.fits)


def test_a_fold_learns_nothing_from_the_cases_that_it_leaves_out(monkeypatch):
    before = centres_of_folds(CASES, monkeypatch)
    strange = changed(CASES[2], T1=CASES[2].image["T2"] ** 2, T2=CASES[2].image["T1"])
    after = centres_of_folds([*CASES[:2], strange, *CASES[3:]], monkeypatch)
    is_same = (before == after).all(axis=(1, 2))
    assert sorted(is_same) == [False, False, False, True]  # the fold that leaves the changed case out


def test_folds_read_each_case_once(monkeypatch):
    read = []
    of_case = HabitatRegion._read.__func__
    monkeypatch.setattr(
        HabitatRegion, "_read", classmethod(lambda cls, case, *rest: read.append(case.id) or of_case(cls, case, *rest))
    )
    cases = [case.replace() for case in CASES]
    model = make_pipeline(rd.HabitatExtractor(features=["share"]), GaussianNB())
    rd.cross_validated_auc(model, cases, [case.label for case in cases], cv=4, n_repeats=2)
    assert sorted(read) == [case.id for case in cases]
    monkeypatch.setattr(habitat_regions, "_MOST_BYTES", 0)  # no more memory for regions: each is read again
    fresh = CASES[0].replace()
    rd.HabitatExtractor(features=["share"]).fit([fresh]).transform([fresh])
    assert read.count("c-000") == 3


def auc(extractor, cases):
    model = make_pipeline(extractor, GaussianNB())
    return rd.cross_validated_auc(model, cases, [case.label for case in cases], cv=5, n_repeats=1).value


@pytest.mark.slow
class TestPhantomsThatDifferOnlyInTheirHabitats:
    """Sixty lesions each; both images by themselves are half bright and half dark in all of them."""

    HABITATS = rd.HabitatExtractor(n_habitats=4)

    @staticmethod
    def cohort(seed=0, **of_label):
        """Return lesions whose properties depend on the label: name=(mean for 0, mean for 1, standard deviation)."""
        rng = np.random.default_rng(seed)
        cases = []
        for number in range(60):
            drawn = {name: values[number % 2] + values[2] * rng.standard_normal() for name, values in of_label.items()}
            cases.append(two_sequences(seed + number, number % 2, shape=(9, 24, 24), unit=False, **drawn))
        return cases

    def test_the_mix_is_seen_in_the_shares_and_not_in_single_images(self):
        cases = self.cohort(agreement=(0.0, 0.3, 0.08))
        assert auc(self.HABITATS, cases) > 0.9
        assert auc(clone(self.HABITATS).set_params(features=["share"]), cases) > 0.9
        single = rd.RadiomicsExtractor(families=["firstorder", "glcm"], bin_count=16)
        assert 0.3 < auc(single, cases) < 0.7

    def test_the_arrangement_is_seen_in_parts_and_borders_and_not_in_the_shares(self):
        cases = self.cohort(patch=(1.2, 2.4, 0.2))
        assert auc(self.HABITATS, cases) > 0.9
        assert auc(clone(self.HABITATS).set_params(features=["parts", "border"]), cases) > 0.9
        assert 0.3 < auc(clone(self.HABITATS).set_params(features=["share"]), cases) < 0.7

    def test_nothing_is_seen_where_nothing_differs(self):
        values = [auc(self.HABITATS, self.cohort(seed, agreement=(0.1, 0.1, 0.1))) for seed in (1000, 2000, 3000)]
        assert 0.4 < np.mean(values) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("grid", ["PET", "MR"])
def test_real_sarcomas_on_one_grid_have_the_rows_of_the_slow_plain_version(reference_data, grid):
    ids = ["STS_008", "STS_019", "STS_025"]
    folders = {"MR": reference_data / "sts_mr", "PET": reference_data / "sts_pet"}
    files = [
        {kind: {name: folder / f"{id}_{kind}.nii.gz" for name, folder in folders.items()} for kind in ("image", "mask")}
        for id in ids
    ]
    cases = rd.on_one_grid([rd.Case(**of_case, id=id) for of_case, id in zip(files, ids, strict=True)], image=grid)
    extractor = rd.HabitatExtractor(max_voxels=ALL_VOXELS).fit(cases)
    z_scores = [plain_z_scores(case, ("MR", "PET")) for case in cases]
    values = np.concatenate([list(scores.values()) for scores in z_scores])
    assert_best_k_means(values, extractor.centres_, n_starts=5)
    columns = extractor.get_feature_names_out()
    for case, scores, row in zip(cases, z_scores, extractor.transform(cases), strict=True):
        expected = plain_row(case.in_memory(), ("MR", "PET"), scores, extractor.centres_.tolist())
        np.testing.assert_allclose(row, [expected[name] for name in columns], atol=1e-9)
