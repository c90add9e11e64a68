"""Volumes are in memory one at a time, also where networks are given the crops of many cases at once."""

import weakref

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd
from radiodeep.cases.case import Case
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.features.deep.image_rows import ShowsCases


@pytest.fixture
def volumes(monkeypatch):
    """Weak references to all volumes that were read."""
    references = []
    original = Case.in_memory

    def in_memory(case, *arguments, **named):
        held = original(case, *arguments, **named)
        references.append(weakref.ref(held.voxels))
        return held

    monkeypatch.setattr(Case, "in_memory", in_memory)
    return references


@pytest.fixture
def on_disk(tmp_path):
    return rd.read_cohort(rd.write_cohort(rd.make_phantom_cohort(8, random_state=0), tmp_path))


def test_a_volume_is_released_once_its_crop_is_made(on_disk, volumes, monkeypatch):
    extractors = {"deep": rd.DeepFeatureExtractor(), "shape": rd.RadiomicsExtractor(families=["shape"])}
    expected = {name: extractor.transform(on_disk) for name, extractor in extractors.items()}
    calls = []
    original = ShowsCases.transform_shown

    def transform_shown(extractor, shown):
        calls.append((len(shown), sum(reference() is not None for reference in volumes)))
        return original(extractor, shown)

    monkeypatch.setattr(ShowsCases, "transform_shown", transform_shown)
    tables = rd.extract_tables(extractors, on_disk)
    assert [n_shown for n_shown, _ in calls] == [8]
    assert calls[0][1] <= 1
    for name, table in tables.items():
        np.testing.assert_array_equal(table.to_numpy(), expected[name])


def test_scoring_holds_large_volumes_one_at_a_time(on_disk, volumes, monkeypatch):
    extractors = [rd.DeepFeatureExtractor(), rd.RadiomicsExtractor(families=["shape"])]
    model = make_pipeline(make_union(*extractors), GaussianNB()).fit(on_disk, on_disk.labels)
    together = rd.score_cohort(model, on_disk)
    monkeypatch.setattr("radiodeep.scoring.scorer.BATCH_BYTES", 0)
    held = []
    original = type(model).predict_proba
    monkeypatch.setattr(
        type(model),
        "predict_proba",
        lambda *arguments: held.append(sum(each() is not None for each in volumes)) or original(*arguments),
    )
    volumes.clear()
    alone = rd.score_cohort(model, on_disk)
    assert held == [1] * 8
    np.testing.assert_allclose(alone["probability_1"], together["probability_1"], rtol=1e-4)


def test_warnings_about_crops_come_from_the_cache_as_well(tmp_path):
    case = rd.make_phantom_cohort(1, random_state=0)[0]
    extractors = {"deep": rd.DeepFeatureExtractor(window="crop", size=8)}
    for _ in range(2):
        with pytest.warns(RadiodeepWarning, match=f"^{case.id}: "):
            rd.extract_tables(extractors, [case], cache_dir=tmp_path)
