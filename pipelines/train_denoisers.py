"""Train the packaged denoisers, DnCNN and autoencoder, on synthetic pictures; write their weights and model card.

python pipelines/train_denoisers.py --output trained      (3 minutes on one core; a killed run goes on)
"""

import argparse
import hashlib
import json
from pathlib import Path

import safetensors.torch
import torch

from radiodeep.networks.architectures.denoisers import DENOISERS
from radiodeep.networks.inference.denoising import denoised_slice
from radiodeep.networks.synthetic.scenes import make_scenes
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.plan import Training

BATCH_SIZE = 32
LARGEST_LEVEL = 0.3
LEVELS = (0.02, 0.04, 0.1, 0.2)  # of the noise, as a share of the range of an image, that the model card reports


def with_noise(images, targets, generator):
    """Add normal noise of a random level to clean images; return them, and the clean ones, with maps of the level."""
    level = LARGEST_LEVEL * torch.rand(len(images), 1, 1, 1, generator=generator) ** 2
    noisy = images + level * torch.randn(images.shape, generator=generator)
    mean = noisy.mean(dim=(2, 3), keepdim=True)
    return tuple(torch.cat([each - mean, level.expand_as(images)], dim=1) for each in (noisy, images))


def relative_error(outputs, targets):
    """Return the mean squared error of each image as a multiple of the variance of its noise."""
    return (outputs - targets[:, :1]).square().mean(dim=(1, 2, 3)) / (targets[:, 1, 0, 0].square() + 0.02**2)


def measured_psnr(network, images, level):
    """Return the mean PSNR in dB of images before and after denoising; `level` is that of their noise."""
    noisy = images + level * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    denoised = [torch.from_numpy(denoised_slice(network, image.numpy(), level)) for image in noisy[:, 0]]
    errors = [(shown - images).square().mean(dim=(1, 2, 3)) for shown in (noisy, torch.stack(denoised).unsqueeze(1))]
    return [round(float(-10 * error.log10().mean()), 2) for error in errors]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for weights, card and checkpoints")
    for name, default in (("--n-images", 2048), ("--epochs", 12), ("--seed", 0)):
        parser.add_argument(name, type=int, default=default)
    options = parser.parse_args(arguments)
    generators = [torch.Generator().manual_seed(options.seed + number) for number in (0, 1)]
    scenes, new_scenes = map(make_scenes, (options.n_images, min(256, options.n_images)), generators)
    training = Training(options.epochs, 1, BATCH_SIZE, 1e-3, schedule="one-cycle", augmentation=None, precision="auto")
    state, psnr = {}, {}
    for name, architecture in DENOISERS.items():
        torch.manual_seed(options.seed)
        network = architecture()
        settings = {"seed": options.seed, "checkpoint": options.output / f"{name}-{{training}}.checkpoint"}
        examples = Examples(scenes, scenes)
        fit_network(network, examples, relative_error, training, prepare_batch=with_noise, **settings)
        network.load_state_dict({key: value.half().float() for key, value in network.state_dict().items()})
        state |= {f"{name}.{key}": value.half().contiguous() for key, value in network.state_dict().items()}
        psnr[name] = {str(level): measured_psnr(network, new_scenes, level) for level in LEVELS}
    content = safetensors.torch.save(state)
    card = {
        "networks": list(DENOISERS),
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "BSD-3-Clause",
        "data": "pictures of radiodeep.networks.synthetic.scenes with normal noise",
        "training": {name: getattr(options, name) for name in ("n_images", "epochs", "seed")},
        "psnr_db_of_new_images_before_and_after_by_level_of_noise": psnr,
    }
    (options.output / "denoisers.safetensors").write_bytes(content)
    (options.output / "denoisers.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
