"""The table: a row by case id, whatever the processes, from the cache where it is there, failures recorded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiodeep import (
    Case,
    RadiomicsExtractor,
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
    changed = [COHORT[0].replace(spacing_mm=(1, 1, 1)), *list(COHORT)[1:]]
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


def test_another_way_of_handling_errors_is_refused():
    with pytest.raises(InputError, match="'on_error' parameter must be 'raise' or 'record'"):
        extract_table(RadiomicsExtractor(), COHORT, on_error="ignore")


def test_several_tables_are_those_of_each_extractor_and_read_every_case_once(tmp_path, monkeypatch):
    cohort = read_cohort(write_cohort(make_phantom_cohort(4, random_state=2), tmp_path))
    extractors = {width: RadiomicsExtractor(bin_width=width) for width in (10, 40)}
    expected = {width: extract_table(one, cohort) for width, one in extractors.items()}
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
    with pytest.raises(InputError, match="'extractors' parameter must be a dict"):
        extract_tables(wrong, make_phantom_cohort(2, random_state=0))


def test_the_cache_knows_the_order_of_the_image_types(tmp_path):
    cohort = make_phantom_cohort(2, random_state=4)
    for order in (["Original", "Square"], ["Square", "Original"]):
        extractor = RadiomicsExtractor(families=["firstorder"], image_types=dict.fromkeys(order))
        table = extract_table(extractor, cohort, cache_dir=tmp_path)
        pd.testing.assert_frame_equal(table, extract_table(extractor, cohort))
