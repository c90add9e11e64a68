from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from radiodeep.exceptions import InputError
from radiodeep.networks.training.augmentation import Augmentation, average_over_views, dihedral_views, study_views

FLIPS = {"none": lambda image: image, "horizontal": np.fliplr, "vertical": np.flipud}


def images(n=3, channels=1, size=(24, 24)):
    return torch.rand(n, channels, *size, generator=torch.Generator().manual_seed(0))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def apply_views(batch, views, outside="reflection"):
    """Return all views of each image, (n, n_views, channels, height, width)."""
    seen = []
    average_over_views(lambda view: seen.append(view) or view, batch, views, outside)
    return torch.stack(seen, dim=1)


def the_72(image):
    """Flip, then turn, by scipy."""
    return [
        ndimage.rotate(flip(image), angle, reshape=False, order=1, mode="grid-constant")
        for flip in FLIPS.values()
        for angle in range(0, 360, 15)
    ]


def test_the_72_images_of_the_studies_are_48_with_weights():
    image = images(1)[0, 0].double()
    all_72 = np.stack(the_72(image.numpy()))
    distances = np.abs(all_72[:, None] - all_72[None]).max((2, 3))
    classes = {tuple(np.flatnonzero(row < 1e-6)) for row in distances}
    assert len(classes) == 48
    assert sorted(map(len, classes)) == [1] * 24 + [2] * 24

    views = study_views()
    ours = apply_views(image[None, None], views, "zeros")[0, :, 0].numpy()
    matches = np.abs(ours[:, None] - all_72[None]).max((2, 3)) < 1e-5
    np.testing.assert_array_equal(matches.sum(1), views.weights)
    np.testing.assert_array_equal(matches.sum(0), 1)

    def loss(image):
        return np.square(image[:8] - 0.3).sum()

    expected = np.mean([loss(view) for view in all_72])
    np.testing.assert_allclose(np.average([loss(view) for view in ours], weights=views.weights), expected, rtol=1e-5)


def test_right_angles_move_pixels_and_mix_none():
    batch = images(channels=2)
    seen = apply_views(batch, dihedral_views())
    for index in range(4):
        assert torch.equal(seen[:, index], torch.rot90(batch, index, (-2, -1)))
        assert torch.equal(seen[:, 4 + index], torch.rot90(batch.flip(-1), index, (-2, -1)))


@pytest.mark.parametrize("angle", [15.0, 40.0, 105.0])
@pytest.mark.parametrize("size", [(24, 24), (17, 30)])
def test_other_angles_are_those_of_scipy(angle, size):
    batch = images(2, 3, size).double()
    views = replace(study_views(), angles=(angle, angle), flipped=(False, True), weights=(1.0, 1.0))
    seen = apply_views(batch, views, "zeros")
    for flip, view in ((False, seen[:, 0]), (True, seen[:, 1])):
        source = batch.flip(-1) if flip else batch
        expected = ndimage.rotate(source.numpy(), angle, axes=(3, 2), reshape=False, order=1, mode="grid-constant")
        np.testing.assert_allclose(view.numpy(), expected, atol=1e-5)


