"""Train a packaged network on synthetic lesions and write its weights and their model card.

python pipelines/train_radiodeep_mini.py --output radiodeep/networks/weights --network radiodeep-mini
"""

import argparse
import hashlib
import json
from itertools import islice
from pathlib import Path

import safetensors.torch
import torch

from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.synthetic.procedural import TARGETS, scaled_batches
from radiodeep.networks.synthetic.volumes import VOLUME_TARGETS, scaled_volume_batches
from radiodeep.networks.training.examples import ExampleStream
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.losses import regression_loss
from radiodeep.networks.training.plan import Training

NETWORKS = {  # name: (targets, source of batches, images per batch, largest learning rate, what it is shown)
    "radiodeep-mini": (TARGETS, scaled_batches, 128, 8e-3, "grey images of 64 x 64 pixels"),
    "radiodeep-mini-3d": (VOLUME_TARGETS, scaled_volume_batches, 64, 5e-3, "cubes of 24 voxels per side"),
}
PLAN = {"schedule": "one-cycle", "optimizer": "adamw", "weight_decay": 0.05, "precision": "auto", "augmentation": None}


def explained_variance(network, images, targets, names):
    """Return the coefficient of determination of each target."""
    with torch.inference_mode():
        errors = torch.cat([network(part) for part in images.split(250)]) - targets
    shares = 1 - errors.square().mean(dim=0) / targets.var(dim=0)
    return {name: round(share, 3) for name, share in zip(names, shares.tolist(), strict=True)}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for the .safetensors and .json files")
    parser.add_argument("--network", choices=list(NETWORKS), default="radiodeep-mini")
    parser.add_argument("--n-images", type=int, default=32_000, help="number of images per epoch")
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    targets, make_batches, batch_size, learning_rate, shown = NETWORKS[options.network]
    torch.manual_seed(options.seed)
    network = build_network(options.network, in_channels=1, n_classes=len(targets))
    batches = make_batches(batch_size, torch.Generator().manual_seed(options.seed + 1))
    n_batches = max(1, options.epochs * options.n_images // batch_size)  # the loop calls each of them an epoch
    training = Training(n_batches, learning_rate=learning_rate, **PLAN)
    history = fit_network(network, ExampleStream(batches), regression_loss, training).history
    losses = [epoch["loss"] for epoch in history[-50:]]
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    state |= {name: tensor.half() for name, tensor in state.items() if tensor.ndim > 1}  # which halves the file
    content = safetensors.torch.save(state)
    network.load_state_dict(safetensors.torch.load(content))
    new_batches = islice(make_batches(100, torch.Generator().manual_seed(options.seed + 2)), 8)
    new_images, new_targets = (torch.cat(parts) for parts in zip(*new_batches, strict=True))
    card = {
        "network": options.network,
        "file": options.network.replace("-", "_") + ".safetensors",
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "BSD-3-Clause",
        "input": f"{shown}, intensities 0 to 1",
        "data": f"synthetic lesions of {make_batches.__module__}, made during training",
        "task": "regression of the numbers that made each image and of those that describe it",
        "training": {"program": "pipelines/train_radiodeep_mini.py", "batch_size": batch_size}
        | {name: getattr(options, name) for name in ("n_images", "epochs", "seed")}
        | {"mean_squared_error_last_50_steps": round(sum(losses) / len(losses), 4)},
        "variance_explained_on_new_images": explained_variance(network, new_images, new_targets, targets),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (path := options.output / card["file"]).write_bytes(content)
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
