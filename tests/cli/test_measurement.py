"""Options of features become extractors, and without torch only what can be computed is the default."""

import pytest

import radiodeep as rd
from radiodeep.cli import measurement
from radiodeep.cli.measurement import Measurement, feature_sets
from radiodeep.cli.options import FeatureSet
from radiodeep.exceptions import InputError


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setattr(measurement, "is_installed", lambda package: False)


def test_combined_features_have_an_extractor_of_each_kind():
    extractors = Measurement(bin_width=5, network="cnn_f", window="crop").extractors(FeatureSet.combined)
    assert list(extractors) == ["handcrafted", "deep"]
    assert extractors["handcrafted"].bin_width == 5
    assert extractors["deep"].window == "crop"


def test_grey_levels_are_counted_in_each_region_by_default():
    assert Measurement().extractors(FeatureSet.handcrafted)["handcrafted"].bin_count == 32


def test_widths_of_log_go_into_its_settings():
    extractor = Measurement(image_types="original,log", sigma="1, 3").extractors(FeatureSet.handcrafted)["handcrafted"]
    assert extractor.image_types == {"Original": {}, "LoG": {"sigma": [1.0, 3.0]}}


def test_a_parameter_file_excludes_options_of_its_settings(tmp_path):
    with pytest.raises(InputError, match=r"Leave out --bin-width and --sigma, or --params"):
        Measurement(bin_width=5, sigma="1", params=tmp_path / "p.yaml").extractors(FeatureSet.handcrafted)


def test_all_feature_sets_are_compared_by_default(capsys):
    assert feature_sets(None) == list(FeatureSet)
    assert capsys.readouterr() == ("", "")


def test_without_torch_a_note_names_the_extra(without_torch, capsys):
    assert feature_sets(None) == [FeatureSet.handcrafted]
    assert 'pip install "radiodeep[deep]"' in capsys.readouterr().err


def test_what_is_asked_for_is_not_left_out(without_torch):
    assert feature_sets([FeatureSet.deep]) == [FeatureSet.deep]


def test_a_network_is_that_of_the_option():
    assert isinstance(Measurement().extractors(FeatureSet.deep)["deep"], rd.DeepFeatureExtractor)
