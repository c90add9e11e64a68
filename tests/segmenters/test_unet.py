"""The U-Net learns where lesions are, is the same for the same seed, and goes on where it was killed."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.segmenters.losses import dice_cross_entropy
from radiodeep.segmenters.network_grid import interpolated

FLAT = pytest.mark.filterwarnings("ignore:UNetSegmenter. the training loss")


def disc(place, size=32, n_slices=5, seed=0):
    """Return a case with a bright disc of radius 5 beside a bright bar."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices((size, size))
    region = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= 25
    mask = np.zeros((n_slices, size, size), bool)
    mask[1:-1] = region
    image = np.where(mask, 10.0, 0.0)
    image[:, :, (place[1] + 16) % size] = 10
    image += generator.normal(0, 1, image.shape)
    return rd.Case(image.astype(np.float32), mask, f"disc-{seed}", spacing_mm=(3.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def discs():
    places = np.random.default_rng(1).integers(7, 25, (12, 2))
    return [disc(place, seed=number) for number, place in enumerate(places)]


def small(**settings):
    plan = rd.segmentation_training(4).set_params(n_views=20)
    return rd.UNetSegmenter(2, channels=(8, 16, 32), patch_size=32, training=plan, n_threads=1).set_params(**settings)


def dice(masks, cases):
    return [
        2 * (mask & case.roi).sum() / (mask.sum() + case.roi.sum()) for mask, case in zip(masks, cases, strict=True)
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimensions": 4}, "'dimensions' parameter of UNetSegmenter must be one of 2, 2.5d, 3. Got 4"),
        ({"spacing_mm": -1}, "'spacing_mm' parameter .* None or one or three floats >= 0"),
        ({"spacing_mm": (1, 1)}, "'spacing_mm' parameter"),
        ({"patch_size": 20}, "'patch_size' parameter .* multiples of 8, one or 3. Got 20"),
        ({"patch_size": (32, 32)}, "'patch_size' parameter .* multiples of 8, one or 3"),
        ({"intensity_range": "minmax"}, r"'intensity_range' parameter .* 'z-score' or \(low, high\)"),
        ({"intensity_range": (1, 0)}, "'intensity_range' parameter"),
        ({"channels": (16,)}, "'channels' parameter .* two or more ints >= 1"),
        ({"channels": 16}, "'channels' parameter"),
        ({"image": 3}, "'image' parameter .* None, a name or a list of names"),
        ({"overlap": 1}, "'overlap' parameter .* a float >= 0 and < 1"),
        ({"keep_largest": 1}, "'keep_largest' parameter .* True or False"),
        ({"random_state": -1}, "'random_state' parameter .* an int >= 0"),
        ({"n_threads": 0}, "'n_threads' parameter"),
        ({"training": rd.Training(epochs=0)}, "'epochs' parameter of UNetSegmenter"),
        ({"training": rd.Training(augmentation=object)}, "'augmentation' parameter"),
    ],
)
def test_settings_out_of_range_are_named(settings, message, discs):
    with pytest.raises(InputError, match=message):
        rd.UNetSegmenter(**settings).fit(discs)


def test_there_must_be_cases():
    with pytest.raises(InputError, match="There are no cases"):
        rd.UNetSegmenter().fit([])


def test_settings_are_kept_by_clones():
    segmenter = small(dimensions="2.5d", intensity_range=(0, 10))
    assert clone(segmenter).get_params(deep=False)["intensity_range"] == (0, 10)
    assert clone(segmenter).set_params(training__epochs=3).training.epochs == 3
    assert segmenter.training.epochs == 4


@pytest.mark.slow
@pytest.mark.parametrize("dimensions", [2, "2.5d", 3])
def test_it_finds_discs_and_not_bars(dimensions, discs, tmp_path):
    size = (8, 32, 32) if dimensions == 3 else 32
    segmenter = small(dimensions=dimensions, patch_size=size, channels=(8, 16, 32))
    segmenter.fit(discs[:8])
    masks = segmenter.predict(discs[8:])
    assert np.min(dice(masks, discs[8:])) > 0.85
    bright = [case.voxels > 5 for case in discs[8:]]
    assert np.max(dice(bright, discs[8:])) < 0.8  # the bar is as bright
    loaded = rd.load_model(rd.save_model(segmenter, tmp_path / "unet.skops"))
    for first, second in zip(segmenter.predict_proba(discs[8:]), loaded.predict_proba(discs[8:]), strict=True):
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, second)


