"""Equal settings have one text, and whatever changes the numbers changes it."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from radiodeep import DeepFeatureExtractor, RadiomicsExtractor
from radiodeep.rows import canonical, traits, traits_of


def settings_text(extractor):
    return traits_of(extractor).settings


def settings_of(**parameters):
    return settings_text(RadiomicsExtractor(**parameters))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"bin_width": 25}, {"bin_width": np.float32(25.0)}),
        ({"distances": (1, 2)}, {"distances": np.array([1, 2])}),
        ({"distances": [1, 2]}, {"distances": [np.int8(1), np.int64(2)]}),
        ({"bin_count": 32, "bin_width": 10}, {"bin_count": np.int64(32), "bin_width": 20}),
        ({"image_types": {"LoG": {"sigma": [1, 3]}}}, {"image_types": {"LoG": {"sigma": (1.0, 3.0)}}}),
        ({"families": ["glcm", "firstorder"]}, {"families": ("glcm", "firstorder")}),
    ],
)
def test_equal_settings_in_another_spelling_are_equal(first, second):
    assert settings_of(**first) == settings_of(**second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"bin_width": 25}, {"bin_width": 25.1}),
        ({"bin_width": 25}, {"bin_width": 25, "bin_count": 25}),
        ({"image_types": ["Original", "Square"]}, {"image_types": ["Square", "Original"]}),
        (
            {"bin_count": 32, "bin_width": 10, "image_types": {"Square": {"bin_count": None}}},
            {"bin_count": 32, "bin_width": 20, "image_types": {"Square": {"bin_count": None}}},
        ),
    ],
)
def test_other_settings_are_other_settings(first, second):
    assert settings_of(**first) != settings_of(**second)


def test_packaged_weights_are_the_same_by_default_and_by_name():
    assert settings_text(DeepFeatureExtractor()) == settings_text(DeepFeatureExtractor(weights="packaged"))
    assert settings_text(DeepFeatureExtractor()) != settings_text(DeepFeatureExtractor(weights="random", seed=0))


@pytest.mark.parametrize("library", ["numpy", "SimpleITK", "PyWavelets", "numba"])
def test_other_versions_of_what_computes_are_other_settings(monkeypatch, library):
    before = settings_of()
    version_of = traits.version_of
    monkeypatch.setattr(traits, "version_of", lambda name: "99.0" if name == library else version_of(name))
    assert settings_of() != before


def test_another_version_of_radiodeep_is_other_settings(monkeypatch):
    before = settings_of()
    monkeypatch.setattr(traits, "__version__", "99.0")
    assert settings_of() != before


def test_two_classes_of_one_name_are_two():
    class RadiomicsExtractor(globals()["RadiomicsExtractor"]):
        pass

    assert settings_text(RadiomicsExtractor()) != settings_of()


def test_another_version_of_the_features_is_other_settings(monkeypatch):
    before = settings_of()
    monkeypatch.setattr(RadiomicsExtractor, "feature_version", RadiomicsExtractor.feature_version + 1)
    assert settings_of() != before


def test_a_class_of_radiodeep_that_moves_keeps_its_rows(monkeypatch):
    before = settings_of()
    monkeypatch.setattr(RadiomicsExtractor, "__module__", "radiodeep.features.elsewhere")
    assert settings_of() == before


class Diameters(BaseEstimator):
    """A transformer of a user, without any of the optional attributes."""

    def __init__(self, unit="mm"):
        self.unit = unit


def test_a_class_of_a_user_is_told_apart_by_its_module(monkeypatch):
    before = settings_text(Diameters())
    monkeypatch.setattr(Diameters, "__module__", "another_script")
    assert settings_text(Diameters()) != before


def test_a_transformer_without_attributes_has_defaults():
    plain = traits_of(Diameters("cm"))
    assert plain.needs_batches
    assert plain.labels == (None,)
    assert plain.sensitive_parts == ()
    assert '"cm"' in plain.settings
    assert '"SimpleITK"' in plain.settings


def test_labels_and_sensitive_parts_are_those_of_extractors_inside_too():
    first = RadiomicsExtractor(label=2)
    model = make_pipeline(first, RadiomicsExtractor(label=1))
    plain = traits_of(model)
    assert plain.labels == (1, 2)
    assert first in plain.sensitive_parts


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (25.0, 25),
        (np.float64(0.5), "0.5"),
        ((1, np.int8(2)), [1, 2]),
        ({3, 1}, ["1", "3"]),
        ({"a": np.array([1.0])}, {"a": [1]}),
        (True, True),
    ],
)
def test_values_have_one_spelling(value, expected):
    assert canonical(value) == expected
    assert type(canonical(value)) is type(expected)
