"""The loops of handcrafted features are compiled before the first case, those of the chosen families only."""

import radiodeep as rd
from radiodeep.features.radiomics import measurement


def test_only_the_loops_of_the_chosen_families_are_loaded(monkeypatch):
    loaded = []
    monkeypatch.setattr(measurement, "region_features", lambda *_, families: loaded.append(families))
    measurement._load_kernels.cache_clear()
    cohort = rd.make_phantom_cohort(1, random_state=0)
    rd.RadiomicsExtractor(families=["glrlm", "firstorder", "laws2D"]).fit_transform(cohort)
    measurement._load_kernels.cache_clear()
    assert loaded == [("firstorder", "glrlm")]