@pytest.mark.slow
@FLAT
def test_equal_seeds_give_equal_networks_and_a_killed_training_goes_on(discs, tmp_path, monkeypatch):
    plan = rd.segmentation_training(3)
    segmenter = small(training=plan)
    first = clone(segmenter).fit(discs[:5])
    torch.rand(3)
    second = clone(segmenter).fit(discs[:5])
    other = clone(segmenter).set_params(random_state=1).fit(discs[:5])
    kept = segmenter.set_params(checkpoint_dir=tmp_path)
    calls = []

    def killed(outputs, targets):
        calls.append(len(outputs))
        if len(calls) == 13:  # in the third epoch
            raise KeyboardInterrupt
        return dice_cross_entropy(outputs, targets)

    killed.__qualname__ = dice_cross_entropy.__qualname__
    with monkeypatch.context() as patched:
        patched.setattr("radiodeep.segmenters.unet.dice_cross_entropy", killed)
        with pytest.raises(KeyboardInterrupt):
            clone(kept).fit(discs[:5])
    resumed = clone(kept).fit(discs[:5])
    assert len(list(tmp_path.iterdir())) == 1
    assert resumed.history_ == first.history_
    for name, weights in first.networks_[0].items():
        np.testing.assert_array_equal(weights, second.networks_[0][name])
        np.testing.assert_array_equal(weights, resumed.networks_[0][name])
    assert any((weights != other.networks_[0][name]).any() for name, weights in first.networks_[0].items())


@pytest.mark.slow
@FLAT
@pytest.mark.parametrize("dimensions", [2, "2.5d", 3])
def test_overlapping_patches_are_averaged_as_gaussians(dimensions, discs):
    """A plain version: each patch on its own, weighted by a Gaussian of an eighth of its side."""
    size = (8, 16, 16) if dimensions == 3 else 16
    segmenter = small(dimensions=dimensions, patch_size=size, training=rd.segmentation_training(1)).fit(discs[:3])
    image = np.random.default_rng(0).normal(size=(8, 24, 32)).astype(np.float32)
    case = rd.Case(image, "whole", "n", spacing_mm=(3.0, 1.0, 1.0))
    (found,) = segmenter.predict_proba([case])
    network = segmenter._network()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in segmenter.networks_[0].items()})
    network.eval()
    scaled = torch.from_numpy((image - image.mean()) / image.std())
    window = torch.exp(-0.5 * ((torch.arange(16) - 7.5) / 2) ** 2)
    across = torch.exp(-0.5 * (torch.arange(8) - 3.5) ** 2) if dimensions == 3 else torch.ones(8)
    weights = (across[:, None, None] * window[:, None] * window).clamp(min=1e-3)
    total, weight = torch.zeros(8, 24, 32), torch.zeros(8, 24, 32)
    before = torch.nn.functional.pad(scaled, (0, 0, 0, 0, 1, 1), value=float(scaled.min()))
    for row in (0, 8):
        for column in (0, 8, 16):
            here = (slice(None), slice(row, row + 16), slice(column, column + 16))
            if dimensions == 3:
                patch = scaled[here][None, None]
            elif dimensions == 2:
                patch = scaled[here][:, None]
            else:
                patch = torch.stack([before[z : z + 3][here] for z in range(8)])
            with torch.no_grad():
                probability = network(patch).sigmoid().squeeze(1 if dimensions != 3 else (0, 1))
            total[here] += weights * probability
            weight[here] += weights
    np.testing.assert_allclose(found, total / weight, atol=2e-3)


@pytest.mark.slow
@FLAT
def test_masks_lie_on_the_voxels_of_the_image(discs):
    plan = rd.segmentation_training(2)
    segmenter = small(spacing_mm=2.0, patch_size=16, training=plan, keep_largest=False).fit(discs[:4])
    assert segmenter.spacing_mm_.tolist() == [0, 2, 2]
    sagittal = rd.Case(
        discs[5].voxels.transpose(1, 2, 0), "whole", "turned", spacing_mm=(1.0, 1.0, 3.0)
    )  # the slices are along the last axis
    straight, turned = segmenter.predict_proba([discs[5], sagittal])
    assert straight.shape == discs[5].voxels.shape
    np.testing.assert_allclose(turned, straight.transpose(1, 2, 0), atol=1e-5)
    grid = segmenter._grid()
    shown = grid.image(grid.lesions(discs[5], None)[0])
    assert shown.shape == (1, 5, 16, 16)
    assert interpolated(shown[0], (5, 32, 32)).shape == (1, 5, 32, 32)


@pytest.mark.slow
@FLAT
def test_images_of_a_case_are_seen_together(discs):
    images = [
        case.replace(image={"A": case.voxels * 0, "B": case.voxels}, spacing_mm=dict.fromkeys("AB", (3.0, 1.0, 1.0)))
        for case in discs[:4]
    ]
    segmenter = small(image=["A", "B"], training=rd.segmentation_training(2)).fit(images)
    assert next(iter(segmenter.networks_[0].values())).shape[1] == 2
    alone = small(image="B", training=rd.segmentation_training(2)).fit(images)
    same = small(training=rd.segmentation_training(2)).fit(discs[:4])
    np.testing.assert_array_equal(alone.predict(images)[0], same.predict(discs[:4])[0])
    assert segmenter.predict(images)[0].shape == discs[0].voxels.shape


@pytest.mark.slow
def test_a_loss_that_does_not_fall_is_told(discs):
    still = rd.segmentation_training(2).set_params(learning_rate=1e-12, augmentation=None, n_views=40)
    with pytest.warns(RadiodeepWarning, match="UNetSegmenter: the training loss did not fall"):
        small(training=still).fit(discs[:3])
