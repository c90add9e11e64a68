"""Time that CNNClassifier takes to train the small networks of the nodule studies, compared with plain PyTorch loops.

    python benchmarks/training.py [--architecture arch1] [--images 64] [--rounds 5] [--threads 1] [--members 8]
    python benchmarks/training.py --device cuda --images 4096 --members 2

"plain" trains the layers in the order of the slide (convolution, LeakyReLU, pooling) with Adam, batch by batch; "plain,
pooled first" takes the maximum before LeakyReLU, which gives the same values for less work, and keeps channels last in
memory. CNNClassifier trains on the same images, without augmentation. One pass shows every image once. All take turns
within a round; printed are median seconds, images per second and the ratio to the plain loop, first for one network,
then for `--members` networks.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import torch
from torch import nn

import radiodeep as rd
from radiodeep.exceptions import RadiodeepWarning

BATCH_SIZE = 32
SLIDE_ORDER = ("convolve", "rectify", "pool")
POOLED_FIRST = ("convolve", "pool", "rectify")


class PlainNetwork(nn.Sequential):
    """The layers of "arch3", or of "arch1", in a given order of convolution, LeakyReLU and pooling."""

    def __init__(self, architecture, order):
        def block(in_channels, out_channels, kernel):
            layers = {
                "convolve": nn.Conv2d(in_channels, out_channels, kernel),
                "rectify": nn.LeakyReLU(0.01),
                "pool": nn.MaxPool2d(3),
            }
            return [layers[step] for step in order]

        stem = [*block(3, 64, 5), *block(64, 64, 2), nn.Dropout(0.1)]
        if architecture == "arch3":
            super().__init__(_TwoBranches(nn.Sequential(*stem)), nn.Linear(1024, 1))
        else:
            head = [nn.Linear(6400, 128), nn.ReLU(), nn.Linear(128, 8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 1)]
            super().__init__(*stem, nn.Flatten(), *head)


class _TwoBranches(nn.Module):
    def __init__(self, right):
        super().__init__()
        self.right = right
        self.left = nn.Sequential(nn.MaxPool2d(10), nn.Dropout(0.1))
        self.joined = nn.Sequential(nn.Conv2d(67, 64, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1), nn.Flatten())

    def forward(self, images):
        return self.joined(torch.cat([self.left(images), self.right(images)], dim=1))


def plain_training(networks, images, labels, memory_format, device):
    """Return a function that shows all images once to each network; they stay on the device."""
    networks = [network.to(device, memory_format=memory_format) for network in networks]
    optimizers = [torch.optim.Adam(network.parameters(), lr=1e-3) for network in networks]
    batches = images.to(device).contiguous(memory_format=memory_format).split(BATCH_SIZE)
    targets = labels.float().to(device).split(BATCH_SIZE)

    def train():
        for network, optimizer in zip(networks, optimizers, strict=True):
            for batch, target in zip(batches, targets, strict=True):
                optimizer.zero_grad(set_to_none=True)
                nn.functional.binary_cross_entropy_with_logits(network(batch)[:, 0], target).backward()
                optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return train


def classifier_training(architecture, images, labels, n_seeds, precision, n_threads, device):
    """Return a function that fits a CNNClassifier for one epoch."""
    model = rd.CNNClassifier(
        architecture,
        epochs=1,
        n_views=1,
        batch_size=BATCH_SIZE,
        augmentation=None,
        validation_fraction=0,
        n_seeds=n_seeds,
        precision=precision,
        device=device,
        n_threads=n_threads,
    )
    return lambda: model.fit(images.numpy(), labels.numpy())


def median_seconds(engines, rounds):
    """Return {engine: median seconds of a call}; the engines take turns."""
    seconds = {name: [] for name in engines}
    for number in range(rounds + 1):  # the first round warms up
        for name, train in engines.items():
            start = time.perf_counter()
            train()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def compare(n_networks, options):
    """Print the table of all engines that train so many networks."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(options.images, 3, 100, 100, generator=generator)
    labels = torch.from_numpy(np.arange(options.images) % 2)
    architecture = options.architecture
    slide = [PlainNetwork(architecture, SLIDE_ORDER) for _ in range(n_networks)]
    pooled_first = [PlainNetwork(architecture, POOLED_FIRST) for _ in range(n_networks)]
    engines = {
        "plain": plain_training(slide, images, labels, torch.contiguous_format, options.device),
        "plain, pooled first": plain_training(pooled_first, images, labels, torch.channels_last, options.device),
    }
    for precision in ("float32", "tf32", "bfloat16") if options.device == "cuda" else ("float32", "bfloat16"):
        shared = n_networks, precision, options.threads, options.device
        fit = classifier_training(architecture, images, labels, *shared)
        engines[f"CNNClassifier {precision}"] = fit
    medians = median_seconds(engines, options.rounds)
    print(f"\n{f'{n_networks} x {architecture}':26}{'s/pass':>9}{'images/s':>10}{'ratio':>8}")
    for engine, seconds in medians.items():
        per_second = n_networks * options.images / seconds
        print(f"{engine:26}{seconds:9.3f}{per_second:10.1f}{medians['plain'] / seconds:>7.2f}x", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="arch1", choices=["arch1", "arch3"])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", RadiodeepWarning)
    print(f"{options.threads} thread(s), {options.images} images in batches of {BATCH_SIZE}, {options.rounds} rounds")
    for n_networks in (1, options.members):
        compare(n_networks, options)


if __name__ == "__main__":
    main()
