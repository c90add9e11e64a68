"""The table: a row by case id, whatever the processes, from the cache where it is there, failures recorded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiodeep import (
    Case,
    RadiomicsExtractor,
    extract_perturbed,
    extract_table,
    extract_tables,
    make_phantom_cohort,
    read_cohort,
    write_cohort,
)
from radiodeep.exceptions import EmptyMaskError, InputError

COHORT = make_phantom_cohort(10, random_state=3)


class Counting(RadiomicsExtractor):
    """A RadiomicsExtractor that counts the cases that it really measures."""

    measured = 0

    def transform(self, cases):
        type(self).measured += len(cases)
        return super().transform(cases)


@pytest.fixture(autouse=True)
def _reset():
    Counting.measured = 0


@pytest.mark.slow
def test_rows_are_the_extractors_and_processes_do_not_matter():
    radiomics = RadiomicsExtractor(families=["shape"])
    table = extract_table(radiomics, COHORT)
    np.testing.assert_array_equal(table.to_numpy(), radiomics.transform(COHORT))
    assert table.index.tolist() == COHORT.ids
    pd.testing.assert_frame_equal(table, extract_table(radiomics, COHORT, n_jobs=2))


def test_the_cache_is_used_and_a_changed_setting_or_image_is_not_found_in_it(tmp_path):
    first = extract_table(Counting(families=["shape"]), COHORT, cache_dir=tmp_path)
    assert Counting.measured == 10
    pd.testing.assert_frame_equal(first, extract_table(Counting(families=["shape"]), COHORT, cache_dir=tmp_path))
    assert Counting.measured == 10
    extract_table(Counting(families=["firstorder"]), COHORT, cache_dir=tmp_path)
    assert Counting.measured == 20
    changed = [COHORT[0].replace(spacing_mm=(1.45, 1, 1)), *list(COHORT)[1:]]
    assert extract_table(Counting(families=["shape"]), changed, cache_dir=tmp_path).iloc[0, 3] != first.iloc[0, 3]
    assert Counting.measured == 21


def test_a_damaged_cache_file_is_computed_anew(tmp_path):
    first = extract_table(Counting(families=["shape"]), COHORT[:3], cache_dir=tmp_path)
    for path in tmp_path.glob("*.row"):
        path.write_bytes(path.read_bytes()[:50])
    pd.testing.assert_frame_equal(first, extract_table(Counting(families=["shape"]), COHORT[:3], cache_dir=tmp_path))
    assert Counting.measured == 6


def test_what_was_done_before_a_failure_is_kept(tmp_path):
    broken = Case(np.zeros((4, 4, 4)), np.zeros((4, 4, 4)), "broken", (1, 1, 1))
    cases = [*COHORT, broken]
    with pytest.raises(EmptyMaskError, match="^broken: "):
        extract_table(Counting(families=["shape"]), cases, cache_dir=tmp_path)
    Counting.measured = 0
    extract_table(Counting(families=["shape"]), COHORT[:8], cache_dir=tmp_path)
    assert Counting.measured == 0


def test_failures_are_recorded_by_case(tmp_path):
    stored = read_cohort(write_cohort(COHORT[:3], tmp_path))
    (tmp_path / "phantom-001_mask.nii.gz").write_bytes(b"nothing")
    table = extract_table(RadiomicsExtractor(families=["shape"]), stored, on_error="record")
    assert table.isna().all(axis=1).tolist() == [False, True, False]
    assert list(table.attrs["errors"]) == ["phantom-001"]
    assert table.attrs["errors"]["phantom-001"].startswith("FileUnreadableError: phantom-001: ")


def test_any_error_of_a_case_is_recorded_with_its_type(monkeypatch):
    transform = Counting.transform

    def out_of_memory(extractor, cases):
        if any(case.id == "phantom-002" for case in cases):
            raise MemoryError("Unable to allocate 1 PiB")
        return transform(extractor, cases)

    monkeypatch.setattr(Counting, "transform", out_of_memory)
    table = extract_table(Counting(families=["shape"]), COHORT, on_error="record")
    assert table.attrs["errors"] == {"phantom-002": "MemoryError: phantom-002: Unable to allocate 1 PiB"}
    assert table.isna().any(axis=1).sum() == 1
    with pytest.raises(MemoryError, match="Unable to allocate") as raised:
        extract_table(Counting(families=["shape"]), COHORT)
    assert raised.value.__notes__ == ["It was raised by the case 'phantom-002'."]


def test_an_extractor_defined_in_a_script_works_in_processes():
    class Doubled(RadiomicsExtractor):
        def transform(self, cases):
            return 2 * super().transform(cases)

    doubled = Doubled(families=["shape"])
    table = extract_table(doubled, COHORT[:4], n_jobs=2)
    np.testing.assert_array_equal(table.to_numpy(), 2 * RadiomicsExtractor(families=["shape"]).transform(COHORT[:4]))


def test_repeated_ids_are_refused_by_the_first_of_them():
    cases = [COHORT[0], COHORT[1], COHORT[2].replace(id="phantom-001"), COHORT[3].replace(id="phantom-000")]
    with pytest.raises(InputError, match="needs its own id. Got 2 cases with the id 'phantom-000'"):
        extract_table(RadiomicsExtractor(families=["shape"]), cases)


def test_patients_go_with_every_table():
    cases = [case.replace(patient=f"patient-{number // 2}") for number, case in enumerate(COHORT[:4])]
    expected = {f"phantom-00{number}": f"patient-{number // 2}" for number in range(4)}
    shape = RadiomicsExtractor(families=["shape"])
    for table in extract_tables({"a": shape, "b": shape}, cases).values():
        assert table.attrs == {"patients": expected, "errors": {}, "constant_columns": []}
    assert extract_perturbed(shape, cases, [("erode", 1), ("rotate", 5)]).attrs["patients"] == expected


def test_a_case_that_cannot_be_perturbed_is_nan_everywhere_and_its_error_is_kept():
    broken = Case(np.zeros((4, 4, 4)), np.zeros((4, 4, 4)), "broken", (1, 1, 1))
    changes = [("erode", 1), ("rotate", 5)]
    table = extract_perturbed(RadiomicsExtractor(families=["shape"]), [*COHORT[:2], broken], changes)
    assert table.loc["broken"].isna().all(axis=None)
    assert table.loc[COHORT.ids[:2]].notna().all(axis=None)
    assert list(table.attrs["errors"]) == ["broken"]
    assert table.attrs["errors"]["broken"].startswith("EmptyMaskError: broken: ")


def test_the_label_of_an_extractor_counts_for_perturbed_cases_too():
    mask = np.zeros((12, 16, 16), np.uint8)
    mask[2:10, 2:7, 2:7], mask[2:10, 2:13, 10:14] = 1, 2
    case = Case(np.random.default_rng(0).normal(0, 50, mask.shape), mask, "both", spacing_mm=(1, 1, 1))
    second = RadiomicsExtractor(families=["shape"], label=2)
    expected = extract_perturbed(RadiomicsExtractor(families=["shape"]), [case.replace(mask_label=2)])
    pd.testing.assert_frame_equal(extract_perturbed(second, [case]), expected)
    one_change = extract_perturbed(second, [case], [("shrink", 0.15)])
    kept = expected.index.get_level_values("perturbation").isin(["original", "shrink 0.15"])
    pd.testing.assert_frame_equal(one_change, expected[kept])


def test_features_of_one_value_are_named():
    shapes = RadiomicsExtractor(families={"shape": ["Sphericity"], "firstorder": ["Energy", "Mean"]})
    case = make_phantom_cohort(1, random_state=0)[0]
    brighter = case.replace(id="b", image=case.voxels + 1.0)
    unread = case.replace(id="c", mask=np.zeros_like(case.roi))
    table = extract_table(shapes, [case, brighter, unread], on_error="record")
    assert table.attrs["constant_columns"] == ["original_shape_Sphericity"]
    assert extract_table(shapes, [case]).attrs["constant_columns"] == []


def test_another_way_of_handling_errors_is_refused():
    with pytest.raises(InputError, match="'on_error' parameter of extraction must be one of raise, record"):
        extract_table(RadiomicsExtractor(), COHORT, on_error="ignore")


def test_several_tables_are_those_of_each_extractor_and_read_every_case_once(tmp_path, monkeypatch):
    cohort = read_cohort(write_cohort(make_phantom_cohort(4, random_state=2), tmp_path))
    extractors = {width: RadiomicsExtractor(bin_width=width) for width in (10, 40)}
    expected = {width: extract_table(extractor, cohort) for width, extractor in extractors.items()}
    opened = []
    read = Case._read

    def counted(case):
        if isinstance(case.image, Path):
            opened.append(case.id)
        return read(case)

    monkeypatch.setattr(Case, "_read", counted)
    tables = extract_tables(extractors, cohort, cache_dir=tmp_path / "cache")
    assert opened == cohort.ids
    for width, table in tables.items():
        pd.testing.assert_frame_equal(table, expected[width])
    again = extract_tables(extractors, cohort, cache_dir=tmp_path / "cache")
    assert opened == cohort.ids * 2  # its rows are found by the voxels
    pd.testing.assert_frame_equal(again[10], expected[10])
    pd.testing.assert_frame_equal(extract_table(extractors[40], cohort, cache_dir=tmp_path / "cache"), expected[40])
    assert opened == cohort.ids * 3


@pytest.mark.parametrize("wrong", [{}, {"a": 3}])
def test_extractors_that_are_none_are_refused(wrong):
    with pytest.raises(InputError, match="'extractors' parameter of extract_tables must be a dict"):
        extract_tables(wrong, make_phantom_cohort(2, random_state=0))


def test_the_cache_knows_the_order_of_the_image_types(tmp_path):
    cohort = make_phantom_cohort(2, random_state=4)
    for order in (["Original", "Square"], ["Square", "Original"]):
        extractor = RadiomicsExtractor(families=["firstorder"], image_types=dict.fromkeys(order))
        table = extract_table(extractor, cohort, cache_dir=tmp_path)
        pd.testing.assert_frame_equal(table, extract_table(extractor, cohort))
