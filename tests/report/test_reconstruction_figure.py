"""The picture of reconstructions: originals above what an autoencoder makes of them, and their differences."""

import numpy as np
import pytest

import radiodeep as rd
from radiodeep.exceptions import InputError


class Halved:
    """Stands for an autoencoder that returns images at half their intensity."""

    def __init__(self, *shape):
        self.shape = shape

    def reconstruct(self, cases):
        images = np.random.default_rng(0).random((len(cases), *self.shape), np.float32)
        return [(image, image / 2) for image in images]


@pytest.mark.parametrize(("shape", "shown"), [((2, 8, 8), (0,)), ((1, 6, 8, 8), (0, 3))])
def test_it_shows_the_first_slice_or_the_middle_of_a_cube(shape, shown):
    cohort = rd.make_phantom_cohort(2, random_state=0)
    figure = rd.reconstruction_figure(Halved(*shape), cohort)
    figure.canvas.draw()
    assert [axes.get_title() for axes in figure.axes] == [*cohort.ids, "", "", "", ""]
    image = Halved(*shape).reconstruct(cohort)[1][0]
    drawn = [axes.images[0].get_array() for axes in figure.axes[1::2]]
    for picture, expected in zip(drawn, (image, image / 2, -image / 2), strict=True):
        np.testing.assert_allclose(picture, expected[shown])
    assert figure.axes[5].get_xlabel() == f"error {np.square(image / 2).mean():.2g}"


def test_ten_images_of_an_array_are_drawn_by_their_numbers_and_others_are_refused():
    figure = rd.reconstruction_figure(Halved(1, 8, 8), np.zeros((12, 8, 8)))
    assert [axes.get_title() for axes in figure.axes[:10]] == [str(number) for number in range(10)]
    assert len(figure.axes) == 30
    with pytest.raises(InputError, match="'features' .* must be an AutoencoderFeatures"):
        rd.reconstruction_figure(rd.RadiomicsExtractor(), [])
    with pytest.raises(InputError, match="'cases' .* must be at least one case"):
        rd.reconstruction_figure(Halved(1, 8, 8), [])