def test_an_empty_background_stays_empty():
    batch = torch.zeros(1, 1, 24, 24)
    batch[:, :, 8:16, 8:16] = 1
    views = study_views()
    seen = [apply_views(batch, views, outside) for outside in ("reflection", "border", "zeros")]
    torch.testing.assert_close(seen[0], seen[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[0], seen[2], atol=1e-5, rtol=0)
    assert apply_views(torch.ones(1, 1, 24, 24), views).min() > 0.999
    assert apply_views(torch.ones(1, 1, 24, 24), views, "zeros").min() == 0


def test_the_average_over_views_is_weighted():
    batch = images(2)
    seen = apply_views(batch, study_views())

    def predict(images):
        return images[:, :, :3].amax((1, 2, 3))

    expected = sum(w * predict(seen[:, k]) for k, w in enumerate(study_views().weights)) / 72
    torch.testing.assert_close(average_over_views(predict, batch, study_views()), expected)


def test_random_views_come_as_often_as_among_the_72():
    batch = torch.zeros(1, 1, 9, 9)
    batch[..., 1, 2] = 1  # a corner that tells flipped from unflipped
    n_draws = 4800
    drawn = Augmentation().apply(batch.expand(n_draws, -1, -1, -1), generator())
    seen = apply_views(batch, study_views())[0]
    which = (drawn[:, None] - seen[None]).abs().amax((2, 3, 4)).argmin(1)
    counts = torch.bincount(which, minlength=48).double()
    expected = torch.tensor(study_views().weights, dtype=torch.float64) / 72 * n_draws
    assert ((counts - expected).abs() < 5 * expected.sqrt()).all()
    unflipped = Augmentation(flips=False).apply(batch.expand(n_draws, -1, -1, -1), generator())
    assert (unflipped[:, None] - seen[None, :24]).abs().amax((2, 3, 4)).amin(1).max() < 1e-5


def test_flips_alone_are_four_exact_images():
    batch = images(1)
    drawn = Augmentation(rotation=None).apply(batch.expand(200, -1, -1, -1), generator())
    possible = torch.stack([batch[0], batch[0].flip(-1), batch[0].flip(-2), batch[0].flip(-1, -2)])
    matches = (drawn[:, None] == possible[None]).all(-1).all(-1).all(-1)
    assert (matches.sum(1) == 1).all()
    assert (matches.sum(0) > 30).all()


@pytest.mark.parametrize(
    "options",
    [
        {"rotation": "study"},
        {"rotation": 20.0},
        {"elastic": 2.0},
        {"noise": 0.1},
        {"intensity": 0.2},
        {"zoom": 0.1},
        {"shift": 0.1},
    ],
)
def test_the_generator_alone_decides(options):
    augmentation, batch = Augmentation(**({"rotation": None, "flips": False} | options)), images(8)
    before = batch.clone()
    drawn = augmentation.apply(batch, generator())
    assert drawn.shape == batch.shape
    assert drawn.dtype == batch.dtype
    assert torch.equal(drawn, augmentation.apply(batch, generator()))
    assert not torch.equal(drawn, augmentation.apply(batch, generator(1)))
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(batch, before)


def test_no_change_asked_for_is_none_made():
    batch = images()
    assert torch.equal(Augmentation(rotation=None, flips=False).apply(batch, generator()), batch)


def test_noise_and_intensity_have_the_asked_size():
    flat = torch.full((400, 1, 20, 20), 0.5)
    plain = Augmentation(rotation=None, flips=False)
    noisy = replace(plain, noise=0.1).apply(flat, generator())
    assert (noisy - flat).std().item() == pytest.approx(0.1, rel=0.02)
    drawn = replace(plain, intensity=0.2).apply(flat, generator())
    assert drawn.min() >= 0.8 * 0.5**1.2 - 0.2
    assert drawn.max() <= 1.2 * 0.5**0.8 + 0.2
    assert drawn.flatten(1).std(1).max() < 1e-6
    assert drawn[:, 0, 0, 0].std() > 0.05


def test_zoom_shift_and_elastic_move_a_ramp_by_the_asked_amount():
    """The value of a pixel of a ramp is where it came from, in pixels."""
    ramp = torch.arange(60.0, dtype=torch.float64).expand(300, 1, 60, 60)
    plain = Augmentation(rotation=None, flips=False, outside="border")
    moved = (replace(plain, shift=0.1).apply(ramp, generator()) - ramp)[:, 0, 30, 20:40]
    assert moved.std(1).max() < 1e-4
    assert 5.5 < moved.abs().max() < 6.0001  # a tenth of 60
    steps = replace(plain, zoom=0.2).apply(ramp, generator())[:, 0, 30, 20:40].diff(dim=1)
    assert 1 / 1.2 - 1e-4 < steps.min() < 0.86
    assert 1.2 < steps.max() < 1 / 0.8 + 1e-4
    bent = (replace(plain, elastic=2.0).apply(ramp, generator()) - ramp)[:, 0, 10:50, 10:50]
    assert bent.std().item() == pytest.approx(2.0, rel=0.05)
    assert bent.diff(dim=2).abs().max() < 2.0  # smooth: a tenth of the way from a hill to a valley


def test_a_parameter_of_an_estimator():
    augmentation = Augmentation(rotation=15.0, zoom=0.1)
    assert augmentation == eval(repr(augmentation))
    assert len({augmentation, Augmentation(rotation=15.0, zoom=0.1), Augmentation()}) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotation": "any"}, "'rotation' parameter .* 'study', None or a number .* Got 'any'"),
        ({"rotation": 200}, "'rotation' parameter .* <= 180. Got 200"),
        ({"flips": 1}, "'flips' parameter .* True or False. Got 1"),
        ({"noise": -0.1}, "'noise' parameter .* >= 0. Got -0.1"),
        ({"elastic": float("nan")}, "'elastic' parameter .* Got nan"),
        ({"shift": 1.0}, "'shift' parameter .* < 1. Got 1.0"),
        (
            {"outside": "mirror"},
            "'outside' parameter of Augmentation must be one of reflection, border, zeros. Got 'mirror'",
        ),
    ],
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Augmentation(**options).apply(images(), generator())


@pytest.mark.parametrize("batch", [torch.rand(1, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8)])
def test_what_is_no_batch_of_images_is_refused(batch):
    with pytest.raises(InputError, match=r"floating point images of shape \(n, channels, height, width\)\. Got"):
        apply_views(batch, study_views())
