"""The picture of habitats: each image with the outline, and the map with the shares of the whole region."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import radiodeep as rd
from radiodeep.exceptions import InputError

COHORT = rd.make_phantom_cohort(3, random_state=0)
CASES = [case.replace(image={"T1": case.voxels, "$b$": 200 - case.voxels}) for case in COHORT]


def test_it_shows_each_image_and_the_map_of_one_slice():
    extractor = rd.HabitatExtractor(features=["share"]).fit(CASES)
    figure = rd.habitat_figure(extractor, CASES[0])
    figure.canvas.draw()
    assert [axes.get_title() for axes in figure.axes] == ["phantom-000 T1", r"phantom-000 \$b\$", "habitats"]
    habitat_map = extractor.habitat_map(CASES[0])
    largest = np.argmax((habitat_map > 0).sum(axis=(1, 2)))
    shown = figure.axes[2].images[1].get_array()
    drawn = np.bincount(shown.filled(0).ravel(), minlength=4)[1:]
    np.testing.assert_array_equal(drawn, np.bincount(habitat_map[largest].ravel(), minlength=4)[1:])
    shares = extractor.transform(CASES[:1])[0]
    labels = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert labels == [f"{number}: {share:.0%}" for number, share in enumerate(shares, 1)]


def test_it_needs_a_fitted_extractor_of_habitats():
    with pytest.raises(InputError, match="'extractor' .* must be a HabitatExtractor"):
        rd.habitat_figure(rd.RadiomicsExtractor(), CASES[0])
    with pytest.raises(NotFittedError, match="not fitted"):
        rd.habitat_figure(rd.HabitatExtractor(), CASES[0])
