"""Networks that remove noise take any unit, slices of any size, large ones in bands; their weights are complete."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from radiodeep.exceptions import WeightsError
from radiodeep.networks.architectures.denoisers import DENOISERS, DenoisingAutoencoder
from radiodeep.networks.inference.denoising import denoised_slice
from radiodeep.networks.synthetic.scenes import make_scenes
from radiodeep.networks.weights.denoisers import PACKAGED_DENOISERS, load_denoiser


@pytest.fixture(params=DENOISERS)
def network(request):
    return load_denoiser(request.param)[0]


def test_a_change_of_unit_changes_the_unit_of_the_result_only(network):
    image = np.random.default_rng(0).normal(0, 1, (24, 28))
    expected = denoised_slice(network, image, 0.5)
    np.testing.assert_allclose(denoised_slice(network, 40 * image - 1000, 20.0), 40 * expected - 1000, atol=2e-3)


def test_a_large_slice_in_bands_is_the_same_as_at_once(network):
    image = np.random.default_rng(0).normal(0, 10, (150, 37))
    whole = denoised_slice(network, image, 10.0)
    assert whole.shape == image.shape
    np.testing.assert_allclose(denoised_slice(network, image, 10.0, pixels_at_once=9000), whole, atol=1e-3)


def test_the_code_of_the_autoencoder_is_half_as_large_as_the_image():
    codes = DenoisingAutoencoder().encoder(torch.zeros(1, 1, 32, 32))
    assert codes.numel() == 32 * 32 / 2


def test_packaged_networks_remove_noise_of_new_pictures_without_their_edges():
    scenes = make_scenes(12, torch.Generator().manual_seed(99), size=64)[:, 0].numpy()
    noisy = scenes + np.random.default_rng(0).normal(0, 0.1, scenes.shape)
    psnr = {"": -10 * np.log10(((noisy - scenes) ** 2).mean())}
    for name in DENOISERS:
        network = load_denoiser(name)[0]
        shown = np.stack([denoised_slice(network, image, 0.1) for image in noisy])
        psnr[name] = -10 * np.log10(((shown - scenes) ** 2).mean())
    assert psnr["dncnn"] > psnr[""] + 7
    assert psnr["autoencoder"] > psnr[""] + 2


def test_the_card_names_the_packaged_file():
    card = json.loads(PACKAGED_DENOISERS.with_suffix(".json").read_text())
    assert card["sha256"] == hashlib.sha256(PACKAGED_DENOISERS.read_bytes()).hexdigest()
    assert PACKAGED_DENOISERS.stat().st_size < 1e6
    assert card["networks"] == list(DENOISERS)


def test_a_file_without_the_weights_of_a_network_is_refused(tmp_path):
    state = safetensors.torch.load_file(PACKAGED_DENOISERS)
    file = tmp_path / "own.safetensors"
    safetensors.torch.save_file({name: value for name, value in state.items() if "decoder.5" not in name}, file)
    assert load_denoiser("dncnn", file)[1] == hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match="'own.safetensors' does not hold the weights of 'autoencoder': expected 6"):
        load_denoiser("autoencoder", file)


def test_scenes_are_the_same_for_the_same_seed_and_cover_the_range():
    first, again = (make_scenes(8, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, make_scenes(8, torch.Generator().manual_seed(4)))
    assert torch.equal(first.amin(dim=(1, 2, 3)), torch.zeros(8))
    assert torch.allclose(first.amax(dim=(1, 2, 3)), torch.ones(8))
