"""One row per patient: every aggregation against a plain loop, every lesion measured once, no silent number."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.cases import case
from radiodeep.exceptions import EmptyMaskError, InputError, RadiodeepWarning
from radiodeep.features.patients import AGGREGATIONS
from radiodeep.features.stateless import observed_rows

SHAPE = rd.RadiomicsExtractor(families={"shape": ["Sphericity", "VoxelVolume"]})
FEATURES = ["original_shape_Sphericity", "original_shape_VoxelVolume"]


def lesions(n_patients=10, **changes):
    """Lesions of patients who have one, two, three, one ... lesions."""
    cases = iter(rd.make_phantom_cohort(2 * n_patients, random_state=5))
    return [
        next(cases).replace(patient=f"P{patient}", label=patient % 2, **changes)
        for patient in range(n_patients)
        for _ in range(1 + patient % 3)
    ]


LESIONS = lesions()
PATIENTS = rd.Cohort(LESIONS).by_patient()


class Counting(rd.RadiomicsExtractor):
    """A RadiomicsExtractor that remembers the lesions that it measured."""

    measured = []  # noqa: RUF012  of the class, since extractors are cloned

    def transform(self, cases):
        self.measured.extend(case.id for case in cases)
        return super().transform(cases)


@pytest.fixture
def counting():
    Counting.measured.clear()
    return Counting(families={"shape": ["Sphericity", "VoxelVolume"]})


def plainly(how, values, sizes):
    """Return one feature of a patient by a plain loop over the lesions; NaN is a value that is not there."""
    if how == "largest":
        return values[sizes.index(max(sizes))]
    known = [(value, size) for value, size in zip(values, sizes, strict=True) if value == value]
    if not known:
        return np.nan
    values = [value for value, _ in known]
    mean = sum(values) / len(values)
    if how == "volume-weighted mean":
        return sum(value * size for value, size in known) / sum(size for _, size in known)
    if how == "spread":
        return 0.0 if len(values) == 1 else (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
    return {"mean": mean, "max": max(values), "min": min(values)}[how]


@pytest.mark.parametrize("how", ["largest", "mean", "volume-weighted mean", "max", "min", "spread"])
def test_aggregations_are_those_of_a_plain_loop_also_where_values_are_missing(how):
    generator = np.random.default_rng(0)
    aggregator = rd.LesionAggregator(SHAPE, how)
    for n_lesions in (1, 2, 5):
        rows = generator.normal(size=(n_lesions, 40)) * 1e3
        rows[generator.random(rows.shape) < 0.4] = np.nan
        rows[:, 0] = np.nan
        sizes = generator.uniform(10, 1000, n_lesions)
        expected = [plainly(how, column.tolist(), sizes.tolist()) for column in rows.T]
        np.testing.assert_allclose(aggregator.row_of_lesions([sizes[:, np.newaxis], rows]), expected, rtol=1e-12)


def test_the_order_of_equally_large_lesions_does_not_matter():
    sizes, rows = np.array([[5.0], [9.0], [9.0]]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 8.0]])
    aggregator = rd.LesionAggregator(SHAPE, "largest")
    assert aggregator.row_of_lesions([sizes, rows]).tolist() == [4.0, 6.0]
    assert aggregator.row_of_lesions([sizes[::-1], rows[::-1]]).tolist() == [4.0, 6.0]


def test_a_table_has_a_row_per_patient_with_named_columns():
    aggregator = rd.LesionAggregator(SHAPE, list(AGGREGATIONS))
    table = rd.extract_table(aggregator, PATIENTS)
    prefixes = ["largest", "mean", "volume_weighted_mean", "max", "min", "spread"]
    names = [f"{prefix}_{name}" for prefix in prefixes for name in FEATURES]
    assert table.columns.tolist() == [*names, "count", "total_volume_mm3"]
    assert table.index.tolist() == [f"P{number}" for number in range(10)]
    assert table.attrs["patients"] == {name: name for name in table.index}
    of_lesions = rd.extract_table(SHAPE, LESIONS)
    for patient in PATIENTS:
        sizes = [lesion.roi_size_mm for lesion in patient.lesions]
        rows = of_lesions.loc[[lesion.id for lesion in patient.lesions]]
        for how, prefix in zip(AGGREGATIONS, prefixes, strict=False):
            expected = [plainly(how, rows[name].tolist(), sizes) for name in FEATURES]
            row = table.loc[patient.id, [f"{prefix}_{name}" for name in FEATURES]]
            np.testing.assert_allclose(row, expected, rtol=1e-12)
        assert table.loc[patient.id, "count"] == len(patient.lesions)
        assert table.loc[patient.id, "total_volume_mm3"] == pytest.approx(patient.roi_size_mm)
    np.testing.assert_array_equal(aggregator.transform(PATIENTS), table)
    np.testing.assert_array_equal(rd.LesionAggregator(SHAPE, list(AGGREGATIONS)).transform(PATIENTS), table)
    assert aggregator.transform([]).shape == (0, 14)
    framed = aggregator.set_output(transform="pandas").fit_transform(PATIENTS)
    pd.testing.assert_frame_equal(framed, table)


def median_of_lesions(rows):
    return np.median(rows, axis=0)


def first_two(rows):
    return rows[:2, 0]


def test_a_function_of_the_user_aggregates_and_names_the_columns():
    table = rd.extract_table(rd.LesionAggregator(SHAPE, median_of_lesions), PATIENTS)
    assert table.columns[0] == "median_of_lesions_original_shape_Sphericity"
    of_lesions = rd.extract_table(SHAPE, LESIONS).groupby([case.patient for case in LESIONS]).median()
    np.testing.assert_allclose(table, of_lesions.loc[table.index])

    def local_maximum(rows):
        return rows.max(axis=0)

    models = {how.__name__: _model(how) for how in (median_of_lesions, local_maximum)}
    results = rd.cross_validate_models(models, PATIENTS, PATIENTS.labels, cv=2, size=None)
    assert results["median_of_lesions"].settings["steps"][0][1]["how"] == "median_of_lesions"
    with pytest.raises(InputError, match=r"'first_two' .* must return an array of shape \(2,\) for one of \(1, 2\)"):
        rd.extract_table(rd.LesionAggregator(SHAPE, first_two), PATIENTS)
    with pytest.raises(InputError, match="needs a name, with which its columns begin"):
        rd.LesionAggregator(SHAPE, lambda rows: rows[0]).fit(PATIENTS)


def test_every_lesion_is_measured_once_for_all_and_kept_by_itself(counting, tmp_path):
    extractors = {how: rd.LesionAggregator(counting, how) for how in ("largest", "spread")}
    tables = rd.extract_tables(extractors, PATIENTS, cache_dir=tmp_path)
    assert sorted(Counting.measured) == sorted(case.id for case in LESIONS)
    more = [*PATIENTS[1].lesions, LESIONS[0].replace(patient="P1", label=1, spacing_mm=(1.4, 1, 1), id="new")]
    changed = rd.Cohort(more).by_patient()
    again = rd.extract_table(rd.LesionAggregator(counting, ["largest", "max"]), changed, cache_dir=tmp_path)
    assert Counting.measured[len(LESIONS) :] == ["new"]
    single = rd.extract_table(rd.LesionAggregator(counting), PATIENTS[3:4], cache_dir=tmp_path)
    assert single.iloc[0, 0] == tables["largest"].iloc[3, 0]
    assert again.shape == (1, 4)


def test_a_study_measures_every_lesion_once_for_all_folds(counting):
    models = {how: _model(how, counting) for how in ("largest", "mean")}
    rd.cross_validate_models(models, PATIENTS, PATIENTS.labels, cv=5)
    assert sorted(Counting.measured) == sorted(case.id for case in LESIONS)


def test_every_file_of_a_lesion_is_read_once(monkeypatch, tmp_path):
    stored = rd.read_cohort(rd.write_cohort(rd.Cohort(LESIONS[:6]), tmp_path)).by_patient()
    extractors = {how: rd.LesionAggregator(SHAPE, [how, "total volume"]) for how in ("largest", "mean")}
    read, opened = case.read_sources, []
    monkeypatch.setattr(case, "read_sources", lambda *given: opened.append(given[4]) or read(*given))
    rd.extract_tables(extractors, stored)
    assert opened == [lesion.id for lesion in LESIONS[:6]]


def test_only_the_rows_of_patients_are_those_of_the_model():
    aggregator = rd.LesionAggregator(SHAPE)
    with observed_rows() as observed:
        aggregator.transform(PATIENTS)
    assert [extractor for extractor, _ in observed] == [aggregator]


def test_lesions_of_a_label_have_the_size_of_that_label():
    case = LESIONS[0]
    halves = case.mask.copy()
    halves[:12] *= 2
    masked = case.replace(mask=halves, patient="P", id="two labels")
    aggregator = rd.LesionAggregator(rd.RadiomicsExtractor(families=["shape"], label=2), "total volume")
    total = rd.extract_table(aggregator, rd.Cohort([masked]).by_patient()).iloc[0, 0]
    assert total == pytest.approx((halves == 2).sum() * 1.5)


def _model(how, extractor=SHAPE):
    return make_pipeline(rd.LesionAggregator(extractor, how), StandardScaler(), GaussianNB())


def test_a_lesion_that_fails_leaves_its_patient_without_numbers():
    broken = [case.replace(mask=case.mask * 0) if row in (1, 5) else case for row, case in enumerate(LESIONS)]
    cohort = rd.Cohort(broken).by_patient()
    aggregator = rd.LesionAggregator(SHAPE, ["largest", "count", median_of_lesions])
    table = rd.extract_table(aggregator, cohort, on_error="record")
    errors = table.attrs["errors"]
    assert list(errors) == [broken[1].patient, broken[5].patient]
    assert errors[broken[1].patient].startswith(f"EmptyMaskError: {broken[1].id}: the mask outlines no voxel")
    assert table.isna().all(axis=1).tolist() == [name in errors for name in table.index]
    with pytest.raises(EmptyMaskError, match=f"^{broken[1].id}"):
        rd.extract_table(aggregator, cohort)
    result = rd.cross_validated_auc(_model("largest"), cohort, cohort.labels, cv=2, on_error="exclude")
    assert list(result.excluded) == list(errors)
    assert len(result.predictions) == len(cohort) - 2


def test_what_cannot_be_aggregated_is_refused_with_the_way_out():
    with pytest.raises(InputError, match="takes patients. Got Case; cohort.by_patient"):
        rd.extract_table(rd.LesionAggregator(SHAPE), LESIONS)
    with pytest.raises(InputError, match="Got patients, .* LesionAggregator"):
        rd.extract_table(SHAPE, PATIENTS)
    with pytest.raises(InputError, match="learn nothing from the cases. Got StandardScaler; put steps that learn"):
        rd.LesionAggregator(make_union(SHAPE, StandardScaler())).fit(PATIENTS)
    with pytest.raises(InputError, match="'extractor' parameter of LesionAggregator must be an extractor"):
        rd.LesionAggregator("radiomics").fit(PATIENTS)
    with pytest.raises(InputError, match="takes largest, mean, .* Got 'bigest'. Did you mean 'largest'"):
        rd.LesionAggregator(SHAPE, "bigest").fit(PATIENTS)
    with pytest.raises(InputError, match="names 'mean' twice"):
        rd.LesionAggregator(SHAPE, ["mean", "count", "mean"]).fit(PATIENTS)
    with pytest.raises(InputError, match="'how' parameter of LesionAggregator must be one or more of largest"):
        rd.LesionAggregator(SHAPE, ()).fit(PATIENTS)


def test_a_union_gives_the_columns_of_its_parts_without_their_names():
    first_order = rd.RadiomicsExtractor(families={"firstorder": ["Mean"]})
    aggregator = rd.LesionAggregator(make_union(SHAPE, first_order), ["largest"])
    table = rd.extract_table(aggregator, PATIENTS)
    assert table.columns.tolist() == [f"largest_{name}" for name in [*FEATURES, "original_firstorder_Mean"]]
    alone = rd.extract_table(rd.LesionAggregator(first_order), PATIENTS)
    pd.testing.assert_series_equal(table.iloc[:, 2], alone.iloc[:, 0])
    same = make_union(SHAPE, rd.RadiomicsExtractor(families={"shape": ["Sphericity"]}, resample_mm=2))
    names = rd.LesionAggregator(same).get_feature_names_out()
    assert names[2] == "largest_radiomicsextractor-2__original_shape_Sphericity"
    weighted = make_union(SHAPE, first_order).set_params(transformer_weights={"radiomicsextractor-1": 2.0})
    with pytest.raises(InputError, match="A union in a LesionAggregator takes extractors only: no weights"):
        rd.LesionAggregator(weighted).fit(PATIENTS)


def test_patients_are_studied_by_their_total_volume_beside_the_model():
    result = rd.cross_validated_auc(_model(["mean", "count"]), PATIENTS, PATIENTS.labels, cv=5)
    sizes = [patient.roi_size_mm for patient in PATIENTS]
    expected = rd.auc_with_confidence(PATIENTS.labels, sizes).auc
    assert result.size_baseline.auc in (pytest.approx(expected), pytest.approx(1 - expected))
    assert result.predictions.index.tolist() == PATIENTS.ids
    assert result.folds["selected_features"].isna().all()


def test_a_table_of_patients_knows_their_total_volume_as_size():
    table = rd.extract_table(rd.LesionAggregator(SHAPE, ["mean", "total volume"]), PATIENTS)
    result = rd.cross_validated_auc(GaussianNB(), table, PATIENTS.labels, cv=5)
    over_patients = rd.cross_validated_auc(_model("mean"), PATIENTS, PATIENTS.labels, cv=5)
    assert result.size_baseline.auc == over_patients.size_baseline.auc


def without_image(case, name):
    parts = {"image": case.image, "mask": case.mask, "spacing_mm": dict.fromkeys(case.image_names, (1.5, 1, 1))}
    return case.replace(**{key: {**values, name: None} for key, values in parts.items()})


def test_lesions_of_several_images_are_aggregated_over_the_images_that_are_there():
    pairs = list(rd.make_phantom_cohort(6, random_state=0, images=("T1", "PET")))
    lesions = [case.replace(patient=f"P{row // 2}", label=row // 2 % 2) for row, case in enumerate(pairs)]
    lesions[1] = without_image(lesions[1], "PET")
    lesions[2:4] = [without_image(case, "PET") for case in lesions[2:4]]
    cohort = rd.Cohort(lesions).by_patient()
    mean = rd.RadiomicsExtractor(families={"firstorder": ["Mean"]})
    table = rd.extract_table(rd.LesionAggregator(mean, ["mean", "count"]), cohort)
    of_lesions = rd.extract_table(mean, lesions)
    expected = of_lesions.groupby([case.patient for case in lesions]).mean()
    assert table.columns.tolist() == ["mean_T1_original_firstorder_Mean", "mean_PET_original_firstorder_Mean", "count"]
    np.testing.assert_allclose(table.iloc[:, :2], expected)
    assert table.iloc[:, 1].isna().tolist() == [False, True, False]
    assert table["count"].tolist() == [2, 2, 2]
    assert list(table.attrs["errors"]) == ["P0", "P1"]
    assert table.attrs["errors"]["P1"].count("there is no image 'PET'") == 2
    pet = rd.LesionAggregator(rd.RadiomicsExtractor(families=["firstorder"], image="PET"), ["largest", "count"])
    of_pet = rd.extract_table(pet, cohort)
    assert of_pet["count"].isna().tolist() == [False, True, False]
    assert of_pet["count"][["P0", "P2"]].tolist() == [1, 2]
    model = make_pipeline(rd.LesionAggregator(mean), SimpleImputer(), GaussianNB()).fit(cohort, cohort.labels)
    scores = rd.score_cohort(model, lesions)
    assert scores["outside_training_range"][0] == "phantom-001: PET: no image"
    np.testing.assert_allclose(scores["probability_1"], model.predict_proba(cohort)[:, 1])


def test_patients_are_studied_by_survival_and_by_numbers():
    numbers = [float(patient.roi_size_mm) for patient in PATIENTS]
    aggregator = rd.LesionAggregator(SHAPE, "total volume")
    model = make_pipeline(aggregator, LinearRegression())
    assert rd.cross_validated_score(model, PATIENTS, numbers, cv=5, size=None).value > 0.99
    followed = [case.replace(time=1e6 / numbers[int(case.patient[1:])], event=True, label=None) for case in LESIONS]
    cohort = rd.Cohort(followed).by_patient()
    cox = make_pipeline(aggregator, StandardScaler(), rd.CoxRegression(alpha=0.1))
    assert rd.cross_validated_cindex(cox, cohort, cohort.survival, cv=2, size=None).value == 1.0


def test_lesions_of_patients_in_a_study_of_lesions_stay_together_with_clustered_intervals():
    cohort = rd.Cohort(LESIONS)
    model = make_pipeline(SHAPE, GaussianNB())
    held = rd.holdout_auc(model, cohort[9:], cohort.labels[9:], cohort[:9], cohort.labels[:9], size=None)
    known, score = cohort.labels[:9], held.predictions["score"]
    clustered = rd.auc_with_confidence(known, score, patients=cohort.patients[:9]).confidence_interval
    assert held.confidence_interval == pytest.approx(clustered)
    assert held.confidence_interval != pytest.approx(rd.auc_with_confidence(known, score).confidence_interval)
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=3, random_state=0)
    assert result.patients is not None
    for ids in result.folds["test_ids"]:
        tested = {case.patient for case in LESIONS if case.id in ids}
        assert {case.id for case in LESIONS if case.patient in tested} == set(ids)


def test_mixed_acquisitions_of_lesions_are_named():
    mixed = [case.replace(spacing_mm=(6.0, 1, 1)) if row % 2 else case for row, case in enumerate(LESIONS)]
    texture = rd.LesionAggregator(rd.RadiomicsExtractor(families={"glcm": ["Contrast"]}), "mean")
    cohort = rd.Cohort(mixed).by_patient()
    with pytest.warns(RadiodeepWarning, match="Spacing differs"):
        rd.extract_table(texture, cohort)
    with pytest.warns(RadiodeepWarning, match="LesionAggregator: Spacing differs"):
        texture.fit_transform(cohort)


@pytest.mark.slow
def test_deep_and_handcrafted_features_of_lesions_in_processes_and_in_one_table(tmp_path):
    union = make_union(rd.RadiomicsExtractor(families=["shape"]), rd.DeepFeatureExtractor())
    aggregator = rd.LesionAggregator(union, ["largest", "max"])
    table = rd.extract_table(aggregator, PATIENTS, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(table, rd.extract_table(aggregator, PATIENTS, n_jobs=2))
    of_lesions = rd.extract_table(rd.DeepFeatureExtractor(), LESIONS)
    name = of_lesions.columns[7]
    expected = of_lesions[name].groupby([case.patient for case in LESIONS]).max()
    np.testing.assert_allclose(table[f"max_{name}"], expected.loc[table.index], rtol=1e-4, atol=1e-5)


def _aucs(cohort, *how):
    extractor = rd.RadiomicsExtractor(families=["shape", "firstorder", "glcm"])
    models = {
        each: make_pipeline(
            rd.LesionAggregator(extractor, each), StandardScaler(), SelectKBest(k=10), LogisticRegression(C=0.1)
        )
        for each in how
    }
    results = rd.cross_validate_models(models, cohort, cohort.labels, cv=5, random_state=0)
    return [results[each].auc for each in how]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_only_the_largest_lesion_shows_is_found_in_the_largest(seed):
    cohort = rd.make_phantom_cohort(80, random_state=seed, max_lesions=4).by_patient()
    largest, mean, spread = _aucs(cohort, "largest", "mean", "spread")
    assert largest > 0.75
    assert largest > mean + 0.05
    assert spread < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_only_the_difference_of_lesions_shows_is_found_in_the_spread(seed):
    generator = np.random.default_rng(seed)
    phantoms = iter(rd.make_phantom_cohort(240, random_state=seed))
    lesions = []
    for patient in range(60):
        centre, label = generator.normal(0, 60), patient % 2
        for _ in range(generator.integers(2, 5)):
            case = next(phantoms)
            shifted = case.image + round(centre + generator.normal(0, 40 if label else 10))
            lesions.append(case.replace(image=shifted.astype(np.int16), patient=f"P{patient}", label=label))
    largest, mean, spread = _aucs(rd.Cohort(lesions).by_patient(), "largest", "mean", "spread")
    assert spread > 0.8
    assert max(largest, mean) < 0.65
