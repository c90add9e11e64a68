"""Train the packaged network `radiodeep-mini` on synthetic lesions and write its weights and their model card.

python pipelines/train_radiodeep_mini.py --output radiodeep/networks/weights      (25 minutes on two free cores)
"""

import argparse
import hashlib
import json
from pathlib import Path

import safetensors.torch
import torch

from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.synthetic.procedural import TARGETS, scaled_batches
from radiodeep.networks.training.examples import ExampleStream
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.losses import regression_loss
from radiodeep.networks.training.plan import Training

BATCH_SIZE = 128


def explained_variance(network, images, targets):
    """Return the coefficient of determination of each target."""
    with torch.inference_mode():
        errors = (network(images) - targets).square().mean(dim=0)
    shares = 1 - errors / targets.var(dim=0)
    return {name: round(share, 3) for name, share in zip(TARGETS, shares.tolist(), strict=True)}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for radiodeep_mini.safetensors and .json")
    parser.add_argument("--n-images", type=int, default=32_000, help="number of new images per epoch")
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    torch.manual_seed(options.seed)
    network = build_network("radiodeep-mini", in_channels=1, n_classes=len(TARGETS))
    batches = scaled_batches(BATCH_SIZE, torch.Generator().manual_seed(options.seed + 1))
    n_batches = max(1, options.epochs * options.n_images // BATCH_SIZE)  # the loop calls each of them an epoch
    training = Training(n_batches, learning_rate=8e-3, schedule="one-cycle", optimizer="adamw", weight_decay=0.05)
    training.set_params(augmentation=None, precision="auto")
    fitted = fit_network(network, ExampleStream(batches), regression_loss, training)
    losses = [epoch["loss"] for epoch in fitted.history]

    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    state |= {name: tensor.half() for name, tensor in state.items() if tensor.ndim > 1}  # which halves the file
    content = safetensors.torch.save(state)
    network.load_state_dict(safetensors.torch.load(content))
    new_images = next(scaled_batches(2000, torch.Generator().manual_seed(options.seed + 2)))
    card = {
        "network": "radiodeep-mini",
        "file": "radiodeep_mini.safetensors",
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "BSD-3-Clause",
        "input": "grey images of 64 x 64 pixels, intensities 0 to 1",
        "data": "synthetic lesions of radiodeep.networks.synthetic.procedural, made during training",
        "task": "regression of the numbers that made each image and of those that describe it",
        "training": {
            "program": "pipelines/train_radiodeep_mini.py",
            "n_images": options.n_images,
            "epochs": options.epochs,
            "batch_size": BATCH_SIZE,
            "seed": options.seed,
            "mean_squared_error_last_50_steps": round(sum(losses[-50:]) / len(losses[-50:]), 4),
        },
        "variance_explained_on_new_images": explained_variance(network, *new_images),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / card["file"]).write_bytes(content)
    (options.output / "radiodeep_mini.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
