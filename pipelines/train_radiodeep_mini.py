"""Train the packaged network `radiodeep-mini` on made-up lesions and write its weights and their card.

python pipelines/train_radiodeep_mini.py --output radiodeep/networks/weights
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from radiodeep.networks.architectures import build_network
from radiodeep.networks.procedural import TARGETS, make_lesions
from radiodeep.networks.training import train_regression


def fresh_batches(batch_size, generator):
    """Yield new images without end: none is seen twice, so none can be learned by heart."""
    while True:
        yield make_lesions(batch_size, generator)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder for radiodeep_mini.safetensors and .json")
    parser.add_argument("--n-steps", type=int, default=1500, help="batches of fresh images (default 1500)")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    torch.manual_seed(options.seed)
    network = build_network("radiodeep-mini", in_channels=1, n_classes=len(TARGETS))
    batches = fresh_batches(options.batch_size, torch.Generator().manual_seed(options.seed + 1))
    losses = train_regression(network, batches, options.n_steps)

    images, targets = make_lesions(2000, torch.Generator().manual_seed(options.seed + 2))
    with torch.inference_mode():
        predicted = network(images)
    explained = 1 - ((predicted - targets) ** 2).mean(0) / targets.var(0)

    options.output.mkdir(parents=True, exist_ok=True)
    weights = options.output / "radiodeep_mini.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, weights)
    card = {
        "network": "radiodeep-mini",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "licence": "BSD-3-Clause",
        "data": "lesions made by radiodeep.networks.procedural; no picture of anything real",
        "task": "regression of the numbers that made each image",
        "training": {"steps": options.n_steps, "batch_size": options.batch_size, "seed": options.seed},
        "variance_explained_on_new_images": {
            name: round(value, 3) for name, value in zip(TARGETS, explained.tolist(), strict=True)
        },
        "mean_squared_error": {"first_steps": round(sum(losses[:10]) / len(losses[:10]), 4)}
        | {"last_steps": round(sum(losses[-50:]) / len(losses[-50:]), 4)},
    }
    weights.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
